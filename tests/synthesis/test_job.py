"""Chips of classes and of maps, as folders."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

import rsgan
from rsgan.errors import ConfigError, ModelError, OutputError
from rsgan.geo.synthetic import find_synthetic
from rsgan.synthesis import prepare
from rsgan.synthesis.job import Options

MakeModel = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")

pytestmark = pytest.mark.filterwarnings("ignore:tiny.*random weights")


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        values: np.ndarray = dataset.read()
    return values


def test_as_many_chips_as_asked_for_with_labels_and_marks(make_model: MakeModel, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = rsgan.synthesize(
        tmp_path / "made", {"forest": 3, "open water": 2}, model=make_model(), seed=7,
        progress=lambda *at: seen.append(at),
    )  # fmt: skip
    assert done.classes == ("forest",) * 3 + ("open water",) * 2
    assert [chip.parent.name for chip in done.chips] == ["forest"] * 3 + ["open-water"] * 2
    assert seen[-1] == (5, 5)
    with (tmp_path / "made" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(tmp_path / "made" / row["path"], row["class"]) for row in rows] == list(
        zip(done.chips, done.classes, strict=True)
    )
    for chip, name in zip(done.chips, done.classes, strict=True):
        found = find_synthetic(str(chip))
        assert found is not None
        assert found.watermark
        assert found.tags["RSGAN_CLASS"] == name
        assert found.tags["RSGAN_SEED"] == "7"
        with rasterio.open(chip) as dataset:
            assert dataset.descriptions == RGBN
            assert dataset.transform.a == 10
            assert (dataset.read() >= 2).all()
    item = json.loads((tmp_path / "made" / "index.json").read_text())
    assert item["properties"]["rsgan:synthetic"] is True
    assert item["geometry"] is None
    assert item["properties"]["rsgan:chips"] == {"forest": 3, "open water": 2}
    with Image.open(tmp_path / "made" / "contact_sheet.png") as sheet:
        assert sheet.width > 500


def test_a_chip_depends_on_its_seed_class_and_number_only(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model()
    first = rsgan.synthesize(tmp_path / "a", {"forest": 70}, model=model, seed=3)
    second = rsgan.synthesize(tmp_path / "b", {"open water": 1, "forest": 67}, model=model, seed=3)
    one, same = (read(chip).astype(int) for chip in (first.chips[66], second.chips[67]))
    np.testing.assert_allclose(one, same, rtol=0, atol=1)  # other batches may round otherwise
    third = rsgan.synthesize(tmp_path / "c", {"forest": 1}, model=model, seed=4)
    assert (read(first.chips[0]) != read(third.chips[0])).any()
    assert (read(second.chips[0]) != read(second.chips[1])).any()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_chips_of_a_map_come_with_its_labels(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model(given="map", kind="residual")
    labels = np.zeros((70, 100), np.uint8)
    labels[:, 20:], labels[40:, :] = 1, 2
    with rasterio.open(tmp_path / "lc.tif", "w", driver="GTiff", height=70, width=100, count=1, dtype="uint8") as file:
        file.write(labels[None])
    done = rsgan.synthesize(tmp_path / "made", 2, model=model, of_map=tmp_path / "lc.tif")
    assert len(done.chips) == 2 * 6
    for number, chip in enumerate(done.chips):
        row, column = divmod(number % 6, 3)
        expected = labels[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32]
        np.testing.assert_array_equal(read(chip.with_name(f"{chip.stem}_labels.tif"))[0], expected)
    assert (read(done.chips[0]) != read(done.chips[6])).any()
    with pytest.raises(ConfigError, match="give one with --map"):
        prepare(tmp_path / "x", model=model)
    labels[0, 0] = 3
    with rasterio.open(tmp_path / "lc.tif", "r+") as file:
        file.write(labels[None])
    with pytest.raises(ConfigError, match="0 to 3; expected 0 for none and 1 to 2"):
        prepare(tmp_path / "x", model=model, of_map=tmp_path / "lc.tif")


def test_nothing_is_left_of_what_is_stopped(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        rsgan.synthesize(tmp_path / "made", 80, model=model, progress=stop)
    monkeypatch.setattr("rsgan.synthesis.job.write_chip", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(OutputError, match="No space"):
        rsgan.synthesize(tmp_path / "made", 2, model=model)
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


def test_only_its_own_folders_are_replaced(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="holds other files, which stay"):
        rsgan.synthesize(tmp_path / "mine", 1, model=model, overwrite=True)
    rsgan.synthesize(tmp_path / "made", 3, model=model)
    with pytest.raises(OutputError, match="--overwrite"):
        rsgan.synthesize(tmp_path / "made", 1, model=model)
    rsgan.synthesize(tmp_path / "made", 1, model=model, overwrite=True)
    assert len(list((tmp_path / "made").rglob("*.tif"))) == 2
    with pytest.raises(OutputError, match="does not exist"):
        rsgan.synthesize(tmp_path / "no" / "made", 1, model=model)


def test_wrong_use_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model()
    with pytest.raises(ConfigError, match="knows no towns; it makes open water, forest"):
        prepare(tmp_path / "x", {"towns": 3}, model=model)
    with pytest.raises(ConfigError, match="1 or more"):
        prepare(tmp_path / "x", {"forest": 0}, model=model)
    with pytest.raises(ConfigError, match="given class, not a map"):
        prepare(tmp_path / "x", model=model, of_map=tmp_path / "lc.tif")
    with pytest.raises(ModelError, match="superres, not for synthesis"):
        prepare(tmp_path / "x", model="s2-rgbn-x2")
    for wrong in ({"truncation": 0.0}, {"truncation": 11.0}, {"seed": -1}):
        with pytest.raises(ConfigError):
            Options(**wrong)
    assert not (tmp_path / "x").exists()
