"""Where the pixels of a raster lie: one immutable grid, changed only by functions that return a new one."""

import math
from dataclasses import dataclass
from typing import Final

from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from rsgan.errors import GridError

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in map units."""

_WGS84_SEMI_MAJOR_M: Final = 6378137.0
_WGS84_FLATTENING: Final = 1.0 / 298.257223563
_LONLAT: Final = CRS.from_epsg(4326)
_SNAP_PX: Final = 1e-6
"""A bound this near to a pixel edge lies on it: coordinates carry rounding errors, and half a gsd is never meant."""


@dataclass(frozen=True)
class ControlPoints:
    """Ground control points: where some pixels of a raster lie that has no transform.

    Attributes:
        points: (row, column) of each, and its place.
        crs: Coordinate system of the places; None when unknown.
    """

    points: tuple[GroundControlPoint, ...]
    crs: CRS | None


@dataclass(frozen=True)
class Grid:
    """Coordinate system, affine transform and size of a raster.

    Attributes:
        crs: Coordinate system, or None when the raster has none.
        transform: Maps (column, row) of pixel corners to map coordinates; identity when the raster has none.
        shape: (height, width) in pixels.
    """

    crs: CRS | None
    transform: Affine
    shape: tuple[int, int]

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.shape[1]

    @property
    def window(self) -> Window:
        """The window that holds every pixel."""
        return Window(0, 0, self.width, self.height)

    @property
    def has_transform(self) -> bool:
        """Whether the raster says where its pixels lie (an identity transform says nothing)."""
        return self.transform != Affine.identity()

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Map coordinates of the outer corners: upper left, upper right, lower right, lower left."""
        places = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return tuple(_apply(self.transform, column, row) for column, row in places)

    @property
    def bounds(self) -> Bounds:
        """Smallest map rectangle around the four corners, whichever way the rows run."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def lonlat_bounds(self) -> Bounds | None:
        """Bounds in degrees of WGS 84 longitude and latitude; None when the raster does not say where it lies.

        Source: the edges are sampled at 21 points each, rasterio's default; a rectangle in one crs is none in another.
        """
        if self.crs is None or not self.has_transform:
            return None
        try:
            left, bottom, right, top = transform_bounds(self.crs, _LONLAT, *self.bounds)
        except (RasterioError, CPLE_BaseError):
            return None
        return left, bottom, right, top

    @property
    def gsd(self) -> tuple[float, float]:
        """Map units from one pixel to the next along a row and along a column, rotated or not."""
        t = self.transform
        return math.hypot(t.a, t.d), math.hypot(t.b, t.e)

    def gsd_m(self, override: float | None = None) -> tuple[float, float] | None:
        """Ground sampling distance in metres along a row and along a column.

        Args:
            override: Metres that the user gives; they win over the file.

        Returns:
            (x, y) in metres, or None when the raster does not say (no crs, no transform, a crs without a known unit).

        Raises:
            GridError: If `override` is not above 0, or a grid in degrees is centred off the Earth.

        Source: metres per radian of the WGS 84 ellipsoid, NIMA TR8350.2 (2000), table 3.1; radii of curvature of the
        meridian and the prime vertical, Snyder 1987, "Map Projections: A Working Manual", USGS PP 1395, 4-18, 4-20.
        """
        if override is not None:
            return _checked_override(override)
        if self.crs is None or not self.has_transform:
            return None
        metres = self._metres_per_unit()
        if metres is None:
            return None
        t, (east, north) = self.transform, metres
        return math.hypot(t.a * east, t.d * north), math.hypot(t.b * east, t.e * north)

    def _metres_per_unit(self) -> tuple[float, float] | None:
        """Metres per map unit to the east and to the north, at the centre of the grid."""
        if self.crs is None:
            return None
        try:
            if self.crs.is_geographic:
                return self._metres_per_angle(float(self.crs.units_factor[1]))
            factor = float(self.crs.linear_units_factor[1])
        except CRSError:
            return None
        return factor, factor

    def _metres_per_angle(self, radians_per_unit: float) -> tuple[float, float]:
        latitude = _apply(self.transform, self.width / 2, self.height / 2)[1] * radians_per_unit
        if abs(latitude) >= math.pi / 2:
            raise GridError(
                f"the grid is in degrees, but its centre lies at latitude {math.degrees(latitude):g}, beyond the "
                f"poles. Correct its transform, or give the ground sampling distance with --gsd."
            )
        eccentricity_squared = _WGS84_FLATTENING * (2.0 - _WGS84_FLATTENING)
        bulge = 1.0 - eccentricity_squared * math.sin(latitude) ** 2
        meridian_radius_m = _WGS84_SEMI_MAJOR_M * (1.0 - eccentricity_squared) / bulge**1.5
        parallel_radius_m = _WGS84_SEMI_MAJOR_M / math.sqrt(bulge) * math.cos(latitude)
        return parallel_radius_m * radians_per_unit, meridian_radius_m * radians_per_unit

    def crop(self, window: Window) -> "Grid":
        """The grid of the pixels in `window`; of a raster that says no place, a part says none either.

        Raises:
            GridError: If the window is empty or reaches outside the grid.
        """
        column, row, width, height = _whole(window)
        if not (0 <= column and 0 <= row and width > 0 and height > 0):
            raise GridError(f"window {_words(window)} is empty or starts outside the raster. Choose one inside it.")
        if column + width > self.width or row + height > self.height:
            raise GridError(
                f"window {_words(window)} reaches outside the raster of {self.height} rows and {self.width} columns. "
                f"Choose one inside it."
            )
        t, (x, y) = self.transform, _apply(self.transform, column, row)
        return self._of(Affine(t.a, t.b, x, t.d, t.e, y), (height, width))

    def refine(self, scale: int) -> "Grid":
        """The grid with the same corners and `scale` times as many pixels each way; its gsd is exactly gsd / scale.

        That of a raster that says no place says none either.

        Raises:
            GridError: If `scale` is below 1.
        """
        if scale < 1:
            raise GridError(f"scale is {scale}; expected a whole number of at least 1.")
        t = self.transform
        finer = Affine(t.a / scale, t.b / scale, t.c, t.d / scale, t.e / scale, t.f)
        return self._of(finer, (self.height * scale, self.width * scale))

    def coarsen(self, factor: int) -> "Grid":
        """The grid of whole squares of `factor` x `factor` pixels; what does not fill one is cut off.

        Raises:
            GridError: If `factor` is below 1, or the raster is smaller than one square.
        """
        if factor < 1 or min(self.shape) < factor:
            raise GridError(
                f"{self.height} x {self.width} pixels hold no square of {factor} x {factor}; expected a factor of at "
                f"least 1 and a raster of that size."
            )
        t = self.transform
        coarser = Affine(t.a * factor, t.b * factor, t.c, t.d * factor, t.e * factor, t.f)
        return self._of(coarser, (self.height // factor, self.width // factor))

    def _of(self, transform: Affine, shape: tuple[int, int]) -> "Grid":
        """A grid with that transform, unless this one has none: scaled or moved, an identity would claim a place."""
        return Grid(self.crs, transform if self.has_transform else self.transform, shape)

    def window_of_bounds(self, bounds: Bounds) -> Window:
        """Smallest window of whole pixels around `bounds`, cut to the raster.

        Args:
            bounds: (left, bottom, right, top) in the coordinates of this grid.

        Raises:
            GridError: If the bounds are empty, or lie outside the raster.
        """
        left, bottom, right, top = bounds
        if not (left < right and bottom < top and all(map(math.isfinite, bounds))):
            raise GridError(f"bounds {bounds} are empty; expected left < right and bottom < top, finite.")
        to_pixel = ~self.transform
        places = [_apply(to_pixel, x, y) for x in (left, right) for y in (bottom, top)]
        column = _cut(min(p[0] for p in places), max(p[0] for p in places), self.width)
        row = _cut(min(p[1] for p in places), max(p[1] for p in places), self.height)
        if column is None or row is None:
            raise GridError(
                f"bounds {bounds} lie outside the raster, whose bounds are {self.bounds}"
                f"{'' if self.crs is None else f' in {self.crs.to_string()}'}. Give bounds in these coordinates."
            )
        return Window(column[0], row[0], column[1] - column[0], row[1] - row[0])

    def nest(self, finer: "Grid", tolerance_px: float = 0.1) -> Window:
        """Where this grid lies on a finer one whose pixels divide its own: the window that covers the same ground.

        Args:
            finer: Grid with a whole number of pixels per pixel of this one, each way.
            tolerance_px: Largest distance of a corner from a pixel corner of the finer grid, in its pixels.

        Returns:
            The window; its height over this grid's height is the scale.

        Raises:
            GridError: If the coordinate systems differ, the pixels do not nest, or the finer grid does not cover this.
        """
        if self.crs != finer.crs:
            raise GridError(
                f"the coordinate systems differ: {_crs_words(self)} against {_crs_words(finer)} of the finer pixels. "
                f"Reproject one onto the other first."
            )
        return self._nest_by_corners(finer, tolerance_px) if self.has_transform else self._nest_by_shape(finer)

    def _nest_by_shape(self, finer: "Grid") -> Window:
        """Without transforms, both rasters are taken to show the same ground."""
        scale = finer.height // self.height
        if scale < 1 or finer.shape != (scale * self.height, scale * self.width):
            raise GridError(
                f"the pixels do not nest: {finer.height} x {finer.width} fine ones are no whole multiple of "
                f"{self.height} x {self.width} coarse ones. Without georeferencing, both must show the same ground."
            )
        return finer.window

    def _nest_by_corners(self, finer: "Grid", tolerance_px: float) -> Window:
        to_pixel = ~finer.transform
        found = tuple(_apply(to_pixel, x, y) for x, y in self.corners)
        (left, top), (right, _), (_, bottom), _ = found
        scale = round((right - left) / self.width)
        column, row = round(left), round(top)
        expected = Grid(None, Affine(scale, 0, column, 0, scale, row), self.shape).corners
        if scale < 1 or max(map(math.dist, found, expected)) > tolerance_px:
            raise GridError(
                f"the pixels do not nest: a coarse pixel is {(right - left) / self.width:.4g} x "
                f"{(bottom - top) / self.height:.4g} fine ones and the first lies at column {left:.3f}, row {top:.3f} "
                f"of them; expected whole numbers, and rows that run the same way. Resample one raster onto a grid "
                f"that divides the other's."
            )
        window = Window(column, row, scale * self.width, scale * self.height)
        try:
            finer.crop(window)
        except GridError:
            raise GridError(
                f"the finer raster does not cover the coarser: needed are rows {row} to {row + window.height} and "
                f"columns {column} to {column + window.width} of its {finer.height} x {finer.width} pixels. Crop the "
                f"coarser raster to where both are."
            ) from None
        return window

    def matches(self, other: "Grid", tolerance_px: float = 0.01) -> bool:
        """Whether both grids have one crs and one shape, and no corner lies further apart than `tolerance_px`."""
        if self.crs != other.crs or self.shape != other.shape:
            return False
        reach = tolerance_px * min(self.gsd)
        pairs = zip(self.corners, other.corners, strict=True)
        return all(math.dist(mine, theirs) <= reach for mine, theirs in pairs)


def _crs_words(grid: Grid) -> str:
    return "none" if grid.crs is None else grid.crs.to_string()


def _apply(transform: Affine, column: float, row: float) -> tuple[float, float]:
    """Map coordinates of a pixel corner; in full because affine 2 and 3 disagree on the operator for it."""
    t = transform
    return float(t.a * column + t.b * row + t.c), float(t.d * column + t.e * row + t.f)


def _checked_override(gsd_m: float) -> tuple[float, float]:
    if not (math.isfinite(gsd_m) and gsd_m > 0.0):
        raise GridError(f"--gsd is {gsd_m:g}; expected metres per pixel, above 0.")
    return gsd_m, gsd_m


def _whole(window: Window) -> tuple[int, int, int, int]:
    parts = (window.col_off, window.row_off, window.width, window.height)
    if any(part != int(part) for part in parts):
        raise GridError(f"window {_words(window)} cuts pixels; expected whole numbers.")
    return int(parts[0]), int(parts[1]), int(parts[2]), int(parts[3])


def _words(window: Window) -> str:
    return (
        f"of {window.height:g} rows and {window.width:g} columns at row {window.row_off:g}, column {window.col_off:g}"
    )


def _cut(first: float, last: float, size: int) -> tuple[int, int] | None:
    """Whole pixels [start, stop) that cover first..last inside 0..size; None when nothing is left."""
    start = max(0, math.floor(first + _SNAP_PX))
    stop = min(size, max(math.ceil(last - _SNAP_PX), start + 1))
    return (start, stop) if start < stop and last > _SNAP_PX else None
