"""What is done to a scene: a model's networks, or the linear injection of finer bands."""

from __future__ import annotations

from dataclasses import dataclass

from rsgan.card import ModelCard
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.options import Options
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics
from rsgan.filters.linear_injection import injection_reach
from rsgan.geo import FILL_REACH
from rsgan.model import Model
from rsgan.nn.generators import Generator
from rsgan.nn.generators.residual import BICUBIC_REACH
from rsgan.nn.uncertainty import UncertaintyHead
from rsgan.runtimes import computed_by


@dataclass(frozen=True)
class Method:
    """What is done to a scene.

    Attributes:
        name: of the model, or of the method without one.
        reason: why this one.
        scale: output pixels per input pixel.
        reach: input pixels that an output pixel can depend on, to each side.
        model: open model; None for the linear method.
    """

    name: str
    reason: str
    scale: int
    reach: int
    model: Model | None = None

    @classmethod
    def of_model(cls, model: Model, reason: str) -> Method:
        """A network."""
        card = model.card
        reach = model.receptive_field + (injection_reach(card.scale) if card.guide else 0)
        if card.uncertainty is not None:
            reach += -(-model.uncertainty().reach // card.scale) + BICUBIC_REACH
        return cls(card.name, reason, card.scale, reach, model)

    @classmethod
    def linear(cls, guiding: Guiding) -> Method:
        """The linear injection of finer bands."""
        return cls("linear injection", "--method", guiding.scale, injection_reach(guiding.scale))

    @property
    def card(self) -> ModelCard | None:
        """The model's card."""
        return None if self.model is None else self.model.card

    @property
    def halo(self) -> int:
        """Input pixels of context that a window is read with: what is looked at, and what its filling looks at."""
        return self.reach + FILL_REACH

    def bind(self, statistics: SceneStatistics, options: Options, generator: Generator | None = None) -> SceneEnhancer:
        """The method bound to a scene, with another generator than the model's if one is given."""
        if generator is None and self.model is not None:
            generator = self.model.generator(options.sharpness)
        if generator is not None:
            generator = computed_by(options.backend, generator, consistency=options.consistency)
        return SceneEnhancer(
            generator,
            statistics,
            options.place,
            self.scale,
            self.reach,
            options.precision,
            options.consistency,
            options.symmetries,
            *self._head(options),
        )

    def _head(self, options: Options) -> tuple[UncertaintyHead | None, float, float]:
        """What tells the standard error, and the factor that makes it one: 68 % of the errors are smaller."""
        if options.uncertainty is None or self.model is None or self.model.card.uncertainty is None:
            return None, 1.0, 0.0
        told = self.model.card.uncertainty
        return self.model.uncertainty(), told.factor_68, told.floor
