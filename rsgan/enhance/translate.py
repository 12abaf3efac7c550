"""Translation: a raster of one domain in, the same ground as another domain shows it out, pixel on pixel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rsgan.card import Domain
from rsgan.enhance.arrays import enhance_array, is_array
from rsgan.enhance.options import Reading, chosen_part, parted, refuse_too_wide
from rsgan.enhance.paths import as_paths, placed, refuse_twice
from rsgan.enhance.translate_job import TranslateJob
from rsgan.enhance.translation import (
    Direction,
    TranslateOptions,
    domains_of,
    way_of,
    windows_of,
)
from rsgan.enhance.twin import carried_out
from rsgan.enhance.walk import Progress
from rsgan.errors import RsganError
from rsgan.geo import open_quantity
from rsgan.model import choose_device, find_model, open_model
from rsgan.radiometry import DTYPES, SAR_INPUT_DTYPES

MODEL = "s2-dehaze"
"""Model of the package that translates when none is named."""


def default_output(first: Path, target: Domain) -> Path:
    """`scene_clear.tif` beside the first input, for a target domain that is called clear."""
    return first.with_name(f"{first.stem}_{target.name.replace(' ', '_')}.tif")


def prepare(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    out_folder: Path | None = None,
    model: str | Path | None = None,
    direction: Direction = "forth",
    reading: Reading | None = None,
    options: TranslateOptions | None = None,
) -> TranslateJob:
    """Open the scene and the model, check that they fit and that the output can be written; computes nothing.

    Args:
        sources: one raster of several bands, or several rasters on one grid.
        out: raster to write; None puts `<stem>_<target>.tif` beside the first source.
        out_folder: where that goes instead, where `out` is None.
        model: zoo name or path of a model; None takes the package's.
        direction: from the model's source to its target domain, or back.
        reading: how the files are read.
        options: how to translate.

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    options, reading = options or TranslateOptions(), reading or Reading()
    if direction not in get_args(Direction):
        raise RsganError(f"--direction {direction}: no such direction; give {' or '.join(get_args(Direction))}.")
    choose_device(options.device)
    refuse_twice(sources)
    opened = open_model(find_model(MODEL if model is None else model))
    source, target = domains_of(opened, direction)
    way = way_of(opened, direction, options.sharpness)
    with ExitStack() as opening:
        scene = opening.enter_context(
            open_quantity(sources, source.quantity, source.bands, sensor_name=source.sensor, **vars(reading))
        )
        part = chosen_part(scene, options)
        refuse_too_wide(part, 1, np.dtype("float32"), len(target.bands), options.window)
        windows = windows_of(scene, opened, way, options, part)
        path = Path(out) if out is not None else placed(default_output(Path(sources[0]), target), out_folder)
        job = TranslateJob(scene, opened, direction, way, path, options, part, tuple(windows))
        job.check()
        opening.pop_all()
        return job


def translate(
    source: Any,  # noqa: ANN401 - paths, or arrays that are not imported for paths
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    direction: Direction = "forth",
    preview: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - the fields of Reading and TranslateOptions, checked by them
) -> Any:  # noqa: ANN401 - a path for paths, an array for an array
    """Show a raster as another domain would: without haze, as another sensor; the Python twin of `rsgan translate`.

    Args:
        source: one raster of several bands, a product, a list of rasters, or an xarray DataArray or Dataset.
        out: GeoTIFF to write; None puts `<stem>_<target>.tif` beside the source (and keeps none of an array).
        model: zoo name or path of a model; None takes the package's, which takes haze off.
        direction: "forth" or "back".
        preview: PNG with input and translation side by side.
        progress: called with (windows done, windows in all).
        settings: fields of `Reading` (bands, reflectance_scale, gsd_m, nodata, mask_clouds, date) and of
            `TranslateOptions` (transmission, sharpness, window, batch, device, precision, bbox, crop, overwrite, cog).

    Returns:
        Path of the raster that was written; for an array, an array of the same kind.

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    if settings.get("transmission") is not None:
        settings["transmission"] = Path(settings["transmission"])

    def planned(sources: Sequence[str | Path], out: str | Path | None) -> TranslateJob:
        reading, options = parted(settings, Reading, TranslateOptions)
        return prepare(sources, out, model=model, direction=direction, reading=reading, options=options)

    if not is_array(source):
        return carried_out(planned(as_paths(source), out), preview, progress)
    at_once = preview is not None or progress is not None or settings.get("transmission") is not None
    return enhance_array(
        translate,
        source,
        out,
        planned=None if at_once else planned,
        dtypes=(*DTYPES, *SAR_INPUT_DTYPES),
        model=model,
        direction=direction,
        preview=preview,
        progress=progress,
        **settings,
    )
