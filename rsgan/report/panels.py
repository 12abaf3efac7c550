"""Pictures side by side, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rsgan.errors import OutputError
from rsgan.report.saving import renamed_when_whole

MARGIN = 6
CAPTION = 16
"""Screen pixels around the panels, and above them for their captions."""
PANEL_SIDE = 512
"""Panels smaller than this are enlarged by a whole factor, so that single pixels can be told apart."""
PERCENTILES = (1.0, 99.0)
LEAST_CONTRAST = 1e-3
"""Reflectance from black to white, at least: an even field is shown even, not as its rounding."""
INVALID = 255
"""Byte that shows a pixel without data: white."""


@dataclass(frozen=True)
class Panel:
    """One picture; all panels of a row have one shape.

    Attributes:
        caption: what stands above it.
        values: (C, H, W) reflectance.
        valid: (H, W), False is shown white; None shows every pixel.
    """

    caption: str
    values: NDArray[np.floating]
    valid: NDArray[np.bool_] | None = None


def stretch(values: NDArray[np.floating], limits: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(C, H, W) -> (H, W, C) bytes, each channel from its lower to its upper limit (2, C)."""
    low, high = (limit[:, None, None] for limit in limits)
    scaled = (values - low) / np.maximum(high - low, LEAST_CONTRAST)
    pixels: NDArray[np.uint8] = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    return pixels.transpose(1, 2, 0)


def save_panels(path: Path, panels: Sequence[Panel], channels: tuple[int, int, int]) -> None:
    """Write panels in one row, all with the first one's stretch, so that a colour cast shows.

    Args:
        path: PNG to write.
        panels: pictures of one shape.
        channels: which channels are shown as red, green and blue.

    Raises:
        OutputError: the file cannot be written.
    """
    limits = limits_of(panels[0], channels)
    save_tiles(path, {panel.caption: _picture(panel, limits, channels) for panel in panels})


def save_tiles(path: Path, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
    """Write pictures (H, W, 3) of one shape in one row, each below its caption.

    Raises:
        OutputError: the file cannot be written.
    """
    height, width = next(iter(pictures.values())).shape[:2]
    factor = max(1, PANEL_SIDE // max(height, width))
    height, width = height * factor, width * factor
    sheet = Image.new("RGB", (len(pictures) * (width + MARGIN) + MARGIN, height + CAPTION + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (caption, pixels) in enumerate(pictures.items()):
        left = MARGIN + number * (width + MARGIN)
        draw.text((left, 2), caption, fill="black")
        picture = Image.fromarray(pixels)
        sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, CAPTION + MARGIN))
    _save(sheet, path)


def limits_of(panel: Panel, channels: tuple[int, int, int]) -> NDArray[np.floating]:
    """(2, 3) black and white of each channel, from the valid pixels."""
    shown = panel.values[list(channels)]
    usable = shown.reshape(3, -1) if panel.valid is None or not panel.valid.any() else shown[:, panel.valid]
    limits: NDArray[np.floating] = np.percentile(usable, PERCENTILES, axis=1)
    return limits


def _picture(panel: Panel, limits: NDArray[np.floating], channels: tuple[int, int, int]) -> NDArray[np.uint8]:
    pixels = stretch(panel.values[list(channels)], limits)
    if panel.valid is not None:
        pixels[~panel.valid] = INVALID
    return pixels


def _save(sheet: Image.Image, path: Path) -> None:
    """Write under a temporary name, then rename."""
    try:
        with renamed_when_whole(path) as partial:
            sheet.save(partial, format="PNG")
    except OSError as error:
        raise OutputError(
            f"{path}: the preview cannot be written ({error}). Give another path with --preview."
        ) from error
