"""`rsgan despeckle` as its user meets it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import Result

from rsgan.sensors.sar import draw_speckle

Run = Callable[..., Result]
MakeScene = Callable[..., Path]


@pytest.fixture
def sar(make_scene: MakeScene) -> Path:
    """Two polarisations in dB."""
    rng = np.random.default_rng(3)
    values = np.stack([10 * np.log10(level * draw_speckle(rng, (64, 80), 4.0)) for level in (0.1, 0.02)])
    return make_scene("sar.tif", values.astype(np.float32), descriptions=("VV", "VH"), scale=None)


def test_stdout_has_the_path_and_stderr_the_talk(run: Run, sar: Path) -> None:
    result = run("despeckle", sar, "-o", "clean.tif")
    assert (result.exit_code, result.stdout) == (0, "clean.tif\n")
    assert [line.split(":")[0] for line in result.stderr.splitlines()[:6]] == [
        "model", "quantity", "bands", "output", "VV", "VH",
    ]  # fmt: skip
    assert "equivalent looks" in result.stderr


def test_what_hardly_has_speckle_is_doubted(run: Run, make_scene: MakeScene, sar: Path) -> None:
    smooth = np.linspace(0.1, 0.2, 64 * 80).reshape(1, 64, 80) * draw_speckle(np.random.default_rng(1), (64, 80), 200.0)
    optical = make_scene("optical.tif", smooth.astype(np.float32), descriptions=("B04",), scale=None)
    assert "note: B04: " in (said := run("despeckle", optical, "--method", "lee").stderr)
    assert "hardly any speckle" in said
    assert "hardly any speckle" not in run("despeckle", sar, "--method", "lee").stderr


def test_everything_beside_the_output(run: Run, sar: Path) -> None:
    result = run(
        "despeckle", sar, "-o", "clean.tif", "--ratio", "ratio.tif", "--report", "clean.json",
        "--preview", "look.png", "--looks", "4", "-q",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(Path("clean.json").read_text())["bands"]["VH"]["looks"] == 4
    assert Path("look.png").exists()
    with rasterio.open("ratio.tif") as ratio:
        assert ratio.descriptions == ("VV observed / despeckled", "VH observed / despeckled")


def test_a_dry_run_writes_nothing(run: Run, sar: Path) -> None:
    result = run("despeckle", sar, "--dry-run")
    assert result.exit_code == 0
    assert "nothing was written" in result.stderr
    assert {path.name for path in Path.cwd().iterdir()} == {"sar.tif"}


def test_the_default_output_lies_beside_the_input(run: Run, sar: Path) -> None:
    assert run("despeckle", sar, "--method", "lee", "-q").stdout == "sar_despeckled.tif\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--looks", "many"), 2, "a number or auto"),
        (("--looks", "0"), 2, "--looks 0"),
        (("--method", "median"), 2, "refined-lee"),
        (("--quantity", "intensity"), 1, "--quantity db"),
        (("--preview", "look.jpg"), 1, "--preview look.jpg"),
        (("--report", "clean.tif"), 1, "--report clean.tif"),
        (("--bands", "HH"), 1, "VV"),
    ],
)
def test_wrong_use_is_said_and_writes_nothing(
    run: Run, sar: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    result = run("despeckle", sar, "-o", "clean.tif", *words)
    assert result.exit_code == code
    assert said in result.stderr
    assert not Path("clean.tif").exists()


def test_superres_sends_a_despeckling_model_away(run: Run, make_scene: MakeScene) -> None:
    result = run("superres", make_scene(), "--model", "sar-despeckle")
    assert result.exit_code == 1
    assert "rsgan despeckle" in result.stderr or "despeckle" in result.stderr
