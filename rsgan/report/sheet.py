"""Contact sheets: many small pictures in groups, each group below its title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rsgan.report.panels import Panel, limits_of, stretch
from rsgan.report.saving import renamed_when_whole

SIDE, CAPTION, MARGIN, COLUMNS = 128, 14, 6, 8
"""Screen pixels of a thumbnail, of its caption and around it; thumbnails in a row."""


@dataclass(frozen=True)
class Thumbnail:
    """One chip in colour: (SIDE, SIDE, 3) bytes, and what stands below it."""

    pixels: NDArray[np.uint8]
    caption: str


def thumbnail(pixels: NDArray[np.uint8], caption: str) -> Thumbnail:
    """A picture (H, W, 3) of any size."""
    return Thumbnail(np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE))), caption)


def thumbnails(
    chips: NDArray[np.floating], channels: tuple[int, int, int], like: NDArray[np.floating] | None = None
) -> list[Thumbnail]:
    """Chips (N, C, H, W), all with one stretch, so that dark ones look dark; that of other chips, where given."""
    limits = limits_of(Panel("", np.concatenate(list(chips if like is None else like), axis=1)), channels)
    return [thumbnail(stretch(chip[list(channels)], limits), "") for chip in chips]


def save_sheet(path: Path, groups: Mapping[str, Sequence[Thumbnail]]) -> None:
    """Write groups of thumbnails one below the other, each below its title, as PNG."""
    cell, line = SIDE + MARGIN, SIDE + CAPTION + MARGIN
    heights = {title: CAPTION + MARGIN + -(-len(some) // COLUMNS) * line for title, some in groups.items()}
    sheet = Image.new("RGB", (COLUMNS * cell + MARGIN, sum(heights.values()) + MARGIN), "white")
    draw, top = ImageDraw.Draw(sheet), MARGIN
    for title, some in groups.items():
        draw.text((MARGIN, top), title, fill="black")
        for number, one in enumerate(some):
            row, column = divmod(number, COLUMNS)
            left, upper = MARGIN + column * cell, top + CAPTION + row * line
            sheet.paste(Image.fromarray(one.pixels), (left, upper))
            draw.text((left, upper + SIDE), one.caption[: SIDE // 6], fill="black")
        top += heights[title]
    with renamed_when_whole(path) as partial:
        sheet.save(partial, format="PNG")
