"""Maps of classes, cut into chips that a generator is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsgan.errors import ConfigError
from rsgan.geo.classes import check_classes
from rsgan.geo.files import open_raster


def read_map(path: str, side: int, classes: int) -> NDArray[np.int64]:
    """(N, side, side) classes from 0, -1 for none: the pieces of a map, row by row; what is left over is not used.

    Args:
        path: raster of one band of whole numbers: 0 for no class, 1 for the first one of the card, and so on.
        side: of a chip.
        classes: how many there are.

    Raises:
        InputError: it cannot be read, or is no map of classes.
        ConfigError: it is smaller than a chip, or holds other numbers.
    """
    check_classes(path)
    with open_raster(path) as dataset:
        numbers = dataset.read(1).astype(np.int64)
        numbers[dataset.read_masks(1) == 0] = 0
    rows, columns = (length // side for length in numbers.shape)
    if not rows or not columns:
        raise ConfigError(
            f"--map {path} has {numbers.shape[1]} x {numbers.shape[0]} pixels; a chip needs {side} x {side}."
        )
    if numbers.min() < 0 or numbers.max() > classes:
        raise ConfigError(
            f"--map {path} holds numbers {numbers.min()} to {numbers.max()}; expected 0 for none and 1 to {classes}, "
            "the classes in the order of the card (rsgan card MODEL)."
        )
    cut = numbers[: rows * side, : columns * side].reshape(rows, side, columns, side)
    pieces: NDArray[np.int64] = cut.swapaxes(1, 2).reshape(-1, side, side) - 1
    return pieces
