import math

import pytest
import torch
from torch import Tensor

from rsgan.sensors.atmosphere import (
    REFERENCE_UM,
    Haze,
    HazeRanges,
    add_haze,
    draw_haze,
    fractal_field,
    remove_haze,
    transmission,
)

RGBN_UM = torch.tensor([0.4924, 0.5598, 0.6646, 0.8328])


def haze(thickness: float, angstrom: float = 1.3, airlight: float = 0.6) -> Haze:
    return Haze(*(torch.full((1, 1, 1, 1), value) for value in (thickness, angstrom, airlight)))


def test_transmission_follows_beer_and_angstrom() -> None:
    at = torch.tensor([REFERENCE_UM, 2 * REFERENCE_UM])
    found = transmission(haze(0.8, angstrom=1.5), at).flatten().tolist()
    assert found == pytest.approx([math.exp(-0.8), math.exp(-0.8 * 2**-1.5)])


def test_two_layers_let_through_what_each_lets_through_of_the_other() -> None:
    both = transmission(haze(0.5), RGBN_UM)
    torch.testing.assert_close(both, transmission(haze(0.2), RGBN_UM) * transmission(haze(0.3), RGBN_UM))


def test_no_haze_changes_nothing_and_endless_haze_hides_all(rng: torch.Generator) -> None:
    surface = torch.rand(1, 4, 3, 3, generator=rng)
    torch.testing.assert_close(add_haze(surface, haze(0.0), RGBN_UM), surface)
    torch.testing.assert_close(add_haze(surface, haze(90.0), RGBN_UM), torch.full_like(surface, 0.6))


def test_what_is_laid_on_is_taken_off(rng: torch.Generator) -> None:
    surface = torch.rand(2, 4, 8, 8, generator=rng, dtype=torch.float64)
    over = Haze(*(torch.rand(2, size, 8, 8, generator=rng, dtype=torch.float64) for size in (1, 1, 4)))
    wavelengths = RGBN_UM.double()
    torch.testing.assert_close(remove_haze(add_haze(surface, over, wavelengths), over, wavelengths), surface)


def test_haze_brightens_dark_ground_and_blue_most(rng: torch.Generator) -> None:
    change = (add_haze(torch.full((1, 4, 1, 1), 0.03), haze(0.3), RGBN_UM) - 0.03).flatten()
    assert (change > 0).all()
    assert (change.diff() < 0).all()


def test_drawn_haze_stays_in_its_ranges_and_follows_its_generator() -> None:
    ranges = HazeRanges(thickness=(0.1, 0.4), contrast=(0.5, 0.5), white=0.5, airlight=(0.4, 0.6), tint=0.0)
    drawn = [draw_haze(4, 32, ranges, torch.Generator().manual_seed(seed)) for seed in range(60)]
    assert all(0.4 <= float(one.airlight.min()) <= float(one.airlight.max()) <= 0.6 for one in drawn)
    assert 0.2 < sum(float(one.angstrom) == 0 for one in drawn) / 60 < 0.8
    means = torch.tensor([float(one.thickness.mean()) for one in drawn])
    assert 0.07 < float(means.min())
    assert float(means.max()) < 0.6
    spread = torch.tensor([float(one.thickness.log().std()) for one in drawn])
    torch.testing.assert_close(spread, torch.full((60,), 0.5), atol=1e-3, rtol=0)
    again = draw_haze(4, 32, ranges, torch.Generator().manual_seed(7))
    torch.testing.assert_close(again.thickness, drawn[7].thickness, rtol=0, atol=0)


def _slope(field: Tensor) -> float:
    """Exponent of the power spectrum, by a straight line through its logarithm; a window against leaking borders."""
    side = len(field)
    hann = torch.hann_window(side, periodic=False)
    power = torch.fft.rfft2(field * hann[:, None] * hann[None]).abs().square()
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None])
    usual = (frequency > 0.03) & (frequency < 0.3)
    logs = frequency[usual].log()
    design = torch.stack([logs, torch.ones_like(logs)], 1)
    return -float(torch.linalg.lstsq(design, power[usual].log()[:, None]).solution[0])


@pytest.mark.parametrize("slope", [2.0, 3.0, 4.0])
def test_a_fractal_field_has_the_slope_that_was_asked_for(slope: float) -> None:
    fields = [fractal_field(128, slope, torch.Generator().manual_seed(seed)) for seed in range(8)]
    assert sum(map(_slope, fields)) / 8 == pytest.approx(slope, abs=0.25)
    assert all(float(one.mean()) == pytest.approx(0, abs=1e-5) for one in fields)
