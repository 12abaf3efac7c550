"""rsgan evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsgan.cli.options import friendly_errors, progress_bar, talk, verbosity
from rsgan.errors import ConfigError

if TYPE_CHECKING:
    from rsgan.evaluate import Evaluation
    from rsgan.evaluate.speckle import SpeckleEvaluation
    from rsgan.report.page import Table

PIPED_WIDTH = 120
"""Columns of a table that no terminal limits."""


def class_names(_: click.Context, parameter: click.Parameter, text: str | None) -> dict[int, str]:
    """Callback for an option of numbers and names: '1=forest,2=water'."""
    parts = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    if any(not number.strip().isdigit() or not name.strip() for number, _, name in parts):
        raise click.BadParameter(
            f"expected numbers and names such as 1=forest,2=water, found '{text}'", param=parameter
        )
    return {int(number): name.strip() for number, _, name in parts}


@click.command(name="evaluate", short_help="Say how good an enhanced raster is.")
@click.argument("enhanced", type=click.Path(path_type=Path))
@click.option("--reference", type=click.Path(path_type=Path), help="Raster that ENHANCED should equal.")
@click.option("--observed", type=click.Path(path_type=Path), help="Coarser raster from which ENHANCED was made.")
@click.option("--uncertainty", type=click.Path(path_type=Path), help="Raster of the standard errors of ENHANCED.")
@click.option("--landcover", type=click.Path(path_type=Path), help="Raster of classes, for figures of each.")
@click.option("--classes", callback=class_names, metavar="N=NAME,...", help="Names of classes: '1=forest,2=water'.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write every figure there; - for stdout.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a page with pictures (HTML) there.")
@click.option("--data-range", type=float, default=1.0, show_default=True, help="Peak of PSNR and SSIM, reflectance.")
@click.option("--scale", type=int, help="Observed pixel over enhanced pixel  [default: from --observed or the tags]")
@click.option(
    "--psf-sigma", type=float, help="Gaussian of the sensor model, observed pixels  [default: from the tags or the MTF]"
)
@click.option(
    "--sensor", help="By whose names bands are known: sentinel-2a, landsat-8, aerial, ...  [default: sentinel-2a]"
)
@click.option(
    "--reflectance-scale", type=float, help="Stored number that means reflectance 1  [default: from the files]"
)
@click.option("--gsd", type=float, help="Metres per pixel of ENHANCED, where the file does not say.")
@click.option("--nodata", type=float, help="Stored number that says 'no data'  [default: from the files]")
@click.option(
    "--samples", type=int, default=9, show_default=True, help="Windows for SSIM, shift, shares of detail and spectra."
)
@click.option("--speckle", is_flag=True, help="ENHANCED is despeckled SAR  [default: where its tags say so]")
@click.option("--looks", type=float, help="Looks of the observed SAR raster  [default: from the tags, else measured]")
@click.option(
    "--quantity",
    type=click.Choice(["intensity", "amplitude", "db"]),
    help="What the numbers of SAR rasters are  [default: found out]",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files of --json and --report.")
@verbosity
def command(
    enhanced: Path,
    json_path: Path | None,
    report: Path | None,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,  # noqa: ANN401 - click's options
) -> None:
    """Say how good ENHANCED is: errors against a reference, agreement with what was observed, plausible values.

    With --reference and --observed the same figures are given for bicubic interpolation. Bands are matched by name;
    the rasters need the same corners, and pixels that nest. Pixels without data in one of them never count.

    Despeckled SAR is judged by its ratio image, observed over despeckled, and by a reference without speckle.

    \b
    Examples:
      rsgan evaluate sharper.tif --observed scene.tif --report quality.html
      rsgan evaluate clean.tif --observed sar.tif --report speckle.html
      rsgan evaluate sharper.tif --reference truth.tif --observed scene.tif --json figures.json
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        to_stdout = json_path is not None and str(json_path) == "-"
        file = None if to_stdout else json_path
        _check_outputs(file, report, overwrite=overwrite)
        with progress_bar("comparing", quiet=quiet) as progress:
            found = _evaluated(enhanced, settings, progress)
        talk((f"note: {note}" for note in found.notes), quiet=quiet)
        _say(found, verbose=verbose, quiet=quiet)
        if to_stdout:
            click.echo(_json_text(found), nl=False)
        else:
            _print_tables(found)
        _write(found, file, report, quiet=quiet)


def _evaluated(
    enhanced: Path,
    settings: dict[str, Any],
    progress: Any,  # noqa: ANN401 - a function
) -> Evaluation | SpeckleEvaluation:
    """Call evaluate; values and combinations that no raster could make right are wrong use."""
    from rsgan.evaluate import Options, evaluate
    from rsgan.evaluate.speckle import evaluate_speckle, is_despeckled

    keys = ("data_range", "scale", "psf_sigma", "sensor", "reflectance_scale", "nodata", "samples", "classes")
    try:
        if settings["speckle"] or is_despeckled(enhanced):
            sar = {key: settings[key] for key in ("observed", "reference", "looks", "quantity")}
            return evaluate_speckle(enhanced, **sar, progress=progress)
        return evaluate(
            enhanced,
            reference=settings["reference"],
            observed=settings["observed"],
            uncertainty=settings["uncertainty"],
            land_cover=settings["landcover"],
            options=Options(gsd_m=settings["gsd"], **{key: settings[key] for key in keys}),
            progress=progress,
        )
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _check_outputs(json_path: Path | None, report: Path | None, *, overwrite: bool) -> None:
    from rsgan.report.saving import check_text

    if json_path is not None:
        check_text(json_path, "--json", (".json",), overwrite=overwrite)
    if report is not None:
        check_text(report, "--report", (".html", ".htm"), overwrite=overwrite)


def _say(found: Evaluation | SpeckleEvaluation, *, verbose: bool, quiet: bool) -> None:
    """On stderr, what was compared with what."""
    from rsgan.evaluate.speckle import SpeckleEvaluation, lines

    if isinstance(found, SpeckleEvaluation):
        talk(lines(found), quiet=quiet)
        return
    from rsgan.evaluate.page import settings_of, subtitle

    talk([f"compared: {subtitle(found)}"], quiet=quiet)
    if verbose:
        talk((f"{name.lower()}: {value}" for name, value in settings_of(found)), quiet=quiet)


def _print_tables(found: Evaluation | SpeckleEvaluation) -> None:
    """On stdout, every table."""
    from rich.console import Console

    from rsgan.evaluate.speckle import SpeckleEvaluation
    from rsgan.evaluate.tables import tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    for table in found.tables() if isinstance(found, SpeckleEvaluation) else tables(found):
        console.print(_rich(table))


def _rich(table: Table) -> object:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if number == 0 else "right")
    for line, row in enumerate(table.rows):
        marked = ("bold green" if (line, number) in table.best else "" for number in range(len(row)))
        drawn.add_row(*(Text(cell, style) for cell, style in zip(row, marked, strict=True)))
    return drawn


def _json_text(found: Evaluation | SpeckleEvaluation) -> str:
    import json

    return json.dumps(found.to_json(), indent=2, allow_nan=False) + "\n"


def _write(found: Evaluation | SpeckleEvaluation, json_path: Path | None, report: Path | None, *, quiet: bool) -> None:
    from rsgan.report.saving import save_text

    if json_path is not None:
        save_text(json_path, _json_text(found), "--json")
        talk([f"wrote {json_path}"], quiet=quiet)
    if report is not None:
        from rsgan.evaluate.page import page_of
        from rsgan.evaluate.speckle import SpeckleEvaluation
        from rsgan.report.page import render

        page = found.page() if isinstance(found, SpeckleEvaluation) else page_of(found)
        save_text(report, render(page), "--report")
        talk([f"wrote {report}"], quiet=quiet)
