"""Free images, judged by the discriminator in their generator's model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rsgan.card import Domain, ModelCard
from rsgan.diagnose import Settings, diagnose_images
from rsgan.errors import ConfigError
from rsgan.geo.synthetic import write_chip
from rsgan.model import save_model
from rsgan.nn.generators import SynthesisConfig, SynthesisGenerator
from rsgan.nn.images import ImageDiscriminator, ImageDiscriminatorConfig

RGBN = ("B02", "B03", "B04", "B08")


class Bright(ImageDiscriminator):
    """A judge of known answer: brighter than reflectance 0.3 is real."""

    def forward(self, image: torch.Tensor, classes: torch.Tensor | None = None) -> torch.Tensor:
        assert classes is not None
        return 20 * image.mean((1, 2, 3))[:, None] + 5 * classes[:, None]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shared = {"bands": 4, "side": 32, "classes": 2, "given": "class"}
    config = SynthesisConfig(low=(-3.0,) * 4, high=(7.0,) * 4, network={"kind": "style", "channels": 4}, **shared)
    judge = ImageDiscriminatorConfig(channels=4, most=8, **shared)
    card = ModelCard(
        name="tiny", task="synthesize", sensor="sentinel-2a", bands=RGBN, scale=1, generator=config,
        discriminator=judge,
        objective="non-saturating", classes=("open water", "grass"), samples_seen=0, training_data=("none",),
        target=Domain(name="chip", sensor="sentinel-2a", bands=RGBN, centre=(0.3,) * 4, spread=(0.1,) * 4),
        limits=("random",), licence="CC0-1.0", config_sha256="0",
    )  # fmt: skip
    states = SynthesisGenerator(config).state_dict(), ImageDiscriminator(judge).state_dict()
    save_model(tmp_path / "tiny.safetensors", card, states[0], None, states[1])
    monkeypatch.setattr(ImageDiscriminator, "forward", Bright.forward)
    return tmp_path / "tiny.safetensors"


def write(folder: Path, level: float, count: int = 30) -> None:
    rng = np.random.default_rng(int(level * 1000))
    for name in ("open-water", "grass"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            chip = np.clip(level + 0.02 * rng.standard_normal((4, 1, 1)), 0.01, 0.9) + np.zeros((4, 32, 32))
            write_chip(folder / name / f"{number}.tif", chip, RGBN, {}, None)


def test_the_judge_of_the_model_is_asked_in_its_units_and_with_the_class(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "real", 0.31)
    write(tmp_path / "made", 0.29)
    found = diagnose_images(
        tmp_path / "real", tmp_path / "made", model=model, told_class=True, settings=Settings(calibration="none")
    )
    assert found.judge == "the discriminator of tiny"
    assert np.median(found.scores.real) > np.median(found.scores.generated)
    by_class = [np.median(found.scores.real[found.classes[0] == number]) for number in sorted(found.names)]
    first, second = (found.names[number] for number in sorted(found.names))
    assert (first, second) == ("grass", "open-water")
    assert by_class[0] - by_class[1] == pytest.approx(5, abs=2)
    assert found.whole.auroc.low > 0.5
    assert any("learnt from its training tiles" in note for note in found.notes)
    assert found.to_json()["judge"] == "the discriminator of tiny"


def test_calibration_is_fitted_on_other_folds(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "real", 0.31)
    write(tmp_path / "made", 0.31)
    found = diagnose_images(tmp_path / "real", tmp_path / "made", model=model, told_class=True)
    assert abs(found.scores.real).max() < abs(found.scores.raw[0]).max()
    assert found.whole.auroc.low < 0.5 < found.whole.auroc.high


def test_images_that_it_does_not_know_are_refused(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "real", 0.3)
    write(tmp_path / "made", 0.3)
    (tmp_path / "made" / "grass").rename(tmp_path / "made" / "towns")
    with pytest.raises(ConfigError, match="knows no class towns"):
        diagnose_images(tmp_path / "real", tmp_path / "made", model=model)
    with pytest.raises(ConfigError, match="64 x 64 pixels; the images have"):
        diagnose_images(tmp_path / "real", tmp_path / "made", model="synth-landcover")


def test_a_fresh_judge_is_taken_where_asked_for(model: Path, tmp_path: Path) -> None:
    write(tmp_path / "real", 0.31)
    write(tmp_path / "made", 0.29)
    found = diagnose_images(
        tmp_path / "real", tmp_path / "made", model=model, settings=Settings(refit=10), told_class=True
    )
    assert found.judge == "a discriminator learnt afresh"
