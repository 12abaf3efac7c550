"""A quick generator learns what several passes of a finished model give."""

from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.nn.symmetries import averaged_passes
from rsgan.training.batch import collate
from rsgan.training.config import TrainConfig
from rsgan.training.distillation import open_teacher
from rsgan.training.games.paired import Units, condition
from rsgan.training.loop import Trainer

Tiny = Callable[..., TrainConfig]
CPU = torch.device("cpu")


def taught(config: TrainConfig, **settings: object) -> TrainConfig:
    return TrainConfig.model_validate(config.model_dump() | {"distillation": settings})


@pytest.fixture
def trainer(tiny: Tiny, two_places: None) -> Trainer:
    """A student of two passes of the x2 model of the package."""
    trainer = Trainer(taught(tiny(), teacher="s2-rgbn-x2", passes=2, share=0.25), CPU)
    trainer.task.load(CPU)
    return trainer


def test_the_teacher_gives_the_mean_of_its_passes_without_gradient(trainer: Trainer) -> None:
    pairs = collate([trainer.task.dataset[i] for i in range(2)])
    observed, sensor, guide = condition(pairs)
    with torch.no_grad():
        mean, _ = averaged_passes(open_model("s2-rgbn-x2").generator(0.0), observed, sensor, guide, passes=2)
    result = trainer.game.teacher(pairs)
    assert not result.requires_grad
    torch.testing.assert_close(result, Units.of(pairs).reflectance(mean), rtol=0, atol=1e-5)


def test_the_content_loss_is_shared_between_teacher_and_reference(
    trainer: Trainer, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = collate([trainer.task.dataset[i] for i in range(2)])
    alone = Trainer(tiny(), CPU).game.generator_terms(pairs, adversarial=False)
    terms = trainer.game.generator_terms(pairs, adversarial=False)
    torch.testing.assert_close(terms["content"], 0.75 * alone["content"])
    assert terms["distillation"].item() > 0
    lesson = Units.of(pairs).network(trainer.game.teacher(pairs))
    monkeypatch.setattr(type(trainer.game), "enhance", lambda self, pairs: lesson)
    assert trainer.game.generator_terms(pairs, adversarial=False)["distillation"].item() == pytest.approx(0, abs=1e-9)


def test_the_card_names_the_teacher(trainer: Trainer) -> None:
    assert "results of 2 passes of model s2-rgbn-x2" in trainer.card().training_data


@pytest.mark.parametrize("teacher", ["s2-rgbn-x4", "any-x2", "s2-20to10"])
def test_a_teacher_of_other_bands_or_scale_is_refused(tiny: Tiny, teacher: str) -> None:
    config = taught(tiny(), teacher=teacher)
    with pytest.raises(
        ConfigError,
        match=rf"teacher {teacher} is for superres of .*the run's model for superres of B02 B03 B04 B08 x2\. Name a",
    ):
        open_teacher(config, config.distillation, CPU)


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"share": 1.5}, {"passes": 3}])
def test_settings_out_of_range_are_refused(tiny: Tiny, settings: dict) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        taught(tiny(), teacher="s2-rgbn-x2", **settings)
