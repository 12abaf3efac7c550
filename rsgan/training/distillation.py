"""The teacher of a distillation: several passes of a finished model, as a function of a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.nn.generators import ResidualGenerator
from rsgan.nn.precision import reduced
from rsgan.nn.symmetries import averaged_passes
from rsgan.training.batch import Pairs
from rsgan.training.config import Distillation, TrainConfig
from rsgan.training.games.paired import Units, condition


def open_teacher(config: TrainConfig, settings: Distillation, device: torch.device) -> Callable[[Pairs], Tensor]:
    """Open a finished model as the function that a game compares its generator with.

    Args:
        config: of the run that is taught.
        settings: teacher and passes.
        device: where to compute.

    Returns:
        Function batch -> mean of the teacher's passes, (N, C, scale h, scale w) reflectance, without gradient.

    Raises:
        ConfigError: the teacher has other bands, guides or another scale than the run.
        ModelError: there is no such model.
    """
    model = open_model(settings.teacher)
    card, own = model.card, config.model
    teachers_purpose = _purpose(card.task, card.bands, card.guide, card.scale)
    purpose = _purpose(config.task, own.bands, own.guide, config.generator.scale)
    if teachers_purpose != purpose:
        raise ConfigError(
            f"distillation.teacher {settings.teacher} is for {teachers_purpose}, the run's model for {purpose}. Name a "
            "teacher of the same bands and scale."
        )
    generator = model.generator(0.0)
    if not isinstance(generator, ResidualGenerator):
        raise ConfigError(f"distillation.teacher {settings.teacher} has no generator of kind residual.")
    dtype = torch.float64 if config.training.precision == "float64" else torch.float32
    layout = {"device": device, "dtype": dtype, "memory_format": torch.channels_last}
    teacher = generator.to(**layout).eval()  # type: ignore[call-overload]

    @torch.no_grad()
    def teach(pairs: Pairs) -> Tensor:
        with reduced(device, config.training.precision == "bfloat16"):
            mean = averaged_passes(teacher, *condition(pairs), passes=settings.passes)[0]
        return Units.of(pairs).reflectance(mean)

    return teach


def _purpose(task: str, bands: tuple[str, ...], guide: tuple[str, ...], scale: int) -> str:
    """Describe what a model does with which bands, and how much finer it makes them."""
    guided = f" guided by {' '.join(guide)}" if guide else ""
    return f"{task} of {' '.join(bands) or 'any band'}{guided} x{scale}"
