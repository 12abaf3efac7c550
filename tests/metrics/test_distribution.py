import numpy as np
import pytest

from rsgan.metrics.distribution import coverage, descriptors, diversity


def two_kinds(n: int, seed: int, kinds: tuple[float, ...] = (0.0, 10.0)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([at + rng.standard_normal((n // len(kinds), 3)) for at in kinds])


def test_sets_of_one_kind_cover_each_other_as_often_as_the_formula_says() -> None:
    """1 - 1 / 2^k of the wanted have a made one among their k nearest of both sets; see the source."""
    found = [coverage(two_kinds(200, 2 * seed), two_kinds(200, 2 * seed + 1), 3) for seed in range(20)]
    assert np.mean(found) == pytest.approx(1 - 1 / 2**3, abs=0.02)


def test_a_kind_that_is_never_made_is_missed() -> None:
    assert coverage(two_kinds(200, 0, (0.0,)), two_kinds(200, 1)) == pytest.approx(0.5, abs=0.05)
    assert coverage(np.full((50, 3), 99.0), two_kinds(200, 1)) == 0


def test_diversity_is_the_ratio_of_spreads() -> None:
    wanted = two_kinds(1000, 1, (0.0,))
    assert diversity(0.1 * two_kinds(1000, 2, (0.0,)), wanted) == pytest.approx(0.1, rel=0.1)
    assert diversity(np.ones((5, 3)), wanted) == 0


def test_units_do_not_matter() -> None:
    unit = np.array([1.0, 1e-3, 1e3])
    made, wanted = two_kinds(60, 2), two_kinds(60, 3)
    assert coverage(made * unit, wanted * unit) == coverage(made, wanted)


def test_descriptors_tell_level_contrast_and_detail_apart() -> None:
    rows, _ = np.mgrid[:8, :8]
    images = np.stack([np.full((1, 8, 8), 2.0), rows[None].astype(float)])
    np.testing.assert_allclose(descriptors(images), [[2, 0, 0], [3.5, rows.std(), 1]])
