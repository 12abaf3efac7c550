import numpy as np
import pytest
from scipy.stats import norm, t

from rsgan.metrics.coverage import LEVELS, CoverageCounts, half_widths

AT_68, AT_95 = LEVELS.index(0.68), LEVELS.index(0.95)


def test_without_a_stated_ratio_they_are_those_of_the_normal_distribution() -> None:
    np.testing.assert_allclose(half_widths(), norm.ppf(0.5 + np.array(LEVELS) / 2))


@pytest.mark.parametrize("ratio", [2.05, 2.6, 4.0])
def test_one_standard_error_holds_68_percent_and_the_stated_number_95(ratio: float) -> None:
    widths = half_widths(ratio)
    assert widths[AT_68] == pytest.approx(1)
    assert widths[AT_95] == pytest.approx(ratio, rel=1e-6)
    assert (np.diff(widths) > 0).all()


def test_ratios_that_no_distribution_has_take_the_nearest() -> None:
    assert half_widths(1.2)[AT_95] == pytest.approx(norm.ppf(0.975) / norm.ppf(0.84), rel=1e-3)
    assert half_widths(1e4)[AT_95] < 1e4


def test_errors_of_a_student_distribution_are_covered_as_promised_at_every_level() -> None:
    error = t.rvs(3, size=(1, 300, 300), random_state=np.random.default_rng(4))
    unit = t.ppf(0.84, 3)
    ratio = float(t.ppf(0.975, 3) / unit)
    gradient, valid = np.full((300, 300), 0.1), np.ones((1, 300, 300), bool)
    counts = CoverageCounts.of(error, np.full(error.shape, unit), gradient, valid, half_widths(ratio))
    np.testing.assert_allclose(counts.coverage().overall, LEVELS, atol=0.01)
    normal = CoverageCounts.of(error, np.full(error.shape, unit), gradient, valid).coverage().overall
    assert normal[AT_95] < 0.93
