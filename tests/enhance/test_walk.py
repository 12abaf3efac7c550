"""The window walk: with an enhancer that changes nothing, it must change nothing either."""

import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsgan.enhance.batches import Made
from rsgan.enhance.walk import walk
from rsgan.geo import FILL_REACH, RasterWriter, Scene, plan

RGBN = ("B02", "B03", "B04", "B08")
NORTH_UP = Affine(10, 0, 500000, 0, -10, 5000000)
TRANSFORMS = [
    NORTH_UP,
    Affine(10, 0, 500000, 0, 10, 5000000),
    Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -20),
]
RASTERS = st.fixed_dictionaries(
    {
        "shape": st.tuples(st.integers(1, 40), st.integers(1, 40)),
        "dtype": st.sampled_from(["uint8", "uint16", "int16", "float32"]),
        "nodata": st.sampled_from([None, 0.0, 7.0]),
        "invalid_share": st.tuples(*[st.sampled_from([0.0, 0.05, 0.6, 1.0])] * 4),
        "scaled": st.booleans(),
        "seed": st.integers(0, 2**16),
        "transform": st.sampled_from(TRANSFORMS),
    }
)
WALKS = st.fixed_dictionaries(
    {
        "size": st.integers(1, 45),
        "halo": st.integers(0, 5),
        "batch": st.integers(1, 4),
        "scale": st.sampled_from([1, 2, 3]),
    }
)


class Identity:
    """Repeats every pixel, and remembers what it was given."""

    def __init__(self, scale: int, halo: int = 0, stride: int = 1) -> None:
        self.scale, self.halo, self.stride = scale, halo, stride
        self.batches: list[tuple[int, ...]] = []
        self.seen = 0
        self.lowest = np.inf

    def __call__(self, observed: np.ndarray, inner: tuple[slice, slice], valid: np.ndarray, guide: None = None) -> Made:
        assert observed.shape == valid.shape
        self.batches.append(observed.shape)
        self.seen += valid[:, :, inner[0], inner[1]].sum()
        self.lowest = min(self.lowest, float(observed.min()))
        return Made(observed.repeat(self.scale, axis=2).repeat(self.scale, axis=3))


def run_identity(
    source: Path, *, size: int, halo: int = 0, batch: int = 1, scale: int = 1, background: float = 0.1
) -> tuple[Path, Identity]:
    target, enhancer = source.with_name("out.tif"), Identity(scale, halo)
    with Scene.open([source], wanted=RGBN) as scene:
        writer = RasterWriter(
            target,
            grid=scene.grid.refine(scale),
            count=4,
            dtype=scene.dtype,
            nodata=scene.output_nodata,
            overwrite=True,
            cog=False,
        )
        windows = plan(scene.grid.shape, size, halo=halo + FILL_REACH)
        with writer:
            walk(scene, enhancer, writer, windows=windows, background=np.full(4, background), batch=batch)
    return target, enhancer


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raster=RASTERS, how=WALKS)
def test_an_identity_enhancer_gives_the_enlarged_raster_bit_for_bit(
    make_raster: Callable[..., Path], draw_numbers: Callable[[dict], np.ndarray], raster: dict, how: dict
) -> None:
    values = draw_numbers(raster)
    radiometry = {"scales": [1e-4] * 4, "offsets": [-0.1] * 4} if raster["scaled"] and values.dtype.kind != "f" else {}
    source = make_raster("in.tif", values, nodata=raster["nodata"], transform=raster["transform"], **radiometry)
    target, enhancer = run_identity(source, **how)
    with rasterio.open(target) as after:
        expected = values.repeat(how["scale"], axis=1).repeat(how["scale"], axis=2)
        np.testing.assert_array_equal(after.read().view(np.uint8), expected.view(np.uint8))
    assert max(shape[0] for shape in enhancer.batches) <= how["batch"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_the_smallest_rasters_are_walked_like_any_other(
    make_raster: Callable[..., Path], shape: tuple[int, int]
) -> None:
    values = np.arange(1, 4 * shape[0] * shape[1] + 1, dtype=np.uint16).reshape(4, *shape)
    target, _ = run_identity(make_raster("in.tif", values), size=64, halo=20, scale=4)
    with rasterio.open(target) as after:
        np.testing.assert_array_equal(after.read(), values.repeat(4, axis=1).repeat(4, axis=2))


def test_every_valid_pixel_counts_once_in_the_enhancers_own_figures(make_raster: Callable[..., Path]) -> None:
    values = np.full((4, 50, 70), 1000, np.uint16)
    values[:, 10:20, 30:50] = 0
    _, enhancer = run_identity(make_raster("in.tif", values, nodata=0), size=16, halo=9, batch=3)
    assert enhancer.seen == 4 * (50 * 70 - 10 * 20)


def test_the_enhancer_never_sees_a_hole(make_raster: Callable[..., Path]) -> None:
    values = np.full((4, 60, 60), 1000, np.uint16)
    values[:, 20:40, 20:40] = 0
    _, enhancer = run_identity(make_raster("in.tif", values, nodata=0), size=16, halo=4)
    assert enhancer.lowest == pytest.approx(0.1, rel=1e-6)


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_height(make_raster: Callable[..., Path]) -> None:
    peaks = []
    # how far the threads get ahead and behind is chance, up to a bound: the short raster gets more chances to reach it
    for height, runs in ((1200, 16), (4800, 1)):
        values = np.full((4, height, 48), 1000, np.uint16)
        values[:, ::7, ::5] = 0
        source = make_raster(f"{height}.tif", values, nodata=0)
        work = partial(run_identity, source, size=48, halo=4, scale=2)
        peaks.append(max(peak_bytes(work) for _ in range(runs)))
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 4800 * 48 * 4 * 4 * 2


def test_progress_ends_with_all_windows_done(make_raster: Callable[..., Path]) -> None:
    source, calls = make_raster("in.tif", np.full((4, 20, 50), 9, np.uint16)), []
    with Scene.open([source], wanted=RGBN) as scene:
        windows = plan(scene.grid.shape, 10, halo=FILL_REACH)
        with RasterWriter(source.with_name("out.tif"), grid=scene.grid, count=4, dtype="uint16", cog=False) as writer:
            walk(
                scene, Identity(1), writer, windows=windows, background=np.zeros(4), batch=4,
                progress=lambda done, total: calls.append((done, total)),
            )  # fmt: skip
    assert calls == sorted(calls)
    assert calls[-1] == (10, 10)
