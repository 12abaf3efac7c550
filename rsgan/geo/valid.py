"""What is valid on coarser pixels."""

import numpy as np
import numpy.typing as npt


def valid_blocks(valid: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.bool_]:
    """(..., H, W) -> (..., H / side, W / side): True where every pixel of a block is.

    >>> valid_blocks(np.array([[True, True, True, False], [True, True, True, True]]), 2)
    array([[ True, False]])
    """
    *leading, height, width = valid.shape
    blocks = valid.reshape(*leading, height // side, side, width // side, side)
    return np.asarray(blocks.all(axis=(-3, -1)))
