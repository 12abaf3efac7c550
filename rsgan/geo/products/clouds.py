"""Layers that say where clouds are, and what their codes mean."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rsgan.errors import InputError

CloudKind = Literal["scl", "msk_classi", "qa_pixel", "fmask", "hls_fmask"]
"""Whose codes a layer of clouds holds."""

_SCL: Final = (0, 3, 8, 9, 10)
"""No data, cloud shadow, cloud of medium and of high probability, thin cirrus. Source: Sentinel-2 Level-2A Algorithm
Theoretical Basis Document, S2-PDGS-MPC-ATBD-L2A, table of the scene classification (0 to 11)."""

_QA_PIXEL: Final = 0b11111
"""Bits 0 fill, 1 dilated cloud, 2 cirrus, 3 cloud, 4 cloud shadow. Source: USGS, Landsat 8-9 Collection 2 Level 2
Science Product Guide, LSDS-1619, table of QA_PIXEL."""

_FMASK: Final = (2, 4, 255)
"""Cloud shadow, cloud, no observation; 0 is clear land, 1 clear water, 3 snow. Source: Qiu, Zhu and He 2019, "Fmask
4.0", Remote Sensing of Environment 231, and the README of GERSL/Fmask."""

_FMASK_CODES: Final = (0, 1, 2, 3, 4, 255)

_HLS_FMASK: Final = 0b1011
"""Bits 0 cirrus, 1 cloud, 3 cloud shadow; 2 is "adjacent to", 4 snow, 5 water, 6 and 7 aerosol. 255 is fill. Source:
NASA, Harmonized Landsat Sentinel-2 Product User Guide 2.0, table of the quality layer."""

_HLS_FILL: Final = 255


@dataclass(frozen=True)
class CloudLayer:
    """A layer that says where clouds are.

    Attributes:
        path: What rasterio opens.
        indexes: 1-based numbers of its bands: one, or for ``msk_classi`` those of opaque cloud and of cirrus.
        kind: Whose codes it holds.
    """

    path: str
    indexes: tuple[int, ...]
    kind: CloudKind


def cloudy(values: npt.NDArray[Any], kind: CloudKind) -> npt.NDArray[np.bool_]:
    """Where there is cloud, cirrus, cloud shadow, or no data.

    >>> cloudy(np.array([[[4, 9, 10, 3, 0, 11]]]), "scl").tolist()
    [[False, True, True, True, True, False]]

    Args:
        values: (B, H, W) integers, the bands that `CloudLayer.indexes` names.
        kind: Whose codes they are.

    Returns:
        (H, W) bool.

    Raises:
        InputError: If a layer called Fmask holds codes that Fmask does not have.

    Source: beside the codes of each kind; MSK_CLASSI has one band per class, 1 where it applies (Sentinel-2 Products
    Specification Document, S2-PDGS-TAS-DI-PSD, issue 14.9, since processing baseline 04.00).
    """
    flagged: npt.NDArray[np.bool_] = np.logical_or.reduce(_flagged(values, kind), axis=0)
    return flagged


def _flagged(values: npt.NDArray[Any], kind: CloudKind) -> npt.NDArray[np.bool_]:
    if kind == "scl":
        return np.isin(values, _SCL)
    if kind == "qa_pixel":
        return np.asarray(values & _QA_PIXEL != 0)
    if kind == "hls_fmask":
        return np.asarray((values & _HLS_FMASK != 0) | (values == _HLS_FILL))
    if kind == "fmask":
        _check_fmask(values)
        return np.isin(values, _FMASK)
    return np.asarray(values != 0)


def _check_fmask(values: npt.NDArray[Any]) -> None:
    strange = np.setdiff1d(values, _FMASK_CODES)
    if strange.size:
        raise InputError(
            f"the layer called Fmask holds {', '.join(str(code) for code in strange[:5])}; Fmask 4 has 0 clear land, "
            f"1 clear water, 2 cloud shadow, 3 snow, 4 cloud, 255 no observation. Recode the layer, or mask the clouds "
            f"as nodata yourself."
        )
