r"""Score a folder of image pairs with the official opensr-test package: super-resolution by rsgan beside baselines.

    pip install --no-deps --target DIR opensr-test==1.3.3 satalign==0.1.17 kornia kornia_rs mpltern \
        opencv-python-headless
    python -m benchmarks.opensr FOLDER [--packages DIR] [--model s2-rgbn-x4] [--sharpness 0]

FOLDER has `lr/` and `hr/`, each with one raster per scene under the same name: bands blue, green, red, near infrared;
hr has scale times the pixels of lr. Stored numbers are reflectance times --reflectance-scale (10000). The package's
own data sets can be exported to such folders. Each scene is enhanced from file to file with default settings; the
correctness figures are the package's (normalised difference, pixel by pixel), as in its published tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.results import table
from benchmarks.wald import Protocol, Raster, spread_text, superres
from rsgan.catalogue import RGBN
from rsgan.geo import Scene
from rsgan.model import find_model, read_card

Floats = NDArray[np.floating]
FIGURES = ("reflectance", "spectral", "spatial", "synthesis", "ha_metric", "om_metric", "im_metric")
"""Figures of the package, in the order of its tables."""
DARKEST = 1e-4
"""Reflectance to which darker pixels are raised: the package's normalised difference needs positive numbers."""
Score = Callable[[Floats, Floats, Floats], Mapping[str, float]]


def official(packages: Path | None) -> Score:
    """Load the package's metric as a function (lr, enhanced, hr), each (4, H, W) reflectance -> figures.

    Raises:
        SystemExit: the package is not there.
    """
    if packages is not None:
        sys.path.append(str(packages))
    try:
        import opensr_test
    except ImportError as error:
        raise SystemExit(
            f"opensr-test cannot be imported ({error}). Install it as this script's --help says, and name the folder "
            "with --packages."
        ) from error
    metric = opensr_test.Metrics(device="cpu", agg_method="pixel", correctness_distance="nd")

    def score(observed: Floats, enhanced: Floats, reference: Floats) -> Mapping[str, float]:
        images = (torch.from_numpy(np.maximum(x, DARKEST)).float() for x in (observed, enhanced, reference))
        found = metric.compute(**dict(zip(("lr", "sr", "hr"), images, strict=True)), gradient_threshold="auto")
        return {name: float(found[name]) for name in FIGURES}

    return score


def pairs(folder: Path, scale: int, reflectance_scale: float) -> Iterator[tuple[str, Floats, Floats]]:
    """Read the pairs of a folder: name, observed (4, h, w) and reference (4, scale h, scale w), reflectance.

    Raises:
        SystemExit: a folder or a file is missing, or the sizes do not fit the model's scale.
    """
    observed = sorted(path for path in (folder / "lr").glob("*.*") if path.suffix.lower() in (".tif", ".tiff"))
    if not observed:
        raise SystemExit(f"{folder}/lr: no .tif file; expected lr/NAME.tif and hr/NAME.tif of every scene.")
    for path in observed:
        partner = folder / "hr" / path.name
        if not partner.exists():
            raise SystemExit(f"{partner}: missing; {path} needs a reference of the same name.")
        images = []
        for file in (path, partner):
            with Scene.open(
                [file], bands=("1", "2", "3", "4"), wanted=RGBN, reflectance_scale=reflectance_scale
            ) as scene:
                images.append(scene.read(scene.grid.window).values.astype(np.float64))
        if images[1].shape[1:] != tuple(scale * side for side in images[0].shape[1:]):
            raise SystemExit(
                f"{partner}: {images[1].shape[2]} x {images[1].shape[1]} pixels; expected {scale} times the "
                f"{images[0].shape[2]} x {images[0].shape[1]} of {path.name}. Name a model of that scale with --model."
            )
        yield path.stem, *images


def methods(
    observed: Floats, scale: int, model: str, gsd_m: float, sharpness: float | None
) -> Iterator[tuple[str, Floats]]:
    """Name and result of bicubic, back-projection (sigma 0.40) and the model."""
    protocol = Protocol("P40", 0.40)
    yield "bicubic", protocol.project(observed, scale, 0)
    yield "back-projection, 5 steps", protocol.project(observed, scale, 5)
    settings = {} if sharpness is None else {"sharpness": sharpness}
    yield Path(model).stem, superres([Raster(observed, RGBN, gsd_m)], model=model, **settings)


def main() -> None:
    """Parse, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with lr/ and hr/")
    parser.add_argument("--packages", type=Path, help="folder that the official package was installed into")
    parser.add_argument("--model", default="s2-rgbn-x4", help="name or file of a model")
    parser.add_argument("--sharpness", type=float, help="0 .. 1; the model's default if left out")
    parser.add_argument("--reflectance-scale", type=float, default=10000, help="stored number that means reflectance 1")
    arguments = parser.parse_args()
    score, card = official(arguments.packages), read_card(find_model(arguments.model))
    rows: dict[str, list[Mapping[str, float]]] = {}
    for name, observed, reference in pairs(arguments.folder, card.scale, arguments.reflectance_scale):
        print(name, file=sys.stderr)
        results = methods(observed, card.scale, arguments.model, card.gsd_m, arguments.sharpness)
        for method, enhanced in (*results, ("the reference itself", reference)):
            rows.setdefault(method, []).append(score(observed, enhanced, reference))
    body = [
        [method, *(spread_text([row[name] for row in found], 4) for name in FIGURES)] for method, found in rows.items()
    ]
    print(table(["method", *FIGURES], body))


if __name__ == "__main__":
    main()
