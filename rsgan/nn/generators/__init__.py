"""Generators, each beside its own frozen config; a config's `kind` decides which one it builds."""

from typing import Final

from rsgan.nn.generators.residual import Guide, ResidualGenerator, ResidualGeneratorConfig, SensorState

Generator = ResidualGenerator
"""Any generator: a union where there are several."""
GeneratorConfig = ResidualGeneratorConfig
"""Any generator's config: where there are several, a union that pydantic tells apart by `kind`."""

KINDS: Final[dict[str, type[Generator]]] = {"residual": ResidualGenerator}
"""Kind -> class."""

__all__ = [
    "KINDS",
    "Generator",
    "GeneratorConfig",
    "Guide",
    "ResidualGenerator",
    "ResidualGeneratorConfig",
    "SensorState",
    "build_generator",
]


def build_generator(config: GeneratorConfig) -> Generator:
    """An untrained generator, its weights drawn from torch's global random state."""
    return KINDS[config.kind](config)
