"""Super-resolution: a multispectral raster in, a sharper one of the same radiometry out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, get_args

from rsgan.enhance.arrays import enhance_array, is_array
from rsgan.enhance.choice import candidates, choose_model, open_fitting, open_guide, open_scene
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.job import Job, plan_job
from rsgan.enhance.method import Method
from rsgan.enhance.options import Options, Reading, parted
from rsgan.enhance.paths import as_paths, placed, refuse_twice
from rsgan.enhance.twin import carried_out
from rsgan.enhance.walk import Progress
from rsgan.errors import ConfigError, ModelError
from rsgan.geo import Scene
from rsgan.model import choose_device, find_model, open_model, read_card

Way = Literal["network", "linear"]
"""`network` runs a model; `linear` injects the detail of finer bands by a law that the scene itself teaches."""


def default_output(first: Path, scale: int) -> Path:
    """`scene_x2.tif` beside the first input."""
    return first.with_name(f"{first.stem}_x{scale}.tif")


def prepare(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    out_folder: Path | None = None,
    model: str | Path | None = None,
    method: Way = "network",
    scale: int | None = None,
    reading: Reading | None = None,
    options: Options | None = None,
) -> Job:
    """Open the scene and the model, check that they fit and that the output can be written; computes nothing.

    Args:
        sources: one raster of several bands, or several rasters; bands that are taken together share one grid.
        out: raster to write; None puts `<stem>_x<scale>.tif` beside the first source.
        out_folder: where that goes instead, where `out` is None.
        model: zoo name or path of a model; None chooses one.
        method: a network, or the linear injection of finer bands.
        scale: output pixels per input pixel; None takes the model's.
        reading: how the files are read.
        options: how to enhance.

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    options, reading = options or Options(), reading or Reading()
    if method not in get_args(Way):
        raise ConfigError(f"--method {method}: no such method; give {' or '.join(get_args(Way))}.")
    choose_device(options.device)
    refuse_twice(sources)
    with ExitStack() as opening:
        plan = _linear if method == "linear" else _network
        scene, guiding, way = plan(sources, model, scale, reading, options, opening)
        source = Path(sources[0] if len(sources) == 1 else scene.files[0])
        target = Path(out) if out is not None else placed(default_output(source, way.scale), out_folder)
        job = plan_job(scene, guiding, way, target, options)
        opening.pop_all()
        return job


Planned = tuple[Scene, Guiding | None, Method]


def _network(
    sources: Sequence[str | Path],
    model: str | Path | None,
    scale: int | None,
    reading: Reading,
    options: Options,
    opening: ExitStack,
) -> Planned:
    """Scene, guide and method for a model: the one asked for, or the one that fits."""
    if model is None:
        scene, cards = open_fitting(sources, candidates(scale), reading)
        opening.enter_context(scene)
        path, reason = choose_model(scene, cards, scale)
    else:
        path, reason = find_model(model), "--model"
        card = read_card(path)
        if card.task != "superres":
            raise ModelError(f"--model {card.name} is for {card.task}, not for super-resolution. See rsgan models.")
        if scale not in (None, card.scale):
            raise ModelError(
                f"--scale {scale}: model {card.name} has scale {card.scale}. Leave --scale out or choose another model."
            )
        scene = opening.enter_context(open_scene(sources, card, reading))
    opened = open_model(path)
    opened.generator(options.sharpness)
    guiding = None
    if opened.card.guide:
        guiding = open_guide(sources, opened.card, scene, reading)
        opening.enter_context(guiding.scene)
    return scene, guiding, Method.of_model(opened, reason)


def _linear(
    sources: Sequence[str | Path],
    model: str | Path | None,
    scale: int | None,
    reading: Reading,
    options: Options,
    opening: ExitStack,
) -> Planned:
    """Scene and guide for the linear method: the bands of a model's card, else the coarser and the finest ones."""
    if options.sharpness:
        raise ModelError(
            f"--sharpness {options.sharpness:g}: --method linear has no adversarial network. Leave --sharpness out."
        )
    card = None if model is None else read_card(find_model(model))
    if card is not None and not card.guide:
        raise ModelError(f"--method linear: model {card.name} has no finer bands that guide. Leave --model out.")
    if card is not None:
        scene = open_scene(sources, card, reading)
    else:
        scene = reading.open(sources, None, rank=None if reading.bands else 1)
    opening.enter_context(scene)
    guiding = open_guide(sources, card, scene, reading)
    opening.enter_context(guiding.scene)
    if scale not in (None, guiding.scale):
        raise ModelError(
            f"--scale {scale}: the finer bands have {guiding.scale} pixels per coarse pixel, which is the scale of "
            "--method linear. Leave --scale out."
        )
    return scene, guiding, Method.linear(guiding)


def superres(
    source: Any,  # noqa: ANN401 - paths, or arrays that are not imported for paths
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    method: Way = "network",
    scale: int | None = None,
    preview: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - the fields of Reading and Options, checked by them
) -> Any:  # noqa: ANN401 - a path for paths, an array for an array
    """Sharpen a multispectral raster; the Python twin of `rsgan superres`.

    Args:
        source: one raster of several bands, a product (Sentinel-2 .SAFE folder or zip, Landsat Collection 2 folder or
            tar, STAC item), a NetCDF file or Zarr group, a list of rasters, or an xarray DataArray or Dataset.
        out: GeoTIFF to write; None puts `<stem>_x<scale>.tif` beside the source (and keeps none of an array).
        model: zoo name or path of a model; None chooses by bands, pixels and scale.
        method: "network" runs a model; "linear" injects the detail of finer bands by a law that the scene teaches.
        scale: output pixels per input pixel.
        preview: PNG with input, bicubic and enhanced side by side.
        progress: called with (windows done, windows in all).
        settings: fields of `Reading` (bands, reflectance_scale, gsd_m, nodata, mask_clouds, date) and of `Options`
            (sharpness, window, batch, device, precision, bbox, crop, consistency, symmetries, noise, psf_sigma, stack,
            adapt, uncertainty, overwrite, cog).

    Returns:
        Path of the raster that was written; for an array, an array of the same kind.

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    if settings.get("uncertainty") is not None:
        settings["uncertainty"] = Path(settings["uncertainty"])

    def planned(sources: Sequence[str | Path], out: str | Path | None) -> Job:
        reading, options = parted(settings, Reading, Options)
        return prepare(sources, out, model=model, method=method, scale=scale, reading=reading, options=options)

    if not is_array(source):
        return carried_out(planned(as_paths(source), out), preview, progress)
    at_once = preview is not None or progress is not None or bool({"uncertainty", "adapt"} & settings.keys())
    return enhance_array(
        superres,
        source,
        out,
        planned=None if at_once else planned,
        model=model,
        method=method,
        scale=scale,
        preview=preview,
        progress=progress,
        **settings,
    )
