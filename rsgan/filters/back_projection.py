"""Iterative back-projection: the learning-free baseline of super-resolution."""

from __future__ import annotations

from torch import Tensor

from rsgan.sensors.optical import consistent


def back_projection(observed: Tensor, sigma: Tensor, scale: int, steps: int) -> Tensor:
    """Bicubic interpolation followed by full consistency steps with the true sensor model.

    Args:
        observed: (N, C, h, w), any unit linear in radiance.
        sigma: Gaussian width of the point spread function in input pixels, broadcastable to (N, C).
        scale: output pixels per input pixel.
        steps: number of steps; 0 is bicubic. Many steps amplify noise.

    Returns:
        (N, C, scale h, scale w).

    Source: Irani and Peleg 1991, doi:10.1016/1049-9652(91)90045-L.
    """
    n, c, height, width = observed.shape
    nothing_learned = observed.new_zeros((n, c, height * scale, width * scale))
    return consistent(nothing_learned, observed, sigma, scale, 1.0, steps)
