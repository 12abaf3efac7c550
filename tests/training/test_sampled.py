"""The sampled game: the same adversary, and no pairs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rsgan.training.config import AdversaryConfig
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.sampled import SampledGame

MIDDLE = torch.tensor([2.0, -1.0])
Judge = Callable[[Tensor], Tensor]


class Points(nn.Module):
    """Noise -> (N, 1, 1, 2) images of two pixels, normal about a middle."""

    latent = 2

    def __init__(self, middle: Tensor, spread: float) -> None:
        super().__init__()
        self.middle, self.spread = nn.Parameter(middle.clone()), nn.Parameter(torch.full((2,), spread))

    def forward(self, noise: Tensor) -> Tensor:
        return (self.middle + self.spread * noise)[:, None, None]


def judge(of: Judge = lambda pixels: pixels) -> nn.Module:
    """Linear in what `of` makes of the pixels, and blind at first."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
    nn.init.zeros_(network[1].weight)
    network[1].register_forward_pre_hook(lambda _, given: (of(given[0]),))
    return network


def draw(rng: torch.Generator, spread: float = 0.3) -> Tensor:
    return (MIDDLE + spread * torch.randn(64, 2, generator=rng))[:, None, None]


GAMES = pytest.mark.parametrize(
    "settings",
    [
        {"r1": 0.5, "every": 4},
        {"objective": "hinge", "r1": 1.0, "every": 4},
        {"objective": "relativistic-paired", "r1": 0.25, "r2": 0.25, "every": 4},
    ],
    ids=["r1", "hinge", "relativistic"],
)


@GAMES
def test_what_is_made_comes_to_lie_where_the_references_are(settings: dict[str, object]) -> None:
    """Point against point, all but: with its penalty this game shrinks every distance, so it ends in one place.

    Source: Mescheder et al. 2018, arXiv:1801.04406, section 4.1, the Dirac-GAN.
    """
    network, critic, rng = Points(torch.zeros(2), 0.01), judge(), torch.Generator().manual_seed(2)
    game = SampledGame(network, critic, Adversary(AdversaryConfig.model_validate(settings), 3))
    players = [torch.optim.SGD(weights, 0.1) for weights in (critic.parameters(), [network.middle])]
    for update in range(400):
        game.adversary.update = update
        for player, terms_of in zip(players, (game.discriminator_terms, game.generator_terms), strict=True):
            player.zero_grad()
            torch.stack(list(terms_of(draw(rng, 0.01)).values())).sum().backward()
            player.step()
    torch.testing.assert_close(network.middle.detach(), MIDDLE, atol=0.2, rtol=0)


@GAMES
@pytest.mark.parametrize(("spread", "way"), [(0.1, 1), (0.9, -1)], ids=["too narrow", "too wide"])
def test_what_is_made_is_told_to_spread_as_the_references_do(
    settings: dict[str, object], spread: float, way: int
) -> None:
    """The judge looks at squared distances alone: its loss is convex, and says which kind lies farther out."""
    network, rng = Points(MIDDLE, spread), torch.Generator().manual_seed(1)
    critic = judge(lambda pixels: (pixels - MIDDLE).square())
    game = SampledGame(network, critic, Adversary(AdversaryConfig.model_validate(settings), 1))
    player = torch.optim.SGD(critic.parameters(), 0.1)
    for update in range(50):
        game.adversary.update = update
        player.zero_grad()
        torch.stack(list(game.discriminator_terms(draw(rng)).values())).sum().backward()
        player.step()
    (slope,) = torch.autograd.grad(game.generator_terms(draw(rng))["adversarial"], network.spread)
    assert (way * slope < 0).all()


def test_noise_follows_the_update_and_the_player(rng: torch.Generator) -> None:
    game = SampledGame(Points(MIDDLE, 0.3), judge(), Adversary(AdversaryConfig(), 3))
    references = draw(rng)
    first = game.made(references, 0)
    torch.testing.assert_close(game.made(references, 0), first)
    assert not torch.equal(game.made(references, 1), first)
    game.adversary.update = 1
    assert not torch.equal(game.made(references, 0), first)
    assert game.generator_terms(references, adversarial=False) == {}
    assert game.discriminator_terms(references).keys() == {"discriminator"}
