"""rsgan models."""

from __future__ import annotations

import json

import click

from rsgan.cli.options import friendly_errors


@click.command(name="models", short_help="List the models at hand.")
@click.option("--json", "as_json", is_flag=True, help="All cards as a JSON list.")
def command(as_json: bool) -> None:
    """List the models in the package: task, bands, gsd, scale.

    \b
    Examples:
      rsgan models
      rsgan models --json
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.model import find_model, read_card, zoo_names

        cards = [read_card(find_model(name)) for name in zoo_names()]
        if as_json:
            click.echo(json.dumps([card.model_dump(mode="json") for card in cards], indent=2))
            return
        for card in cards:
            click.echo(f"{card.name:17} {card.task:10} {card.bands_in_words}, {card.pixels_in_words}, {card.sensor}")
