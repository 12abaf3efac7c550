"""Land seen from above, drawn from a seed: fields, forest, water, roads and buildings with Sentinel-2-like spectra.

Everything is drawn in metres on a grid twice as fine as asked for and then averaged, so that edges have the soft pixels
of an area-sampling sensor. Only numpy and scipy; no files. A scene depends on the generator's state and the arguments.
"""

from rsgan.sensors.procedural.scene import draw_scene
from rsgan.sensors.procedural.spectra import BARE, BUILDING, CROPLAND, FOREST, GRASS, LAND_COVER, ROAD, SAND, WATER

__all__ = ["BARE", "BUILDING", "CROPLAND", "FOREST", "GRASS", "LAND_COVER", "ROAD", "SAND", "WATER", "draw_scene"]
