"""What the window walk computes: batches of windows in, what is kept of each out; halved where memory does not suffice.

Nothing here knows a scene, a raster or a thread, so that a batch may be computed on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.errors import RsganError
from rsgan.geo import WindowPlan

Floats = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)
Inner = tuple[slice, slice]
"""Rows and columns of a chip that are kept; what lies around them is context."""


@dataclass(frozen=True)
class Made:
    """What an enhancer makes of a batch.

    Attributes:
        values: (N, C, scale h, scale w) physical units.
        beside: what goes into a second raster, (N, C, scale h, scale w); None without.
        figures: what is summed up over the inner pixels of each chip, (N, ...) by name.
    """

    values: Floats
    beside: Floats | None = None
    figures: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Enhancer(Protocol):
    """Whatever makes a batch of observed chips better; it keeps nothing of one batch for the next.

    Attributes:
        scale: output pixels per input pixel.
        halo: input pixels that an output pixel can depend on, to each side.
        stride: input pixels of which a chip begins at a multiple.
    """

    @property
    def scale(self) -> int: ...  # noqa: D102

    @property
    def halo(self) -> int: ...  # noqa: D102

    @property
    def stride(self) -> int: ...  # noqa: D102

    def __call__(self, observed: Floats, inner: Inner, valid: NDArray[np.bool_], guide: Floats | None = None) -> Made:
        """Enhance (N, C, h, w) physical units, guided by (N, G, scale h, scale w) if there is a guide.

        `inner` and `valid` say which input pixels count for the figures.
        """
        ...


@dataclass(frozen=True)
class Step:
    """One window, read and filled: `values` (C, h, w) with halo, `inner` where the kept pixels lie in it.

    `guide` holds the finer bands over the same ground, (G, scale h, scale w).
    """

    window: WindowPlan
    values: Floats
    valid: NDArray[np.bool_]
    inner: Inner
    guide: Floats | None = None


@dataclass(frozen=True)
class Kept:
    """What is kept of one window.

    Attributes:
        values: (C, scale H, scale W) physical units, the halo cropped.
        beside: likewise, for a second raster; None without.
        figures: of the window, by name.
        halvings: how many times the window was halved because memory did not suffice.
    """

    values: Floats
    beside: Floats | None
    figures: Mapping[str, NDArray[Any]]
    halvings: int = 0


@dataclass
class Batches:
    """An enhancer that takes smaller pieces where memory does not suffice, and remembers that it did not.

    Pieces have their halo like windows, so they give the same pixels.

    Attributes:
        enhancer: what is done.
        halvings: how many times each window is halved from now on.
    """

    enhancer: Enhancer
    halvings: int = 0

    def __call__(self, steps: Sequence[Step]) -> list[Kept]:
        """Enhance windows of one shape.

        Raises:
            RsganError: memory does not suffice for the smallest pieces.
        """
        while True:
            try:
                if self.halvings == 0:
                    return self._at_once(steps)
                return [self._in_pieces(step, self.halvings) for step in steps]
            except (MemoryError, RuntimeError) as error:
                if not _is_of_memory(error):
                    raise
                if not self._divisible(steps[0]):
                    raise self._too_much(steps) from error
            self.halvings += 1  # outside, so that the failed batch is given back before the next try

    def _at_once(self, steps: Sequence[Step]) -> list[Kept]:
        inner = steps[0].inner
        guides = [step.guide for step in steps if step.guide is not None]
        values, valid = _together([step.values for step in steps]), _together([step.valid for step in steps])
        made = self.enhancer(values, inner, valid, _together(guides) if guides else None)
        rows, columns = (zoomed(part, self.enhancer.scale) for part in inner)
        return [
            Kept(
                made.values[number][:, rows, columns],
                None if made.beside is None else made.beside[number][:, rows, columns],
                {name: values[number] for name, values in made.figures.items()},
            )
            for number in range(len(steps))
        ]

    def _in_pieces(self, step: Step, halvings: int) -> Kept:
        if halvings == 0:
            return self._at_once([step])[0]
        axis = _longer(step.inner)
        first, second = (self._in_pieces(half, halvings - 1) for half in self._halves(step, axis))
        return Kept(
            np.concatenate([first.values, second.values], axis + 1),
            None
            if first.beside is None or second.beside is None
            else np.concatenate([first.beside, second.beside], axis + 1),
            {name: values + second.figures[name] for name, values in first.figures.items()},
            self.halvings,
        )

    def _halves(self, step: Step, axis: int) -> tuple[Step, Step]:
        kept = step.inner[axis]
        middle = (kept.start + kept.stop) // 2
        return self._part(step, axis, slice(kept.start, middle)), self._part(step, axis, slice(middle, kept.stop))

    def _part(self, step: Step, axis: int, kept: slice) -> Step:
        """A part of a window with the context that it needs, begun at a multiple of the stride."""
        seen, inside = trimmed(kept, step.values.shape[axis + 1], self.enhancer.halo, self.enhancer.stride)
        where = (slice(None), seen) if axis == 0 else (slice(None), slice(None), seen)
        scale, guide = self.enhancer.scale, None
        if step.guide is not None:
            fine = zoomed(seen, scale)
            guide = step.guide[:, fine] if axis == 0 else step.guide[:, :, fine]
        inner = (inside, step.inner[1]) if axis == 0 else (step.inner[0], inside)
        return replace(step, values=step.values[where], valid=step.valid[where], inner=inner, guide=guide)

    def _divisible(self, step: Step) -> bool:
        """Whether halving the pieces once more makes them smaller."""
        for _ in range(self.halvings):
            step = self._halves(step, _longer(step.inner))[0]
        longest = max(part.stop - part.start for part in step.inner)
        return bool(longest >= 2 * self.enhancer.stride and longest > self.enhancer.halo // 4)

    def _too_much(self, steps: Sequence[Step]) -> RsganError:
        height, width = steps[0].values.shape[1:]
        tried = f", nor for pieces of them, halved {self.halvings} times" if self.halvings else ""
        return RsganError(
            f"not enough memory for {len(steps)} windows of {width} x {height} input pixels{tried}. Give a smaller "
            "--window or --batch, or free memory."
        )


def _together(chips: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """(N, C, h, w) of N chips; one is not copied."""
    return chips[0][None] if len(chips) == 1 else np.stack(chips)


def trimmed(kept: slice, size: int, halo: int, stride: int = 1) -> tuple[slice, slice]:
    """What is needed of an axis of `size` pixels for those that are kept, and where these lie in it."""
    start, stop = max(kept.start - halo, 0) // stride * stride, min(kept.stop + halo, size)
    return slice(start, stop), slice(kept.start - start, kept.stop - start)


def zoomed(pixels: slice, scale: int) -> slice:
    """The same pixels on a grid that is `scale` times finer."""
    return slice(pixels.start * scale, pixels.stop * scale)


def _longer(inner: Inner) -> int:
    rows, columns = (part.stop - part.start for part in inner)
    return 0 if rows >= columns else 1


def _is_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether memory did not suffice: torch has a class of its own for that on GPUs only."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
