"""Generators, each beside its own frozen config."""

from rsgan.nn.generators.residual import ResidualGenerator, ResidualGeneratorConfig

__all__ = ["ResidualGenerator", "ResidualGeneratorConfig"]
