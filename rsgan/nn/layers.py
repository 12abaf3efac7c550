"""Layers that see more than a neighbourhood: the other places of an image, or the other images of its batch."""

from __future__ import annotations

from torch import Tensor, cat, nn, zeros
from torch.nn import functional

from rsgan.nn.ranks import gathered, mean_over_ranks


class MinibatchDeviation(nn.Module):
    """Appends one channel: the standard deviation over the batch, averaged over channels and pixels.

    A generator whose images are all alike is told by it, whatever each of them looks like.

    Source: Karras et al. 2018, arXiv:1710.10196, section 3.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 1, H, W)."""
        mean = mean_over_ranks(features.mean(0))
        deviation = mean_over_ranks((features - mean).square().mean(0)).add(1e-8).sqrt().mean()
        return cat([features, deviation.expand(len(features), 1, *features.shape[2:])], 1)


class MinibatchDiscrimination(nn.Module):
    """Appends channels that say how near an image is to the others of its batch, by learned features of its means.

    Source: Salimans et al. 2016, arXiv:1606.03498, section 3.2; its features are taken of the means over the image, so
    that images of any size can be judged.
    """

    def __init__(self, channels: int, kernels: int, depth: int = 8) -> None:
        super().__init__()
        self.kernels, self.depth = kernels, depth
        self.project = nn.Linear(channels, kernels * depth, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + kernels, H, W)."""
        projected = self.project(features.mean((2, 3))).reshape(-1, self.kernels, self.depth)
        others = gathered(projected)
        distance = (projected[:, None] - others[None]).abs().sum(3)
        near = ((-distance).exp().sum(1) - 1) / max(len(others) - 1, 1)
        return cat([features, near[..., None, None].expand(-1, -1, *features.shape[2:])], 1)


class SelfAttention(nn.Module):
    """Every place sees all others; starts as the identity.

    Source: Zhang et al. 2019, arXiv:1805.08318, section 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value, self.out = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)
        self.share = nn.Parameter(zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) in and out."""
        query, key, value = (layer(features).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        seen = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        whole = seen.transpose(1, 2).unflatten(2, features.shape[2:])
        result: Tensor = features + self.share * self.out(whole)
        return result
