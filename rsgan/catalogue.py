"""Sensors and bands as constants: wavelength, gsd, MTF, noise and default reflectance scale, each with its source.

Sources, named by the letters used in the tables below:

- [A] ESA, Sentinel-2 Spectral Response Functions, S2-SRF COPE-GSEG-EOPG-TN-15-0007 v3.0 (centre, width; measured).
- [B] Drusch et al. 2012, "Sentinel-2: ESA's Optical High-Resolution Mission for GMES Operational Services", RSE 120,
  and the Sentinel-2 MSI pages of SentiWiki: design centre and width, gsd, SNR at the reference radiance
  (specification; in-flight values are higher).
- [C] System MTF at Nyquist of Sentinel-2A, in flight, from ESA's L1C Data Quality Report, in the per-band form used by
  Lanaras et al. 2017 and by Ulfarsson et al. 2019, "Sentinel-2 Sharpening Using a Reduced-Rank Method", TGRS 57
  (measured). The specification is 0.15 to 0.30 for 10 m bands.
- [D] USGS, Landsat 8 and Landsat 9 Data Users Handbooks (LSDS-1574, LSDS-2082): centre, width, gsd, Collection 2 scale.
- [E] Irons, Dwyer and Barsi 2012, "The next Landsat satellite", RSE 122: OLI SNR at the typical radiance and the edge
  slope (both specification; Morfitt et al. 2015, Remote Sensing 7, measures two to three times that SNR).

Checked so far against a second publication of the same number: the centres of Sentinel-2 A and B, the widths of A, the
SNR of Sentinel-2 and its MTF. Still to be compared with the document named: the widths of Sentinel-2B, the reference
radiances, and everything of [D] and [E]. For B08 both 172 and 174 are in print as SNR; 174 is used.

The system MTF at Nyquist of OLI is *derived*. The edge slope is at least 0.027 per metre between the 40 % and 60 %
points, which lie 2 * 0.2533 sigma apart on a Gaussian edge; so sigma = 0.2 / (0.5067 * 0.027) = 14.62 m = 0.487 pixels,
and exp(-(pi * 0.487)^2 / 2) = 0.31. The panchromatic band has twice the slope at half the pixel: the same number.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rsgan.errors import BandError, ConfigError

Basis = Literal["measured", "specification", "derived", "assumed", "unpublished"]
"""How a number came about; ``unpublished`` goes with None."""

DETECTOR_MTF_NYQUIST: Final = 2.0 / math.pi
"""MTF of a square detector at Nyquist: sinc(1/2) = 2/pi = 0.637. Source: Fourier transform of a box one pixel wide."""

RGBN: Final = ("B02", "B03", "B04", "B08")
"""The four 10 m bands of Sentinel-2 in the order that RGBN models take them: blue, green, red, near infrared."""

POLARISATIONS: Final = ("VV", "VH", "HH", "HV")
"""What SAR bands are called: polarisation sent, then polarisation received; H is horizontal, V vertical."""

RGBN_SENSOR: Final = "sentinel-2a"
"""Whose names ``RGBN`` are, and whose names bands have where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Band:
    """One spectral band.

    Attributes:
        name: Name in the sensor's own numbering, for example ``B02``.
        common_name: Name in the STAC ``eo`` extension; empty where it has none.
        aliases: Other names under which files carry the band; compared without case.
        centre_um: Centre wavelength in micrometres.
        width_um: Width at half maximum in micrometres.
        gsd_m: Ground sampling distance in metres.
        mtf_nyquist: System MTF (detector included) at 1 / (2 gsd), 0..1; None when unpublished.
        snr: Signal-to-noise ratio (linear) at ``reference_radiance``; None when unpublished.
        reference_radiance: Top-of-atmosphere radiance in W / (m2 sr um); None when unpublished.
        mtf_basis: How ``mtf_nyquist`` came about.
        snr_basis: How ``snr`` came about.
    """

    name: str
    common_name: str
    aliases: tuple[str, ...]
    centre_um: float
    width_um: float
    gsd_m: float
    mtf_nyquist: float | None
    snr: float | None
    reference_radiance: float | None
    mtf_basis: Basis
    snr_basis: Basis

    @property
    def psf_sigma(self) -> float:
        """Sigma in pixels of this band of the Gaussian that, with the detector's box, has ``mtf_nyquist``.

        Raises:
            ConfigError: If no MTF is published for this band.
        """
        if self.mtf_nyquist is None:
            raise ConfigError(
                f"band {self.name} has no published MTF, but degrading needs one. Give a PSF sigma in pixels "
                f"(0.30 to 0.50 is usual), or choose a band that has an MTF."
            )
        return psf_sigma(self.mtf_nyquist)

    def answers_to(self, name: str) -> bool:
        """Whether ``name``, whatever its case, is this band's name, common name or an alias."""
        wanted = name.strip().casefold()
        return bool(wanted) and wanted in {known.casefold() for known in (self.name, self.common_name, *self.aliases)}


@dataclass(frozen=True, slots=True)
class Sensor:
    """One instrument on one platform.

    Reflectance = dn / ``reflectance_scale`` + ``reflectance_offset`` when a file carries no scale of its own.

    Attributes:
        name: Key in ``SENSORS``.
        title: Name for people.
        bands: The bands in the order of the instrument's numbering.
        reflectance_scale: Stored number per unit of reflectance.
        reflectance_offset: Reflectance added after the division.
        source: Where the numbers come from.
    """

    name: str
    title: str
    bands: tuple[Band, ...]
    reflectance_scale: float
    reflectance_offset: float
    source: str

    def find(self, name: str) -> Band | None:
        """The band that answers to ``name`` (name, common name or alias, any case), or None."""
        return next((band for band in self.bands if band.answers_to(name)), None)

    def common_names(self, names: Sequence[str]) -> tuple[str, ...]:
        """What bands of those names are called in common; empty where the sensor has no such band."""
        found = [self.find(name) for name in names]
        return tuple("" if band is None else band.common_name for band in found)

    def band(self, name: str) -> Band:
        """The band that answers to ``name``.

        Raises:
            BandError: If no band does.
        """
        found = self.find(name)
        if found is None:
            known = " ".join(band.name for band in self.bands)
            raise BandError(f"{self.title} has no band {name!r}; it has {known}. Choose one of these.")
        return found


def psf_sigma(mtf_nyquist: float) -> float:
    """Sigma, in input pixels, of the Gaussian that goes before the area mean of one pixel.

    A system MTF already contains the detector's box, whose MTF at Nyquist is 2/pi. The Gaussian carries the rest:
    exp(-(pi sigma)^2 / 2) = mtf_nyquist / (2/pi), so sigma = sqrt(-2 ln(mtf_nyquist / (2/pi))) / pi.

    >>> round(psf_sigma(0.25), 3), round(psf_sigma(0.30), 3)
    (0.435, 0.39)

    Args:
        mtf_nyquist: System MTF at 1 / (2 gsd), above 0 and below 2/pi.

    Raises:
        ConfigError: If ``mtf_nyquist`` is not in that range.

    Source: Fourier pairs of the Gaussian and of the box.
    """
    if not 0.0 < mtf_nyquist < DETECTOR_MTF_NYQUIST:
        raise ConfigError(
            f"mtf_nyquist is {mtf_nyquist:g}, expected above 0 and below 2/pi = {DETECTOR_MTF_NYQUIST:.3f}, the MTF of "
            f"the detector alone. Give the system MTF at Nyquist (0.15 to 0.40 is usual)."
        )
    return math.sqrt(-2.0 * math.log(mtf_nyquist / DETECTOR_MTF_NYQUIST)) / math.pi


# Sentinel-2 MSI. name, common name, aliases, gsd m [B], MTF at Nyquist [C] (B10: not published), SNR [B],
# reference radiance W/(m2 sr um) [B].
_S2_TABLE: Final[tuple[tuple[str, str, tuple[str, ...], float, float | None, float, float], ...]] = (
    ("B01", "coastal", ("B1", "coastal_aerosol", "aerosol"), 60, 0.32, 129, 129.0),
    ("B02", "blue", ("B2",), 10, 0.26, 154, 128.0),
    ("B03", "green", ("B3",), 10, 0.28, 168, 128.0),
    ("B04", "red", ("B4",), 10, 0.24, 142, 108.0),
    ("B05", "rededge071", ("B5", "rededge1", "rededge"), 20, 0.38, 117, 74.5),
    ("B06", "rededge075", ("B6", "rededge2"), 20, 0.34, 89, 68.0),
    ("B07", "rededge078", ("B7", "rededge3"), 20, 0.34, 105, 67.0),
    ("B08", "nir", ("B8", "near_infrared"), 10, 0.26, 174, 103.0),
    ("B8A", "nir08", ("B08A", "nir_narrow", "nir2"), 20, 0.33, 72, 52.5),
    ("B09", "nir09", ("B9", "water_vapour", "water_vapor"), 60, 0.26, 114, 9.0),
    ("B10", "cirrus", (), 60, None, 50, 6.0),
    ("B11", "swir16", ("swir1",), 20, 0.22, 100, 4.0),
    ("B12", "swir22", ("swir2",), 20, 0.23, 100, 1.5),
)

# Centre and width in nm, in the order of _S2_TABLE. A and B: measured [A]. C: the design values of [B].
_S2A_NM: Final = (
    *((442.7, 21), (492.4, 66), (559.8, 36), (664.6, 31), (704.1, 15), (740.5, 15), (782.8, 20)),
    *((832.8, 106), (864.7, 21), (945.1, 20), (1373.5, 31), (1613.7, 91), (2202.4, 175)),
)
_S2B_NM: Final = (
    *((442.2, 21), (492.1, 66), (559.0, 36), (664.9, 31), (703.8, 16), (739.1, 15), (779.7, 20)),
    *((832.9, 106), (864.0, 22), (943.2, 21), (1376.9, 30), (1610.4, 94), (2185.7, 185)),
)
_S2C_NM: Final = (
    *((443.0, 20), (490.0, 65), (560.0, 35), (665.0, 30), (705.0, 15), (740.0, 15), (783.0, 20)),
    *((842.0, 115), (865.0, 20), (945.0, 20), (1375.0, 30), (1610.0, 90), (2190.0, 180)),
)

# Landsat 8/9. name, common name, aliases, centre um, width um, gsd m [D]; SNR and typical radiance [E].
_OLI_TABLE: Final = (
    ("B1", "coastal", ("B01", "coastal_aerosol", "SR_B1"), 0.443, 0.016, 30, 130, 40.0),
    ("B2", "blue", ("B02", "SR_B2"), 0.482, 0.060, 30, 130, 40.0),
    ("B3", "green", ("B03", "SR_B3"), 0.561, 0.057, 30, 100, 30.0),
    ("B4", "red", ("B04", "SR_B4"), 0.655, 0.037, 30, 90, 22.0),
    ("B5", "nir08", ("B05", "SR_B5", "nir"), 0.865, 0.028, 30, 90, 14.0),
    ("B6", "swir16", ("B06", "SR_B6", "swir1"), 1.609, 0.085, 30, 100, 4.0),
    ("B7", "swir22", ("B07", "SR_B7", "swir2"), 2.201, 0.187, 30, 100, 1.7),
    ("B8", "pan", ("B08", "panchromatic"), 0.590, 0.172, 15, 80, 23.0),
    ("B9", "cirrus", ("B09",), 1.373, 0.020, 30, 50, 6.0),
)
_OLI_MTF_NYQUIST: Final = 0.31  # derived from the edge-slope specification, see the head of this file

# TIRS: centre, width, gsd [D]. MTF and reflective SNR do not apply to a reflectance sensor model: left out.
_TIRS_TABLE: Final = (
    ("B10", "lwir11", ("ST_B10", "tirs1"), 10.895, 0.59, 100),
    ("B11", "lwir12", ("tirs2",), 12.005, 1.01, 100),
)

# Frame cameras differ; these stand for a usual one and decide only where a file says nothing. All assumed.
_AERIAL_TABLE: Final = (
    ("R", "red", ("red_band",), 0.650, 0.10),
    ("G", "green", ("green_band",), 0.550, 0.10),
    ("B", "blue", ("blue_band",), 0.460, 0.10),
    ("N", "nir", ("near_infrared", "infrared", "I"), 0.840, 0.14),
)
_AERIAL_MTF_NYQUIST: Final = 0.30


def _sentinel2_bands(wavelengths_nm: tuple[tuple[float, float], ...], mtf_basis: Basis) -> Iterator[Band]:
    for (name, common_name, aliases, gsd_m, mtf, snr, radiance), (centre_nm, width_nm) in zip(
        _S2_TABLE, wavelengths_nm, strict=True
    ):
        basis: Basis = "unpublished" if mtf is None else mtf_basis
        centre_um, width_um = centre_nm / 1000.0, width_nm / 1000.0
        yield Band(
            name, common_name, aliases, centre_um, width_um, gsd_m, mtf, snr, radiance, basis, snr_basis="specification"
        )


def _sentinel2(letter: str, wavelengths_nm: tuple[tuple[float, float], ...], mtf_basis: Basis, note: str) -> Sensor:
    """One Sentinel-2; files since processing baseline 04.00 state their own offset of -1000 dn, which then rules."""
    return Sensor(
        name=f"sentinel-2{letter.lower()}",
        title=f"Sentinel-2{letter} MSI",
        bands=tuple(_sentinel2_bands(wavelengths_nm, mtf_basis)),
        reflectance_scale=10000.0,
        reflectance_offset=0.0,
        source=f"ESA SRF v3.0; Drusch et al. 2012; ESA L1C Data Quality Report; {note}",
    )


def _landsat(number: int) -> Sensor:
    """Landsat 8 or 9; the scale is that of Collection 2 Level 2 surface reflectance: 2.75e-5 * dn - 0.2 [D]."""
    oli = tuple(
        Band(name, common, aliases, centre, width, gsd, _OLI_MTF_NYQUIST, snr, radiance, "derived", "specification")
        for name, common, aliases, centre, width, gsd, snr, radiance in _OLI_TABLE
    )
    tirs = tuple(
        Band(name, common, aliases, centre, width, gsd, None, None, None, "unpublished", "unpublished")
        for name, common, aliases, centre, width, gsd in _TIRS_TABLE
    )
    return Sensor(
        name=f"landsat-{number}",
        title=f"Landsat {number} OLI/TIRS",
        bands=oli + tirs,
        reflectance_scale=1.0 / 2.75e-5,
        reflectance_offset=-0.2,
        source="USGS Data Users Handbooks LSDS-1574 and LSDS-2082; Irons et al. 2012; MTF derived from the edge slope",
    )


def _aerial() -> Sensor:
    return Sensor(
        name="aerial",
        title="aerial camera (generic)",
        bands=tuple(
            Band(name, common, aliases, centre, width, 1.0, _AERIAL_MTF_NYQUIST, None, None, "assumed", "unpublished")
            for name, common, aliases, centre, width in _AERIAL_TABLE
        ),
        reflectance_scale=255.0,
        reflectance_offset=0.0,
        source="assumed: a usual frame camera, 8 bits, gsd from the file; no reflectance calibration",
    )


SENSORS: Final[dict[str, Sensor]] = {
    found.name: found
    for found in (
        _sentinel2("A", _S2A_NM, "measured", "wavelengths measured"),
        _sentinel2("B", _S2B_NM, "assumed", "wavelengths measured, MTF that of Sentinel-2A"),
        _sentinel2("C", _S2C_NM, "assumed", "wavelengths of the design, MTF that of Sentinel-2A"),
        _landsat(8),
        _landsat(9),
        _aerial(),
    )
}
"""Every sensor by name: sentinel-2a, sentinel-2b, sentinel-2c, landsat-8, landsat-9, aerial."""


def sensor(name: str) -> Sensor:
    """The sensor called ``name`` (any case).

    Raises:
        ConfigError: If there is no such sensor.
    """
    found = SENSORS.get(name.strip().casefold())
    if found is None:
        raise ConfigError(f"no sensor is called {name!r}; known are {', '.join(SENSORS)}. Choose one of these.")
    return found
