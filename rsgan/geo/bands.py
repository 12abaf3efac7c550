"""Which bands of a raster a model takes: by name, by wavelength, by choice, and never by a silent guess."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rsgan.catalogue import RGBN_SENSOR, SENSORS, Band, Sensor, sensor
from rsgan.errors import BandError

_WORD: Final = re.compile(r"[a-z0-9]+")
_CODE: Final = re.compile(r"b\d+a?")
_RED_EDGE: Final = re.compile(r"red[\W_]*edge[\W_]*(\d*)")
_SAYS_NOTHING: Final = re.compile(r"\W*((band|layer|channel|page|undefined|gr[ae]y)[\W_]*)?\d*\W*")

_NOT_THE_BAND: Final = frozenset(
    "angle cloud count error index mask narrow qa qi quality ratio sigma std stddev uncertainty variance".split()
)
"""Words that say that a layer is about a band, or is another band, but not the band: ``B04_std``, ``QA_red``."""


@dataclass(frozen=True)
class BandChoice:
    """The bands that were found.

    Attributes:
        indexes: 1-based band numbers of the raster, in the order of the wanted bands.
        reason: In words, how they were found.
        by_hand: Whether the user named them.
        assumed: Whether nothing in the raster confirms the choice, so that the user must be told.
    """

    indexes: tuple[int, ...]
    reason: str
    assumed: bool = False
    by_hand: bool = False


def find_bands(
    descriptions: Sequence[str | None],
    wavelengths_um: Sequence[float | None],
    wanted: tuple[str, ...],
    explicit: tuple[str, ...] | None,
    count: int,
    *,
    file_name: str = "the scene",
    sensor_name: str = RGBN_SENSOR,
) -> BandChoice:
    """Find the wanted bands among the bands of a raster.

    Args:
        descriptions: What the raster calls each of its bands; None where it says nothing.
        wavelengths_um: Centre wavelength of each band in micrometres; None where unknown.
        wanted: Names of the bands in the catalogue, in the order that the model takes.
        explicit: The user's choice (``--bands``): names or 1-based numbers in the order that the model takes, or the
            names of the wanted bands in any order; None leaves it to the raster.
        count: Number of bands of the raster.
        file_name: What messages call the raster.
        sensor_name: Sensor of the catalogue whose names `wanted` are.

    Raises:
        BandError: If a wanted band is missing or ambiguous, or `explicit` does not name as many bands as wanted.
    """
    known = sensor(sensor_name)
    hints = tuple(
        _hint(number, description, wavelength_um, known)
        for number, (description, wavelength_um) in enumerate(zip(descriptions, wavelengths_um, strict=True), start=1)
    )
    search = _Search(file_name, hints, wanted, count, known)
    return search.by_choice(explicit) if explicit else search.by_hints()


def band_named(text: str | None, sensor_name: str = RGBN_SENSOR) -> str | None:
    """The name in the catalogue of the band that `text` names; None when it names none, or more than one.

    >>> band_named("S2_B02"), band_named("B8 (842 nm)"), band_named("Band 1")
    ('B02', 'B08', None)
    """
    return _name_in(text or "", sensor(sensor_name))[0]


@dataclass(frozen=True)
class _Hint:
    """What one band of a raster says about itself.

    `name` is that of the catalogue, None when unknown; `exact` means that the text is that name and nothing else.
    """

    number: int
    text: str
    name: str | None
    exact: bool
    origin: str

    @property
    def says_nothing(self) -> bool:
        return self.name is None and _SAYS_NOTHING.fullmatch(self.text.casefold()) is not None

    def __str__(self) -> str:
        return f"{self.number} {self.text!r}" if self.text else f"{self.number} (unnamed)"


@dataclass(frozen=True)
class _Search:
    """The bands of one raster and what is wanted of them."""

    file_name: str
    hints: tuple[_Hint, ...]
    wanted: tuple[str, ...]
    count: int
    sensor: Sensor

    def by_hints(self) -> BandChoice:
        """Bands by what the raster says; by order only when it says nothing at all and their number is right."""
        if all(hint.says_nothing for hint in self.hints):
            return self._by_order()
        numbers = [self._only_one(name) for name in self.wanted]
        missing = [name for name, number in zip(self.wanted, numbers, strict=True) if number is None]
        silent = [hint.number for hint in self.hints if hint.says_nothing]
        if len(missing) == 1 and len(silent) == 1 and self.count == len(self.wanted):
            indexes = tuple(number or silent[0] for number in numbers)
            reason = f"{self._words(indexes)}; {missing[0]} by elimination: band {silent[0]} is the only one unnamed"
            return BandChoice(indexes, reason, assumed=True)
        if missing:
            raise BandError(self._missing(missing))
        indexes = tuple(number for number in numbers if number is not None)
        return BandChoice(indexes, self._words(indexes))

    def by_choice(self, explicit: tuple[str, ...]) -> BandChoice:
        """Bands as the user says: in the model's order, or by the names of the wanted bands in any order."""
        chosen = tuple(entry.strip() for entry in explicit)
        if len(chosen) != len(self.wanted):
            raise BandError(
                f"--bands names {len(chosen)} bands ({' '.join(chosen)}); the model needs {len(self.wanted)} "
                f"({' '.join(self.wanted)})."
            )
        names = [None if entry.isdigit() else _name_in(entry, self.sensor)[0] for entry in chosen]
        if set(names) == set(self.wanted):
            chosen = tuple(chosen[names.index(name)] for name in self.wanted)
        else:
            self._check_places(names)
        indexes = tuple(self._locate(entry) for entry in chosen)
        if len(set(indexes)) < len(indexes):
            raise BandError(f"--bands {','.join(explicit)} takes a band of {self.file_name} twice: {indexes}.")
        return BandChoice(indexes, f"chosen with --bands: {self._words(indexes)}", by_hand=True)

    def _by_order(self) -> BandChoice:
        if self.count != len(self.wanted):
            raise BandError(f"{self._counts()}. Choose bands with --bands.")
        return BandChoice(
            tuple(range(1, self.count + 1)),
            f"{self.file_name} does not name its bands: order assumed to be {' '.join(self.wanted)}. "
            f"Give --bands if it is another",
            assumed=True,
        )

    def _only_one(self, name: str) -> int | None:
        """Number of the one band called `name`; one that is called exactly so beats one whose text contains it."""
        hits = [hint for hint in self.hints if hint.name == name]
        best = [hint for hint in hits if hint.exact] or hits
        if len(best) > 1:
            raise BandError(
                f"{self.file_name} has {len(best)} bands that may be {name}: {_listed(best)}. Choose one with --bands."
            )
        return best[0].number if best else None

    def _check_places(self, names: Sequence[str | None]) -> None:
        for place, name in zip(self.wanted, names, strict=True):
            if name in self.wanted and name != place:
                raise BandError(
                    f"--bands puts {name} where the model takes {place}; its order is {' '.join(self.wanted)}. "
                    f"Give the names in that order, or numbers to overrule the names."
                )

    def _locate(self, entry: str) -> int:
        """Number of the band that one entry of --bands means."""
        if entry.isdigit():
            if not 1 <= int(entry) <= self.count:
                raise BandError(f"--bands asks for band {entry}; {self.file_name} has bands 1 to {self.count}.")
            return int(entry)
        called = [hint for hint in self.hints if hint.text.casefold() == entry.casefold()]
        if len(called) == 1:
            return called[0].number
        name = _name_in(entry, self.sensor)[0]
        number = None if name is None else self._only_one(name)
        if number is None:
            raise BandError(
                f"--bands asks for {entry!r}, which {self.file_name} does not have: its bands are "
                f"{_listed(self.hints)}.{self._close_to([entry])} Give one of these names or a number."
            )
        return number

    def _missing(self, missing: Sequence[str]) -> str:
        return (
            f"{self._counts()}. Not found: {' '.join(missing)}; the bands of the file are {_listed(self.hints)}."
            f"{self._close_to(missing)} Choose bands with --bands."
        )

    def _counts(self) -> str:
        plural = "band" if self.count == 1 else "bands"
        return f"{self.file_name} has {self.count} {plural}; model needs {len(self.wanted)} ({' '.join(self.wanted)})"

    def _close_to(self, names: Iterable[str]) -> str:
        texts = {hint.text.casefold(): hint.text for hint in self.hints if hint.text}
        asked = {known.casefold() for name in names for known in (name, *_other_names(name, self.sensor))}
        close = {texts[hit] for name in asked for hit in difflib.get_close_matches(name, texts, n=2, cutoff=0.75)}
        return f" Near in spelling: {', '.join(sorted(close))}." if close else ""

    def _words(self, indexes: Sequence[int]) -> str:
        pairs = zip(self.wanted, (self.hints[index - 1] for index in indexes), strict=True)
        return ", ".join(f"{name} = band {hint.number}{_origin(hint)}" for name, hint in pairs)


def _origin(hint: _Hint) -> str:
    return f" ({hint.origin})" if hint.origin else ""


def _listed(hints: Iterable[_Hint]) -> str:
    return ", ".join(str(hint) for hint in hints)


def _other_names(name: str, known: Sensor) -> tuple[str, ...]:
    band = known.find(name)
    return () if band is None else (band.common_name, *band.aliases)


def _hint(number: int, description: str | None, wavelength_um: float | None, known: Sensor) -> _Hint:
    text = (description or "").strip()
    name, exact = _name_in(text, known)
    if wavelength_um is None:
        return _Hint(number, text, name, exact, repr(text) if text else "")
    centred = f"centre {wavelength_um:g} um"
    if name is None:
        return _Hint(number, text, _name_at(wavelength_um, known), exact=False, origin=centred)
    band = known.band(name)
    if abs(wavelength_um - band.centre_um) > band.width_um:
        raise BandError(
            f"band {number} is called {text!r}, which is {name} at {band.centre_um:g} um, but is centred at "
            f"{wavelength_um:g} um. Correct its name or wavelength, or choose bands by number with --bands."
        )
    return _Hint(number, text, name, exact, f"{text!r}, {centred}")


def _name_at(wavelength_um: float, known: Sensor) -> str | None:
    """The band whose centre is nearest, among those within half a width of the wavelength."""
    near = [band for band in known.bands if abs(wavelength_um - band.centre_um) <= band.width_um / 2]
    return min(near, key=lambda band: abs(wavelength_um - band.centre_um)).name if near else None


def _name_in(text: str, known: Sensor) -> tuple[str | None, bool]:
    """The one band that a text names, and whether it says nothing else.

    In falling order of trust: the whole text, band codes in it (``S2_B02``), colour words in it (``Blue - 490 nm``).
    """
    whole = _whole_name(text, known)
    if whole is not None:
        return whole, True
    words = _WORD.findall(_RED_EDGE.sub(r" rededge\1 ", text.casefold()))
    if _NOT_THE_BAND.intersection(words):
        return None, False
    for kind in (True, False):
        names = {
            band.name for word in words if (_CODE.fullmatch(word) is not None) is kind for band in _called(word, known)
        }
        if names:
            return (names.pop() if len(names) == 1 else None), False
    return None, False


def _called(word: str, known: Sensor) -> list[Band]:
    """Bands that answer to one word of a longer text; single letters count only where they are the whole text."""
    return [band for band in known.bands if len(word) > 1 and band.answers_to(word)]


def _whole_name(text: str, known: Sensor) -> str | None:
    """The band that the whole text names, in the catalogue's words or as one of the letters R G B N."""
    spelled = "_".join(_WORD.findall(text.casefold()))
    band = known.find(text) or known.find(spelled)
    letter = SENSORS["aerial"].find(text) if len(text) == 1 else None
    if band is None and letter is not None:
        band = known.find(letter.common_name)
    return None if band is None else band.name
