import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from rsgan.nn.discriminators import (
    PatchLayersConfig,
    TranslationDiscriminator,
    TranslationDiscriminatorConfig,
)
from rsgan.nn.objectives import OBJECTIVES
from rsgan.nn.regularizers import captured, lecam_penalty, matching_loss
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


def net() -> TranslationDiscriminator:
    torch.manual_seed(1)
    config = TranslationDiscriminatorConfig(source_bands=1, target_bands=1, channels=4, strided=1, spectral_norm=False)
    return TranslationDiscriminator(config)


def with_net(**settings: object) -> tuple[Adversary, TranslationDiscriminator]:
    network = net()
    return Adversary(AdversaryConfig.model_validate(settings), 3, network), network


def some(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.randn(4, 1, 16, 16, generator=rng) + 1, torch.randn(4, 1, 16, 16, generator=rng)


def test_feature_matching_adds_its_weight_to_the_generators_term(rng: torch.Generator) -> None:
    real, generated = some(rng)
    (plain, network), (matched, _) = with_net(), with_net(feature_matching=2.0)
    matched.discriminator = network
    more = matched.generator_term(network, generated, real) - plain.generator_term(network, generated, real)
    with captured(network) as first:
        network(generated)
    with captured(network) as second:
        network(real)
    torch.testing.assert_close(more, 2 * matching_loss(first, second))


def test_unrolled_steps_change_what_the_generator_is_told(rng: torch.Generator) -> None:
    real, generated = some(rng)
    (plain, network), (ahead, _) = with_net(), with_net(unrolled=5, unrolled_rate=0.5)
    ahead.discriminator = network
    # a discriminator that has learnt more finds more out
    assert float(ahead.generator_term(network, generated, real).detach()) > float(
        plain.generator_term(network, generated, real).detach()
    )


def test_consistency_asks_the_same_of_turned_images(rng: torch.Generator) -> None:
    real, generated = some(rng)
    game, network = with_net(consistency=3.0)
    terms = game.discriminator_terms(network, real, generated)
    assert terms.keys() == {"discriminator", "consistency"}
    assert float(terms["consistency"].detach()) > 0
    level = lambda images: images.mean((1, 2, 3))  # noqa: E731 - a judge that no turn can confuse
    assert float(game.discriminator_terms(level, real, generated)["consistency"].detach()) < 1e-9


def test_augmentation_follows_the_update_and_touches_references_and_generated_alike(rng: torch.Generator) -> None:
    real, generated = some(rng)
    game, network = with_net(augment=1.0, augment_gain=0.2)
    plain, _ = with_net()
    found = []
    for update in (4, 4, 5):
        game.update = update
        found.append(float(game.discriminator_terms(network, real, generated)["discriminator"].detach()))
    assert found[0] == found[1] != found[2]
    assert found[0] != float(plain.discriminator_terms(net(), real, generated)["discriminator"].detach())


def test_a_discriminator_that_knows_its_references_by_heart_is_shown_more_and_more_turned_ones() -> None:
    game, _ = with_net(augment_target=0.6, augment_samples=100)
    sure = lambda images: torch.where(images.mean((1, 2, 3)) > 0, 5.0, -5.0)  # noqa: E731
    for update in range(200):
        game.update = update
        game.discriminator_terms(sure, REAL, GENERATED)
    assert game.overfit > 0.6
    assert 0.5 < game.share <= 1
    again, _ = with_net(augment_target=0.6, augment_samples=100)
    again.load(game.state())
    assert (again.share, again.overfit) == (game.share, game.overfit)
    for update in range(200, 600):
        game.update = update
        game.discriminator_terms(lambda images: -sure(images), REAL, GENERATED)
    assert game.share == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"augment": 0.2, "augment_target": 0.6}, "give one of them"),
        ({"objective": "relativistic-paired", "augment_target": 0.6}, "means nothing for relativistic-paired"),
    ],
)
def test_adaptive_augmentation_needs_a_sign(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AdversaryConfig.model_validate(settings)
    AdversaryConfig(objective="hinge", augment_target=0.6)


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if OBJECTIVES[name].tells_side])
def test_the_sides_of_every_objective_at_its_optimum(name: str) -> None:
    """Logits where references, and where generated images are nine times as dense, found by minimising the loss."""
    objective, logits = OBJECTIVES[name], torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.02)
    for _ in range(400):
        real, generated = (torch.cat([logits[0].expand(a), logits[1].expand(10 - a)]) for a in (9, 1))
        optimizer.zero_grad()
        objective.discriminator(real, generated).backward()
        optimizer.step()
    assert objective.side(logits.detach()).tolist() == [1, -1]
