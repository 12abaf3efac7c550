"""`rsgan translate` as its user meets it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import Result

Run = Callable[..., Result]
MakeScene = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")


@pytest.fixture
def hazy(make_scene: MakeScene) -> Path:
    """Ground under an even veil."""
    rng = np.random.default_rng(3)
    ground = rng.uniform(0.02, 0.3, (4, 8, 10)).repeat(8, 1).repeat(8, 2)
    values = 0.7 * ground + 0.3 * 0.6
    return make_scene("hazy.tif", np.rint(values * 1e4).astype(np.uint16), descriptions=RGBN)


def test_stdout_has_the_path_and_stderr_the_talk(run: Run, hazy: Path) -> None:
    result = run("translate", hazy, "-o", "clear.tif", "--transmission", "t.tif", "--preview", "look.png")
    assert (result.exit_code, result.stdout) == (0, "clear.tif\n"), result.stderr
    assert "model: s2-dehaze, hazy -> clear" in result.stderr
    assert "mean change: B02 -" in result.stderr
    assert all(Path(name).exists() for name in ("clear.tif", "t.tif", "look.png"))
    with rasterio.open(hazy) as before, rasterio.open("clear.tif") as after:
        assert after.read().mean() < before.read().mean() - 500


def test_a_dry_run_writes_nothing(run: Run, hazy: Path) -> None:
    result = run("translate", hazy, "-o", "clear.tif", "--dry-run", "-v")
    assert result.exit_code == 0
    for word in ("windows:", "memory: about", "time: about", "dry run: nothing was written"):
        assert word in result.stderr
    assert not Path("clear.tif").exists()


def test_wrong_use_and_what_cannot_be_done(run: Run, hazy: Path) -> None:
    assert run("translate", hazy, "--window", "8").exit_code == 2
    assert run("translate", hazy, "--direction", "up").exit_code == 2
    result = run("translate", hazy, "--model", "sar-despeckle")
    assert (result.exit_code, "despeckle, not for translation" in result.stderr) == (1, True)
    result = run("translate", hazy, "-o", "hazy.tif")
    assert result.exit_code == 1
    result = run("translate", "nowhere.tif")
    assert (result.exit_code, "nowhere.tif" in result.stderr) == (1, True)


def test_the_default_name_says_what_it_is(run: Run, hazy: Path) -> None:
    assert run("translate", hazy, "-q").stdout.strip().endswith("hazy_clear.tif")
    back = run("translate", hazy, "--direction", "back", "-q")
    assert back.stdout.strip().endswith("hazy_hazy.tif")
