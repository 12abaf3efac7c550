"""rsgan despeckle."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsgan.cli.options import (
    device_choice,
    friendly_errors,
    names,
    numbers,
    part_choice,
    precision_choice,
    progress_bar,
    symmetries_choice,
    talk,
    verbosity,
)
from rsgan.errors import RsganError

if TYPE_CHECKING:
    from rsgan.enhance.speckle_method import DespeckleOptions, SarReading

QUANTITIES = click.Choice(["intensity", "amplitude", "db"])


def looks_or_auto(_: click.Context, parameter: click.Parameter, text: str) -> float | None:
    """Callback for a number of looks, or auto."""
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"expected a number or auto, found '{text}'", param=parameter) from None


@click.command(name="despeckle", short_help="Remove the speckle of a SAR raster.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="GeoTIFF to write  [default: INPUT_despeckled.tif beside the input]",
)
@click.option(
    "--method",
    type=click.Choice(["network", "lee", "refined-lee", "lee-sigma", "gamma-map", "frost", "boxcar", "quegan-yu"]),
    default="network",
    show_default=True,
    help="network, a learning-free filter, or quegan-yu for several dates of one scene.",
)
@click.option("--model", help="Name of a model in the package, or a .safetensors file  [default: sar-despeckle]")
@click.option(
    "--looks",
    default="auto",
    show_default=True,
    callback=looks_or_auto,
    metavar="auto|N",
    help="Equivalent number of looks; auto measures it in each band.",
)
@click.option(
    "--correlation",
    callback=numbers(2, float),
    metavar="ROWS,COLUMNS",
    help="Correlation of neighbouring intensities, from row to row and column to column  [default: measured]",
)
@click.option("--quantity", type=QUANTITIES, help="What the stored numbers are  [default: found out, and said]")
@click.option("--output-quantity", type=QUANTITIES, help="What the output's numbers are  [default: as in the input]")
@click.option(
    "--stored-scale", type=float, help="Stored number that means 1 dB or 1 unit, where the file does not say."
)
@click.option(
    "--sharpness", type=float, help="0 faithful .. 1 adversarial (sharper, invents detail)  [default: the model's]"
)
@click.option("--filter-size", type=int, default=7, show_default=True, help="Side of a filter's window, pixels.")
@click.option("--ratio", type=click.Path(path_type=Path), help="GeoTIFF for observed / despeckled, float32.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="HTML page with crops, ratio histogram and figures, or their numbers as JSON, by the ending.",
)
@click.option(
    "--preview", type=click.Path(path_type=Path), help="PNG with observed, despeckled and ratio side by side."
)
@click.option("--bands", callback=names, help="Bands to take: names or numbers from 1, 'VV,VH'  [default: all]")
@click.option("--gsd", type=float, help="Metres per pixel, where the file does not say.")
@click.option("--nodata", type=float, help="Stored number that says 'no data', where the file does not declare it.")
@click.option("--zero-valid", is_flag=True, help="An intensity of exactly 0 was measured; else it is fill.")
@click.option("--date", help="Which date of a NetCDF file or Zarr group that has several: '2018-05-07'.")
@click.option("--window", type=int, default=768, show_default=True, help="Side of the windows, pixels.")
@click.option("--batch", type=int, default=1, show_default=True, help="Windows per call of the network.")
@device_choice
@precision_choice
@part_choice
@symmetries_choice("1 is about three times as fast as 4, and 0.15 to 0.3 dB worse")
@click.option("--dry-run", is_flag=True, help="Say what would be done: quantity, windows, memory, size, time.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@verbosity
def command(
    inputs: tuple[str, ...],
    report: Path | None,
    preview: Path | None,
    dry_run: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,  # noqa: ANN401 - click's options
) -> None:
    """Remove the speckle of a SAR raster: intensity, amplitude, dB or complex in, GeoTIFF of the same numbers out.

    INPUT is one raster of one polarisation or more, or one raster per polarisation; for --method quegan-yu, one per
    date. Georeferencing, nodata, data type, band names and mean intensity are kept; every polarisation is despeckled by
    itself.

    \b
    Examples:
      rsgan despeckle sar.tif -o clean.tif --ratio ratio.tif --report clean.html
      rsgan despeckle vv.tif vh.tif --looks 4.4 --method refined-lee -o lee.tif
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.enhance.despeckle import prepare
        from rsgan.enhance.speckle_report import check_pictures, save_preview, save_report

        job = prepare(
            inputs, settings["out"], method=settings["method"], model=settings["model"],
            reading=_reading(settings), options=_options(settings),
        )  # fmt: skip
        with job:
            job.check(preview)
            check_pictures(report, preview, overwrite=settings["overwrite"])
            talk((f"note: {note}" for note in job.notes), quiet=quiet)
            talk(job.lines(verbose=verbose), quiet=quiet)
            if dry_run:
                talk([*job.estimate_lines(), "dry run: nothing was written"], quiet=quiet)
                return
            with progress_bar("despeckling", quiet=quiet) as progress:
                result = job.run(progress)
            talk(result.lines(job.scene.bands), quiet=quiet)
            click.echo(str(result.path))
            for path, save in ((report, save_report), (preview, save_preview)):
                if path is not None:
                    save(path, job, result)
                    talk([f"wrote {path}"], quiet=quiet)


def _reading(settings: dict[str, Any]) -> SarReading:
    from rsgan.enhance.speckle_method import SarReading

    settings = settings | {"gsd_m": settings["gsd"]}
    return SarReading(**{field.name: settings[field.name] for field in fields(SarReading)})


def _options(settings: dict[str, Any]) -> DespeckleOptions:
    """Options from flags; values that no scene could make right are wrong use."""
    from rsgan.enhance.speckle_method import DespeckleOptions

    given = {field.name: settings[field.name] for field in fields(DespeckleOptions) if field.name in settings}
    try:
        return DespeckleOptions(**given | {"symmetries": int(settings["symmetries"])})
    except RsganError as error:
        raise click.UsageError(str(error)) from error
