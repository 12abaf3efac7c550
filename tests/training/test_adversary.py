import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from rsgan.nn.discriminators import PatchLayersConfig
from rsgan.nn.objectives import OBJECTIVES
from rsgan.nn.regularizers import lecam_penalty
from rsgan.training.config import AdversaryConfig
from rsgan.training.games.adversary import MEMORY, Adversary

REAL, GENERATED = torch.full((2, 1, 4, 4), 1.0), torch.full((2, 1, 4, 4), -0.5)


def judge(images: Tensor) -> Tensor:
    return (images * torch.linspace(0.1, 1, images[0].numel()).reshape(images[0].shape)).mean((1, 2, 3)) * 3


def adversary(seed: int = 3, **settings: object) -> Adversary:
    return Adversary(AdversaryConfig.model_validate(settings), seed)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_played_as_it_stands(name: str) -> None:
    game = adversary(objective=name)
    terms = game.discriminator_terms(judge, REAL, GENERATED)
    assert terms.keys() == {"discriminator"}
    expected = OBJECTIVES[name].discriminator(judge(REAL), judge(GENERATED))
    torch.testing.assert_close(terms["discriminator"], expected)
    expected = OBJECTIVES[name].generator(judge(GENERATED), judge(REAL))
    torch.testing.assert_close(game.generator_term(judge, GENERATED, REAL), expected)


def test_references_are_judged_for_the_generator_only_where_the_objective_needs_them() -> None:
    for name, calls in (("hinge", 1), ("relativistic-average", 2)):
        seen: list[Tensor] = []

        def counting(images: Tensor, seen: list[Tensor] = seen) -> Tensor:
            seen.append(images)
            return judge(images)

        adversary(objective=name).generator_term(counting, GENERATED, REAL)
        assert len(seen) == calls


def test_penalties_on_gradients_are_lazy_and_weigh_as_much_in_the_mean() -> None:
    settings = {"r1": 0.5, "r2": 0.25, "gradient_penalty": 10.0}
    often, rarely = adversary(**settings, every=1), adversary(**settings, every=4)
    each = often.discriminator_terms(judge, REAL, GENERATED)
    assert each.keys() == {"discriminator", "r1", "r2", "gradient_penalty"}
    found = []
    for update in range(8):
        rarely.update = update
        found.append(rarely.discriminator_terms(judge, REAL, GENERATED))
    assert ["r1" in terms for terms in found] == [True, False, False, False] * 2
    for name in ("r1", "r2", "gradient_penalty"):
        torch.testing.assert_close(found[0][name], 4 * each[name])
    slope = float(torch.autograd.grad(judge(x := REAL.clone().requires_grad_()).sum(), x)[0].square().sum()) / 2
    assert float(each["r1"].detach()) == pytest.approx(0.5 / 2 * slope, rel=1e-4)
    assert float(each["r2"].detach()) == pytest.approx(0.25 / 2 * slope, rel=1e-4)


def test_lecam_remembers_the_logits_of_each_judge() -> None:
    game = adversary(lecam=0.3)
    first = game.discriminator_terms(judge, REAL, GENERATED)["lecam"]
    means = torch.stack([judge(REAL).mean(), judge(GENERATED).mean()])
    torch.testing.assert_close(first, 0.3 * lecam_penalty(judge(REAL), judge(GENERATED), means))
    game.discriminator_terms(judge, 2 * REAL, 2 * GENERATED)
    torch.testing.assert_close(game.means[""], MEMORY * means + (1 - MEMORY) * 2 * means)
    assert "ratio_lecam" in game.discriminator_terms(judge, -REAL, GENERATED, "ratio_")
    torch.testing.assert_close(game.means["ratio_"][0], -means[0])


def test_a_game_goes_on_from_what_it_remembered() -> None:
    game, other = adversary(lecam=1.0), adversary(lecam=1.0)
    game.discriminator_terms(judge, REAL, GENERATED)
    other.load(game.state())
    expected, found = (one.discriminator_terms(judge, 3 * REAL, GENERATED)["lecam"] for one in (game, other))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_instance_noise_follows_seed_and_update_and_has_its_strength() -> None:
    def noise(game: Adversary, update: int) -> Tensor:
        seen: list[Tensor] = []

        def watching(images: Tensor) -> Tensor:
            seen.append(images.detach())
            return judge(images)

        game.update = update
        game.discriminator_terms(watching, torch.zeros(1, 1, 80, 80), torch.zeros(1, 1, 80, 80))
        return torch.stack(seen)

    first, again, later = noise(adversary(instance_noise=0.2), 5), noise(adversary(instance_noise=0.2), 5), None
    later = noise(adversary(instance_noise=0.2), 6)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, later)
    assert not torch.equal(first[0], first[1])
    assert float(first.std()) == pytest.approx(0.2, rel=0.05)


def test_weights_are_clipped_only_when_asked() -> None:
    layer = torch.nn.Linear(8, 8)
    torch.nn.init.constant_(layer.weight, 0.5)
    adversary().bound(layer)
    assert float(layer.weight.detach().max()) == 0.5
    adversary(weight_clip=0.01).bound(layer)
    assert float(layer.weight.detach().max()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "wasserstein", "real_label": 0.9}, "no labels that could be smoothed"),
        ({"objective": "wgan"}, "non-saturating"),
        ({"gradient_penalty": 10.0, "weight_clip": 0.01}, "give one of them"),
        ({"real_label": 0.3}, "above 0.5"),
        ({"r3": 1.0}, "r3"),
    ],
)
def test_what_makes_no_sense_together_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AdversaryConfig.model_validate(settings)


def test_a_critic_needs_one_bound_on_its_slope() -> None:
    bounded, free = PatchLayersConfig(spectral_norm=True), PatchLayersConfig(spectral_norm=False)
    AdversaryConfig(objective="wasserstein").refuse_unbounded(bounded)
    AdversaryConfig(objective="wasserstein", gradient_penalty=10).refuse_unbounded(free)
    with pytest.raises(ValueError, match="bounded slope"):
        AdversaryConfig(objective="wasserstein").refuse_unbounded(free)
    with pytest.raises(ValueError, match="rescales anyway"):
        AdversaryConfig(weight_clip=0.01).refuse_unbounded(bounded)


@pytest.mark.parametrize("penalty", ["r1", "r2", "gradient_penalty"])
def test_a_norm_over_the_batch_has_no_gradient_of_one_image(penalty: str) -> None:
    judge = PatchLayersConfig(normalisation="batch")
    with pytest.raises(ValueError, match="depend on the others of its batch"):
        AdversaryConfig.model_validate({penalty: 1.0}).refuse_unbounded(judge)
    AdversaryConfig(lecam=1.0).refuse_unbounded(judge)
