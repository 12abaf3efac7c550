"""Fields as pieces of ground: districts, each cut into parcels along its own direction."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rsgan.sensors.procedural.land import Land
from rsgan.sensors.procedural.noise import Floats

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Parcels:
    """Fields as labels 0 .. count-1, and distances in metres to the nearest field edge and farm track."""

    labels: Labels
    angles_rad: Floats
    edge_m: Floats
    track_m: Floats


def cut_parcels(land: Land) -> Parcels:
    """Districts, each with its own direction and size of field, cut into parcels by lines."""
    rng, shape = land.rng, land.shape
    labels = np.zeros(land.east_m.size, np.int32)
    edge_m = np.full(labels.size, np.float32(1e6))
    track_m = edge_m.copy()
    angles_rad: list[float] = []
    typical_m, main_angle_rad = np.exp(rng.uniform(np.log(70.0), np.log(330.0))), rng.uniform(0.0, np.pi)
    district = _districts(land).ravel()
    bend = np.float32(rng.uniform(0.0, 22.0)) * land.noise(700.0)
    for number in range(int(district.max()) + 1):
        angle_rad = main_angle_rad + rng.choice([0.0, np.pi / 2]) + rng.normal(0.0, 0.35)
        along, across = land.turned(angle_rad)
        cut = _Cutter(rng, along.ravel(), (across + bend).ravel(), typical_m * rng.uniform(0.6, 1.6), angle_rad)
        cut.cut(np.flatnonzero(district == number), labels, edge_m, track_m, angles_rad)
    numbers = labels.reshape(shape)
    return Parcels(numbers, np.array(angles_rad, np.float32), edge_m.reshape(shape), track_m.reshape(shape))


def _districts(land: Land) -> Labels:
    """Number of the nearest of a few places, seen through a bent map so that no border is straight."""
    rng = land.rng
    count = 1 + int(rng.poisson(max(0.6, land.area_km2 / 0.9)))
    east = land.east_m + 170.0 * land.fractal(900.0, 3)
    north = land.north_m + 170.0 * land.fractal(900.0, 3)
    nearest, labels = np.full(land.shape, np.float32(np.inf)), np.zeros(land.shape, np.int32)
    for number in range(count):
        place = land.place(0.55)
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
    angle_rad: float

    def cut(
        self, inside: npt.NDArray[np.intp], labels: Labels, edge: Floats, track: Floats, angles_rad: list[float]
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
                labels[pixels] = len(angles_rad)
                angles_rad.append(self.angle_rad)
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
