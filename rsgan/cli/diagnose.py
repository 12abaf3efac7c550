"""rsgan diagnose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from rsgan.diagnose import Diagnosis, ImagesDiagnosis


@click.command(name="diagnose", short_help="Where invented detail is told from real, per land cover.")
@click.option("--observed", multiple=True, help="What the model is given; may be given again, per band.")
@click.option("--model", default="s2-rgbn-x2", show_default=True, help="Name of a model in the package, or a file.")
@click.option("--reference", help="What the enhanced raster should equal, on the enhanced grid.")
@click.option("--enhanced", help="What the model made of it  [default: it is made]")
@click.option("--real", metavar="DIR", help="Folder of references for images that are made freely, all of one shape.")
@click.option("--generated", metavar="DIR", help="Folder of those images; subfolders of both name the classes.")
@click.option("--told-class", is_flag=True, help="Their generator is told the class: how often it comes is not judged.")
@click.option(
    "--landcover",
    help="Raster of classes, in any CRS; 'indices' for NDVI, NDWI and brightness; or folder of a network.",
)
@click.option("--legend", help="worldcover, dynamic-world, nlcd, corine, or a CSV of number,name  [default: found out]")
@click.option("--purity", type=float, default=0.7, show_default=True, help="Share of a patch that its class must have.")
@click.option(
    "--refit",
    type=int,
    default=0,
    show_default=True,
    help="Updates of a fresh discriminator, cross-fitted over folds of the scene; 0 asks the one left from training "
    "(of free images: 400).",
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
    out: Path,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,  # noqa: ANN401 - click's options
) -> None:
    """Ask a model's discriminator where its generator falls short: on the ground, and per class of land cover.

    The folder gets index.html, diagnosis.json, classes.csv, overview.png, and GeoTIFFs of logits whose pixels lie where
    the patches are centred: real.tif, generated.tif and difference.tif. Of a despeckled raster the ratio image is
    judged, beside speckle of the same law that is drawn afresh; with a reference without speckle, the image itself.

    Images that are made freely, by any program, are judged with --real and --generated: which classes come too rarely
    or too often, and which are badly made. With a --model that makes chips and no --refit its discriminator is asked.

    \b
    Examples:
      rsgan diagnose --observed coarse.tif --reference fine.tif --landcover classes.tif --refit 300 -o report/
      rsgan diagnose --observed coarse.tif --landcover indices -o logits/
      rsgan diagnose --observed sar.tif --model sar-despeckle --bands VV -o ratio/
      rsgan diagnose --real tiles/ --generated made/ -o classes/
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    _refuse_mixed(settings)
    with friendly_errors():
        from rsgan.diagnose.saving import save, save_images

        found: Diagnosis | ImagesDiagnosis
        if settings["real"] is not None:
            found = _of_images(settings, out, overwrite=overwrite, quiet=quiet)
            writing = save_images(found, out)
        else:
            found = _of_scene(settings, out, overwrite=overwrite, quiet=quiet)
            writing = save(found, out)
        talk((f"note: {note}" for note in found.notes), quiet=quiet)
        talk(found.verdicts(), quiet=quiet)
        for path in writing:
            talk([f"wrote {path}"], quiet=quiet or not verbose)
        click.echo(str(out / "index.html"))


def _refuse_mixed(settings: dict[str, Any]) -> None:
    """Refuse flags of a scene beside flags of free images, and neither.

    Raises:
        UsageError: naming them.
    """
    scene = [f"--{name}" for name in ("observed", "reference", "enhanced", "sharpness", "legend") if settings[name]]
    free = [f"--{name.replace('_', '-')}" for name in ("real", "generated", "told_class") if settings[name]]
    if scene and free:
        raise click.UsageError(f"{scene[0]} is for a scene and {free[0]} for folders of images. Give one kind.")
    if free and not (settings["real"] and settings["generated"]):
        raise click.UsageError("free images need --real and --generated, a folder each.")
    if not free and not settings["observed"]:
        raise click.UsageError("give --observed, what a model was given; or --real and --generated, folders of images.")


def _of_scene(settings: dict[str, Any], out: Path, *, overwrite: bool, quiet: bool) -> Diagnosis:
    from rsgan.diagnose import Settings, diagnose
    from rsgan.diagnose.saving import prepare_folder
    from rsgan.enhance.options import Reading
    from rsgan.enhance.speckle_method import SarReading
    from rsgan.model import find_model, read_card

    radar = read_card(find_model(settings["model"])).task == "despeckle"
    given = fields_of(Settings, settings)
    reading = fields_of(SarReading, settings) if radar else fields_of(Reading, settings)
    prepare_folder(out, overwrite=overwrite)
    with progress_bar("judging", quiet=quiet) as progress:
        return diagnose(
            settings["observed"], model=settings["model"], reference=settings["reference"],
            enhanced=settings["enhanced"], reading=reading, settings=given, work=out, progress=progress,
        )  # fmt: skip


def _of_images(settings: dict[str, Any], out: Path, *, overwrite: bool, quiet: bool) -> ImagesDiagnosis:
    from rsgan.diagnose import Settings, diagnose_images
    from rsgan.diagnose.saving import prepare_folder
    from rsgan.enhance.options import Reading
    from rsgan.model import find_model, read_card

    given, reading = fields_of(Settings, settings), fields_of(Reading, settings)
    model = settings["model"] if read_card(find_model(settings["model"])).task == "synthesize" else None
    prepare_folder(out, overwrite=overwrite)
    with progress_bar("judging", quiet=quiet) as progress:
        return diagnose_images(
            settings["real"], settings["generated"], model=model, told_class=settings["told_class"], reading=reading,
            settings=given, progress=progress,
        )  # fmt: skip
