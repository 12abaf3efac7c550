import pytest
import torch

from rsgan.nn.uncertainty import FLOOR, UncertaintyConfig, UncertaintyHead


def head_of(**config: int) -> UncertaintyHead:
    torch.manual_seed(5)
    return UncertaintyHead(UncertaintyConfig(**config)).eval()


@pytest.mark.parametrize("scale", [1, 2, 4])
@torch.no_grad()
def test_a_standard_error_above_the_floor_for_every_pixel(rng: torch.Generator, scale: int) -> None:
    enhanced = torch.randn(2, 3, 8 * scale, 6 * scale, generator=rng)
    observed = torch.randn(2, 3, 8, 6, generator=rng)
    standard = head_of()(enhanced, observed, enhanced.abs(), torch.full((2, 3), 0.1))
    assert standard.shape == enhanced.shape
    assert float(standard.min()) > FLOOR
    assert standard.isfinite().all()


def test_bands_are_looked_at_one_by_one(rng: torch.Generator) -> None:
    enhanced, observed = torch.randn(1, 3, 16, 16, generator=rng), torch.randn(1, 3, 8, 8, generator=rng)
    spread, noise = enhanced.abs(), torch.tensor([[0.1, 0.2, 0.3]])
    head = head_of()
    together = head(enhanced, observed, spread, noise)
    for band in range(3):
        one = slice(band, band + 1)
        torch.testing.assert_close(
            together[:, one], head(enhanced[:, one], observed[:, one], spread[:, one], noise[:, one])
        )


def test_a_value_depends_on_nothing_beyond_the_stated_reach(rng: torch.Generator) -> None:
    head = head_of(layers=3)
    enhanced = torch.randn(1, 1, 32, 32, generator=rng)
    observed, noise = torch.zeros(1, 1, 16, 16), torch.full((1, 1), 0.1)
    changed = enhanced.clone()
    changed[..., 16, 16] += 5
    moved = head(enhanced, observed, enhanced.abs(), noise) != head(changed, observed, changed.abs(), noise)
    rows = moved[0, 0].any(1).nonzero().flatten()
    assert 16 - head.reach <= int(rows.min()) <= int(rows.max()) <= 16 + head.reach


def test_it_learns_a_scale_that_the_spread_of_the_passes_tells(rng: torch.Generator) -> None:
    """Errors drawn with a standard deviation that is three times the spread: the ratio is found over two decades."""
    head = head_of()
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    zeros, noise = torch.zeros(8, 1, 12, 12), torch.full((8, 1), 0.1)
    for _ in range(500):
        spread = torch.exp(torch.empty(8, 1, 1, 1).uniform_(-3, 0.5, generator=rng)).expand(-1, -1, 24, 24)
        error = 3 * spread * torch.randn(spread.shape, generator=rng)
        standard = head(torch.zeros_like(spread), zeros, spread, noise)
        optimizer.zero_grad()
        ((error / standard) ** 2 / 2 + standard.log()).mean().backward()
        optimizer.step()
    for level in (0.1, 1.0):
        spread = torch.full((8, 1, 24, 24), level)
        found = head(torch.zeros_like(spread), zeros, spread, noise)[..., 6:-6, 6:-6].mean().detach()
        assert float(found) == pytest.approx(3 * level, rel=0.3), found
