"""Pictures side by side, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rsgan.errors import OutputError

MARGIN = 6
CAPTION = 16
PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True)
class Panel:
    """One picture: a caption and (C, H, W) reflectance; all panels of a row have one shape."""

    caption: str
    values: NDArray[np.floating]


def stretch(values: NDArray[np.floating], limits: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(C, H, W) -> (H, W, C) bytes, each channel from its lower to its upper limit (2, C)."""
    low, high = (limit[:, None, None] for limit in limits)
    scaled = (values - low) / np.maximum(high - low, 1e-9)
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
    first = panels[0].values[list(channels)]
    limits = np.percentile(first.reshape(3, -1), PERCENTILES, axis=1)
    height, width = first.shape[1:]
    sheet = Image.new("RGB", (len(panels) * (width + MARGIN) + MARGIN, height + CAPTION + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left = MARGIN + number * (width + MARGIN)
        draw.text((left, 2), panel.caption, fill="black")
        sheet.paste(Image.fromarray(stretch(panel.values[list(channels)], limits)), (left, CAPTION + MARGIN))
    try:
        sheet.save(path, format="PNG")
    except OSError as error:
        raise OutputError(
            f"{path}: the preview cannot be written ({error}). Give another path with --preview."
        ) from error
