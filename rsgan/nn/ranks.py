"""Several processes that share one batch: sums over all of them, through which gradients flow.

Every process holds an equal part of the batch and the same weights; their gradients are averaged after each backward
pass. So a loss that is a mean over the images of a process needs nothing from here. What couples the images of a batch
(batch statistics, relativistic losses, weighted means) does, and then gives the same numbers on any number of them.
Alone, all of it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def count() -> int:
    """Processes that share a batch; 1 alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def number() -> int:
    """Of this process, from 0."""
    return dist.get_rank() if count() > 1 else 0


class _MeanOverRanks(torch.autograd.Function):
    """Its own adjoint, so its gradient is the same again, as often as one likes."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:  # noqa: ANN401 - torch's context
        total = values.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total / count()

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        return mean_over_ranks(gradient)


def mean_over_ranks(values: Tensor) -> Tensor:
    """The mean of what every process has, of one shape; all of them have to come here."""
    if count() == 1:
        return values
    mean: Tensor = _MeanOverRanks.apply(values)
    return mean


def gathered(values: Tensor) -> Tensor:
    """(N, ...) of every process, one after the other: (count N, ...), the same on all."""
    if count() == 1:
        return values
    before = values.new_zeros(number() * len(values), *values.shape[1:])
    behind = values.new_zeros((count() - 1 - number()) * len(values), *values.shape[1:])
    return mean_over_ranks(torch.cat([before, values, behind])) * count()


def own(values: Tensor) -> Tensor:
    """The part of this process of what is (count N, ...) for all."""
    size = len(values) // count()
    return values[number() * size : (number() + 1) * size]


@torch.no_grad()
def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes, in one go."""
    if count() == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    flat = mean_over_ranks(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of the whole batch, wherever its images are."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) in and out."""
        if count() == 1 or not self.training:
            normalised: Tensor = super().forward(features)
            return normalised
        axes, place = (0, 2, 3), (1, -1, 1, 1)
        mean = mean_over_ranks(features.mean(axes))
        variance = mean_over_ranks((features - mean.reshape(place)).square().mean(axes))
        self._remember(mean.detach(), variance.detach(), features.numel() // features.shape[1] * count())
        made = (features - mean.reshape(place)) * (variance + self.eps).rsqrt().reshape(place)
        return made * self.weight.reshape(place) + self.bias.reshape(place) if self.affine else made

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Running statistics for when there is no batch, as torch keeps them: the variance without its bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_((variance * values / max(values - 1, 1)).to(self.running_var), share)


def with_shared_statistics(network: Network) -> Network:
    """The same network, its layers of batch normalisation replaced by `BatchNorm`, weights and all."""
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = BatchNorm(child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats)
            shared.load_state_dict(child.state_dict())
            setattr(network, name, shared)
        else:
            with_shared_statistics(child)
    return network
