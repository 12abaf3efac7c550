"""A look at the result: input, bicubic and enhanced side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rsgan.errors import OutputError
from rsgan.geo import Scene, Window, fill, scale_window
from rsgan.geo.files import open_raster
from rsgan.report.panels import Panel, save_panels
from rsgan.sensors.optical import upsample

PREVIEW_SIDE = 128
"""Side of the part of the scene that a preview shows, input pixels."""
LEAST_VALID = 0.5
"""Share of valid pixels from which a part of the scene is worth showing."""
PLACES = (0.5, 0.25, 0.75, 0.0, 1.0)
"""Where a part worth showing is looked for, as shares of the height and width; the middle first."""


def check_preview(path: Path, *, overwrite: bool) -> None:
    """Refuse a preview that could not or should not be written, before anything is computed.

    Raises:
        OutputError: it is no PNG, exists and may not be replaced, or its folder is missing.
    """
    if path.suffix.casefold() != ".png":
        raise OutputError(f"--preview {path} does not end in .png; a PNG is written. Rename it.")
    if path.is_dir():
        raise OutputError(f"--preview {path} is a folder; expected the name of a PNG file.")
    if path.exists() and not overwrite:
        raise OutputError(f"--preview {path} exists already. Give --overwrite to replace it, or another name.")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"--preview {path}: folder {path.absolute().parent} does not exist. Create it first.")


def save_preview(
    path: Path, scene: Scene, enhanced: Path, *, part: Window, scale: int, caption: str, indexes: list[int]
) -> None:
    """Show the middle of the part that was enhanced, or another place where the middle is mostly nodata.

    Args:
        path: PNG to write.
        scene: open scene.
        enhanced: raster made from `part` of it.
        part: window of the scene that was enhanced.
        scale: output pixels per input pixel.
        caption: of the enhanced panel.
        indexes: 1-based numbers of the scene's bands in the enhanced raster.

    Raises:
        OutputError: the file cannot be written.
    """
    window = worth_showing(scene, part)
    chip = scene.read(window)
    background = [np.median(band[ok]) if ok.any() else 0.0 for band, ok in zip(chip.values, chip.valid, strict=True)]
    seen = fill(chip, background)
    inside = Window(window.col_off - part.col_off, window.row_off - part.row_off, window.width, window.height)
    with open_raster(str(enhanced)) as dataset:
        dn = dataset.read(indexes, window=scale_window(inside, scale))
    channels = _rgb(scene)
    valid = np.all(chip.valid[list(channels)], axis=0).repeat(scale, axis=0).repeat(scale, axis=1)
    pictures = {
        "input": seen.repeat(scale, axis=1).repeat(scale, axis=2),
        "bicubic": upsample(torch.from_numpy(seen)[None], scale)[0].numpy(),
        caption: np.nan_to_num(scene.radiometry.to_physical(dn)),
    }
    save_panels(path, [Panel(name, values, valid) for name, values in pictures.items()], channels)


def worth_showing(scene: Scene, part: Window, side: int = PREVIEW_SIDE) -> Window:
    """The first place with enough valid pixels, else the one with most of them."""
    best, most = part, -1.0
    height, width = min(side, part.height), min(side, part.width)
    for down, right in ((down, right) for down in PLACES for right in PLACES):
        row = part.row_off + round((part.height - height) * down)
        column = part.col_off + round((part.width - width) * right)
        window = Window(column, row, width, height)
        share = float(scene.read(window).valid.mean())
        if share > most:
            best, most = window, share
        if share >= LEAST_VALID:
            break
    return best


def _rgb(scene: Scene) -> tuple[int, int, int]:
    """Channels to show as red, green, blue."""
    if {"B04", "B03", "B02"} <= set(scene.bands):
        return scene.bands.index("B04"), scene.bands.index("B03"), scene.bands.index("B02")
    last = len(scene.bands) - 1
    return min(2, last), min(1, last), 0
