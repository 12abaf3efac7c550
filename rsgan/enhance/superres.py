"""Super-resolution: a multispectral raster in, a sharper one of the same radiometry out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rsgan.enhance.choice import candidates, choose_model, open_fitting, open_scene
from rsgan.enhance.job import Job, plan_job
from rsgan.enhance.options import Options
from rsgan.enhance.walk import Progress
from rsgan.errors import InputError, ModelError, RsganWarning
from rsgan.model import choose_device, find_model, open_model, read_card


def default_output(first: Path, scale: int) -> Path:
    """`scene_x2.tif` beside the first input."""
    return first.with_name(f"{first.stem}_x{scale}.tif")


def prepare(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    scale: int | None = None,
    bands: tuple[str, ...] | None = None,
    reflectance_scale: float | None = None,
    gsd_m: float | None = None,
    nodata: float | None = None,
    mask_clouds: bool = False,
    date: str | None = None,
    options: Options | None = None,
) -> Job:
    """Open the scene and the model, check that they fit and that the output can be written; computes nothing.

    Args:
        sources: one raster of several bands, several single-band rasters on one grid, or a product (Sentinel-2 .SAFE
            folder or zip, Landsat Collection 2 folder or tar).
        out: raster to write; None puts `<stem>_x<scale>.tif` beside the first source.
        model: zoo name or path of a model; None chooses one.
        scale: output pixels per input pixel; None takes the model's.
        bands: names or 1-based numbers of the bands to take, in the model's order.
        reflectance_scale: stored number that means reflectance 1.
        gsd_m: metres per pixel where the files do not say.
        nodata: stored number that says "no data", where the file does not declare it.
        mask_clouds: whether pixels of cloud, cirrus and cloud shadow become nodata, by the scene's own layer of clouds.
        date: which date of a NetCDF file or Zarr group that has several, as in "2018-05-07".
        options: how to enhance.

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    options = options or Options()
    choose_device(options.device)
    _refuse_twice(sources)
    how = {
        "bands": bands,
        "reflectance_scale": reflectance_scale,
        "gsd_m": gsd_m,
        "nodata": nodata,
        "mask_clouds": mask_clouds,
        "date": date,
    }
    if model is None:
        scene, cards = open_fitting(sources, candidates(scale), how)
    else:
        path = find_model(model)
        card = read_card(path)
        if scale not in (None, card.scale):
            raise ModelError(
                f"--scale {scale}: model {card.name} has scale {card.scale}. Leave --scale out or choose another model."
            )
        scene, cards = open_scene(sources, card, how), {path: card}
    try:
        path, reason = choose_model(scene, cards, scale) if model is None else (path, "--model")
        opened = open_model(path)
        opened.generator(options.sharpness)
        target = Path(out) if out is not None else default_output(Path(sources[0]), opened.card.scale)
        return plan_job(scene, opened, reason, target, options)
    except BaseException:
        scene.close()
        raise


def _refuse_twice(sources: Sequence[str | Path]) -> None:
    for number, source in enumerate(sources):
        if source in sources[:number]:
            raise InputError(f"{source} is given twice. Give each file once.")


def superres(
    source: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    scale: int | None = None,
    bands: tuple[str, ...] | None = None,
    reflectance_scale: float | None = None,
    gsd_m: float | None = None,
    nodata: float | None = None,
    mask_clouds: bool = False,
    date: str | None = None,
    preview: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,  # noqa: ANN401 - the fields of Options, checked by it
) -> Path:
    """Sharpen a multispectral raster; the Python twin of `rsgan superres`.

    Args:
        source: one raster of several bands, a product (Sentinel-2 .SAFE folder or zip, Landsat Collection 2 folder or
            tar), or a list of single-band rasters on one grid.
        out: GeoTIFF to write; None puts `<stem>_x<scale>.tif` beside the source.
        model: zoo name or path of a model; None chooses by scale.
        scale: output pixels per input pixel.
        bands: names or 1-based numbers of the bands to take, in the model's order.
        reflectance_scale: stored number that means reflectance 1.
        gsd_m: metres per pixel where the file does not say.
        nodata: stored number that says "no data", where the file does not declare it.
        mask_clouds: whether pixels of cloud, cirrus and cloud shadow become nodata, by the scene's own layer of clouds.
        date: which date of a NetCDF file or Zarr group that has several, as in "2018-05-07".
        preview: PNG with input, bicubic and enhanced side by side.
        progress: called with (windows done, windows in all).
        options: fields of `Options`: sharpness, window, batch, device, precision, bbox, crop, consistency, symmetries,
            noise, psf_sigma, overwrite, cog.

    Returns:
        Path of the raster that was written.

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    job = prepare(
        sources,
        out,
        model=model,
        scale=scale,
        bands=bands,
        reflectance_scale=reflectance_scale,
        gsd_m=gsd_m,
        nodata=nodata,
        mask_clouds=mask_clouds,
        date=date,
        options=Options(**options),
    )
    with job.scene:
        if preview is not None:
            job.check(Path(preview))
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=2)
        result = job.run(progress)
        if preview is not None:
            job.preview(Path(preview))
    return result.path
