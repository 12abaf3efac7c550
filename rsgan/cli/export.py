"""rsgan export."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from rsgan.cli.options import friendly_errors, talk


@click.command(name="export", short_help="Write a model's network as ONNX.")
@click.argument("model")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write  [default: MODEL.onnx, here]")
@click.option("--sharpness", type=float, help="0 faithful .. 1 adversarial  [default: the model's]")
@click.option("--direction", type=click.Choice(["forth", "back"]), default="forth", help="Of a model that translates.")
@click.option(
    "--consistency",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Whether super-resolution closes with the steps of the sensor model.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    model: str,
    out: Path | None,
    sharpness: float | None,
    direction: Literal["forth", "back"],
    consistency: str,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write a model's network as ONNX: any height and width, its card in the metadata, checked against torch.

    MODEL is a name in the package or a .safetensors file. The file holds the network alone, in its own units; reading,
    filling, radiometry and statistics of the scene are what rsgan does around it. To compute with another runtime here,
    no file is needed: give --backend to superres, despeckle or translate.

    \b
    Examples:
      rsgan export s2-rgbn-x2 -o x2.onnx
      rsgan export sar-despeckle -o despeckle.onnx
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.model import open_model
        from rsgan.runtimes import export

        opened = open_model(model)
        done = export(
            opened, out or Path(f"{opened.card.name}.onnx"), sharpness=sharpness, direction=direction,
            consistency=consistency == "on", overwrite=overwrite,
        )  # fmt: skip
        talk([*(f"input: {port}" for port in done.inputs), f"largest difference from torch: {done.difference:.2g}"],
             quiet=quiet)  # fmt: skip
        click.echo(str(done.path))
