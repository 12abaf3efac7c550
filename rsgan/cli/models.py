"""rsgan models."""

from __future__ import annotations

import click

from rsgan.cli.options import friendly_errors


@click.command(name="models", short_help="List the models at hand.")
def command() -> None:
    r"""List the models in the package: task, bands, gsd, scale.

    \b
    Examples:
      rsgan models
      rsgan card s2-rgbn-x2
    """
    with friendly_errors():
        from rsgan.model import find_model, read_card, zoo_names

        for name in zoo_names():
            card = read_card(find_model(name))
            click.echo(
                f"{card.name:14} {card.task:10} {' '.join(card.bands)}, "
                f"{card.gsd_m:g} m -> {card.gsd_m / card.scale:g} m, {card.sensor}"
            )
