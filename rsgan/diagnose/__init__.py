"""The discriminator as an instrument: logits on the ground, and what they say per class of land cover."""

from rsgan.diagnose.diagnosis import Diagnosis, Settings, diagnose

__all__ = ["Diagnosis", "Settings", "diagnose"]
