"""What can be set about an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from rsgan.catalogue import RGBN_SENSOR, sensor
from rsgan.errors import ConfigError

NARROWEST_SIGMA, WIDEST_SIGMA = 0.0, 0.65
"""Gaussian widths in observed pixels that the sensor model knows."""


@dataclass(frozen=True)
class Options:
    """Settings that change figures; all are written into the result.

    Attributes:
        data_range: Peak of PSNR and SSIM, reflectance.
        scale: Observed pixels are this many times larger than enhanced ones; None reads it from the rasters.
        psf_sigma: Width of the sensor's Gaussian in observed pixels; None takes that of the enhanced file's tags, else
            the catalogue's.
        sensor: Sensor of the catalogue by whose names bands are known; None takes Sentinel-2A, and leaves out indices
            where the names fit Landsat as well.
        reflectance_scale: Stored number that means reflectance 1 in every raster; None reads it from the files.
        nodata: Stored number that says "no data" in every raster; None reads it from the files.
        gsd_m: Metres per enhanced pixel, where the file does not say.
        samples: How many windows are looked at for the figures that need neighbourhoods.
        classes: Names of land-cover classes by their number.

    Raises:
        ConfigError: A value is out of its range, or there is no such sensor.
    """

    data_range: float = 1.0
    scale: int | None = None
    psf_sigma: float | None = None
    sensor: str | None = None
    reflectance_scale: float | None = None
    nodata: float | None = None
    gsd_m: float | None = None
    samples: int = 9
    classes: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.data_range) and self.data_range > 0):
            raise ConfigError(f"--data-range is {self.data_range:g}; expected above 0, 1 for reflectance.")
        if self.scale is not None and self.scale < 1:
            raise ConfigError(f"--scale is {self.scale}; expected a whole number of at least 1.")
        if self.psf_sigma is not None and not NARROWEST_SIGMA <= self.psf_sigma <= WIDEST_SIGMA:
            raise ConfigError(
                f"--psf-sigma is {self.psf_sigma:g}; expected {NARROWEST_SIGMA:g} to {WIDEST_SIGMA:g} observed pixels, "
                f"usually 0.3 to 0.5."
            )
        if self.samples < 1:
            raise ConfigError(f"--samples is {self.samples}; expected at least 1 window.")
        sensor(self.sensor_name)

    @property
    def sensor_name(self) -> str:
        """The sensor by whose names bands are known."""
        return self.sensor or RGBN_SENSOR
