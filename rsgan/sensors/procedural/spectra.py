"""What covers the ground, and how bright it is in each band.

The reflectances are assumed: round figures chosen to be typical of surface reflectance over mid-latitude land. They
were not measured on any scene, and nothing here is calibrated.
"""

from typing import Final

Spectrum = tuple[float, float, float, float]
"""Reflectance of B02, B03, B04, B08."""

LAND_COVER: Final[dict[int, str]] = {
    1: "water",
    2: "cropland",
    3: "bare soil",
    4: "grassland",
    5: "forest",
    6: "building",
    7: "road",
    8: "sand",
}
"""Classes of the land-cover raster; 0 is left for nodata."""

WATER, CROPLAND, BARE, GRASS, FOREST, BUILDING, ROAD, SAND = LAND_COVER

CLEAR_WATER: Final = (0.040, 0.035, 0.022, 0.009)
TURBID_WATER: Final = (0.058, 0.075, 0.062, 0.028)
SOILS: Final[tuple[Spectrum, ...]] = (
    (0.060, 0.082, 0.105, 0.155),
    (0.085, 0.118, 0.155, 0.225),
    (0.110, 0.150, 0.200, 0.280),
)
CROPS: Final[tuple[Spectrum, ...]] = (
    (0.028, 0.062, 0.034, 0.455),  # cereal, closed canopy
    (0.036, 0.068, 0.046, 0.380),  # maize, beet
    (0.050, 0.118, 0.098, 0.430),  # rape in flower
    (0.078, 0.122, 0.168, 0.300),  # ripe cereal
    (0.024, 0.056, 0.026, 0.520),  # clover, alfalfa
)
LUSH_GRASS: Final = (0.040, 0.078, 0.058, 0.330)
DRY_GRASS: Final = (0.072, 0.105, 0.125, 0.270)
DECIDUOUS: Final = (0.022, 0.046, 0.026, 0.360)
CONIFER: Final = (0.017, 0.031, 0.020, 0.210)
ASPHALT: Final = (0.105, 0.112, 0.118, 0.135)
GRAVEL: Final = (0.130, 0.155, 0.180, 0.225)
DRY_SAND: Final = (0.150, 0.190, 0.230, 0.290)
ROOFS: Final[tuple[Spectrum, ...]] = (
    (0.085, 0.105, 0.165, 0.225),  # red tile
    (0.120, 0.125, 0.130, 0.145),  # slate, felt
    (0.205, 0.200, 0.198, 0.225),  # concrete
    (0.340, 0.335, 0.330, 0.350),  # bright metal
)


def between(first: Spectrum, second: Spectrum, share: float) -> Spectrum:
    """The mixture with ``share`` (0 to 1) of the second spectrum."""
    blue, green, red, infrared = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return blue, green, red, infrared
