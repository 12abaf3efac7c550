"""rsgan synthesize, as a user calls it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result

from rsgan.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, list(words))


def test_chips_of_the_shipped_model(run: Run, tmp_path: Path) -> None:
    made = run("synthesize", "--classes", "water:3,burned:2", "--seed", "7", "-o", "made")
    assert made.exit_code == 0, made.output
    assert made.stdout == "made\n"
    assert "wrote 5 chips" in made.stderr
    assert "no ground that exists" in made.stderr
    with rasterio.open(tmp_path / "made" / "water" / "water_7_000002.tif") as dataset:
        assert (dataset.count, dataset.height, dataset.width) == (4, 64, 64)
        water = dataset.read() * dataset.scales[0]
    with rasterio.open(tmp_path / "made" / "burned" / "burned_7_000000.tif") as dataset:
        burned = dataset.read() * dataset.scales[0]
    assert water[3].mean() < burned[3].mean() < 0.5


def test_the_card_and_evaluate_know_them_again(run: Run, tmp_path: Path) -> None:
    assert run("synthesize", "--classes", "grass:1", "-q", "-o", "made").exit_code == 0
    chip = "made/grass/grass_0_000000.tif"
    told = run("card", chip)
    assert "synthetic: its tags say so (model synth-landcover), its pixels carry rsgan's watermark" in told.stdout
    with rasterio.open(chip) as dataset, rasterio.open("bare.tif", "w", **dataset.profile) as other:
        other.write(dataset.read())
    assert json.loads(run("card", "bare.tif", "--json").stdout) == {"synthetic": True, "watermark": True, "tags": {}}
    rng = np.random.default_rng(0)
    with rasterio.open(chip) as dataset, rasterio.open("real.tif", "w", **dataset.profile) as other:
        other.write(rng.integers(100, 3000, dataset.read().shape).astype("uint16"))
        other.descriptions = dataset.descriptions
    assert "nothing says that it is synthetic" in run("card", "real.tif").stdout
    judged = run("evaluate", chip, "--reference", "real.tif", "--reflectance-scale", "10000", "--gsd", "10")
    assert "enhanced grass_0_000000.tif is synthetic" in judged.stderr, judged.output
    assert "reference real.tif is synthetic" not in judged.stderr


def test_the_way_between_two(run: Run, tmp_path: Path) -> None:
    made = run("synthesize", "--interpolate", "water:0", "grass:1", "--steps", "4", "-o", "way")
    assert made.exit_code == 0, made.output
    assert len(list((tmp_path / "way").rglob("*.tif"))) == 4
    assert (tmp_path / "way" / "animation.gif").stat().st_size > 1000


def test_its_network_is_not_exported(run: Run, tmp_path: Path) -> None:
    told = run("export", "synth-landcover")
    assert told.exit_code == 1
    assert "is for synthesize" in told.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--classes", "water"), 2, "class:number"),
        (("--classes", "water:x"), 2, "class:number"),
        (("--classes", "water:1,water:2"), 2, "class:number"),
        (("--classes", "towns:1"), 1, "knows no towns"),
        (("--interpolate", "water:1", "grass:1", "--classes", "3"), 2, "leave --classes and --map out"),
        (("--interpolate", "water", "grass:1"), 1, "expected class:number"),
        (("--model", "s2-rgbn-x2"), 1, "not for synthesis"),
        (("--truncation", "0"), 1, "outside of"),
        (("--map", "lc.tif"), 1, "not a map"),
    ],
)
def test_wrong_use_is_told(run: Run, tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    told = run("synthesize", *words, "-o", "made")
    assert told.exit_code == status, told.output
    assert said in told.stderr.replace("\n", " ")
    assert not (tmp_path / "made").exists()
