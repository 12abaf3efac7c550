import numpy as np
import pytest
from scipy import ndimage

from rsgan.metrics.artefacts import checkerboard
from rsgan.sensors.procedural import draw_scene


def test_ground_and_noise_have_no_checkerboard() -> None:
    land, _ = draw_scene(np.random.default_rng(1), (128, 128), 10.0)
    noise = np.random.default_rng(2).standard_normal((4, 128, 128))
    for values in (land, noise):
        for period in (2, 4, 8):
            assert checkerboard(values, period) < 0.05


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_pattern_is_measured_by_its_share_of_the_detail(period: int, share: float) -> None:
    """Detail of variance 1 - share^2 and a pattern of variance share^2 on top."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:256, :256]
    pattern = np.where((rows // (period // 2) + columns // (period // 2)) % 2, 1.0, -1.0)
    sharp = pattern - ndimage.uniform_filter(pattern, 5, mode="wrap")
    noise = rng.standard_normal((256, 256))
    detail = noise - ndimage.uniform_filter(noise, 5)
    values = share * pattern / sharp.std() + np.sqrt(1 - share**2) * noise / detail.std()
    assert checkerboard(values[None] + 7, period) == pytest.approx(share, abs=0.03)


def test_the_worst_band_counts_and_an_even_image_has_none() -> None:
    even = np.full((2, 32, 32), 3.0)
    assert checkerboard(even, 2) == 0
    even[1, ::2, ::2] += 1
    assert checkerboard(even, 2) == pytest.approx(1, abs=0.02)
