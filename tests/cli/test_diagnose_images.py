"""rsgan diagnose --real --generated: from two folders of images to a report that says what is made too rarely."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from click.testing import Result

from rsgan.diagnose import Settings, diagnose_images

Run = Callable[..., Result]
CLASSES = ("water", "forest", "town")
QUICK = ("--refit", "120")


@pytest.fixture
def folders(make_raster: Callable[..., Path]) -> None:
    """Images of three levels in subfolders; forest is made too rarely, town with three times the grain."""
    rng = np.random.default_rng(0)
    for folder, counts in (("tiles", (60, 60, 60)), ("made", (60, 8, 112))):
        for name, count in zip(CLASSES, counts, strict=True):
            level, grain = 400 * CLASSES.index(name), 20 * (1 + (folder == "made" and name == "town"))
            Path(folder, name).mkdir(parents=True)
            for number in range(count):
                values = 1000 + level + grain * rng.standard_normal((2, 12, 12))
                place = Affine(10, 0, 1e4 * number, 0, -10, 0)
                path = f"{folder}/{name}/{number:03}.tif"
                make_raster(path, values.astype(np.uint16), transform=place, descriptions=("B03", "B04"))


@pytest.mark.usefixtures("folders")
def test_the_report_says_what_was_planted(run: Run) -> None:
    result = run("diagnose", "--real", "tiles/", "--generated", "made/", "-o", "classes/", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "classes/index.html"
    told = json.loads(Path("classes/diagnosis.json").read_text(encoding="utf-8"))
    by_name = {row["name"]: row for row in told["classes"]}
    assert (by_name["forest"]["too_rare"], by_name["town"]["too_common"]) == (True, True)
    assert by_name["town"]["told_apart"]
    assert by_name["forest"]["share_generated"] == pytest.approx(8 / 180)
    assert any(line.startswith("forest: made too rarely (4.4% of the generated") for line in told["verdicts"])
    assert "forest: made too rarely" in result.stderr
    with Path("classes/images.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 360
    assert {row["class"] for row in rows} == set(CLASSES)
    page = Path("classes/index.html").read_text(encoding="utf-8")
    assert "Forest: made too rarely" in page
    assert all(words in page for words in ("too rare", "too common", "badly made", "Is each class made often enough?"))
    assert "http" not in page.replace("http://www.w3.org", "")


@pytest.mark.usefixtures("folders")
def test_a_generator_that_is_told_the_class_is_not_blamed_for_shares() -> None:
    found = diagnose_images("tiles", "made", told_class=True, settings=Settings(refit=120))
    assert found.table["p_share"].isna().all()
    assert not any("rarely" in line or "often" in line for line in found.verdicts())
    assert dict(zip(found.table["name"], found.table["told_apart"], strict=True))["town"]


@pytest.mark.usefixtures("folders")
def test_images_without_classes_are_judged_as_one(run: Run) -> None:
    result = run("diagnose", "--real", "tiles/water", "--generated", "made/water", "-o", "report", *QUICK)
    assert result.exit_code == 0, result.stderr
    told = json.loads(Path("report/diagnosis.json").read_text(encoding="utf-8"))
    assert told["classes"] == []
    assert 0.3 < told["all"]["auroc"] < 0.7


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--real", "tiles"), 2, "need --real and --generated"),
        ((), 2, "give --observed"),
        (("--real", "tiles", "--generated", "made", "--observed", "a.tif"), 2, "is for a scene"),
        (("--real", "tiles", "--generated", "gone"), 1, "gone is no folder"),
        (("--real", "tiles", "--generated", "made", "--landcover", "lc.tif"), 1, "the name of their subfolder"),
        (("--real", "tiles", "--generated", "made", "--landcover", "indices"), 1, "B02"),
    ],
)
def test_bad_input_gets_one_clear_message(run: Run, words: tuple[str, ...], code: int, message: str) -> None:
    result = run("diagnose", *words, "-o", "report")
    assert result.exit_code == code
    assert message in result.stderr
    assert not Path("report/index.html").exists()
