"""How a diagnosis is made; wrong values are refused whatever the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rsgan.diagnose.calibration import Way
from rsgan.diagnose.landcover import PURITY
from rsgan.diagnose.refit import Refit
from rsgan.errors import ConfigError
from rsgan.model import Device

FOLDS = 4
"""Of blocks: one is judged, one to stop and to calibrate by, the others to learn from."""
NARROWEST = 4
"""Least width of a fresh discriminator's first layer."""


@dataclass(frozen=True)
class Settings:
    """How a diagnosis is made; all of it is written into the result.

    Attributes:
        landcover: raster of classes, "indices" for NDVI, NDWI and brightness, folder of a segmentation network, or
            None for no classes.
        legend: name or CSV file of the raster's classes; None finds it out.
        purity: share of a patch that its class has to have.
        refit: updates of a fresh discriminator per fold; 0 asks the one left over from training.
        noise: standard deviation of the instance noise of a fresh discriminator, network units.
        channels: its width.
        calibration: of log density ratios on held-out blocks.
        sharpness: of the enhancement, where the enhanced raster is not given.
        device: where to compute.
        seed: of folds, batches, noise and bootstrap.
    """

    landcover: str | Path | None = None
    legend: str | None = None
    purity: float = PURITY
    refit: int = 0
    noise: float = 0.0
    channels: int = 16
    calibration: Way = "platt"
    sharpness: float | None = None
    device: Device = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            ConfigError: naming the flag.
        """
        if not 0.5 < self.purity <= 1:
            raise ConfigError(f"--purity {self.purity:g}: expected above 0.5 (a majority) up to 1.")
        if self.refit < 0:
            raise ConfigError(f"--refit {self.refit}: expected updates, 0 for none; some hundreds are usual.")
        if self.channels < NARROWEST:
            raise ConfigError(f"--channels {self.channels}: give at least {NARROWEST}.")
        if self.noise and not self.refit:
            raise ConfigError("--noise is for a fresh discriminator. Give --refit too, or leave --noise out.")
        if self.legend is not None and self.landcover in (None, "indices"):
            raise ConfigError("--legend names the classes of a raster. Give that raster with --landcover.")

    @property
    def fresh(self) -> Refit:
        """How a fresh discriminator is learnt."""
        return Refit(updates=self.refit, folds=FOLDS, noise=self.noise, channels=self.channels, seed=self.seed)
