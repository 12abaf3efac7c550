"""Coarse bands guided by finer ones: 20 m -> 10 m by network and linear law, 60 m -> 10 m by linear law."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.band_figures import Row, figures, method_table, of, ratios, tile_table
from benchmarks.wald import (
    SENTINEL,
    Floats,
    Protocol,
    Raster,
    crop,
    multiple,
    save_picture,
    spread_text,
    superres,
)
from rsgan.card import Figure
from rsgan.catalogue import RGBN
from rsgan.enhance.adapt import CHIP
from rsgan.training.config import Source, TrainConfig
from rsgan.training.tiles import find_files, read_tile

PROTOCOLS = (Protocol("P25", 0.25), Protocol("P40n", 0.40, 0.0005), Protocol("MTF", None, 0.0005))
"""P25 (0.5 fine pixels) is what published figures are stated for; MTF is what the sensor would have seen."""
BORDER = 4
STEPS = 5
PAIRS = ("sentinel2/s2_l1c_t33uub_*_20m.tif", "sentinel2/ben_*_20m.tif")
"""20 m bands on the sensor's own grid; the 10 m bands lie beside them."""
SIXTY = "sentinel2/s2_l1c_t33uub_*_60m.tif"
BICUBIC, PROJECTED, LINEAR, OURS = "bicubic", "bicubic + back-projection", "linear", "ours"
UNTOLD, LINEAR_UNTOLD, ADAPTED = "ours, nothing told", "linear, nothing told", "ours, adapted"
PICTURED = ("s2_l1c_t33uub_20170527_20m", "ben_S2B_MSIL2A_20180502T093039_43_14_20m")


@dataclass(frozen=True)
class Pair:
    """Coarse bands and the fine ones of the same ground, reflectance."""

    name: str
    coarse: Raster
    fine: Raster
    held_out: bool

    @property
    def ratio(self) -> int:
        """Fine pixels per coarse pixel."""
        return self.fine.values.shape[1] // self.coarse.values.shape[1]


def _raster(path: Path, bands: tuple[str, ...], gsd_m: float) -> Raster:
    tile = read_tile(path, Source(glob=path.name, reflectance_scale=10000), bands)
    if not tile.valid.all():
        raise SystemExit(f"{path} has invalid pixels; pairs must be whole.")
    return Raster(tile.values.astype(np.float64), bands, gsd_m)


def read_pairs(root: Path, config: TrainConfig) -> Iterator[Pair]:
    """Every native pair of 20 m and 10 m bands."""
    seen = {path for source in config.data.training for path in find_files(root, source)}
    for glob in PAIRS:
        for path in find_files(root, Source(glob=glob)):
            beside = path.with_name(path.name.replace("_20m", "_10m"))
            coarse, fine = _raster(path, config.model.bands, 20.0), _raster(beside, config.model.guide, 10.0)
            yield Pair(path.stem, coarse, fine, path not in seen)


def observe(pair: Pair, protocol: Protocol, seed: int) -> tuple[Pair, Floats]:
    """The pair one scale up, all bands degraded alike, and the reference."""
    scale, step = pair.ratio, pair.ratio**2
    reference = multiple(pair.coarse.values, scale)
    fine = multiple(pair.fine.values, step)[:, : reference.shape[1] * scale, : reference.shape[2] * scale]
    coarse = Raster(
        protocol.observe(reference, scale, seed, bands=pair.coarse.bands), pair.coarse.bands, pair.coarse.gsd_m * scale
    )
    guide = Raster(
        protocol.observe(fine, scale, seed + 1000, bands=pair.fine.bands), pair.fine.bands, pair.fine.gsd_m * scale
    )
    return Pair(pair.name, coarse, guide, pair.held_out), reference


def enhance(seen: Pair, protocol: Protocol, model: str | None, *, adapt: bool) -> Iterator[tuple[str, Floats]]:
    """(method, enhanced) of everything; networks only with a model, told only where one sigma holds for all bands."""
    observed, bands = seen.coarse.values, seen.coarse.bands
    yield BICUBIC, SENTINEL.rounded(protocol.project(observed, seen.ratio, 0, bands))
    yield PROJECTED, SENTINEL.rounded(protocol.project(observed, seen.ratio, STEPS, bands))
    rasters, told = [seen.fine, seen.coarse], {"psf_sigma": protocol.sigma}
    if protocol.sigma is not None:
        yield LINEAR, superres(rasters, method="linear", **told)
    yield LINEAR_UNTOLD, superres(rasters, method="linear")
    if model is None:
        return
    if protocol.sigma is not None:
        yield OURS, superres(rasters, model=model, **told)
    yield UNTOLD, superres(rasters, model=model)
    if adapt and min(observed.shape[1:]) >= CHIP * seen.ratio:
        yield ADAPTED, superres(rasters, model=model, adapt=True, **told)


def chief(protocol: Protocol) -> tuple[str, str]:
    """Names of the linear law's and the network's row that a protocol is judged by."""
    return (LINEAR, OURS) if protocol.sigma is not None else (LINEAR_UNTOLD, UNTOLD)


def measure(
    pair: Pair, number: int, model: str | None, *, adapt: bool = False, pictures: Path | None = None
) -> Iterator[Row]:
    """Every method under every protocol on one pair."""
    for protocol in PROTOCOLS:
        seen, reference = observe(pair, protocol, number)
        images = {"observed": seen.coarse.values}
        for method, enhanced in enhance(seen, protocol, model, adapt=adapt):
            images[method] = enhanced
            found = figures(crop(enhanced, BORDER), crop(reference, BORDER), pair.ratio)
            yield Row(protocol.name, pair.name, pair.held_out, method, pair.coarse.bands, **found)  # type: ignore[arg-type]
        if pictures is not None and pair.name in PICTURED:
            names = ("observed", BICUBIC, *chief(protocol))
            panel = {name: images[name] for name in names if name in images}
            bands = [3, 4, 0] if len(reference) > 3 else [0]
            save_picture(pictures / f"{pair.name}_{protocol.name}.png", {**panel, "reference": reference}, bands)


def twenty(
    root: Path, config: TrainConfig, model: str, *, adapt: bool, pictures: Path | None
) -> tuple[str, tuple[Figure, ...]]:
    """20 m -> 10 m: Markdown, and figures for the model's card."""
    pairs = list(read_pairs(root, config))
    rows = [
        row for number, pair in enumerate(pairs) for row in measure(pair, number, model, adapt=adapt, pictures=pictures)
    ]
    parts, cards = [], []
    for protocol in PROTOCOLS:
        here = [row for row in rows if row.protocol == protocol.name]
        held_out = [row for row in here if row.held_out]
        count = len({row.tile for row in held_out})
        rival, mine = chief(protocol)
        parts.append(f"### {protocol}; {count} tiles held out\n\n{method_table(held_out, rival)}")
        parts.append(verdict(held_out, rival, mine))
        shown = tuple(dict.fromkeys((BICUBIC, PROJECTED, rival, UNTOLD, ADAPTED, mine)))
        shown = (*(name for name in shown if name != mine), mine)
        parts.append(f"Tile by tile, RMSE in DN, mean over the bands:\n\n{tile_table(here, shown, rival)}")
        for tile in dict.fromkeys(row.tile for row in here if row.tile.startswith("s2_l1c")):
            parts.append(f"{tile} alone:\n\n" + method_table([row for row in here if row.tile == tile], rival))
        cards.append(card_figure(held_out, protocol))
    return "\n\n".join(parts), tuple(cards)


def verdict(rows: list[Row], rival: str, mine: str) -> str:
    """Whether the targets are met, in one sentence each."""
    share, pairs = ratios(rows, mine, rival), list(zip(of(rows, mine), of(rows, rival), strict=True))
    angles = sum(ours.sam_deg < other.sam_deg for ours, other in pairs)
    errors = sum(ours.ergas < other.ergas for ours, other in pairs)
    lines = [
        f"RMSE of {mine} / {rival}: {spread_text(share, 3)}, worst tile {share.max():.3f} (target: at most 0.8).",
        f"SAM lower than {rival} on {angles} and ERGAS on {errors} of {len(pairs)} tiles.",
    ]
    if of(rows, ADAPTED):
        adapted = ratios(rows, ADAPTED, mine)
        lines.append(f"RMSE of adapted / ours: {spread_text(adapted, 3)} over {len(adapted)} tiles (target: 0.95).")
    else:
        lines.append("No held-out tile was adapted: not asked for, or too small for it.")
    return "\n".join(f"- {line}" for line in lines)


def card_figure(rows: list[Row], protocol: Protocol) -> Figure:
    """For the model's card: ours against the linear law."""
    linear, network = chief(protocol)
    mine, rival = (np.array([row.mean_rmse for row in of(rows, name)]) for name in (network, linear))
    ours, baseline, spread = (round(float(value), 2) for value in (mine.mean(), rival.mean(), (mine - rival).std()))
    return Figure(
        protocol=f"{protocol.name} x2", what="RMSE, DN (baseline: linear)", ours=ours, baseline=baseline, spread=spread
    )


def sixty(root: Path, *, pictures: Path | None) -> str:
    """60 m -> 10 m by the linear law: Markdown."""
    path = find_files(root, Source(glob=SIXTY))[0]
    fine = _raster(path.with_name(path.name.replace("_60m", "_10m")), RGBN, 10.0)
    small = Pair(path.stem, _raster(path, ("B01", "B09"), 60.0), fine, held_out=True)
    twenties = _raster(
        path.with_name(path.name.replace("_60m", "_20m")), ("B05", "B06", "B07", "B8A", "B11", "B12"), 20.0
    )
    halved = Raster(PROTOCOLS[0].observe(fine.values, 2, 0), RGBN, 20.0)
    stand_in = list(_sixfold(twenties, halved))
    parts = []
    real = list(measure(small, 0, None, pictures=pictures))
    for protocol in PROTOCOLS:
        here = [row for row in real if row.protocol == protocol.name]
        parts.append(f"### B01 B09, 360 -> 60 m, {protocol}\n\n{method_table(here, BICUBIC)}")
        here = [row for row in stand_in if row.protocol == protocol.name]
        parts.append(f"### 20 m bands, 120 -> 20 m, {protocol}\n\n{method_table(here, BICUBIC)}")
    return "\n\n".join(parts)


def _sixfold(reference: Raster, guide: Raster) -> Iterator[Row]:
    """Scale 6 on bands whose reference is finer: 120 -> 20 m, guided by the 10 m bands at 20 m."""
    scale = 6
    values = multiple(reference.values, scale)
    for protocol in PROTOCOLS:
        coarse = Raster(protocol.observe(values, scale, 3, bands=reference.bands), reference.bands, 120.0)
        fine = Raster(multiple(guide.values, scale), guide.bands, 20.0)
        seen = Pair("sixfold", coarse, fine, held_out=True)
        for method, enhanced in enhance(seen, protocol, None, adapt=False):
            found = figures(crop(enhanced, BORDER), crop(values, BORDER), scale)
            yield Row(protocol.name, "sixfold", True, method, reference.bands, **found)  # type: ignore[arg-type]
