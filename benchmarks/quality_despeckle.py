"""Quality of despeckling, beside learning-free and outside methods: writes a section of RESULTS.md.

    python -m benchmarks.quality_despeckle [--data DIR] [--outside FILE] [--pictures DIR] [--update-card]

Speckle is drawn on three pictures that no model of ours was trained on: the crops [128:384, 128:384] of scikit-image's
camera, brick and moon, at least 1, as amplitude. Every method is told the true looks; ours the true correlation, too.
Filters have windows of 7 pixels. `--outside` takes what `outside_despeckle.py` made (`--write-cases` makes its input).
With `--data`, Sentinel-1 scenes and series below DIR are judged by their ratio image and by other dates.
"""

from __future__ import annotations

import argparse
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
import xarray as xr
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import data
from skimage.metrics import structural_similarity

import rsgan
from benchmarks.results import record, renew_block, table
from rsgan.card import Figure
from rsgan.enhance.speckle import Network, SpeckleStatistics
from rsgan.enhance.speckle_method import DespeckleOptions
from rsgan.filters.speckle import FILTERS
from rsgan.geo import Scene
from rsgan.metrics.speckle import enl, epd_roa, epi, m_index, texture_variation
from rsgan.metrics.speckle_tally import SpeckleFigures, SpeckleTally
from rsgan.model import find_model, open_model, read_card, replace_card
from rsgan.nn.generators import DespeckleGenerator
from rsgan.sensors.procedural.backscatter import draw_backscatter
from rsgan.sensors.sar import add_point, draw_speckle, estimate_speckle, looks_of_log_variance

Floats = NDArray[np.floating]
Method = Callable[[Floats, float, tuple[float, float]], Floats]
"""(H, W) intensity, looks, correlation -> (H, W) intensity."""

MODEL = "sar-despeckle"
PICTURES = ("camera", "brick", "moon")
WHITE = (0.0, 0.0)
BASELINES = ("boxcar", "lee", "refined-lee", "lee-sigma", "gamma-map", "frost")
LEVELS: tuple[tuple[float, float], ...] = ((1, 0.0), (2, 0.0), (4, 0.0), (8, 0.0), (10, 0.0), (1, 0.19), (1, 0.5))
"""(looks, lag-1 intensity correlation) of the tables of PSNR."""
TARGETS = {(1, 0.0): 29.8, (4, 0.0): 33.0, (10, 0.0): 35.0, (1, 0.19): 27.0}
CAMERA, SIDE = slice(128, 384), 256
DEFAULT = "ours"
UNCHANGED = 0.5
"""|ln| of the ratio of two dates, each a mean of 5 x 5 pixels, below which ground counts as unchanged."""


@dataclass(frozen=True)
class Row:
    """One line of the acceptance list; `kept` None where there is nothing to hold it against."""

    number: str
    what: str
    threshold: str
    ours: str
    baseline: str
    kept: bool | None


def picture(name: str) -> Floats:
    """Amplitude of a test picture, (256, 256), 1 .. 255."""
    return np.maximum(getattr(data, name)()[CAMERA, CAMERA].astype(np.float64), 1)


def speckled(name: str, looks: float, rho: float, seed: int) -> Floats:
    """Intensity of a test picture with speckle."""
    rng = np.random.default_rng((seed, PICTURES.index(name)))
    return np.square(picture(name)) * draw_speckle(rng, (SIDE, SIDE), looks, (rho, rho))


def network(name: str, passes: int = DespeckleOptions.symmetries, sharpness: float = 0.0) -> Method:
    """A model, as `rsgan despeckle` runs it."""
    model = open_model(name)
    generator = model.generator(sharpness)
    if not isinstance(generator, DespeckleGenerator):
        raise SystemExit(f"{name} does not despeckle")

    def remove(intensity: Floats, looks: float, correlation: tuple[float, float]) -> Floats:
        valid = np.isfinite(intensity) & (intensity > 0)
        level = np.log(np.median(intensity[valid]))
        told = SpeckleStatistics(np.array([looks]), np.array([correlation]), np.array([level]), (), "")
        bound = Network(generator, told, torch.device("cpu"), "float32", passes, model.card.looks or (0.5, 100))  # type: ignore[arg-type]
        filled = np.where(valid, intensity, 1.0)
        return bound(filled[None].astype(np.float32), valid[None])[0].astype(np.float64)

    return remove


def classical(name: str) -> Method:
    """A filter of the package."""

    def remove(intensity: Floats, looks: float, correlation: tuple[float, float]) -> Floats:
        valid = np.isfinite(intensity) & (intensity > 0)
        filled = np.where(valid, intensity, 0.0)
        return FILTERS[name](filled[None], valid[None], looks=looks, size=7)[0].astype(np.float64)

    return remove


def methods(model: str) -> dict[str, Method]:
    """Ours with its default settings, then the baselines."""
    return {DEFAULT: network(model)} | {name: classical(name) for name in BASELINES}


def psnr(enhanced: Floats, amplitude: Floats) -> float:
    """Of the amplitude, peak 255."""
    return float(10 * np.log10(255**2 / np.mean(np.square(np.sqrt(enhanced) - amplitude))))


def ssim(enhanced: Floats, amplitude: Floats) -> float:
    """Of the amplitude, data range 255."""
    return float(structural_similarity(np.sqrt(enhanced), amplitude, data_range=255))


def outside_cases(seeds: int) -> dict[str, Floats]:
    """What the outside methods are run on."""
    cases = [
        (name, *level, seed) for level in LEVELS if level[0] in (1, 4, 10) for name in PICTURES for seed in range(seeds)
    ]
    return {"|".join(map(str, case)): speckled(*case) for case in cases}


class Pictures:
    """Every method on every test picture, level and seed; computed once."""

    def __init__(self, ways: dict[str, Method], seeds: int, outside: Path | None) -> None:
        self.ways, self.seeds = ways, seeds
        self.outside = dict(np.load(outside)) if outside is not None else {}
        self._made: dict[tuple[str, str, float, float, int], Floats] = {}

    @property
    def names(self) -> list[str]:
        """Methods, ours first."""
        return [*self.ways, *dict.fromkeys(key.split("/")[0] for key in self.outside)]

    def made(self, way: str, name: str, looks: float, rho: float, seed: int) -> Floats | None:
        """The despeckled intensity; None where an outside method was not run."""
        if way not in self.ways:
            return self.outside.get(f"{way}/{name}|{looks}|{rho}|{seed}")
        key = (way, name, looks, rho, seed)
        if key not in self._made:
            self._made[key] = self.ways[way](speckled(name, looks, rho, seed), looks, (rho, rho))
        return self._made[key]

    def figures(self, way: str, looks: float, rho: float, figure: Callable[[Floats, Floats], float]) -> Floats:
        """(pictures, seeds) of a figure; what was not run is nan."""
        rows = np.full((len(PICTURES), self.seeds), np.nan)
        for number, name in enumerate(PICTURES):
            for seed in range(self.seeds):
                enhanced = self.made(way, name, looks, rho, seed)
                if enhanced is not None:
                    rows[number, seed] = figure(enhanced, picture(name))
        return rows

    def mean(self, way: str, looks: float, rho: float, figure: Callable[[Floats, Floats], float]) -> float:
        """Mean over pictures and seeds; nan where no picture was run."""
        found = self.figures(way, looks, rho, figure)
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def best(values: dict[str, float], *, low: bool = False) -> tuple[str, float]:
    """Best baseline and its figure."""
    known = {name: value for name, value in values.items() if not name.startswith(DEFAULT) and np.isfinite(value)}
    name = (min if low else max)(known, key=known.__getitem__)
    return name, known[name]


def quality_tables(shown: Pictures) -> Iterator[str]:
    """PSNR and SSIM of every method at every level."""
    for title, figure, digits in (("PSNR of the amplitude, dB", psnr, 2), ("SSIM of the amplitude", ssim, 3)):
        head = [title, *(f"L={looks:g}" + (f", rho {rho:g}" if rho else "") for looks, rho in LEVELS)]
        rows = [
            [way, *(_cell(shown.figures(way, looks, rho, figure), digits) for looks, rho in LEVELS)]
            for way in shown.names
        ]
        yield table(head, rows)
    per = [
        [
            f"{name}, L={looks:g}",
            *(_cell(shown.figures(way, looks, 0.0, psnr)[number : number + 1], 2) for way in shown.names),
        ]
        for looks in (1, 4, 10)
        for number, name in enumerate(PICTURES)
    ]
    yield table(["PSNR dB by picture", *shown.names], per)


def _cell(values: Floats, digits: int) -> str:
    if not np.isfinite(values).any():
        return "-"
    draws = np.nanmean(values[:, np.isfinite(values).any(0)], axis=0)
    spread = f" ± {draws.std():.{digits}f}" if len(draws) > 1 else ""
    return f"{draws.mean():.{digits}f}{spread}"


# rows of the acceptance list


def row_psnr(shown: Pictures) -> Iterator[Row]:
    """1 and 19: PSNR."""
    for looks, rho in LEVELS:
        values = {way: shown.mean(way, looks, rho, psnr) for way in shown.names}
        name, theirs = best(values)
        target = TARGETS.get((int(looks), rho))
        said = f"≥ {target:g}" if target else "above the best"
        kept = values[DEFAULT] >= target if target else values[DEFAULT] > theirs
        what = f"amplitude PSNR, L={looks:g}" + (f", correlation {rho:g}" if rho else "")
        yield Row("19" if rho else "1", what, said, f"{values[DEFAULT]:.2f} dB", f"{name} {theirs:.2f}", kept)


def row_bias(ways: dict[str, Method]) -> Iterator[Row]:
    """2, 4 to 7 and 10: flat ground."""
    rng = np.random.default_rng(1)
    for looks, limit in ((1.0, 0.01), (4.0, 0.005), (10.0, 0.005)):
        speckle = draw_speckle(rng, (1024, 1024), looks).astype(np.float64)
        found = {}
        for name, remove in ways.items():
            found[name] = [
                remove(level * speckle, looks, WHITE) / level
                for level in ((1e-4, 1.0, 1e2) if name == DEFAULT else (1.0,))
            ]
        worst = max(abs(image.mean() - 1) for image in found[DEFAULT])
        theirs = {name: abs(images[0].mean() - 1) for name, images in found.items()}
        name, value = best(theirs, low=True)
        yield Row(
            "2",
            f"flat-field bias, L={looks:g}, 3 x 10^6 pixels",
            f"≤ {limit:.1%}",
            f"{worst:.2%}",
            f"{name} {value:.2%}",
            worst <= limit,
        )
        gains = {name: enl(images[0]) for name, images in found.items()}
        name, value = best(gains)
        if looks == 1:
            yield Row(
                "10",
                "ENL of flat ground, L=1",
                "≥ 150",
                f"{gains[DEFAULT]:.0f}",
                f"{name} {value:.0f}",
                gains[DEFAULT] >= 150,
            )
            yield from _ratio_rows(speckle, found[DEFAULT][1], looks, WHITE, "flat, L=1", homogeneous=True)


def _tally(observed: Floats, enhanced: Floats, looks: float, rho: tuple[float, float]) -> SpeckleFigures:
    tally = SpeckleTally(looks, rho)
    tally.add(observed, enhanced, np.isfinite(observed) & (observed > 0))
    return tally.figures()


def _ratio_rows(
    observed: Floats, enhanced: Floats, looks: float, rho: tuple[float, float], what: str, *, homogeneous: bool
) -> Iterator[Row]:
    one = _tally(observed, enhanced, looks, rho)
    mean, low = (0.02, 0.90) if homogeneous else (0.05, 0.85)
    high = 1.05 if homogeneous else 1.15
    yield Row(
        "4", f"mean of the ratio, {what}", f"1 ± {mean:g}", f"{one.mean_ratio:.3f}", "", abs(one.mean_ratio - 1) <= mean
    )
    yield Row(
        "5",
        f"L x variance of the ratio, {what}",
        f"{low:g} .. {high:g}",
        f"{one.ratio_variance:.3f}",
        "",
        low <= one.ratio_variance <= high,
    )
    yield Row(
        "6",
        f"median of the ratio, {what}",
        "0 ± 0.2 dB",
        f"{one.median_ratio_db:+.3f} dB",
        "",
        abs(one.median_ratio_db) <= 0.2,
    )
    if homogeneous:
        limit = 0.01 + 1.63 / np.sqrt(one.ks_pixels)
        yield Row(
            "7",
            f"KS distance of the ratio, {what}",
            f"≤ {limit:.4f}",
            f"{one.ks_distance:.4f}",
            "",
            one.ks_distance <= limit,
        )
    yield Row(
        "8", f"structure of the ratio, {what}", "≤ 0.05", f"{one.ratio_structure:.3f}", "", one.ratio_structure <= 0.05
    )
    yield Row(
        "8",
        f"|correlation| of ratio and edges, {what}",
        "≤ 0.05",
        f"{one.edge_correlation:.3f}",
        "",
        one.edge_correlation <= 0.05,
    )


def drawn_scene(side: int = 1024, seed: int = 77) -> Floats:
    """Made-up ground of side x side pixels, in squares of 256."""
    rng = np.random.default_rng(seed)
    count = side // 256
    return np.block(
        [[draw_backscatter(rng, (256, 256)).astype(np.float64) for _ in range(count)] for _ in range(count)]
    )


def row_scene(ways: dict[str, Method]) -> Iterator[Row]:
    """3 to 8 on made-up ground."""
    ground = drawn_scene()
    for looks, limit in ((1.0, 0.01), (4.0, 0.005)):
        observed = ground * draw_speckle(np.random.default_rng(2), ground.shape, looks)
        made = {name: remove(observed, looks, WHITE) for name, remove in ways.items()}
        biases = {name: image.mean() / ground.mean() - 1 for name, image in made.items()}
        name, value = best({name: abs(bias) for name, bias in biases.items()}, low=True)
        ours = biases[DEFAULT]
        yield Row(
            "3",
            f"mean intensity of a scene, L={looks:g}, 10^6 pixels",
            f"≤ {limit:.1%}",
            f"{ours:+.2%}",
            f"{name} {value:.2%}",
            abs(ours) <= limit,
        )
        yield from _ratio_rows(observed, made[DEFAULT], looks, WHITE, f"scene, L={looks:g}", homogeneous=False)


def row_m_index(shown: Pictures) -> Iterator[Row]:
    """9: M."""
    for looks in (1, 4):
        values = {}
        for way in shown.names:
            found = [shown.made(way, name, looks, 0.0, 0) for name in PICTURES]
            pairs = [
                (speckled(name, looks, 0.0, 0), image)
                for name, image in zip(PICTURES, found, strict=True)
                if image is not None
            ]
            values[way] = (
                float(np.mean([m_index(seen, image, looks) for seen, image in pairs])) if pairs else float("nan")
            )
        name, theirs = best(values, low=True)
        kept = values[DEFAULT] < min(values.get("lee", np.inf), values.get("log-BM3D", np.inf))
        yield Row(
            "9",
            f"M index, L={looks:g}, three pictures",
            "< Lee and < log-BM3D",
            f"{values[DEFAULT]:.2f}",
            f"{name} {theirs:.2f}",
            kept,
        )


def row_edges(shown: Pictures) -> Iterator[Row]:
    """11: edges against truth."""

    def edges(amplitude: Floats) -> NDArray[np.bool_]:
        logs = np.log(amplitude)
        slope = np.hypot(ndimage.sobel(logs, 0), ndimage.sobel(logs, 1))
        return np.asarray(slope > np.quantile(slope, 0.9))

    for looks in (1, 4, 10):
        values = {way: shown.mean(way, looks, 0.0, lambda made, truth: epi(made, truth**2)) for way in shown.names}
        name, theirs = best(values)
        yield Row(
            "11",
            f"EPI, L={looks:g}",
            "above the best",
            f"{values[DEFAULT]:.3f}",
            f"{name} {theirs:.3f}",
            values[DEFAULT] > theirs,
        )
        values = {
            way: shown.mean(way, looks, 0.0, lambda made, truth: abs(epd_roa(made, truth**2, edges(truth)) - 1))
            for way in shown.names
        }
        name, theirs = best(values, low=True)
        yield Row(
            "11",
            f"|EPD-ROA - 1| on edges, L={looks:g}",
            "below the best",
            f"{values[DEFAULT]:.3f}",
            f"{name} {theirs:.3f}",
            values[DEFAULT] < theirs,
        )


def row_texture(shown: Pictures) -> Iterator[Row]:
    """12: variation of texture, on the picture of bricks."""
    for looks in (1, 10):
        ratios = {}
        for way in shown.names:
            made = shown.made(way, "brick", looks, 0.0, 0)
            if made is not None:
                found, expected = texture_variation(speckled("brick", looks, 0.0, 0), made, looks)
                ratios[way] = found / expected
        ours = ratios[DEFAULT]
        name, _ = best({way: abs(ratio - 1) for way, ratio in ratios.items()}, low=True)
        kept = ours <= 1.1 and (looks < 10 or ours >= 0.8)
        limit = "0.8 .. 1.1" if looks >= 10 else "≤ 1.1"
        yield Row(
            "12",
            f"Cx over the expected one, brick, L={looks:g}",
            limit,
            f"{ours:.2f}",
            f"{name} {ratios[name]:.2f}",
            kept,
        )


def row_targets(ways: dict[str, Method]) -> Iterator[Row]:
    """13: steady points and dark lines."""
    side, draws, rng = 96, 50, np.random.default_rng(3)
    for brightness in (15, 20, 25):
        power = np.zeros((side, side))
        power[48, 48] = 10 ** (brightness / 10)
        gains: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(draws):
            clutter = draw_speckle(rng, power.shape, 1.0).astype(np.float64)
            observed = add_point(clutter, power, rng.uniform(0, 2 * np.pi, power.shape)).astype(np.float64)
            for name, remove in ways.items():
                gains[name].append(float(10 * np.log10(remove(observed, 1.0, WHITE)[48, 48] / observed[48, 48])))
        medians = {name: float(np.median(values)) for name, values in gains.items()}
        name, theirs = best(medians)
        yield Row(
            "13",
            f"peak of a steady point {brightness} dB above clutter, L=1",
            "≥ -0.5 dB",
            f"{medians[DEFAULT]:+.2f} dB",
            f"{name} {theirs:+.2f}",
            medians[DEFAULT] >= -0.5,
        )
    for contrast in (0.005, 0.02, 0.1):
        ground = np.ones((128, 128))
        ground[:, 62:65] = contrast
        observed = [ground * draw_speckle(rng, ground.shape, 1.0) for _ in range(8)]
        fills = {
            name: float(np.mean([remove(seen, 1.0, WHITE)[:, 62:65].mean() / contrast for seen in observed]))
            for name, remove in ways.items()
        }
        name, theirs = best(fills, low=True)
        yield Row(
            "13",
            f"dark 3-pixel line of contrast {contrast:g}, R_hat / R, L=1",
            "≤ 2",
            f"{fills[DEFAULT]:.2f}",
            f"{name} {theirs:.2f}",
            fills[DEFAULT] <= 2,
        )


def write(path: Path, intensity: Floats, tags: dict[str, str] | None = None) -> Path:
    """A float32 GeoTIFF of intensity."""
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:32631"}
    transform = rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)
    with rasterio.open(
        path, "w", height=intensity.shape[0], width=intensity.shape[1], transform=transform, **profile
    ) as dataset:
        dataset.write(intensity.astype(np.float32), 1)
        dataset.update_tags(**tags or {})
    return path


def row_files(model: str) -> Iterator[Row]:
    """14 and 16: from file to file."""
    seen = speckled("camera", 1, 0.0, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def run(intensity: Floats, **settings: Any) -> Floats:  # noqa: ANN401
            told = {"quantity": "intensity", "looks": 1.0, "correlation": WHITE, "model": model, "overwrite": True}
            out = rsgan.despeckle(write(folder / "in.tif", intensity), folder / "out.tif", **told | settings)
            with rasterio.open(out) as dataset:
                return dataset.read(1).astype(np.float64)

        whole = run(seen)
        worst = max(float(np.max(np.abs(run(seen * factor) / factor / whole - 1))) for factor in (1e-4, 1e-2, 1e3, 1e6))
        amplitude = np.square(run(np.sqrt(seen), quantity="amplitude"))
        decibel = 10 ** (run(10 * np.log10(seen), quantity="db") / 10)
        worst = max(worst, *(float(np.max(np.abs(other / whole - 1))) for other in (amplitude, decibel)))
        yield Row("14", "c I, amplitude and dB give the same image", "≤ 1e-4", f"{worst:.1e}", "", worst <= 1e-4)
        seam = max(float(np.max(np.abs(10 * np.log10(run(seen, window=w) / whole)))) for w in (64, 96, 128))
        yield Row("16", "windows of 64, 96, 128 pixels against one", "≤ 0.05 dB", f"{seam:.1e} dB", "", seam <= 0.05)


def row_holes(ways: dict[str, Method]) -> Iterator[Row]:
    """15: the ring around holes, and the first column beside a border; over grounds, each with draws of its own."""
    hole = np.zeros((256, 256), bool)
    hole[100:140, 90:150] = True
    ring = ndimage.binary_dilation(hole, iterations=3) & ~hole
    hole[:, :30] = True
    rows = []
    for seed in range(5, 13):
        ground, rng = drawn_scene(256, seed), np.random.default_rng(6)
        for _ in range(4):
            observed = ground * draw_speckle(rng, ground.shape, 4.0)
            whole, holed = (ways[DEFAULT](x, 4.0, WHITE) for x in (observed, np.where(hole, np.nan, observed)))
            logs = [np.log(image / ground) for image in (holed, whole)]
            rows.append([
                holed[ring].sum() / ground[ring].sum() - 1, whole[ring].sum() / ground[ring].sum() - 1,
                *(np.sqrt(np.square(x[ring]).mean()) for x in logs), holed[:, 30].sum() / ground[:, 30].sum() - 1,
            ])  # fmt: skip
    bias, without, rms, rms_without, column = np.mean(rows, axis=0)
    yield Row(
        "15",
        "mean on the ring around a hole, L=4, 8 grounds",
        "≤ 1 %",
        f"{bias:+.2%} (without the hole {without:+.2%})",
        "",
        abs(bias) <= 0.01,
    )
    yield Row(
        "15", "RMS there, over that without the hole", "≤ 1.5", f"{rms / rms_without:.2f}", "", rms <= 1.5 * rms_without
    )
    yield Row("15", "mean of the first column beside a border", "≤ 2 %", f"{column:+.2%}", "", abs(column) <= 0.02)


def row_looks(shown: Pictures) -> Iterator[Row]:
    """17: looks told wrongly; mean over the pictures."""
    for looks in (4, 10):
        for factor in (0.8, 1.2):
            gaps, means = [], []
            for name in PICTURES:
                seen, truth = speckled(name, looks, 0.0, 0), picture(name)
                right = shown.made(DEFAULT, name, looks, 0.0, 0)
                wrong = shown.ways[DEFAULT](seen, factor * looks, WHITE)
                if right is not None:
                    gaps.append(psnr(right, truth) - psnr(wrong, truth))
                    means.append(wrong.mean() / right.mean() - 1)
            drop, bias = float(np.mean(gaps)), float(np.mean(np.abs(means)))
            yield Row(
                "17",
                f"looks told {factor:g} times, L={looks:g}",
                "≤ 0.5 dB, ≤ 2 %",
                f"{drop:.2f} dB, {bias:.2%}",
                "",
                drop <= 0.5 and bias <= 0.02,
            )


def row_estimate() -> Iterator[Row]:
    """18: looks as measured."""
    ground = drawn_scene(768, 9)
    for looks in (1.0, 2.0, 4.4, 10.0):
        speckle = draw_speckle(np.random.default_rng(10), ground.shape, looks)
        found = estimate_speckle([(ground * speckle, np.ones(ground.shape, bool))]).looks / looks - 1
        yield Row(
            "18", f"looks as measured on textured ground, L={looks:g}", "± 8 %", f"{found:+.1%}", "", abs(found) <= 0.08
        )


def row_draws(model: str) -> Iterator[Row]:
    """21: two draws of one scene."""
    ground, found = drawn_scene(512, 11), {}
    draws = [ground * draw_speckle(np.random.default_rng(seed), ground.shape, 4.4) for seed in (0, 1)]
    for sharpness in (0.0, 1.0):
        remove = network(model, sharpness=sharpness)
        first, second = (remove(seen, 4.4, WHITE) for seen in draws)
        found[sharpness] = float(np.mean(np.abs(10 * np.log10(first / second))))
    yield Row("21", "two draws of one scene, L=4.4, mean |dB|", "≤ 0.8", f"{found[0.0]:.2f}", "", found[0.0] <= 0.8)
    yield Row(
        "21", "adversarial, the same", "≤ 1.5 x faithful", f"{found[1.0]:.2f}", "", found[1.0] <= 1.5 * found[0.0]
    )


def row_sharp(shown: Pictures, model: str) -> Iterator[Row]:
    """The price of `--sharpness 1`."""
    sharp = network(model, sharpness=1.0)
    gaps = [
        psnr(made, picture(name)) - psnr(sharp(speckled(name, looks, 0.0, 0), looks, WHITE), picture(name))
        for looks in (1, 4)
        for name in PICTURES
        if (made := shown.made(DEFAULT, name, looks, 0.0, 0)) is not None
    ]
    yield Row(
        "-",
        "PSNR lost by --sharpness 1, L=1 and 4",
        "≤ 0.5 dB",
        f"{np.mean(gaps):.2f} dB",
        "",
        float(np.mean(gaps)) <= 0.5,
    )


def real_scenes(folder: Path) -> Iterator[tuple[str, Floats, float, tuple[float, float]]]:
    """Name, intensity, looks and correlation, measured, of each band of Sentinel-1 scenes."""
    for path in sorted((folder / "sentinel1").glob("s1_grd_*.tif")):
        with Scene.open_sar([path]) as scene:
            chip = scene.read(scene.grid.window)
            for band, values, valid in zip(scene.bands, chip.values, chip.valid, strict=True):
                law = estimate_speckle([(values, valid)])
                yield (
                    f"{path.stem.removeprefix('s1_grd_')} {band}",
                    np.where(valid, values, np.nan),
                    law.looks,
                    law.correlation,
                )


def real_table(folder: Path, ways: dict[str, Method]) -> tuple[str, list[Row]]:
    """Ratio images of real scenes by every method."""
    lines, rows = [], []
    for name, observed, looks, rho in real_scenes(folder):
        for way, remove in ways.items():
            one = _tally(observed, remove(observed, looks, rho), looks, rho)
            lines.append(
                [
                    f"{name}: {way}",
                    f"{one.mean_ratio:.3f}",
                    f"{one.ratio_variance:.2f}",
                    f"{one.ratio_structure:.3f}",
                    f"{one.edge_correlation:.3f}",
                    f"{one.enl_enhanced:.0f}",
                    f"{one.intensity_change:+.1%}",
                ]
            )
            if way == DEFAULT:
                rows.append(
                    Row(
                        "4",
                        f"mean of the ratio, Sentinel-1 {name}",
                        "1 ± 0.05",
                        f"{one.mean_ratio:.3f}",
                        "",
                        abs(one.mean_ratio - 1) <= 0.05,
                    )
                )
    head = [
        "Sentinel-1 (looks and correlation measured)",
        "MoR",
        "L x VoR",
        "structure",
        "edges",
        "ENL",
        "mean intensity",
    ]
    return table(head, lines), rows


def looks_of_dates(dates: Floats) -> float:
    """Looks from how dates differ, (D, H, W): half the variance of the logarithm of the ratio of neighbours.

    By the median absolute deviation, so that what changed hardly counts. Needs no even ground, unlike the estimate from
    one date; steady scatterers of towns, which differ less than speckle would, make it higher.
    """
    gaps = np.diff(np.log(dates), axis=0)
    gaps -= np.median(gaps, axis=(1, 2), keepdims=True)
    deviation = 1.4826 * np.median(np.abs(gaps), axis=(1, 2))
    return looks_of_log_variance(float(np.median(deviation**2)) / 2)


def series(folder: Path) -> Iterator[tuple[str, Floats]]:
    """(D, H, W) intensity of each polarisation and orbit of the time series."""
    for path in sorted((folder / "sentinel1" / "timeseries").glob("*.nc")):
        with xr.open_dataset(path) as dataset:
            minutes = (dataset["timestamp"].dt.hour * 60 + dataset["timestamp"].dt.minute).to_numpy()
            for band in ("VV", "VH"):
                stack = 10 ** (dataset[band].to_numpy().astype(np.float64) / 10)
                whole = np.isfinite(stack).all((1, 2))
                for orbit in sorted(set((minutes // 4).tolist())):
                    dates = stack[whole & (minutes // 4 == orbit)]
                    if len(dates) >= 20:
                        yield f"{path.stem.split('_')[3][-6:]} {band} {orbit}", dates


def row_series(folder: Path, ways: dict[str, Method]) -> Iterator[Row]:
    """20: a date against the mean of the nearest three before and after it, and against its two neighbours."""
    errors: dict[str, list[float]] = {name: [] for name in ways}
    deviances: dict[str, list[float]] = {name: [] for name in ways}
    for _, dates in series(folder):
        looks = looks_of_dates(dates)
        rho = estimate_speckle([(date, np.ones(date.shape, bool)) for date in dates]).correlation
        for now in range(3, len(dates) - 3, 4):
            others = dates[[now - 3, now - 2, now - 1, now + 1, now + 2, now + 3]]
            mean = others.mean(0)
            change = np.log(ndimage.uniform_filter(dates[now], 5) / ndimage.uniform_filter(mean, 5))
            same = np.abs(change) < UNCHANGED
            if same.mean() < 0.2:
                continue
            for name, remove in ways.items():
                made = remove(dates[now], looks, rho)
                errors[name].append(float(np.sqrt(np.mean(np.square(np.log(made / mean)[same])))))
                near = others[[2, 3]]
                deviances[name].append(float(np.mean([(np.log(made) + date / made)[same] for date in near])))
    yield _paired(f"log RMSE to the mean of six other dates, {len(errors[DEFAULT])} dates", errors)
    yield _paired(f"gamma likelihood of the two dates beside it, {len(errors[DEFAULT])} dates", deviances)


def row_pairs(folder: Path, ways: dict[str, Method]) -> Iterator[Row]:
    """20: likelihood of a second date of the two-date chips."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for path in sorted((folder / "sentinel1_multitemporal").glob("*.tif")):
        with rasterio.open(path) as dataset:
            names = list(dataset.descriptions)
            values = {name: dataset.read(names.index(name) + 1).astype(np.float64) for name in names}
        for channel in ("C11", "C22"):
            first, second = values[f"t1_{channel}"], values[f"t2_{channel}"]
            looks = looks_of_dates(np.stack([first, second]))
            rho = estimate_speckle([(first, first > 0), (second, second > 0)]).correlation
            change = np.log(ndimage.uniform_filter(first, 5) / ndimage.uniform_filter(second, 5))
            same = np.abs(change) < UNCHANGED
            for name, remove in ways.items():
                made = remove(first, looks, rho)
                found[name].append(float(np.mean((np.log(made) + second / made)[same])))
    yield _paired(f"gamma likelihood of a second date, {len(found[DEFAULT])} chips of 100 pixels, towns", found)


def _paired(what: str, found: dict[str, list[float]]) -> Row:
    """Ours against the best baseline, date by date; low is good."""
    means = {name: float(np.mean(values)) for name, values in found.items()}
    name, theirs = best(means, low=True)
    gap = np.array(found[DEFAULT]) - np.array(found[name])
    half = 1.96 * gap.std() / np.sqrt(len(gap))
    said = f"{name} {theirs:.4f}; ours less by {-gap.mean():.4f} ± {half:.4f}"
    return Row("20", what, "below the best", f"{means[DEFAULT]:.4f}", said, bool(gap.mean() + half < 0))


def strips(folder: Path, shown: Pictures, real: Path | None) -> None:
    """PNG strips to look at: observed, Lee, log-BM3D, ours, truth, ratio image."""
    folder.mkdir(parents=True, exist_ok=True)
    for looks, rho in ((1, 0.0), (4, 0.0), (1, 0.19)):
        rows = []
        for name in PICTURES:
            seen, truth = speckled(name, looks, rho, 0), picture(name)
            made = [shown.made(way, name, looks, rho, 0) for way in ("lee", "log-BM3D", DEFAULT)]
            images = [np.sqrt(image) for image in (seen, *(x for x in made if x is not None))]
            ours = made[-1]
            assert ours is not None
            rows.append(np.hstack([*images, truth, seen / ours * 85]))
        Image.fromarray(np.clip(np.vstack(rows), 0, 255).astype(np.uint8)).save(
            folder / f"pictures_L{looks}_{rho:g}.png"
        )
    if real is not None:
        for name, observed, looks, rho in real_scenes(real):
            made = [shown.ways[way](observed, looks, rho)[:400, :400] for way in ("lee", DEFAULT)]
            seen = observed[:400, :400]
            decibel = [10 * np.log10(x) for x in (seen, *made)]
            low, high = np.nanpercentile(decibel[-1], (1, 99))
            grey = [np.clip((x - low + 2) / (high - low + 4) * 255, 0, 255) for x in decibel]
            ratios = [np.clip(seen / x * 85, 0, 255) for x in made]
            Image.fromarray(np.nan_to_num(np.hstack([*grey, *ratios])).astype(np.uint8)).save(
                folder / f"{name.replace(' ', '_')}.png"
            )


def acceptance(shown: Pictures, model: str, real: Path | None) -> list[Row]:
    """Every row; one that fails is said and left out."""
    few = {name: shown.ways[name] for name in (DEFAULT, "lee", "refined-lee", "gamma-map", "frost")}
    parts: list[Callable[[], Iterator[Row]]] = [
        lambda: row_psnr(shown), lambda: row_bias(few), lambda: row_scene(few), lambda: row_m_index(shown),
        lambda: row_edges(shown), lambda: row_texture(shown), lambda: row_targets(few), lambda: row_files(model),
        lambda: row_holes(shown.ways), lambda: row_looks(shown), row_estimate, lambda: row_draws(model),
        lambda: row_sharp(shown, model),
    ]  # fmt: skip
    if real is not None:
        parts += [lambda: row_series(real, shown.ways), lambda: row_pairs(real, shown.ways)]
    rows: list[Row] = []
    for part in parts:
        try:
            for row in part():
                rows.append(row)
                print(row, flush=True)
        except Exception:
            traceback.print_exc()
    return sorted(rows, key=lambda row: int(row.number) if row.number.isdigit() else 99)


def as_table(rows: Sequence[Row]) -> str:
    """Markdown of the acceptance list."""
    said = {True: "yes", False: "**no**", None: ""}
    head = [field.name for field in fields(Row)]
    return table(head, [[*(str(getattr(row, name)) for name in head[:-1]), said[row.kept]] for row in rows])


def card_figures(shown: Pictures) -> tuple[Figure, ...]:
    """PSNR for the card, beside the best filter of the package; the spread is over pictures and draws."""
    found = []
    for looks, rho in TARGETS:
        ours = shown.figures(DEFAULT, looks, rho, psnr)
        theirs = max((shown.figures(name, looks, rho, psnr) for name in BASELINES), key=np.mean)
        protocol = f"L={looks:g}" + (", correlated" if rho else "")
        found.append(
            Figure(
                protocol=protocol,
                what="PSNR dB",
                ours=float(ours.mean()),
                baseline=float(theirs.mean()),
                spread=float((ours - theirs).std()),
            )
        )
    return tuple(found)


def summary(shown: Pictures) -> str:
    """The table of the README: PSNR beside the best filter and the outside methods."""
    outside = [name for name in shown.names if name not in shown.ways]
    rows = []
    for looks, rho in TARGETS:
        draws = [(name, seed) for name in PICTURES for seed in range(shown.seeds)]
        observed = [psnr(speckled(name, looks, rho, seed), picture(name)) for name, seed in draws]
        filters = {name: shown.mean(name, looks, rho, psnr) for name in BASELINES}
        name, best_filter = best(filters)
        others = [_cell(shown.figures(way, looks, rho, psnr), 2) for way in outside]
        gain = shown.figures(DEFAULT, looks, rho, psnr) - shown.figures(name, looks, rho, psnr)
        rows.append(
            [
                f"{looks:g} look{'s' if looks > 1 else ''}" + (f", neighbours' correlation {rho:g}" if rho else ""),
                f"{np.mean(observed):.2f}",
                f"{best_filter:.2f} ({name})",
                *others,
                f"{shown.mean(DEFAULT, looks, rho, psnr):.2f}",
                f"{gain.mean():.2f} ± {gain.std():.2f}",
            ]
        )
    return table(["speckle", "observed", "best filter", *outside, "ours", "gain over the filter"], rows)


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--data", type=Path, help="folder with sentinel1/ and sentinel1_multitemporal/")
    parser.add_argument("--outside", type=Path, help="what outside_despeckle.py wrote")
    parser.add_argument("--write-cases", type=Path, help="only write the input of outside_despeckle.py")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="folder for strips to look at")
    parser.add_argument("--update-card", action="store_true")
    arguments = parser.parse_args()
    if arguments.write_cases is not None:
        np.savez(arguments.write_cases, **outside_cases(arguments.seeds))
        return
    ways = methods(arguments.model) | {
        f"{DEFAULT}, {said}": network(arguments.model, passes) for said, passes in (("1 pass", 1), ("8 passes", 8))
    }
    shown = Pictures(ways, arguments.seeds, arguments.outside)
    rows = acceptance(shown, arguments.model, arguments.data)
    parts = ["`python -m benchmarks.quality_despeckle --data DIR --outside FILE`", *quality_tables(shown)]
    if arguments.data is not None:
        real, more = real_table(arguments.data, ways)
        parts.append(real)
        rows += more
    parts.insert(1, as_table(rows))
    if arguments.pictures is not None:
        strips(arguments.pictures, shown, arguments.data)
    if arguments.model == MODEL:
        renew_block("sar figures", summary(shown))
    if arguments.update_card:
        file = find_model(arguments.model)
        replace_card(file, read_card(file).model_copy(update={"metrics": card_figures(shown)}))
    record("quality_despeckle.py", "\n\n".join(parts))


if __name__ == "__main__":
    main()
