"""rsgan despeckle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from rsgan.cli.archive import carried_out_each
from rsgan.cli.options import (
    carry_out,
    date_choice,
    fields_of,
    friendly_errors,
    gsd_choice,
    names,
    nodata_choice,
    numbers,
    output_choice,
    running_choice,
    symmetries_choice,
    talk,
    verbosity,
)

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
@gsd_choice
@nodata_choice
@click.option("--zero-valid", is_flag=True, help="An intensity of exactly 0 was measured; else it is fill.")
@date_choice
@running_choice(768)
@symmetries_choice("1 is about three times as fast as 4, and 0.15 to 0.3 dB worse")
@output_choice
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
      rsgan despeckle archive/*.tif -O clean/ --skip-existing
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.enhance.despeckle import prepare
        from rsgan.enhance.speckle_method import DespeckleOptions, SarReading
        from rsgan.enhance.speckle_report import check_pictures, save_preview, save_report

        settings |= {"symmetries": int(settings["symmetries"])}
        prepared = partial(
            prepare, method=settings["method"], model=settings["model"], reading=fields_of(SarReading, settings),
            options=fields_of(DespeckleOptions, settings), out_folder=settings["out_folder"],
        )  # fmt: skip
        given = settings | {"preview": preview, "report": report}
        if carried_out_each(inputs, prepared, "despeckling", given, dry_run=dry_run, quiet=quiet, verbose=verbose):
            return
        with prepared(inputs, settings["out"]) as job:
            job.check(preview)
            check_pictures(report, preview, overwrite=settings["overwrite"])
            result = carry_out(job, "despeckling", dry_run=dry_run, quiet=quiet, verbose=verbose)
            for path, save in ((report, save_report), (preview, save_preview)):
                if result is not None and path is not None:
                    save(path, job, result)
                    talk([f"wrote {path}"], quiet=quiet)
