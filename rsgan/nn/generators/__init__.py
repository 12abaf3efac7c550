"""Generators, each beside its own frozen config; a config's `kind` decides which one it builds."""

from typing import Annotated, Final

from pydantic import Field

from rsgan.nn.generators.despeckle import DespeckleGenerator, DespeckleGeneratorConfig, SpeckleState
from rsgan.nn.generators.residual import Guide, ResidualGenerator, ResidualGeneratorConfig, SensorState
from rsgan.nn.generators.translation import TranslationConfig, TranslationGenerator

Generator = ResidualGenerator | DespeckleGenerator | TranslationGenerator
"""Any generator."""
GeneratorConfig = Annotated[
    ResidualGeneratorConfig | DespeckleGeneratorConfig | TranslationConfig, Field(discriminator="kind")
]
"""Any generator's config; pydantic tells them apart by `kind`."""

KINDS: Final[dict[str, type[Generator]]] = {
    "residual": ResidualGenerator,
    "despeckle": DespeckleGenerator,
    "translation": TranslationGenerator,
}
"""Kind -> class."""

__all__ = [
    "KINDS",
    "DespeckleGenerator",
    "DespeckleGeneratorConfig",
    "Generator",
    "GeneratorConfig",
    "Guide",
    "ResidualGenerator",
    "ResidualGeneratorConfig",
    "SensorState",
    "SpeckleState",
    "TranslationConfig",
    "TranslationGenerator",
    "build_generator",
]


def build_generator(config: GeneratorConfig) -> Generator:
    """An untrained generator, its weights drawn from torch's global random state."""
    return KINDS[config.kind](config)  # type: ignore[arg-type]
