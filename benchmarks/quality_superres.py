"""Quality of super-resolution on held-out places, against learning-free baselines: writes a section of RESULTS.md.

    python -m benchmarks.quality_superres --data DIR [--config configs/superres_s2_rgbn_x2.yaml ...] [--update-card]

Wald protocol: a held-out raster is the reference; the observed one is its Gaussian blur of sigma input pixels, area
mean, noise and rounding to integers. `rsgan superres` then runs on that GeoTIFF from file to file with default
settings: noise and point spread function are estimated, nothing about the protocol is told. The back-projection rows
ARE told the true sigma. 16 pixels at the border are left out. PSNR has data range 1 in reflectance.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

import rsgan
from benchmarks.results import record, renew_block, table
from rsgan.card import Figure
from rsgan.errors import RsganWarning
from rsgan.filters.back_projection import back_projection
from rsgan.geo import Grid, RasterWriter, Scene
from rsgan.metrics import consistency, correctness, fidelity
from rsgan.model import find_model, read_card, replace_card
from rsgan.sensors.optical import degrade
from rsgan.training.config import Source
from rsgan.training.loading import load_config
from rsgan.training.tiles import Tile, read_split
from rsgan.training.validation import BORDER, PROTOCOLS

Floats = NDArray[np.floating]
DN = 1e-4
SMALLEST = 96
"""Smallest side of a held-out tile that is used, pixels."""
NATIVE = "sentinel2"
"""Folder of the held-out rasters on the sensor's own grid; the others are exports that a service resampled."""
CONFIGS = sorted(Path("configs").glob("superres_s2_rgbn_x?.yaml"))
FINER = (
    Source(glob="vhr/wv2_ms_rotterdam_1.tif", reflectance_scale=2000, bands=("B", "G", "R", "N")),
    Source(glob="aerial/naip_60cm_*.tif", reflectance_scale=500, bands=("B", "G", "R", "N")),
)

DEFAULT, BICUBIC, FIVE, THIRTY = "ours, default", "bicubic", "back-projection, 5 steps", "back-projection, 30 steps"


@dataclass(frozen=True)
class Row:
    """Figures of one method on one tile under one protocol."""

    scale: int
    protocol: str
    folder: str
    tile: str
    method: str
    psnr: float
    improvement: float
    omission: float
    hallucination: float
    reflectance: float
    spectral_deg: float
    spatial_px: float
    residual_rms: float
    ndvi: float
    ndvi_noise: float
    power: float


def observe(reference: Floats, scale: int, sigma: float, noise: float, seed: int) -> Floats:
    """Simulated observation (C, h, w), rounded to stored integers."""
    sharp = torch.from_numpy(reference)[None].double()
    seen = degrade(sharp, torch.full(sharp.shape[:2], sigma), scale)[0].numpy()
    seen = seen + noise * np.random.default_rng(seed).standard_normal(seen.shape)
    return np.clip(np.round(seen / DN), 1, 65535) * DN


def write(path: Path, reflectance: Floats, bands: tuple[str, ...], gsd_m: float) -> None:
    """A georeferenced raster as a user would have it."""
    grid = Grid(CRS.from_epsg(32633), Affine(gsd_m, 0, 5e5, 0, -gsd_m, 5.3e6), reflectance.shape[1:])
    scales = [DN] * len(bands)
    with RasterWriter(
        path, grid=grid, count=len(bands), dtype="uint16", descriptions=bands, scales=scales, cog=False
    ) as writer:
        writer.write(np.round(reflectance / DN).astype(np.uint16), grid.window)


def read(path: Path, bands: tuple[str, ...]) -> Floats:
    """Reflectance of a whole raster."""
    with Scene.open([path], wanted=bands) as scene:
        return scene.read(scene.grid.window).values.astype(np.float64)


def settings(model: str, sigma: float, noise: float) -> dict[str, dict[str, float]]:
    """Ways to run the model: its default, the ends of the dial, fewer and more passes, and told what it estimates."""
    found: dict[str, dict[str, float]] = {
        DEFAULT: {},
        "ours, sharpness 0": {"sharpness": 0.0},
        "ours, 1 pass": {"symmetries": 1},
        "ours, 8 passes": {"symmetries": 8},
        "ours, told blur and noise": {"psf_sigma": sigma, "noise": noise},
    }
    if rsgan.open_model(model).has_adversarial:
        found["ours, sharpness 1"] = {"sharpness": 1.0}
    return found


def ours(
    folder: Path, observed: Floats, model: str, bands: tuple[str, ...], gsd_m: float, protocol: str
) -> Iterator[tuple[str, Floats]]:
    """(method, enhanced) of the shipped model from file to file, in every one of its `settings`."""
    source = folder / "observed.tif"
    source.unlink(missing_ok=True)
    write(source, observed, bands, gsd_m)
    for method, options in settings(model, *PROTOCOLS[protocol]).items():
        with warnings.catch_warnings(category=RsganWarning, action="ignore"):  # the gsd is not the model's, on purpose
            out = rsgan.superres(source, folder / "enhanced.tif", model=model, overwrite=True, cog=False, **options)
        yield method, read(out, bands)


def baselines(observed: Floats, scale: int, sigma: float, reference: Floats) -> Iterator[tuple[str, Floats]]:
    """(method, enhanced) of everything that does not learn."""
    seen = torch.from_numpy(observed)[None]
    sigmas = torch.full(seen.shape[:2], sigma)
    yield "bilinear", correctness.resize_bilinear(observed, reference.shape[1:])
    for steps, name in ((0, "bicubic"), (5, "back-projection, 5 steps"), (30, "back-projection, 30 steps")):
        yield name, back_projection(seen, sigmas, scale, steps)[0].numpy()
    yield "oracle (the reference)", reference


def score(
    method: str, enhanced: Floats, reference: Floats, observed: Floats, path: Path, scale: int, protocol: str
) -> Row:
    """Every figure of one enhanced tile."""
    sigma, noise = PROTOCOLS[protocol]
    inner = slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER)
    share = correctness.measure(observed, enhanced, reference)
    degraded = degrade(torch.from_numpy(enhanced)[None], torch.full((1, len(enhanced)), sigma), scale)[0].numpy()
    cut = BORDER // scale
    small = slice(None), slice(cut, -cut), slice(cut, -cut)
    bound = consistency.measure(degraded[small], observed[small], noise=noise or None)
    power = consistency.power_gain(enhanced[inner], reference[inner], scale=scale)
    return Row(
        scale=scale,
        protocol=protocol,
        folder=path.parent.name,
        tile=path.stem,
        method=method,
        psnr=fidelity.psnr(enhanced[inner], reference[inner], data_range=1.0).pooled,
        improvement=share.improvement,
        omission=share.omission,
        hallucination=share.hallucination,
        reflectance=share.reflectance,
        spectral_deg=share.spectral_deg,
        spatial_px=max(bound.shift_px.per_band),
        residual_rms=bound.residual_rms.pooled,
        ndvi=bound.index_difference,
        ndvi_noise=float("nan") if bound.index_noise is None else bound.index_noise * consistency.GAUSSIAN_MEDIAN,
        power=power.pooled,
    )


def measure_tile(
    tile: Tile, number: int, scale: int, model: str, bands: tuple[str, ...], folder: Path
) -> Iterator[Row]:
    """Every method under every protocol on one tile."""
    height, width = (n // (2 * scale) * (2 * scale) for n in tile.valid.shape)
    if not tile.valid[:height, :width].all():
        raise SystemExit(f"{tile.path} has invalid pixels; held-out tiles must be whole")
    reference = np.maximum(tile.values[:, :height, :width].astype(np.float64), DN)
    for protocol, (sigma, noise) in PROTOCOLS.items():
        observed = observe(reference, scale, sigma, noise, seed=number)
        for method, enhanced in (
            *baselines(observed, scale, sigma, reference),
            *ours(folder, observed, model, bands, 10.0 * scale, protocol),
        ):
            yield score(method, enhanced.astype(np.float64), reference, observed, tile.path, scale, protocol)


def spread_text(values: Floats, digits: int) -> str:
    """Mean and standard deviation over tiles."""
    finite = values[np.isfinite(values)]
    return f"{finite.mean():.{digits}f} ± {finite.std():.{digits}f}" if finite.size else "-"


COLUMNS = {
    "psnr": ("PSNR dB", 2),
    "improvement": ("improvement", 3),
    "omission": ("omission", 3),
    "hallucination": ("hallucination", 3),
    "reflectance": ("reflectance", 4),
    "spectral_deg": ("spectral deg", 2),
    "power": ("power", 2),
}
"""Figures in the tables: heading, digits. `power`: of detail finer than the input's Nyquist, reference = 1."""


def column(rows: list[Row], method: str, name: str) -> Floats:
    """One figure of one method, tile by tile."""
    return np.array([getattr(row, name) for row in rows if row.method == method])


def rival_psnr(rows: list[Row], noise: float) -> Floats:
    """PSNR of the baseline to beat: 5 steps of back-projection; under noise the best of bicubic, 5 and 30 steps."""
    names = (FIVE, BICUBIC, THIRTY) if noise else (FIVE,)
    return np.max([column(rows, name, "psnr") for name in names], axis=0)


def table_of(rows: list[Row]) -> str:
    """Markdown table of every method: mean and spread over tiles."""
    body = [
        [method, *(spread_text(column(rows, method, name), digits) for name, (_, digits) in COLUMNS.items())]
        for method in dict.fromkeys(row.method for row in rows)
    ]
    return table(["method", *(heading for heading, _ in COLUMNS.values())], body)


def tables(rows: list[Row]) -> str:
    """Markdown: one table per scale and protocol, each followed by the gains."""
    parts = []
    for scale in sorted({row.scale for row in rows}):
        for protocol, (sigma, noise) in PROTOCOLS.items():
            here = [row for row in rows if (row.scale, row.protocol) == (scale, protocol)]
            tiles = len({row.tile for row in here})
            parts.append(f"### x{scale}, {protocol}: sigma {sigma}, noise {noise:g}, {tiles} tiles\n\n{table_of(here)}")
            parts.append(gains(here, noise))
        parts.append(f"### x{scale}, P40, tile by tile, PSNR dB\n\n" + by_tile(rows, scale))
    return "\n\n".join(parts)


def by_tile(rows: list[Row], scale: int) -> str:
    """Table of single tiles under P40: PSNR of bicubic, back-projection and ours."""
    here = [row for row in rows if (row.scale, row.protocol) == (scale, "P40")]
    methods = (BICUBIC, FIVE, DEFAULT)
    tiles = dict.fromkeys(row.tile for row in here)
    psnr = {method: column(here, method, "psnr") for method in methods}
    body = [[tile, *(f"{psnr[method][number]:.2f}" for method in methods)] for number, tile in enumerate(tiles)]
    return table(["tile", *methods], body)


def gains(rows: list[Row], noise: float) -> str:
    """Sentences on the default setting."""
    mine, bicubic = column(rows, DEFAULT, "psnr"), column(rows, BICUBIC, "psnr")
    gain = mine - rival_psnr(rows, noise)
    against = "the best of bicubic, 5 and 30 steps" if noise else "5-step back-projection"
    residual, ndvi = column(rows, DEFAULT, "residual_rms"), column(rows, DEFAULT, "ndvi")
    lines = [
        f"Default against {against}: {spread_text(gain, 2)} dB, worst tile {gain.min():+.2f} dB; "
        f"against bicubic: {spread_text(mine - bicubic, 2)} dB, worst tile {(mine - bicubic).min():+.2f} dB, "
        f"above it on {np.mean(mine > bicubic):.0%} of the tiles.",
        f"Consistency at default: residual RMS {spread_text(residual, 5)} reflectance"
        + (f" = {spread_text(residual / noise, 2)} of the noise" if noise else "")
        + f", shift {spread_text(column(rows, DEFAULT, 'spatial_px'), 4)} input pixels"
        + f", median NDVI difference {spread_text(ndvi, 4)}"
        + (f" ({spread_text(ndvi / column(rows, DEFAULT, 'ndvi_noise'), 2)} of the noise's own)." if noise else "."),
    ]
    ways = [method for method in dict.fromkeys(row.method for row in rows) if method.startswith("ours")]
    for folder in sorted({row.folder for row in rows}):
        part = [row for row in rows if row.folder == folder]
        won = column(part, DEFAULT, "psnr") - rival_psnr(part, noise)
        shares = (f"{name} {spread_text(column(part, DEFAULT, name), 3)}" for name in ("improvement", "hallucination"))
        rest = (f"residual / noise {spread_text(column(part, DEFAULT, 'residual_rms') / noise, 2)}",) if noise else ()
        means = (
            f"{way.removeprefix('ours, ')} {(column(part, way, 'psnr') - rival_psnr(part, noise)).mean():.2f}"
            for way in ways
        )
        lines.append(f"{folder}, gains in dB by setting: {', '.join(means)}.")
        lines.append(f"{folder}, {won.size} tiles: {spread_text(won, 2)} dB, {', '.join((*shares, *rest))}.")
    return "\n".join(f"- {line}" for line in lines)


def summary(rows: list[Row]) -> str:
    """The table of the README: every protocol on the native rasters of one folder and on all tiles."""
    body = []
    for scale in sorted({row.scale for row in rows}):
        for protocol, (_, noise) in PROTOCOLS.items():
            here = [row for row in rows if (row.scale, row.protocol) == (scale, protocol)]
            native = [row for row in here if row.folder == NATIVE]
            psnr = [f"{column(native, method, 'psnr').mean():.2f}" for method in (BICUBIC, FIVE, DEFAULT)]
            gain = [spread_text(column(part, DEFAULT, "psnr") - rival_psnr(part, noise), 2) for part in (native, here)]
            share = [
                " / ".join(
                    f"{np.nanmean(column(native, method, name)):.3f}" for name in ("improvement", "hallucination")
                )
                for method in (FIVE, DEFAULT)
            ]
            body.append([f"x{scale}, {protocol}", *psnr, *gain, *share])
    heads = ("bicubic", "back-projection", "ours", "gain", f"gain, all {len({row.tile for row in rows})} tiles")
    return table(["protocol", *heads, "right / invented: back-projection", "ours"], body)


def figures(rows: list[Row], scale: int) -> tuple[Figure, ...]:
    """What goes into the card: the default setting and its baseline."""
    found = []
    for protocol, (_, noise) in PROTOCOLS.items():
        here = [row for row in rows if (row.scale, row.protocol) == (scale, protocol)]
        pairs = {"PSNR, dB": (column(here, DEFAULT, "psnr"), rival_psnr(here, noise))}
        for name in ("improvement", "hallucination"):
            pairs[name] = column(here, DEFAULT, name), column(here, FIVE, name)
        for what, (mine, rival) in pairs.items():
            ours, baseline, spread = (
                round(float(v), 4) for v in (np.nanmean(mine), np.nanmean(rival), np.nanstd(mine - rival))
            )
            found.append(
                Figure(protocol=f"{protocol} x{scale}", what=what, ours=ours, baseline=baseline, spread=spread)
            )
    return tuple(found)


def measure(task: tuple[Tile, int, int, str, tuple[str, ...]]) -> list[Row]:
    """`measure_tile` in a folder of its own, for a pool of processes."""
    torch.set_num_threads(1)
    tile, number, scale, model, bands = task
    with tempfile.TemporaryDirectory() as folder:
        return list(measure_tile(tile, number, scale, model, bands, Path(folder)))


def finer_tiles(root: Path, bands: tuple[str, ...]) -> list[Tile]:
    """Held-out imagery finer than Sentinel-2; too little and too unlike it for more than an anecdote."""
    return [tile for tile in read_split(root, FINER, bands) if tile.valid.all()]


def anecdotes(rows: list[Row]) -> str:
    """Tables of finer imagery."""
    return "\n\n".join(
        f"### Anecdote: finer imagery, x{scale}, P40, PSNR dB\n\n{by_tile(rows, scale)}"
        for scale in sorted({row.scale for row in rows})
    )


def write_cards(rows: list[Row], configs: list[Path]) -> None:
    """Put the figures, and the limits that the config states, into the package's model cards."""
    for path in configs:
        config = load_config(path)
        file = find_model(config.model.name)
        card = read_card(file)
        update = {"metrics": figures(rows, config.generator.scale), "limits": config.model.limits}
        card = card.model_copy(update=update)
        replace_card(file, card)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the rasters that the configs name")
    parser.add_argument("--config", type=Path, nargs="+", default=CONFIGS)
    parser.add_argument("--model", help="a model file instead of the package's, for a single config; records nothing")
    parser.add_argument("--update-card", action="store_true", help="write the figures into the package's model cards")
    parser.add_argument("--json", type=Path, help="also write every row")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    tasks, finer = [], []
    for path in arguments.config:
        config = load_config(path)
        bands, scale = config.model.bands, config.generator.scale
        model = arguments.model or config.model.name
        held_out = read_split(arguments.data, config.data.validation, bands)
        whole = [tile for tile in held_out if min(tile.valid.shape) >= SMALLEST]
        tasks += [(tile, number, scale, model, bands) for number, tile in enumerate(whole)]
        finer += [(tile, number, scale, model, bands) for number, tile in enumerate(finer_tiles(arguments.data, bands))]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        rows = [row for found in pool.map(measure, tasks) for row in found]
        extra = [row for found in pool.map(measure, finer) for row in found]
    body = tables(rows) + "\n\n" + anecdotes(extra)
    print(body)
    if arguments.model is None:
        renew_block("figures", summary(rows))
        record("quality_superres.py", "`python -m benchmarks.quality_superres --data DIR`\n\n" + body)
    if arguments.update_card:
        write_cards(rows, arguments.config)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows + extra]), encoding="utf-8")


if __name__ == "__main__":
    main()
