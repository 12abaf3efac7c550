"""Wald's protocol, from file to file: a raster is the reference, and its observation one scale up is enhanced again.

Shared by the benchmarks of bands: simulate, write as a user would have it, run `rsgan.superres`, read, show.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS

import rsgan
from rsgan.enhance.statistics import catalogue_sigma
from rsgan.errors import RsganWarning
from rsgan.filters.back_projection import back_projection
from rsgan.geo import Grid, RasterWriter, Scene
from rsgan.sensors.optical import degrade

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Storage:
    """How a raster holds reflectance: data type, and reflectance of one stored unit."""

    dtype: str = "uint16"
    quantum: float = 1e-4

    def rounded(self, reflectance: Floats) -> Floats:
        """To whole stored units; 0 is left for nodata."""
        units = np.clip(np.round(reflectance / self.quantum), 1, np.iinfo(self.dtype).max)
        return np.asarray(units * self.quantum)


SENTINEL = Storage()


@dataclass(frozen=True)
class Protocol:
    """Gaussian width in input pixels and noise in reflectance of a simulated sensor.

    Attributes:
        name: short.
        sigma: of all bands; None for what each Sentinel-2 band's own MTF adds one scale up.
        noise: standard deviation.
    """

    name: str
    sigma: float | None
    noise: float = 0.0

    def __str__(self) -> str:
        """For headings."""
        width = "as each band's MTF says" if self.sigma is None else f"{self.sigma:g} input pixels"
        return f"{self.name}: sigma {width}, noise {self.noise:g}"

    def widths(self, count: int, scale: int, bands: tuple[str, ...]) -> torch.Tensor:
        """Gaussian width of each band (1, C): the finer image already carries its own, and variances subtract."""
        if self.sigma is not None:
            return torch.full((1, count), self.sigma, dtype=torch.float64)
        return torch.from_numpy(catalogue_sigma("sentinel-2a", bands) * np.sqrt(1 - 1 / scale**2))[None]

    def observe(
        self, reference: Floats, scale: int, seed: int, storage: Storage = SENTINEL, bands: tuple[str, ...] = ()
    ) -> Floats:
        """(C, scale h, scale w) -> (C, h, w): Gaussian, area mean, noise, rounding to stored units."""
        sharp = torch.from_numpy(np.ascontiguousarray(reference, np.float64))[None]
        seen = degrade(sharp, self.widths(len(reference), scale, bands), scale)[0].numpy()
        noise = np.random.default_rng(seed).standard_normal(seen.shape)
        return storage.rounded(seen + self.noise * noise)

    def project(self, observed: Floats, scale: int, steps: int, bands: tuple[str, ...] = ()) -> Floats:
        """Bicubic, and as many steps of back-projection that is told the true sigma."""
        seen = torch.from_numpy(np.ascontiguousarray(observed, np.float64))[None]
        sigmas = self.widths(len(observed), scale, bands)
        return np.asarray(back_projection(seen, sigmas, scale, steps)[0].numpy())


@dataclass(frozen=True)
class Raster:
    """What one file of a simulated scene holds: reflectance (C, H, W), band names, metres per pixel."""

    values: Floats
    bands: tuple[str, ...]
    gsd_m: float


def write(path: Path, raster: Raster, storage: Storage = SENTINEL) -> Path:
    """A georeferenced raster as a user would have it; rasters of one scene share their corner."""
    gsd, count = raster.gsd_m, len(raster.bands)
    grid = Grid(CRS.from_epsg(32633), Affine(gsd, 0, 5e5, 0, -gsd, 5.3e6), raster.values.shape[1:])
    how = {"descriptions": raster.bands, "scales": [storage.quantum] * count, "cog": False, "overwrite": True}
    with RasterWriter(path, grid=grid, count=count, dtype=storage.dtype, **how) as writer:
        writer.write(np.round(raster.values / storage.quantum).astype(storage.dtype), grid.window)
    return path


def superres(rasters: Sequence[Raster], storage: Storage = SENTINEL, **settings: Any) -> Floats:  # noqa: ANN401
    """Write the rasters, run `rsgan.superres` on the files, read what it wrote: reflectance (C, H, W)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [write(folder / f"{number}.tif", raster, storage) for number, raster in enumerate(rasters)]
        with warnings.catch_warnings(category=RsganWarning, action="ignore"):  # the gsd is not the model's, on purpose
            out = rsgan.superres(sources, folder / "enhanced.tif", cog=False, **settings)
        with Scene.open([out], wanted=None) as scene:
            return scene.read(scene.grid.window).values.astype(np.float64)


def crop(values: Floats, border: int) -> Floats:
    """Without the pixels at the border."""
    return values[:, border:-border, border:-border]


def multiple(values: Floats, step: int) -> Floats:
    """Rows and columns cut to a multiple."""
    height, width = (side // step * step for side in values.shape[1:])
    return values[:, :height, :width]


def spread_text(values: Sequence[float] | Floats, digits: int) -> str:
    """Mean and standard deviation over tiles; a single value as it is."""
    found = np.asarray(values, float)
    return f"{found.mean():.{digits}f}" + (f" ± {found.std():.{digits}f}" if found.size > 1 else "")


def save_picture(path: Path, images: Mapping[str, Floats], bands: Sequence[int], side: int = 72, zoom: int = 4) -> None:
    """The same crop of every image (C, H, W) side by side, stretched alike; `reference` sets the stretch and size.

    Images of fewer pixels are shown in their own pixels, enlarged to the reference's size.
    """
    reference = images["reference"]
    height, width = reference.shape[1:]
    side = min(side, height, width) // 12 * 12
    top, left = (height - side) // 24 * 12, (width - side) // 24 * 12
    low, high = np.quantile(reference[list(bands)], [0.01, 0.99], axis=(1, 2), keepdims=True)
    columns = []
    for values in images.values():
        scale = round(height / values.shape[1])
        shown = values[list(bands)].repeat(scale, 1).repeat(scale, 2)[:, top : top + side, left : left + side]
        shown = np.clip((shown - low) / (high - low), 0, 1).repeat(zoom, 1).repeat(zoom, 2)
        columns.append(np.pad(shown, ((0, 0), (0, 0), (0, zoom)), constant_values=1))
    pixels = (255 * np.concatenate(columns, 2)).astype(np.uint8).transpose(1, 2, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.squeeze()).save(path)
