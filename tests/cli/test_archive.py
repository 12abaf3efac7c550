"""Many scenes with one command: every one by itself, a bad one stops none, and the exit status tells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import Result

Run = Callable[..., Result]
NAMES = ("B02", "B03", "B04", "B08")
QUICK = ("--symmetries", "1", "--reflectance-scale", "10000")


@pytest.fixture
def scenes(make_raster: Callable[..., Path]) -> None:
    """Two scenes of unlike size, one with a band too few, and one that is no raster."""
    rng = np.random.default_rng(0)
    Path("archive").mkdir()
    for name, shape in (("a", (4, 40, 48)), ("b", (2, 40, 40)), ("c", (4, 32, 32))):
        values = rng.integers(500, 3000, shape).astype(np.uint16)
        make_raster(f"archive/{name}.tif", values, descriptions=NAMES[: shape[0]])
    Path("archive/d.tif").write_bytes(b"not a raster")


def files() -> list[str]:
    return sorted(str(path) for path in Path("archive").iterdir())


@pytest.mark.usefixtures("scenes")
def test_a_bad_scene_does_not_stop_the_others(run: Run) -> None:
    result = run("superres", *files(), "-O", "deep/out", *QUICK)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["deep/out/a_x2.tif", "deep/out/c_x2.tif"]
    assert sorted(path.name for path in Path("deep/out").iterdir()) == ["a_x2.tif", "c_x2.tif"]
    with rasterio.open("deep/out/c_x2.tif") as dataset:
        assert dataset.shape == (64, 64)
    said = result.stderr
    assert "scene 2 of 4: archive/b.tif" in said
    assert "failed   archive/b.tif: archive/b.tif has 2 bands" in said
    assert "failed   archive/d.tif" in said
    assert "done     archive/c.tif, " in said
    assert "2 of 4 scenes are fine" in said
    assert said.count("Error:") == 2


@pytest.mark.usefixtures("scenes")
def test_what_is_there_is_skipped_or_refused(run: Run) -> None:
    good = ("archive/a.tif", "archive/c.tif", "-O", "out", *QUICK)
    assert run("superres", *good).exit_code == 0
    stamp = Path("out/a_x2.tif").stat().st_mtime_ns
    Path("out/c_x2.tif").unlink()
    again = run("superres", *good)
    assert again.exit_code == 1
    assert "out/a_x2.tif exists already" in again.stderr
    skipping = run("superres", *good, "--skip-existing")
    assert skipping.exit_code == 0
    assert "skipped  archive/a.tif: its output is there already" in skipping.stderr
    assert Path("out/a_x2.tif").stat().st_mtime_ns == stamp
    assert run("superres", *good, "--overwrite", "-q").stderr == ""
    assert Path("out/a_x2.tif").stat().st_mtime_ns > stamp


@pytest.mark.usefixtures("scenes")
def test_a_dry_run_makes_no_folder(run: Run) -> None:
    result = run("superres", "archive/a.tif", "archive/b.tif", "-O", "out", "--dry-run", *QUICK)
    assert result.exit_code == 1
    assert "planned  archive/a.tif" in result.stderr
    assert not Path("out").exists()


def test_radar_goes_the_same_way(run: Run, make_raster: Callable[..., Path]) -> None:
    speckle = np.random.default_rng(1).gamma(4, 0.05, (2, 1, 64, 64)).astype(np.float32)
    for name, values in zip("ab", speckle, strict=True):
        make_raster(f"{name}.tif", values, descriptions=("VV",), tags={"QUANTITY": "intensity"})
    result = run("despeckle", "a.tif", "b.tif", "-O", "clean", "--method", "lee", "--quantity", "intensity")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == ["clean/a_despeckled.tif", "clean/b_despeckled.tif"]


@pytest.mark.usefixtures("scenes")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-O", "out", "-o", "one.tif"), "--out is for one scene, --out-folder for many"),
        (("-O", "out", "--preview", "look.png"), "--preview is for one scene"),
        (("-O", "out", "--uncertainty", "doubt.tif"), "--uncertainty is for one scene"),
        (("--skip-existing",), "Give --out-folder too"),
        (("other/a.tif", "-O", "out"), "archive/a.tif and other/a.tif would have outputs of one name"),
    ],
)
def test_what_cannot_be_meant_is_wrong_use(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("superres", "archive/a.tif", *words)
    assert result.exit_code == 2
    assert message in result.stderr
