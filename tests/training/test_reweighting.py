"""Feedback by class: which weights follow from figures, how they change what is drawn, and runs that resume."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from rsgan.model import open_model
from rsgan.training.config import TrainConfig
from rsgan.training.loop import CHECKPOINT, MODEL, train
from rsgan.training.pairs import PairDataset
from rsgan.training.reweighting import class_weights, keeps
from rsgan.training.tasks import Superres
from rsgan.training.tiles import Tile
from rsgan.training.validation import Validation

Tiny = Callable[..., TrainConfig]
WATER = (0.06, 0.05, 0.03, 0.01)
FOREST = (0.02, 0.04, 0.03, 0.30)
GREEN_RED_NIR = (1, 2, 3)


def even(spectrum: tuple[float, ...], side: int = 16) -> np.ndarray:
    return np.broadcast_to(np.array(spectrum, np.float32)[:, None, None], (4, side, side)).copy()


def test_the_class_that_is_told_apart_best_weighs_most() -> None:
    figures = {"auroc/water": 0.5, "auroc/dense_vegetation": 0.9, "auroc/sparse_vegetation": 0.7, "logit/water": 3.0}
    found = class_weights(figures, 3.0)
    assert found == pytest.approx({"water": 1.0, "dense_vegetation": 4.0, "sparse_vegetation": 2.5})
    assert class_weights({"auroc/water": 0.4}, 3.0) == {}
    assert class_weights({"gain_db/P40": 0.4}, 3.0) == {}


def test_chips_are_kept_as_often_as_their_class_weighs() -> None:
    rng, weights = np.random.default_rng(0), {"dense_vegetation": 4.0}
    kept = {
        name: np.mean([keeps(even(spectrum), GREEN_RED_NIR, weights, rng) for _ in range(2000)])
        for name, spectrum in (("water", WATER), ("forest", FOREST))
    }
    assert kept == pytest.approx({"water": 0.25, "forest": 1.0}, abs=0.03)
    half = even(WATER)
    half[:, :, 8:] = even(FOREST)[:, :, 8:]
    assert np.mean([keeps(half, GREEN_RED_NIR, weights, rng) for _ in range(2000)]) == pytest.approx(0.625, abs=0.03)


def test_a_dataset_with_weights_draws_more_of_what_weighs_more(tiny: Tiny) -> None:
    values = np.concatenate([even(WATER, 64), even(FOREST, 64)], axis=2)
    tile = Tile(Path("a.tif"), values, np.ones(values.shape[1:], bool), None, None, 1.0)
    dataset = PairDataset([tile], tiny(adversarial_samples=400))

    def forest(weights: dict[str, float]) -> float:
        dataset.weights = weights
        return float(np.mean([dataset[i].reference[0, 3].mean() > 0.1 for i in range(300)]))

    plain, weighed = forest({}), forest({"dense_vegetation": 9.0})
    assert plain == pytest.approx(0.5, abs=0.1)
    assert weighed > 0.8
    assert forest({}) == plain


def weighing(figures: dict[str, float]) -> Callable[..., dict[str, float]]:
    return lambda self, generator, judge: figures


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A discriminator that tells forest from real, whatever it was trained on."""
    monkeypatch.setattr(Superres, "by_class", weighing({"auroc/dense_vegetation": 0.9, "auroc/water": 0.6}))
    monkeypatch.setattr(Validation, "measure", lambda self, generator: {"gain_db/P40": 0.0})


@pytest.mark.usefixtures("two_places", "told")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_draws_by_what_its_validation_says_and_resumes_with_it(tiny: Tiny, tmp_path: Path, workers: int) -> None:
    config = tiny(validate_every=4, adversarial_samples=16, workers=workers)
    config = config.model_copy(update={"data": config.data.model_copy(update={"reweight": 3.0})})
    whole = list(train(config, tmp_path / "whole", device=torch.device("cpu")))
    logged = [values for values in whole if "weight/dense_vegetation" in values]
    assert logged[0]["samples_seen"] == 12  # the first validation of the second stage
    assert logged[0]["weight/dense_vegetation"] == 4.0
    assert logged[0]["weight/water"] == pytest.approx(1.75)
    events = train(config, tmp_path / "parts", device=torch.device("cpu"))
    for values in events:
        if values["samples_seen"] >= 16:
            break
    events.close()
    state = torch.load(tmp_path / "parts" / CHECKPOINT, weights_only=True)
    assert state["weights"] == pytest.approx({"dense_vegetation": 4.0, "water": 1.75})
    list(train(config, tmp_path / "parts", device=torch.device("cpu"), resume=True))
    first, second = (open_model(tmp_path / name / MODEL).tensors for name in ("whole", "parts"))
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    plain = tiny(validate_every=4, adversarial_samples=16)
    list(train(plain, tmp_path / "plain", device=torch.device("cpu")))
    third = open_model(tmp_path / "plain" / MODEL).tensors
    assert any(not torch.equal(tensor, third[key]) for key, tensor in first.items())


def test_reweighting_that_cannot_be_is_refused(tiny: Tiny) -> None:
    def changed(**sections: dict[str, object]) -> None:
        settings = tiny().model_dump(mode="json")
        for name, values in sections.items():
            settings[name] |= values
        TrainConfig.model_validate(settings)

    changed(data={"reweight": 2.0})
    with pytest.raises(ValidationError, match="no second stage"):
        changed(data={"reweight": 2.0}, training={"adversarial_samples": 0})
    with pytest.raises(ValidationError, match="needs bands B03, B04 and B08"):
        changed(data={"reweight": 2.0}, model={"bands": ["B02", "B03", "B04", "B05"]})
