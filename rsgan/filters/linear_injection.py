"""Detail of fine bands injected into coarse ones by a linear law that the scene itself teaches, one scale down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from rsgan.errors import RsganError
from rsgan.sensors.optical import consistent, degrade, kernel_reach, upsample

NEIGHBOURS = 3
"""Side of the neighbourhood of fine pixels that the law looks at; odd."""
RIDGE = 1e-2
"""Weight of the ridge, relative to the mean square of each feature."""
ROUNDING = 1e-7
"""Detail of a guide below this share of its largest value is rounding, and says nothing of other bands."""
STEPS = 5
"""Steps of back-projection that close the injection."""


def high_pass(guide: Tensor, sigma: Tensor, scale: int) -> Tensor:
    """What of the guide (N, G, scale h, scale w) a sensor of `sigma` would lose; same shape and unit."""
    return guide - upsample(degrade(guide, sigma, scale), scale)


def injection_reach(scale: int) -> int:
    """Coarse pixels that an injected pixel can depend on, to each side."""
    step = kernel_reach(scale) + 2
    return (STEPS + 1) * step + 1


@dataclass(frozen=True)
class LinearInjection:
    """detail of coarse band c = sum over guide bands and neighbours of weight * high-passed guide.

    Attributes:
        weights: (C, G, NEIGHBOURS, NEIGHBOURS) coarse unit per guide unit.
        sigma: (C,) Gaussian width of the coarse bands' point spread function in coarse pixels.
        scale: fine pixels per coarse pixel.
        steps: of back-projection that close the injection.

    Source: generalised Laplacian pyramid with MTF-matched filters and regression-based injection, Aiazzi et al. 2006,
    doi:10.14358/PERS.72.5.591, Vivone et al. 2018, doi:10.1109/TIP.2018.2819501; ridge over a neighbourhood is ours.
    """

    weights: Tensor
    sigma: Tensor
    scale: int
    steps: int = STEPS

    def __call__(self, observed: Tensor, guide: Tensor) -> Tensor:
        """Coarse bands on the fine grid.

        Args:
            observed: (N, C, h, w) coarse bands.
            guide: (N, G, scale h, scale w) fine bands.

        Returns:
            (N, C, scale h, scale w) in the unit of `observed`.
        """
        detail = _pad(high_pass(guide, self.sigma.mean().reshape(1, 1), self.scale))
        injected = functional.conv2d(detail, self.weights)
        return consistent(injected, observed, self.sigma[None], self.scale, 1.0, self.steps)

    def to(self, device: torch.device, dtype: torch.dtype) -> LinearInjection:
        """The same law elsewhere."""
        return replace(self, weights=self.weights.to(device, dtype), sigma=self.sigma.to(device, dtype))


def _pad(x: Tensor) -> Tensor:
    reach = NEIGHBOURS // 2
    return functional.pad(x, (reach, reach, reach, reach), mode="replicate")


class LinearFit:
    """Gathers, window by window, what one scale down says about the law; memory does not grow with the scene.

    One scale down the truth is known: the observed bands themselves. They and the guide are degraded once more, the
    guide is injected, and what it has to explain is what the observed bands lost.
    """

    def __init__(self, sigma: Tensor, guides: int, scale: int) -> None:
        features = guides * NEIGHBOURS**2
        self.sigma, self.scale, self.guides = sigma.double(), scale, guides
        self.gram = torch.zeros(features, features, dtype=torch.float64)
        self.cross = torch.zeros(features, len(sigma), dtype=torch.float64)
        self.largest = torch.zeros(guides, dtype=torch.float64)
        self.count = 0

    def add(self, observed: Tensor, guide: Tensor, valid: Tensor | None = None) -> None:
        """Learn from one window.

        Args:
            observed: (1, C, h, w) coarse bands, filled.
            guide: (1, G, scale h, scale w) fine bands, filled.
            valid: (h, w) True where a coarse pixel and its neighbourhood may be learnt from; None takes all.
        """
        height, width = (side // self.scale * self.scale for side in observed.shape[2:])
        if min(height, width) < 2 * self.scale:
            return
        guide = guide[..., : height * self.scale, : width * self.scale].double()
        observed = observed[..., :height, :width].double()
        shared = self.sigma.mean().reshape(1, 1)
        lost = high_pass(observed, self.sigma[None], self.scale)[0].flatten(1)
        coarse = degrade(guide, shared, self.scale)
        detail, level = high_pass(coarse, shared, self.scale), coarse[0].flatten(1).abs()
        features = functional.unfold(_pad(detail), NEIGHBOURS)[0]
        if valid is not None:
            kept = valid[:height, :width].flatten()
            lost, features, level = lost[:, kept], features[:, kept], level[:, kept]
        if features.shape[1] == 0:
            return
        self.largest = torch.maximum(self.largest, level.amax(1))
        self.gram += features @ features.T
        self.cross += features @ lost.T
        self.count += features.shape[1]

    def solve(self) -> LinearInjection:
        """The law that explains best what was gathered.

        Raises:
            RsganError: nothing was gathered.
        """
        if self.count == 0:
            raise RsganError(
                "the linear law finds no ground to learn from: the scene is smaller than "
                f"{2 * self.scale} coarse pixels, or its bands and the finer ones are nowhere valid together. Give a "
                "larger part of it, or check the nodata of the finer bands."
            )
        strength = torch.diag(self.gram)
        floor = self.count * (ROUNDING * self.largest.repeat_interleave(NEIGHBOURS**2)) ** 2
        ridge = torch.diag(RIDGE * strength + floor + 1e-30)
        weights = torch.linalg.solve(self.gram + ridge, self.cross).T
        shape = (len(self.sigma), self.guides, NEIGHBOURS, NEIGHBOURS)
        return LinearInjection(weights.reshape(shape).contiguous(), self.sigma, self.scale)
