"""rsgan superres."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from rsgan.cli.archive import carried_out_each
from rsgan.cli.options import (
    carry_out,
    fields_of,
    friendly_errors,
    names,
    optical_choice,
    output_choice,
    running_choice,
    symmetries_choice,
    talk,
    verbosity,
)


@click.command(name="superres", short_help="Sharpen a multispectral raster.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="GeoTIFF to write  [default: INPUT_x2.tif beside the input]"
)
@click.option(
    "--model", help="Name of a model in the package, or a .safetensors file  [default: by bands, gsd and --scale]"
)
@click.option(
    "--method",
    type=click.Choice(["network", "linear"]),
    default="network",
    show_default=True,
    help="linear: bring coarse bands to the finest pixels of the files by a law that the scene itself teaches, in "
    "seconds; for any sensor, and for pan-sharpening.",
)
@click.option("--scale", type=int, help="Output pixels per input pixel: 2 or 4  [default: the model's]")
@click.option(
    "--sharpness", type=float, help="0 faithful .. 1 adversarial (sharper, invents detail)  [default: the model's]"
)
@click.option(
    "--bands", callback=names, help="Bands to take, in the model's order: names or numbers from 1, 'B02,B03,B04,B08'."
)
@optical_choice
@running_choice(512, precision="auto")
@click.option(
    "--consistency",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Closing steps with the sensor model.",
)
@symmetries_choice("1 is four times as fast as 4, and about 0.06 dB worse")
@click.option("--noise", type=float, help="Noise standard deviation, reflectance  [default: estimated once per scene]")
@click.option(
    "--psf-sigma", type=float, help="Gaussian width of the point spread function, input pixels  [default: estimated]"
)
@click.option("--stack", is_flag=True, help="Write the finer bands that guide too: all bands on one grid.")
@click.option(
    "--adapt",
    is_flag=True,
    help="Fit a guided network to the scene itself first, one scale up (minutes); kept only if that helps.",
)
@click.option(
    "--uncertainty",
    type=click.Path(path_type=Path),
    help="GeoTIFF for the standard error of every pixel (reflectance), as calibrated on held-out places.",
)
@click.option("--preview", type=click.Path(path_type=Path), help="PNG with input, bicubic and enhanced side by side.")
@output_choice
@verbosity
def command(
    inputs: tuple[str, ...],
    preview: Path | None,
    dry_run: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,  # noqa: ANN401 - click's options
) -> None:
    """Sharpen a multispectral raster: GeoTIFF, COG, VRT, JPEG 2000, Sentinel-2 or Landsat product in, GeoTIFF out.

    INPUT is one raster with all bands, one raster per band, or a product: a Sentinel-2 .SAFE folder or .zip (L1C, L2A),
    or a Landsat 8 or 9 Collection 2 folder or .tar. Georeferencing, nodata, data type, band names and
    radiometry are kept. Detail finer than the input's pixels is estimated, not observed.

    \b
    Examples:
      rsgan superres scene.tif -o sharper.tif --preview look.png
      rsgan superres B02.tif B03.tif B04.tif B08.tif --scale 4 -o sharper.tif
      rsgan superres archive/*.tif -O sharper/ --skip-existing
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.enhance.options import Options, Reading
        from rsgan.enhance.superres import prepare

        settings |= {"consistency": settings["consistency"] == "on", "symmetries": int(settings["symmetries"])}
        prepared = partial(
            prepare, model=settings["model"], method=settings["method"], scale=settings["scale"],
            reading=fields_of(Reading, settings), options=fields_of(Options, settings),
            out_folder=settings["out_folder"],
        )  # fmt: skip
        given = settings | {"preview": preview}
        if carried_out_each(inputs, prepared, "enhancing", given, dry_run=dry_run, quiet=quiet, verbose=verbose):
            return
        with prepared(inputs, settings["out"]) as job:
            if preview is not None:
                job.check(preview)
            result = carry_out(job, "enhancing", dry_run=dry_run, quiet=quiet, verbose=verbose)
            if result is not None and preview is not None:
                job.preview(preview)
                talk([f"wrote {preview}"], quiet=quiet)
