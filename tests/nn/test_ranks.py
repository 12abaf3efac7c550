"""What changes nothing alone; that it holds on several processes is tested in tests/training/test_processes.py."""

import pytest
import torch
from torch import nn

from rsgan.nn import ranks
from rsgan.nn.ranks import BatchNorm, with_shared_statistics


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_the_sums_over_processes_are_those_of_torch_for_one(
    affine: bool, momentum: float | None, rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way of several processes forced on one that is alone."""
    ours = BatchNorm(3, affine=affine, momentum=momentum)
    theirs = nn.BatchNorm2d(3, affine=affine, momentum=momentum)
    monkeypatch.setattr(ranks, "mean_over_ranks", lambda values: values)
    counts = iter([2, 1] * 9)
    monkeypatch.setattr(ranks, "count", lambda: next(counts))  # several in the question, one in the sum
    for _ in range(3):
        features = torch.randn(4, 3, 5, 5, generator=rng) * 2 + 1
        torch.testing.assert_close(ours(features), theirs(features))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_layers_are_replaced_wherever_they_are_and_keep_their_numbers(rng: torch.Generator) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2, eps=1e-3), nn.ReLU()))
    network(torch.randn(4, 1, 6, 6, generator=rng))
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    shared = with_shared_statistics(network)
    assert isinstance(shared[1][0], BatchNorm)
    assert shared[1][0].eps == 1e-3
    for name, value in shared.state_dict().items():
        torch.testing.assert_close(value, kept[name], rtol=0, atol=0)
