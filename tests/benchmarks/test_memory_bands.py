"""The benchmark of memory: its scenes, its straight lines, and what a run is measured by."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from benchmarks import memory_bands as memory
from benchmarks.memory_bands import Cost


def test_a_line_goes_on_as_its_mirror_image() -> None:
    np.testing.assert_array_equal(memory.mirrored(3, 8), [0, 1, 2, 2, 1, 0, 0, 1])


def test_a_scene_of_any_size_shows_the_same_ground_at_both_pixel_sizes(tmp_path: Path) -> None:
    coarse = np.random.default_rng(0).integers(1, 5000, (6, 10, 10)).astype(np.uint16)
    fine = coarse[:4].repeat(2, 1).repeat(2, 2)
    paths = [
        memory.draw(tmp_path / f"{gsd}.tif", pixels, 640 * 10 // gsd, gsd) for gsd, pixels in ((10, fine), (20, coarse))
    ]
    with rasterio.open(paths[0]) as ten, rasterio.open(paths[1]) as twenty:
        assert ten.bounds == twenty.bounds
        assert twenty.descriptions == memory.BANDS[20]
        np.testing.assert_array_equal(ten.read(1)[::2, 1::2], twenty.read(1))


def test_a_run_takes_memory_and_time_and_a_failure_ends_the_benchmark(tmp_path: Path) -> None:
    peak, seconds = memory.run(["--help"])
    assert 10 < peak < 2000
    assert seconds > 0
    with pytest.raises(SystemExit, match="ended with"):
        memory.run(["superres", str(tmp_path / "absent.tif")])


def test_the_full_product_is_extrapolated_by_side_and_by_area_from_the_smaller_ones() -> None:
    costs = [Cost("linear", 1098, 500, 4, 10), Cost("linear", 2196, 600, 16, 40)]
    area = 600 + 100 * (100 - 4) / 3
    expected = f"| linear, extrapolated | 10980 | 1400 ({area:.0f} by the area) | 400 | 1000 |"
    assert memory.tables(costs).splitlines()[-1] == expected
    run = [*costs, Cost("linear", memory.FULL, 1300, 390, 990)]
    assert memory.tables(run).splitlines()[-2:] == [expected, "| linear | 10980 | 1300 | 390.0 | 990 |"]
