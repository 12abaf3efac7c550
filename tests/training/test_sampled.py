"""The sampled game: the same adversary, and no pairs."""

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rsgan.training.config import AdversaryConfig
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.sampled import SampledGame


class Points(nn.Module):
    """Noise -> (N, 1, 1, 2) images of two pixels."""

    latent = 4

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, noise: Tensor) -> Tensor:
        return self.net(noise)[:, None, None]


def judge() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


def draw(rng: torch.Generator) -> Tensor:
    return (torch.tensor([2.0, -1.0]) + 0.3 * torch.randn(64, 2, generator=rng))[:, None, None]


def play(settings: dict[str, object], updates: int = 1500) -> Tensor:
    """Images of the averaged generator, as games ship it: the last update circles about them."""
    torch.manual_seed(1)
    network, critic, rng = Points(), judge(), torch.Generator().manual_seed(2)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    game = SampledGame(network, critic, Adversary(AdversaryConfig.model_validate(settings), 3))
    players = [
        torch.optim.Adam(x.parameters(), lr=rate, betas=(0.5, 0.9)) for x, rate in ((critic, 4e-3), (network, 2e-3))
    ]
    for update in range(updates):
        game.adversary.update = update
        for player, terms_of in zip(players, (game.discriminator_terms, game.generator_terms), strict=True):
            player.zero_grad()
            torch.stack(list(terms_of(draw(rng)).values())).sum().backward()
            player.step()
        averaged.update_parameters(network)
    with torch.no_grad():
        return averaged(torch.randn(4000, 4, generator=rng)).flatten(1)


@pytest.mark.parametrize(
    "settings",
    [
        {"r1": 0.2, "every": 4},
        {"objective": "hinge", "r1": 0.2, "every": 4},
        {"objective": "relativistic-paired", "r1": 0.2, "r2": 0.2, "every": 4},
    ],
    ids=["r1", "hinge", "relativistic"],
)
def test_what_is_made_comes_to_lie_where_the_references_are(settings: dict[str, object]) -> None:
    made = play(settings)
    torch.testing.assert_close(made.mean(0), torch.tensor([2.0, -1.0]), atol=0.1, rtol=0)
    assert 0.05 < float(made.std(0).min())
    assert float(made.std(0).max()) < 0.5


def test_noise_follows_the_update_and_the_player(rng: torch.Generator) -> None:
    game = SampledGame(Points(), judge(), Adversary(AdversaryConfig(), 3))
    references = draw(rng)
    first = game.made(references, 0)
    torch.testing.assert_close(game.made(references, 0), first)
    assert not torch.equal(game.made(references, 1), first)
    game.adversary.update = 1
    assert not torch.equal(game.made(references, 0), first)
    assert game.generator_terms(references, adversarial=False) == {}
    assert game.discriminator_terms(references).keys() == {"discriminator"}
