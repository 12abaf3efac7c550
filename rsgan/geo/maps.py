"""Maps on one grid as an xarray Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsgan.geo.grid import Grid

if TYPE_CHECKING:
    from xarray import Dataset as Dataset


def as_dataset(maps: Mapping[str, NDArray[Any]], grid: Grid, attributes: Mapping[str, str]) -> Dataset:
    """Maps (rows, columns) with the coordinates of their cells' centres and their CRS, as rioxarray reads them.

    Args:
        maps: by name.
        grid: on which all of them lie.
        attributes: of the dataset.
    """
    import rioxarray  # noqa: F401 - makes `.rio` known
    import xarray as xr

    t, coordinates = grid.transform, {}
    if grid.has_transform and not (t.b or t.d):
        coordinates = {
            "y": t.f + t.e * (np.arange(grid.height) + 0.5),
            "x": t.c + t.a * (np.arange(grid.width) + 0.5),
        }
    found = xr.Dataset({name: (("y", "x"), values) for name, values in maps.items()}, coordinates, dict(attributes))
    return found if grid.crs is None else found.rio.write_crs(grid.crs)
