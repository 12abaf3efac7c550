from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.training.config import TrainConfig
from rsgan.training.loop import MODEL, train
from rsgan.training.uncertainty import fit_uncertainty

Tiny = Callable[..., TrainConfig]


@pytest.fixture
def trained(tiny: Tiny, two_places: None, tmp_path: Path) -> tuple[Path, TrainConfig]:
    config = tiny(chip_size=48)
    for _ in train(config, tmp_path / "run", device=torch.device("cpu")):
        pass
    return tmp_path / "run" / MODEL, config


def test_the_model_tells_its_error_afterwards_and_is_otherwise_the_same(trained: tuple[Path, TrainConfig]) -> None:
    path, config = trained
    before = open_model(path)
    events = list(fit_uncertainty(before, config, 160))
    after = open_model(path)
    told = after.card.uncertainty
    assert told is not None
    assert 0 < told.factor_68 < told.factor_95
    assert events[-1]["uncertainty/factor_68"] == told.factor_68
    assert after.card.model_copy(update={"uncertainty": None}) == before.card
    assert all(torch.equal(value, after.tensors[name]) for name, value in before.tensors.items())
    losses = [event["uncertainty/loss"] for event in events[:-1]]
    assert sum(losses[-4:]) < sum(losses[:4])


def test_the_config_of_another_model_is_refused(trained: tuple[Path, TrainConfig]) -> None:
    path, config = trained
    other = config.model_copy(update={"model": config.model.model_copy(update={"name": "other"})})
    with pytest.raises(ConfigError, match="the config is that of other, the model is tiny"):
        next(iter(fit_uncertainty(open_model(path), other, 160)))
