"""Chips of ground that is nowhere: how they are written, marked as synthetic, and known again.

They are marked three times: by the tag `RSGAN_SYNTHETIC`, by the file of labels beside them, and by a watermark in the
pixels, which stays when tags are lost: the last bit of every stored number follows a pattern of 64 x 64 pixels, the
same for all bands. So no number differs by more than one unit (reflectance 0.0001). The watermark survives whatever
keeps the numbers (another format, compression without loss, cropping, mosaics); it is lost when pixels are resampled,
scaled or compressed with loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from rsgan.geo.files import open_raster, without_georeference_warning

TAG: Final = "RSGAN_SYNTHETIC"
REFLECTANCE_SCALE: Final = 10_000
"""Stored number that means reflectance 1."""
LEAST: Final = 2
"""Smallest stored number, so that none becomes 0, which many readers take for "no data"."""
PATTERN: Final = 64
"""Side of the pattern of the watermark, pixels."""
_SEEN: Final = 1024
"""Side of the part of a raster in which the watermark is looked for."""
_SURE, _AGREE = 12.0, 0.7
"""Standard deviations above chance, and share of last bits that agree, from which a raster carries the watermark; of
rasters without it, random last bits give at most about 5, pixels copied to four 10."""


@cache
def pattern() -> NDArray[np.uint8]:
    """(64, 64) bits, from SHA-256 of a counter: the same in every version of everything."""
    digests = [hashlib.sha256(f"rsgan synthetic {n}".encode()).digest() for n in range(PATTERN * PATTERN // 256)]
    return np.unpackbits(np.frombuffer(b"".join(digests), np.uint8)).reshape(PATTERN, PATTERN)


def watermarked(numbers: NDArray[np.unsignedinteger]) -> NDArray[Any]:
    """(C, H, W) stored numbers of at least `LEAST` -> the same with the watermark, none changed by more than 1."""
    height, width = numbers.shape[1:]
    tiled = np.tile(pattern(), (-(-height // PATTERN), -(-width // PATTERN)))[:height, :width]
    return (numbers & ~numbers.dtype.type(1)) | tiled.astype(numbers.dtype)


def has_watermark(numbers: NDArray[Any]) -> bool:
    """Whether (C, H, W) stored numbers carry it, wherever their first pixel lay in the pattern."""
    bits = (numbers.astype(np.int64) & 1).astype(np.float64)
    bits -= bits.mean((1, 2), keepdims=True)
    folded = np.zeros((PATTERN, PATTERN))
    rows, columns = np.mgrid[: numbers.shape[1], : numbers.shape[2]] % PATTERN
    np.add.at(folded, (rows, columns), bits.sum(0))
    signs = 2.0 * pattern() - 1
    found = np.fft.ifft2(np.fft.fft2(folded) * np.conj(np.fft.fft2(signs))).real.max()
    spread = np.sqrt(np.square(bits).sum())
    return bool(spread > 0 and found / spread > _SURE and 0.5 + found / bits.size > _AGREE)


@dataclass(frozen=True)
class Synthetic:
    """What a raster says of itself.

    Attributes:
        tags: those of `write_chip`; empty where they are lost.
        watermark: whether its pixels carry it.
    """

    tags: Mapping[str, str]
    watermark: bool

    @property
    def sentence(self) -> str:
        """For people."""
        by = (
            f"its tags say so (model {self.tags.get('RSGAN_MODEL', 'unknown')})" if self.tags else "its tags are silent"
        )
        seen = "its pixels carry rsgan's watermark" if self.watermark else "its pixels carry no watermark of rsgan"
        return f"synthetic: {by}, {seen}. It shows no ground that exists"


def find_synthetic(path: str) -> Synthetic | None:
    """What says that a raster was made by rsgan; None where nothing does.

    Raises:
        InputError: it cannot be read.
    """
    with open_raster(path) as dataset:
        tags = {key: value for key, value in dataset.tags().items() if key.startswith("RSGAN_")}
        window = Window(0, 0, min(dataset.width, _SEEN), min(dataset.height, _SEEN))
        numbers = dataset.read(window=window)
    if numbers.dtype.kind == "f":  # decoded, as long as the numbers can be got back
        numbers = np.rint(np.nan_to_num(numbers.astype(np.float64)) * REFLECTANCE_SCALE)
    marked = numbers.dtype.kind in "iuf" and has_watermark(numbers)
    return Synthetic(tags if TAG in tags else {}, marked) if TAG in tags or marked else None


def write_chip(
    path: Path,
    reflectance: NDArray[np.floating],
    names: Sequence[str],
    tags: Mapping[str, str],
    gsd_m: float | None,
    labels: NDArray[np.uint8] | None = None,
) -> None:
    """Write a chip as GeoTIFF of 16 bits, marked as synthetic; its pixels have a size, but no place.

    Args:
        path: ends in .tif; its labels, if there are any, go beside it as _labels.tif.
        reflectance: (C, H, W).
        names: of the bands.
        tags: of the file.
        gsd_m: side of a pixel; None for pixels of no size.
        labels: (H, W) class of each pixel, 0 for none.
    """
    stored = np.clip(np.rint(reflectance * REFLECTANCE_SCALE), LEAST, 2**16 - 2).astype(np.uint16)
    transform = None if gsd_m is None else Affine(gsd_m, 0, 0, 0, -gsd_m, 0)
    common: dict[str, Any] = {
        "driver": "GTiff", "height": stored.shape[1], "width": stored.shape[2], "transform": transform,
        "compress": "deflate", "predictor": 2,
    }  # fmt: skip
    with without_georeference_warning():
        with rasterio.open(path, "w", count=len(stored), dtype="uint16", photometric="MINISBLACK", **common) as dataset:
            dataset.descriptions = tuple(names)
            dataset.scales = (1 / REFLECTANCE_SCALE,) * len(stored)
            dataset.update_tags(**{TAG: "yes"}, **tags)
            dataset.write(watermarked(stored))
        if labels is None:
            return
        with rasterio.open(
            path.with_name(f"{path.stem}_labels.tif"), "w", count=1, dtype="uint8", nodata=0, **common
        ) as dataset:
            dataset.update_tags(**{TAG: "yes"}, **tags)
            dataset.write(labels[None])
