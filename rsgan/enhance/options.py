"""How a scene is enhanced, apart from what and with which model; wrong values are refused whatever the scene."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, get_args

import numpy as np
import torch

from rsgan.catalogue import RGBN_SENSOR
from rsgan.enhance.scene_enhancer import Precision, Symmetries
from rsgan.errors import GridError, RsganError
from rsgan.geo import Scene, Window
from rsgan.model import Device, choose_device
from rsgan.nn.precision import fast_in_bfloat16
from rsgan.nn.uncertainty import PASSES
from rsgan.runtimes import Backend

if TYPE_CHECKING:
    from distributed import Client

Read = TypeVar("Read")
Run = TypeVar("Run", bound="Running")
SMALLEST_WINDOW = 64
CLUSTER = re.compile(r"local:(?P<processes>[1-9][0-9]*)|[a-z]+://.+")
"""What names a dask cluster."""


@dataclass(frozen=True)
class Reading:
    """How the files are read: what they do not say, or say wrongly.

    Attributes:
        bands: names or 1-based numbers of the bands to take, in the model's order.
        reflectance_scale: stored number that means reflectance 1.
        gsd_m: metres per pixel where the files do not say.
        nodata: stored number that says "no data", where the files do not declare it.
        mask_clouds: whether pixels of cloud, cirrus and cloud shadow become nodata, by the scene's own layer of clouds.
        date: which date of a NetCDF file or Zarr group that has several, as in "2018-05-07".
    """

    bands: tuple[str, ...] | None = None
    reflectance_scale: float | None = None
    gsd_m: float | None = None
    nodata: float | None = None
    mask_clouds: bool = False
    date: str | None = None

    def open(
        self,
        sources: Sequence[str | Path],
        wanted: tuple[str, ...] | None,
        *,
        sensor_name: str = RGBN_SENSOR,
        rank: int | None = None,
    ) -> Scene:
        """The scene with the wanted bands; see `Scene.open`.

        Raises:
            RsganError: one of its children says what is wrong with a file.
        """
        return Scene.open(sources, wanted=wanted, rank=rank, sensor_name=sensor_name, **vars(self))

    def of_guide(self) -> Reading:
        """The same for the bands that guide, which are chosen by their names or their pixels, never by hand."""
        return replace(self, bands=None, gsd_m=None)


@dataclass(frozen=True)
class Running:
    """How any task runs.

    Attributes:
        sharpness: 0 (faithful) .. 1 (adversarial); None takes the model's default.
        window: side of the windows, input pixels.
        batch: windows per call of the network.
        device: where to compute.
        precision: inside the network.
        backend: what computes the network: torch, or on the CPU ONNX Runtime or OpenVINO, with the same result.
        bbox: (left, bottom, right, top) in the scene's coordinates; None takes the whole scene.
        crop: (column, row, width, height) in input pixels; None takes the whole scene.
        symmetries: turned and mirrored passes that are averaged: 1, 2, 4 or 8; better, and as many times slower.
        overwrite: whether an existing output is replaced.
        cog: whether the output is a cloud-optimised GeoTIFF.
        resume: whether finished rows are kept beside the output, and gone on from where they are there.
        cluster: dask cluster that computes the windows: address of its scheduler, "local:N", or a client of it.
    """

    PRECISIONS: ClassVar[tuple[str, ...]] = ("float32", "bfloat16")

    sharpness: float | None = None
    window: int = 512
    batch: int = 1
    device: Device = "auto"
    precision: Precision = "float32"
    backend: Backend = "torch"
    bbox: tuple[float, float, float, float] | None = None
    crop: tuple[int, int, int, int] | None = None
    symmetries: Symmetries = 4
    overwrite: bool = False
    cog: bool = True
    resume: bool = False
    cluster: str | Client | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            RsganError: naming the flag.
        """
        if self.sharpness is not None and not 0 <= self.sharpness <= 1:
            raise RsganError(f"--sharpness {self.sharpness:g} is outside 0 (faithful) .. 1 (adversarial).")
        if self.window < SMALLEST_WINDOW:
            raise RsganError(f"--window {self.window} is too small; give at least {SMALLEST_WINDOW} input pixels.")
        if self.batch < 1:
            raise RsganError(f"--batch {self.batch}: give at least 1.")
        if self.precision not in self.PRECISIONS:
            raise RsganError(f"--precision {self.precision}: give {' or '.join(self.PRECISIONS)}.")
        if self.symmetries not in (1, 2, 4, 8):
            raise RsganError(f"--symmetries {self.symmetries}: give 1, 2, 4 or 8.")
        if self.bbox is not None and self.crop is not None:
            raise RsganError("--bbox and --crop both choose a part of the scene; give one of them.")
        if self.backend not in get_args(Backend):
            raise RsganError(f"--backend {self.backend}: give {', '.join(get_args(Backend))}.")
        if self.backend != "torch" and (self.device not in ("auto", "cpu") or self.precision == "bfloat16"):
            raise RsganError(
                f"--backend {self.backend} computes on the CPU in float32. Leave --device and --precision out, or give "
                "--backend torch."
            )
        if isinstance(self.cluster, str) and not CLUSTER.fullmatch(self.cluster):
            raise RsganError(
                f"--cluster {self.cluster}: expected the address of a dask scheduler, as in tcp://192.168.0.1:8786, or "
                "local:4 for four processes of this machine."
            )

    @property
    def place(self) -> torch.device:
        """Where tensors lie.

        Raises:
            RsganError: the device is not there.
        """
        return torch.device("cpu") if self.backend != "torch" else choose_device(self.device)

    @property
    def for_workers(self) -> Self:
        """The same for those who compute: they have no cluster of their own."""
        return replace(self, cluster=None)


@dataclass(frozen=True)
class Options(Running):
    """How to super-resolve, apart from what and with which model.

    Attributes:
        precision: inside the network; "auto" becomes bfloat16 where the device is fast in it, else float32;
            float32 with `uncertainty`, whose factors were fitted in it.
        consistency: whether the closing consistency steps run.
        noise: noise standard deviation in reflectance; None estimates it.
        psf_sigma: Gaussian width of the point spread function in input pixels; None estimates it.
        stack: whether the finer bands that guide are written beside the enhanced ones, all on one grid.
        adapt: whether a guided network is first fitted to the scene itself, one scale up.
        uncertainty: GeoTIFF for the standard error of every pixel, float32, reflectance; None writes none.
    """

    PRECISIONS: ClassVar[tuple[str, ...]] = ("auto", "float32", "bfloat16")

    precision: Precision = "auto"
    consistency: bool = True
    noise: float | None = None
    psf_sigma: float | None = None
    stack: bool = False
    adapt: bool = False
    uncertainty: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            RsganError: naming the flag.
        """
        super().__post_init__()
        if self.precision == "auto":  # once, here: workers of a cluster and resumed runs have to compute alike
            device = choose_device("auto").type if self.device == "auto" else self.device
            reduced = self.backend == "torch" and self.uncertainty is None and fast_in_bfloat16(device)
            object.__setattr__(self, "precision", "bfloat16" if reduced else "float32")
        if self.uncertainty is not None and self.symmetries < PASSES:
            raise RsganError(
                f"--uncertainty looks at how {PASSES} turned passes differ; --symmetries is {self.symmetries}. Give at "
                f"least --symmetries {PASSES}."
            )
        if self.resume and self.adapt:
            raise RsganError("--resume is for runs without --adapt. Leave one of them out.")
        if self.noise is not None and not 0 <= self.noise < 1:
            raise RsganError(f"--noise {self.noise}: expected a reflectance, 0 up to 1 (0.001 is 10 DN of Sentinel-2).")
        if self.psf_sigma is not None and not 0 <= self.psf_sigma <= 0.6:
            raise RsganError(f"--psf-sigma {self.psf_sigma}: expected 0 .. 0.6 input pixels (Sentinel-2: about 0.4).")


def parted(settings: Mapping[str, Any], reading: type[Read], options: type[Run]) -> tuple[Read, Run]:
    """Settings of a Python twin, as how files are read and how a task runs.

    Raises:
        RsganError: naming the one that cannot be meant.
    """
    known = {field.name for field in fields(reading)}  # type: ignore[arg-type]
    of_files = {key: value for key, value in settings.items() if key in known}
    return reading(**of_files), options(**{key: value for key, value in settings.items() if key not in known})


def chosen_part(scene: Scene, options: Running) -> Window:
    """The part of the scene that is wanted, in its pixels.

    Raises:
        GridError: --bbox or --crop does not lie on the scene.
    """
    if options.bbox is not None:
        try:
            return scene.grid.window_of_bounds(options.bbox)
        except GridError as error:
            raise GridError(f"--bbox: {error}") from error
    if options.crop is None:
        return scene.grid.window
    height, width = scene.grid.shape
    column, row, wide, high = options.crop
    if column < 0 or row < 0 or wide < 1 or high < 1 or column + wide > width or row + high > height:
        raise GridError(
            f"--crop {column},{row},{wide},{high} (column,row,width,height) does not lie inside {scene.name}, "
            f"which has {width} x {height} pixels."
        )
    return Window(column, row, wide, high)


def refuse_too_wide(part: Window, scale: int, stored: np.dtype[Any], count: int, window: int) -> None:
    """Refuse a raster of which a machine cannot hold one row of windows: it says so before any work, whatever it holds.

    Args:
        part: of the scene, in its pixels.
        scale: output pixels per input pixel.
        stored: type of the output's numbers.
        count: bands of the output.
        window: side of the windows, input pixels.

    Raises:
        GridError: naming the width and the way out.
    """
    row = part.width * min(window, part.height) * scale**2 * count * stored.itemsize
    memory = _physical_memory()
    if memory is not None and ROWS_HELD * row > memory:
        raise GridError(
            f"the scene is {part.width} pixels wide; {ROWS_HELD} rows of windows of {window} pixels take "
            f"{ROWS_HELD * row / 2**30:.0f} GiB, this machine has {memory / 2**30:.0f} GiB. Give a smaller --window, "
            "or a part of the scene with --crop or --bbox."
        )


ROWS_HELD = 3
"""Rows of windows that are in memory at a time: in the making, being written, and not filling a row of tiles yet."""


def _physical_memory() -> int | None:
    """Bytes; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
