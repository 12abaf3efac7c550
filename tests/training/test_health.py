"""Each disease is made to happen and seen named; a healthy run stays unnamed."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pytest
import torch

from rsgan.metrics.distribution import coverage, diversity
from rsgan.nn.objectives import OBJECTIVES
from rsgan.training.health import LASTING, WINDOW, Diagnosis, Health


def found(values: Iterable[Mapping[str, float]], objective: str = "non-saturating") -> list[Diagnosis]:
    health = Health(OBJECTIVES[objective])
    return [diagnosis for each in values for diagnosis in health.watch(each)]


def play(
    sharpness: Iterable[float], shift: float, objective: str = "non-saturating", noise: float = 0.1
) -> list[Diagnosis]:
    """Points on a line, others `shift` away, and one judge after the other: its slope, 0 half-way between them."""
    game, log = OBJECTIVES[objective], []
    grain = noise * torch.linspace(-1, 1, 64)[:, None]
    for slope in sharpness:
        place = torch.zeros((), requires_grad=True)
        real, made = (slope * (points - shift / 2) for points in (shift + grain, place + grain))
        adversarial = game.generator(made, real)
        adversarial.backward()
        log.append({
            "discriminator/discriminator": float(game.discriminator(real, made.detach())),
            "generator/adversarial": float(adversarial.detach()),
            "generator/norm": abs(float(place.grad)),
        })  # fmt: skip
    return found(log, objective)


def test_a_discriminator_that_tells_all_is_too_strong() -> None:
    (diagnosis,) = play([1.0] * WINDOW, shift=30.0)
    assert diagnosis.disease == "discriminator too strong"
    assert "discriminator_learning_rate" in str(diagnosis)
    assert "1701.04862" in str(diagnosis)


def test_the_saturating_loss_leaves_its_generator_without_gradient() -> None:
    sharper = np.linspace(0, 10, 3 * WINDOW).tolist()
    diseases = [{diagnosis.disease for diagnosis in play(sharper, 3.0, name)} for name in ("minimax", "non-saturating")]
    assert diseases == [{"discriminator too strong", "generator without gradient"}, {"discriminator too strong"}]


def test_a_discriminator_of_what_is_alike_is_blind() -> None:
    (diagnosis,) = play([0.1] * 3 * WINDOW, shift=0.0)
    assert diagnosis.disease == "discriminator blind"


def test_a_discriminator_that_wins_and_loses_in_turn_swings() -> None:
    losses = math.log(4) * (1 + 0.9 * np.sin(np.arange(2 * WINDOW) / 5))
    (diagnosis,) = found({"discriminator/ratio_discriminator": float(loss)} for loss in losses)
    assert diagnosis.disease == "ratio discriminator swings"


@pytest.mark.parametrize(
    "values", [{"bias/L1": 0.01, "bias/L4": -0.08}, {"residual/P40": 3.0}, {"residual/P40": 0.9, "residual/P50": 2.5}]
)
def test_radiometry_that_leaves_the_observation_drifts(values: dict[str, float]) -> None:
    (diagnosis,) = found([values, values])
    assert diagnosis.disease == "radiometric drift"


def test_a_healthy_run_stays_unnamed() -> None:
    rng = np.random.default_rng(0)
    train = [
        {"discriminator/discriminator": 1.1 + 0.1 * rng.normal(), "generator/adversarial": 0.9, "generator/norm": 0.4}
        for _ in range(3 * WINDOW)
    ]
    assert found([*train, {"bias/L1": 0.01, "residual/P40": 0.9, "gain_db/P40": 1.2}]) == []


def test_nothing_is_said_before_enough_was_seen() -> None:
    assert found([{"discriminator/discriminator": 0.0}] * (WINDOW - 1)) == []
    assert len(found([{"discriminator/discriminator": 0.0}] * (WINDOW + 50))) == 1


def test_a_critic_has_no_scale_to_be_judged_by() -> None:
    assert found([{"discriminator/discriminator": -20.0}] * (2 * WINDOW), "wasserstein") == []


def judged(*figures: dict[str, float], times: int = LASTING) -> set[str]:
    return {diagnosis.disease for diagnosis in found([one for one in figures for _ in range(times)])}


WELL = {"diversity": 0.9, "coverage": 0.9, "checkerboard": 0.02, "error/pairs": 0.4, "known": 0.35}


@pytest.mark.parametrize(
    ("ill", "disease"),
    [
        ({"diversity": 0.1, "coverage": 0.05}, "mode collapse"),
        ({"coverage": 0.3}, "dropped modes"),
        ({"checkerboard": 0.2}, "checkerboard"),
        ({"known": 0.1}, "memorisation of training tiles"),
        ({"gain_db/P40": 0.5, "known_db/P40": 4.0}, "memorisation of training tiles"),
        ({"too_near": 0.3}, "memorisation of training tiles"),
    ],
)
def test_a_disease_of_the_images_is_named_once_it_lasts(ill: dict[str, float], disease: str) -> None:
    assert judged(WELL | ill) == {disease}
    assert judged(WELL | ill, times=LASTING - 1) == set()
    assert judged(*[WELL | ill, WELL] * LASTING, times=1) == set()
    assert judged(WELL) == judged({"gain_db/P40": 1.0, "known_db/P40": 1.2, "checkerboard": 0.0}) == set()


def test_a_generator_that_makes_one_image_has_collapsed() -> None:
    rng = np.random.default_rng(1)
    wanted = rng.standard_normal((48, 6))
    one = np.repeat(wanted[:1], 48, axis=0) + 0.01 * rng.standard_normal((48, 6))
    far = np.concatenate([wanted[:24], wanted[24:] + 9])  # two kinds of images, of which one is made
    healthy = rng.standard_normal((48, 6))
    pairs = ((one, wanted), (np.concatenate([wanted[:24] * 1.01, wanted[:24] * 0.99]), far), (healthy, wanted))
    found_in = [judged({"diversity": diversity(a, b), "coverage": coverage(a, b, 3)}) for a, b in pairs]
    assert found_in[0] == {"mode collapse"}
    assert found_in[1]
    assert found_in[2] == set()
