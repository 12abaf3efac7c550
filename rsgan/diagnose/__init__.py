"""The discriminator as an instrument: logits on the ground, and what they say per class of land cover."""

from rsgan.diagnose.diagnosis import Diagnosis, diagnose
from rsgan.diagnose.images import ImagesDiagnosis, diagnose_images
from rsgan.diagnose.settings import Settings

__all__ = ["Diagnosis", "ImagesDiagnosis", "Settings", "diagnose", "diagnose_images"]
