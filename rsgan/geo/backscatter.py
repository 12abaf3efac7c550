"""What the stored numbers of a radar raster are: intensity, amplitude or decibels, by its words or by its numbers."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt

from rsgan.errors import ConfigError, InputError
from rsgan.geo.files import BandAt, Stated
from rsgan.radiometry import SAR_DTYPES, Backscatter, Calibration, Quantity

_SAYING: Final[tuple[tuple[Quantity, frozenset[str]], ...]] = (
    ("db", frozenset("db decibel decibels".split())),
    ("amplitude", frozenset("amplitude magnitude".split())),
    ("intensity", frozenset("intensity power".split())),
)
"""Words that say a quantity, the strongest first: decibels of an intensity are decibels ("Intensity_VV_db")."""

_CALIBRATION: Final = re.compile(r"(sigma|gamma|beta)[\s_-]*(?:0|nought|naught|zero)(?![0-9])", re.IGNORECASE)
_LONGEST_TEXT: Final = 200
"""Longer tags are histories of processing, which name every step on the way."""

_LIKELY_DB: Final = (-70.0, 40.0)
"""Between these lie the 1st and the 99th percentile of backscatter in decibels, calibrated or not far from it."""

_MOST_DB: Final = 100.0
"""No backscatter has more decibels: digital numbers of 16 bits, squared, have 96."""

_MOST_LINEAR: Final = 100.0
"""Largest 99th percentile that is believed to be calibrated intensity; cities reach about 10, points more."""

_LEAST_NEGATIVE: Final = -1.0
"""Subtracted noise leaves calibrated intensities slightly negative, never this far; decibels reach far below."""

_FAR_NEGATIVE, _FAR_POSITIVE = -90.0, 1e10
"""Beyond these, a number that is often repeated and far from all others is nodata that nobody declared."""

_OFTEN: Final = 0.01
_DIVISORS: Final = (1.0, 10.0, 100.0, 1000.0, 10000.0)


@dataclass(frozen=True)
class SarWords:
    """What the user says of the numbers.

    Attributes:
        quantity: What they are (``--quantity``); None finds out.
        stored_scale: Stored number that means 1 dB or 1 unit (``--stored-scale``); None leaves it to the files.
        zero_valid: Whether an intensity of exactly 0 is a measurement.

    Raises:
        ConfigError: If one cannot be meant.
    """

    quantity: Quantity | None = None
    stored_scale: float | None = None
    zero_valid: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene."""
        if self.quantity is not None and self.quantity not in get_args(Quantity):
            raise ConfigError(f"--quantity is {self.quantity!r}; expected {', '.join(get_args(Quantity))}.")
        if self.stored_scale is not None and not (math.isfinite(self.stored_scale) and self.stored_scale > 0.0):
            raise ConfigError(
                f"--stored-scale is {self.stored_scale:g}; expected the stored number that means 1 dB or 1 unit, a "
                f"finite number above 0 such as 100 for hundredths of dB."
            )


@dataclass(frozen=True)
class _Spread:
    """Numbers of one band, times scale plus offset, as far as they are measurements."""

    name: str
    negative: float
    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, name: str, values: npt.NDArray[np.float64]) -> "_Spread":
        low, middle, high = np.percentile(values, (1, 50, 99))
        return cls(name, float((values < 0.0).mean()), float(low), float(middle), float(high))

    @property
    def mostly_negative(self) -> bool:
        return self.negative > 0.5 and self.low < _LEAST_NEGATIVE

    @property
    def likely(self) -> Quantity | None:
        """What floats of this spread are; None where they could be several things."""
        if self.mostly_negative and self.low >= _LIKELY_DB[0] and self.high <= _LIKELY_DB[1]:
            return "db"
        if self.high <= _MOST_LINEAR and self.negative <= 0.5 and self.low > _LEAST_NEGATIVE:
            return "intensity"
        return None

    def __str__(self) -> str:
        return f"{self.name} {self.low:.4g} .. {self.high:.4g}, {self.negative:.0%} of the values negative"


def find_backscatter(
    stated: Stated,
    bands: Sequence[BandAt],
    samples: Sequence[npt.NDArray[Any]],
    said: SarWords,
    *,
    names: Sequence[str],
    file_name: str,
) -> tuple[Backscatter, tuple[str, ...]]:
    """Decide what the stored numbers are.

    In this order: the user's word; complex numbers; units, names of bands, tags and file names; and then numbers that
    can be one thing only. What is ambiguous is asked for, and what the numbers contradict is refused, whoever says it.

    Args:
        stated: What the files state.
        bands: The bands, for what their tags say.
        samples: Stored numbers of each band from places all over the scene, without those that are declared invalid.
        said: What the user says.
        names: What the bands are called.
        file_name: What messages call the scene.

    Returns:
        What the numbers mean, and notes for the user.

    Raises:
        InputError: If it cannot be told, the numbers contradict what is said, they need a scale, or there are none.
        ConfigError: If a scale cannot be meant.
    """
    count = len(bands)
    calibration = _calibration(bands)
    if stated.dtype.startswith("complex"):
        return _of_complex(stated, samples, said, calibration, file_name)
    if stated.dtype not in SAR_DTYPES:
        known = " ".join(SAR_DTYPES)
        raise InputError(f"{file_name} holds {stated.dtype}; expected one of {known}, or complex numbers. Convert it.")
    scales, offsets, scale_words = _scaling(stated, said, count)
    spreads = _spreads(samples, scales, offsets, names, file_name)
    quantity, reason, notes = _quantity(stated, bands, spreads, said, scale_words, file_name)
    _refuse_contradiction(quantity, reason, spreads, file_name)
    if quantity == "db" and not scale_words and np.issubdtype(np.dtype(stated.dtype), np.integer):
        raise InputError(
            f"{file_name} holds decibels as {stated.dtype} ({_listed(spreads)}) and does not say how many stored "
            f"units make 1 dB. Give it with --stored-scale{_likely_scales(spreads)}."
        )
    source = f"{quantity}: {reason}{scale_words and f'; {scale_words}'}"
    found = Backscatter(quantity, scales, offsets, stated.dtype, source, calibration, said.zero_valid)
    if quantity == "db" and all(spread.negative == 0.0 and spread.likely == "intensity" for spread in spreads):
        notes = (*notes, f"none of the decibels of {file_name} is negative ({_listed(spreads)}), as if they were none.")
    return found, (*notes, *_zero_notes(samples, found, stated, file_name))


def _of_complex(
    stated: Stated,
    samples: Sequence[npt.NDArray[Any]],
    said: SarWords,
    calibration: Calibration | None,
    file_name: str,
) -> tuple[Backscatter, tuple[str, ...]]:
    """Intensity of complex numbers.

    Raises:
        InputError: If something else is asked for, or all numbers are 0.
    """
    if said.quantity not in (None, "intensity"):
        raise InputError(
            f"--quantity {said.quantity}: {file_name} holds complex numbers ({stated.dtype}), whose squared modulus is "
            f"the intensity. Leave --quantity out; --output-quantity {said.quantity} writes the result as that."
        )
    if any(offset != 0.0 for offset in stated.offsets):
        raise InputError(f"{file_name} has complex numbers with an offset ({stated.offsets}). Correct its tags.")
    if not said.zero_valid and not any(np.any(np.isfinite(sample) & (sample != 0)) for sample in samples):
        raise InputError(_nothing(file_name))
    units = said.stored_scale
    scales = tuple((scale if units is None else 1.0 / units) ** 2 for scale in stated.scales)
    source = f"intensity: re^2 + im^2 of {stated.dtype} numbers"
    found = Backscatter(
        "intensity", scales, (0.0,) * len(scales), "float32", source, calibration, said.zero_valid, is_complex=True
    )
    note = f"{file_name} holds complex numbers; the result is their intensity as float32, without the phase."
    return found, (note, *_zero_notes(samples, found, stated, file_name))


def _scaling(stated: Stated, said: SarWords, count: int) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Scale and offset of each band, and where they come from, empty where nothing states one."""
    if said.stored_scale is not None:
        units = said.stored_scale
        return (1.0 / units,) * count, (0.0,) * count, f"{units:g} stored units make 1, as --stored-scale says"
    if any(scale != 1.0 for scale in stated.scales) or any(offset != 0.0 for offset in stated.offsets):
        listed = ", ".join(
            f"{scale:g}" + (f" {offset:+g}" if offset else "")
            for scale, offset in dict.fromkeys(zip(stated.scales, stated.offsets, strict=True))
        )
        return stated.scales, stated.offsets, f"stored number x {listed}, as the file states"
    return stated.scales, stated.offsets, ""


def _spreads(
    samples: Sequence[npt.NDArray[Any]],
    scales: Sequence[float],
    offsets: Sequence[float],
    names: Sequence[str],
    file_name: str,
) -> list[_Spread]:
    """How the numbers of each band are spread, of those bands that have some.

    Raises:
        InputError: If none has any, or a number that is far from all others looks like nodata.
    """
    spreads = []
    for name, sample, scale, offset in zip(names, samples, scales, offsets, strict=True):
        stored = sample[np.isfinite(sample)].astype(np.float64)
        stored = stored[stored != 0.0]
        if stored.size:
            _refuse_lonely(stored, name, file_name)
            spreads.append(_Spread.of(name, stored * scale + offset))
    if not spreads:
        raise InputError(_nothing(file_name))
    return spreads


def _nothing(file_name: str) -> str:
    return (
        f"{file_name} holds no measurement: every pixel is 0, nodata, NaN or masked. Check the file, --bands, --nodata "
        f"and --date."
    )


def _refuse_lonely(stored: npt.NDArray[np.float64], name: str, file_name: str) -> None:
    """Ask for a nodata that is not declared, rather than take it for a measurement.

    Raises:
        InputError: If one number is repeated often and lies far below or above all others.
    """
    numbers, counts = np.unique(stored, return_counts=True)
    if numbers.size < 3:
        return
    for number, share, rest in (
        (numbers[0], counts[0] / stored.size, stored[stored > numbers[0]]),
        (numbers[-1], counts[-1] / stored.size, stored[stored < numbers[-1]]),
    ):
        far = number <= _FAR_NEGATIVE or number >= _FAR_POSITIVE
        gap = min(abs(rest.min() - number), abs(rest.max() - number))
        if far and share > _OFTEN and gap > np.ptp(rest):
            raise InputError(
                f"{file_name}: {share:.0%} of the numbers of {name} are {number:g}, far from all others "
                f"({rest.min():.4g} .. {rest.max():.4g}), as nodata that is not declared. Say so with --nodata "
                f"{number:g}."
            )


def _quantity(
    stated: Stated,
    bands: Sequence[BandAt],
    spreads: Sequence[_Spread],
    said: SarWords,
    scale_words: str,
    file_name: str,
) -> tuple[Quantity, str, tuple[str, ...]]:
    """(quantity, reason, notes), by the user, the files' words, the type, or the numbers.

    Raises:
        InputError: If it cannot be told.
    """
    if said.quantity is not None:
        return said.quantity, "as --quantity says", ()
    words = _words(bands)
    if words is not None:
        return *words, ()
    if not scale_words and stated.dtype in ("uint8", "uint16"):
        reason = f"usual for {stated.dtype} numbers without a scale"
        note = f"{file_name} does not say what its numbers are: taken for amplitude, {reason}. Give --quantity if not."
        return "amplitude", reason, (note,)
    found = {spread.likely for spread in spreads}
    if not scale_words and np.issubdtype(np.dtype(stated.dtype), np.integer):
        if all(spread.mostly_negative for spread in spreads):
            return "db", f"{_listed(spreads)}", ()
        found = {None}
    if len(found) == 1 and (likely := found.pop()) is not None:
        return likely, _listed(spreads), ()
    raise InputError(
        f"{file_name} does not say what its {stated.dtype} numbers are, and they do not tell: {_listed(spreads)}. "
        f"Expected decibels (mostly negative, {_LIKELY_DB[0]:g} .. {_LIKELY_DB[1]:g}) or calibrated intensity (0 .. "
        f"{_MOST_LINEAR:g}) in every band. Give --quantity intensity, amplitude or db, or choose bands with --bands."
    )


def _refuse_contradiction(quantity: Quantity, reason: str, spreads: Sequence[_Spread], file_name: str) -> None:
    """Do not believe what the numbers contradict.

    Raises:
        InputError: If intensity or amplitude is mostly negative, amplitude is negative at all, or decibels are beyond
            what any have.
    """
    for spread in spreads:
        if quantity == "db" and spread.high > _MOST_DB:
            raise InputError(
                f"{file_name} cannot be decibels ({reason}): {spread}, and backscatter has at most {_MOST_DB:g} dB. "
                f"Give --quantity intensity or amplitude, or --stored-scale if several stored units make 1 dB."
            )
        if quantity != "db" and (spread.mostly_negative or (quantity == "amplitude" and spread.negative > 0.0)):
            likely = " These look like decibels: give --quantity db." if spread.mostly_negative else ""
            raise InputError(
                f"{file_name} cannot be {quantity} ({reason}): {spread}.{likely or ' Give another --quantity.'} If "
                f"a number says 'no data', give it with --nodata."
            )


def _words(bands: Sequence[BandAt]) -> tuple[Quantity, str] | None:
    """The quantity that the files say, the strongest source first; None where none says one."""
    for where, texts in _texts(bands):
        said = {hit for hit in map(_said_in, texts) if hit is not None}
        if len(said) == 1:
            text = next(text for text in texts if _said_in(text))
            return said.pop(), f"{where} says {text!r}"
    return None


def _texts(bands: Sequence[BandAt]) -> Iterator[tuple[str, list[str]]]:
    """Where files say things, and what: units, names of bands, tags of bands, tags of files, names of files."""
    files = {band.path: band.dataset for band in bands}
    yield "the unit", [band.unit for band in bands if band.unit]
    yield "the name of a band", [band.description for band in bands if band.description]
    tags = [band.dataset.tags(band.index) for band in bands]
    yield "a tag of a band", [f"{key}={value}" for stated in tags for key, value in stated.items()]
    tags = [dataset.tags() for dataset in files.values()]
    yield "a tag", [f"{key}={value}" for stated in tags for key, value in stated.items()]
    yield "the file's name", [Path(path).stem for path in files]


def _said_in(text: str) -> Quantity | None:
    """The quantity that a short text says.

    >>> _said_in("Sigma0_VV_db"), _said_in("sigma0"), _said_in("Amplitude_HH"), _said_in("power or amplitude")
    ('db', None, 'amplitude', None)
    """
    words = set(re.findall(r"[a-z]+", text.casefold())) if len(text) <= _LONGEST_TEXT else set()
    said = [quantity for quantity, known in _SAYING if words & known]
    return said[0] if said and (said[0] == "db" or len(said) == 1) else None


def _calibration(bands: Sequence[BandAt]) -> Calibration | None:
    """The one calibration that the files name; None where they name none, or several."""
    texts = (text for _, group in _texts(bands) for text in group if len(text) <= _LONGEST_TEXT)
    found = {hit.casefold() for text in texts for hit in _CALIBRATION.findall(text)}
    known: tuple[Calibration, ...] = get_args(Calibration)
    return next((name for name in known if {name[:-1]} == found), None)


def _zero_notes(
    samples: Sequence[npt.NDArray[Any]], found: Backscatter, stated: Stated, file_name: str
) -> Iterator[str]:
    """What is to be said of numbers that are exactly 0."""
    zeros = sum(int((sample == 0).sum()) for sample in samples) / max(1, sum(sample.size for sample in samples))
    if found.quantity == "db":
        floats = not found.is_integer
        if zeros > _OFTEN and (floats or all(nodata is None for nodata in stated.nodata)):
            yield (
                f"about {zeros:.0%} of the numbers of {file_name} are exactly 0 dB and are taken for measurements. "
                f"Give --nodata 0 if they are not."
            )
    elif zeros > 0.0 and not found.zero_valid:
        yield (
            f"numbers of {file_name} that are exactly 0 ({zeros:.1%} of those looked at) are taken for the fill around "
            f"a product, not for measurements, and stay 0."
        )


def _listed(spreads: Sequence[_Spread]) -> str:
    return "; ".join(map(str, spreads))


def _likely_scales(spreads: Sequence[_Spread]) -> str:
    """The usual numbers of stored units per decibel with which these numbers would be backscatter."""
    fitting = [
        f"{units:g}"
        for units in _DIVISORS
        if all(
            spread.low / units >= _LIKELY_DB[0]
            and spread.high / units <= _LIKELY_DB[1]
            and spread.low / units <= _LEAST_NEGATIVE
            for spread in spreads
        )
    ]
    return f" (perhaps {' or '.join(fitting)})" if fitting else ""
