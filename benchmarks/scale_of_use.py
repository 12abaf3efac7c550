"""Quality of super-resolution at the scale where it is used, against learning-free baselines: writes RESULTS.md.

    python -m benchmarks.scale_of_use --data DIR [--model NAME_OR_FILE ...]

Aerial and other very-high-resolution rasters of held-out places, averaged to 2 .. 2.5 m (F4) or 4 .. 5 m (F2), are the
references; their observation by a model of Sentinel-2 at 4 and 2 times that (Gaussian of 0.40 input pixels, area mean,
noise of 0.001 reflectance under P40n, rounding to 1 DN) is enhanced from file to file with default settings. Nothing
about the protocol is told to the models; back-projection is told the true width. Chips of one place are set side by
side, so that a scene is large enough for its noise to be estimated; pixels near a chip's border are left out.
8-bit pictures are scaled so that their contrast at 10 m is that of Sentinel-2. Files of three bands get the mean of
their bands for the near infrared and are judged on the other three.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.results import record, renew_block, table
from benchmarks.wald import Protocol, Raster, superres
from rsgan.catalogue import RGBN
from rsgan.metrics import correctness
from rsgan.metrics.fidelity import sam_deg
from rsgan.model import find_model, read_card
from rsgan.sensors.optical import degrade
from rsgan.training.config import Source
from rsgan.training.tiles import read_tile

Floats = NDArray[np.floating]
PROTOCOLS = (Protocol("P40", 0.40), Protocol("P40n", 0.40, 0.001))
RGB = RGBN[:3]
DARKEST = 1e-3
"""Reflectance to which darker references are raised: 10 DN."""
MOSTLY_VALID = 0.99
"""Share of valid pixels from which invalid ones are filled; below it they are dark ground, as the river of Rotterdam,
which its file marks as no data."""
LARGEST = 480
"""Side of the largest part of a reference that is used, pixels."""


@dataclass(frozen=True)
class Place:
    """Held-out references of one place.

    Attributes:
        name: of the place.
        cover: what the ground is.
        glob: pattern below the data folder.
        scale: stored number that is taken as reflectance 1.
        gsd_m: of the files.
        holds: bands of the model that the files hold.
        bands: names of the files' bands that these are, in their order; None finds them by description.
    """

    name: str
    cover: str
    glob: str
    scale: float
    gsd_m: float
    holds: tuple[str, ...] = RGBN
    bands: tuple[str, ...] | None = None

    def references(self, root: Path, gsd_m: float) -> list[Floats]:
        """References (4, H, W) of about `gsd_m` metres, reflectance; near infrared made up where `holds` has none."""
        factor = max(1, round(gsd_m / self.gsd_m))
        found = []
        for path in sorted(root.glob(self.glob)):
            source = Source(glob=self.glob, bands=self.bands, reflectance_scale=self.scale, holds=self.holds)
            tile = read_tile(path, source, RGBN)
            values = tile.array.astype(np.float64)
            if tile.valid.mean() > MOSTLY_VALID:  # saturated points take their neighbours' values
                nearest = ndimage.distance_transform_edt(~tile.valid, return_distances=False, return_indices=True)
                values = values[:, *nearest]
            if "B08" not in self.holds:
                values[3] = values[:3].mean(0)
            height, width = (n // factor * factor for n in values.shape[1:])
            values = values[:, :height, :width]
            values = values.reshape(4, height // factor, factor, width // factor, factor).mean((2, 4))
            found.append(np.maximum(values[:, :LARGEST, :LARGEST], DARKEST))
        if not found:
            raise SystemExit(f"{root}: no file matches {self.glob}")
        return found

    @property
    def judged(self) -> list[int]:
        """Channels that the files hold."""
        return [channel for channel, band in enumerate(RGBN) if band in self.holds]


FINE = (
    Place("Bishop", "suburb with trees", "vhr/naip_120cm_bishop_*.tif", 1000, 1.2),
    Place("Riverside", "town", "vhr/naip_120cm_riverside_20*_??.tif", 1000, 1.2),
    Place("Palm Springs", "desert, golf", "vhr/naip_120cm_palm_springs_20*_[5-9]?.tif", 1000, 1.2),
    Place("San Diego county", "chaparral, road", "aerial/naip_60cm_*.tif", 800, 0.6),
    Place("Waynesboro", "forest, fields", "vhr/naip_1m_virginia_*.tif", 600, 1.0),
    Place("Rotterdam, park", "town, park", "vhr/wv2_ms_rotterdam_1.tif", 4000, 1.0),
    Place("Rotterdam, quay", "water, quay", "vhr/wv2_ms_rotterdam_2.tif", 4000, 1.0),
    Place("Tartu, west", "fields", "vhr/maaamet_120cm_tartu_0.tif", 1500, 1.2, RGB),
    Place("Tartu, east", "old town, river", "vhr/maaamet_120cm_tartu_4.tif", 1500, 1.2, RGB),
    Place(
        "Injune", "woodland", "vhr/casi_1m_injune_*.tif", 40000, 1.0, RGBN, ("CASI_01", "CASI_03", "CASI_07", "CASI_13")
    ),
)
COARSER = FINE[4:9]
GSD_M = {4: 2.4, 2: 4.8}
PLACES = {4: FINE, 2: COARSER}
RIVAL = "back-projection, 5 steps"
SHARES = ("improvement", "hallucination")
BORDERS = {4: 16, 2: 12}
"""Pixels near a chip's border that are left out."""


@dataclass(frozen=True)
class Row:
    """Figures of one method at one place under one protocol."""

    scale: int
    protocol: str
    place: str
    cover: str
    method: str
    psnr: float
    improvement: float
    omission: float
    hallucination: float
    angle_deg: float
    residual: float


def side_by_side(chips: list[Floats], multiple: int) -> tuple[Floats, list[tuple[slice, slice]]]:
    """One raster of chips (C, H, W), cut to the smallest and to a multiple, in rows; and where each lies in it."""
    height, width = (min(c.shape[axis] for c in chips) // multiple * multiple for axis in (1, 2))
    across = math.ceil(math.sqrt(len(chips)))
    down = math.ceil(len(chips) / across)
    whole = np.stack([chips[number % len(chips)][:, :height, :width] for number in range(across * down)])
    count = whole.shape[1]
    joined = whole.reshape(down, across, count, height, width).transpose(2, 0, 3, 1, 4)
    joined = joined.reshape(count, down * height, across * width)
    corners = [(number // across * height, number % across * width) for number in range(len(chips))]
    return joined, [(slice(r, r + height), slice(c, c + width)) for r, c in corners]


def enhanced(
    observed: Floats, scale: int, gsd_m: float, protocol: Protocol, models: list[str], settings: dict[str, float]
) -> Iterator[tuple[str, Floats]]:
    """(method, enhanced) of every baseline and model."""
    yield "bicubic", protocol.project(observed, scale, 0)
    yield RIVAL, protocol.project(observed, scale, 5)
    yield "back-projection, 30 steps", protocol.project(observed, scale, 30)
    raster = Raster(observed, RGBN, gsd_m * scale)
    for model in models:
        yield f"{Path(model).stem}", superres([raster], model=model, **settings)
        if read_card(find_model(model)).objective not in (None, "none"):
            yield f"{Path(model).stem}, sharpness 1", superres([raster], model=model, **settings | {"sharpness": 1.0})


def measure(task: tuple[Place, Path, int, list[str], dict[str, float]]) -> list[Row]:
    """Every method at one place under every protocol."""
    torch.set_num_threads(1)
    place, root, scale, models, settings = task
    reference, corners = side_by_side(place.references(root, GSD_M[scale]), scale)
    rows, judged, border = [], place.judged, BORDERS[scale]
    for protocol in PROTOCOLS:
        observed = protocol.observe(reference, scale, seed=1)
        for method, values in enhanced(observed, scale, GSD_M[scale], protocol, models, settings):
            inner = slice(border, -border)
            parts = [(values[:, r, c], reference[:, r, c]) for r, c in corners]
            pairs = [(a[judged][:, inner, inner], b[judged][:, inner, inner]) for a, b in parts]
            error = np.mean([np.square(a - b).mean() for a, b in pairs])
            seen = [
                observed[:, r.start // scale : r.stop // scale, c.start // scale : c.stop // scale] for r, c in corners
            ]
            shares = [
                correctness.measure(y[judged], a[judged], b[judged], border=border)
                for y, (a, b) in zip(seen, parts, strict=True)
            ]
            again = degrade(torch.from_numpy(values)[None].double(), torch.full((1, 4), 0.40).double(), scale)[
                0
            ].numpy()
            rows.append(
                Row(
                    scale,
                    protocol.name,
                    place.name,
                    place.cover,
                    method,
                    float(-10 * np.log10(error)),
                    *(
                        float(np.nanmean([getattr(s, n) for s in shares]))
                        for n in ("improvement", "omission", "hallucination")
                    ),
                    float(np.mean([sam_deg(a, b) for a, b in pairs])),
                    float(np.sqrt(np.square(again - observed)[judged].mean())),
                )
            )
    return rows


def cell(row: Row, rival: Row) -> str:
    """PSNR, gain over the rival, and right and invented shares of detail."""
    return f"{row.psnr:.2f} ({row.psnr - rival.psnr:+.2f}) {row.improvement:.3f} / {row.hallucination:.3f}"


def mean_cell(rows: list[Row], rivals: dict[str, Row]) -> str:
    """Mean gain with its spread over places and its worst, mean shares of detail, mean spectral angle."""
    gain = np.array([row.psnr - rivals[row.place].psnr for row in rows])
    right, invented, angle = (
        np.mean([getattr(row, n) for row in rows]) for n in ("improvement", "hallucination", "angle_deg")
    )
    return (
        f"{gain.mean():+.2f} ± {gain.std():.2f}, worst {gain.min():+.2f}; {right:.3f} / {invented:.3f}; {angle:.2f} deg"
    )


def by_method_and_place(rows: list[Row], scale: int, protocol: str) -> dict[str, dict[str, Row]]:
    """Sort the rows of one scale and protocol: method -> place -> row."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if (row.scale, row.protocol) == (scale, protocol):
            found.setdefault(row.method, {})[row.place] = row
    return found


def show(rows: list[Row], scale: int, protocol: str) -> str:
    """Table of places and methods: PSNR in dB (gain over 5-step back-projection), right / invented."""
    by_method = by_method_and_place(rows, scale, protocol)
    rivals = by_method[RIVAL]
    body = [
        [f"{place}: {rival.cover}", *(cell(found[place], rival) for found in by_method.values())]
        for place, rival in rivals.items()
    ]
    body.append(["all places", *(mean_cell([*found.values()], rivals) for found in by_method.values())])
    return f"### F{scale}, {protocol}\n\n" + table(["place", *by_method], body)


def summary(rows: list[Row]) -> str:
    """Table of the README: means over places of the baselines and of the first model of each scale."""
    body = []
    for scale in sorted({row.scale for row in rows}):
        for protocol in PROTOCOLS:
            by_method = by_method_and_place(rows, scale, protocol.name)
            rivals, ours = by_method[RIVAL], next(m for m in by_method if not m.startswith(("bicubic", "back")))
            gain = np.array([row.psnr - rivals[place].psnr for place, row in by_method[ours].items()])
            means = {
                m: {n: np.mean([getattr(r, n) for r in found.values()]) for n in ("psnr", *SHARES)}
                for m, found in by_method.items()
            }
            body.append(
                [
                    f"F{scale}, {protocol.name}, {len(gain)} places",
                    *(f"{means[m]['psnr']:.2f}" for m in ("bicubic", RIVAL, ours)),
                    f"{gain.mean():+.2f} ± {gain.std():.2f}",
                    f"{gain.min():+.2f}",
                    *(" / ".join(f"{means[m][n]:.3f}" for n in SHARES) for m in (RIVAL, ours)),
                ]
            )
    heads = ("bicubic", "back-projection", "ours", "gain", "worst place", "right / invented: back-projection", "ours")
    return table(["protocol", *heads], body)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the rasters")
    parser.add_argument("--model", nargs="+", default=["s2-rgbn-x2", "s2-rgbn-x4"], help="names or files of models")
    parser.add_argument("--symmetries", type=int, help="turned passes; the default of the package if left out")
    parser.add_argument("--json", type=Path, help="also write every row")
    parser.add_argument("--record", action="store_true", help="write the tables into RESULTS.md")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    settings = {} if arguments.symmetries is None else {"symmetries": arguments.symmetries}
    by_scale: dict[int, list[str]] = {}
    for model in arguments.model:
        by_scale.setdefault(read_card(find_model(model)).scale, []).append(model)
    tasks = [(place, arguments.data, s, models, settings) for s, models in by_scale.items() for place in PLACES[s]]
    if arguments.jobs == 1:
        rows = [row for task in tasks for row in measure(task)]
    else:
        with ProcessPoolExecutor(arguments.jobs) as pool:
            rows = [row for found in pool.map(measure, tasks) for row in found]
    body = "\n\n".join(show(rows, s, p.name) for s in by_scale for p in PROTOCOLS)
    print(body)
    if arguments.record:
        renew_block("figures of use", summary(rows))
        record("scale_of_use.py", "`python -m benchmarks.scale_of_use --data DIR --record`\n\n" + body)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
