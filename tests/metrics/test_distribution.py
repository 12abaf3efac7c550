import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from rsgan.metrics import distribution
from rsgan.metrics.distribution import coverage, descriptors, diversity

Sets = tuple[np.ndarray, np.ndarray]


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


@pytest.fixture(scope="module")
def features() -> tuple[np.ndarray, np.ndarray]:
    """Two sets that overlap in part: (300, 12) made, (400, 12) wanted."""
    rng = np.random.default_rng(8)
    mix = rng.standard_normal((12, 12)) / 3
    return rng.standard_normal((300, 12)) @ mix + 0.2, rng.standard_normal((400, 12)) @ mix * 1.2


class Given(torch.nn.Module):
    """Features that are the images themselves, so that torchmetrics takes any."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)


def test_the_frechet_distance_is_that_of_torchmetrics(features: Sets) -> None:
    made, wanted = features

    other = FrechetInceptionDistance(feature=Given(), input_img_size=(12, 1, 1), normalize=True).double()
    other.update(torch.from_numpy(wanted)[..., None, None], real=True)
    other.update(torch.from_numpy(made)[..., None, None], real=False)
    assert distribution.frechet_distance(made, wanted) == pytest.approx(float(other.compute()), abs=1e-3)


def test_the_frechet_distance_of_gaussians_is_the_closed_one() -> None:
    rng = np.random.default_rng(1)
    made, wanted = rng.normal(1.0, 2.0, (200_000, 2)), rng.normal(0.0, 1.0, (200_000, 2))
    assert distribution.frechet_distance(made, wanted) == pytest.approx(2 * (1 + 1), abs=0.05)
    assert distribution.frechet_distance(made, made) == pytest.approx(0, abs=1e-6)


def test_few_images_are_extrapolated_to_many() -> None:
    rng = np.random.default_rng(2)
    made, wanted = rng.standard_normal((400, 40)), rng.standard_normal((400, 40))
    plain, extrapolated = distribution.frechet_distance(made, wanted), distribution.frechet_extrapolated(made, wanted)
    assert plain > 1
    assert abs(extrapolated) < plain / 5


@pytest.mark.filterwarnings("ignore::UserWarning:torchmetrics")
def test_the_kernel_distance_is_that_of_torchmetrics_on_the_same_subsets(features: Sets) -> None:
    made, wanted = features
    other = KernelInceptionDistance(feature=Given(), subsets=7, subset_size=100)
    other.update(torch.from_numpy(wanted)[..., None, None], real=True)
    other.update(torch.from_numpy(made)[..., None, None], real=False)
    torch.manual_seed(5)
    mean, deviation = other.compute()
    torch.manual_seed(5)
    ours = []
    for _ in range(7):
        some = wanted[torch.randperm(len(wanted))[:100].numpy()]
        ours.append(distribution.kernel_distance(made[torch.randperm(len(made))[:100].numpy()], some))
    assert np.mean(ours) == pytest.approx(float(mean), abs=1e-3)
    assert np.std(ours) == pytest.approx(float(deviation), abs=1e-3)


def test_the_kernel_distance_has_no_bias() -> None:
    rng = np.random.default_rng(3)
    found = [distribution.kernel_distance(*rng.standard_normal((2, 50, 20))) for _ in range(60)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60)


@pytest.mark.parametrize("neighbours", [3, 5])
def test_neighbours_are_those_of_prdc(features: Sets, neighbours: int) -> None:
    made, wanted = features
    told = compute_prdc(wanted, made, neighbours)
    found = distribution.neighbourhood(made, wanted, neighbours)
    for name, value in told.items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-3), name


def test_neighbours_tell_missing_kinds_from_wrong_ones(features: Sets) -> None:
    _, wanted = features
    half, same = wanted[:200], wanted[200:]
    far = np.concatenate([half, half + 50])
    assert distribution.neighbourhood(half, same).precision > 0.6
    assert distribution.neighbourhood(far, same).precision == pytest.approx(
        distribution.neighbourhood(half, same).precision / 2
    )
    few = half[half[:, 0] > 0]
    assert distribution.neighbourhood(few, same).recall < distribution.neighbourhood(half, same).recall - 0.15
    with pytest.raises(ValueError, match="more than 5"):
        distribution.neighbourhood(half[:5], same)


@pytest.mark.filterwarnings("ignore::UserWarning:torchmetrics")
def test_the_class_score_is_that_of_torchmetrics() -> None:
    logits = np.random.default_rng(4).standard_normal((500, 6)) * 3
    other = InceptionScore(feature=Given(), splits=1)
    other.update(torch.from_numpy(logits)[..., None, None])
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert distribution.class_score(shares) == pytest.approx(float(other.compute()[0]), abs=1e-3)
    assert distribution.class_score(np.eye(6)) == pytest.approx(6)
    assert distribution.class_score(np.full((10, 6), 1 / 6)) == pytest.approx(1)


def test_sliced_wasserstein_is_the_shift_along_the_directions() -> None:
    wanted = np.random.default_rng(5).standard_normal((300, 2))
    moved = wanted + np.array([1.0, 0.0])
    assert distribution.sliced_wasserstein(moved, wanted, directions=2000) == pytest.approx(2 / np.pi, abs=0.02)
    assert distribution.sliced_wasserstein(wanted, wanted[::-1]) == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    def apart(made: np.ndarray, wanted: np.ndarray) -> float:
        return float(made.mean() - wanted.mean())

    rng, held = np.random.default_rng(6), 0
    for _ in range(200):
        found = distribution.with_interval(apart, rng.standard_normal((60, 1)) + 0.5, rng.standard_normal((80, 1)))
        held += found.low <= 0.5 <= found.high
    assert 0.90 <= held / 200 <= 0.985
