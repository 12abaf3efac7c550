"""rsgan diagnose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rsgan.cli.options import (
    device_choice,
    fields_of,
    friendly_errors,
    names,
    optical_choice,
    progress_bar,
    talk,
    verbosity,
)


@click.command(name="diagnose", short_help="Where invented detail is told from real, per land cover.")
@click.option("--observed", required=True, multiple=True, help="What the model is given; may be given again, per band.")
@click.option("--model", default="s2-rgbn-x2", show_default=True, help="Name of a model in the package, or a file.")
@click.option("--reference", help="What the enhanced raster should equal, on the enhanced grid.")
@click.option("--enhanced", help="What the model made of it  [default: it is made]")
@click.option("--landcover", help="Raster of classes, in any CRS; or 'indices' for NDVI, NDWI and brightness.")
@click.option("--legend", help="worldcover, dynamic-world, nlcd, corine, or a CSV of number,name  [default: found out]")
@click.option("--purity", type=float, default=0.7, show_default=True, help="Share of a patch that its class must have.")
@click.option(
    "--refit",
    type=int,
    default=0,
    show_default=True,
    help="Updates of a fresh discriminator, cross-fitted over folds of the scene; 0 asks the one left from training.",
)
@click.option(
    "--noise", type=float, default=0.0, show_default=True, help="Instance noise of the fresh one, network units."
)
@click.option("--channels", type=int, default=16, show_default=True, help="Width of the fresh one, its capacity.")
@click.option(
    "--calibration",
    type=click.Choice(["none", "temperature", "platt", "isotonic"]),
    default="platt",
    show_default=True,
    help="Of density ratios, on blocks that are held out.",
)
@click.option("--sharpness", type=float, help="Of the enhancement, where it is made here  [default: the model's]")
@click.option("--bands", callback=names, help="Bands to take, in the model's order: names or numbers from 1.")
@optical_choice
@device_choice
@click.option("--seed", type=int, default=0, show_default=True, help="Of folds, batches, noise and intervals.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for report and maps."
)
@click.option("--overwrite", is_flag=True, help="Write into a folder that holds a report already.")
@verbosity
def command(
    observed: tuple[str, ...],
    out: Path,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,  # noqa: ANN401 - click's options
) -> None:
    """Ask a model's discriminator where its generator falls short: on the ground, and per class of land cover.

    The folder gets index.html, diagnosis.json, classes.csv, overview.png, and GeoTIFFs of logits whose pixels lie where
    the patches are centred: real.tif, generated.tif and difference.tif. Of a despeckled raster the ratio image is
    judged, beside speckle of the same law that is drawn afresh; it needs no reference.

    \b
    Examples:
      rsgan diagnose --observed coarse.tif --reference fine.tif --landcover classes.tif --refit 300 -o report/
      rsgan diagnose --observed coarse.tif --landcover indices -o logits/
      rsgan diagnose --observed sar.tif --model sar-despeckle --bands VV -o ratio/
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.diagnose import Settings, diagnose
        from rsgan.diagnose.saving import prepare_folder, save
        from rsgan.enhance.options import Reading
        from rsgan.enhance.speckle_method import SarReading
        from rsgan.model import find_model, read_card

        radar = read_card(find_model(settings["model"])).task == "despeckle"
        given = fields_of(Settings, settings)
        reading = fields_of(SarReading, settings) if radar else fields_of(Reading, settings)
        prepare_folder(out, overwrite=overwrite)
        with progress_bar("judging", quiet=quiet) as progress:
            found = diagnose(
                observed, model=settings["model"], reference=settings["reference"], enhanced=settings["enhanced"],
                reading=reading, settings=given, work=out,
                progress=progress,
            )  # fmt: skip
        talk((f"note: {note}" for note in found.notes), quiet=quiet)
        talk(found.verdicts(), quiet=quiet)
        for path in save(found, out):
            talk([f"wrote {path}"], quiet=quiet or not verbose)
        click.echo(str(out / "index.html"))
