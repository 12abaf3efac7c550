"""The land while it is drawn: metres, sun, chance, and the arrays that everything is painted into."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rsgan.sensors.procedural.noise import Floats, smooth_noise, standardised
from rsgan.sensors.procedural.spectra import Spectrum

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Land:
    """The scene while it is drawn; the arrays are painted in place.

    Attributes:
        rng: The only source of chance.
        gsd_m: Metres per drawn pixel.
        east_m: Distance from the centre to the right, (H, W).
        north_m: Distance from the centre upwards, (H, W).
        sun: Unit vector (east, north) that shadows follow.
        shadow_per_metre: Length of the shadow of something one metre tall.
        reflectance: (4, H, W), painted.
        land_cover: (H, W), painted.
    """

    rng: np.random.Generator
    gsd_m: float
    east_m: Floats
    north_m: Floats
    sun: tuple[float, float]
    shadow_per_metre: float
    reflectance: Floats = field(repr=False)
    land_cover: npt.NDArray[np.uint8] = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the drawn grid."""
        return self.east_m.shape[0], self.east_m.shape[1]

    @property
    def extent_m(self) -> float:
        """The longer side, in metres."""
        return max(self.shape) * self.gsd_m

    @property
    def area_km2(self) -> float:
        """Size of the scene."""
        return self.shape[0] * self.shape[1] * self.gsd_m**2 / 1e6

    def uniform(self, low: float, high: float) -> float:
        """One number between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def place(self, share: float = 0.45) -> tuple[float, float]:
        """A point (east, north) inside the middle ``2 * share`` of the scene."""
        height, width = self.shape
        return (
            self.uniform(-share, share) * width * self.gsd_m,
            self.uniform(-share, share) * height * self.gsd_m,
        )

    def turned(self, angle_rad: float, centre: tuple[float, float] = (0.0, 0.0)) -> tuple[Floats, Floats]:
        """Coordinates along and across a direction ``angle_rad`` from east, from ``centre``."""
        east, north = self.east_m - np.float32(centre[0]), self.north_m - np.float32(centre[1])
        cos, sin = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
        return east * cos + north * sin, north * cos - east * sin

    def noise(self, wavelength_m: float) -> Floats:
        """Smooth noise of mean 0 and standard deviation 1 that varies over ``wavelength_m`` metres."""
        return smooth_noise(self.rng, self.shape, wavelength_m / self.gsd_m / 2.0)

    def fractal(self, wavelength_m: float, octaves: int, roughness: float = 0.5) -> Floats:
        """Sum of ``octaves`` noises, each half as long and ``roughness`` times as strong as the one before."""
        total = self.noise(wavelength_m)
        for octave in range(1, octaves):
            total += np.float32(roughness**octave) * self.noise(wavelength_m / 2**octave)
        return standardised(total)

    def paint(self, where: Bools, spectrum: Spectrum, class_id: int, texture: Floats | float = 1.0) -> None:
        """Cover ``where`` with one spectrum times a texture."""
        values = np.broadcast_to(np.asarray(texture, np.float32), self.shape)[where]
        for channel, level in enumerate(spectrum):
            self.reflectance[channel][where] = np.float32(level) * values
        self.land_cover[where] = class_id

    def shade(self, tall: Bools, height_m: float) -> None:
        """Darken the ground beside ``tall`` (H, W) that the sun does not reach."""
        length = height_m * self.shadow_per_metre / self.gsd_m
        cast = np.zeros(self.shape, bool)
        for step in np.arange(1.0, length + 1.0):
            cast |= _moved(tall, round(-self.sun[1] * step), round(self.sun[0] * step))
        cast &= ~tall
        for channel, share in enumerate((0.62, 0.55, 0.50, 0.48)):  # blue skylight fills shadows
            self.reflectance[channel][cast] *= np.float32(share)

    def bent_line(self, wavelength_m: float, bend: float) -> Floats:
        """Metres (H, W) from a line across the scene, the zero of a plane that bends over ``wavelength_m``."""
        _, across = self.turned(self.uniform(0.0, np.pi), self.place(0.35))
        height = across + np.float32(bend * wavelength_m) * self.fractal(wavelength_m, 2, 0.3)
        slope_north, slope_east = np.gradient(height, self.gsd_m)
        steep = np.maximum(np.hypot(slope_north, slope_east), 0.25)
        return np.asarray(np.abs(height) / steep, np.float32)

    def part(self, rows: slice, columns: slice) -> "Land":
        """The land seen through a window; painting it paints the whole."""
        return Land(
            self.rng,
            self.gsd_m,
            self.east_m[rows, columns],
            self.north_m[rows, columns],
            self.sun,
            self.shadow_per_metre,
            self.reflectance[:, rows, columns],
            self.land_cover[rows, columns],
        )


def blank_land(rng: np.random.Generator, shape: tuple[int, int], gsd_m: float) -> Land:
    """Land of (height, width) pixels on which nothing is painted yet, under a sun of chance."""
    rows = (np.arange(shape[0], dtype=np.float32) - (shape[0] - 1) / 2) * np.float32(-gsd_m)
    columns = (np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2) * np.float32(gsd_m)
    north_m, east_m = np.meshgrid(rows, columns, indexing="ij")
    azimuth = rng.uniform(np.pi / 2 - 0.9, np.pi / 2 + 0.9)
    return Land(
        rng=rng,
        gsd_m=gsd_m,
        east_m=east_m.astype(np.float32),
        north_m=north_m.astype(np.float32),
        sun=(float(np.cos(azimuth)), float(np.sin(azimuth))),
        shadow_per_metre=float(1.0 / np.tan(np.deg2rad(rng.uniform(32.0, 62.0)))),
        reflectance=np.zeros((4, *shape), np.float32),
        land_cover=np.zeros(shape, np.uint8),
    )


def _moved(where: Bools, down: int, right: int) -> Bools:
    """``where`` moved by whole pixels; what enters is False."""
    height, width = where.shape
    moved = np.zeros_like(where)
    if abs(down) < height and abs(right) < width:
        target = (slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0)))
        source = (slice(max(-down, 0), height + min(-down, 0)), slice(max(-right, 0), width + min(-right, 0)))
        moved[target] = where[source]
    return moved
