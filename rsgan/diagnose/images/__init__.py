"""Free images: what a generator makes from random numbers, beside references of no ground in particular."""

from rsgan.diagnose.images.diagnosis import ImagesDiagnosis, diagnose_images
from rsgan.diagnose.images.judging import HeldOut, ImageJudge, judge_images

__all__ = ["HeldOut", "ImageJudge", "ImagesDiagnosis", "diagnose_images", "judge_images"]
