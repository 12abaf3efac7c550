"""Synthetic chips: made by a model, marked as synthetic, with their labels."""

from rsgan.synthesis.job import Options as Options
from rsgan.synthesis.job import SynthesisJob as SynthesisJob
from rsgan.synthesis.job import prepare as prepare
from rsgan.synthesis.job import synthesize as synthesize
