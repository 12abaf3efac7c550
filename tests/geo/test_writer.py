import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from rsgan.errors import GridError, OutputError
from rsgan.geo import Grid, RasterWriter, check_output
from rsgan.geo.writer import BLOCK_PX
from rsgan.radiometry import Backscatter

GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), (20, 30))
WHOLE = Window(0, 0, 30, 20)
COLOURS = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.nir)


def write(path: Path, values: np.ndarray, grid: Grid = GRID, **options: object) -> Path:
    count, height, width = values.shape
    given = {"grid": grid, "count": count, "dtype": str(values.dtype), **options}
    with RasterWriter(path, **given) as writer:
        writer.write(values, Window(0, 0, width, height))
    return path


@pytest.mark.parametrize("cog", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_everything_stated_about_the_bands_is_in_the_file(tmp_path: Path, cog: bool, dtype: str) -> None:
    values = np.random.default_rng(1).integers(1, 127, (4, 20, 30)).astype(dtype)
    path = write(
        tmp_path / "out.tif", values, cog=cog, nodata=0, descriptions=("B02", None, "B04", "B08"), colorinterp=COLOURS,
        scales=(1e-4, 2e-4, 1e-4, 1e-4), offsets=(-0.1, 0.0, 0.0, 0.2), units=("reflectance", None, None, None),
        tags={"model": "s2-rgbn-x4"},
    )  # fmt: skip
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        assert dataset.descriptions == ("B02", None, "B04", "B08")
        assert dataset.colorinterp == COLOURS
        assert dataset.scales == (1e-4, 2e-4, 1e-4, 1e-4)
        assert dataset.offsets == (-0.1, 0.0, 0.0, 0.2)
        assert dataset.units[0] == "reflectance"
        assert dataset.nodata == 0
        assert dataset.tags()["model"] == "s2-rgbn-x4"
        assert (dataset.crs, dataset.transform) == (GRID.crs, GRID.transform)
        assert dataset.compression.name == "deflate"
        assert dataset.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == ("3" if dtype == "float32" else "2")


def test_the_file_is_a_valid_cog_with_overviews(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(1, 9999, (2, 700, 1100)).astype(np.uint16)
    path = write(tmp_path / "out.tif", values, Grid(GRID.crs, GRID.transform, (700, 1100)))
    assert cog_validate(path, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert dataset.block_shapes == [(BLOCK_PX, BLOCK_PX)] * 2
        assert dataset.overviews(1) == [2, 4]


@pytest.mark.parametrize("cog", [True, False])
def test_nodata_does_not_leak_into_overviews(tmp_path: Path, cog: bool) -> None:
    values = np.full((1, 1024, 1024), 1000, dtype=np.uint16)
    values[:, ::2, ::2] = 0
    path = write(tmp_path / "out.tif", values, Grid(GRID.crs, GRID.transform, (1024, 1024)), nodata=0, cog=cog)
    with rasterio.open(path, overview_level=0) as overview:
        np.testing.assert_array_equal(overview.read(), 1000)


def test_tags_may_change_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    with RasterWriter(path, grid=GRID, count=1, dtype="uint8", tags={"a": "1", "b": "1"}) as writer:
        writer.write(np.ones((1, 20, 30), dtype=np.uint8), WHOLE)
        writer.update_tags(b="2", c="3")
    with rasterio.open(path) as dataset:
        tags = dataset.tags()
    assert [tags[key] for key in "abc"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "grid",
    [
        Grid(None, Affine.identity(), (20, 30)),
        Grid(GRID.crs, Affine.identity(), (20, 30)),
        Grid(None, GRID.transform, (20, 30)),
        Grid(GRID.crs, Affine(10, 0, 500000, 0, 10, 5000000), (20, 30)),
        Grid(GRID.crs, Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -20), (20, 30)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_grids_without_place_rotated_or_south_up_are_kept(tmp_path: Path, grid: Grid) -> None:
    path = write(tmp_path / "out.tif", np.ones((1, 20, 30), dtype=np.uint8), grid)
    if not grid.has_transform:
        with pytest.warns(NotGeoreferencedWarning), rasterio.open(path) as dataset:
            assert (dataset.crs, dataset.transform) == (grid.crs, grid.transform)
        return
    with rasterio.open(path) as dataset:
        assert dataset.crs == grid.crs
        assert dataset.transform.almost_equals(grid.transform, precision=1e-9)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with RasterWriter(tmp_path / "out.tif", grid=GRID, count=1, dtype="uint8") as writer:
            writer.write(np.ones((1, 20, 30), dtype=np.uint8), WHOLE)
            assert {path.name for path in tmp_path.iterdir()} == {writer.partial.name, ".out.tif.lock"}
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_while_the_file_is_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(source: Path, target: Path, **_: object) -> None:
        Path(target).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(rasterio.shutil, "copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out.tif", np.ones((1, 20, 30), dtype=np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_an_assembled_file_is_whole_but_has_no_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"

    def make(error: BaseException | None) -> None:
        with RasterWriter(path, grid=GRID, count=1, dtype="uint8") as writer:
            writer.write(np.full((1, 20, 30), 7, dtype=np.uint8), WHOLE)
            writer.assemble()
            assert not path.exists()
            if error is not None:
                raise error

    with pytest.raises(KeyboardInterrupt):
        make(KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    make(None)
    assert list(tmp_path.iterdir()) == [path]
    with rasterio.open(path) as dataset:
        assert (dataset.read() == 7).all()


def test_an_interruption_keeps_the_file_that_was_there_and_other_runs(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    path.write_bytes(b"old")
    other = tmp_path / ".out.partial-1234567890.tif"
    other.write_bytes(b"other run")
    with pytest.raises(KeyboardInterrupt), RasterWriter(path, grid=GRID, count=1, dtype="uint8", overwrite=True):
        raise KeyboardInterrupt
    assert sorted(tmp_path.iterdir()) == [other, path]
    assert path.read_bytes() == b"old"


def test_of_two_that_write_one_output_the_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    program = """
import sys, time, numpy as np
from rsgan.geo import Grid, RasterWriter
from affine import Affine
with RasterWriter(sys.argv[1], grid=Grid(None, Affine.identity(), (20, 30)), count=1, dtype="uint8"):
    print("writing", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(OutputError, match=r"out.tif is being written by another process"):
            write(path, np.ones((1, 20, 30), dtype=np.uint8))
        assert not path.exists()
    finally:
        other.kill()
        other.communicate()
    write(path, np.ones((1, 20, 30), dtype=np.uint8))  # the lock of a killed process holds nobody up
    assert path.exists()
    assert not (tmp_path / ".out.tif.lock").exists()


def test_an_existing_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"out.tif exists already. Give --overwrite"):
        RasterWriter(path, grid=GRID, count=1, dtype="uint8")
    write(path, np.full((1, 20, 30), 7, dtype=np.uint8), overwrite=True)
    with rasterio.open(path) as dataset:
        assert dataset.read().min() == 7


def test_places_that_cannot_be_written_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match=r"does not exist\. Create it"):
        check_output(tmp_path / "nowhere" / "out.tif", overwrite=False)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written to"):
        check_output(tmp_path / "out.tif", overwrite=False)


def test_a_folder_that_refuses_only_when_asked_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write(Path("/proc/out.tif"), np.ones((1, 20, 30), dtype=np.uint8))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The system refuses files above `size` bytes: what a full disk does, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [100, 5_000, 200_000, 1_000_000, 1_700_000, 1_850_000, 2_300_000])
@pytest.mark.parametrize("cog", [True, False])
@pytest.mark.parametrize("overviews", [None, Backscatter("amplitude", (1.0,), (0.0,), "uint16", "test")])
def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, limit: int, cog: bool, overviews: Backscatter | None
) -> None:
    values = np.random.default_rng(3).integers(0, 2**16, (1, 1024, 900)).astype(np.uint16)
    place = Grid(GRID.crs, GRID.transform, (1024, 900))
    with pytest.raises(OutputError, match="disk seems to be full"), file_size_limit(limit):
        write(tmp_path / "out.tif", values, place, cog=cog, overviews=overviews)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "window"),
    [
        (np.ones((1, 20, 29), np.uint8), WHOLE),
        (np.ones((2, 20, 30), np.uint8), WHOLE),
        (np.ones((1, 20, 30), np.uint16), WHOLE),
        (np.ones((1, 20, 30), np.uint8), Window(1, 0, 30, 20)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, values: np.ndarray, window: Window) -> None:
    with (
        pytest.raises(GridError, match=r"expected|outside"),
        RasterWriter(tmp_path / "out.tif", grid=GRID, count=1, dtype="uint8") as writer,
    ):
        writer.write(values, window)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("out.png", {}, "does not end in .tif"),
        ("out.tif", {"nodata": -9999}, "nodata -9999 does not fit uint8"),
        ("out.tif", {"nodata": float("nan")}, "nodata nan does not fit uint8"),
        ("out.tif", {"scales": (1.0, 1.0)}, "1 bands but 2 scales"),
    ],
)
def test_wishes_that_a_geotiff_cannot_hold_are_refused(tmp_path: Path, name: str, options: dict, message: str) -> None:
    make: Callable[..., RasterWriter] = RasterWriter
    with pytest.raises(OutputError, match=message):
        make(tmp_path / name, grid=GRID, count=1, dtype="uint8", **options)
