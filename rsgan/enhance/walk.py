"""The window walk: read with halo, enhance in batches, crop, write; memory does not grow with the scene.

One thread reads ahead, one writes behind, so that neither disk nor compression waits for the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.guiding import Guiding
from rsgan.geo import (
    Canvas,
    KeptRows,
    RasterWriter,
    Scene,
    Window,
    WindowPlan,
    ahead,
    behind,
    fill,
    scale_window,
)
from rsgan.geo.rows import Figures
from rsgan.radiometry import Backscatter

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (windows done, windows in all)."""


class Enhancer(Protocol):
    """Whatever makes a batch of observed chips better.

    Attributes:
        scale: output pixels per input pixel.
        halo: input pixels that an output pixel can depend on, to each side.
    """

    @property
    def scale(self) -> int: ...  # noqa: D102

    @property
    def halo(self) -> int: ...  # noqa: D102

    @property
    def beside(self) -> Floats | None:
        """What goes into the second raster, (N, C, scale h, scale w), of the batch that was enhanced last; or None."""
        ...

    def __call__(
        self, observed: Floats, inner: tuple[slice, slice], valid: NDArray[np.bool_], guide: Floats | None = None
    ) -> Floats:
        """Enhance (N, C, h, w) reflectance, guided by (N, G, scale h, scale w) if there is a guide.

        `inner` and `valid` say which input pixels count for its own figures.
        """
        ...


@dataclass(frozen=True)
class Resumption:
    """How an interrupted run goes on.

    Attributes:
        rows: finished ones, which are not done again; those of this run join them.
        figures: gives what the enhancer has summed up so far.
        go_on: lets it sum up from there on.
    """

    rows: KeptRows
    figures: Callable[[], Figures]
    go_on: Callable[[Figures], None]


@dataclass(frozen=True)
class GuideView:
    """Finer bands as the walk reads them.

    Attributes:
        guiding: where they are.
        background: (G,) reflectance for pixels far from every valid one.
        order: which of (finer bands, then enhanced ones) each output band is; None writes the enhanced ones only.
    """

    guiding: Guiding
    background: NDArray[np.floating]
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Step:
    """One window, read and filled: `values` (C, h, w) with halo, `inner` where the kept pixels lie in it.

    `guide` holds the finer bands over the same ground, (G, scale h, scale w).
    """

    window: WindowPlan
    values: Floats
    valid: NDArray[np.bool_]
    inner: tuple[slice, slice]
    guide: Floats | None = None


def _read(
    scene: Scene, window: WindowPlan, background: NDArray[np.floating] | None, halo: int, view: GuideView | None
) -> Step:
    """Read a window, fill its holes, then let go of the pixels that only the filling needed."""
    chip = scene.read(window.read)
    if background is None:
        return Step(window, chip.values, chip.valid, window.inner)
    values = fill(chip, background)
    rows, row_inner = _trim(window.inner[0], values.shape[1], halo)
    columns, column_inner = _trim(window.inner[1], values.shape[2], halo)
    guide = None
    if view is not None:
        fine = fill(view.guiding.read(window.read), view.background)
        guide = fine[:, _zoomed(rows, view.guiding.scale), _zoomed(columns, view.guiding.scale)]
    return Step(window, values[:, rows, columns], chip.valid[:, rows, columns], (row_inner, column_inner), guide)


Stored = NDArray[Any]
Restore = Callable[[Floats, Step, NDArray[np.bool_], Scene, float | None], Stored]
"""Called with kept physical values, their step, what is valid in them, the scene and the output's nodata."""


def _zoomed(pixels: slice, scale: int) -> slice:
    return slice(pixels.start * scale, pixels.stop * scale)


def _trim(inner: slice, size: int, halo: int) -> tuple[slice, slice]:
    start, stop = max(inner.start - halo, 0), min(inner.stop + halo, size)
    return slice(start, stop), slice(inner.start - start, inner.stop - start)


def _grouped(steps: Iterator[Step], batch: int) -> Iterator[list[Step]]:
    """Runs of at most `batch` consecutive steps of one shape and one row of windows."""
    group: list[Step] = []
    for step in steps:
        if group and (
            len(group) == batch
            or step.values.shape != group[0].values.shape
            or step.inner != group[0].inner
            or step.window.keep.row_off != group[0].window.keep.row_off
        ):
            yield group
            group = []
        group.append(step)
    if group:
        yield group


def restore(enhanced: Floats, valid: NDArray[np.bool_], scene: Scene, nodata: float | None, scale: int) -> NDArray[Any]:
    """Reflectance -> stored numbers, nodata in the whole scale x scale square of each invalid pixel."""
    dn = scene.radiometry.to_dn(enhanced, nodata)
    if nodata is not None:
        invalid = ~np.repeat(np.repeat(valid, scale, axis=1), scale, axis=2)
        dn[invalid] = np.array(nodata).astype(dn.dtype)
    return dn


def keep_stored(radiometry: Backscatter) -> Restore:
    """Intensity -> numbers of `radiometry`; what is invalid keeps the number that the scene stores.

    So a border of zeros, the NaN of another band and a declared nodata all stay what they were. Where `radiometry` is
    of another quantity than the scene's, what is invalid becomes NaN.
    """

    def restored(enhanced: Floats, step: Step, valid: NDArray[np.bool_], scene: Scene, nodata: float | None) -> Stored:
        dn = radiometry.to_dn(enhanced, nodata)
        if not valid.all():
            same = isinstance(scene.radiometry, Backscatter) and radiometry.quantity == scene.radiometry.quantity
            kept = scene.read_kept(step.window.keep) if same else np.full_like(dn, np.nan)
            dn[~valid] = (np.abs(kept) if np.iscomplexobj(kept) else kept)[~valid]
        return dn

    return restored


def walk(
    scene: Scene,
    enhancer: Enhancer,
    writer: RasterWriter,
    *,
    windows: Sequence[WindowPlan],
    background: NDArray[np.floating] | None,
    view: GuideView | None = None,
    second: RasterWriter | None = None,
    store: Restore | None = None,
    batch: int = 1,
    progress: Progress | None = None,
    resumption: Resumption | None = None,
) -> None:
    """Enhance every window of a plan and write it where it belongs.

    Args:
        scene: open scene.
        enhancer: what to do with a batch.
        writer: open writer whose grid is that of the windows, `enhancer.scale` times finer.
        windows: plan with at least `enhancer.halo` + `FILL_REACH` pixels of halo, origins relative to the scene.
        background: (C,) reflectance for pixels far from every valid one; None leaves holes to the enhancer, and then
            the halo needs no `FILL_REACH`.
        view: finer bands that guide; None without.
        second: open float32 writer on the same grid for what the enhancer puts beside the result; None without.
        store: physical values -> stored numbers; None restores reflectance, see `restore`.
        batch: windows per call of the enhancer.
        progress: called after each batch.
        resumption: keeps finished rows, and leaves those out that an interrupted run has kept; without a second
            writer.
    """
    origin = windows[0].keep
    row = _Row(resumption)
    with Canvas(writer, row.finished) as canvas, Canvas(second) if second is not None else nullcontext() as besides:
        first = origin.row_off + row.restored(canvas, enhancer.scale)
        left = [window for window in windows if window.keep.row_off >= first]
        done = len(windows) - len(left)
        if done and progress is not None:
            progress(done, len(windows))

        def put(group: list[Step], enhanced: Floats, doubts: Floats | None, figures: Figures) -> None:
            row.figures = figures
            rows, columns = (_zoomed(s, enhancer.scale) for s in group[0].inner)
            for number, (step, chip) in enumerate(zip(group, enhanced[:, :, rows, columns], strict=True)):
                kept = step.valid[:, step.inner[0], step.inner[1]]
                if store is not None:
                    dn = store(chip, step, kept, scene, writer.nodata)
                else:
                    dn = restore(chip, kept, scene, writer.nodata, enhancer.scale)
                if view is not None and view.order is not None:
                    dn = _stacked(dn, view, step.window.keep, writer.nodata)
                place = scale_window(_relative(step.window, origin), enhancer.scale)
                canvas.add(dn, place)
                if besides is not None and doubts is not None:
                    besides.add(_masked(doubts[number, :, rows, columns], kept, enhancer.scale), place)

        def read(window: WindowPlan) -> Step:
            return _read(scene, window, background, enhancer.halo, view)

        with behind() as later, ahead(read, left, batch) as steps:
            for group in _grouped(steps, batch):
                valid = np.stack([step.valid for step in group])
                guides = [step.guide for step in group if step.guide is not None]
                guide = np.stack(guides) if guides else None
                enhanced = enhancer(np.stack([step.values for step in group]), group[0].inner, valid, guide)
                doubts = None if second is None else enhancer.beside
                later(partial(put, group, enhanced, doubts, {} if resumption is None else resumption.figures()))
                done += len(group)
                if progress is not None:
                    progress(done, len(windows))


class _Row:
    """Which row band is in the making, and what was summed up until its end."""

    def __init__(self, resumption: Resumption | None) -> None:
        self.resumption, self.number = resumption, 0
        self.figures: Figures = {}

    def restored(self, canvas: Canvas, scale: int) -> int:
        """Put what was finished before in its place; gives the observed rows that are done."""
        if self.resumption is None:
            return 0
        done = 0
        for band, figures in self.resumption.rows.kept():
            done = canvas.restore(band)
            self.resumption.go_on(figures)
            self.number += 1
        return done // scale

    def finished(self, band: Stored) -> None:
        """Keep a row band, where rows are kept."""
        if self.resumption is not None:
            self.resumption.rows.keep(self.number, band, self.figures)
        self.number += 1


def _masked(values: Floats, valid: NDArray[np.bool_], scale: int) -> Floats:
    """NaN in the whole scale x scale square of each invalid pixel."""
    return np.where(valid.repeat(scale, axis=1).repeat(scale, axis=2), values, np.float32(np.nan))


def _stacked(dn: NDArray[Any], view: GuideView, keep: Window, nodata: float | None) -> NDArray[Any]:
    """Enhanced bands and the finer ones, the latter as they are stored, but for the nodata that the output declares."""
    chip = view.guiding.scene.read(view.guiding.place(keep))
    stored = restore(chip.values, chip.valid, view.guiding.scene, nodata, 1)
    joined: NDArray[Any] = np.concatenate([stored, dn])[list(view.order or ())]
    return joined


def _relative(window: WindowPlan, origin: Window) -> Window:
    keep = window.keep
    return Window(keep.col_off - origin.col_off, keep.row_off - origin.row_off, keep.width, keep.height)
