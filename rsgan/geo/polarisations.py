"""Which bands of a raster are those of a radar, and what to call them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rasterio.windows import Window

from rsgan.catalogue import POLARISATIONS
from rsgan.errors import BandError
from rsgan.geo.bands import BandChoice
from rsgan.geo.files import BandAt, take_all
from rsgan.geo.windows import plan

_POLARISATION: Final = re.compile(rf"(?<![A-Za-z])({'|'.join(POLARISATIONS)})(?![A-Za-z])", re.IGNORECASE)
_AFTER_CALIBRATION: Final = re.compile(rf"(?:sigma|gamma|beta|intensity|amplitude)0?({'|'.join(POLARISATIONS)})", re.I)
_ABOUT_A_BAND: Final = frozenset("angle incidence mask ratio count std stddev variance layover shadow phase".split())
"""Words that say that a layer is about a polarisation, but not its backscatter."""

_TAGS: Final = ("polarisation", "polarization", "polarisations", "polarizations", "pol")
_COLOURS: Final = ("red", "green", "blue")
_SIDE_PX: Final = 1024


def polarisation_in(text: str | None) -> str | None:
    """The one polarisation that a text names; None where it names none, several, or a layer about one.

    >>> polarisation_in("Sigma0_VV_db"), polarisation_in("s1a-iw-grd-vh-20150309"), polarisation_in("VV_VH_ratio")
    ('VV', 'VH', None)
    """
    words = set(re.findall(r"[a-z]+", (text or "").casefold()))
    found = {hit.upper() for pattern in (_POLARISATION, _AFTER_CALIBRATION) for hit in pattern.findall(text or "")}
    return found.pop() if len(found) == 1 and not words & _ABOUT_A_BAND else None


def choose_sar(
    offered: Sequence[BandAt], explicit: tuple[str, ...] | None, file_name: str
) -> tuple[BandChoice, tuple[BandAt, ...], tuple[str, ...], tuple[str, ...]]:
    """The bands that are taken, in the order of the files or of the user's choice.

    Args:
        offered: All bands that may be chosen.
        explicit: Names or 1-based numbers (``--bands``), or a polarisation, which takes every band of it; None takes
            the bands whose description, tags or file name says a polarisation, and where none does, all.
        file_name: What messages call the files.

    Returns:
        The choice, the bands, their names, and notes for the user.

    Raises:
        BandError: If a band that is asked for is not there, or a colour picture is given without a choice.
    """
    kinds = tuple(_polarisation_of(band) for band in offered)
    names = _names(offered, kinds)
    notes: tuple[str, ...] = ()
    if explicit is not None:
        choice, chosen = take_all(offered, _spread(explicit, names, kinds), None, file_name, names)
        taken = {(band.path, band.index) for band in chosen}
        chosen = tuple(replace(band, alpha=None) if (band.path, band.alpha) in taken else band for band in chosen)
    elif any(kinds) and not all(kinds):
        numbers = tuple(number for number, kind in enumerate(kinds, 1) if kind)
        choice = BandChoice(numbers, "every band that is called a polarisation")
        left = " ".join(name for name, kind in zip(names, kinds, strict=True) if not kind)
        notes = (f"bands that no polarisation is named for are left out: {left}. Choose them with --bands if wanted.",)
    elif not any(kinds) and _is_coloured(offered):
        _refuse_colours(offered, file_name)
        choice = BandChoice((1,), "the picture is grey: its three channels are equal")
        notes = (f"{file_name} has three equal channels, as grey pictures may; the first is taken.",)
    else:
        choice = BandChoice(tuple(range(1, len(offered) + 1)), "every band")
    if explicit is None:
        chosen = tuple(offered[index - 1] for index in choice.indexes)
    return choice, chosen, tuple(names[index - 1] for index in choice.indexes), notes


def _polarisation_of(band: BandAt) -> str | None:
    """By description, else tags of the band, else tags of the file or its name where it has this band alone."""
    tags = [band.dataset.tags(band.index)]
    alone = band.dataset.count - (band.alpha is not None) == 1
    if alone:
        tags.append(band.dataset.tags())
    said = [value for stated in tags for key, value in stated.items() if key.casefold() in _TAGS]
    texts = (band.description, *said, Path(band.path).stem if alone else None)
    return next((kind for kind in map(polarisation_in, texts) if kind), None)


def _names(offered: Sequence[BandAt], kinds: Sequence[str | None]) -> tuple[str, ...]:
    """A name for each band, no two alike: polarisation, description, both with the file's name, or a number."""
    ways = [
        kinds,
        [band.description for band in offered],
        [f"{kind}_{Path(band.path).stem}" if kind else None for kind, band in zip(kinds, offered, strict=True)],
    ]
    counts = [Counter(way) for way in ways]
    return tuple(
        next(
            (str(way[place]) for way, count in zip(ways, counts, strict=True) if way[place] and count[way[place]] == 1),
            f"{kinds[place] or 'band'}{place + 1}",
        )
        for place in range(len(offered))
    )


def _spread(explicit: Sequence[str], names: Sequence[str], kinds: Sequence[str | None]) -> tuple[str, ...]:
    """Entries of --bands, with a polarisation that is no band's name replaced by all bands of it."""

    def entries(entry: str) -> Iterator[str]:
        wanted = entry.strip().upper()
        if wanted in {name.upper() for name in names} or wanted not in kinds:
            yield entry
        else:
            yield from (name for name, kind in zip(names, kinds, strict=True) if kind == wanted)

    return tuple(name for entry in explicit for name in entries(entry))


def _is_coloured(offered: Sequence[BandAt]) -> bool:
    one_file = len({band.path for band in offered}) == 1
    return one_file and tuple(band.colorinterp.name for band in offered) == _COLOURS


def _refuse_colours(offered: Sequence[BandAt], file_name: str) -> None:
    """Do not take colours for polarisations; a grey picture that is stored as three equal channels is none.

    Raises:
        BandError: If the channels differ.
    """
    dataset = offered[0].dataset
    indexes = [band.index for band in offered]
    for part in plan((dataset.height, dataset.width), _SIDE_PX):
        red, green, blue = dataset.read(indexes, window=Window(*part.keep.flatten()))
        if not (np.array_equal(red, green) and np.array_equal(red, blue)):
            raise BandError(
                f"{file_name} is a colour picture (red green blue), whose channels are not those of a radar. Choose "
                f"one with --bands, for example --bands 1, or give the scene itself."
            )
