"""Quality of every band's super-resolution on held-out places: writes four sections of RESULTS.md.

    python -m benchmarks.quality_bands --data DIR [guided] [coarse] [any] [pan] [--pictures DIR] [--update-card]

guided: six 20 m bands to 10 m by the network and the linear law. coarse: B01 and B09, 60 m to 10 m, by the linear law.
any: any single band to half its pixels. pan: pan-sharpening by the linear law. Without a name all of them run.

Wald protocol: the raster is the reference; the observed one is its Gaussian blur of sigma input pixels, area mean,
noise and rounding to stored units. Everything of ours goes from file to file through `rsgan.superres`; all images are
compared as stored, rounded. "bicubic + back-projection" is five steps, told the true sigma. Spreads are standard
deviations over tiles.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import bands_any, bands_guided, bands_pan
from benchmarks.results import record
from rsgan.card import Figure
from rsgan.model import find_model, read_card, replace_card
from rsgan.training.loading import load_config

TITLES = {
    "guided": "20 m bands to 10 m",
    "coarse": "60 m bands to 10 m, by the linear law",
    "any": "any band, x2",
    "pan": "pan-sharpening, by the linear law",
}
NOTES = {
    "guided": (
        "Native pairs only: T33UUB and the BigEarthNet patches; 40 -> 20 m, 10 m bands degraded alike. 4 pixels at the "
        "border left out. psf_sigma is told except in the rows that say so and under MTF, where each band has its own; "
        "noise is told to none. MTF, where nothing is told, is the protocol nearest to a real scene. Scenes of less "
        "than 48 x 48 observed pixels (the BigEarthNet patches) cannot be adapted to."
    ),
    "coarse": (
        "T33UUB only, one scene. B01 and B09 leave 16 x 16 observed pixels at 360 m, hardly enough to fit a law; the "
        "20 m bands, made six times coarser, stand in for a scene of usual size. Their guide is the 10 m bands at 20 m."
    ),
    "any": (
        "Every band of every held-out tile of the config, largest whole square up to 256 pixels, 1 pass instead of 4; "
        "8 pixels at the border left out. Rasters keep their own stored unit (8-bit ones stay 8-bit); every image is "
        "rounded to it. PSNR has data range 1 in reflectance."
    ),
    "pan": "psf_sigma is told. The guided network takes four 10 m bands, not a pan, and is left out.",
}


def update_card(model: str, figures: tuple[Figure, ...], config: Path) -> None:
    """Put the figures, and the limits that the config states, into a model's card."""
    file = find_model(model)
    update = {"metrics": figures, "limits": load_config(config).model.limits}
    replace_card(file, read_card(file).model_copy(update=update))


def guided(arguments: argparse.Namespace) -> str:
    """20 m -> 10 m."""
    config = load_config(arguments.guided_config)
    body, figures = bands_guided.twenty(
        arguments.data, config, arguments.guided_model, adapt=arguments.adapt, pictures=arguments.pictures
    )
    if arguments.update_card:
        update_card(arguments.guided_model, figures, arguments.guided_config)
    return body


def coarse(arguments: argparse.Namespace) -> str:
    """60 m -> 10 m."""
    return bands_guided.sixty(arguments.data, pictures=arguments.pictures)


def any_band(arguments: argparse.Namespace) -> str:
    """Any band."""
    config = load_config(arguments.any_config)
    body, figures = bands_any.measure_all(arguments.data, config, arguments.any_model, pictures=arguments.pictures)
    if arguments.update_card:
        update_card(arguments.any_model, figures, arguments.any_config)
    return body


def pan(arguments: argparse.Namespace) -> str:
    """Pan-sharpening."""
    return bands_pan.measure_all(arguments.data, pictures=arguments.pictures)


SECTIONS: dict[str, Callable[[argparse.Namespace], str]] = {
    "guided": guided,
    "coarse": coarse,
    "any": any_band,
    "pan": pan,
}
OPTIONS = {"guided": "guided_model", "any": "any_model"}


def parser_of_flags() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=["all", *SECTIONS], default="all", help="default: all")
    parser.add_argument("--data", type=Path, required=True, help="folder of the rasters that the configs name")
    parser.add_argument("--guided-model", default="s2-20to10", help="zoo name; of a path nothing is recorded")
    parser.add_argument("--any-model", default="any-x2", help="zoo name; of a path nothing is recorded")
    parser.add_argument("--guided-config", type=Path, default=Path("configs/superres_s2_20to10.yaml"))
    parser.add_argument("--any-config", type=Path, default=Path("configs/superres_any_x2.yaml"))
    parser.add_argument("--adapt", action="store_true", help="also the network adapted to each scene: minutes")
    parser.add_argument("--pictures", type=Path, help="folder for crops of two tiles of each section, PNG")
    parser.add_argument("--update-card", action="store_true", help="write the figures into the models' cards")
    return parser


def main() -> None:
    """Parse, measure, write."""
    parser = parser_of_flags()
    arguments = parser.parse_args()
    for name in SECTIONS if "all" in arguments.sections else arguments.sections:
        body = SECTIONS[name](arguments)
        print(f"## {TITLES[name]}\n\n{body}\n")
        option = OPTIONS.get(name)
        if option is None or getattr(arguments, option) == parser.get_default(option):
            flags = " --adapt" if arguments.adapt and name == "guided" else ""
            command = f"`python -m benchmarks.quality_bands --data DIR {name}{flags}`"
            record(f"quality_bands.py: {TITLES[name]}", f"{command}\n\n{NOTES[name]}\n\n{body}")


if __name__ == "__main__":
    main()
