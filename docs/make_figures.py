"""Make the pictures of the pages: `python docs/make_figures.py [--data DIR]`.

Without `--data` they show the synthetic land of data_samples. With it, the held-out scene `HELD_OUT` below DIR, the
same folder that training takes as `--data`. Needs the package with its extra `bench` (matplotlib).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot
from numpy.typing import NDArray
from PIL import Image

import rsgan
from rsgan.catalogue import DETECTOR_MTF_NYQUIST, RGBN, sensor
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics, scene_statistics
from rsgan.geo import Scene
from rsgan.model import Model, open_model
from rsgan.report.panels import Panel, save_panels
from rsgan.sensors.optical import degrade, upsample

Floats = NDArray[np.floating]
DOCS = Path(__file__).parent
SAMPLES = DOCS.parent / "data_samples"
MODEL = "s2-rgbn-x2"
RGB = (2, 1, 0)
LARGEST_BYTES = 400_000
SIDE = 96
"""Side of the part that is shown, input pixels, where nothing else is said."""


@dataclass(frozen=True)
class Shown:
    """What the pictures are made of.

    Attributes:
        path: raster.
        reflectance_scale: stored number that means reflectance 1; None reads it from the file.
        corner: (row, column) of the part that is shown, input pixels.
        credit: what the raster is, for captions.
        side: of the part that is shown, input pixels.
    """

    path: Path
    reflectance_scale: float | None
    corner: tuple[int, int]
    credit: str
    side: int = SIDE


SAMPLE = Shown(SAMPLES / "s2_rgbn_10m.tif", None, (110, 170), "synthetic land")
SWATH_EDGE = Shown(SAMPLES / "s2_rgbn_10m.tif", None, (182, 268), "synthetic land", side=48)
SHARP = Shown(SAMPLES / "s2_rgbn_reference_5m.tif", None, (100, 100), "synthetic land")
HELD_OUT = Shown(Path("sentinel2/s2_l2a_leipzig.tif"), 10000, (60, 30), "modified Copernicus Sentinel data")


class Look:
    """One scene, read whole, with the model bound to it."""

    def __init__(self, shown: Shown, model: Model) -> None:
        self.shown, self.model, self.scale = shown, model, model.card.scale
        with Scene.open([shown.path], wanted=RGBN, reflectance_scale=shown.reflectance_scale) as scene:
            chip = scene.read(scene.grid.window)
            self.statistics: SceneStatistics = scene_statistics(scene, model.card)
        self.observed, self.valid = chip.values, chip.valid
        row, column = shown.corner
        self.part = slice(row, row + shown.side), slice(column, column + shown.side)
        if self.observed[:, *self.part].shape[1:] != (shown.side, shown.side):
            raise SystemExit(
                f"{shown.path} has {self.observed.shape[1:]} pixels, too few for {shown}. Move the corner."
            )

    def enhance(self, observed: Floats, sharpness: float | None = None) -> Floats:
        """(C, h, w) -> (C, scale h, scale w) with nothing around it: no halo, no filling."""
        generator, cpu = self.model.generator(sharpness), torch.device("cpu")
        enhancer = SceneEnhancer(generator, self.statistics, cpu, self.scale, self.model.receptive_field)
        inner = slice(0, observed.shape[1]), slice(0, observed.shape[2])
        return enhancer(observed[None].astype(np.float32), inner, np.ones((1, *observed.shape), dtype=bool)).values[0]

    def file_to_file(self, **options: object) -> Floats:
        """Reflectance of the whole scene as `rsgan.superres` writes it."""
        with TemporaryDirectory() as folder:
            out = rsgan.superres(
                self.shown.path,
                Path(folder) / "enhanced.tif",
                model=self.model.path,
                reflectance_scale=self.shown.reflectance_scale,
                **options,
            )
            with Scene.open([out], wanted=RGBN, reflectance_scale=self.shown.reflectance_scale) as scene:
                return scene.read(scene.grid.window).values

    def fine(self, values: Floats) -> Floats:
        """The part that is shown, of a raster on the output's grid."""
        rows, columns = (slice(span.start * self.scale, span.stop * self.scale) for span in self.part)
        return values[:, rows, columns]

    def coarse(self, values: Floats) -> Floats:
        """The part that is shown, of a raster on the input's grid, each pixel as a square."""
        return values[:, self.part[0], self.part[1]].repeat(self.scale, axis=1).repeat(self.scale, axis=2)

    def bicubic(self) -> Floats:
        """The part that is shown, interpolated."""
        return self.fine(upsample(torch.from_numpy(self.observed)[None], self.scale)[0].numpy())


def save(name: str, panels: Sequence[Panel]) -> None:
    """Write panels in true colour and refuse a file that is too large for a page."""
    path = DOCS / "img" / name
    save_panels(path, panels, RGB)
    check_size(path)


def check_size(path: Path) -> None:
    """Refuse a picture that is too large for a page."""
    size = path.stat().st_size
    if size >= LARGEST_BYTES:
        raise SystemExit(f"{path.name} has {size} bytes; pictures stay below {LARGEST_BYTES}. Show a smaller part.")
    print(path.name, size)


def amplified(difference: Floats, picture: Floats, gain: float) -> Floats:
    """A difference as deviations from the middle of the range in which a picture is shown, `gain` times as large."""
    middle = np.percentile(picture, (1, 99), axis=(1, 2)).mean(axis=0)
    return middle[:, None, None] + gain * difference


def before_and_after(look: Look) -> None:
    """Input, bicubic, enhanced."""
    enhanced = look.fine(look.file_to_file())
    pictures = {
        f"input, {look.shown.credit}": look.coarse(look.observed),
        "bicubic": look.bicubic(),
        f"rsgan, {look.model.card.name}": enhanced,
    }
    save("first-scene.png", [Panel(caption, values) for caption, values in pictures.items()])


def sensor_model(look: Look) -> None:
    """A sharp scene, blurred, averaged, and with noise."""
    sharp = torch.from_numpy(look.observed[:, look.part[0], look.part[1]])[None]
    sigma = torch.tensor([[sensor("sentinel-2a").band(name).psf_sigma for name in RGBN]])
    seen = degrade(sharp, sigma, 2)
    noisy = seen + 0.003 * torch.randn(seen.shape, generator=torch.Generator().manual_seed(1))
    pictures = {"reference, 5 m": sharp, "degrade: blur, area mean, 10 m": seen, "and noise (0.003, for show)": noisy}
    panels = [Panel(c, grown(v[0].numpy(), SIDE // v.shape[-1])) for c, v in pictures.items()]
    save("degrade.png", panels)


def grown(values: Floats, factor: int) -> Floats:
    """Each pixel as a square of `factor` pixels."""
    return values.repeat(factor, axis=1).repeat(factor, axis=2)


def consistency(look: Look) -> None:
    """What the sensor would have seen of the result, against what it saw."""
    sigma = torch.from_numpy(look.statistics.sigma).float()[None]
    panels = []
    for caption, result in (
        ("bicubic", upsample(torch.from_numpy(look.observed)[None], look.scale)[0].numpy()),
        ("enhanced", look.file_to_file()),
    ):
        seen = degrade(torch.from_numpy(result)[None].float(), sigma, look.scale)[0].numpy()
        panels.append(Panel(caption, look.fine(result)))
        residual = amplified(look.coarse(seen - look.observed), look.bicubic(), 10)
        panels.append(Panel(f"degrade({caption}) - observed, x 10", residual))
    save("consistency.png", panels)


def tiling(look: Look) -> None:
    """What windows without a halo do, and what ours do: differences from the whole scene at once."""
    whole = look.file_to_file(window=512)
    windows = look.file_to_file(window=64)
    alone = np.zeros_like(whole)
    height, width = look.observed.shape[1:]
    for row in range(0, height, 64):
        for column in range(0, width, 64):
            chip = look.enhance(look.observed[:, row : row + 64, column : column + 64])
            top, left = row * look.scale, column * look.scale
            alone[:, top : top + chip.shape[1], left : left + chip.shape[2]] = chip
    shown = look.fine(whole)
    pictures = {
        "enhanced": shown,
        "windows alone, difference x 10": amplified(look.fine(alone - whole), shown, 10),
        "windows with halo, difference x 10": amplified(look.fine(windows - whole), shown, 10),
    }
    save("tiling.png", [Panel(caption, values) for caption, values in pictures.items()])
    print("largest difference between --window 64 and 512, in stored units:", 1e4 * np.abs(windows - whole).max())


def nodata(look: Look) -> None:
    """The edge of a swath: zeros taken for reflectance, and filled."""
    valid = grown(look.valid[:, look.part[0], look.part[1]], look.scale).all(axis=0)
    pictures = {
        "input": look.coarse(look.observed),
        "zeros taken for reflectance": look.fine(look.enhance(look.observed)),
        "rsgan": look.fine(look.file_to_file()),
    }
    save("nodata.png", [Panel(caption, values, valid) for caption, values in pictures.items()])


def dial(look: Look) -> None:
    """Sharpness from faithful to adversarial; one picture where the file has no adversarial generator."""
    steps = (0.0, 0.5, 1.0) if look.model.has_adversarial else (0.0,)
    panels = [Panel("bicubic", look.bicubic())]
    panels += [Panel(f"sharpness {step:g}", look.fine(look.file_to_file(sharpness=step))) for step in steps]
    save("dial.png", panels)


def mtf() -> None:
    """The detector's box, the Gaussian, and their product, which is what is published."""
    band = sensor("sentinel-2a").band("B04")
    frequency = np.linspace(0, 1, 200)
    box = np.sinc(frequency)
    gaussian = np.exp(-2 * (np.pi * band.psf_sigma * frequency) ** 2)
    figure, axes = pyplot.subplots(figsize=(6.4, 3.6), dpi=110)
    axes.plot(frequency, box, "--", label="detector's box")
    axes.plot(frequency, gaussian, ":", label=f"Gaussian, sigma {band.psf_sigma:.3f} pixels")
    axes.plot(frequency, box * gaussian, label="system: both together")
    axes.axvline(0.5, color="grey", linewidth=0.8)
    axes.annotate(f"box at Nyquist: {DETECTOR_MTF_NYQUIST:.3f}", (0.5, DETECTOR_MTF_NYQUIST), (0.515, 0.66))
    axes.annotate(f"published for B04: {band.mtf_nyquist}", (0.5, band.mtf_nyquist or 0), (0.2, 0.17))
    axes.plot([0.5, 0.5], [DETECTOR_MTF_NYQUIST, band.mtf_nyquist], "ko", markersize=4)
    axes.set(xlabel="frequency, cycles per input pixel", ylabel="MTF", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False)
    figure.tight_layout()
    path = DOCS / "img" / "mtf.png"
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
    check_size(path)


def chips() -> None:
    """Synthetic chips, as their contact sheet shows them, at half its size."""
    path, shown = DOCS / "img" / "synthetic-chips.png", ("damaged spruce", "burned", "water", "urban", "forest")
    with TemporaryDirectory() as folder:
        rsgan.synthesize(Path(folder) / "made", dict.fromkeys(shown, 8), seed=7)
        with Image.open(Path(folder) / "made" / "contact_sheet.png") as sheet:
            sheet.reduce(2).save(path)
    check_size(path)


def main() -> None:
    """Parse, draw everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of real rasters; without it the samples are shown")
    data = parser.parse_args().data
    matplotlib.use("agg")
    torch.set_num_threads(1)
    (DOCS / "img").mkdir(exist_ok=True)
    model = open_model(MODEL)
    look = Look(SAMPLE if data is None else replace(HELD_OUT, path=data / HELD_OUT.path), model)
    before_and_after(look)
    consistency(look)
    tiling(look)
    dial(look)
    nodata(Look(SWATH_EDGE, model))
    sensor_model(Look(SHARP, model))
    mtf()
    chips()


if __name__ == "__main__":
    main()
