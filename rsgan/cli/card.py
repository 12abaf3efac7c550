"""rsgan card."""

from __future__ import annotations

import json
from typing import Any

import click

from rsgan.cli.options import friendly_errors

RASTERS = (".tif", ".tiff", ".png", ".jp2", ".vrt")
"""Endings of files that are asked whether they are synthetic, in place of being opened as models."""


@click.command(name="card", short_help="Print a model's card, or whether a raster is synthetic.")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="The whole card as JSON.")
def command(model: str, as_json: bool) -> None:
    """Print what MODEL (a name or a .safetensors file) is, its training data, held-out figures and limits.

    Of a raster (.tif, .png, .jp2, .vrt), tell whether rsgan synthesize made it: by its tags, and by the watermark in
    its pixels.

    \b
    Examples:
      rsgan card s2-rgbn-x2
      rsgan card s2-rgbn-x4 --json
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        if model.lower().endswith(RASTERS):
            _tell_of_raster(model, as_json=as_json)
            return
        from rsgan.model import find_model, read_card

        card = read_card(find_model(model))
        if as_json:
            click.echo(card.model_dump_json(indent=2))
            return
        click.echo(f"{card.name}: {card.task}, licence {card.licence}")
        click.echo(f"bands: {card.bands_in_words} ({card.sensor})")
        click.echo(f"pixels: {card.pixels_in_words} (scale {card.scale})")
        click.echo(
            f"default sharpness: {card.sharpness:g}; objective: {card.objective}; {card.samples_seen} training chips"
        )
        for title, rows in (("trained on", card.training_data), ("limits", card.limits)):
            click.echo(f"{title}:")
            for row in rows:
                click.echo(f"  - {row}")
        click.echo("held-out figures (ours, best learning-free baseline, spread of the difference over tiles):")
        for figure in card.metrics:
            click.echo(
                f"  - {figure.protocol} {figure.what}: {figure.ours:.3f}, {figure.baseline:.3f}, {figure.spread:.3f}"
            )


def _tell_of_raster(path: str, *, as_json: bool) -> None:
    from rsgan.geo.synthetic import find_synthetic

    found = find_synthetic(path)
    if as_json:
        told: dict[str, Any] = {"synthetic": found is not None}
        if found is not None:
            told |= {"watermark": found.watermark, "tags": dict(found.tags)}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"{path}: {'nothing says that it is synthetic' if found is None else found.sentence}.")
    for name, value in sorted(found.tags.items()) if found is not None else ():
        click.echo(f"  {name}: {value}")
