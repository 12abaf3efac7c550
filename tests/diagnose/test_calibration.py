"""Calibration, and what may be concluded from the logits of which game."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from rsgan.diagnose.calibration import Calibration, Way, reliability
from rsgan.diagnose.meaning import MOST, meaning_of
from rsgan.errors import ConfigError
from rsgan.nn.objectives import OBJECTIVES

TOLD = (
    "non-saturating",
    "minimax",
    "least-squares",
    "kl",
    "reverse-kl",
    "pearson",
    "squared-hellinger",
    "jensen-shannon",
)


def gaussians(count: int = 20000, moved: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """True log ratios of normal densities that are `moved` apart, of draws of either."""
    rng = np.random.default_rng(0)
    real, generated = rng.standard_normal(count), rng.standard_normal(count) + moved
    return tuple(moved * (moved / 2 - x) for x in (real, generated))  # type: ignore[return-value]


@pytest.mark.parametrize(("way", "offset"), [("temperature", 0.0), ("platt", 0.7)])
def test_what_was_stretched_and_moved_comes_back(way: Way, offset: float) -> None:
    real, generated = gaussians()
    law = Calibration.fitted(way, 3 * real + offset, 3 * generated + offset)
    assert law.slope == pytest.approx(1 / 3, rel=0.03)
    assert np.allclose(law(3 * real + offset), real, atol=0.15)


def test_isotonic_undoes_any_rising_law() -> None:
    real, generated = gaussians()
    law = Calibration.fitted("isotonic", np.sinh(real), np.sinh(generated))
    inner = np.abs(real) < 2
    assert np.abs(law(np.sinh(real)) - real)[inner].mean() < 0.15


def test_unequal_numbers_of_both_kinds_are_corrected() -> None:
    real, generated = gaussians()
    law = Calibration.fitted("platt", real[:2000], generated)
    assert law.offset == pytest.approx(0.0, abs=0.1)


def test_logits_that_tell_nothing_are_flattened() -> None:
    rng = np.random.default_rng(4)
    law = Calibration.fitted("platt", 5 * rng.standard_normal(4000), 5 * rng.standard_normal(4000))
    assert abs(law.slope) < 0.02


def test_reliability_sees_overconfidence() -> None:
    real, generated = gaussians()
    assert reliability(real, generated).error < 0.01
    assert reliability(4 * real, 4 * generated).error > 0.08
    assert reliability(real, generated).weights.sum() == pytest.approx(1)


def test_platt_agrees_with_an_unscaled_fit() -> None:
    real, generated = gaussians(2000)
    law = Calibration.fitted("platt", real, generated)
    plain = LogisticRegression(C=1e9).fit(np.concatenate([real, generated])[:, None], np.repeat([1, 0], 2000))
    assert law.slope == pytest.approx(plain.coef_[0, 0], rel=1e-3)


def test_calibration_needs_both_kinds_and_a_known_way() -> None:
    with pytest.raises(ConfigError, match="one of them has none"):
        Calibration.fitted("platt", np.zeros(3), np.zeros(0))
    with pytest.raises(ConfigError, match="expected none, temperature, platt or isotonic"):
        Calibration.fitted("beta", np.zeros(3), np.zeros(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - set(TOLD)))
def test_games_without_density_are_refused(name: str) -> None:
    meaning = meaning_of(name)
    assert meaning.log_ratio is None
    with pytest.raises(ConfigError, match="no density ratio, share or divergence can be concluded"):
        meaning.ratios(np.zeros(3))


@pytest.mark.parametrize("name", TOLD)
def test_converted_logits_are_finite_and_rise(name: str) -> None:
    ratios = meaning_of(name).ratios(np.linspace(-50, 50, 101))
    assert np.isfinite(ratios).all()
    assert (np.diff(ratios) >= 0).all()
    assert np.abs(ratios).max() <= MOST


def test_smoothed_labels_are_corrected_and_named() -> None:
    shown = meaning_of("non-saturating", augmented=True, instance_noise=0.2)
    assert ["augmented" in shown.warnings[0], "noise of 0.2" in shown.warnings[1]] == [True, True]
    assert meaning_of("wasserstein", augmented=True).warnings == shown.warnings[:1]
    meaning = meaning_of("non-saturating", 0.9)
    share = 0.9 * 0.75  # of p = 3 q
    assert meaning.ratios(np.array([np.log(share / (1 - share))]))[0] == pytest.approx(np.log(3))
    assert "0.9" in meaning.warnings[0]
