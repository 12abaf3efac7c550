"""A real case of `rsgan diagnose`, checked by a measure that knows no discriminator: writes a section of RESULTS.md.

    python -m benchmarks.diagnose_real --data DIR [--report FOLDER]

Aberystwyth (Wales), Sentinel-2 L2A of 2021-05-27 at 10 m, is the reference; blurred and averaged to 20 m it is what
`s2-rgbn-x2` is given. The classes are those of a map of the same date. The model was trained on this place and others.
What the discriminator says per class (AUROC of a fresh one) stands beside the power of the finest detail, enhanced over
reference, and its correlation with that of the reference.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from benchmarks.results import record, renew_block, table
from rsgan.diagnose import Diagnosis, Settings, diagnose
from rsgan.diagnose.saving import prepare_folder, save
from rsgan.enhance.options import Reading
from rsgan.errors import RsganWarning
from rsgan.geo import RasterWriter, Scene
from rsgan.sensors.optical import degrade

Floats = NDArray[np.float64]
BANDS, SIGMA, MODEL = ("B02", "B03", "B04", "B08"), 0.4, "s2-rgbn-x2"
REFERENCE, CLASSES = "sentinel2/s2_l2a_aberystwyth_20210527.tif", "labels/classes_aberystwyth_20210527.tif"
NAMES = {1: "forest", 2: "grass", 3: "urban and other", 4: "water"}


def written(data: Path) -> dict[str, Path]:
    """Reference and observed raster in the present folder, as 16 bit GeoTIFFs of reflectance 1 = 10000, and the map."""
    with Scene.open((data / REFERENCE,), wanted=BANDS, reflectance_scale=1000) as scene:
        height, width = (length // 4 * 4 for length in scene.grid.shape)
        window = scene.grid.window
        chip = scene.read(window)
        values, valid = (part[:, :height, :width] for part in (chip.values.astype(np.float64), chip.valid))
        window = type(window)(0, 0, width, height)
        fine = scene.grid.crop(window)
    seen = degrade(torch.from_numpy(values)[None], torch.full((1, len(BANDS)), SIGMA).double(), 2)[0].numpy()
    whole = valid.reshape(len(BANDS), height // 2, 2, width // 2, 2).all(axis=(2, 4))
    paths = {}
    for name, numbers, there, grid in (("reference", values, valid, fine), ("observed", seen, whole, fine.coarsen(2))):
        paths[name] = Path(f"{name}.tif")
        stored = np.where(there, np.clip(np.rint(numbers * 10000), 1, 65535), 0).astype(np.uint16)
        with RasterWriter(
            paths[name], grid=grid, count=len(BANDS), dtype="uint16", nodata=0, descriptions=BANDS, cog=False
        ) as writer:
            writer.write(stored, grid.window)
    Path("classes.tif").symlink_to(data / CLASSES)
    Path("legend.csv").write_text("".join(f"{n},{name}\n" for n, name in NAMES.items()), encoding="utf-8")
    return paths


def detail(path: Path) -> tuple[Floats, NDArray[np.bool_]]:
    """What a pixel adds to the mean of its 3 x 3 neighbours (C, H, W), and where all nine are valid."""
    with Scene.open((path,), wanted=BANDS) as scene:
        chip = scene.read(scene.grid.window)
    values = chip.values.astype(np.float64)
    fine = values - ndimage.uniform_filter(values, (0, 3, 3), mode="nearest")
    return fine, ndimage.minimum_filter(chip.valid.all(axis=0), 3)


def by_class(found: Diagnosis, paths: dict[str, Path]) -> dict[int, tuple[float, float]]:
    """Power of the finest detail, enhanced over reference, and the correlation of the two, by class."""
    (real, there), (made, also) = (detail(paths[name]) for name in ("reference", "enhanced"))
    step, figures = found.geometry.stride, {}
    if found.landcover is None:
        return {}
    pixels = found.landcover.classes.repeat(step, 0).repeat(step, 1)
    height, width = pixels.shape
    for number in NAMES:
        here = (pixels == number) & (there & also)[:height, :width]
        if here.any():
            a, b = (x[:, :height, :width][:, here] for x in (real, made))
            ratios = (b**2).sum(1) / (a**2).sum(1)
            agree = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
            figures[number] = float(np.median(ratios)), float(np.median(agree))
    return figures


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--report", type=Path, help="folder for the report itself")
    parser.add_argument("--refit", type=int, default=300)
    arguments = parser.parse_args()
    lines, orders = [], []
    data, report = arguments.data.resolve(), arguments.report and arguments.report.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", RsganWarning)
        paths = written(data) | {"enhanced": Path("enhanced.tif")}
        for refit in (arguments.refit, 0):
            made = paths["enhanced"] if paths["enhanced"].exists() else None
            found = diagnose(
                paths["observed"], model=MODEL, reference=paths["reference"], enhanced=made, work=Path(),
                reading=Reading(reflectance_scale=10000),
                settings=Settings(landcover="classes.tif", legend="legend.csv", refit=refit),
            )  # fmt: skip
            if refit and report:
                prepare_folder(report, overwrite=True)
                list(save(found, report))
            judge = f"fresh, {refit} updates" if refit else f"left over ({found.meaning.objective})"
            checked = by_class(found, paths)
            told = [(one, checked[one.number]) for one in found.classes if one.enough]
            orders.append((judge, [(one.auroc.value, power) for one, (power, _) in told]))
            for one in found.classes:
                power, agree = checked.get(one.number, (np.nan, np.nan))
                area = f"{one.auroc.value:.3f}", f"{one.auroc.low:.3f} .. {one.auroc.high:.3f}"
                verdict = "too few" if not one.enough else "told apart" if one.told_apart else "not told apart"
                lines.append(
                    [f"{judge}: {found.name_of(one.number)}", str(one.patches[0]), f"{min(one.effective):.0f}", *area,
                     verdict, f"{power:.2f}", f"{agree:.2f}"]
                )  # fmt: skip
                print(*lines[-1], sep=" | ", flush=True)
    head = ["judge: class", "patches", "independent", "AUROC", "95 %", "verdict", "power of detail", "its correlation"]
    said = "; ".join(
        f"{judge}: {stats.spearmanr(*zip(*pairs, strict=True)).statistic:+.2f} over {len(pairs)} classes"
        for judge, pairs in orders
        if len(pairs) > 2
    )
    body = f"{table(head, lines)}\n\nRank correlation of AUROC with the power of detail: {said}."
    renew_block("real", body, Path("docs/diagnose.md"))
    record("diagnose_real.py", f"`python -m benchmarks.diagnose_real --data DIR`\n\n{body}")


if __name__ == "__main__":
    main()
