import numpy as np
import pytest


@pytest.fixture
def dn() -> np.ndarray:
    """(4, 20, 30) uint16 stored numbers, none of them 0."""
    return np.random.default_rng(7).integers(1, 9999, (4, 20, 30)).astype(np.uint16)
