"""Does it help? Maps made from bicubic, back-projected, enhanced and native rasters: writes a section of RESULTS.md.

    python -m benchmarks.downstream --data DIR

A labelled raster is the native one. It is observed at half its resolution (Gaussian of sigma 0.4 input pixels, area
mean, noise 0.001, rounding) and brought back to its grid in three ways: bicubic, five steps of back-projection told the
true sigma, and `rsgan superres` from file to file, told nothing (one symmetry instead of four). A random forest learns
the labels from each of them, pixel by pixel, and is judged on places that it has not seen. The same places, training
pixels and random numbers serve every input, so differences are paired.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold

import rsgan
from benchmarks.quality_superres import observe, read, write
from benchmarks.results import record, renew_block, table
from rsgan.catalogue import RGBN
from rsgan.errors import RsganWarning
from rsgan.filters.back_projection import back_projection
from rsgan.geo import Scene
from rsgan.training.loading import load_config
from rsgan.training.tiles import find_files

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Integers = NDArray[np.integer]

CONFIG = Path("configs/superres_s2_rgbn_x2.yaml")
PAGE = Path("docs/downstream.md")
MODEL, SCALE, SIGMA, NOISE = "s2-rgbn-x2", 2, 0.4, 0.001
EDGE = 4
"""Pixels left out along the border of every place, so that places of one scene are twice that far apart."""
NEAR = 2
"""Pixels from an edge between classes up to which a pixel counts as boundary."""
BICUBIC, FIVE, ENHANCED, NATIVE = "bicubic", "back-projection, 5 steps", "enhanced", "native"
METHODS = (BICUBIC, FIVE, ENHANCED, NATIVE)
PAIRS = ((FIVE, BICUBIC), (ENHANCED, BICUBIC), (NATIVE, BICUBIC), (ENHANCED, FIVE))
CONTEXTS = {"3 x 3": (3,), "3 x 3 and 9 x 9": (3, 9)}
"""What the classifier sees around a pixel: sides of the windows whose means and standard deviations it is given. A
smooth input has the wider mean for nothing; with the second context every input has it."""
FIGURES = ("F1", "IoU", "accuracy")


@dataclass(frozen=True)
class Task:
    """One kind of map.

    Attributes:
        name: heading.
        sites: pattern of the site names.
        labels: path of a site's labels below the data folder.
        images: paths of a site's rasters, one per date.
        reflectance_scale: stored number that means reflectance 1.
        gsd_m: nominal pixel of the native raster.
        classes: stored label to name; other labels are not used.
        scored: names of the classes over which F1 and IoU are averaged.
        blocks: pieces per side into which a scene is cut; each piece is a place.
        folds: parts of the cross-validation over places.
        pixels: training pixels per place.
        within: whether every site has a classifier of its own, learned from some of its blocks and judged on others.
        origin: where the labels come from.
    """

    name: str
    sites: str
    labels: str
    images: tuple[str, ...]
    reflectance_scale: float
    gsd_m: float
    classes: dict[int, str]
    scored: tuple[str, ...]
    blocks: int
    folds: int
    pixels: int
    within: bool
    origin: str


FIRES = ("sentinel2_20m/s2_fire_{site}_pre.tif", "sentinel2_20m/s2_fire_{site}_post.tif")
BURNED = {0: "not burned", 1: "burned"}
DNBR = "a threshold of dNBR, made with the short-wave infrared band that the classifier does not get; not surveyed"
BURNED_AREA = Task(
    name="Burned area",
    sites="[0-9]*",
    labels="labels/burned_{site}.tif",
    images=FIRES,
    reflectance_scale=20000,
    gsd_m=20,
    classes=BURNED,
    scored=("burned",),
    blocks=3,
    folds=3,
    pixels=600,
    within=True,
    origin=DNBR,
)
TASKS = (
    BURNED_AREA,
    replace(BURNED_AREA, name="Burned area, from site to site", blocks=1, pixels=4000, within=False),
    Task(
        name="Bark-beetle damage in Czech forests",
        sites="*",
        labels="labels/forest_damage_{site}.tif",
        images=("sentinel2_forest/s2_l2a_forest_{site}_201909.tif", "sentinel2_forest/s2_l2a_forest_{site}_202009.tif"),
        reflectance_scale=10000,
        gsd_m=10,
        classes={0: "other", 1: "damaged"},
        scored=("damaged",),
        blocks=1,
        folds=4,
        pixels=500,
        within=False,
        origin="damage masks as published; the rasters were interpolated to a grid finer than the sensor's (about "
        "6.5 m), so the simulated observation has pixels of about 13 m and little is lost that could be won back",
    ),
    Task(
        name="Land cover, Aberystwyth",
        sites="20210527",
        labels="labels/classes_aberystwyth_{site}.tif",
        images=("sentinel2/s2_l2a_aberystwyth_{site}.tif",),
        reflectance_scale=1000,
        gsd_m=10,
        classes={1: "forest", 2: "grass", 3: "urban and other", 4: "water"},
        scored=("forest", "grass", "urban and other", "water"),
        blocks=4,
        folds=4,
        pixels=1500,
        within=True,
        origin="a classification published with the raster, not surveyed and by all signs made from it, which "
        "flatters the native row",
    ),
    Task(
        name="Water, flooded fields in Spain",
        sites="7370579",
        labels="labels/water_spain_{site}.tif",
        images=("sentinel2/s2_l1c_spain_{site}.tif",),
        reflectance_scale=10000,
        gsd_m=10,
        classes={0: "land", 1: "water"},
        scored=("water",),
        blocks=4,
        folds=4,
        pixels=1500,
        within=True,
        origin="drawn by hand (Sen1Floods11)",
    ),
)


@dataclass(frozen=True)
class Site:
    """Native rasters of one site with its labels, on one grid of even size.

    Attributes:
        name: as in the file names.
        images: reflectance (C, H, W) of every date, without gaps.
        labels: (H, W) index of the class, -1 where the pixel is not used.
    """

    name: str
    images: tuple[Floats, ...]
    labels: Integers


@dataclass(frozen=True)
class Place:
    """What the classifier is given of one place: the used pixels only, one row each.

    Attributes:
        site: name of the site.
        block: which piece of it.
        features: of every (context, method), (pixels, features).
        labels: (pixels,) index of the class.
        boundary: (pixels,) whether another class is near.
    """

    site: str
    block: tuple[int, int]
    features: dict[tuple[str, str], NDArray[np.float32]]
    labels: Integers
    boundary: Bools


@dataclass(frozen=True)
class Count:
    """Confusion matrix (class in the labels, class in the map) of one place in one run."""

    method: str
    seed: int
    place: tuple[str, tuple[int, int]]
    where: str
    confusion: Integers


def shared_slices(frames: Sequence[tuple[Affine, tuple[int, int]]]) -> list[tuple[slice, slice]]:
    """Rows and columns of each raster that all of them cover, an even number of both.

    Raises:
        SystemExit: the grids differ by a fraction of a pixel.
    """
    first = frames[0][0]
    corners = np.array([~first @ np.array([frame.c, frame.f]) for frame, _ in frames])[:, ::-1]
    whole = np.round(corners).astype(int)
    if np.abs(corners - whole).max() > 0.05:
        raise SystemExit(f"The grids {frames} are shifted by a fraction of a pixel; they cannot be compared.")
    start = whole.max(0)
    size = (whole + [shape for _, shape in frames]).min(0) - start
    size -= size % SCALE
    return [tuple(slice(a, a + n) for a, n in zip(start - corner, size, strict=True)) for corner in whole]


def without_gaps(values: Floats, valid: Bools) -> Floats:
    """Invalid pixels filled with the nearest valid one, band by band; (C, H, W)."""
    filled = []
    for band, usable in zip(values, valid, strict=True):
        rows, columns = ndimage.distance_transform_edt(~usable, return_distances=False, return_indices=True)
        filled.append(band[rows, columns])
    return np.maximum(np.stack(filled), 1e-4).astype(np.float64)


def find_sites(task: Task, root: Path) -> dict[str, tuple[Path, ...]]:
    """(labels, images) of every site that has them all."""
    prefix = task.labels.partition("{site}")[0]
    found = {}
    for path in sorted(root.glob(task.labels.format(site=task.sites))):
        site = path.relative_to(root).as_posix().removeprefix(prefix).removesuffix(".tif")
        files = (path, *(root / image.format(site=site) for image in task.images))
        if all(file.exists() for file in files):
            found[site] = files
    if not found:
        raise SystemExit(f"--data {root}: no site of '{task.name}' has labels and rasters; expected {task.labels}.")
    return found


def read_site(task: Task, name: str, files: tuple[Path, ...]) -> Site:
    """Rasters and labels of one site, cut to the ground that all of them show."""
    with rasterio.open(files[0]) as dataset:
        stored, frames = dataset.read(1), [(dataset.transform, dataset.shape)]
    chips = []
    for path in files[1:]:
        with Scene.open([path], wanted=RGBN, reflectance_scale=task.reflectance_scale, gsd_m=task.gsd_m) as scene:
            chips.append(scene.read(scene.grid.window))
            frames.append((scene.grid.transform, scene.grid.shape))
    own, *others = shared_slices(frames)
    labels = np.full(stored[own].shape, -1, dtype=np.int8)
    for index, code in enumerate(task.classes):
        labels[stored[own] == code] = index
    images = []
    for chip, part in zip(chips, others, strict=True):
        values, valid = chip.values[:, *part], chip.valid[:, *part]
        labels[ndimage.binary_dilation(~valid.all(0), np.ones((3, 3)), iterations=NEAR)] = -1
        images.append(without_gaps(values, valid))
    return Site(name, tuple(images), labels)


def variants(native: Floats, gsd_m: float, seed: int) -> dict[str, Floats]:
    """One date as every method gives it, on the native grid."""
    observed = observe(native, SCALE, SIGMA, NOISE, seed)
    seen, sigmas = torch.from_numpy(observed)[None], torch.full((1, len(observed)), SIGMA)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(category=RsganWarning, action="ignore"):
        source = Path(folder, "observed.tif")
        write(source, observed, RGBN, SCALE * gsd_m)
        out = rsgan.superres(source, Path(folder, "enhanced.tif"), model=MODEL, symmetries=1, cog=False)
        enhanced = read(out, RGBN)
    steps = {name: back_projection(seen, sigmas, SCALE, count)[0].numpy() for name, count in ((BICUBIC, 0), (FIVE, 5))}
    return {**steps, ENHANCED: enhanced, NATIVE: native}


def layers(reflectance: Floats) -> Floats:
    """Bands, NDVI and NDWI (B04, B03 against B08); (4, H, W) to (6, H, W)."""
    _, green, red, near = np.maximum(reflectance, 1e-4)
    return np.stack([*reflectance, (near - red) / (near + red), (green - near) / (green + near)])


def features(images: Sequence[Floats], sides: Sequence[int]) -> NDArray[np.float32]:
    """Layers with their means and standard deviations in windows, of every date, and the change between two dates."""
    dates = [layers(image) for image in images]
    found = [*dates, *(later - earlier for earlier, later in pairwise(dates))]
    for date in dates:
        for side in sides:
            mean = ndimage.uniform_filter(date, (0, side, side))
            variance = ndimage.uniform_filter(date**2, (0, side, side)) - mean**2
            found += [mean, np.sqrt(np.maximum(variance, 0))]
    return np.concatenate(found).astype(np.float32)


def near_edges(labels: Integers) -> Bools:
    """Pixels with another class at most `NEAR` rows and columns away; unused pixels make no edge."""
    side = 2 * NEAR + 1
    used = labels >= 0
    highest = ndimage.maximum_filter(np.where(used, labels, -1), side)
    lowest = ndimage.minimum_filter(np.where(used, labels, 127), side)
    return used & (highest > lowest)


def cut(task: Task, site: Site, given: dict[tuple[str, str], NDArray[np.float32]]) -> Iterator[Place]:
    """Places of one site, without their borders and without pixels that have no label."""
    boundary = near_edges(site.labels)
    rows, columns = (np.linspace(0, n, task.blocks + 1).astype(int) for n in site.labels.shape)
    for i in range(task.blocks):
        for j in range(task.blocks):
            window = slice(rows[i] + EDGE, rows[i + 1] - EDGE), slice(columns[j] + EDGE, columns[j + 1] - EDGE)
            used = site.labels[window] >= 0
            pixels = {key: values[:, *window][:, used].T for key, values in given.items()}
            yield Place(site.name, (i, j), pixels, site.labels[window][used], boundary[window][used])


def read_places(task: Task, root: Path) -> list[Place]:
    """Every place of a task, enhanced."""
    places = []
    for number, (name, files) in enumerate(find_sites(task, root).items()):
        site = read_site(task, name, files)
        dates = [variants(image, task.gsd_m, 100 * number + date) for date, image in enumerate(site.images)]
        given = {
            (context, method): features([date[method] for date in dates], sides)
            for context, sides in CONTEXTS.items()
            for method in METHODS
        }
        places += cut(task, site, given)
    return places


def confusion(truth: Integers, found: Integers, classes: int) -> Integers:
    """(class in the labels, class in the map) counts."""
    return np.bincount(truth.astype(int) * classes + found, minlength=classes**2).reshape(classes, classes)


def judge(
    task: Task, places: Sequence[Place], train: Integers, test: Integers, context: str, seed: int, jobs: int
) -> Iterator[Count]:
    """One fold: a forest for every input, from the same pixels, judged on the places left out."""
    rng = np.random.default_rng([seed, *test])
    chosen = {i: rng.permutation(len(places[i].labels))[: task.pixels] for i in train}
    truth = np.concatenate([places[i].labels[rows] for i, rows in chosen.items()])
    for method in METHODS:
        given = np.concatenate([places[i].features[context, method][rows] for i, rows in chosen.items()])
        forest = RandomForestClassifier(50, min_samples_leaf=5, max_samples=0.3, random_state=seed, n_jobs=jobs)
        forest.fit(given, truth)
        for place in (places[i] for i in test):
            found = forest.predict(place.features[context, method])
            for where, part in (("everywhere", slice(None)), ("boundary", place.boundary)):
                matrix = confusion(place.labels[part], found[part], len(task.classes))
                yield Count(method, seed, (place.site, place.block), where, matrix)


def run_task(task: Task, places: Sequence[Place], context: str, seeds: int, jobs: int) -> list[Count]:
    """Every fold of every seed, for every site by itself or for all of them together."""
    sites = sorted({place.site for place in places})
    groups = [[place for place in places if place.site == site] for site in sites] if task.within else [places]
    counts = []
    for seed in range(seeds):
        folds = KFold(task.folds, shuffle=True, random_state=seed)
        for group in groups:
            for train, test in folds.split(group):
                counts += judge(task, group, train, test, context, seed, jobs)
    return counts


def score(matrix: Integers, task: Task) -> dict[str, float]:
    """F1 and IoU, averaged over the scored classes, and overall accuracy, all in percent."""
    scored = [list(task.classes.values()).index(name) for name in task.scored]
    hit, union = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    with np.errstate(invalid="ignore"):
        iou = (hit / union)[scored]
        f1 = (2 * hit / (union + hit))[scored]
    values = (np.nanmean(f1), np.nanmean(iou), hit.sum() / matrix.sum())
    return {name: 100 * float(value) for name, value in zip(FIGURES, values, strict=True)}


def by_seed(counts: Sequence[Count], task: Task, method: str, where: str, figure: str) -> Floats:
    """A figure of every seed, from the counts of all places together."""
    here = [count for count in counts if (count.method, count.where) == (method, where)]
    seeds = sorted({count.seed for count in here})
    return np.array(
        [score(np.sum([c.confusion for c in here if c.seed == seed], axis=0), task)[figure] for seed in seeds]
    )


def by_place(counts: Sequence[Count], method: str, where: str) -> Floats:
    """Accuracy of every place in percent, from the counts of all seeds; places without such pixels are left out."""
    totals: dict[tuple[str, tuple[int, int]], Integers] = {}
    for count in counts:
        if (count.method, count.where) == (method, where):
            totals[count.place] = totals.get(count.place, 0) + count.confusion
    return np.array([100 * np.trace(total) / total.sum() for total in totals.values() if total.sum()])


def spread(values: Floats) -> float:
    """Sample standard deviation; 0 of a single value."""
    return float(values.std(ddof=1)) if values.size > 1 else 0.0


def mean_spread(values: Floats, sign: str = "") -> str:
    """Mean and `spread`."""
    return f"{values.mean():{sign}.2f} ± {spread(values):.2f}"


def difference(counts: Sequence[Count], task: Task, pair: tuple[str, str], where: str, figure: str) -> Floats:
    """One method minus another, seed by seed, in points."""
    mine, other = (by_seed(counts, task, method, where, figure) for method in pair)
    return mine - other


INTRODUCTION = """`python -m benchmarks.downstream --data DIR`

{seeds} seeds, each with its own split, training pixels and forests; one draw of the observation's noise. `±` is the
standard deviation over seeds, and over places where a table says "place by place". Boundary: at most two pixels from
another class. Native is the raster before it was degraded: a reference, not always the best input.

"""
WHERES = ("everywhere", "boundary")
COLUMNS = [(where, figure) for where in WHERES for figure in FIGURES]


def tables(counts: Sequence[Count], task: Task) -> str:
    """Markdown: figures of every input, and paired differences, over seeds and over places."""
    heads = [f"{figure}, boundary" if where == "boundary" else figure for where, figure in COLUMNS]
    figures = [[m, *(mean_spread(by_seed(counts, task, m, *column)) for column in COLUMNS)] for m in METHODS]
    pairs = [
        [" - ".join(pair), *(mean_spread(difference(counts, task, pair, *column), "+") for column in COLUMNS)]
        for pair in PAIRS
    ]
    places = []
    for mine, other in PAIRS:
        cells = []
        for where in WHERES:
            gain = by_place(counts, mine, where) - by_place(counts, other, where)
            cells += [mean_spread(gain, "+"), f"{np.sum(gain > 0)} of {gain.size}"]
        places.append([f"{mine} - {other}", *cells])
    over_places = ["accuracy, place by place", "everywhere", "better at", "boundary", "better at"]
    return "\n\n".join(
        [table(["percent", *heads], figures), table(["points", *heads], pairs), table(over_places, places)]
    )


def regained(counts: Sequence[Count], task: Task, where: str) -> str:
    """Share of what bicubic loses against the native raster that enhancement wins back, in F1."""
    won, lost = (difference(counts, task, (m, BICUBIC), where, "F1") for m in (ENHANCED, NATIVE))
    certain = lost.mean() > 2 * spread(lost)
    return (
        f"{won.mean() / lost.mean():.0%}"
        if certain
        else "not defined (native is not above bicubic by twice the spread)"
    )


def trained_on(root: Path) -> set[Path]:
    """Rasters from which the model learned."""
    training = load_config(CONFIG).data.training
    return {path for source in training for path in find_files(root, source)}


def kind_of_place(task: Task, root: Path) -> str:
    """Whether the model has learned from these places.

    Raises:
        SystemExit: from some of them only, which would mix two questions.
    """
    seen = trained_on(root)
    known = {any(image in seen for image in files[1:]) for files in find_sites(task, root).values()}
    if len(known) > 1:
        raise SystemExit(f"'{task.name}' mixes places on which {MODEL} was trained with others; part its sites.")
    return "training places" if known.pop() else "held-out places"


@dataclass(frozen=True)
class Outcome:
    """What came of one task: whether the model knows the places, and the counts under every context."""

    task: Task
    kind: str
    counts: dict[str, list[Count]]


def section(outcome: Outcome) -> str:
    """One task in Markdown."""
    task = outcome.task
    first = [c for c in next(iter(outcome.counts.values())) if (c.method, c.seed) == (BICUBIC, 0)]
    pixels = {where: sum(count.confusion.sum() for count in first if count.where == where) for where in WHERES}
    parts = [
        f"### {task.name} ({outcome.kind})\n\n"
        f"{len({count.place for count in first})} places, {pixels['everywhere']} pixels, "
        f"{pixels['boundary'] / pixels['everywhere']:.0%} of them boundary. F1 and IoU of: {', '.join(task.scored)}. "
        f"Labels: {task.origin}."
    ]
    for context, counts in outcome.counts.items():
        everywhere, boundary = (regained(counts, task, where) for where in WHERES)
        parts.append(
            f"Context {context}. Share of the F1 lost between native and bicubic that enhancement wins back: "
            f"everywhere {everywhere}, at boundaries {boundary}."
        )
        parts.append(tables(counts, task))
    return "\n\n".join(parts)


def summary(outcomes: Sequence[Outcome]) -> str:
    """The tables of the page: F1 everywhere and at boundaries."""
    parts = []
    for where in WHERES:
        body = []
        for outcome in outcomes:
            for context, counts in outcome.counts.items():
                levels = [f"{by_seed(counts, outcome.task, method, where, 'F1').mean():.1f}" for method in METHODS]
                gains = [
                    mean_spread(difference(counts, outcome.task, (ENHANCED, other), where, "F1"), "+")
                    for other in (BICUBIC, FIVE)
                ]
                body.append([f"{outcome.task.name} ({outcome.kind}), {context}", *levels, *gains])
        heads = [*METHODS, "enhanced - bicubic", "enhanced - back-projection"]
        parts.append(table([f"F1, percent, {where}", *heads], body))
    return "\n\n".join(parts)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the rasters and of their labels")
    parser.add_argument("--seeds", type=int, default=5, help="random splits and forests")
    parser.add_argument("--only", help="tasks whose name holds this; records nothing")
    parser.add_argument("--jobs", type=int, default=1, help="threads of a forest")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    outcomes = []
    for task in (task for task in TASKS if (arguments.only or "") in task.name):
        kind, places = kind_of_place(task, arguments.data), read_places(task, arguments.data)
        counts = {name: run_task(task, places, name, arguments.seeds, arguments.jobs) for name in CONTEXTS}
        outcomes.append(Outcome(task, kind, counts))
        print(section(outcomes[-1]), flush=True)
    if arguments.only is None:
        renew_block("figures", summary(outcomes), PAGE)
        body = "\n\n".join(section(outcome) for outcome in outcomes)
        record("downstream.py", INTRODUCTION.format(seeds=arguments.seeds) + body)


if __name__ == "__main__":
    main()
