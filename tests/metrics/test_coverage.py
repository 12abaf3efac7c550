import numpy as np
import pytest

from rsgan.metrics.coverage import LEVELS, CoverageCounts, local_gradient


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    gradient = rng.uniform(0.001, 0.1, (200, 300))
    sigma = np.broadcast_to(gradient, (2, 200, 300))
    return rng.normal(size=sigma.shape) * sigma, sigma, gradient, np.ones(sigma.shape, bool)


def test_normal_errors_of_the_stated_size_are_covered_as_promised(drawn):
    found = CoverageCounts.of(*drawn).coverage()
    assert found.levels == LEVELS
    assert found.overall == pytest.approx(LEVELS, abs=0.006)
    for shares in found.terciles.values():
        assert shares == pytest.approx(LEVELS, abs=0.01)


def test_half_the_spread_covers_what_the_normal_distribution_says(drawn):
    error, sigma, gradient, valid = drawn
    found = CoverageCounts.of(error, sigma / 2, gradient, valid).coverage()
    at = {level: share for level, share in zip(found.levels, found.overall, strict=True)}
    assert at[0.95] == pytest.approx(0.6729, abs=0.006)  # 0.98 standard deviations


def test_a_constant_width_covers_too_much_where_it_is_smooth_and_too_little_at_edges(drawn):
    error, sigma, gradient, valid = drawn
    found = CoverageCounts.of(error, np.full_like(sigma, 0.05), gradient, valid).coverage()
    at = found.levels.index(0.68)
    smooth, middle, edges = (shares[at] for shares in found.terciles.values())
    assert smooth > 0.95 > middle > edges
    assert edges < 0.5


def test_windows_add_up_and_invalid_values_do_not_count(drawn):
    error, sigma, gradient, valid = drawn
    valid = valid.copy()
    valid[:, :, 250:] = False
    error = np.where(valid, error, np.inf)
    parts = [
        CoverageCounts.of(error[:, top : top + 50], sigma[:, top : top + 50], gradient[top : top + 50], valid[:, :50])
        for top in range(0, 200, 50)
    ]
    total = sum(parts, CoverageCounts.none()).coverage()
    whole = CoverageCounts.of(error, sigma, gradient, valid).coverage()
    assert total == whole
    assert whole.count == 2 * 200 * 250


def test_nothing_counted_is_not_a_number():
    assert np.isnan(CoverageCounts.none().coverage().overall).all()


def test_a_ramp_has_the_gradient_of_its_slope():
    ramp = np.broadcast_to(np.arange(5) * 0.03, (2, 4, 5)) + np.arange(4)[:, None] * 0.04
    assert local_gradient(ramp) == pytest.approx(np.full((4, 5), 0.05))
