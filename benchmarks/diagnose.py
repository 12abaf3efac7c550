"""What `rsgan diagnose` finds where the truth is known: writes sections of RESULTS.md.

    python -m benchmarks.diagnose [--part shares ...] [--seeds 100] [--processes 2]

Chips of 16 x 16 pixels in two bands, of four classes with a level and a texture each: stripes one way, stripes across,
blobs, fine grain. The share of each class among references and generated chips is planted, and so is what is badly
made. A discriminator is learnt afresh on 1000 chips of each kind, cross-fitted, calibrated, and read per class.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from scipy import ndimage, stats
from torch import Tensor

from benchmarks.results import record, table
from rsgan.catalogue import RGBN
from rsgan.cli.memory import keep_freed_memory
from rsgan.diagnose.blocks import refit_ground
from rsgan.diagnose.calibration import reliability
from rsgan.diagnose.ground import OpticalGround
from rsgan.diagnose.images import ImageJudge, judge_images
from rsgan.diagnose.landcover import Landcover
from rsgan.diagnose.logits import dense_logits
from rsgan.diagnose.meaning import meaning_of
from rsgan.diagnose.refit import Refit
from rsgan.geo import Grid, RasterWriter, Scene
from rsgan.metrics.density_ratio import ClassFigures, Side, class_figures
from rsgan.metrics.land_cover import MIXED
from rsgan.model import open_model
from rsgan.nn.discriminators import PatchDiscriminator, PatchDiscriminatorConfig, PatchLayersConfig, patch_geometry
from rsgan.nn.objectives import OBJECTIVES
from rsgan.sensors.statistics import BandScaling

Floats = NDArray[np.float64]
SIDE, CLASSES = 16, 4
CHIPS, SEEDS = 1000, 100
LEVELS = np.array([[-0.6, -0.6], [-0.2, 0.8], [0.6, 0.2], [0.8, -0.4]])
"""Mean of the two bands of each class, about which chips scatter."""
HOW = Refit(updates=400, folds=4, batch=64, channels=8, learning_rate=3e-3, check_every=40, patience=4)


@dataclass(frozen=True)
class Plan:
    """What is planted.

    Attributes:
        shares: of the classes among generated chips; references have a quarter of each.
        blurred: classes that are badly made: their chips are smoothed.
    """

    shares: tuple[float, ...] = (0.25,) * CLASSES
    blurred: tuple[int, ...] = field(default=())


def rarer(factor: float) -> Plan:
    """Class 0 comes as many times too rarely; the others make up for it evenly."""
    first = 0.25 / factor
    return Plan((first, *((1 - first) / (CLASSES - 1),) * (CLASSES - 1)))


def texture(number: int, rng: np.random.Generator) -> Floats:
    """One chip of a class, (2, SIDE, SIDE)."""
    noise = rng.standard_normal((2, SIDE + 8, SIDE + 8))
    blur = ((0, 0.5, 3), (0, 3, 0.5), (0, 1.5, 1.5), (0, 0, 0))[number]
    chip = ndimage.gaussian_filter(noise, blur)[:, 4:-4, 4:-4]
    level = LEVELS[number] + 0.2 * rng.standard_normal(2)
    return np.asarray(0.5 * chip / chip.std() * rng.uniform(0.7, 1.3) + level[:, None, None])


def chips(
    shares: tuple[float, ...], count: int, rng: np.random.Generator, blurred: tuple[int, ...] = ()
) -> tuple[Tensor, NDArray[np.int64]]:
    """Chips and their classes."""
    classes = rng.choice(CLASSES, size=count, p=shares).astype(np.int64)
    made = np.stack([texture(int(number), rng) for number in classes])
    for place in np.flatnonzero(np.isin(classes, blurred)):
        made[place] = ndimage.gaussian_filter(made[place], (0, 0.6, 0.6))
    return torch.from_numpy(made).float(), classes


def diagnosed(plan: Plan, seed: int, count: int = CHIPS) -> tuple[tuple[ClassFigures, ...], float]:
    """Figures of every class, and R2 of the scores of references against the true log ratio of shares."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    real, classes = chips((0.25,) * CLASSES, count, rng)
    generated, others = chips(plan.shares, count, rng, plan.blurred)
    how = Refit(**{**vars(HOW), "seed": seed})
    found = judge_images(real, generated, how)
    blocks = np.arange(2 * count)
    figures = class_figures(
        Side(found.real, classes, blocks[:count]), Side(found.generated, others, blocks[count:]),
        density=True, shares=True, seed=seed,
    )  # fmt: skip
    truth = np.log(0.25 / np.array(plan.shares))[classes]
    spread = np.square(truth - truth.mean()).sum()
    r2 = 1 - np.square(found.real - truth).sum() / spread if spread else np.nan
    return figures, float(r2)


SHARES = {
    "nothing": Plan(),
    "class 0 too rare, x2": rarer(2),
    "class 0 too rare, x4": rarer(4),
    "class 0 too rare, x8": rarer(8),
    "class 0 too common, x2, and blurred": Plan((0.5, *(0.5 / 3,) * 3), (0,)),
}


def verdicts(task: tuple[str, int]) -> tuple[bool, bool, int, bool]:
    """Whether share and quality of class 0 are judged right, another verdict is wrong, and the scores' share is right.

    The last: whether the true log share ratio of class 0 lies in the interval that the scores give.
    The other classes make up for a planted share, so that theirs differ in truth: a verdict of that sign is right.
    """
    name, seed = task
    plan = SHARES[name]
    figures, _ = diagnosed(plan, seed)
    signs = np.sign(np.log(0.25 / np.array(plan.shares)).round(9))
    shares, wrong = [], 0
    for one in figures:
        said = one.too_rare - one.too_common
        shares.append(said == signs[one.number])
        wrong += said not in (0, signs[one.number])
        wrong += one.told_apart and one.number not in plan.blurred
    quality = figures[0].told_apart == (0 in plan.blurred)
    read = figures[0].log_share
    inside = read.low < np.log(0.25 / plan.shares[0]) < read.high
    return bool(shares[0]), bool(quality), int(wrong > 0), bool(inside)


def shares(pool: ProcessPoolExecutor, seeds: int) -> str:
    """Planted shares, and nothing planted four times as often."""
    lines = []
    for name in SHARES:
        tasks = [(name, seed) for seed in range(seeds * (4 if name == "nothing" else 1))]
        rows = list(pool.map(verdicts, tasks, chunksize=4))
        lines.append([name, str(len(rows)), *(str(sum(column)) for column in zip(*rows, strict=True))])
        print(*lines[-1], sep=" | ", flush=True)
    head = [
        "planted",
        "runs",
        "share of class 0 right",
        "quality of class 0 right",
        "a wrong verdict elsewhere",
        "share by the scores right",
    ]
    return table(head, lines)


CONVERTED = tuple(name for name, one in OBJECTIVES.items() if one.log_ratio is not None)
UNEVEN = (0.05, 0.15, 0.30, 0.50)


def converted(task: tuple[str, int]) -> tuple[str, bool, bool, float]:
    """Whether sign and order of the classes are right by a discriminator of a game, and R2 of its log ratios."""
    name, seed = task
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    real, _ = chips((0.25,) * CLASSES, 20000, rng)
    generated, _ = chips(UNEVEN, 20000, rng)
    judge, objective = ImageJudge(2, 12), OBJECTIVES[name]
    optimizer = torch.optim.Adam(judge.parameters(), lr=2e-3)
    for _ in range(800):
        picked = (x[torch.from_numpy(rng.integers(len(x), size=128))] for x in (real, generated))
        loss = objective.discriminator(*map(judge, picked))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        optimizer.step()
    fresh, classes = chips((0.25,) * CLASSES, 4000, rng)
    with torch.inference_mode():
        ratios = meaning_of(name).ratios(judge(fresh).numpy())
    truth = np.log(0.25 / np.array(UNEVEN))
    means = np.array([np.median(ratios[classes == number]) for number in range(CLASSES)])
    r2 = 1 - np.square(ratios - truth[classes]).sum() / np.square(truth[classes] - truth[classes].mean()).sum()
    return name, bool((np.sign(means) == np.sign(truth)).all()), bool((np.diff(means) < 0).all()), float(r2)


def objectives(pool: ProcessPoolExecutor, seeds: int) -> str:
    """Games whose logits can be converted; without refit and calibration."""
    tasks = [(name, seed) for name in CONVERTED for seed in range(max(seeds // 20, 3))]
    found = list(pool.map(converted, tasks))
    lines = []
    for name in CONVERTED:
        rows = [row[1:] for row in found if row[0] == name]
        signs, order, r2 = zip(*rows, strict=True)
        lines.append([name, str(len(rows)), str(sum(signs)), str(sum(order)), f"{np.median(r2):.2f}"])
        print(*lines[-1], sep=" | ", flush=True)
    return table(["game", "runs", "signs right", "order right", "R2 of single chips, median"], lines)


def pairs(name: str, seed: int, count: int) -> tuple[Tensor, Tensor, Floats, Floats]:
    """Images of one pixel and two bands of known densities: both kinds, and the true log ratio of each."""
    rng = np.random.default_rng(seed)
    if name == "Gaussians":
        parts = [[(1.0, (0.0, 0.0), 1.0)], [(1.0, (1.0, 0.5), 1.2)]]
    else:
        parts = [
            [(0.5, (-1.5, 0.0), 0.8), (0.5, (1.5, 0.0), 0.8)],
            [(0.2, (-1.5, 0.0), 0.8), (0.8, (1.2, 0.3), 1.0)],
        ]
    drawn = []
    for mixture in parts:
        which = rng.choice(len(mixture), size=count, p=[weight for weight, _, _ in mixture])
        centres, widths = np.array([m for _, m, _ in mixture]), np.array([w for _, _, w in mixture])
        drawn.append(centres[which] + widths[which, None] * rng.standard_normal((count, 2)))

    def density(mixture: list[tuple[float, tuple[float, float], float]], x: Floats) -> Floats:
        terms = (weight * stats.multivariate_normal.pdf(x, centre, width**2) for weight, centre, width in mixture)
        return np.asarray(sum(terms))

    truths = [np.log(density(parts[0], x) / density(parts[1], x)) for x in drawn]
    images = [torch.from_numpy(x).float()[..., None, None].expand(-1, -1, 8, 8) for x in drawn]
    return images[0], images[1], truths[0], truths[1]


def known(task: tuple[str, int]) -> tuple[str, float, float]:
    """R2 of calibrated log ratios, and their calibration error."""
    name, seed = task
    torch.set_num_threads(1)
    count = 32000
    how = Refit(
        updates=3000, folds=5, batch=128, channels=16, learning_rate=2e-3, check_every=100, patience=6, seed=seed
    )
    if name == "chips, class 0 too rare, x4":
        rng = np.random.default_rng(seed)
        real, classes = chips((0.25,) * CLASSES, count, rng)
        generated, others = chips(rarer(4).shares, count, rng)
        ratio = np.log(0.25 / np.array(rarer(4).shares))
        truths = ratio[classes], ratio[others]
    else:
        real, generated, *truths = pairs(name, seed, count)
    found = judge_images(real, generated, how)
    truth, scores = np.concatenate(truths), np.concatenate([found.real, found.generated])
    r2 = 1 - np.square(scores - truth).sum() / np.square(truth - truth.mean()).sum()
    return name, float(r2), reliability(found.real, found.generated).error


def truths(pool: ProcessPoolExecutor, seeds: int) -> str:
    """Log density ratios against known ones."""
    names = ("Gaussians", "mixtures of Gaussians", "chips, class 0 too rare, x4")
    found = list(pool.map(known, [(name, seed) for name in names for seed in range(max(seeds // 20, 3))]))
    lines = []
    for name in names:
        r2, errors = np.array([row[1:] for row in found if row[0] == name]).T
        lines.append(
            [
                name,
                str(len(r2)),
                f"{np.median(r2):.3f}",
                f"{r2.min():.3f} .. {r2.max():.3f}",
                f"{np.median(errors):.3f}",
            ]
        )
        print(*lines[-1], sep=" | ", flush=True)
    return table(["known densities", "runs", "R2, median", "worst .. best", "calibration error"], lines)


MOSAIC, SQUARE, BLURRED = 768, 64, 2
"""Side of a drawn scene and of its squares of one class, pixels; the class whose invented detail is too faint."""


def drawn_ground(seed: int, folder: Path) -> tuple[OpticalGround, Landcover]:
    """A mosaic of classes; what is generated has fresh detail of the same law, but weaker in one class."""
    rng = np.random.default_rng(seed)
    squares = rng.integers(CLASSES, size=(MOSAIC // SQUARE,) * 2)
    classes = squares.repeat(SQUARE, 0).repeat(SQUARE, 1)
    base = 0.2 + 0.05 * ndimage.gaussian_filter(rng.standard_normal((2, MOSAIC // 2, MOSAIC // 2)), (0, 4, 4)) * 10
    strength = np.array([0.01, 0.02, 0.03, 0.015])[classes]

    def detail(weaker: float) -> Floats:
        grain = ndimage.gaussian_filter(rng.standard_normal((2, MOSAIC, MOSAIC)), (0, 0.5, 0.5))
        mean = grain.reshape(2, MOSAIC // 2, 2, MOSAIC // 2, 2).mean((2, 4))
        return np.asarray(
            (grain - mean.repeat(2, 1).repeat(2, 2)) * strength * np.where(classes == BLURRED, weaker, 1.0)
        )

    fine = Affine(5, 0, 500000, 0, -5, 5000000)
    coarse = Affine(10, 0, 500000, 0, -10, 5000000)
    scenes = {}
    for name, values, transform in (
        ("observed", base, coarse),
        ("real", base.repeat(2, 1).repeat(2, 2) + detail(1.0), fine),
        ("generated", base.repeat(2, 1).repeat(2, 2) + detail(0.7), fine),
    ):
        grid = Grid(CRS.from_epsg(32633), transform, (values.shape[1], values.shape[2]))
        path = folder / f"{name}.tif"
        with RasterWriter(path, grid=grid, count=2, dtype="float32", descriptions=("B03", "B04"), cog=False) as writer:
            writer.write(values.astype(np.float32), grid.window)
        scenes[name] = Scene.open((path,), wanted=("B03", "B04"))
    scaling = BandScaling(np.full(2, 0.2), np.full(2, 0.02))
    geometry = patch_geometry(PatchLayersConfig())
    observed = scenes.pop("observed")
    ground = OpticalGround(observed, scenes, 2, scaling, geometry)
    whole = ndimage.uniform_filter
    shares = np.stack([whole((classes == n).astype(np.float32), geometry.side) for n in range(CLASSES)])
    cells = shares[:, geometry.stride // 2 :: geometry.stride, geometry.stride // 2 :: geometry.stride]
    return ground, Landcover(np.where(cells.max(0) > 0.95, cells.argmax(0), MIXED), {}, "drawn")


def conditional(task: int) -> list[tuple[bool, float]]:
    """By class: whether it is told apart, and its AUROC."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ground, landcover = drawn_ground(task, Path(folder))
        how = Refit(updates=400, folds=4, batch=8, channels=8, learning_rate=3e-3, patience=5, seed=task)
        config = PatchDiscriminatorConfig(bands=2, scale=2, channels=8, strided=2)
        scores = refit_ground(ground, how, lambda: PatchDiscriminator(config), way="platt", device=torch.device("cpu"))
    chosen = scores.counted & (landcover.classes != MIXED)
    sides = [
        Side(
            scores.ratios.of[kind][chosen].astype(np.float64), landcover.classes[chosen], scores.blocks.numbers[chosen]
        )
        for kind in ("real", "generated")
    ]
    return [(one.told_apart, one.auroc.value) for one in class_figures(*sides, density=True, shares=False, seed=task)]


def conditionals(pool: ProcessPoolExecutor, seeds: int) -> str:
    """Weaker detail in one class, behind a generator that is given the ground."""
    found = list(pool.map(conditional, range(max(seeds // 5, 3))))
    lines = []
    for number in range(CLASSES):
        told, areas = zip(*(one[number] for one in found), strict=True)
        name = f"class {number}" + (", detail 0.7 times too weak" if number == BLURRED else "")
        lines.append([name, str(len(told)), str(sum(told)), f"{np.median(areas):.2f}"])
        print(*lines[-1], sep=" | ", flush=True)
    return table(["class", "runs", "told apart", "AUROC, median"], lines)


def _bare(judge: torch.nn.Module, side: int, part: int) -> float:
    """Seconds for both kinds, in parts of so many pixels that are there already."""
    started = time.perf_counter()
    with torch.inference_mode():
        chip, seen = torch.randn(1, 4, part, part), torch.randn(1, 4, part // 2, part // 2)
        for _ in range(2 * (side // part) ** 2):
            judge(chip, seen)
    return time.perf_counter() - started


def speed(_: ProcessPoolExecutor, __: int) -> str:
    """Logits of 4096 x 4096 pixels in four bands, both kinds, beside the bare discriminator on the same pixels."""
    side, lines = 4096, []
    torch.set_num_threads(2)
    keep_freed_memory()  # as the program does; the bare discriminator has it, too
    judge = open_model("s2-rgbn-x2").discriminator()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        scenes = {}
        for kind, size, step in (("observed", side // 2, 10), ("real", side, 5), ("generated", side, 5)):
            grid = Grid(CRS.from_epsg(32633), Affine(step, 0, 500000, 0, -step, 5000000), (size, size))
            with RasterWriter(
                Path(name) / f"{kind}.tif", grid=grid, count=4, dtype="uint16", descriptions=RGBN, cog=False
            ) as writer:
                for top in range(0, size, 512):
                    window = type(grid.window)(0, top, size, 512)
                    writer.write(rng.integers(500, 3000, (4, 512, size), dtype=np.uint16), window)
            scenes[kind] = Scene.open((Path(name) / f"{kind}.tif",), wanted=RGBN, reflectance_scale=10000)
        ground = OpticalGround(
            scenes.pop("observed"), scenes, 2, BandScaling(np.full(4, 0.2), np.full(4, 0.05)),
            patch_geometry(judge.config),
        )  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(3):
            bare = min(_bare(judge, side, part) for part in (512, 1024))
            started = time.perf_counter()
            dense_logits(ground, lambda cells: judge, device=torch.device("cpu"))
            took = time.perf_counter() - started
            lines.append([f"{bare:.1f}", f"{took:.1f}", f"{took / bare:.2f}"])
            print(*lines[-1], sep=" | ", flush=True)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    head = ["bare, s, the better of parts of 512 and 1024", "from files, s", "ratio"]
    return f"{table(head, lines)}\n\nPeak memory grew by {grown:.2f} GiB meanwhile."


PARTS = {
    "truths": truths, "objectives": objectives, "shares": shares, "conditionals": conditionals, "speed": speed,
}  # fmt: skip


def main() -> None:
    """Measure, and write one section per part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for part in arguments.part:
            body = PARTS[part](pool, arguments.seeds)
            seeds = "" if arguments.seeds == SEEDS else f" --seeds {arguments.seeds}"
            command = f"python -m benchmarks.diagnose --part {part}{seeds}"
            record(f"diagnose.py --part {part}", f"`{command}`\n\n{body}")


if __name__ == "__main__":
    main()
