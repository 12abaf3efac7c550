"""Command line: parse, call one function, print. Heavy modules are imported inside the verbs."""

from __future__ import annotations

from importlib import import_module

import click

from rsgan.cli.memory import bound_gdals_cache, keep_freed_memory

VERBS = {"superres": "Sharpen a multispectral raster.", "despeckle": "Remove the speckle of a SAR raster.",
         "translate": "Take haze off, or show a raster as another domain would.",
         "synthesize": "Make synthetic chips of scarce classes, with labels.",
         "prepare": "Index, check and split your own tiles.",
         "train": "Train a model on your own tiles.",
         "distil": "Train a quick model to give what several passes of another give.",
         "evaluate": "Say how good an enhanced raster is.",
         "diagnose": "Where invented detail is told from real, per land cover.",
         "models": "List the models at hand.", "card": "Print a model's card, or whether a raster is synthetic.",
         "export": "Write a model's network as ONNX."}  # fmt: skip


class LazyGroup(click.Group):
    """Knows its verbs by name; imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, from rsgan.cli.<verb>."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"rsgan.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line per verb without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="rsgan")
def main() -> None:
    """Make satellite rasters better, and say how far the result can be trusted.

    \b
    Examples:
      rsgan superres scene.tif -o sharper.tif --preview look.png
      rsgan despeckle sar.tif -o clean.tif --report clean.html
      rsgan card s2-rgbn-x2
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    keep_freed_memory()
    bound_gdals_cache()
