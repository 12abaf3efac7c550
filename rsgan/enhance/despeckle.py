"""Despeckling: a SAR raster in, the same raster without speckle out, its radiometry kept."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rsgan.enhance.arrays import enhance_array, is_array
from rsgan.enhance.despeckle_job import DespeckleJob
from rsgan.enhance.options import chosen_part, parted, refuse_too_wide
from rsgan.enhance.paths import as_paths, placed, refuse_twice
from rsgan.enhance.speckle import same_polarisation
from rsgan.enhance.speckle_method import (
    DespeckleOptions,
    SarReading,
    Way,
    chosen_method,
)
from rsgan.enhance.walk import Progress
from rsgan.errors import ConfigError, RsganError, RsganWarning
from rsgan.geo import Scene, plan
from rsgan.model import choose_device
from rsgan.radiometry import SAR_INPUT_DTYPES, Backscatter


def default_output(first: Path) -> Path:
    """`scene_despeckled.tif` beside the first input."""
    return first.with_name(f"{first.stem}_despeckled.tif")


def prepare(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    out_folder: Path | None = None,
    method: Way = "network",
    model: str | Path | None = None,
    reading: SarReading | None = None,
    options: DespeckleOptions | None = None,
) -> DespeckleJob:
    """Open the scene and the model, check that they fit and that the output can be written; computes nothing.

    Args:
        sources: one raster of several polarisations, or several rasters on one grid; for `quegan-yu`, of several dates.
        out: raster to write; None puts `<stem>_despeckled.tif` beside the first source.
        out_folder: where that goes instead, where `out` is None.
        method: a network or one of the learning-free filters.
        model: zoo name or path of a model; None takes the package's.
        reading: how the files are read.
        options: how to despeckle.

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    options, reading = options or DespeckleOptions(), reading or SarReading()
    if method not in get_args(Way):
        raise ConfigError(f"--method {method}: no such method; give {' or '.join(get_args(Way))}.")
    choose_device(options.device)
    refuse_twice(sources)
    way = chosen_method(method, model, options)
    with ExitStack() as opening:
        scene = opening.enter_context(Scene.open_sar(sources, **vars(reading)))
        groups = same_polarisation(scene.bands)
        if method == "quegan-yu" and max(map(len, groups)) < 2:
            raise ConfigError(
                f"--method quegan-yu averages over dates, but {scene.name} has {' '.join(scene.bands)}: one of each. "
                "Give the rasters of two dates or more, on one grid."
            )
        target = Path(out) if out is not None else placed(default_output(Path(sources[0])), out_folder)
        part = chosen_part(scene, options)
        refuse_too_wide(part, 1, np.dtype("float32"), len(scene.bands), options.window)
        windows = plan(scene.grid.shape, options.window, stride=way.stride, halo=way.reach, part=part)
        job = DespeckleJob(scene, way, target, options, part, tuple(windows), _stored(scene, options))
        job.check()
        opening.pop_all()
        return job


def _stored(scene: Scene, options: DespeckleOptions) -> Backscatter:
    """What the output's numbers mean: what the input's do, unless another quantity is asked for."""
    found = scene.radiometry
    if not isinstance(found, Backscatter):
        raise RsganError(f"{scene.name} was not opened as SAR.")
    asked = options.output_quantity
    if asked is not None and asked != found.quantity:
        return found.as_quantity(asked)
    return replace(found, is_complex=False)


def despeckle(
    source: Any,  # noqa: ANN401 - paths, or arrays that are not imported for paths
    out: str | Path | None = None,
    *,
    method: Way = "network",
    model: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - the fields of SarReading and DespeckleOptions, checked by them
) -> Any:  # noqa: ANN401 - a path for paths, an array for an array
    """Remove the speckle of a SAR raster; the Python twin of `rsgan despeckle`.

    Args:
        source: a raster of one polarisation or more, a list of rasters on one grid, or an xarray DataArray or Dataset.
        out: GeoTIFF to write; None puts `<stem>_despeckled.tif` beside the source (and keeps none of an array).
        method: "network" runs a model; the others are learning-free filters.
        model: zoo name or path of a model; None takes the package's.
        progress: called with (windows done, windows in all).
        settings: fields of `SarReading` (bands, quantity, stored_scale, nodata, date, gsd_m) and of `DespeckleOptions`
            (looks, correlation, filter_size, output_quantity, ratio, sharpness, window, batch, device, precision, bbox,
            crop, symmetries, overwrite, cog).

    Returns:
        Path of the raster that was written; for an array, an array of the same kind.

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    if settings.get("ratio") is not None:
        settings["ratio"] = Path(settings["ratio"])

    def planned(sources: Sequence[str | Path], out: str | Path | None) -> DespeckleJob:
        reading, options = parted(settings, SarReading, DespeckleOptions)
        return prepare(sources, out, method=method, model=model, reading=reading, options=options)

    if is_array(source):
        at_once = progress is not None or settings.get("ratio") is not None
        return enhance_array(
            despeckle,
            source,
            out,
            planned=None if at_once else planned,
            dtypes=SAR_INPUT_DTYPES,
            method=method,
            model=model,
            progress=progress,
            **settings,
        )
    with planned(as_paths(source), out) as job:
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=2)
        return job.run(progress).path
