"""How near rsgan comes to clear scenes, beside learning-free methods: writes a section of RESULTS.md.

    python -m benchmarks.quality_dehaze --data DIR [--model FILE ...] [--picture FILE]

Real haze: hazy dates of a held-out place (West Flanders, 64 x 64 pixels of 10 m), each against the nearest clear date.
Fields change in between; how much, the row of another clear date tells, which is as good as anything can look. Drawn
haze: held-out clear tiles under haze that `sensors.atmosphere` draws, whose truth is known. Clear scenes: what is done
to those that need nothing. All in reflectance, whole chips.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from benchmarks.results import record, renew_block, table
from rsgan.card import Figure
from rsgan.filters.haze import dark_channel, dark_object
from rsgan.geo import Scene, open_quantity
from rsgan.model import Model, find_model, open_model, read_card, replace_card
from rsgan.nn.generators import TranslationGenerator
from rsgan.report.panels import save_tiles, stretch
from rsgan.sensors.atmosphere import HazeRanges, add_haze, draw_haze
from rsgan.training.loading import load_config

BANDS, SENSOR, UM = ("B02", "B03", "B04", "B08"), "sentinel-2a", (0.4924, 0.5598, 0.6646, 0.8328)
SERIES = "sentinel2/timeseries/wc_S2_L2A_10m_*.nc"
HAZY = {
    "2018-06-15": "2018-06-23", "2018-08-12": "2018-08-17", "2018-09-08": "2018-09-01", "2018-04-06": "2018-04-19",
    "2018-04-21": "2018-04-19", "2017-08-24": "2017-08-27", "2017-09-03": "2017-08-27", "2018-09-11": "2018-09-01",
    "2018-07-18": "2018-07-15", "2018-10-31": "2018-10-28",
}  # fmt: skip
"""Hazy date -> nearest clear one, by the blue band and by looking; the first six are watched while a model learns."""
CLEAR = {"2018-06-23": "2018-06-28", "2018-08-17": "2018-08-07", "2018-04-19": "2018-04-26", "2018-09-01": "2018-09-26",
         "2018-07-15": "2018-07-08", "2018-10-28": "2018-10-21", "2017-08-27": "2017-09-23"}  # fmt: skip
"""Clear date -> another clear one near it."""
TILES = ("sentinel2/s2_l2a_leipzig.tif", "sentinel2_coast/s2_ship_2190*_20220825.tif", "sentinel2/s2_l2a_jaca_1.tif")
"""Held-out clear tiles for drawn haze."""
CONFIG = Path("configs/translate_s2_dehaze.yaml")
DRAWS = 4
LAND = 0.1
"""Near infrared above which the NDVI is compared: that of water is a quotient of two small numbers."""
Floats = NDArray[np.floating]
Way = Callable[[Floats], Floats]


def read(path: Path, *, date: str | None = None) -> Floats:
    """(4, H, W) reflectance of a whole file."""
    scale = None if date else 10_000.0
    with open_quantity([path], "reflectance", BANDS, sensor_name=SENSOR, date=date, reflectance_scale=scale) as scene:
        return whole(scene)


def whole(scene: Scene) -> Floats:
    """All of a scene."""
    return scene.read(scene.grid.window).values


def network(model: Model, sharpness: float) -> Way:
    """A model as a function of reflectance."""
    generator = model.generator(sharpness)
    source, target = model.card.source, model.card.target
    if not isinstance(generator, TranslationGenerator) or source is None or target is None:
        raise SystemExit(f"--model {model.card.name} does not translate.")

    @torch.inference_mode()
    def way(values: Floats) -> Floats:
        made = generator(torch.from_numpy(source.to_network(values))[None])
        return target.to_physical(made[0].numpy())

    return way


def ways(models: list[str]) -> dict[str, Way]:
    """Every method by its name."""
    found: dict[str, Way] = {
        "nothing": lambda values: values,
        "dark object (Chavez)": lambda values: dark_object(values, np.ones(values.shape[1:], bool)),
        "dark channel (He)": lambda values: dark_channel(values, (0, 1, 2)),
    }
    for name in models:
        model = open_model(find_model(name))
        found[f"{model.card.name}, sharpness 0"] = network(model, 0.0)
        if model.has_adversarial:
            found[f"{model.card.name}, sharpness 1"] = network(model, 1.0)
    return found


def real_pairs(data: Path) -> list[tuple[Floats, Floats]]:
    """Hazy and clear dates of the held-out place."""
    (path,) = sorted(data.glob(SERIES))
    return [(read(path, date=hazy), read(path, date=clear)) for hazy, clear in HAZY.items()]


def drawn_pairs(data: Path) -> list[tuple[Floats, Floats]]:
    """Held-out tiles under drawn haze, and without."""
    pairs = []
    for number, path in enumerate(path for pattern in TILES for path in sorted(data.glob(pattern))):
        clear = read(path)
        side = max(clear.shape[1:])
        for draw in range(DRAWS):
            haze = draw_haze(4, side, HazeRanges(), torch.Generator().manual_seed(1000 + number * DRAWS + draw))
            fitted = type(haze)(haze.thickness[..., : clear.shape[1], : clear.shape[2]], haze.angstrom, haze.airlight)
            hazy = add_haze(torch.from_numpy(clear)[None].float(), fitted, torch.tensor(UM))
            pairs.append((hazy[0].numpy(), clear))
    return pairs


def rms(error: Floats) -> float:
    """Of all bands and pixels."""
    return float(np.sqrt(np.square(error).mean()))


@dataclass(frozen=True)
class Judged:
    """Every method on some pairs.

    Attributes:
        errors: method -> (pairs,) RMS error, reflectance.
        rows: of the table: RMS error, of the visible bands, of the means, of the NDVI, and what is gained.
    """

    errors: dict[str, Floats]
    rows: list[list[str]]

    @classmethod
    def of(cls, pairs: list[tuple[Floats, Floats]], every: dict[str, Way]) -> Judged:
        """Run every method on every pair."""
        rows, errors = [], {}
        for name, way in every.items():
            made = [(way(hazy), clear) for hazy, clear in pairs]
            errors[name] = np.array([rms(a - b) for a, b in made])
            visible = np.mean([rms((a - b)[:3]) for a, b in made])
            level = np.mean([np.abs((a - b).mean((1, 2))).mean() for a, b in made])
            index = np.mean([rms((ndvi(a) - ndvi(b))[b[3] > LAND]) for a, b in made if (b[3] > LAND).any()])
            gains = 20 * np.log10(errors["nothing"] / errors[name])
            rows.append([name, f"{errors[name].mean():.4f}", f"{visible:.4f}", f"{level:.4f}", f"{index:.3f}",
                         f"{gains.mean():+.2f} ± {gains.std():.2f}"])  # fmt: skip
        return cls(errors, rows)

    @property
    def baseline(self) -> str:
        """The best method that needs no learning."""
        return min((name for name in self.errors if "sharpness" not in name), key=lambda n: self.errors[n].mean())

    def significance(self) -> list[str]:
        """Each model against the baseline, by pairs."""
        best = self.errors[self.baseline]
        return [
            f"{name} against {self.baseline}: {errors.mean():.4f} to {best.mean():.4f}, Wilcoxon p "
            f"{stats.wilcoxon(errors, best).pvalue:.1g}"
            for name, errors in self.errors.items()
            if "sharpness" in name
        ]

    def figure(self, protocol: str, name: str) -> Figure:
        """For the card."""
        ours, theirs = self.errors[name], self.errors[self.baseline]
        return Figure(
            protocol=protocol, what=f"RMS error, reflectance (baseline: {self.baseline})", ours=float(ours.mean()),
            baseline=float(theirs.mean()), spread=float((ours - theirs).std()),
        )  # fmt: skip


def ndvi(values: Floats) -> Floats:
    """Of (4, H, W) reflectance."""
    return np.asarray((values[3] - values[2]) / np.maximum(values[3] + values[2], 0.02))


def picture(path: Path, pairs: list[tuple[Floats, Floats]], way: Way) -> None:
    """Hazy, ours and clear of some pairs."""
    shown = {}
    for number in (0, 1, 3):
        hazy, clear = pairs[number]
        limits = np.percentile(clear[[2, 1, 0]].reshape(3, -1), [1, 99], axis=1)
        for name, values in (("hazy", hazy), ("ours", way(hazy)), ("clear date", clear)):
            shown[f"{name} {number}"] = stretch(np.asarray(values[[2, 1, 0]], float), limits)
    save_tiles(path, shown)


def main() -> None:
    """Judge every method on everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", action="append", help="zoo name or file; may be given again  [default: s2-dehaze]")
    parser.add_argument("--picture", type=Path)
    parser.add_argument(
        "--card", type=Path, help="model file whose card gets the figures, and the limits of its config"
    )
    parser.add_argument("--dry", action="store_true", help="print, and leave RESULTS.md alone")
    asked = parser.parse_args()
    every = ways(asked.model or ["s2-dehaze"])
    (series,) = sorted(asked.data.glob(SERIES))
    real, drawn = real_pairs(asked.data), drawn_pairs(asked.data)
    still = [(read(series, date=one), read(series, date=other)) for one, other in CLEAR.items()]
    header = ("method", "RMS error", "visible", "level", "NDVI of land", "gain dB")
    clear = [value for value, _ in still] + [clear for _, clear in drawn[::DRAWS]]
    untouched = [
        [name, *(f"{np.mean([rms((way(x) - x)[band]) for x in clear]):.4f}" for band in range(4))]
        for name, way in every.items()
    ]
    on_real, on_drawn = Judged.of(real, every), Judged.of(drawn, every)
    ceiling = Judged.of(still, {"nothing": lambda values: values}).rows[0]
    real_table = table(header, [*on_real.rows, ["another clear date", *ceiling[1:5], "-"]])
    drawn_table = table(header, on_drawn.rows)
    titles = (
        f"Real haze: {len(real)} pairs of dates of one held-out place",
        f"Drawn haze: {len(drawn)} draws over {len(drawn) // DRAWS} held-out tiles",
        f"Clear scenes ({len(clear)}): RMS change, which should be 0",
    )
    named = "".join(f" --model {'FILE' if Path(name).exists() else name}" for name in asked.model or ())
    body = "\n\n".join(
        [
            f"`python -m benchmarks.quality_dehaze --data DIR{named}`",
            f"### {titles[0]}",
            real_table,
            "; ".join(on_real.significance()) + ".",
            f"### {titles[1]}",
            drawn_table,
            "; ".join(on_drawn.significance()) + ".",
            f"### {titles[2]}",
            table(("method", *BANDS), untouched),
        ]
    )
    print(body)
    ours = next(name for name in every if name.endswith("sharpness 0"))
    if asked.picture:
        picture(asked.picture, real, every[ours])
    if not asked.dry:
        record("quality_dehaze.py", body)
        shown = f"{titles[0]}:\n\n{real_table}\n\n{titles[1]}:\n\n{drawn_table}\n\n{titles[2]}:\n\n"
        renew_block("dehaze", shown + table(("method", *BANDS), untouched), Path("docs/translate.md"))
    if asked.card:
        figures = on_real.figure("real haze", ours), on_drawn.figure("drawn haze", ours)
        limits = load_config(CONFIG).model.limits
        replace_card(asked.card, read_card(asked.card).model_copy(update={"metrics": figures, "limits": limits}))


if __name__ == "__main__":
    main()
