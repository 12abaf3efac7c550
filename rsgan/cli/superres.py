"""rsgan superres."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsgan.cli.options import (
    device_choice,
    friendly_errors,
    names,
    part_choice,
    precision_choice,
    progress_bar,
    symmetries_choice,
    talk,
    verbosity,
)
from rsgan.errors import RsganError

if TYPE_CHECKING:
    from rsgan.enhance.options import Options, Reading


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
@click.option(
    "--reflectance-scale", type=float, help="Stored number that means reflectance 1  [default: from the file]"
)
@click.option("--gsd", type=float, help="Metres per pixel, where the file does not say.")
@click.option("--nodata", type=float, help="Stored number that says 'no data', where the file does not declare it.")
@click.option(
    "--mask-clouds",
    is_flag=True,
    help="Make clouds, cirrus and cloud shadows nodata, by SCL, MSK_CLASSI, QA_PIXEL or Fmask.",
)
@click.option("--date", help="Which date of a NetCDF file or Zarr group that has several: '2018-05-07'.")
@click.option("--window", type=int, default=512, show_default=True, help="Side of the windows, input pixels.")
@click.option("--batch", type=int, default=1, show_default=True, help="Windows per call of the network.")
@device_choice
@precision_choice
@part_choice
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
@click.option("--dry-run", is_flag=True, help="Say what would be done: model, windows, memory, size, time.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
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
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.enhance.superres import prepare

        job = prepare(
            inputs, settings["out"], model=settings["model"], method=settings["method"], scale=settings["scale"],
            reading=_reading(settings), options=_options(settings),
        )  # fmt: skip
        with job:
            if preview is not None:
                job.check(preview)
            talk((f"note: {note}" for note in job.notes), quiet=quiet)
            talk(job.lines(verbose=verbose), quiet=quiet)
            if dry_run:
                talk([*job.estimate_lines(), "dry run: nothing was written"], quiet=quiet)
                return
            with progress_bar("enhancing", quiet=quiet) as progress:
                result = job.run(progress)
            talk(result.lines(), quiet=quiet)
            click.echo(str(result.path))
            if preview is not None:
                job.preview(preview)
                talk([f"wrote {preview}"], quiet=quiet)


def _reading(settings: dict[str, Any]) -> Reading:
    from rsgan.enhance.options import Reading

    settings = settings | {"gsd_m": settings["gsd"]}
    return Reading(**{field.name: settings[field.name] for field in fields(Reading)})


def _options(settings: dict[str, Any]) -> Options:
    """Options from flags; values that no scene could make right are wrong use."""
    from rsgan.enhance.options import Options

    given = {field.name: settings[field.name] for field in fields(Options) if field.name in settings}
    given |= {"consistency": settings["consistency"] == "on", "symmetries": int(settings["symmetries"])}
    try:
        return Options(**given)
    except RsganError as error:
        raise click.UsageError(str(error)) from error
