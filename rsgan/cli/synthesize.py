"""rsgan synthesize."""

from __future__ import annotations

from pathlib import Path

import click

from rsgan.cli.options import device_choice, friendly_errors, progress_bar, talk


def _counts(_: click.Context, parameter: click.Parameter, text: str | None) -> dict[str, int] | int | None:
    """Callback: a number, or class:number pairs."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return int(text)
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, colon, number = part.rpartition(":")
        if not colon or not number.strip().isdecimal() or name.strip() in counts:
            raise click.BadParameter(
                f"expected a number, or class:number pairs such as water:100,forest:50; found '{part}'", param=parameter
            )
        counts[name.strip()] = int(number)
    return counts


@click.command(name="synthesize", short_help="Make synthetic chips of scarce classes, with labels.")
@click.option("--model", default="synth-landcover", show_default=True, help="Name in the package, or a file.")
@click.option(
    "--classes", callback=_counts, help="class:number,..., or one number for every class  [default: 16 of every class]"
)
@click.option(
    "--map", "of_map", metavar="RASTER", help="Map of classes, numbered as in the card from 1; for models given maps."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chip i of a class depends on it and on i only.")
@click.option(
    "--truncation", type=float, help="Below 1: more usual and less varied chips  [default: none is held back]"
)
@click.option(
    "--interpolate",
    nargs=2,
    metavar="A B",
    help="Chips on the way from A to B, each class:number, such as water:3 forest:0; a strip and an animation.",
)
@click.option("--steps", type=click.IntRange(2, 1000), default=10, show_default=True, help="Chips of that way.")
@device_choice
@click.option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace a folder that rsgan synthesize made.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    model: str,
    classes: dict[str, int] | int | None,
    of_map: str | None,
    seed: int,
    truncation: float | None,
    interpolate: tuple[str, str] | None,
    steps: int,
    device: str,
    out: Path,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make synthetic multispectral chips: 16-bit GeoTIFFs of ground that is nowhere, labels.csv and a contact sheet.

    Every file says that it is synthetic: by a tag, and by a watermark in the last bit of its numbers, which rsgan card
    and rsgan evaluate find again. index.json holds what the model was trained on and what its chips are not for.

    \b
    Examples:
      rsgan synthesize --classes water:20,burned:20 --seed 7 -o tiles/
      rsgan synthesize --classes 4 --truncation 0.7 -o usual/
      rsgan synthesize --interpolate water:0 urban:1 --steps 10 -o way/
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    if interpolate and (classes is not None or of_map is not None):
        raise click.UsageError("--interpolate makes the chips of one way; leave --classes and --map out.")
    with friendly_errors():
        from rsgan.synthesis import Options, SynthesisJob, prepare
        from rsgan.synthesis.job import SHEET
        from rsgan.synthesis.way import prepare_way

        options = Options(seed, truncation, device, overwrite)  # type: ignore[arg-type]
        job: SynthesisJob
        if interpolate:
            job = prepare_way(out, interpolate, steps, model=model, options=options)
        else:
            job = prepare(out, classes, model=model, of_map=of_map, options=options)
        with job, progress_bar("chips", quiet=quiet) as progress:
            talk([f"model: {job.card.name}, classes {', '.join(job.card.classes) or 'none'}"], quiet=quiet)
            talk((f"note: {note}" for note in job.notes), quiet=quiet)
            done = job.run(progress)
        talk([f"wrote {len(done.chips)} chips; look at {done.folder / SHEET}"], quiet=quiet)
        click.echo(str(out))
