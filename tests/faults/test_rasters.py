"""Rasters that are damaged, odd or made to harm: one clear message, or a result that is right where the input was."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.windows
from affine import Affine
from click.testing import CliRunner

import rsgan
from rsgan.cli import main
from rsgan.enhance import options
from rsgan.errors import GridError, InputError, OutputError

MakeRaster = Callable[..., Path]
QUICK: dict[str, Any] = {"symmetries": 1, "window": 64}
RGBN = ("B02", "B03", "B04", "B08")


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.fixture
def tiled(make_raster: MakeRaster) -> Path:
    """Four bands of 256 x 128 pixels in compressed tiles of 64."""
    values = np.random.default_rng(0).integers(500, 3000, (4, 256, 128)).astype(np.uint16)
    how: dict[str, Any] = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    return make_raster("tiled.tif", values, nodata=0, descriptions=RGBN, scales=(1e-4,) * 4, **how)


def test_a_corrupt_block_in_the_middle_is_named_and_leaves_nothing(tiled: Path) -> None:
    content = bytearray(tiled.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = os.urandom(2000)
    tiled.write_bytes(content)
    out = tiled.with_name("out.tif")
    with pytest.raises(InputError, match=r"tiled\.tif.*rows \d+"):
        rsgan.superres(tiled, out, **QUICK)
    assert [path.name for path in tiled.parent.iterdir()] == ["tiled.tif"]


def test_a_scene_that_goes_away_while_it_is_read(tiled: Path) -> None:
    out = tiled.with_name("out.tif")

    def truncate(done: int, _: int) -> None:
        if done == 1:
            os.truncate(tiled, 2000)

    with rasterio.Env(GDAL_CACHEMAX=0), pytest.raises(InputError, match=r"tiled\.tif.*rows \d+"):
        rsgan.superres(tiled, out, progress=truncate, **QUICK)
    assert not out.exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, -3e38])
def test_a_block_of_no_numbers_touches_nothing_beyond_its_reach(make_raster: MakeRaster, bad: float) -> None:
    values = np.random.default_rng(0).uniform(0.05, 0.3, (4, 150, 150)).astype(np.float32)
    whole = pixels(rsgan.superres(make_raster("whole.tif", values, descriptions=RGBN), **QUICK))
    holed = values.copy()
    holed[:, 60:80, 60:80] = bad
    out = pixels(rsgan.superres(make_raster("holed.tif", holed, descriptions=RGBN), **QUICK))
    far = np.ones(out.shape[1:], bool)
    far[2 * 10 : 2 * 130, 2 * 10 : 2 * 130] = False
    assert not np.isfinite(out[:, 120:160, 120:160]).any()
    np.testing.assert_allclose(out[:, far], whole[:, far], rtol=0.02, atol=2e-3)  # statistics of the scene differ


def test_a_block_of_no_numbers_under_speckle(make_raster: MakeRaster) -> None:
    values = np.random.default_rng(0).gamma(4, 0.025, (1, 200, 200)).astype(np.float32)
    values[:, 50:90, 50:90] = np.nan
    values[:, 100:110, 100:110] = np.inf
    out = pixels(rsgan.despeckle(make_raster("sar.tif", values, descriptions=("VV",)), symmetries=1))
    assert np.isnan(out[0, 50:90, 50:90]).all()
    assert np.isfinite(out[0, :40]).all()


def declared(path: Path, side: int, *, block: int = 512) -> Path:
    """A raster that says that it is huge and holds one pixel."""
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": side, "height": side, "count": 4, "dtype": "uint16", "crs": "EPSG:32633",
        "transform": Affine(10, 0, 0, 0, -10, 0), "tiled": True, "blockxsize": block, "blockysize": block,
        "compress": "deflate", "SPARSE_OK": "TRUE", "BIGTIFF": "YES",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.descriptions = RGBN
        if block <= 4096:
            dataset.write(np.ones((4, 1, 1), np.uint16), window=rasterio.windows.Window(0, 0, 1, 1))
    return path


def test_a_declared_width_that_no_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_physical_memory", lambda: 8 * 2**30)
    scene = declared(tmp_path / "huge.tif", 2_000_000, block=1024)
    for enhance in (rsgan.superres, rsgan.translate):
        with pytest.raises(GridError, match=r"2000000 pixels wide; 3 rows .* GiB.*--crop"):
            enhance(scene, tmp_path / "out.tif", reflectance_scale=10000)
    with pytest.raises(GridError, match=r"2000000 pixels wide"):
        rsgan.despeckle(scene, tmp_path / "out.tif", quantity="intensity")
    assert [path.name for path in tmp_path.iterdir()] == ["huge.tif"]


def test_a_block_that_unpacks_to_too_much(tmp_path: Path) -> None:
    scene = declared(tmp_path / "bomb.tif", 32768, block=32768)
    with pytest.raises(InputError, match=r"blocks of 32768 x 32768, 2\.0 GiB each.*gdal_translate -co TILED=YES"):
        rsgan.superres(scene, tmp_path / "out.tif")


def test_a_linked_output(scene: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.tif"
    link.symlink_to(scene)
    before = scene.read_bytes()
    with pytest.raises(OutputError, match=r"--out .*input"):
        rsgan.superres(scene, link, overwrite=True, **QUICK)
    assert scene.read_bytes() == before
    other = tmp_path / "other.tif"
    other.write_bytes(b"precious")
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(OutputError, match="exists"):
        rsgan.superres(scene, link, **QUICK)
    rsgan.superres(scene, link, overwrite=True, **QUICK)
    assert pixels(link).shape == (4, 400, 200)
    assert other.read_bytes() == b"precious"  # the link is replaced, not what it leads to


def test_a_link_that_leads_nowhere(scene: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.tif"
    link.symlink_to(tmp_path / "gone" / "out.tif")
    with pytest.raises(OutputError, match=r"link\.tif"):
        rsgan.superres(scene, link, **QUICK)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="closed"):
        rsgan.superres(scene, folder / "out.tif", **QUICK)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no files")
def test_a_read_only_file_system(scene: Path) -> None:
    with pytest.raises(OutputError, match="/proc/out"):
        rsgan.superres(scene, "/proc/out.tif", **QUICK)


@pytest.mark.parametrize("name", ["ümläut 日本.tif", "a b'c\"d.tif", "new\nline.tif", "#%&?.tif", "-o.tif", "..tif"])
def test_odd_names(scene: Path, tmp_path: Path, name: str) -> None:
    odd = tmp_path / "in" / name
    odd.parent.mkdir()
    shutil.copy(scene, odd)
    out = rsgan.superres(odd, tmp_path / name, **QUICK)
    assert pixels(out).shape == (4, 400, 200)


def test_names_that_are_no_text(scene: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif"))
    shutil.copy(scene, odd)
    words = ["superres", os.fsencode(odd), "-o", "out.tif", "--symmetries", "1"]
    result = subprocess.run(
        [sys.executable, "-c", "from rsgan.cli import main; main()", *words],
        cwd=tmp_path, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    if result.returncode == 0:
        assert pixels(tmp_path / "out.tif").shape == (4, 400, 200)
    else:
        assert result.returncode == 1
        assert b"Traceback" not in result.stderr
        assert result.stderr.startswith(b"Error: ")


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"},
        {"LC_ALL": "tr_TR.UTF-8"},
        {"TZ": "Pacific/Kiritimati"},
        {"TZ": "nonsense/zone", "COLUMNS": "1"},
        {"HOME": "/nonexistent", "TMPDIR": "/nonexistent"},
    ],
)
def test_odd_surroundings(scene: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    os.utime(scene, (-1e9, -1e9))
    words = ["superres", str(scene), "-o", "out.tif", "--symmetries", "1", "--resume", "--preview", "look.png"]
    ran = subprocess.run(
        [sys.executable, "-c", "from rsgan.cli import main; main()", *words],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert pixels(tmp_path / "out.tif").shape == (4, 400, 200)


EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_nothing_of_a_raster_is_run_by_a_page(make_raster: MakeRaster, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tags = {"TITLE": EVIL, "PRODUCT": EVIL}
    sar = make_raster(
        "<b>sar.tif", rng.gamma(4, 0.025, (1, 120, 120)).astype(np.float32), descriptions=(f"VV{EVIL}",), tags=tags
    )
    pages = [tmp_path / "sar.html", tmp_path / "evaluate.html"]
    words = ["despeckle", str(sar), "-o", str(tmp_path / "clean.tif"), "--symmetries", "1", "--report", str(pages[0])]
    done = CliRunner().invoke(main, [*words, "--quantity", "intensity"])
    assert done.exit_code == 0, done.output
    values = rng.integers(500, 3000, (4, 120, 120)).astype(np.uint16)
    scene = make_raster("<i>s.tif", values, descriptions=RGBN, scales=(1e-4,) * 4, tags=tags)
    rsgan.superres(scene, tmp_path / "<u>x.tif", symmetries=1)
    words = ["evaluate", str(tmp_path / "<u>x.tif"), "--observed", str(scene), "--report", str(pages[1])]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for raw in ("<script>alert", "<img src=x", "<b>sar", "<i>s.tif", "<u>x"):
            assert raw not in text, (page.name, raw)
    assert "&lt;b&gt;sar.tif" in pages[0].read_text(encoding="utf-8")
