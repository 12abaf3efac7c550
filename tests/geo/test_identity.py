"""The promise that everything else rests on: what is read through any plan and written again is the same raster."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsgan.geo import FILL_REACH, Canvas, RasterWriter, Scene, fill, plan, scale_window

RGBN = ("B02", "B03", "B04", "B08")
TRANSFORMS = [
    Affine(10, 0, 500000, 0, -10, 5000000),
    Affine(10, 0, 500000, 0, 10, 5000000),
    Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -20),
]
RASTERS = st.fixed_dictionaries(
    {
        "shape": st.tuples(st.integers(1, 40), st.integers(1, 40)),
        "dtype": st.sampled_from(["uint8", "uint16", "int16", "float32"]),
        "nodata": st.sampled_from([None, 0.0, 7.0]),
        "invalid_share": st.sampled_from([0.0, 0.05, 0.6, 1.0]),
        "seed": st.integers(0, 2**16),
        "transform": st.sampled_from(TRANSFORMS),
    }
)
WALKS = st.tuples(st.integers(1, 45), st.integers(1, 8), st.integers(0, 20))


def walk_through(source: Path, target: Path, size: int, stride: int, halo: int, scale: int) -> None:
    """Read window by window, fill, repeat every pixel `scale` times, restore what was invalid, and write."""
    with Scene.open([source], wanted=RGBN) as scene:
        nodata = scene.output_nodata
        writer = RasterWriter(
            target,
            grid=scene.grid.refine(scale),
            count=4,
            dtype=scene.dtype,
            nodata=nodata,
            descriptions=scene.descriptions,
            overwrite=True,
        )
        with writer, Canvas(writer) as canvas:
            for step in plan(scene.grid.shape, size, stride, halo):
                chip = scene.read(step.read)
                inner = (slice(None), *step.inner)
                dn = scene.radiometry.to_dn(fill(chip, [0.1] * 4)[inner], nodata=nodata)
                if nodata is not None:
                    dn = np.where(chip.valid[inner], dn, np.asarray(nodata, dtype=dn.dtype))
                canvas.add(dn.repeat(scale, axis=1).repeat(scale, axis=2), scale_window(step.keep, scale))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raster=RASTERS, walk=WALKS, scale=st.sampled_from([1, 1, 2, 3]))
def test_identity_reproduces_the_scene_bit_for_bit(
    make_raster: Callable[..., Path],
    draw_numbers: Callable[[dict], np.ndarray],
    raster: dict,
    walk: tuple[int, int, int],
    scale: int,
) -> None:
    values = draw_numbers(raster)
    source = make_raster("in.tif", values, descriptions=RGBN, nodata=raster["nodata"], transform=raster["transform"])
    target = source.with_name("out.tif")
    walk_through(source, target, *walk, scale)
    with rasterio.open(source) as before, rasterio.open(target) as after:
        written = np.ascontiguousarray(after.read()[:, ::scale, ::scale])
        np.testing.assert_array_equal(written.view(np.uint8), values.view(np.uint8))
        np.testing.assert_array_equal(after.read(), written.repeat(scale, axis=1).repeat(scale, axis=2))
        assert after.crs == before.crs
        assert after.descriptions == RGBN
        corners = [(0, 0), (before.width, 0), (before.width, before.height), (0, before.height)]
        for column, row in corners:
            place = after.transform @ (column * scale, row * scale)
            np.testing.assert_allclose(place, before.transform @ (column, row), rtol=1e-12)
        gsd = before.transform.a / scale, before.transform.e / scale
        assert (after.transform.a, after.transform.e) == gsd


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raster=RASTERS, size=st.integers(1, 45), stride=st.integers(1, 8))
def test_filled_values_do_not_depend_on_the_tiling(
    make_raster: Callable[..., Path], draw_numbers: Callable[[dict], np.ndarray], raster: dict, size: int, stride: int
) -> None:
    source = make_raster("in.tif", draw_numbers(raster), descriptions=RGBN, nodata=raster["nodata"])
    with Scene.open([source], wanted=RGBN) as scene:
        [whole] = plan(scene.grid.shape, max(scene.grid.shape))
        expected = fill(scene.read(whole.read), [0.1] * 4)
        for step in plan(scene.grid.shape, size, stride, FILL_REACH):
            filled = fill(scene.read(step.read), [0.1] * 4)[(slice(None), *step.inner)]
            np.testing.assert_array_equal(filled, expected[(slice(None), *step.keep.toslices())])
