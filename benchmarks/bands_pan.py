"""Pan-sharpening by the linear law against classical fusion: WorldView-2 pairs, and a simulated Landsat pan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from skimage.registration import phase_cross_correlation

from benchmarks.band_figures import Row, figures, method_table
from benchmarks.bands_any import is_doubled, largest_square
from benchmarks.results import table
from benchmarks.wald import Floats, Protocol, Raster, Storage, crop, multiple, save_picture, superres
from rsgan.catalogue import RGBN
from rsgan.geo import Scene
from rsgan.training.config import Source
from rsgan.training.tiles import find_files, read_tile

PROTOCOLS = (Protocol("P40", 0.40),)
BORDER, STEPS = 8, 5
BICUBIC, PROJECTED, BROVEY, SCHMIDT, LINEAR = "bicubic", "bicubic + back-projection", "Brovey", "Gram-Schmidt", "linear"
WORLDVIEW = ("vhr/wv2_pan_rotterdam_1.tif", "vhr/wv2_pan_rotterdam_2.tif")
NATIVE = (
    Source(glob="sentinel2/s2_l1c_t33uub_*_10m.tif", reflectance_scale=10000),
    Source(glob="sentinel2/ben_*_10m.tif", reflectance_scale=10000),
    Source(glob="sentinel2/s2_l1b_l1bsr_0*.tif", reflectance_scale=2500),
)
"""10 m rasters of B02 B03 B04 B08 on the sensor's own grid."""
OLI_PAN = {"B02": 0.1, "B03": 0.5, "B04": 0.4, "B08": 0.0}
"""Shares of the bands in the simulated pan. OLI's pan is 0.503-0.676 um: all of green and red, a little blue, no NIR.
Source: Landsat 8 Data Users Handbook, LSDS-1574, table 2-1; the shares themselves are ours."""
PICTURED = ("rotterdam_1", "rotterdam_2", "s2_l1b_l1bsr_03", "s2_l1c_t33uub_20170527_10m")


@dataclass(frozen=True)
class Fusion:
    """A pan (1, scale h, scale w) and multispectral bands (C, h, w) as observed, and the wanted bands."""

    name: str
    pan: Raster
    observed: Raster
    reference: Floats
    storage: Storage

    @property
    def scale(self) -> int:
        """Pan pixels per multispectral pixel."""
        return self.pan.values.shape[1] // self.observed.values.shape[1]


def regressed(enlarged: Floats, blurred: Floats) -> Floats:
    """What the pan shows of the bands: the mixture of the enlarged bands nearest to the blurred pan, (H, W)."""
    flat = np.vstack([enlarged.reshape(len(enlarged), -1), np.ones(enlarged[0].size)]).T
    mixture = np.linalg.lstsq(flat, blurred.ravel(), rcond=None)[0]
    return np.asarray(flat @ mixture).reshape(enlarged.shape[1:])


def brovey(pan: Floats, enlarged: Floats, intensity: Floats) -> Floats:
    """Bands times pan / intensity; a regressed intensity instead of the plain mean, which suits no pan of four bands.

    Source: Gillespie et al. 1987, doi:10.1016/0034-4257(87)90088-5.
    """
    return np.asarray(enlarged * pan / np.maximum(intensity, 1e-4))


def gram_schmidt(pan: Floats, enlarged: Floats, intensity: Floats) -> Floats:
    """Adaptive Gram-Schmidt: detail of the pan beyond the regressed intensity, injected by covariance.

    Source: Laben and Brower 2000, US 6,011,875; Aiazzi et al. 2007, doi:10.1109/TGRS.2007.901007.
    """
    share = np.array([np.cov(band.ravel(), intensity.ravel())[0, 1] for band in enlarged]) / intensity.var()
    return np.asarray(enlarged + share[:, None, None] * (pan - intensity))


def enhance(fusion: Fusion, protocol: Protocol) -> Iterator[tuple[str, Floats]]:
    """(method, enhanced) of everything."""
    scale, rounded = fusion.scale, fusion.storage.rounded
    enlarged = protocol.project(fusion.observed.values, scale, 0)
    blurred = protocol.project(protocol.observe(fusion.pan.values, scale, 0, fusion.storage), scale, 0)
    intensity = regressed(enlarged, blurred)
    yield BICUBIC, rounded(enlarged)
    yield PROJECTED, rounded(protocol.project(fusion.observed.values, scale, STEPS))
    yield BROVEY, rounded(brovey(fusion.pan.values, enlarged, intensity))
    yield SCHMIDT, rounded(gram_schmidt(fusion.pan.values, enlarged, intensity))
    rasters = [fusion.pan, fusion.observed]
    yield LINEAR, superres(rasters, fusion.storage, method="linear", psf_sigma=protocol.sigma)


def measure(fusion: Fusion, protocol: Protocol, parts: dict[str, list[int]], pictures: Path | None) -> Iterator[Row]:
    """Every method on one scene; a row per part of the bands, named protocol and part."""
    images = {"observed": fusion.observed.values}
    for method, enhanced in enhance(fusion, protocol):
        images[method] = enhanced
        for part, chosen in parts.items():
            found = figures(crop(enhanced[chosen], BORDER), crop(fusion.reference[chosen], BORDER), fusion.scale)
            bands = tuple(fusion.observed.bands[number] for number in chosen)
            yield Row(part, fusion.name, True, method, bands, **found)  # type: ignore[arg-type]
    if pictures is not None and fusion.name.split(",")[0] in PICTURED:
        rgb = (
            [fusion.observed.bands.index(name) for name in ("R", "G", "B")]
            if "R" in fusion.observed.bands
            else [2, 1, 0]
        )
        panel = {name: images[name] for name in ("observed", BICUBIC, SCHMIDT, LINEAR)}
        save_picture(
            pictures / f"pan_{fusion.name.replace(', ', '_').replace(' ', '_')}.png",
            {**panel, "reference": fusion.reference},
            rgb,
        )


@dataclass(frozen=True)
class Pair:
    """A WorldView-2 pan at 0.5 m and its bands at their native 2 m, the square that is whole in both."""

    name: str
    pan: Floats
    bands: Floats
    names: tuple[str, ...]
    doubled: bool

    @property
    def shift(self) -> Floats:
        """(rows, columns) by which the bands must move to lie on the pan, 2 m pixels, by phase correlation."""
        reduced = Protocol("", 0.4).observe(self.pan, 4, 0)[0]
        found, _, _ = phase_cross_correlation(reduced, self.bands.mean(0), upsample_factor=50)
        return np.asarray(found)

    def aligned(self) -> Pair:
        """The pan moved by whole pixels of its own; what came in from beyond the edge lies in the border."""
        rows, columns = (round(4 * value) for value in self.shift)
        return replace(self, pan=np.roll(self.pan, (-rows, -columns), (1, 2)))


def _read(path: Path) -> tuple[Floats, np.ndarray, tuple[str, ...]]:  # type: ignore[type-arg]
    with Scene.open([path], wanted=None, reflectance_scale=2000) as scene:
        chip = scene.read(scene.grid.window)
        return chip.values.astype(np.float64), np.all(chip.valid, axis=0), scene.bands


def read_pair(path: Path) -> Pair:
    """The pan and, beside it, the bands; bands that stand doubled on a 1 m grid are brought back to their pixels."""
    pan, pan_valid, _ = _read(path)
    bands, valid, names = _read(path.with_name(path.name.replace("_pan_", "_ms_")))
    doubled = is_doubled(bands)
    if not doubled:
        raise SystemExit(f"{path}: the bands beside it do not stand doubled, so their native pixels are not known.")
    bands, valid = bands[:, ::2, ::2], valid[::2, ::2]
    height, width = valid.shape
    pan, pan_valid = pan[:, : 4 * height, : 4 * width], pan_valid[: 4 * height, : 4 * width]
    both = valid & pan_valid.reshape(height, 4, width, 4).all((1, 3))
    rows, columns = largest_square(both)
    fine = slice(4 * rows.start, 4 * rows.stop), slice(4 * columns.start, 4 * columns.stop)
    return Pair(path.stem.removeprefix("wv2_pan_"), pan[:, *fine], bands[:, rows, columns], names, doubled)


def worldview(root: Path, protocol: Protocol, pictures: Path | None) -> str:
    """Wald's protocol on the pairs: bands at 8 m, pan at 2 m, reference at 2 m; Markdown."""
    storage, parts, shifts = Storage("uint16", 1 / 2000), [], []
    for number, name in enumerate(WORLDVIEW):
        delivered = read_pair(root / name)
        for label, pair in (("", delivered), (", pan moved", delivered.aligned())):
            reference = multiple(pair.bands, 4)
            pan = protocol.observe(multiple(pair.pan, 16), 4, number, storage)
            observed = Raster(protocol.observe(reference, 4, number, storage), pair.names, 8.0)
            fusion = Fusion(f"{pair.name}{label}", Raster(pan, ("PAN",), 2.0), observed, reference, storage)
            chosen = {"all": list(range(len(pair.names)))}
            rows = list(measure(fusion, protocol, chosen, pictures))
            side = reference.shape[1]
            parts.append(
                f"### WorldView-2, {fusion.name}, 8 -> 2 m, {side} x {side} pixels\n\n" + method_table(rows, BICUBIC)
            )
            shifts.append([fusion.name, *(f"{2 * value:+.2f}" for value in pair.shift)])
    alignment = (
        "Alignment: the delivered bands stand exactly doubled (nearest neighbour) on a 1 m grid, so that their native "
        "pixels are 2 m and pan : bands is 1 : 4. By phase correlation of the pan, reduced to 2 m, with the mean of "
        "the bands, the bands would have to move by (metres; + is down and right):\n\n"
        + table(["pair", "rows", "columns"], shifts)
        + '\n\n"pan moved" is the pan moved by as many whole 0.5 m pixels.'
    )
    return "\n\n".join([alignment, *parts])


def landsat(root: Path, protocol: Protocol, pictures: Path | None) -> str:
    """A simulated Landsat pan: native 10 m bands taken as 15 m; Markdown."""
    weights, rows = np.array([OLI_PAN[name] for name in RGBN]), []
    parts = {"visible": [0, 1, 2], "near infrared": [3]}
    for source in NATIVE:
        for number, path in enumerate(find_files(root, source)):
            tile = read_tile(path, source, RGBN)
            reference = multiple(tile.values[:, *largest_square(tile.valid, 512)].astype(np.float64), 4)
            storage = Storage()
            pan = storage.rounded(np.einsum("c,chw->hw", weights, reference)[None])
            observed = Raster(protocol.observe(reference, 2, number), RGBN, 30.0)
            fusion = Fusion(path.stem, Raster(pan, ("PAN",), 15.0), observed, reference, storage)
            rows += measure(fusion, protocol, parts, pictures)
    count = len({row.tile for row in rows})
    shares = ", ".join(f"{share:g} {name}" for name, share in OLI_PAN.items() if share)
    texts = [
        f"### Simulated Landsat, {part} bands, 30 -> 15 m, {count} tiles\n\n"
        + method_table([row for row in rows if row.protocol == part], BICUBIC)
        for part in parts
    ]
    said = (
        f"SIMULATED: native 10 m Sentinel-2 bands are taken as 15 m ones, the pan is {shares}, noise-free, at 15 m, "
        "and the bands are degraded to 30 m. A pan that is an exact mean of the wanted bands flatters every method."
    )
    return "\n\n".join([said, *texts])


def measure_all(root: Path, *, pictures: Path | None) -> str:
    """Markdown of both."""
    protocol = PROTOCOLS[0]
    return f"{protocol}\n\n{worldview(root, protocol, pictures)}\n\n{landsat(root, protocol, pictures)}"
