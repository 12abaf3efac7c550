"""Numbers as colours, and pixels as PNG files."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RAMP = ((18, 12, 40), (77, 26, 112), (163, 44, 102), (230, 92, 64), (250, 170, 60), (253, 240, 180))
"""From low to high, evenly spaced: growing lightness, so that it reads in grey and for every kind of colour vision."""


def ramp_css() -> tuple[str, ...]:
    """The ramp as CSS colours, low to high."""
    return tuple(f"rgb({red} {green} {blue})" for red, green, blue in RAMP)


def coloured(values: NDArray[np.floating], high: float) -> NDArray[np.uint8]:
    """(H, W) numbers -> (H, W, 4) bytes, from 0 to `high` along the ramp; what is not finite is transparent."""
    known = np.isfinite(values)
    share = np.clip(np.where(known, values, 0.0) / max(high, 1e-12), 0, 1)
    stops = np.linspace(0, 1, len(RAMP))
    channels = [np.interp(share, stops, [colour[number] for colour in RAMP]) for number in range(3)]
    return np.stack([*channels, np.where(known, 255, 0)], axis=-1).round().astype(np.uint8)


def with_gaps(pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 3) bytes -> (H, W, 4), transparent where not valid."""
    opaque = np.where(valid, np.uint8(255), np.uint8(0))[..., None]
    return np.concatenate([pixels, opaque], axis=-1)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 4) bytes as a PNG file; the alpha channel is left out where everything is opaque."""
    shown = pixels[..., :3] if np.all(pixels[..., 3] == 255) else pixels
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(file, format="PNG", optimize=True)
    return file.getvalue()
