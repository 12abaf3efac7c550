from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from rsgan.errors import GridError
from rsgan.geo import Canvas, Grid, RasterWriter, plan
from rsgan.geo.writer import BLOCK_PX

UTM = CRS.from_epsg(32633)
NORTH_UP = Affine(10, 0, 500000, 0, -10, 5000000)


def writer_of(path: Path, shape: tuple[int, int]) -> RasterWriter:
    return RasterWriter(path, grid=Grid(UTM, NORTH_UP, shape), count=2, dtype="uint16")


def paint(path: Path, windows: list[Window], error: Exception | None = None) -> None:
    """Add windows of 10 x 10 ones to a raster of 30 x 30, then end with `error` if one is given."""
    with writer_of(path, (30, 30)) as writer, Canvas(writer) as canvas:
        for window in windows:
            canvas.add(np.ones((2, 10, 10), np.uint16), window)
        if error is not None:
            raise error


@pytest.mark.parametrize("size", [96, 300, 512, 5000])
def test_windows_are_put_together_and_rows_reach_the_writer_in_whole_tiles(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).integers(0, 9999, (2, 1300, 70)).astype(np.uint16)
    rows = []
    write = RasterWriter.write
    monkeypatch.setattr(RasterWriter, "write", lambda w, v, window: rows.append(window.height) or write(w, v, window))
    with writer_of(tmp_path / "out.tif", (1300, 70)) as writer, Canvas(writer) as canvas:
        for step in plan((1300, 70), size):
            canvas.add(values[(slice(None), *step.keep.toslices())], step.keep)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
    assert [height % BLOCK_PX for height in rows[:-1]] == [0] * (len(rows) - 1)


def test_memory_is_one_row_band_and_one_row_of_tiles_whatever_the_height(tmp_path: Path) -> None:
    with writer_of(tmp_path / "out.tif", (5000, 40)) as writer, Canvas(writer) as canvas:
        for step in plan((5000, 40), 100):
            canvas.add(np.ones((2, int(step.keep.height), int(step.keep.width)), np.uint16), step.keep)
            assert canvas.held_rows <= 100 + BLOCK_PX


@pytest.mark.parametrize("skipped", [0, 1, 4, 8])
def test_a_missing_window_is_an_error_and_leaves_no_file(tmp_path: Path, skipped: int) -> None:
    steps = plan((30, 30), 10)
    del steps[skipped]
    with pytest.raises(GridError, match=r"Add windows in the order|Add every window"):
        paint(tmp_path / "out.tif", [step.keep for step in steps])
    assert list(tmp_path.iterdir()) == []


def test_values_must_fill_their_window(tmp_path: Path) -> None:
    with (
        pytest.raises(GridError, match=r"array of shape \(2, 10, 9\)"),
        writer_of(tmp_path / "out.tif", (30, 30)) as writer,
        Canvas(writer) as canvas,
    ):
        canvas.add(np.ones((2, 10, 9), np.uint16), Window(0, 0, 10, 10))


def test_an_error_inside_is_not_hidden_by_the_rows_that_are_missing_then(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cause"):
        paint(tmp_path / "out.tif", [Window(0, 0, 10, 10)], RuntimeError("cause"))
