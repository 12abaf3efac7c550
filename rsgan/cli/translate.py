"""rsgan translate."""

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
    talk,
    verbosity,
)


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
@optical_choice
@running_choice(1024)
@click.option("--preview", type=click.Path(path_type=Path), help="PNG with input and translation side by side.")
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
    """Show a raster as another domain would, pixel on pixel: without haze, or what a model of your own has learnt.

    INPUT is one raster with all bands, one raster per band, or a product, as for rsgan superres. Georeferencing and
    nodata are kept; so are data type, band names and scale where both domains hold the same quantity.

    \b
    Examples:
      rsgan translate hazy.tif -o clear.tif --transmission haze.tif --preview look.png
      rsgan translate sar.tif --model runs/sar-to-optical/model.safetensors -o optical.tif
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.enhance.options import Reading
        from rsgan.enhance.translate import prepare
        from rsgan.enhance.translation import TranslateOptions

        prepared = partial(
            prepare, model=settings["model"], direction=settings["direction"], reading=fields_of(Reading, settings),
            options=fields_of(TranslateOptions, settings), out_folder=settings["out_folder"],
        )  # fmt: skip
        given = settings | {"preview": preview}
        if carried_out_each(inputs, prepared, "translating", given, dry_run=dry_run, quiet=quiet, verbose=verbose):
            return
        with prepared(inputs, settings["out"]) as job:
            if preview is not None:
                job.check(preview)
            result = carry_out(job, "translating", dry_run=dry_run, quiet=quiet, verbose=verbose)
            if result is not None and preview is not None:
                job.preview(preview)
                talk([f"wrote {preview}"], quiet=quiet)
