"""Names of rasters: what GDAL can be told, and what lies elsewhere, where a server is asked again."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import rasterio

_REMOTE: Final = re.compile(r"^(/vsi(?:curl|s3|gs|az|adls|oss|swift|webhdfs)/|(?:https?|ftp|s3|gs|az|abfs)://)")
"""Names of rasters that are read over a network, part by part."""

_PATIENCE: Final = {
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
}
"""What GDAL does about servers that fail or stall: five more tries, each after about twice as long as the one before.
What the user says by environment variables of these names wins."""


def is_text(path: str) -> bool:
    """Whether a name can be told to GDAL; file systems hold any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_remote(path: str) -> bool:
    """Whether a raster is read over a network."""
    return _REMOTE.match(path) is not None


@contextmanager
def patient(path: str) -> Iterator[None]:
    """Open what is remote so that GDAL tries again where a server fails."""
    if not is_remote(path):
        yield
        return
    with rasterio.Env(**{name: value for name, value in _PATIENCE.items() if name not in os.environ}):
        yield
