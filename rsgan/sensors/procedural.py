"""Land seen from above, drawn from a seed: fields, forest, water, roads and buildings with Sentinel-2-like spectra.

Everything is drawn in metres on a grid twice as fine as asked for and then averaged, so that edges have the soft pixels
of an area-sampling sensor. Only numpy and scipy; no files. A scene depends on the generator's state and the arguments.

Reflectances per class are assumed: round figures chosen to be typical of surface reflectance over mid-latitude land.
They were not measured on any scene, and nothing here is calibrated.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rsgan.errors import ConfigError

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

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

# Reflectance of B02, B03, B04, B08.
_CLEAR_WATER: Final = (0.040, 0.035, 0.022, 0.009)
_TURBID_WATER: Final = (0.058, 0.075, 0.062, 0.028)
_SOILS: Final = ((0.060, 0.082, 0.105, 0.155), (0.085, 0.118, 0.155, 0.225), (0.110, 0.150, 0.200, 0.280))
_CROPS: Final = (
    (0.028, 0.062, 0.034, 0.455),  # cereal, closed canopy
    (0.036, 0.068, 0.046, 0.380),  # maize, beet
    (0.050, 0.118, 0.098, 0.430),  # rape in flower
    (0.078, 0.122, 0.168, 0.300),  # ripe cereal
    (0.024, 0.056, 0.026, 0.520),  # clover, alfalfa
)
_GRASS: Final = (0.040, 0.078, 0.058, 0.330)
_DRY_GRASS: Final = (0.072, 0.105, 0.125, 0.270)
_DECIDUOUS: Final = (0.022, 0.046, 0.026, 0.360)
_CONIFER: Final = (0.017, 0.031, 0.020, 0.210)
_ASPHALT: Final = (0.105, 0.112, 0.118, 0.135)
_GRAVEL: Final = (0.130, 0.155, 0.180, 0.225)
_SAND: Final = (0.150, 0.190, 0.230, 0.290)
_ROOFS: Final = (
    (0.085, 0.105, 0.165, 0.225),  # red tile
    (0.120, 0.125, 0.130, 0.145),  # slate, felt
    (0.205, 0.200, 0.198, 0.225),  # concrete
    (0.340, 0.335, 0.330, 0.350),  # bright metal
)

_OVERSAMPLE: Final = 2
_SMALLEST_SIDE: Final = 8
_LONGEST_BRIDGE_M: Final = 120.0


@dataclass(frozen=True)
class _Canvas:
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

    def turned(self, angle: float, centre: tuple[float, float] = (0.0, 0.0)) -> tuple[Floats, Floats]:
        """Coordinates along and across a direction at ``angle`` radians from east, from ``centre``."""
        east, north = self.east_m - np.float32(centre[0]), self.north_m - np.float32(centre[1])
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return east * cos + north * sin, north * cos - east * sin

    def noise(self, wavelength_m: float) -> Floats:
        """Smooth noise of mean 0 and standard deviation 1 that varies over ``wavelength_m`` metres."""
        cell = wavelength_m / self.gsd_m / 2.0
        if cell < 3.0:
            white = self.rng.standard_normal(self.shape, dtype=np.float32)
            return _standardised(ndimage.gaussian_filter(white, cell / 2.0, mode="reflect"))
        return _spline_noise(self.rng, self.shape, cell)

    def fractal(self, wavelength_m: float, octaves: int, roughness: float = 0.5) -> Floats:
        """Sum of ``octaves`` noises, each half as long and ``roughness`` times as strong as the one before."""
        total = self.noise(wavelength_m)
        for octave in range(1, octaves):
            total += np.float32(roughness**octave) * self.noise(wavelength_m / 2**octave)
        return _standardised(total)

    def paint(self, where: Bools, spectrum: tuple[float, ...], class_id: int, texture: Floats | float = 1.0) -> None:
        """Cover ``where`` with one spectrum times a texture."""
        values = np.broadcast_to(np.asarray(texture, np.float32), self.shape)[where]
        for channel, level in enumerate(spectrum):
            self.reflectance[channel][where] = np.float32(level) * values
        self.land_cover[where] = class_id

    def shade(self, tall: Bools, height_m: float) -> None:
        """Cast the shadow of ``tall`` on the ground beside it."""
        length = height_m * self.shadow_per_metre / self.gsd_m
        cast = np.zeros(self.shape, bool)
        for step in np.arange(1.0, length + 1.0):
            cast |= _moved(tall, round(-self.sun[1] * step), round(self.sun[0] * step))
        cast &= ~tall
        for channel, share in enumerate((0.62, 0.55, 0.50, 0.48)):  # blue skylight fills shadows
            self.reflectance[channel][cast] *= np.float32(share)


def draw_scene(
    rng: np.random.Generator, shape: tuple[int, int], gsd_m: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Draw one piece of land.

    Kind of land, size and direction of the fields, season, sun and contrast all vary from scene to scene.

    Args:
        rng: Source of chance; the same state gives the same scene.
        shape: (height, width) in pixels, at least 8 each.
        gsd_m: Metres per pixel, 0.5 to 10.

    Returns:
        Reflectance (4, H, W) float32, B02 B03 B04 B08, 0 to 1; and the land cover (H, W) uint8, see ``LAND_COVER``.

    Raises:
        ConfigError: If the shape or the gsd is out of range.
    """
    _check(shape, gsd_m)
    canvas = _blank(rng, (shape[0] * _OVERSAMPLE, shape[1] * _OVERSAMPLE), gsd_m / _OVERSAMPLE)
    parcels = _draw_fields(canvas)
    _draw_tracks(canvas, parcels.track_m)
    _draw_woods(canvas, parcels)
    _draw_relief(canvas)
    depth_m = _draw_waters(canvas)
    for _ in range(1 + rng.poisson(canvas.extent_m / 2500.0)):
        _draw_road(canvas, depth_m)
    for _ in range(_settlements(canvas)):
        _draw_settlement(canvas)
    _draw_farms(canvas)
    return _finished(canvas)


def _check(shape: tuple[int, int], gsd_m: float) -> None:
    if min(shape) < _SMALLEST_SIDE:
        raise ConfigError(f"a scene of {shape[0]} x {shape[1]} pixels was asked for; ask for at least 8 x 8.")
    if not 0.5 <= gsd_m <= 10.0:
        raise ConfigError(f"gsd_m is {gsd_m:g}; land is drawn at 0.5 to 10 m. Draw finer, then degrade.")


def _blank(rng: np.random.Generator, shape: tuple[int, int], gsd_m: float) -> _Canvas:
    rows = (np.arange(shape[0], dtype=np.float32) - (shape[0] - 1) / 2) * np.float32(-gsd_m)
    columns = (np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2) * np.float32(gsd_m)
    north_m, east_m = np.meshgrid(rows, columns, indexing="ij")
    azimuth = rng.uniform(np.pi / 2 - 0.9, np.pi / 2 + 0.9)
    return _Canvas(
        rng=rng,
        gsd_m=gsd_m,
        east_m=east_m.astype(np.float32),
        north_m=north_m.astype(np.float32),
        sun=(float(np.cos(azimuth)), float(np.sin(azimuth))),
        shadow_per_metre=float(1.0 / np.tan(np.deg2rad(rng.uniform(32.0, 62.0)))),
        reflectance=np.zeros((4, *shape), np.float32),
        land_cover=np.zeros(shape, np.uint8),
    )


def _finished(canvas: _Canvas) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Fine grain of all ground, contrast of the day, then the area mean down to the grid asked for."""
    rng = canvas.rng
    grain = 1.0 + np.float32(rng.uniform(0.01, 0.035)) * canvas.noise(3.0 * canvas.gsd_m)
    grain = np.where(canvas.land_cover == WATER, np.float32(1.0), grain)
    gain = rng.uniform(0.85, 1.2) * rng.uniform(0.95, 1.05, size=4)
    haze = rng.uniform(0.0, 0.012) * np.array([1.0, 0.7, 0.5, 0.25])
    fine = canvas.reflectance * grain * gain[:, None, None].astype(np.float32) + haze[:, None, None].astype(np.float32)
    step = _OVERSAMPLE
    height, width = canvas.shape[0] // step, canvas.shape[1] // step
    mean = fine.reshape(4, height, step, width, step).mean(axis=(2, 4), dtype=np.float32)
    return np.clip(mean, 0.001, 1.0).astype(np.float32), np.ascontiguousarray(canvas.land_cover[::step, ::step])


# Fields ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parcels:
    """Fields as labels 0 .. count-1, and distances in metres to the nearest field edge and farm track."""

    labels: Labels
    angles: Floats
    edge_m: Floats
    track_m: Floats


def _draw_fields(canvas: _Canvas) -> _Parcels:
    """Cover everything with parcels and return them."""
    parcels = _parcels(canvas)
    rng, labels, count = canvas.rng, parcels.labels, parcels.angles.size
    crops = np.array(_CROPS, np.float32)[rng.choice(len(_CROPS), count, p=rng.dirichlet(np.full(len(_CROPS), 0.8)))]
    soil = np.array(_SOILS, np.float32)[rng.choice(3, p=(0.35, 0.45, 0.2))] * rng.uniform(0.85, 1.2)
    cover = rng.beta(0.7, rng.uniform(0.35, 1.2), count).astype(np.float32)
    meadow = rng.random(count) < rng.beta(1.2, 3.0)
    grasses = rng.random((count, 1)).astype(np.float32) ** 2
    crops[meadow] = (np.array(_GRASS) * (1 - grasses) + np.array(_DRY_GRASS) * grasses)[meadow]
    cover[meadow] = 0.85 + 0.15 * cover[meadow]
    crops *= rng.normal(1.0, 0.09, (count, 1)).astype(np.float32).clip(0.7, 1.3)
    soils = soil * rng.normal(1.0, 0.1, (count, 1)).clip(0.7, 1.35)
    share = _cover_share(canvas, parcels, cover, meadow)
    texture = _rows(canvas, parcels, meadow)
    for channel in range(4):
        bare, green = soils[:, channel].astype(np.float32)[labels], crops[:, channel][labels]
        canvas.reflectance[channel] = (bare + (green - bare) * share) * texture
    kind = np.where(meadow, GRASS, np.where(cover > 0.3, CROPLAND, BARE)).astype(np.uint8)
    canvas.land_cover[:] = kind[labels]
    _draw_margins(canvas, parcels)
    return parcels


def _cover_share(canvas: _Canvas, parcels: _Parcels, cover: Floats, meadow: Bools) -> Floats:
    """Share of the ground that plants cover: per field, uneven within it as soil and wetness are."""
    rng, labels = canvas.rng, parcels.labels
    unevenness = rng.gamma(1.6, 0.05, cover.size).astype(np.float32)
    unevenness[meadow] *= 1.6
    patches = canvas.fractal(rng.uniform(60.0, 220.0), 4, 0.65)
    return np.clip(cover[labels] + unevenness[labels] * patches, 0.0, 1.0).astype(np.float32)


def _rows(canvas: _Canvas, parcels: _Parcels, meadow: Bools) -> Floats:
    """Brightness of swaths and of the wheel tracks that a sprayer leaves, along each field's own direction."""
    rng, labels, count = canvas.rng, parcels.labels, parcels.angles.size
    angle = parcels.angles + (rng.random(count) < 0.3) * np.float32(np.pi / 2)
    across = canvas.north_m * np.cos(angle)[labels] - canvas.east_m * np.sin(angle)[labels]
    across += np.float32(rng.uniform(0.0, 4.0)) * canvas.noise(180.0)
    swath_m = rng.uniform(5.0, 16.0, count).astype(np.float32)
    strength = (rng.gamma(1.0, 0.025, count) * (rng.random(count) < 0.7)).clip(0.0, 0.11).astype(np.float32)
    planted = rng.random(count) < rng.uniform(0.0, 0.12)  # vines and orchards: strong narrow rows
    strength[planted], swath_m[planted] = 0.24, rng.uniform(4.0, 8.0)
    texture = 1.0 + strength[labels] * np.sin(2 * np.pi * across / swath_m[labels])
    track_every = rng.choice([18.0, 24.0, 36.0], count).astype(np.float32)
    depth = np.where(meadow, 0.0, rng.uniform(0.0, 0.16, count)).astype(np.float32)
    in_track = np.abs(np.mod(across, track_every[labels]) - 2.0) < 0.9
    return np.asarray(texture - depth[labels] * in_track, np.float32)


def _draw_margins(canvas: _Canvas, parcels: _Parcels) -> None:
    """Strips of rough grass between fields, here wide, there missing."""
    width = np.float32(canvas.uniform(0.6, 2.4)) * np.clip(1.0 + canvas.noise(260.0), 0.0, 2.5)
    texture = 1.0 + np.float32(0.12) * canvas.noise(9.0)
    spectrum = _between(_GRASS, _DRY_GRASS, canvas.uniform(0.0, 0.8))
    canvas.paint(parcels.edge_m < width, spectrum, GRASS, texture)


def _parcels(canvas: _Canvas) -> _Parcels:
    """Districts, each with its own direction and size of field, cut into parcels by lines."""
    rng, shape = canvas.rng, canvas.shape
    labels = np.zeros(canvas.east_m.size, np.int32)
    edge_m = np.full(labels.size, np.float32(1e6))
    track_m = edge_m.copy()
    angles: list[float] = []
    typical_m, main_angle = np.exp(rng.uniform(np.log(70.0), np.log(330.0))), rng.uniform(0.0, np.pi)
    district = _districts(canvas).ravel()
    bend = np.float32(rng.uniform(0.0, 22.0)) * canvas.noise(700.0)
    for number in range(int(district.max()) + 1):
        angle = main_angle + rng.choice([0.0, np.pi / 2]) + rng.normal(0.0, 0.35)
        along, across = canvas.turned(angle)
        cut = _Cutter(rng, along.ravel(), (across + bend).ravel(), typical_m * rng.uniform(0.6, 1.6), angle)
        cut.cut(np.flatnonzero(district == number), labels, edge_m, track_m, angles)
    grid = labels.reshape(shape)
    return _Parcels(grid, np.array(angles, np.float32), edge_m.reshape(shape), track_m.reshape(shape))


def _districts(canvas: _Canvas) -> Labels:
    """Number of the nearest of a few places, seen through a bent map so that no border is straight."""
    rng = canvas.rng
    area_km2 = canvas.shape[0] * canvas.shape[1] * canvas.gsd_m**2 / 1e6
    count = 1 + int(rng.poisson(max(0.6, area_km2 / 0.9)))
    east = canvas.east_m + 170.0 * canvas.fractal(900.0, 3)
    north = canvas.north_m + 170.0 * canvas.fractal(900.0, 3)
    nearest, labels = np.full(canvas.shape, np.float32(np.inf)), np.zeros(canvas.shape, np.int32)
    for number in range(count):
        place = canvas.place(0.55)
        far = np.hypot(east - np.float32(place[0]), north - np.float32(place[1]))
        labels[far < nearest] = number
        nearest = np.minimum(nearest, far)
    return labels


@dataclass(frozen=True)
class _Cutter:
    """Cuts a set of pixels into parcels by lines along or across one direction, until they are small enough."""

    rng: np.random.Generator
    along: Floats
    across: Floats
    typical_m: float
    angle: float

    def cut(
        self, inside: npt.NDArray[np.intp], labels: Labels, edge: Floats, track: Floats, angles: list[float]
    ) -> None:
        """Label the parcels of ``inside``, appending one direction per parcel and lowering the distances in place."""
        strips = self.rng.random() < 0.35
        waiting = [(inside, 0)]
        while waiting:
            pixels, depth = waiting.pop()
            if pixels.size == 0:
                continue
            lengths = (float(np.ptp(self.along[pixels])), float(np.ptp(self.across[pixels])))
            if self._small(lengths, strips):
                labels[pixels] = len(angles)
                angles.append(self.angle)
                continue
            signed = self._signed_distance(pixels, lengths, strips and depth > 1)
            edge[pixels] = np.minimum(edge[pixels], np.abs(signed))
            if depth < 2 or (depth == 2 and self.rng.random() < 0.4):
                track[pixels] = np.minimum(track[pixels], np.abs(signed))
            waiting += [(pixels[signed < 0], depth + 1), (pixels[signed >= 0], depth + 1)]

    def _small(self, lengths: tuple[float, float], strips: bool) -> bool:
        size = self.typical_m * float(np.exp(self.rng.normal(0.0, 0.4)))
        if strips:
            return lengths[1] < 0.45 * size
        return lengths[0] * lengths[1] < size * size or max(lengths) < 0.5 * size

    def _signed_distance(self, pixels: npt.NDArray[np.intp], lengths: tuple[float, float], strips: bool) -> Floats:
        """Metres from a line that cuts the longer side (strips: always lengthways), a little askew."""
        along, across = self.along[pixels], self.across[pixels]
        lengthways = strips or lengths[1] > lengths[0]
        position, other = (across, along) if lengthways else (along, across)
        low, high = float(position.min()), float(position.max())
        tilt = np.float32(self.rng.normal(0.0, 0.05))
        middle = np.float32(low + (high - low) * self.rng.uniform(0.3, 0.7))
        return np.asarray((position - middle) + tilt * (other - other.mean()), np.float32)


# Woods, relief, water ----------------------------------------------------------------------------------------------


def _draw_tracks(canvas: _Canvas, track_m: Floats) -> None:
    """Farm tracks between blocks of fields: gravel with a green strip beside."""
    half = np.float32(canvas.uniform(1.3, 2.4))
    canvas.paint(track_m < half + 1.5, _between(_GRASS, _DRY_GRASS, canvas.uniform(0, 1)), GRASS)
    texture = 1.0 + np.float32(0.08) * canvas.noise(12.0)
    canvas.paint(track_m < half, _between(_GRAVEL, _ASPHALT, canvas.uniform(0, 1)), ROAD, texture)


def _draw_woods(canvas: _Canvas, parcels: _Parcels) -> None:
    """Woods of every size, with ragged borders or with those of fields; hedges along field edges; single trees."""
    patch = canvas.fractal(canvas.uniform(350.0, 1200.0), 6, 0.55)
    count = parcels.angles.size
    of_parcel = np.asarray(ndimage.mean(patch, parcels.labels, np.arange(count)), np.float32)
    tidy = canvas.uniform(-1.5, 2.0) + canvas.fractal(900.0, 2) > 0
    patch = np.where(tidy, of_parcel[parcels.labels] + np.float32(0.12) * patch, patch)
    woods = patch > np.float32(canvas.rng.normal(1.15, 0.6))
    crowns = canvas.noise(canvas.uniform(7.0, 13.0))
    hedge_here = canvas.noise(300.0) > np.float32(canvas.uniform(-0.3, 1.8))
    hedges = (parcels.edge_m < canvas.uniform(2.0, 5.0)) & hedge_here & (crowns > -0.4)
    _draw_trees(canvas, woods | hedges, crowns)
    park = canvas.noise(450.0) > np.float32(canvas.uniform(0.6, 2.4))
    crowns = canvas.noise(canvas.uniform(8.0, 12.0))
    _draw_trees(canvas, (crowns > np.float32(1.9)) & park, crowns, tall_m=5.0)


def _draw_trees(canvas: _Canvas, where: Bools, crowns: Floats, tall_m: float = 11.0) -> None:
    """Tree crowns, lit on the sun's side, with their shadow on the ground behind."""
    canvas.shade(where, tall_m * canvas.uniform(0.7, 1.4))
    slope_north, slope_east = np.gradient(crowns)
    lit = canvas.sun[1] * slope_north - canvas.sun[0] * slope_east
    lit = -lit / (float(lit.std()) + 1e-6)
    kind = np.clip(0.5 + 0.9 * canvas.fractal(420.0, 3) + canvas.uniform(-0.7, 0.7), 0.0, 1.0).astype(np.float32)
    texture = np.clip(1.0 + 0.13 * crowns + 0.14 * lit, 0.35, 1.7).astype(np.float32)
    texture *= 1.0 + np.float32(0.06) * canvas.noise(60.0)
    for channel, (leaf, needle) in enumerate(zip(_DECIDUOUS, _CONIFER, strict=True)):
        level = np.float32(needle) + np.float32(leaf - needle) * kind[where]
        canvas.reflectance[channel][where] = level * texture[where]
    canvas.land_cover[where] = FOREST


def _draw_relief(canvas: _Canvas) -> None:
    """Slopes that face the sun are brighter."""
    relief = canvas.fractal(canvas.uniform(500.0, 1500.0), 4, 0.45)
    slope_north, slope_east = np.gradient(relief)
    facing = canvas.sun[1] * slope_north - canvas.sun[0] * slope_east
    strength = canvas.uniform(0.0, 0.06)
    brightness = 1.0 + strength * np.clip(facing / (facing.std() + 1e-6), -2.5, 2.5)
    for channel in range(4):
        canvas.reflectance[channel] *= brightness.astype(np.float32)


def _draw_water(canvas: _Canvas, depth_m: Floats) -> None:
    """Water where ``depth_m`` (metres from the shore, inwards) is positive, clearer away from the shore."""
    turbid = canvas.uniform(0.0, 0.9)
    swirl = np.clip(0.5 + 0.25 * canvas.fractal(300.0, 3), 0.0, 1.0)
    mix = np.clip(turbid * swirl + 0.5 * np.exp(-np.maximum(depth_m, 0.0) / 12.0), 0.0, 1.0).astype(np.float32)
    where = depth_m > 0
    for channel, (clear, muddy) in enumerate(zip(_CLEAR_WATER, _TURBID_WATER, strict=True)):
        canvas.reflectance[channel][where] = clear + (muddy - clear) * mix[where]
    canvas.land_cover[where] = WATER


def _draw_shore(canvas: _Canvas, depth_m: Floats) -> None:
    """Bank of sand, grass or trees outside the water."""
    spread = np.clip(1.0 + canvas.noise(150.0), 0.0, 3.0)
    texture = 1.0 + np.float32(0.12) * canvas.noise(14.0)
    grassy = (depth_m <= 0) & (depth_m > -np.float32(canvas.uniform(4.0, 20.0)) * spread)
    canvas.paint(grassy, _GRASS, GRASS, texture)
    sandy = (depth_m <= 0) & (depth_m > -np.float32(canvas.uniform(0.0, 7.0)) * (spread - 0.6))
    canvas.paint(sandy, _SAND, SAND, texture)
    crowns = canvas.noise(9.0)
    trees = (depth_m <= -2.0) & (depth_m > -18.0 * spread) & (crowns > 0.0) & (canvas.noise(200.0) > 0.2)
    _draw_trees(canvas, trees, crowns)


def _draw_waters(canvas: _Canvas) -> Floats:
    """A lake, a river, both as one water, or neither; returns metres inwards from the shore."""
    depths = [draw(canvas) for draw, share in ((_lake, 0.5), (_river, 0.55)) if canvas.rng.random() < share]
    if not depths:
        return np.zeros(canvas.shape, np.float32)
    depth_m = np.asarray(np.max(depths, axis=0), np.float32)
    _draw_shore(canvas, depth_m)
    _draw_water(canvas, depth_m)
    return depth_m


def _lake(canvas: _Canvas) -> Floats:
    """Metres inwards from the uneven shore of a lake or a pond."""
    radius = min(float(np.exp(canvas.uniform(np.log(25.0), np.log(420.0)))), 0.4 * canvas.extent_m)
    along, across = canvas.turned(canvas.uniform(0.0, np.pi), canvas.place())
    stretch = np.sqrt(np.float32(canvas.uniform(1.0, 2.4)))
    shore = np.float32(radius) * (1.0 + np.float32(0.22) * canvas.fractal(radius * 1.6, 4, 0.5))
    return np.asarray(shore - np.hypot(along / stretch, across * stretch), np.float32)


def _river(canvas: _Canvas) -> Floats:
    """Metres inwards from the banks of a river or a stream."""
    centre_m = _bent_line(canvas, canvas.uniform(250.0, 800.0), canvas.uniform(0.1, 0.32))
    half_m = float(np.exp(canvas.uniform(np.log(3.0), np.log(45.0))))
    return np.asarray(np.float32(half_m) * (1.0 + np.float32(0.2) * canvas.noise(220.0)) - centre_m, np.float32)


def _bent_line(canvas: _Canvas, wavelength_m: float, bend: float) -> Floats:
    """Distance in metres from a line through the scene, the zero of a bent plane, that bends over ``wavelength_m``."""
    _, across = canvas.turned(canvas.uniform(0.0, np.pi), canvas.place(0.35))
    height = across + np.float32(bend * wavelength_m) * canvas.fractal(wavelength_m, 2, 0.3)
    slope_north, slope_east = np.gradient(height, canvas.gsd_m)
    steep = np.maximum(np.hypot(slope_north, slope_east), 0.25)
    return np.asarray(np.abs(height) / steep, np.float32)


# Roads and buildings -----------------------------------------------------------------------------------------------


def _draw_road(canvas: _Canvas, depth_m: Floats) -> None:
    """A road with verges, and sometimes a row of trees; it bridges rivers but goes around lakes or is not built."""
    for _ in range(4):
        centre_m = _bent_line(canvas, canvas.uniform(900.0, 2500.0), canvas.uniform(0.0, 0.14))
        if not (depth_m[centre_m < 10.0] > _LONGEST_BRIDGE_M / 2).any():
            break
    else:
        return
    half = np.float32(canvas.uniform(2.4, 7.0))
    verge = 1.0 + np.float32(0.1) * canvas.noise(10.0)
    on_land = canvas.land_cover != WATER
    canvas.paint((centre_m < half + canvas.uniform(1.5, 5.0)) & on_land, _GRASS, GRASS, verge)
    if canvas.rng.random() < 0.4:
        crowns = canvas.noise(9.0)
        beside = (centre_m > half + 1.5) & (centre_m < half + 7.0) & (crowns > 0.5) & on_land
        _draw_trees(canvas, beside, crowns)
    canvas.paint(centre_m < half, _ASPHALT, ROAD, canvas.uniform(0.8, 1.25))
    if half > 5.0:
        canvas.paint(centre_m < 0.8, _GRASS, GRASS, 0.9)


def _settlements(canvas: _Canvas) -> int:
    area_km2 = canvas.shape[0] * canvas.shape[1] * canvas.gsd_m**2 / 1e6
    return int(canvas.rng.poisson(0.25 + 0.3 * area_km2))


def _draw_settlement(canvas: _Canvas) -> None:
    """A village or a suburb: streets that bend a little, gardens, houses along the streets, a few large sheds."""
    centre, angle = canvas.place(), canvas.uniform(0.0, np.pi)
    radius = float(np.exp(canvas.uniform(np.log(90.0), np.log(450.0))))
    along, across = canvas.turned(angle, centre)
    bend = np.float32(canvas.uniform(4.0, 26.0))
    along, across = along + bend * canvas.noise(350.0), across + bend * canvas.noise(350.0)
    built = np.hypot(along, across) / np.float32(radius) + 0.28 * canvas.fractal(radius, 3) < 1.0
    built &= canvas.land_cover != WATER
    gardens = 1.0 + np.float32(0.16) * canvas.noise(16.0) + np.float32(0.1) * canvas.noise(5.0)
    canvas.paint(built, _between(_GRASS, _GRAVEL, canvas.uniform(0.0, 0.5)), GRASS, gardens)
    crowns = canvas.noise(8.0)
    _draw_trees(canvas, built & (crowns > canvas.uniform(0.7, 1.6)), crowns)
    street_m, block = _streets(canvas, along, across)
    canvas.paint(built & (street_m < canvas.uniform(2.0, 3.6)), _ASPHALT, ROAD, canvas.uniform(0.85, 1.25))
    _draw_houses(canvas, built, street_m, angle, block)


def _streets(canvas: _Canvas, along: Floats, across: Floats) -> tuple[Floats, float]:
    """Distance to the nearest of two families of streets, and the shorter side of a block."""
    short, long = canvas.uniform(38.0, 75.0), canvas.uniform(80.0, 190.0)
    first = np.abs(np.mod(across, np.float32(short)) - np.float32(short / 2))
    shifted = along + np.float32(37.0) * np.sin(np.floor(across / np.float32(short)) * 2.4).astype(np.float32)
    second = np.abs(np.mod(shifted, np.float32(long)) - np.float32(long / 2))
    return np.minimum(first, second).astype(np.float32), short


def _draw_houses(canvas: _Canvas, built: Bools, street_m: Floats, angle: float, block: float) -> None:
    """Houses beside the streets, none on top of another."""
    rng = canvas.rng
    lots = np.flatnonzero(built & (street_m > 8.0) & (street_m < min(17.0, 0.45 * block)))
    if lots.size == 0:
        return
    wanted = int(built.sum() * canvas.gsd_m**2 / rng.uniform(350.0, 1100.0))
    palette = rng.dirichlet((2.0, 1.5, 0.8, 0.3))
    taken = np.zeros(canvas.shape, bool)
    for pixel in rng.choice(lots, min(2 * wanted, lots.size, 2500), replace=False):
        row, column = divmod(int(pixel), canvas.shape[1])
        big = rng.random() < 0.03
        size = rng.uniform(18.0, 45.0, 2) if big else rng.uniform((7.0, 9.0), (12.0, 20.0))
        turn = angle + rng.choice([0.0, np.pi / 2]) + rng.normal(0.0, 0.06)
        roof = _ROOFS[int(rng.choice(4, p=palette))]
        _draw_building(canvas, (row, column), (float(size[0]), float(size[1])), turn, roof, taken)


def _draw_farms(canvas: _Canvas) -> None:
    """Farmsteads: a few large roofs around a yard, out in the fields."""
    rng = canvas.rng
    area_km2 = canvas.shape[0] * canvas.shape[1] * canvas.gsd_m**2 / 1e6
    for _ in range(int(rng.poisson(0.3 + 0.8 * area_km2))):
        row, column = int(rng.integers(canvas.shape[0])), int(rng.integers(canvas.shape[1]))
        if canvas.land_cover[row, column] in (WATER, FOREST, ROAD, BUILDING):
            continue
        angle, taken = rng.uniform(0.0, np.pi), np.zeros(canvas.shape, bool)
        centre = (float(canvas.east_m[row, column]), float(canvas.north_m[row, column]))
        far = np.hypot(*canvas.turned(angle, centre)) + 7.0 * canvas.noise(45.0)
        crowns = canvas.noise(9.0)
        _draw_trees(canvas, (far > 30.0) & (far < 55.0) & (crowns > 0.6), crowns)
        canvas.paint(far < rng.uniform(18.0, 34.0), _GRAVEL, SAND, 1.0 + np.float32(0.08) * canvas.noise(12.0))
        for _ in range(int(rng.integers(2, 6))):
            off = np.round(rng.normal(0.0, 26.0, 2) / canvas.gsd_m).astype(int)
            size = (rng.uniform(9.0, 24.0), rng.uniform(18.0, 60.0))
            roof, turn = _ROOFS[int(rng.integers(4))], angle + rng.choice([0.0, np.pi / 2])
            _draw_building(canvas, (row + int(off[0]), column + int(off[1])), size, turn, roof, taken)


def _draw_building(
    canvas: _Canvas,
    spot: tuple[int, int],
    size_m: tuple[float, float],
    angle: float,
    roof: tuple[float, ...],
    taken: Bools,
) -> None:
    """One roof of two pitches, the one that faces the sun brighter, and its shadow; skipped where ``taken``."""
    reach = int(np.ceil((np.hypot(*size_m) / 2 + 14.0) / canvas.gsd_m))
    rows = slice(max(spot[0] - reach, 0), min(spot[0] + reach + 1, canvas.shape[0]))
    columns = slice(max(spot[1] - reach, 0), min(spot[1] + reach + 1, canvas.shape[1]))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    north = (spot[0] - np.arange(rows.start, rows.stop))[:, None] * canvas.gsd_m
    east = (np.arange(columns.start, columns.stop) - spot[1])[None, :] * canvas.gsd_m
    along, across = east * np.cos(angle) + north * np.sin(angle), north * np.cos(angle) - east * np.sin(angle)
    inside = (np.abs(across) < size_m[0] / 2) & (np.abs(along) < size_m[1] / 2)
    if not inside.any() or taken[rows, columns][inside].any():
        return
    taken[rows, columns] |= ndimage.binary_dilation(inside, iterations=max(1, round(2.0 / canvas.gsd_m)))
    part = _part(canvas, rows, columns)
    part.shade(inside, canvas.uniform(4.0, 9.0))
    facing = np.cos(angle) * canvas.sun[1] - np.sin(angle) * canvas.sun[0]
    pitch = 1.0 - 0.22 * facing * np.sign(across) if max(roof) < 0.3 else np.ones_like(across)
    part.paint(inside, roof, BUILDING, (pitch * canvas.uniform(0.8, 1.2)).astype(np.float32))


def _part(canvas: _Canvas, rows: slice, columns: slice) -> _Canvas:
    """The canvas seen through a window; painting it paints the whole."""
    return _Canvas(
        canvas.rng,
        canvas.gsd_m,
        canvas.east_m[rows, columns],
        canvas.north_m[rows, columns],
        canvas.sun,
        canvas.shadow_per_metre,
        canvas.reflectance[:, rows, columns],
        canvas.land_cover[rows, columns],
    )


# Numbers -----------------------------------------------------------------------------------------------------------


def _between(first: tuple[float, ...], second: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))


def _standardised(values: Floats) -> Floats:
    values = values - values.mean()
    return np.asarray(values / (values.std() + np.float32(1e-6)), np.float32)


def _moved(mask: Bools, down: int, right: int) -> Bools:
    """The mask moved by whole pixels; what enters is False."""
    height, width = mask.shape
    moved = np.zeros_like(mask)
    if abs(down) < height and abs(right) < width:
        target = (slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0)))
        source = (slice(max(-down, 0), height + min(-down, 0)), slice(max(-right, 0), width + min(-right, 0)))
        moved[target] = mask[source]
    return moved


def _spline_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Floats:
    """Random knots every ``cell`` pixels under a cubic B-spline; unlike a filtered image, as cheap at any ``cell``."""
    down, right = (_spline_weights(length, cell, rng.random()) for length in shape)
    knots = rng.standard_normal((down.shape[1], right.shape[1]), dtype=np.float32)
    # A cubic B-spline over unit knots has variance 151/315 per axis: no division by the sample's own deviation, which
    # would blow up where the wavelength is longer than the scene.
    return np.asarray(down @ knots @ right.T / np.float32(151.0 / 315.0), np.float32)


def _spline_weights(length: int, cell: float, phase: float) -> Floats:
    """Weights (length, knots) of the uniform cubic B-spline. Source: de Boor, A Practical Guide to Splines, ch. IX."""
    position = np.arange(length) / cell + phase
    knots = np.arange(int(position[-1]) + 4)
    away = np.abs(position[:, None] + 1.0 - knots[None, :])
    inner, outer = 2 / 3 - away**2 + away**3 / 2, np.clip(2.0 - away, 0.0, None) ** 3 / 6
    return np.where(away < 1.0, inner, outer).astype(np.float32)
