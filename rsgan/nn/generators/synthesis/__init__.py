"""Generators that make images of random numbers, of a class or of a map of classes."""

from rsgan.nn.generators.synthesis.generator import SynthesisConfig, SynthesisGenerator
from rsgan.nn.generators.synthesis.style import StyleNetwork

__all__ = ["StyleNetwork", "SynthesisConfig", "SynthesisGenerator"]
