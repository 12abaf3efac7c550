"""rsgan translate."""

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
    talk,
    verbosity,
)
from rsgan.errors import RsganError

if TYPE_CHECKING:
    from rsgan.enhance.options import Reading
    from rsgan.enhance.translation import TranslateOptions


@click.command(name="translate", short_help="Take haze off, or show a raster as another domain would.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="GeoTIFF to write  [default: INPUT_<target>.tif beside it]"
)
@click.option("--model", help="Name of a model in the package, or a .safetensors file  [default: s2-dehaze]")
@click.option(
    "--direction",
    type=click.Choice(["forth", "back"]),
    default="forth",
    show_default=True,
    help="back: from the model's target to its source domain, where it has learnt that.",
)
@click.option(
    "--transmission",
    type=click.Path(path_type=Path),
    help="GeoTIFF for the share of the ground's light that gets through the haze: distrust the result where it is low.",
)
@click.option("--sharpness", type=float, help="0 faithful .. 1 adversarial, where a model has both  [default: its own]")
@click.option("--bands", callback=names, help="Bands to take, in the model's order: names or numbers from 1.")
@click.option(
    "--reflectance-scale", type=float, help="Stored number that means reflectance 1  [default: from the file]"
)
@click.option("--gsd", type=float, help="Metres per pixel, where the file does not say.")
@click.option("--nodata", type=float, help="Stored number that says 'no data', where the file does not declare it.")
@click.option("--mask-clouds", is_flag=True, help="Make clouds nodata, by SCL, MSK_CLASSI, QA_PIXEL or Fmask.")
@click.option("--date", help="Which date of a NetCDF file or Zarr group that has several: '2018-05-07'.")
@click.option("--window", type=int, default=1024, show_default=True, help="Side of the windows, pixels.")
@click.option("--batch", type=int, default=1, show_default=True, help="Windows per call of the network.")
@device_choice
@precision_choice
@part_choice
@click.option("--preview", type=click.Path(path_type=Path), help="PNG with input and translation side by side.")
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
    """Show a raster as another domain would, pixel on pixel: without haze, or what a model of your own has learnt.

    INPUT is one raster with all bands, one raster per band, or a product, as for rsgan superres. Georeferencing and
    nodata are kept; so are data type, band names and scale where both domains hold the same quantity.

    \b
    Examples:
      rsgan translate hazy.tif -o clear.tif --transmission haze.tif --preview look.png
      rsgan translate sar.tif --model runs/sar-to-optical/model.safetensors -o optical.tif
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.enhance.translate import prepare

        job = prepare(
            inputs, settings["out"], model=settings["model"], direction=settings["direction"],
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
            with progress_bar("translating", quiet=quiet) as progress:
                result = job.run(progress)
            talk(result.lines(job.domains[1].bands), quiet=quiet)
            click.echo(str(result.path))
            if preview is not None:
                job.preview(preview)
                talk([f"wrote {preview}"], quiet=quiet)


def _reading(settings: dict[str, Any]) -> Reading:
    from rsgan.enhance.options import Reading

    settings = settings | {"gsd_m": settings["gsd"]}
    return Reading(**{field.name: settings[field.name] for field in fields(Reading)})


def _options(settings: dict[str, Any]) -> TranslateOptions:
    """Options from flags; values that no scene could make right are wrong use."""
    from rsgan.enhance.translation import TranslateOptions

    try:
        return TranslateOptions(**{f.name: settings[f.name] for f in fields(TranslateOptions) if f.name in settings})
    except RsganError as error:
        raise click.UsageError(str(error)) from error
