import pytest
import torch
from torch import nn

from rsgan.nn.augmentation import Augmenter, augment


def images(n: int, side: int = 8) -> torch.Tensor:
    return torch.randn(n, 2, side, side, generator=torch.Generator().manual_seed(3)) + 1


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_share_changes_nothing_and_channels_go_together() -> None:
    some = images(6)
    torch.testing.assert_close(augment(some, 0.0, 0.5, chance()), some, rtol=0, atol=0)
    some[:, 1] = 2 * some[:, 0]
    made = augment(some, 1.0, 0.5, chance())
    torch.testing.assert_close(made[:, 1], 2 * made[:, 0])


def test_the_eight_symmetries_are_as_likely_when_all_is_drawn() -> None:
    one = images(1)
    made = augment(one.expand(4000, -1, -1, -1), 1.0, 0.0, chance())
    kinds = {}
    for turned in made:
        key = tuple(turned.flatten().tolist())
        kinds[key] = kinds.get(key, 0) + 1
    assert len(kinds) == 8
    assert max(kinds.values()) < 1.2 * 500
    assert min(kinds.values()) > 0.8 * 500


@pytest.mark.parametrize("shape", [(8, 8), (6, 10)])
def test_rows_stay_rows_where_they_have_to(shape: tuple[int, int]) -> None:
    rows = torch.arange(float(shape[0]))[None, None, :, None].expand(300, 1, *shape)
    made = augment(rows, 1.0, 0.0, chance(), turns=shape[0] != shape[1])
    assert ((made[..., 0] - made[..., -1]).abs() < 1e-9).all()


def test_gain_is_drawn_around_one() -> None:
    ones = torch.ones(2000, 1, 2, 2)
    factors = augment(ones, 1.0, 0.1, chance())[:, 0, 0, 0].log()
    assert float(factors.mean()) == pytest.approx(0, abs=0.01)
    assert float(factors.std()) == pytest.approx(0.1, rel=0.05)


def test_an_augmenter_is_off_until_it_is_told_and_repeats_itself() -> None:
    network = nn.ModuleDict({"layers": nn.Sequential(nn.Identity()), "other": nn.Identity()})
    augmenter = Augmenter(network, 0.0, turns=True)
    some = images(8)
    assert network["layers"](some) is some
    augmenter.share, made = 1.0, []
    for _ in range(2):
        augmenter.seed, augmenter.calls = 5, 0
        made.append([network["layers"](some), network["layers"](some)])
    torch.testing.assert_close(made[0], made[1], rtol=0, atol=0)
    assert not torch.equal(made[0][0], made[0][1])
    assert network["other"](some) is some
