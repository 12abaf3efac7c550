"""What log density ratios say of classes, on densities that are known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from rsgan.errors import ConfigError
from rsgan.metrics.density_ratio import ClassFigures, Estimate, Side, class_figures, holm, placements


def planted(
    shares: tuple[float, ...], moved: float, count: int = 4000, seed: int = 0
) -> tuple[Side, Side, tuple[ClassFigures, ...]]:
    """Classes along one axis, 10 apart, each a normal distribution; generated ones of class 0 are moved."""
    rng, p = np.random.default_rng(seed), np.full(len(shares), 1 / len(shares))

    def log_ratio(x: np.ndarray, classes: np.ndarray) -> np.ndarray:
        off = x - 10.0 * classes
        generated = stats.norm.logpdf(off, np.where(classes == 0, moved, 0.0))
        return np.log(p[0] / np.array(shares))[classes] + stats.norm.logpdf(off) - generated

    sides = []
    for kind, weights in enumerate((p, shares)):
        classes = rng.choice(len(shares), size=count, p=weights)
        x = 10.0 * classes + rng.standard_normal(count) + kind * moved * (classes == 0)
        sides.append(Side(log_ratio(x, classes), classes, np.arange(count) + kind * count))
    return sides[0], sides[1], class_figures(*sides, density=True, shares=True)


def test_shares_and_divergence_are_taken_apart() -> None:
    *_, figures = planted((0.1, 0.3, 0.6), moved=1.0)
    for one, share in zip(figures, (0.1, 0.3, 0.6), strict=True):
        truth = np.log(1 / 3 / share)
        assert one.log_share.low < truth < one.log_share.high
        assert one.log_share.value == pytest.approx(truth, abs=0.08)
        assert one.counted.low < truth < one.counted.high
    first = figures[0]
    assert first.kl.value == pytest.approx(0.5, abs=0.07)  # (moved)^2 / 2
    assert first.mean.value == pytest.approx(np.log(10 / 3) + 0.5, abs=0.07)
    assert first.auroc.value == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.03)
    assert (first.too_rare, first.told_apart) == (True, True)
    assert (figures[2].too_common, figures[2].told_apart) == (True, False)


def test_too_common_and_badly_made_gets_both_verdicts() -> None:
    *_, figures = planted((0.6, 0.2, 0.2), moved=1.5)
    assert (figures[0].too_common, figures[0].told_apart) == (True, True)
    assert figures[0].mean.value > 0  # the mean alone would say: too rare


def test_jensen_shannon_matches_integration() -> None:
    *_, figures = planted((1 / 3, 1 / 3, 1 / 3), moved=1.0)
    x = np.linspace(-8, 9, 4001)
    p, q = stats.norm.pdf(x), stats.norm.pdf(x, 1.0)
    truth = 0.5 * np.trapezoid(p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)), x)
    assert figures[0].jsd.value == pytest.approx(truth, abs=0.02)
    assert figures[1].jsd.value == pytest.approx(0.0, abs=0.01)


def test_nothing_planted_gives_no_verdict() -> None:
    *_, figures = planted((0.25,) * 4, moved=0.0, count=1000)
    assert not any(one.too_rare or one.too_common or one.told_apart for one in figures)


def test_given_ground_is_never_called_too_rare() -> None:
    real, generated, _ = planted((0.1, 0.3, 0.6), moved=1.0)
    for one in class_figures(real, generated, density=True, shares=False):
        assert np.isnan(one.log_share.value)
        assert not one.too_rare
        assert not one.too_common


def test_scores_without_density_are_only_compared() -> None:
    real, generated, _ = planted((0.25,) * 4, moved=1.0)
    one = class_figures(real, generated, density=False, shares=False)[0]
    assert np.isnan([one.kl.value, one.jsd.value, one.log_share.value]).all()
    assert one.told_apart


def test_placements_give_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(3)
    real, generated = rng.integers(0, 9, 200).astype(float), rng.integers(0, 7, 150).astype(float)
    expected = roc_auc_score(np.repeat([1, 0], [200, 150]), np.concatenate([real, generated]))
    assert placements(real, generated).mean() == pytest.approx(expected)


def test_copies_within_a_block_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(5)
    blocks = np.arange(40)
    scores = [rng.standard_normal(40) + shift for shift in (0.5, 0.0)]
    once = class_figures(*(Side(s, np.zeros(40, int), blocks) for s in scores), density=True, shares=False)[0]
    many = class_figures(
        *(Side(s.repeat(50), np.zeros(2000, int), blocks.repeat(50)) for s in scores), density=True, shares=False
    )[0]
    assert many.auroc.error == pytest.approx(once.auroc.error, rel=1e-6)
    assert many.effective[0] == pytest.approx(40, rel=0.2)
    assert many.patches == (2000, 2000)


def test_few_blocks_are_too_few_whatever_their_patches() -> None:
    scores = np.random.default_rng(1).standard_normal(900)
    sides = [Side(scores + shift, np.zeros(900, int), np.arange(900) // 300) for shift in (3.0, 0.0)]
    one = class_figures(*sides, density=True, shares=False)[0]
    assert not one.enough
    assert np.isnan(one.p_auroc)
    assert not one.told_apart


def test_a_class_that_is_never_made_is_too_rare() -> None:
    rng = np.random.default_rng(2)
    real = Side(np.zeros(200), rng.choice(2, 200, p=(0.8, 0.2)), np.arange(200))
    generated = Side(np.zeros(100), np.zeros(100, int), np.arange(100) + 200)
    usual, missing = class_figures(real, generated, density=True, shares=True)
    assert np.isnan(missing.auroc.value)
    assert (missing.too_rare, usual.too_common) == (True, True)
    few = class_figures(real, Side(np.zeros(6), np.zeros(6, int), np.arange(6) + 200), density=True, shares=True)
    assert not few[1].too_rare  # six images may well lack it


def test_on_given_ground_a_class_on_one_side_only_has_no_figures() -> None:
    real = Side(np.zeros(50), np.zeros(50, int), np.arange(50))
    generated = Side(np.zeros(50), np.ones(50, int), np.arange(50) + 50)
    for one in class_figures(real, generated, density=True, shares=False):
        assert not one.enough
        assert np.isnan([one.auroc.value, one.p_share]).all()


def test_holm_follows_the_paper_and_leaves_nan() -> None:
    assert np.allclose(holm([0.01, 0.04, 0.03, np.nan]), [0.03, 0.06, 0.06, np.nan], equal_nan=True)
    assert holm([0.9, 0.8]).max() == 1.0


def test_an_interval_knows_what_replicates_do_not() -> None:
    replicates = np.random.default_rng(0).normal(1.0, 0.1, 4000)
    alone, wider = Estimate.of(1.0, replicates), Estimate.of(1.0, replicates, beside=0.3)
    assert wider.error == pytest.approx(np.hypot(alone.error, 0.3))
    assert wider.high - wider.low > 2.9 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("scores", "classes", "message"),
    [(np.array([0.0, np.nan]), np.zeros(2, int), "not finite"), (np.zeros(2), np.zeros(3, int), "as many of each")],
)
def test_sides_that_do_not_fit_are_refused(scores: np.ndarray, classes: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Side(scores, classes, np.zeros(2, int))


def test_a_class_that_is_always_told_apart_has_a_verdict() -> None:
    sides = [Side(np.full(40, level), np.zeros(40, int), np.arange(40) + 40 * n) for n, level in enumerate((1.0, -1.0))]
    (one,) = class_figures(sides[0], sides[1], density=True, shares=False)
    assert (one.auroc.value, one.told_apart) == (1.0, True)


def test_a_class_that_is_rarely_made_need_not_be_seen_often_to_be_too_rare() -> None:
    classes = np.repeat([0, 1], [150, 50]), np.repeat([0, 1], [196, 4])
    real, generated = (
        Side(np.random.default_rng(n).normal(size=200), c, np.arange(200) + 200 * n) for n, c in enumerate(classes)
    )
    _, rare = class_figures(real, generated, density=True, shares=True)
    assert (rare.enough, rare.too_rare, rare.told_apart) == (False, True, False)
