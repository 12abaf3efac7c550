"""Free images: a fresh discriminator finds what is planted, and nothing where nothing is."""

import numpy as np
import pytest
import torch

from rsgan.diagnose.images import judge_images
from rsgan.diagnose.refit import Refit
from rsgan.errors import ConfigError
from rsgan.metrics.density_ratio import Side, class_figures

HOW = Refit(updates=200, folds=3, batch=64, channels=8, learning_rate=3e-3, check_every=40, patience=3)


def images(shares: tuple[float, ...], count: int, seed: int, noisier: float = 0.0) -> tuple[torch.Tensor, np.ndarray]:
    """Even images of three levels, one per class, with grain; that of class 0 may be stronger."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(3, size=count, p=shares)
    grain = rng.standard_normal((count, 1, 8, 8)) * (0.3 + noisier * (classes == 0))[:, None, None, None]
    return torch.from_numpy(grain + (classes - 1.0)[:, None, None, None]).float(), classes


def figures(shares: tuple[float, ...], noisier: float = 0.0) -> list[tuple[bool, bool, bool]]:
    real, classes = images((1 / 3,) * 3, 600, 1)
    generated, others = images(shares, 600, 2, noisier)
    found = judge_images(real, generated, HOW)
    sides = Side(found.real, classes, np.arange(600)), Side(found.generated, others, np.arange(600) + 600)
    return [(one.too_rare, one.too_common, one.told_apart) for one in class_figures(*sides, density=True, shares=True)]


def test_a_class_that_is_too_rare_is_found() -> None:
    assert figures((0.06, 0.47, 0.47)) == [(True, False, False), (False, True, False), (False, True, False)]


def test_a_class_that_is_badly_made_is_found_and_no_other() -> None:
    assert [told for *_, told in figures((1 / 3,) * 3, noisier=0.3)] == [True, False, False]


def test_nothing_is_found_where_nothing_is_planted() -> None:
    assert figures((1 / 3,) * 3) == [(False, False, False)] * 3


def test_every_image_is_judged_once_by_one_that_has_not_seen_it() -> None:
    real, _ = images((1 / 3,) * 3, 60, 1)
    generated, _ = images((1 / 3,) * 3, 48, 2)
    found = judge_images(real, generated, Refit(updates=5, folds=3, batch=4, check_every=5))
    assert (len(found.real), len(found.generated), len(found.learnt)) == (60, 48, 3)
    assert np.isfinite(found.real).all()
    again = judge_images(real, generated, Refit(updates=5, folds=3, batch=4, check_every=5))
    assert np.array_equal(found.real, again.real)


def test_images_of_one_place_share_a_fold() -> None:
    real = torch.zeros(24, 1, 8, 8)
    places = np.repeat(np.arange(12), 2)
    found = judge_images(
        real, real + 1, Refit(updates=2, folds=3, batch=4, check_every=2), blocks=(places, places), way="none"
    )
    assert np.array_equal(found.real[::2], found.real[1::2])


def test_references_and_images_of_one_place_share_a_fold() -> None:
    names = np.arange(12)
    constant = [torch.full((12, 1, 8, 8), value) for value in (0.0, 1.0)]
    how = Refit(updates=2, folds=3, batch=4, check_every=2, seed=1)
    real, made = (one for one in judge_images(*constant, how, blocks=(names, names[::-1].copy()), way="none").raw)
    judges = [{value: fold for fold, value in enumerate(np.unique(kind))} for kind in (real, made)]
    together = {(judges[0][a], judges[1][b]) for a, b in zip(real, made[::-1], strict=True)}
    assert len(together) == 3


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ConfigError, match="generated images"):
        judge_images(torch.zeros(40, 1, 8, 8), torch.zeros(40, 2, 8, 8), HOW)
    with pytest.raises(ConfigError, match="expected 12"):
        judge_images(torch.zeros(9, 1, 8, 8), torch.zeros(40, 1, 8, 8), HOW)
    with pytest.raises(ConfigError, match="at least 3"):
        Refit(folds=2)
    with pytest.raises(ConfigError, match="noise"):
        Refit(noise=-1)


def test_instance_noise_makes_the_ratio_of_disjoint_images_finite() -> None:
    real, generated = torch.zeros(120, 1, 8, 8), torch.ones(120, 1, 8, 8)
    plain = judge_images(real, generated, HOW, way="none")
    noisy = judge_images(real, generated, Refit(**{**vars(HOW), "noise": 8.0}), way="none")
    assert np.abs(noisy.real).mean() < np.abs(plain.real).mean() / 2
