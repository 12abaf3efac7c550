"""The window walk: read with halo, enhance in batches, crop, write; memory does not grow with the scene.

One thread reads ahead, one writes behind, so that neither disk nor compression waits for the network.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.batches import Batches, Enhancer, Floats, Kept, Step, trimmed, zoomed
from rsgan.enhance.guiding import Guiding
from rsgan.errors import RsganWarning
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
    plan,
    scale_window,
)
from rsgan.geo.rows import Figures, Finished
from rsgan.radiometry import Backscatter

Progress = Callable[[int, int], None]
"""Called with (windows done, windows in all)."""
Engine = Callable[[Iterable[list[Step]]], Iterator[tuple[list[Step], list[Kept]]]]
"""Computes batches, in their order."""


class Tally(Protocol):
    """What is summed up over the windows of a scene, in their order."""

    def add(self, step: Step, kept: Kept, valid: NDArray[np.bool_]) -> None:
        """Take one window; `valid` (C, H, W) says which of its kept pixels count."""
        ...

    def state(self) -> Figures:
        """All that was summed up so far, by name."""
        ...

    def go_on(self, state: Figures) -> None:
        """Sum up from there on."""
        ...


@dataclass
class Sums:
    """The sums of what an enhancer says of each window.

    Attributes:
        figures: by name, so far.
    """

    figures: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, step: Step, kept: Kept, valid: NDArray[np.bool_]) -> None:
        """See `Tally`."""
        for name, values in kept.figures.items():
            self.figures[name] = self.figures.get(name, 0) + values

    def state(self) -> Figures:
        """See `Tally`."""
        return dict(self.figures)

    def go_on(self, state: Figures) -> None:
        """See `Tally`."""
        self.figures = dict(state)


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


def _read(
    scene: Scene,
    window: WindowPlan,
    background: NDArray[np.floating] | None,
    enhancer: Enhancer,
    view: GuideView | None,
) -> Step:
    """Read a window, fill its holes, then let go of the pixels that only the filling needed."""
    chip = scene.read(window.read)
    if background is None:
        return Step(window, chip.values, chip.valid, window.inner)
    values = fill(chip, background)
    rows, row_inner = trimmed(window.inner[0], values.shape[1], enhancer.halo, enhancer.stride)
    columns, column_inner = trimmed(window.inner[1], values.shape[2], enhancer.halo, enhancer.stride)
    guide = None
    if view is not None:
        fine = fill(view.guiding.read(window.read), view.background)
        guide = fine[:, zoomed(rows, view.guiding.scale), zoomed(columns, view.guiding.scale)]
    return Step(window, values[:, rows, columns], chip.valid[:, rows, columns], (row_inner, column_inner), guide)


Stored = NDArray[Any]
Restore = Callable[[Floats, Step, NDArray[np.bool_], Scene, float | None], Stored]
"""Called with kept physical values, their step, what is valid in them, the scene and the output's nodata."""


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


def _restored(scale: int) -> Restore:
    """`restore`, as the walk calls it."""

    def restored(enhanced: Floats, step: Step, valid: NDArray[np.bool_], scene: Scene, nodata: float | None) -> Stored:
        return restore(enhanced, valid, scene, nodata, scale)

    return restored


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
    tally: Tally | None = None,
    rows: KeptRows | None = None,
    engine: Engine | None = None,
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
        tally: sums up what the windows say; None does not.
        rows: keep what is finished, and hold what an interrupted run has finished, which is not done again.
        engine: computes the batches; None computes them here, one after the other.

    Warns:
        RsganWarning: memory did not suffice for a window, so that it was done in pieces.
    """
    origin, stored = windows[0].keep, store or _restored(enhancer.scale)
    row = _Row(rows, tally or Sums())
    beside = Canvas(second, row.finished_beside) if second is not None else nullcontext()
    with Canvas(writer, row.finished) as canvas, beside as besides:
        first = origin.row_off + row.restored(canvas, besides) // enhancer.scale
        left = [window for window in windows if window.keep.row_off >= first]
        done = len(windows) - len(left)
        if done and progress is not None:
            progress(done, len(windows))

        def put(group: list[Step], made: list[Kept]) -> None:
            for step, kept in zip(group, made, strict=True):
                valid = _kept_valid(step)
                row.tally.add(step, kept, valid)
                dn = _as_stored(step, kept, scene, stored, view, writer.nodata)
                place = scale_window(_relative(step.window, origin), enhancer.scale)
                if besides is not None and kept.beside is not None:
                    besides.add(_masked(kept.beside, valid, enhancer.scale), place)
                canvas.add(dn, place)

        def read(window: WindowPlan) -> Step:
            return _read(scene, window, background, enhancer, view)

        with behind() as later, ahead(read, left, batch) as steps:
            for group, made in _telling_of_pieces((engine or at_once(Batches(enhancer)))(_grouped(steps, batch))):
                later(partial(put, group, made))
                done += len(group)
                if progress is not None:
                    progress(done, len(windows))


@dataclass(frozen=True)
class Deferred:
    """What a walk would write, computed for any part of it when it is asked for.

    Attributes:
        scene: open scene.
        batches: what is done, a window at a time.
        part: of the scene, whose origin is that of the output.
        side: of the windows, input pixels.
        halo: that windows are read with, input pixels.
        background: as in `walk`.
        nodata: of the output.
        view: as in `walk`.
        store: as in `walk`.
    """

    scene: Scene
    batches: Batches
    part: Window
    side: int
    halo: int
    background: NDArray[np.floating] | None
    nodata: float | None
    view: GuideView | None = None
    store: Restore | None = None

    def __call__(self, window: Window) -> Stored:
        """Stored numbers (C, H, W) of a window of the output."""
        scale, enhancer = self.batches.enhancer.scale, self.batches.enhancer
        rows, columns = (_covered(first, length, scale) for first, length in (
            (window.row_off, window.height), (window.col_off, window.width)))  # fmt: skip
        wanted = Window(
            self.part.col_off + columns.start, self.part.row_off + rows.start,
            columns.stop - columns.start, rows.stop - rows.start,
        )  # fmt: skip
        windows = plan(self.scene.grid.shape, self.side, stride=enhancer.stride, halo=self.halo, part=wanted)
        made: Stored | None = None
        for step in windows:
            values = self._of(step)
            if made is None:
                made = np.empty((len(values), wanted.height * scale, wanted.width * scale), values.dtype)
            place = scale_window(_relative(step, wanted), scale)
            made[:, place.row_off : place.row_off + place.height, place.col_off : place.col_off + place.width] = values
        top, left = window.row_off - rows.start * scale, window.col_off - columns.start * scale
        return np.asarray(made)[:, top : top + window.height, left : left + window.width]

    def _of(self, window: WindowPlan) -> Stored:
        step = _read(self.scene, window, self.background, self.batches.enhancer, self.view)
        kept = self.batches([step])[0]
        store = self.store or _restored(self.batches.enhancer.scale)
        return _as_stored(step, kept, self.scene, store, self.view, self.nodata)


def _as_stored(
    step: Step, kept: Kept, scene: Scene, store: Restore, view: GuideView | None, nodata: float | None
) -> Stored:
    """What the output holds of a window, the finer bands beside the enhanced ones where they are stacked."""
    dn = store(kept.values, step, _kept_valid(step), scene, nodata)
    if view is not None and view.order is not None:
        dn = _stacked(dn, view, step.window.keep, nodata)
    return dn


def _covered(first: int, length: int, scale: int) -> slice:
    """Input pixels that hold output ones."""
    return slice(int(first) // scale, -(-int(first + length) // scale))


def _kept_valid(step: Step) -> NDArray[np.bool_]:
    return step.valid[:, step.inner[0], step.inner[1]]


def at_once(batches: Callable[[Sequence[Step]], list[Kept]]) -> Engine:
    """The engine that computes every batch here, when it is asked for."""

    def engine(groups: Iterable[list[Step]]) -> Iterator[tuple[list[Step], list[Kept]]]:
        return ((group, batches(group)) for group in groups)

    return engine


def _telling_of_pieces(batches: Iterator[tuple[list[Step], list[Kept]]]) -> Iterator[tuple[list[Step], list[Kept]]]:
    """Warn when windows begin to be done in pieces, or in smaller ones."""
    halvings = 0
    for group, made in batches:
        if made[0].halvings > halvings:
            halvings = made[0].halvings
            height, width = group[0].values.shape[1:]
            warnings.warn(
                f"not enough memory for windows of {width} x {height} input pixels; each is done in {2**halvings} "
                "pieces, which is slower. A smaller --window or --batch avoids that.",
                RsganWarning,
                stacklevel=3,
            )
        yield group, made


class _Row:
    """Which row band is in the making, and what was summed up until its end."""

    def __init__(self, rows: KeptRows | None, tally: Tally) -> None:
        self.rows, self.tally, self.number = rows, tally, 0
        self.beside: Stored | None = None

    def restored(self, canvas: Canvas, besides: Canvas | None) -> int:
        """Put what was finished before in its place; gives the output rows that are done."""
        done = 0
        for kept in () if self.rows is None else self.rows.kept():
            done = canvas.restore(kept.band)
            if besides is not None and kept.beside is not None:
                besides.restore(kept.beside)
            self.tally.go_on(kept.figures)
            self.number += 1
        return done

    def finished_beside(self, band: Stored) -> None:
        """The same row band of the second raster, which comes first."""
        self.beside = band

    def finished(self, band: Stored) -> None:
        """Keep a row band, where rows are kept."""
        if self.rows is not None:
            self.rows.keep(self.number, Finished(band, self.beside, self.tally.state()))
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
