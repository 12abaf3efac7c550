"""`rsgan prepare`: a folder of rasters in, an index for training out, with pictures and why what is left out.

Nothing is copied or resampled: a run reads the rasters themselves, window by window.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import yaml

from rsgan.errors import ConfigError, OutputError, RsganError
from rsgan.geo import Grid, Scene
from rsgan.report.saving import renamed_when_whole
from rsgan.report.sheet import Thumbnail, save_sheet
from rsgan.training.preparation.asked import Partners, Preparing
from rsgan.training.preparation.chips import Looked, look_at_chips, without_flat
from rsgan.training.preparation.index import BandStatistics, Index, IndexedRaster, Side, Split
from rsgan.training.preparation.partners import beside, measured_shift, on_one_lattice, shared_pixels
from rsgan.training.preparation.places import held_out_places, places_of
from rsgan.training.preparation.sheet import thumbnail
from rsgan.training.tiles import Bounds

INDEX, DATA, SHEET, LEFT_OUT = "index.json", "data.yaml", "contact_sheet.png", "left_out.csv"
SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".nc", ".zip", ".tar")
"""Endings of the files that are looked at where no pattern is given."""
SHOWN = 48
"""Chips on the contact sheet, at most: of each side of the split and of what is left out a third."""


@dataclass(frozen=True)
class _Found:
    """One raster and what was seen of it."""

    path: Path
    footprint: Bounds | None
    chips: list[Looked]
    partner: Path | None = None
    others: list[Looked] = field(default_factory=list)
    offset: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Prepared:
    """What was found.

    Attributes:
        index: for a run.
        counts: chips by what became of them: training, validation, nodata, cloud, flat.
        refused: rasters that are left out as a whole, and why.
        notes: what else the user must be told.
    """

    index: Index
    counts: Counter[str]
    refused: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The result in words."""
        lines = [f"note: {note}" for note in self.notes]
        for split in ("training", "validation"):
            rasters = self.index.of(split)
            places = len({raster.place for raster in rasters})
            chips = sum(len(raster.chips) for raster in rasters)
            lines.append(f"{split}: {chips} chips of {self.index.chip} pixels, {len(rasters)} rasters, {places} places")
        left = ", ".join(f"{self.counts[name]} {name}" for name in ("nodata", "cloud", "flat") if self.counts[name])
        lines.append(f"left out: {left or 'no chip'}; {len(self.refused)} rasters as a whole")
        reasons = Counter(why for _, why in self.refused)
        for why, count in reasons.most_common(3):
            first = next(path for path, said in self.refused if said == why)
            lines.append(f"  {first}{f' and {count - 1} more' if count > 1 else ''}: {why}")
        if len(reasons) > 3:
            lines.append(f"  ... and for {len(reasons) - 3} reasons more, see {LEFT_OUT}")
        for side in (self.index.side, self.index.target):
            if side is not None:
                rows = (f"{one.band} {one.mean:.4g} +- {one.deviation:.3g}" for one in side.statistics)
                lines.append(f"{side.quantity}: {', '.join(rows)}")
        return lines


def prepare(
    asked: Preparing, out: Path, *, overwrite: bool = False, progress: Callable[[int, int], None] | None = None
) -> Prepared:
    """Look at every raster below a folder and write what a run needs to know.

    Args:
        asked: what to look at, and how.
        out: folder to write: index.json, data.yaml, contact_sheet.png, left_out.csv.
        overwrite: whether files of an earlier call are replaced.
        progress: called with (rasters done, rasters in all).

    Raises:
        ConfigError: no raster, or no usable chip.
        OutputError: the folder cannot be written, or holds an index already.
    """
    if (out / INDEX).exists() and not overwrite:
        raise OutputError(f"--out {out} holds an index already. Give --overwrite to replace it, or another folder.")
    paths = _rasters(asked)
    refused: list[tuple[str, str]] = []
    found = list(_look(asked, paths, refused, progress))
    found = _flat_left_out(found, asked.flattest)
    places = places_of([one.footprint for one in found], [_inside(one.path, asked.root) for one in found])
    chips = Counter[str]()
    for one, place in zip(found, places, strict=True):
        chips[place] += sum(chip.reason is None for chip in one.chips)
    usable = {place: count for place, count in chips.items() if count}
    if not usable:
        counts = Counter(chip.reason or "" for one in found for chip in one.chips)
        why = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none is large enough"
        first = f" {refused[0][0]}, the first one that was refused: {refused[0][1].rstrip('.')}." if refused else ""
        raise ConfigError(
            f"{asked.root}: no usable chip of {asked.chip} pixels in {len(found)} of {len(paths)} rasters ({why})."
            f"{first} Give a smaller --chip, or mend what is said above."
        )
    held = held_out_places(usable, asked.held_out, asked.seed)
    rasters = [
        part for one, place in zip(found, places, strict=True) for part in _indexed(one, place, asked, held, usable)
    ]
    index = Index(
        root=asked.root.resolve(),
        chip=asked.chip,
        side=asked.reads.side(_statistics([one.chips for one in found], asked.reads.bands)),
        target=None if asked.partners is None else _target_side(asked.partners, found),
        rasters=tuple(rasters),
    )
    prepared = Prepared(index, _counts(index, found), tuple(refused), tuple(_notes(found, usable, asked)))
    _write(prepared, found, out, asked)
    return prepared


def _rasters(asked: Preparing) -> list[Path]:
    if not asked.root.is_dir():
        raise ConfigError(f"{asked.root} is no folder. Give the folder that holds your rasters.")
    given = asked.root.glob(asked.pattern) if asked.pattern else asked.root.rglob("*")
    paths = sorted(p for p in given if p.is_file() and (asked.pattern or p.suffix.casefold() in SUFFIXES))
    if asked.partners is not None and asked.partners.names is not None:
        paths = [path for path in paths if beside(path, asked.root, *asked.partners.names) is not None]
    if not paths:
        what = f"matches --pattern '{asked.pattern}'" if asked.pattern else f"ends in {' '.join(SUFFIXES)}"
        named = asked.partners is not None and asked.partners.names is not None
        having = f" and has '{asked.partners.names[0]}' in its path" if named else ""  # type: ignore[union-attr,index]
        raise ConfigError(f"{asked.root}: no file {what}{having}. Give another folder or pattern.")
    return paths


def _inside(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.resolve().as_posix()


def _look(
    asked: Preparing,
    paths: Sequence[Path],
    refused: list[tuple[str, str]],
    progress: Callable[[int, int], None] | None,
) -> Iterator[_Found]:
    """Every raster that can be read; the others and their reasons go into `refused`."""
    candidates = _candidates(asked.partners)
    for number, path in enumerate(paths, start=1):
        try:
            with asked.reads.open(path) as scene:
                if asked.partners is not None:
                    found = _paired(path, scene, asked, asked.partners, candidates)
                else:
                    looked = look_at_chips(scene, asked.reads.domain, asked.chip)
                    found = _Found(path, scene.grid.lonlat_bounds(), list(looked))
            if not found.chips:
                raise ConfigError(f"smaller than a chip of {asked.chip} pixels")
            yield found
        except RsganError as error:
            said = str(error).removeprefix(str(path)).lstrip(": ").replace(str(path), path.name)
            refused.append((_inside(path, asked.root), said))
        if progress is not None:
            progress(number, len(paths))


def _candidates(partners: Partners | None) -> list[tuple[Path, Grid]]:
    """Rasters of the partners' folder and their grids; those that cannot be read are nobody's partner."""
    if partners is None or partners.folder is None:
        return []
    found = []
    for path in sorted(p for p in partners.folder.rglob("*") if p.suffix.casefold() in SUFFIXES):
        try:
            with partners.reads.open(path) as scene:
                found.append((path, scene.grid))
        except RsganError:
            continue
    if not found:
        raise ConfigError(f"--partners {partners.folder}: no raster there can be read as the partners are described.")
    return found


def _paired(
    path: Path, scene: Scene, asked: Preparing, partners: Partners, candidates: list[tuple[Path, Grid]]
) -> _Found:
    """A raster with its partner, and the chips that both have.

    Raises:
        ConfigError: there is none, or it does not lie pixel on pixel.
    """
    if partners.names is not None:
        other, why = beside(path, asked.root, *partners.names), "no partner"
    elif partners.folder is None:
        other, why = path, ""
    else:
        other, why = on_one_lattice(scene.grid, candidates)
    if other is None or not other.exists():
        raise ConfigError(why if other is None else f"its partner {other.name} does not exist")
    with partners.reads.open(other) as second:
        shared = shared_pixels(scene.grid, second.grid)
        if shared is None:
            raise ConfigError(
                f"its partner {other.name} has other pixels ({second.grid.width} x {second.grid.height}, not "
                f"{scene.grid.width} x {scene.grid.height}). Resample one onto the other first (gdalwarp -te -ts)"
            )
        shift = measured_shift(scene, second, shared)
        if shift.stands_out and shift.length > partners.largest_shift:
            raise ConfigError(
                f"its partner {other.name} lies {shift.rows:+.1f} rows and {shift.columns:+.1f} columns away; at most "
                f"{partners.largest_shift:g} pixels may be. Register them first, or give a larger --largest-shift"
            )
        others = list(look_at_chips(second, partners.reads.domain, asked.chip, shared[1]))
        mine = list(look_at_chips(scene, asked.reads.domain, asked.chip, shared[0]))
    chips = [replace(one, reason=one.reason or two.reason) for one, two in zip(mine, others, strict=True)]
    offset = shared[1].row_off - shared[0].row_off, shared[1].col_off - shared[0].col_off
    return _Found(path, scene.grid.lonlat_bounds(), chips, other, others, offset)


def _flat_left_out(found: list[_Found], flattest: float) -> list[_Found]:
    joined = iter(without_flat([chip for one in found for chip in one.chips], flattest))
    return [replace(one, chips=[next(joined) for _ in one.chips]) for one in found]


def _indexed(
    found: _Found, place: str, asked: Preparing, held: set[str], usable: dict[str, int]
) -> Iterator[IndexedRaster]:
    """The raster on its side of the split; where there is one place only, its eastern part is held out, with a gap."""
    chips = sorted(chip.place for chip in found.chips if chip.reason is None)
    partner = None if found.partner is None else _inside(found.partner, asked.root)

    def part(split: Split, kept: list[tuple[int, int]], name: str) -> Iterator[IndexedRaster]:
        if kept:
            path = _inside(found.path, asked.root)
            yield IndexedRaster(
                path=path, partner=partner, offset=found.offset, place=name, split=split, chips=tuple(kept)
            )

    if len(usable) > 1 or asked.held_out <= 0:
        yield from part("validation" if place in held else "training", chips, place)
        return
    columns = sorted({column for _, column in chips})
    first = columns[min(int(len(columns) * (1 - asked.held_out)), len(columns) - 1)] if len(columns) > 2 else None
    if first is None:
        yield from part("training", chips, place)
        return
    yield from part("training", [chip for chip in chips if chip[1] < first - asked.chip], f"{place} west")
    yield from part("validation", [chip for chip in chips if chip[1] >= first], f"{place} east")


def _statistics(looked: Sequence[Sequence[Looked]], bands: tuple[str, ...]) -> tuple[BandStatistics, ...]:
    usable = [chip for chips in looked for chip in chips if chip.reason is None]
    mean = np.mean([chip.mean for chip in usable], axis=0)
    square = np.mean([chip.square for chip in usable], axis=0)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return tuple(
        BandStatistics(band=band, mean=float(f"{m:.5g}"), deviation=float(f"{d:.5g}"))
        for band, m, d in zip(bands, mean, deviation, strict=True)
    )


def _target_side(partners: Partners, found: list[_Found]) -> Side:
    kept = [
        [two for one, two in zip(raster.chips, raster.others, strict=True) if one.reason is None] for raster in found
    ]
    return partners.reads.side(_statistics(kept, partners.reads.bands))


def _counts(index: Index, found: list[_Found]) -> Counter[str]:
    counts = Counter[str](chip.reason for one in found for chip in one.chips if chip.reason is not None)
    for raster in index.rasters:
        counts[raster.split] += len(raster.chips)
    return counts


def _notes(found: list[_Found], usable: dict[str, int], asked: Preparing) -> Iterator[str]:
    nowhere = sum(one.footprint is None for one in found)
    if nowhere > 1:
        yield (
            f"{nowhere} rasters have no coordinates, so each counts as a place of its own. If some show the same "
            "ground, move them to one side of the split in index.json."
        )
    if len(usable) == 1 and asked.held_out > 0:
        yield (
            "all rasters show one place, so its eastern part is held out, with a gap of one chip. Figures will say how "
            "a model does there, not how it does elsewhere."
        )


def _write(prepared: Prepared, found: list[_Found], out: Path, asked: Preparing) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / LEFT_OUT).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["raster", "row", "column", "reason"])
            rows.writerows((path, "", "", why) for path, why in prepared.refused)
            for one in found:
                inside = _inside(one.path, asked.root)
                rows.writerows((inside, *chip.place, chip.reason) for chip in one.chips if chip.reason is not None)
        (out / DATA).write_text(_data_section(prepared.index, out), encoding="utf-8")
        save_sheet(out / SHEET, _thumbnails(prepared.index, found, asked))
        with renamed_when_whole(out / INDEX) as partial:
            partial.write_text(prepared.index.model_dump_json(indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be written ({error}). Give another folder.") from error


def _data_section(index: Index, out: Path) -> str:
    """The `data:` section of a config, and the domains of a translation, to be copied into one."""
    data = {"root": str(index.root), "index": str((out / INDEX).resolve())}
    if index.target is None:
        sections: dict[str, object] = {"data": data | {"training": [], "validation": []}}
    else:
        sections = {"data": {"kind": "paired"} | data | {"training": [], "validation": []}}
        for name, side in (("source", index.side), ("target", index.target)):
            sections[name] = {
                "name": name,
                "quantity": side.quantity,
                "sensor": side.sensor,
                "bands": list(side.bands),
                "centre": [one.mean for one in side.statistics],
                "spread": [max(one.deviation, 1e-6) for one in side.statistics],
            }
    return "# Sections of a config for these tiles; rsgan train --set data.index=... does the same.\n" + yaml.safe_dump(
        sections, sort_keys=False, default_flow_style=None
    )


def _thumbnails(index: Index, found: list[_Found], asked: Preparing) -> dict[str, list[Thumbnail]]:
    """Chips of both sides of the split and of what is left out, a third of `SHOWN` each, spread over the rasters."""
    rng = np.random.default_rng(asked.seed)
    paths = {_inside(one.path, asked.root): one for one in found}
    rows: dict[str, list[tuple[Path, tuple[int, int], str]]] = {
        split: [(paths[r.path].path, chip, Path(r.path).stem) for r in index.of(split) for chip in r.chips]
        for split in ("training", "validation")
    }
    rows["left out"] = [
        (one.path, chip.place, chip.reason) for one in found for chip in one.chips if chip.reason is not None
    ]
    sheet = {}
    for title, every in rows.items():
        taken = [every[i] for i in sorted(rng.permutation(len(every))[: SHOWN // 3])]
        sheet[f"{title}: {len(taken)} of {len(every)} chips"] = [
            thumbnail(asked.reads.open(path), place, asked.chip, asked.reads.domain, caption)
            for path, place, caption in taken
        ]
    return sheet
