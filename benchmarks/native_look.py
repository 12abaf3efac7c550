"""How natural enhanced native scenes look, measured on texture and shown as panels: writes a section of RESULTS.md.

    python -m benchmarks.native_look --data DIR [--model NAME_OR_FILE ...] [--panels FOLDER]

Nothing finer exists of a native Sentinel-2 scene, so its enhanced texture is compared with that of finer rasters of
like ground: `texture` describes windows of 32 x 32 output pixels by figures that no model was fitted to, and the
distance is that of their distributions. The check of the measure: references of a held-out place have to be nearer to
the references than back-projection is. Methods and the held-out place are compared with the same references.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, stats

import rsgan
from benchmarks.results import record, table
from benchmarks.scale_of_use import RGB, Place
from rsgan.catalogue import RGBN
from rsgan.errors import RsganWarning
from rsgan.filters.back_projection import back_projection
from rsgan.geo import Scene
from rsgan.model import find_model, read_card

Floats = NDArray[np.floating]
SIDE = 32
"""Side of a window of texture, output pixels."""
TEXTURED = 0.5
"""Share of the windows, those with most detail, that count as texture."""


@dataclass(frozen=True)
class Native:
    """A crop of a native scene: name, cover, file, (column, row, width, height) in pixels, reflectance scale, gsd."""

    name: str
    cover: str
    path: str
    crop: tuple[int, int, int, int]
    reflectance_scale: float = 10000
    gsd_m: float | None = None


SCENES = (
    Native("Austria, spruce", "forest", "sentinel2/ben_S2B_MSIL2A_20170924T093019_43_47_10m.tif", (20, 20, 80, 80)),
    Native("Lithuania, pine", "forest", "sentinel2/ben_S2B_MSIL2A_20170927T094019_66_56_10m.tif", (0, 30, 80, 80)),
    Native("Balkan, slopes", "forest", "sentinel2/ben_S2B_MSIL2A_20180502T093039_43_14_10m.tif", (20, 40, 80, 80)),
    Native("Gujarat, hills", "scrub", "sentinel2/s2_gujarat_d.tif", (20, 140, 80, 80)),
    Native("Leipzig", "town", "sentinel2/s2_l2a_leipzig.tif", (0, 70, 80, 80)),
    Native("Gujarat, villages", "town", "sentinel2/s2_gujarat_b.tif", (150, 150, 80, 80)),
    Native("L1B, lake", "suburb", "sentinel2/s2_l1b_l1bsr_03.tif", (100, 150, 80, 80), 2500, 10),
    Native("L1B, railway", "suburb", "sentinel2/s2_l1b_l1bsr_04.tif", (30, 150, 80, 80), 2500, 10),
    Native("Austria", "fields", "sentinel2/s2_l2a_austria_window_a.tif", (60, 120, 80, 80)),
    Native("Denmark", "fields", "sentinel2/s2_l1c_t33uub_20170527_10m.tif", (120, 40, 80, 80), 10000, 10),
    Native("Port", "coast", "sentinel2_coast/s2_ship_219009183_20220825.tif", (20, 30, 80, 80)),
    Native("Aberystwyth", "coast", "sentinel2/s2_l2a_aberystwyth_20210527.tif", (160, 150, 80, 80), 1000),
)
LIKE: Mapping[str, tuple[Place, ...]] = {
    "forest": (
        Place("Waynesboro", "forest", "vhr/naip_1m_virginia_*.tif", 600, 1.0),
        Place(
            "Injune",
            "woodland",
            "vhr/casi_1m_injune_*.tif",
            40000,
            1.0,
            RGBN,
            ("CASI_01", "CASI_03", "CASI_07", "CASI_13"),
        ),
    ),
    "suburb": (
        Place("Bishop", "suburb", "vhr/naip_120cm_bishop_*.tif", 1000, 1.2),
        Place("Chico", "suburb", "vhr/naip_120cm_chico_*.tif", 1000, 1.2),
        Place("Tartu", "gardens", "vhr/maaamet_120cm_tartu_3.tif", 1500, 1.2, RGB),
    ),
}
"""Fine references of like ground, two places or more each, so that one can be held out."""


def texture(values: Floats, scale: int) -> Floats:
    """Describe windows of texture of an image (C, H, W): (windows, figures).

    Figures, all free of the image's level and contrast: share of power beyond half of Nyquist, and beyond the input's
    Nyquist, of what is finer than 16 pixels; mean coherence of the structure tensor; kurtosis of the Laplacian and of
    the gradient; share of ridges; correlation of neighbours of the Laplacian.
    """
    image = values.mean(0)
    detail = image - ndimage.gaussian_filter(image, 4)
    height, width = (n // (SIDE // 2) * (SIDE // 2) - SIDE // 2 for n in image.shape)
    corners = [(r, c) for r in range(0, height, SIDE // 2) for c in range(0, width, SIDE // 2)]
    strength = np.array([detail[r : r + SIDE, c : c + SIDE].std() for r, c in corners])
    chosen = [corner for corner, s in zip(corners, strength, strict=True) if s >= np.quantile(strength, TEXTURED)]
    dy, dx = (ndimage.gaussian_filter(image, 0.7, order=o) for o in ((1, 0), (0, 1)))
    yy, xy, xx = (ndimage.gaussian_filter(x, 2.0) for x in (dy * dy, dy * dx, dx * dx))
    coherence = np.sqrt((yy - xx) ** 2 + 4 * xy**2) / (yy + xx + 1e-20)
    laplacian = ndimage.laplace(image)
    hyy, hxy, hxx = (ndimage.gaussian_filter(image, 1.0, order=o) for o in ((2, 0), (1, 1), (0, 2)))
    root = np.sqrt((hyy - hxx) ** 2 + 4 * hxy**2)
    strong, weak = (np.abs(hyy + hxx) + root) / 2, np.abs(np.abs(hyy + hxx) - root) / 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij"))
    taper = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    rows = []
    for r, c in chosen:
        at = slice(r, r + SIDE), slice(c, c + SIDE)
        window = image[at] - image[at].mean()
        power = np.abs(np.fft.fft2(window * taper)) ** 2
        fine = power[frequency > 1 / 16].sum() + 1e-30
        ridge = (strong[at] > 3 * weak[at]) & (strong[at] > np.quantile(strong[at], 0.5))
        lap = laplacian[at] - laplacian[at].mean()
        rows.append(
            [
                np.log10(power[frequency > 0.25].sum() / fine + 1e-4),
                np.log10(power[frequency > 0.5 / scale].sum() / fine + 1e-4),
                coherence[at].mean(),
                np.log(stats.kurtosis(laplacian[at], axis=None, fisher=False)),
                np.log(stats.kurtosis(np.hypot(dy[at], dx[at]), axis=None, fisher=False)),
                ridge.mean(),
                (lap[:, 1:] * lap[:, :-1]).mean() / (lap.var() + 1e-30),
            ]
        )
    return np.array(rows)


def distance(windows: Floats, references: Floats) -> float:
    """Energy distance of distributions of figures, each in units of the references' spread; 0 where they are alike.

    Source: Szekely and Rizzo 2013, doi:10.1016/j.jspi.2013.03.018.
    """
    spread = references.std(0) + 1e-9
    first, second = windows / spread, references / spread

    def mean(a: Floats, b: Floats) -> float:
        return float(np.linalg.norm(a[:, None] - b[None], axis=2).mean())

    return 2 * mean(first, second) - mean(first, first) - mean(second, second)


def enhancers(models: list[str]) -> dict[str, Callable[[Path, Native, Path], Floats]]:
    """Method -> function that enhances a crop."""

    def run(model: str, **settings: float) -> Callable[[Path, Native, Path], Floats]:
        def enhance(source: Path, native: Native, folder: Path) -> Floats:
            how = {"reflectance_scale": native.reflectance_scale, "gsd_m": native.gsd_m}
            with warnings.catch_warnings(category=RsganWarning, action="ignore"):
                out = rsgan.superres(
                    source,
                    folder / "out.tif",
                    model=model,
                    crop=native.crop,
                    overwrite=True,
                    cog=False,
                    **how,
                    **settings,
                )
            with Scene.open([out], wanted=None, reflectance_scale=native.reflectance_scale) as scene:
                return scene.read(scene.grid.window).values.astype(np.float64)

        return enhance

    found = {}
    for model in models:
        found[Path(model).stem] = run(model)
        if read_card(find_model(model)).objective not in (None, "none"):
            found[f"{Path(model).stem}, sharpness 0.5"] = run(model, sharpness=0.5)
            found[f"{Path(model).stem}, sharpness 1"] = run(model, sharpness=1.0)
    return found


def observed_crop(source: Path, native: Native) -> Floats:
    """The crop as it was observed, reflectance (4, h, w)."""
    how = {"reflectance_scale": native.reflectance_scale, "gsd_m": native.gsd_m}
    with Scene.open([source], wanted=RGBN, **how) as scene:
        column, row, width, height = native.crop
        values = scene.read(scene.grid.window).values
        return values[:, row : row + height, column : column + width].astype(np.float64)


def enhance_all(native: Native, root: Path, scale: int, models: list[str]) -> dict[str, Floats]:
    """Method -> (4, scale h, scale w) of one crop."""
    source = root / native.path
    observed = observed_crop(source, native)
    seen, sigma = torch.from_numpy(observed)[None], torch.full((1, 4), 0.40, dtype=torch.float64)
    images = {"input": observed.repeat(scale, 1).repeat(scale, 2)}
    for steps, name in ((0, "bicubic"), (5, "back-projection")):
        images[name] = back_projection(seen, sigma, scale, steps)[0].numpy()
    with tempfile.TemporaryDirectory() as folder:
        for name, enhance in enhancers(models).items():
            images[name] = enhance(source, native, Path(folder))
    return images


def panel(images: Mapping[str, Floats], side: int = 224) -> NDArray[np.uint8]:
    """Images side by side in natural colours, stretched alike."""
    low, high = np.quantile(images["bicubic"][:3], [0.01, 0.99], axis=(1, 2), keepdims=True)
    shown = [np.clip((x[2::-1, :side, :side] - low[::-1]) / (high - low)[::-1], 0, 1) for x in images.values()]
    row = np.concatenate([np.pad(x, ((0, 0), (0, 4), (0, 4)), constant_values=1) for x in shown], 2)
    return (255 * row).astype(np.uint8).transpose(1, 2, 0)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the rasters")
    parser.add_argument("--model", nargs="+", default=["s2-rgbn-x4"], help="names or files of models of one scale")
    parser.add_argument("--panels", type=Path, help="folder for the pictures")
    parser.add_argument("--record", action="store_true", help="write the tables into RESULTS.md")
    arguments = parser.parse_args()
    scale = read_card(find_model(arguments.model[0])).scale
    gsd_m = 10 / scale
    fine = {
        cover: [
            np.concatenate(
                [
                    texture(x[p.judged], scale)
                    for x in p.references(arguments.data, gsd_m)
                    if min(x.shape[1:]) >= 2 * SIDE - 4
                ]
            )
            for p in places
        ]
        for cover, places in LIKE.items()
    }
    body: list[list[str]] = []
    found: dict[str, list[tuple[str, Floats]]] = {}
    for native in SCENES:
        images = enhance_all(native, arguments.data, scale, arguments.model)
        if arguments.panels:
            arguments.panels.mkdir(parents=True, exist_ok=True)
            name = native.name.replace(", ", "-").replace(" ", "-")
            Image.fromarray(panel(images)).save(arguments.panels / f"{name}.png")
        for method, values in images.items():
            found.setdefault(method, []).append((native.cover, texture(values, scale)))
    for cover, places in fine.items():
        body += [
            [
                f"held-out references, {cover}",
                "",
                *(_figures(places[0])),
                f"{distance(places[0], np.concatenate(places[1:])):.2f}",
            ]
        ]
        for method, scenes in found.items():
            windows = np.concatenate([w for c, w in scenes if c == cover])
            body += [
                [
                    f"{method}, {cover}",
                    str(len(windows)),
                    *_figures(windows),
                    f"{distance(windows, np.concatenate(places[1:])):.2f}",
                ]
            ]
    text = table(["method", "windows", "power", "coherence", "kurtosis", "ridges", "distance"], body)
    print(text)
    if arguments.record:
        record("native_look.py", "`python -m benchmarks.native_look --data DIR --record`\n\n" + text)


def _figures(windows: Floats) -> list[str]:
    return [
        f"{(10 ** windows[:, 0]).mean():.3f}",
        f"{windows[:, 2].mean():.2f}",
        f"{np.exp(windows[:, 3]).mean():.1f}",
        f"{windows[:, 5].mean():.2f}",
    ]


if __name__ == "__main__":
    main()
