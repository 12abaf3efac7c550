"""Generators, each beside its own frozen config; a config's `kind` decides which one it builds."""

from typing import Annotated, Final

from pydantic import Field

from rsgan.nn.encoder import ChipEncoder, EncoderConfig
from rsgan.nn.generators.despeckle import DespeckleGenerator, DespeckleGeneratorConfig, SpeckleState
from rsgan.nn.generators.residual import Guide, ResidualGenerator, ResidualGeneratorConfig, SensorState
from rsgan.nn.generators.synthesis import SynthesisConfig, SynthesisGenerator
from rsgan.nn.generators.translation import TranslationConfig, TranslationGenerator

Generator = ResidualGenerator | DespeckleGenerator | TranslationGenerator | SynthesisGenerator | ChipEncoder
"""Any generator, or the encoder that judges some; a model file holds one of them."""
GeneratorConfig = Annotated[
    ResidualGeneratorConfig | DespeckleGeneratorConfig | TranslationConfig | SynthesisConfig | EncoderConfig,
    Field(discriminator="kind"),
]
"""Any generator's config; pydantic tells them apart by `kind`."""

KINDS: Final[dict[str, type[Generator]]] = {
    "residual": ResidualGenerator,
    "despeckle": DespeckleGenerator,
    "translation": TranslationGenerator,
    "synthesis": SynthesisGenerator,
    "encoder": ChipEncoder,
}
"""Kind -> class."""

__all__ = [
    "KINDS",
    "ChipEncoder",
    "DespeckleGenerator",
    "DespeckleGeneratorConfig",
    "EncoderConfig",
    "Generator",
    "GeneratorConfig",
    "Guide",
    "ResidualGenerator",
    "ResidualGeneratorConfig",
    "SensorState",
    "SpeckleState",
    "SynthesisConfig",
    "SynthesisGenerator",
    "TranslationConfig",
    "TranslationGenerator",
    "build_generator",
]


def build_generator(config: GeneratorConfig) -> Generator:
    """An untrained generator, its weights drawn from torch's global random state."""
    return KINDS[config.kind](config)  # type: ignore[arg-type]
