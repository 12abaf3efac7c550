import pytest
import torch

from rsgan.nn.discriminators import PatchDiscriminator, PatchDiscriminatorConfig
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig
from rsgan.nn.objectives import cross_entropy
from rsgan.sensors.optical import degrade
from rsgan.training.batch import Pairs
from rsgan.training.config import AdversaryConfig, Losses
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.paired import PairedGame, Units

NDVI = ((3, 2),)


@pytest.fixture
def pairs(rng: torch.Generator) -> Pairs:
    reference = 0.1 + 0.2 * torch.rand(2, 4, 16, 16, generator=rng)
    sigma = torch.full((2, 4), 0.4)
    observed = degrade(reference, sigma, 2)
    ones = torch.ones(2, 4)
    return Pairs(reference, observed, sigma, 0.001 * ones, 0.2 * ones, 0.02 * ones)


def make(losses: Losses | None = None, precision: torch.dtype = torch.float32, r1: float = 0.0) -> PairedGame:
    torch.manual_seed(0)
    return PairedGame(
        ResidualGenerator(ResidualGeneratorConfig(bands=4, scale=2, channels=4, blocks=1, consistency_steps=1)),
        PatchDiscriminator(PatchDiscriminatorConfig(bands=4, scale=2, channels=4, strided=1)),
        losses or Losses(),
        Adversary(AdversaryConfig(r1=r1, every=1), 0),
        NDVI,
        precision,
    )


def test_units_invert(pairs: Pairs) -> None:
    units = Units.of(pairs)
    torch.testing.assert_close(units.reflectance(units.network(pairs.reference)), pairs.reference)
    torch.testing.assert_close(units.network(torch.full((2, 4, 1, 1), 0.24)), torch.full((2, 4, 1, 1), 2.0))


def test_weights_scale_their_terms_and_zero_switches_them_off(pairs: Pairs) -> None:
    once = make(Losses(consistency=0.1, spectral_angle=0.2, index=0.3)).generator_terms(pairs, adversarial=False)
    twice = make(Losses(consistency=0.2, spectral_angle=0.4, index=0.0)).generator_terms(pairs, adversarial=False)
    assert once.keys() == {"content", "consistency", "spectral_angle", "index"}
    torch.testing.assert_close(twice["content"], once["content"])
    torch.testing.assert_close(twice["spectral_angle"], 2 * once["spectral_angle"])
    assert once["index"].item() > 0
    assert twice["index"].item() == 0


def test_a_generator_that_returns_the_reference_pays_next_to_nothing(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make()
    monkeypatch.setattr(PairedGame, "enhance", lambda self, pairs: Units.of(pairs).network(pairs.reference))
    terms = game.generator_terms(pairs, adversarial=False)
    assert terms["content"].item() == pytest.approx(0, abs=1e-9)
    assert terms["index"].item() == pytest.approx(0, abs=1e-6)
    # it reproduces the observation without its noise, which a noisy sensor would not: the whole lower bound
    assert terms["consistency"].item() == pytest.approx(0.01 * 0.75, rel=5e-3)


def test_the_adversarial_term_moves_only_the_generator(pairs: Pairs) -> None:
    game = make()
    torch.nn.init.normal_(game.generator.tail.weight, std=0.1)
    game.discriminator.requires_grad_(False)
    game.generator_terms(pairs, adversarial=True)["adversarial"].backward()
    assert game.generator.tail.weight.grad.abs().max() > 0
    assert all(weight.grad is None for weight in game.discriminator.parameters())


def test_the_discriminator_terms_move_only_the_discriminator(pairs: Pairs) -> None:
    game = make(r1=2.0)
    terms = game.discriminator_terms(pairs)
    assert terms.keys() == {"discriminator", "r1"}
    sum(terms.values()).backward()
    assert all(weight.grad is None for weight in game.generator.parameters())
    assert any(weight.grad.abs().max() > 0 for weight in game.discriminator.parameters() if weight.grad is not None)


def test_the_discriminator_takes_references_for_real_and_the_enhanced_for_made(pairs: Pairs) -> None:
    game = make()
    game.discriminator.eval()
    real = game.logits(Units.of(pairs).network(pairs.reference), pairs)
    made = game.logits(game.enhance(pairs), pairs)
    expected = cross_entropy(real, made)
    assert (expected - cross_entropy(made, real)).abs().item() > 1e-4
    torch.testing.assert_close(game.discriminator_terms(pairs)["discriminator"], expected)


def test_the_penalty_is_half_its_weight_times_the_squared_gradient(pairs: Pairs) -> None:
    one, three = (make(r1=weight) for weight in (1.0, 3.0))
    one.discriminator.eval()
    three.discriminator.eval()
    game, (one, three) = one, (each.discriminator_terms(pairs)["r1"].item() for each in (one, three))
    real = Units.of(pairs).network(pairs.reference).requires_grad_()
    (gradient,) = torch.autograd.grad(game.logits(real, pairs).sum(), real)
    assert one == pytest.approx(gradient.square().sum((1, 2, 3)).mean().item() / 2, rel=1e-4)
    assert three == pytest.approx(3 * one, rel=1e-4)
    assert "r1" not in make().discriminator_terms(pairs)


def test_a_step_against_the_gradient_lowers_each_players_loss(pairs: Pairs) -> None:
    game = make()
    game.discriminator.eval()
    for network, terms in (
        (game.generator, lambda: game.generator_terms(pairs, adversarial=True)),
        (game.discriminator, lambda: game.discriminator_terms(pairs)),
    ):
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
        before = torch.stack(list(terms().values())).sum()
        optimizer.zero_grad()
        before.backward()
        optimizer.step()
        assert torch.stack(list(terms().values())).sum().item() < before.item()


def test_losses_are_float32_when_networks_are_not(pairs: Pairs) -> None:
    exact, rough = make(), make(precision=torch.bfloat16)
    for terms in (rough.generator_terms(pairs, True), rough.discriminator_terms(pairs)):
        assert all(value.dtype == torch.float32 for value in terms.values())
    first, second = (g.generator_terms(pairs, False)["content"].item() for g in (exact, rough))
    assert second == pytest.approx(first, rel=0.05)
