"""Whether the stated standard errors hold: coverage on held-out places, and the factors that calibrate them.

    python -m benchmarks.quality_uncertainty --data DIR [--config configs/superres_s2_rgbn_x2.yaml ...] [--update-card]

Held-out rasters are observed as in benchmarks.quality_superres; `rsgan superres --uncertainty` runs from file to
file, told nothing about the protocol (the guided model is told the blur). The two factors of a model (68 % and 95 %)
are quantiles of |error| / standard error, every held-out tile counting alike. A tile's coverage is measured with the
factors of all OTHER places (leave one place out); what the card gets are the factors of all, and one floor in
reflectance per model of named bands, which is chosen on all places. Thirds of the local gradient are cut over all
tiles together.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import rsgan
from benchmarks.quality_superres import observe, write
from benchmarks.results import record, table
from rsgan.errors import RsganWarning
from rsgan.geo import Scene
from rsgan.metrics.coverage import local_gradient
from rsgan.model import find_model, open_model, replace_card
from rsgan.training.config import TrainConfig
from rsgan.training.guided import load_held_out
from rsgan.training.loading import load_config
from rsgan.training.tiles import Tile, read_split
from rsgan.training.validation import BORDER

PROTOCOLS = {"P40": (0.40, 0.0), "P40n": (0.40, 0.001), "P30": (0.30, 0.0005)}
"""Name -> (sigma in input pixels, noise in reflectance)."""
FLOORS = (0.0, 1e-4, 2e-4, 3e-4, 4e-4, 6e-4, 8e-4)
"""Reflectance: floors that are tried, for models of named bands; the noise of the references, which none foresees."""
LARGEST = 320
"""Side of the centre crop of a tile that is used, output pixels."""
VALUES = 20_000
"""Values that are drawn of every tile and protocol, so that tiles count alike."""
PAGE = Path("docs/uncertainty.md")
CONFIGS = ["s2_rgbn_x2", "s2_rgbn_x4", "s2_20to10", "any_x2"]

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Sample:
    """Values of one tile under one protocol: |error| / raw standard error, raw standard error, local gradient."""

    place: str
    ratio: Floats
    standard: Floats
    error: Floats
    gradient: Floats


def read_all(path: Path) -> Floats:
    """Every band of a raster, reflectance."""
    with Scene.open([path], wanted=None) as scene:
        return scene.read(scene.grid.window).values.astype(np.float64)


def cropped(tile: Tile, scale: int) -> Floats | None:
    """The centre of a held-out tile; None where it is too small or has holes."""
    height, width = (min(n, LARGEST) // scale * scale for n in tile.valid.shape)
    top, left = ((n - side) // 2 for n, side in zip(tile.valid.shape, (height, width), strict=True))
    window = slice(top, top + height), slice(left, left + width)
    if min(height, width) < 96 or not tile.valid[window].all():
        return None
    return tile.values[(slice(None), *window)].astype(np.float64)


def enhanced_files(config: TrainConfig, model: Path, folder: Path) -> Iterator[tuple[str, Floats, Path, Path]]:
    """(place, reference, enhanced raster, raster of standard errors) of every held-out tile and protocol."""
    out, doubts = folder / "enhanced.tif", folder / "doubts.tif"
    scale = config.generator.scale
    how = {"model": model, "uncertainty": doubts, "overwrite": True, "cog": False}
    if config.model.guide:
        for tile in load_held_out(config):
            for sigma, noise in PROTOCOLS.values():
                observed = observe(tile.tile.values, scale, sigma, noise, 0)
                guide = observe(tile.guide, tile.ratio, sigma, 0.0, 1)
                _clear(folder)
                write(folder / "coarse.tif", observed, config.model.bands, 2.0 * config.model.gsd_m)
                write(folder / "fine.tif", guide, config.model.guide, 2.0 * config.model.gsd_m / scale)
                rsgan.superres([folder / "fine.tif", folder / "coarse.tif"], out, psf_sigma=sigma, **how)
                yield place_of(tile.tile), tile.tile.values, out, doubts
        return
    for tile in read_split(config.data.root, config.data.validation, config.model.bands, config.model.sensor):
        reference = cropped(tile, scale)
        if reference is None:
            continue
        names = config.model.bands or tuple(f"band{number}" for number in range(1, len(reference) + 1))
        for sigma, noise in PROTOCOLS.values():
            _clear(folder)
            write(folder / "coarse.tif", observe(reference, scale, sigma, noise, 0), names, config.model.gsd_m)
            rsgan.superres(folder / "coarse.tif", out, **how)
            yield place_of(tile), reference, out, doubts


def _clear(folder: Path) -> None:
    for name in ("coarse.tif", "fine.tif"):
        (folder / name).unlink(missing_ok=True)


def place_of(tile: Tile) -> str:
    """What counts as one place: the name given, or the beginning of the file's name."""
    return tile.place or tile.path.stem[:16]


def samples_of(config: TrainConfig, model: Path) -> list[Sample]:
    """Values of every held-out tile and protocol."""
    card = open_model(model).card
    if card.uncertainty is None:
        raise SystemExit(f"{model}: fit its uncertainty first (rsgan train CONFIG --uncertainty-of MODEL)")
    rng, found = np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as name:
        for place, reference, out, doubts in enhanced_files(config, model, Path(name)):
            inner = slice(BORDER, -BORDER)
            error = np.abs(read_all(out) - reference)[:, inner, inner]
            stated = read_all(doubts)[:, inner, inner] / card.uncertainty.factor_68
            standard = np.sqrt(np.maximum(stated**2 - card.uncertainty.floor**2, 1e-12))
            slopes = np.broadcast_to(local_gradient(reference)[inner, inner], error.shape)
            drawn = rng.choice(error.size, min(VALUES, error.size), replace=False)
            picked = [values.reshape(-1)[drawn] for values in (error / standard, standard, error, slopes)]
            found.append(Sample(place, *picked))
    return found


def floored(samples: list[Sample], floor: float) -> list[Sample]:
    """The samples with a floor (reflectance) under their standard errors."""
    return [replace(s, ratio=s.error / np.hypot(s.standard, floor)) for s in samples]


def best_floor(samples: list[Sample]) -> float:
    """The floor under which the thirds of the gradient are covered most alike at 68 %."""

    def worst(floor: float) -> float:
        shares = coverage(floored(samples, floor))["ours, 68 %"]
        return max(abs(shares[name] - 68) for name in ("smooth", "middle", "edges"))

    return min(FLOORS, key=worst)


def coverage(samples: list[Sample]) -> dict[str, dict[str, float]]:
    """Percent of errors within the 68 % and 95 % intervals, overall and by thirds of the gradient."""
    places = sorted({sample.place for sample in samples})
    gradient = np.concatenate([sample.gradient for sample in samples])
    cuts = np.quantile(gradient, (1 / 3, 2 / 3))
    third = np.searchsorted(cuts, gradient)
    result: dict[str, dict[str, float]] = {}
    for method in ("ours", "constant width"):
        inside = {level: [] for level in (68, 95)}
        for sample in samples:
            others = [other for other in samples if other.place != sample.place] if len(places) > 1 else samples
            for level, hits in inside.items():
                values = [other.ratio if method == "ours" else other.error for other in others]
                limit = np.quantile(np.concatenate(values), level / 100)
                hits.append((sample.ratio if method == "ours" else sample.error) <= limit)
        for level, hits in inside.items():
            joined = np.concatenate(hits)
            row = {"all": joined.mean()}
            row |= {name: joined[third == n].mean() for n, name in enumerate(("smooth", "middle", "edges"))}
            spread = [h.mean() for h in hits]
            result[f"{method}, {level} %"] = {k: 100 * float(v) for k, v in row.items()} | {
                "tiles": 100 * float(np.std(spread))
            }
    return result


def _write_page(text: str) -> None:
    """Put the table into docs/uncertainty.md."""
    before, rest = PAGE.read_text(encoding="utf-8").split("<!-- coverage -->")
    PAGE.write_text(
        f"{before}<!-- coverage -->\n{text}\n<!-- /coverage -->{rest.split('<!-- /coverage -->')[1]}", "utf-8"
    )


def main() -> None:
    """Measure, print, record, and put the factors into the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, nargs="*", default=[Path(f"configs/superres_{c}.yaml") for c in CONFIGS])
    parser.add_argument("--model", help="model file instead of the one in the package; for one --config")
    parser.add_argument("--update-card", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RsganWarning)
    torch.set_num_threads(1)
    rows = []
    for path in arguments.config:
        config = load_config(path)
        config = config.model_copy(update={"data": config.data.model_copy(update={"root": arguments.data})})
        model = find_model(arguments.model or config.model.name)
        samples = samples_of(config, model)
        floor = best_floor(samples) if config.model.bands else 0.0
        samples = floored(samples, floor)
        for method, shares in coverage(samples).items():
            rows.append(
                [
                    config.model.name,
                    method,
                    *(f"{shares[k]:.1f}" for k in ("all", "smooth", "middle", "edges", "tiles")),
                ]
            )
        ratios = np.concatenate([sample.ratio for sample in samples])
        factors = {f"factor_{level}": float(f"{np.quantile(ratios, level / 100):.4g}") for level in (68, 95)}
        factors["floor"] = floor
        print(config.model.name, factors, f"{len(samples)} tiles x protocols", flush=True)
        if arguments.update_card:
            card = open_model(model).card
            told = card.uncertainty.model_copy(update=factors)
            replace_card(model, card.model_copy(update={"uncertainty": told}))
    head = ["model", "interval", "all %", "smooth third %", "middle third %", "edges third %", "spread over tiles"]
    text = table(head, rows)
    print(text)
    if arguments.model is None:
        command = "`python -m benchmarks.quality_uncertainty --data DIR --update-card`"
        _write_page(text)
        record("quality_uncertainty", f"{command}\n\n{(__doc__ or '').split(chr(10) * 2, 2)[2].strip()}\n\n{text}")


if __name__ == "__main__":
    main()
