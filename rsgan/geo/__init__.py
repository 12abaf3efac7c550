"""Rasters: where their pixels lie, how they are walked, read and written. rasterio lives here and only here."""

from rasterio.windows import Window

from rsgan.geo.ahead import ahead, behind
from rsgan.geo.bands import BandChoice, band_named, find_bands
from rsgan.geo.canvas import Canvas
from rsgan.geo.fill import FILL_REACH, fill
from rsgan.geo.grid import Bounds, ControlPoints, Grid
from rsgan.geo.quantities import open_quantity
from rsgan.geo.rows import KeptRows
from rsgan.geo.scene import Chip, Scene
from rsgan.geo.valid import valid_blocks
from rsgan.geo.windows import WindowPlan, places, plan, scale_window
from rsgan.geo.writer import RasterWriter, check_output

__all__ = [
    "FILL_REACH",
    "BandChoice",
    "Bounds",
    "Canvas",
    "Chip",
    "ControlPoints",
    "Grid",
    "KeptRows",
    "RasterWriter",
    "Scene",
    "Window",
    "WindowPlan",
    "ahead",
    "band_named",
    "behind",
    "check_output",
    "fill",
    "find_bands",
    "open_quantity",
    "places",
    "plan",
    "scale_window",
    "valid_blocks",
]
