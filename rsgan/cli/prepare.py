"""rsgan prepare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rsgan.cli.options import friendly_errors, names, progress_bar, talk

QUANTITIES = click.Choice(["reflectance", "intensity", "number"])


@click.command(name="prepare", short_help="Index, check and split your own tiles.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the index and pictures.")
@click.option("--pattern", help="Which files below FOLDER, such as 'S2*/**/*.tif'  [default: every raster]")
@click.option("--quantity", type=QUANTITIES, default="reflectance", show_default=True, help="What the numbers are.")
@click.option(
    "--sensor", default="sentinel-2a", show_default=True, help="Whose band names are meant; 'none' for the files' own."
)
@click.option("--bands", callback=names, help="Names of the bands to train on  [default: B02,B03,B04,B08]")
@click.option("--take", callback=names, help="The files' bands to take for them, where their names do not tell.")
@click.option(
    "--reflectance-scale", type=float, help="Stored number that means reflectance 1  [default: from the files]"
)
@click.option("--mask-clouds", is_flag=True, help="Make clouds nodata, by SCL, MSK_CLASSI, QA_PIXEL or Fmask.")
@click.option("--partner", nargs=2, metavar="TEXT OTHER", help="Pairs by name: the path with TEXT replaced by OTHER.")
@click.option(
    "--partners", type=click.Path(path_type=Path), help="Pairs by place: folder of rasters with the same pixels."
)
@click.option("--target-quantity", type=QUANTITIES, default="reflectance", help="What the partners' numbers are.")
@click.option("--target-sensor", default="sentinel-2a", help="Whose band names the partners have, or 'none'.")
@click.option(
    "--target-bands",
    callback=names,
    help="Names of the partners' bands; without --partner and --partners those of the same file.",
)
@click.option("--target-take", callback=names, help="The partners' bands to take for them.")
@click.option("--target-reflectance-scale", type=float, help="Stored number that means reflectance 1 in the partners.")
@click.option(
    "--largest-shift", type=float, default=1.0, show_default=True, help="Pixels by which a pair may lie apart."
)
@click.option("--chip", type=click.IntRange(16), default=128, show_default=True, help="Side of a chip, pixels.")
@click.option(
    "--held-out", type=click.FloatRange(0, 0.9), default=0.2, show_default=True,
    help="Share of the chips to hold out, by whole places.",
)  # fmt: skip
@click.option(
    "--flattest", type=click.FloatRange(0, 1), default=0.05, show_default=True,
    help="Detail, as a share of the median chip's, below which a chip teaches nothing.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of the places that are held out.")
@click.option("--overwrite", is_flag=True, help="Replace the index of an earlier call.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(folder: Path, out: Path, quiet: bool, **settings: Any) -> None:  # noqa: ANN401 - click's options
    """Look at every raster below FOLDER, in any CRS, and write what rsgan train needs to know; nothing is copied.

    Chips with nodata or cloud, and those without detail, are left out; rasters that overlap are one place, and places
    are split between training and validation. OUT gets index.json, data.yaml (sections for a config), a contact sheet
    and left_out.csv, which says why. With --partner, --partners or --target-bands pairs are made, and checked to lie
    pixel on pixel.

    \b
    Examples:
      rsgan prepare scenes/ -o tiles/
      rsgan prepare pairs/ -o tiles/ --partner hazy clear --chip 64
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.training.preparation.asked import Partners, Preparing
        from rsgan.training.preparation.prepare import INDEX, prepare

        pairs = None
        if settings["partner"] is not None and settings["partners"] is not None:
            raise click.UsageError("--partner finds pairs by name, --partners by place; give one of them.")
        if any(settings[name] is not None for name in ("partner", "partners", "target_bands")):
            reads = _reads(settings, "target_")
            pairs = Partners(reads, settings["partner"], settings["partners"], settings["largest_shift"])
        asked = Preparing(
            folder, _reads(settings, ""), pairs, settings["pattern"], settings["chip"], settings["held_out"],
            settings["flattest"], settings["seed"],
        )  # fmt: skip
        with progress_bar("looking", quiet=quiet) as progress:
            prepared = prepare(asked, out, overwrite=settings["overwrite"], progress=progress)
        talk(prepared.lines(), quiet=quiet)
        click.echo(str(out / INDEX))


def _reads(settings: dict[str, Any], prefix: str) -> Any:  # noqa: ANN401 - Reads, which is imported late
    from rsgan.catalogue import RGBN
    from rsgan.training.preparation.asked import Reads

    sensor, quantity = settings[f"{prefix}sensor"], settings[f"{prefix}quantity"]
    bands = settings[f"{prefix}bands"] or (("VV",) if quantity == "intensity" else RGBN)
    named = sensor != "none" and quantity == "reflectance"
    return Reads(
        quantity, sensor if named else None, bands, settings[f"{prefix}take"],
        settings[f"{prefix}reflectance_scale"], settings["mask_clouds"],
    )  # fmt: skip
