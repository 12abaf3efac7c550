import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from affine import Affine
from click.testing import Result

import rsgan
from rsgan.cli import main

Run = Callable[..., Result]
SAMPLES = Path(__file__).parents[2] / "data_samples"


@pytest.fixture
def rasters(make_scene: Callable[..., Path]) -> dict[str, Path]:
    """scene.tif at 10 m, sharper.tif and truth.tif at 5 m, stored as uint16."""
    rng = np.random.default_rng(8)
    coarse = rng.integers(800, 2500, (4, 40, 50)).astype(np.uint16)
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    truth = fine + rng.integers(0, 200, fine.shape).astype(np.uint16)
    options = {"transform": Affine(5, 0, 5e5, 0, -5, 5e6)}
    return {
        "scene": make_scene("scene.tif", coarse),
        "sharper": make_scene("sharper.tif", fine + np.uint16(100), **options),
        "truth": make_scene("truth.tif", truth, **options),
    }


def test_the_examples_run_and_write_what_they_say(run: Run, rasters: dict[str, Path]) -> None:
    shutil.copy(SAMPLES / "sar_vv_vh_10m.tif", "sar.tif")
    rsgan.despeckle("sar.tif", "clean.tif", method="boxcar")
    command = main.get_command(click.Context(main), "evaluate")
    lines = [line.split()[1:] for line in (command.help or "").split("Examples:")[1].splitlines() if "rsgan" in line]
    for words in lines:
        result = run(*words)
        assert result.exit_code == 0, result.stderr
        assert ("Ratio image of VV" if words[1] == "clean.tif" else "Against what was observed") in result.stdout
    told = json.loads(Path("figures.json").read_text(encoding="utf-8"))
    assert told["bands"] == ["B02", "B03", "B04", "B08"]
    for page in ("quality.html", "speckle.html"):
        assert Path(page).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {path.name for path in Path.cwd().iterdir()} == {
        *("scene.tif", "sharper.tif", "truth.tif", "sar.tif", "clean.tif"),
        *("figures.json", "quality.html", "speckle.html"),
    }


def test_figures_go_to_stdout_and_talk_to_stderr(run: Run, rasters: dict[str, Path]) -> None:
    result = run("evaluate", "sharper.tif", "--reference", "truth.tif", "-v")
    assert "RMSE (reflectance)" in result.stdout
    assert "compared: B02 B03 B04 B08, 5 m pixels; 100.0" in result.stderr
    assert "reference: truth.tif" in result.stderr
    assert "note: ERGAS and fine detail need the step in pixel size" in result.stderr
    assert run("evaluate", "sharper.tif", "-q").stderr == ""


def test_json_on_stdout_is_all_there_is(run: Run, rasters: dict[str, Path]) -> None:
    told = json.loads(run("evaluate", "sharper.tif", "--reference", "truth.tif", "--scale", 2, "--json", "-").stdout)
    rng = np.random.default_rng(8)
    rng.integers(800, 2500, (4, 40, 50))
    error = (100 - rng.integers(0, 200, (4, 80, 100))) * 1e-4
    assert told["figures"]["enhanced"]["bias"]["all"] == pytest.approx(error.mean(), abs=1e-7)
    assert told["figures"]["enhanced"]["rmse"]["all"] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-7)
    assert told["figures"]["enhanced"]["psnr_db"]["all"] == pytest.approx(-10 * np.log10((error**2).mean()), abs=1e-4)
    assert "ergas" in told["figures"]["enhanced"]


def test_classes_are_called_by_their_names(run: Run, rasters: dict[str, Path], make_scene: Callable[..., Path]) -> None:
    make_scene("classes.tif", np.full((1, 40, 50), 4, np.uint8), descriptions=("class",), scale=None)
    words = ("evaluate", "sharper.tif", "--reference", "truth.tif", "--landcover", "classes.tif")
    result = run(*words, "--classes", "4=open water, 5=forest")
    assert re.search(r"open water +100\.0", result.stdout)
    wrong = run(*words, "--classes", "water")
    assert wrong.exit_code == 2
    assert "expected numbers and names such as 1=forest,2=water, found 'water'" in wrong.stderr


def test_existing_files_stay_without_overwrite(run: Run, rasters: dict[str, Path]) -> None:
    Path("old.json").write_text("old")
    result = run("evaluate", "sharper.tif", "--json", "old.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--json old.json exists already. Give --overwrite" in result.stderr
    assert run("evaluate", "sharper.tif", "--json", "old.json", "--overwrite", "-q").exit_code == 0
    assert json.loads(Path("old.json").read_text())["rasters"] == {"enhanced": "sharper.tif"}
    assert "does not end in .html" in run("evaluate", "sharper.tif", "--report", "truth.tif", "--overwrite").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--landcover", "truth.tif"), "needs errors, and those need --reference"),
        (("--data-range", "-1"), "--data-range is -1; expected above 0"),
        (("--sensor", "spot"), "no sensor is called 'spot'"),
        (("--observed", "scene.tif", "--scale", "4"), "Leave --scale away"),
    ],
)
def test_wrong_use_is_named_and_exits_with_2(
    run: Run, rasters: dict[str, Path], words: tuple[str, ...], message: str
) -> None:
    result = run("evaluate", "sharper.tif", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere.tif",), "nowhere.tif does not exist"),
        (
            ("sharper.tif", "--reference", "scene.tif"),
            "scene.tif is coarser than sharper.tif; a reference has the same pixels or finer ones",
        ),
        (("sharper.tif", "--observed", "truth.tif"), "have pixels of one size"),
    ],
)
def test_what_cannot_be_done_is_named_and_exits_with_1(
    run: Run, rasters: dict[str, Path], words: tuple[str, ...], message: str
) -> None:
    result = run("evaluate", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
