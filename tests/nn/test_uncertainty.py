import math

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


@torch.no_grad()
def test_some_weights_tell_a_multiple_of_the_spread_at_every_level(rng: torch.Generator) -> None:
    """It sees the logarithm of the spread and tells that of the error: a factor is an offset, over five decades."""
    head = head_of()
    for layer in head.layers:
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[0, 0, 1, 1] = 1
    first, *_, last = head.layers
    first.weight[0, :, 1, 1] = torch.tensor([0.0, 0, 1, 0, 0])  # the plane of the spread, raised above the rectifiers
    first.bias[0], last.bias[0] = 10, math.log(3) - 10
    spread = torch.exp(torch.empty(4, 2, 24, 24).uniform_(-7, 5, generator=rng))
    observed, noise = torch.randn(4, 2, 12, 12, generator=rng), torch.full((4, 2), 0.1)
    standard = head(torch.randn(spread.shape, generator=rng), observed, spread, noise)
    torch.testing.assert_close(standard, 3 * (spread + FLOOR) + FLOOR, rtol=1e-4, atol=0)


def test_the_likelihood_of_errors_teaches_every_weight(rng: torch.Generator) -> None:
    head, error = head_of(), torch.randn(2, 3, 16, 12, generator=rng)
    spread, noise = torch.rand(error.shape, generator=rng), torch.rand(2, 3, generator=rng)
    standard = head(torch.randn(error.shape, generator=rng), torch.randn(2, 3, 8, 6, generator=rng), spread, noise)
    ((error / standard) ** 2 / 2 + standard.log()).mean().backward()
    for name, weight in head.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().max()) > 0, name
