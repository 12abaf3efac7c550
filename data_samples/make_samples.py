"""Write the sample rasters of this folder: synthetic land as Sentinel-2 and a radar would see it, from one seed.

Six GeoTIFFs of one place:

- ``s2_rgbn_10m.tif``: B02 B03 B04 B08 at 10 m, uint16, dn = 10000 * reflectance; Gaussian PSF from the catalogue's MTF,
  area mean, noise, rounding; nodata 0 beyond a slanted swath edge;
- ``s2_rgbn_reference_5m.tif``: the same land at 5 m by area mean alone, without sensor blur or noise;
- ``s2_20m.tif``: B05 B06 B07 B8A B11 B12 of it at 20 m, mixed from the four bands by rules of thumb (``MIXTURES``), the
  short-wave infrared by a factor of each class as well, so that it does not follow from the others;
- ``landcover_10m.tif``: the most frequent class in each 10 m pixel, with the legend in its tags;
- ``sar_vv_vh_10m.tif``: VV and VH of it in dB, float32, NaN beyond the swath: backscatter by class with texture, area
  mean, speckle of 4.4 looks whose neighbours' correlation is 0.3;
- ``sar_reference_10m.tif``: the same without speckle.

And two of another, so that there is a place to judge on that was not trained on:

- ``s2_rgbn_10m_b.tif``: like the first but smaller and without nodata, other land 40 km to the east;
- ``s2_hazy_10m.tif``: the same through haze, by the law of scattering of ``rsgan.sensors.atmosphere``.

Nothing in them was photographed. Usage: ``python data_samples/make_samples.py [FOLDER]``.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from affine import Affine
from rasterio.crs import CRS
from scipy import ndimage

from rsgan.catalogue import RGBN, sensor
from rsgan.sensors.atmosphere import HazeRanges, add_haze, draw_haze
from rsgan.sensors.procedural import LAND_COVER, draw_scene
from rsgan.sensors.sar import draw_speckle

SEED: Final = 40
SHAPE: Final = (240, 320)
GSD_M: Final = 10.0
REFERENCE_GSD_M: Final = 5.0
DRAWN_GSD_M: Final = 2.5
COARSE_GSD_M: Final = 20.0
NOISE: Final = 0.0008
"""Standard deviation in reflectance, the same in all bands; assumed."""

MIXTURES: Final[dict[str, tuple[float, float, float, float]]] = {
    "B05": (0.0, 0.10, 0.75, 0.15),
    "B06": (0.0, 0.05, 0.20, 0.70),
    "B07": (0.0, 0.00, 0.08, 0.90),
    "B8A": (0.0, 0.00, 0.00, 1.02),
    "B11": (0.0, 0.00, 1.10, 0.32),
    "B12": (0.1, 0.00, 1.05, 0.14),
}
"""Shares of B02, B03, B04 and B08 in the bands at 20 m; assumed, to look plausible over vegetation and soil."""

SHORT_WAVE: Final = (1.0, 0.3, 1.0, 1.2, 1.05, 0.8, 0.9, 0.85, 1.15)
"""Factor of B11 and B12 by class number: what moisture and minerals do, and the finer bands do not see; assumed."""

BACKSCATTER_DB: Final = (
    (0.0, 0.0), (-20.0, -28.0), (-10.0, -17.0), (-13.0, -21.0), (-11.0, -18.0), (-8.0, -13.5), (-1.0, -9.0),
    (-16.0, -24.0), (-14.0, -23.0),
)  # fmt: skip
"""VV and VH of each class by its number, dB; assumed, to look plausible at C band."""

LOOKS: Final = 4.4
CORRELATION: Final = 0.3
STEP_DB: Final = 1 / 32
"""What decibels are rounded to, so that the files stay small."""

WEST, NORTH = 463_000.0, 5_247_000.0
"""Upper left corner in EPSG:32633; where the land is set down, not where it was seen."""

WEST_B: Final = WEST + 40_000.0
"""Left edge of the other place."""

SEED_B: Final = 41
HAZE: Final = HazeRanges(thickness=(0.35, 0.35), contrast=(0.5, 0.5), white=0.0, angstrom=(1.0, 1.0), tint=0.0)
"""Over the hazy sample: half as much light is lost in the near infrared as in the blue."""
NODATA: Final = 0
COLOURS: Final = {
    0: (0, 0, 0),
    1: (38, 92, 160),
    2: (232, 201, 92),
    3: (168, 116, 76),
    4: (150, 200, 90),
    5: (28, 106, 50),
    6: (200, 50, 50),
    7: (110, 110, 110),
    8: (238, 226, 180),
}

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def main(folder: Path) -> None:
    """Draw the land and write the rasters of both places into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_first_place(folder)
    write_other_place(folder)


def write_first_place(folder: Path) -> None:
    """The observed scene with its reference and its land cover."""
    land, classes, observed = draw_and_observe(SEED, SHAPE)
    title = "synthetic land, Sentinel-2 sensor model"
    write_bands(folder / "s2_rgbn_10m.tif", observed, GSD_M, title)
    reference = area_mean(land, round(REFERENCE_GSD_M / DRAWN_GSD_M))
    write_bands(folder / "s2_rgbn_reference_5m.tif", reference, REFERENCE_GSD_M, "synthetic land, area mean, no blur")
    write_land_cover(folder / "landcover_10m.tif", most_frequent(classes, round(GSD_M / DRAWN_GSD_M)))
    coarse = observe(mixed(land, classes), np.random.default_rng(SEED + 2), tuple(MIXTURES), COARSE_GSD_M)
    write_bands(folder / "s2_20m.tif", coarse, COARSE_GSD_M, title, names=tuple(MIXTURES))
    rng = np.random.default_rng(SEED + 3)
    ground = backscatter(classes, rng)
    speckle = [draw_speckle(rng, ground.shape[1:], LOOKS, (CORRELATION, CORRELATION)) for _ in ground]
    title = "synthetic land, backscatter by class"
    write_backscatter(folder / "sar_vv_vh_10m.tif", ground * np.stack(speckle), f"{title} with speckle")
    write_backscatter(folder / "sar_reference_10m.tif", ground, f"{title} without speckle")


def mixed(land: Floats, classes: Bytes) -> Floats:
    """The bands that the sensor has at 20 m, on the pixels of the land."""
    bands = np.einsum("cg,ghw->chw", np.array(list(MIXTURES.values()), np.float32), land)
    bands[list(MIXTURES).index("B11") :] *= np.array(SHORT_WAVE, np.float32)[classes]
    return np.asarray(bands, np.float32)


def backscatter(classes: Bytes, rng: np.random.Generator) -> Floats:
    """Intensity of VV and VH at 10 m: a level for each class, and texture that both share."""
    step = round(GSD_M / DRAWN_GSD_M)
    texture = ndimage.gaussian_filter(rng.standard_normal(classes.shape), 2 * step)
    decibel = np.array(BACKSCATTER_DB)[classes] + (texture / texture.std())[..., None]
    return area_mean(np.moveaxis(10 ** (decibel / 10), -1, 0).astype(np.float32), step)


def write_backscatter(path: Path, intensity: Floats, title: str) -> None:
    """Write intensity as dB."""
    decibel = (np.rint(10 * np.log10(intensity) / STEP_DB) * STEP_DB).astype(np.float32)
    shape = (decibel.shape[1], decibel.shape[2])
    decibel[:, beyond_swath(shape, GSD_M)] = np.nan
    settings = profile(shape, GSD_M, 2, "float32") | {"nodata": float("nan"), "predictor": 3}
    with rasterio.open(path, "w", **settings) as dataset:
        dataset.write(decibel)
        dataset.descriptions = ("VV", "VH")
        dataset.units = ("dB", "dB")
        dataset.update_tags(TITLE=title, SEED=str(SEED))


def write_other_place(folder: Path) -> None:
    """The observed scene alone, half as high and half as wide, whole up to its corners."""
    _, _, observed = draw_and_observe(SEED_B, (SHAPE[0] // 2, SHAPE[1] // 2))
    title = "other synthetic land, Sentinel-2 sensor model"
    write_bands(folder / "s2_rgbn_10m_b.tif", observed, GSD_M, title, seed=SEED_B, west=WEST_B)
    write_bands(folder / "s2_hazy_10m.tif", hazy(observed), GSD_M, f"{title}, haze", seed=SEED_B, west=WEST_B)


def hazy(observed: Floats) -> Floats:
    """The same through drawn haze."""
    height, width = observed.shape[1:]
    haze = draw_haze(len(observed), max(height, width), HAZE, torch.Generator().manual_seed(SEED_B))
    haze = replace(haze, thickness=haze.thickness[..., :height, :width])
    centres = torch.tensor([sensor("sentinel-2a").band(name).centre_um for name in RGBN])
    return add_haze(torch.from_numpy(observed)[None], haze, centres)[0].numpy()


def draw_and_observe(seed: int, shape: tuple[int, int]) -> tuple[Floats, Bytes, Floats]:
    """Land and classes at 2.5 m, and what the sensor gives of them at 10 m."""
    rng = np.random.default_rng(seed)
    drawn_shape = tuple(int(side * GSD_M / DRAWN_GSD_M) for side in shape)
    land, classes = draw_scene(rng, (drawn_shape[0], drawn_shape[1]), DRAWN_GSD_M)
    return land, classes, observe(land, rng)


def observe(land: Floats, rng: np.random.Generator, names: tuple[str, ...] = RGBN, gsd_m: float = GSD_M) -> Floats:
    """Reflectance as the sensor gives it: Gaussian per band, area mean, noise."""
    step = round(gsd_m / DRAWN_GSD_M)
    bands = [sensor("sentinel-2a").band(name) for name in names]
    blurred = np.stack(
        [
            ndimage.gaussian_filter(channel, band.psf_sigma * step, mode="reflect")
            for channel, band in zip(land, bands, strict=True)
        ]
    )
    mean = area_mean(blurred, step)
    return mean + np.float32(NOISE) * rng.standard_normal(mean.shape, dtype=np.float32)


def area_mean(values: Floats, step: int) -> Floats:
    """Mean of blocks of ``step`` x ``step`` pixels, (C, H, W) -> (C, H / step, W / step)."""
    channels, height, width = values.shape
    blocks = values.reshape(channels, height // step, step, width // step, step)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float64), np.float32)


def most_frequent(classes: Bytes, step: int) -> Bytes:
    """The class with the largest share of each block; of equals, the smallest number."""
    shares = np.stack([area_mean((classes == number)[None].astype(np.float32), step)[0] for number in LAND_COVER])
    return np.asarray(np.array(list(LAND_COVER), np.uint8)[shares.argmax(axis=0)], np.uint8)


def beyond_swath(shape: tuple[int, int], gsd_m: float) -> npt.NDArray[np.bool_]:
    """True in the lower right corner, below a line in metres, so that every gsd has the same edge."""
    east = (np.arange(shape[1]) + 0.5) * gsd_m
    south = (np.arange(shape[0]) + 0.5) * gsd_m
    return np.asarray(east[None, :] + 0.28 * south[:, None] > 3550.0)


def profile(shape: tuple[int, int], gsd_m: float, count: int, dtype: str, west: float = WEST) -> dict[str, object]:
    """What all files share."""
    return {
        "driver": "GTiff",
        "height": shape[0],
        "width": shape[1],
        "count": count,
        "dtype": dtype,
        "crs": CRS.from_epsg(32633),
        "transform": Affine(gsd_m, 0.0, west, 0.0, -gsd_m, NORTH),
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": 128,
        "blockysize": 128,
        "compress": "deflate",
        "predictor": 2,
        "zlevel": 9,
    }


def write_bands(
    path: Path,
    reflectance: Floats,
    gsd_m: float,
    title: str,
    *,
    seed: int = SEED,
    west: float = WEST,
    names: tuple[str, ...] = RGBN,
) -> None:
    """Write reflectance as dn, with band descriptions and the scale that gives reflectance back."""
    dn = np.clip(np.rint(reflectance * 10_000.0), 1, 65_535).astype(np.uint16)
    shape = (dn.shape[1], dn.shape[2])
    dn[:, beyond_swath(shape, gsd_m)] = NODATA
    with rasterio.open(path, "w", **profile(shape, gsd_m, len(names), "uint16", west)) as dataset:
        dataset.write(dn)
        dataset.descriptions = names
        dataset.scales = (1e-4,) * len(names)
        dataset.update_tags(TITLE=title, SEED=str(seed))


def write_land_cover(path: Path, classes: Bytes) -> None:
    """Write the classes with colours and legend."""
    classes = classes.copy()
    shape = (classes.shape[0], classes.shape[1])
    classes[beyond_swath(shape, GSD_M)] = NODATA
    with rasterio.open(path, "w", **profile(shape, GSD_M, 1, "uint8")) as dataset:
        dataset.write(classes, 1)
        dataset.write_colormap(1, COLOURS)
        dataset.set_band_description(1, "land cover")
        legend = {f"CLASS_{number}": name for number, name in LAND_COVER.items()}
        dataset.update_tags(TITLE="land cover of the synthetic land", SEED=str(SEED), **legend)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
