import numpy as np
import pytest

from rsgan.metrics.memorisation import audit


@pytest.fixture
def drawn() -> list[np.ndarray]:
    """Made, training and held-out features of one kind."""
    return list(np.random.default_rng(1).standard_normal((3, 400, 8)))


def test_new_images_are_as_far_as_held_out_ones(drawn: list[np.ndarray]) -> None:
    found = audit(*drawn)
    assert found.too_near < 0.04
    assert found.authenticity == pytest.approx(0.5, abs=0.1)
    assert np.median(found.distances) == pytest.approx(np.median(found.held_out), rel=0.1)


def test_copies_are_found_and_come_first(drawn: list[np.ndarray]) -> None:
    made, training, held_out = drawn
    made[[5, 50]] = training[[7, 9]] + 1e-3
    found = audit(made, training, held_out)
    assert set(found.closest[:2]) == {5, 50}
    assert found.nearest[5] == 7
    copied = audit(training[:200] + 0.01, training, held_out)
    assert copied.too_near == 1
    assert copied.authenticity == 0
