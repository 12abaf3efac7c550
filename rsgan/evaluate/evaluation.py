"""The evaluation itself: one walk for what can be added up, a few windows for the rest, three places to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsgan.errors import ConfigError, InputError
from rsgan.evaluate.neighbourhoods import Nearby, Neighbourhoods, look
from rsgan.evaluate.options import Options
from rsgan.evaluate.places import Place, choose_places
from rsgan.evaluate.rasters import Rasters, open_rasters
from rsgan.evaluate.tally import INDICES, Ranges, Tally, fits_two_sensors
from rsgan.evaluate.views import plan_views, view
from rsgan.evaluate.words import FIGURES
from rsgan.metrics import BandFigures
from rsgan.metrics.coverage import Coverage
from rsgan.metrics.sums import Sums

BRIGHTEST = 2.0
"""No reflectance of land exceeds this."""

Progress = Callable[[int, int], None]
"""Called with (windows done, windows in all)."""


@dataclass(frozen=True)
class ClassFigures:
    """The errors within one class of land cover.

    Attributes:
        number: In the class raster.
        name: As given, or the number.
        share: Of the values that were compared.
        figures: By image: rmse, bias, psnr_db, sam_deg.
    """

    number: int
    name: str
    share: float
    figures: dict[str, dict[str, BandFigures]]


@dataclass(frozen=True)
class Evaluation:
    """What was found; `to_json` gives everything but the pictures.

    Attributes:
        paths: The rasters by what they are.
        bands: Names of the bands that were compared.
        shape: Height and width of the enhanced raster.
        gsd_m: Its pixel size in metres along rows and columns; None when unknown.
        scale: Enhanced pixels per observed pixel; None when unknown.
        sensor_model: In words, the Gaussian of the sensor model; None without an observed raster.
        options: As set.
        figures: By image (enhanced, bicubic) and key of `words.FIGURES`; pooled alone where bands have none.
        classes: By land cover; empty without.
        ranges: Of the enhanced raster.
        coverage: Of the stated uncertainty, or None.
        used: Share of the values (pixels times bands) that all rasters have.
        enhanced_valid: Share that the enhanced raster has.
        neighbourhoods: What was looked at for the figures that cannot be added up.
        places: To be shown.
        error_map: (rows, columns) RMSE in blocks of pixels, or None.
        error_block: Side of such a block in enhanced pixels.
        notes: What the user must be told.
    """

    paths: dict[str, str]
    bands: tuple[str, ...]
    shape: tuple[int, int]
    gsd_m: tuple[float, float] | None
    scale: int | None
    sensor_model: str | None
    options: Options
    figures: dict[str, dict[str, BandFigures]]
    classes: tuple[ClassFigures, ...]
    ranges: Ranges
    coverage: Coverage | None
    used: float
    enhanced_valid: float
    neighbourhoods: Neighbourhoods
    places: tuple[Place, ...]
    error_map: NDArray[np.float64] | None
    error_block: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; null for what is not a finite number."""
        seen = self.neighbourhoods
        found = {
            "rasters": self.paths,
            "bands": self.bands,
            "pixels": {"height": self.shape[0], "width": self.shape[1], "gsd_m": self.gsd_m, "scale": self.scale},
            "settings": {
                "data_range": self.options.data_range,
                "sensor": self.options.sensor_name,
                "sensor_model": self.sensor_model,
            },
            "share": {"used": self.used, "enhanced_valid": self.enhanced_valid},
            "windows": {"count": seen.windows, "side": seen.side, "whole": seen.whole, "gapless": seen.gapless},
            "figures": {name: _named(figures, self.bands) for name, figures in self.figures.items()},
            "classes": [
                {"number": each.number, "name": each.name, "share": each.share}
                | {name: _named(figures, self.bands) for name, figures in each.figures.items()}
                for each in self.classes
            ],
            "values": {band: _range(self.ranges, index) for index, band in enumerate(self.bands)},
            "spectrum": {"cycles_per_pixel": seen.frequencies, "power": seen.spectra},
            "coverage": None if self.coverage is None else asdict(self.coverage),
            "notes": self.notes,
        }
        plain = _plain(found)
        return plain if isinstance(plain, dict) else {}


def evaluate(
    enhanced: str | Path,
    *,
    reference: str | Path | None = None,
    observed: str | Path | None = None,
    uncertainty: str | Path | None = None,
    land_cover: str | Path | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge an enhanced raster.

    Args:
        enhanced: Raster to judge.
        reference: Raster that it should equal, on the same grid or one that is finer by a whole number.
        observed: Raster from which it was made, coarser by a whole number.
        uncertainty: Raster of its standard errors, on the same grid; needs a reference.
        land_cover: Raster of whole numbers, one per class, whose pixels nest; needs a reference.
        options: Settings.
        progress: Called after each window of the walk.

    Raises:
        InputError: A file is missing or damaged, or no pixel is valid in all rasters.
        BandError: The rasters have no band in common.
        GridError: They do not show the same ground in pixels that nest.
        ConfigError: Something is asked for that needs a raster that is not given.
    """
    settings = options or Options()
    _check_needs(reference, uncertainty=uncertainty, land_cover=land_cover, classes=settings.classes)
    with open_rasters(
        enhanced, reference=reference, observed=observed, uncertainty=uncertainty, land_cover=land_cover,
        options=settings,
    ) as rasters:  # fmt: skip
        scale = _known_scale(rasters, settings.scale)
        tally = Tally(rasters, settings)
        steps = plan_views(rasters)
        for done, step in enumerate(steps, start=1):
            tally.add(view(rasters, step))
            if progress is not None:
                progress(done, len(steps))
        _refuse_nothing(rasters, tally)
        seen = look(rasters, settings.samples, settings.data_range, scale or 1)
        return _concluded(rasters, tally, seen, choose_places(rasters, tally), scale, settings)


def _check_needs(
    reference: str | Path | None,
    *,
    uncertainty: str | Path | None,
    land_cover: str | Path | None,
    classes: Mapping[int, str],
) -> None:
    for flag, given in (("--uncertainty", uncertainty), ("--landcover", land_cover)):
        if given is not None and reference is None:
            raise ConfigError(f"{flag} {given} needs errors, and those need --reference. Give the reference too.")
    if classes and land_cover is None:
        raise ConfigError("--classes names the classes of a raster; give that raster with --landcover.")


def _known_scale(rasters: Rasters, asked: int | None) -> int | None:
    """Enhanced pixels per observed pixel: from the observed raster, the flag, or the tags of the enhanced file."""
    if rasters.observed is not None:
        if asked not in (None, rasters.scale):
            raise ConfigError(
                f"--scale is {asked}, but {rasters.observed.path} has pixels {rasters.scale} times those of "
                f"{rasters.enhanced.path}. Leave --scale away."
            )
        return rasters.scale
    stated = rasters.enhanced.scene.tags.get("RSGAN_SCALE", "")
    return asked or (int(stated) if stated.isdigit() and int(stated) > 0 else None)


def _refuse_nothing(rasters: Rasters, tally: Tally) -> None:
    if not tally.valid["used"]:
        listed = ", ".join(layer.path for layer in rasters.layers.values())
        raise InputError(
            f"no pixel is valid in all of {listed} (the enhanced raster has "
            f"{tally.valid['enhanced'] / tally.valid['all']:.0%} valid): nothing can be measured. Check nodata and "
            f"that the rasters show the same place."
        )


def _concluded(
    rasters: Rasters, tally: Tally, seen: Neighbourhoods, places: tuple[Place, ...], scale: int | None, options: Options
) -> Evaluation:
    noise = None if rasters.sensed is None else rasters.sensed.noise
    names = ("enhanced",) if rasters.observed is None else ("enhanced", "bicubic")
    compared = rasters.reference is not None or rasters.observed is not None
    ranges = tally.ranges
    if ranges is None:
        raise InputError(f"{rasters.enhanced.path} has no pixels.")
    return Evaluation(
        paths=_paths(rasters),
        bands=rasters.bands,
        shape=rasters.grid.shape,
        gsd_m=rasters.enhanced.scene.gsd_m,
        scale=scale,
        sensor_model=None if rasters.sensed is None else _sensor_words(rasters),
        options=options,
        figures={name: _figures(name, tally, seen, scale, noise, options.data_range) for name in names},
        classes=tuple(_class_figures(tally, options)),
        ranges=ranges,
        coverage=None if tally.coverage is None else tally.coverage.coverage(),
        used=tally.valid["used"] / tally.valid["all"],
        enhanced_valid=tally.valid["enhanced"] / tally.valid["all"],
        neighbourhoods=seen,
        places=places,
        error_map=tally.map.rmse() if compared else None,
        error_block=tally.map.block,
        notes=(*rasters.notes, *_doubts(rasters, ranges, options), *_gaps(rasters, tally, seen, scale)),
    )


def _paths(rasters: Rasters) -> dict[str, str]:
    paths = {role: layer.path for role, layer in rasters.layers.items()}
    return paths if rasters.land_cover is None else paths | {"land_cover": rasters.land_cover.path}


def _sensor_words(rasters: Rasters) -> str:
    if rasters.sensed is None:
        return ""
    widths = [f"{width:.3g}" for width in rasters.sensed.sigma]
    listed = widths[0] if len(set(widths)) == 1 else " ".join(widths)
    return f"Gaussian of {listed} observed pixels ({rasters.sensed.source}), then the mean of each pixel's area"


def _doubts(rasters: Rasters, ranges: Ranges, options: Options) -> list[str]:
    """What may have been read wrongly."""
    notes = []
    if ranges.highest.max() > BRIGHTEST or ranges.total.sum() < 0:
        notes.append(
            f"{rasters.enhanced.path} holds values from {ranges.lowest.min():.4g} to {ranges.highest.max():.4g} where "
            f"reflectance is about 0..1: PSNR and SSIM for a data range of {options.data_range:g} mean little. Give "
            f"--reflectance-scale or --data-range"
        )
    if options.sensor is None and fits_two_sensors(rasters.bands):
        notes.append(
            "B08 is near infrared on Sentinel-2 and panchromatic on Landsat, and nothing here tells which: NDVI and "
            "NDWI are left out. Give --sensor sentinel-2a or --sensor landsat-8"
        )
    return notes


def _gaps(rasters: Rasters, tally: Tally, seen: Neighbourhoods, scale: int | None) -> list[str]:
    """What could not be measured, and why."""
    notes = []
    if rasters.reference is not None and scale is None:
        notes.append("ERGAS and fine detail need the step in pixel size; give --observed or --scale")
    if rasters.observed is not None and not tally.against_observed["enhanced"].count.any():
        notes.append("no observed pixel is far enough from nodata to be compared with the degraded image")
    if seen.windows and not seen.gapless:
        notes.append("no part of the raster is large enough and free of nodata for spectra and shares of detail")
    if not seen.windows:
        notes.append("no window is at least half valid; figures that need neighbourhoods are left out")
    return notes


def _figures(
    name: str, tally: Tally, seen: Neighbourhoods, scale: int | None, noise: NDArray[np.floating] | None, peak: float
) -> dict[str, BandFigures]:
    """All figures of one image, in the order of `words.FIGURES`."""
    found: dict[str, BandFigures | None] = {}
    nearby = seen.images.get(name)
    if name in tally.against_reference:
        found |= _against_reference(name, tally, nearby, scale, peak)
    if nearby is not None and nearby.correctness is not None:
        for key in ("improvement", "omission", "hallucination"):
            found[key] = _one(getattr(nearby.correctness, key))
    if name in tally.against_observed:
        found |= _against_observed(tally.against_observed[name], nearby, noise)
    return {key: figure for key in FIGURES if (figure := found.get(key)) is not None}


def _against_reference(
    name: str, tally: Tally, nearby: Nearby | None, scale: int | None, peak: float
) -> dict[str, BandFigures | None]:
    sums = tally.against_reference[name]
    found: dict[str, BandFigures | None] = _errors(sums, peak)
    found["ergas"] = None if scale is None else _one(sums.ergas(1 / scale))
    for index in INDICES:
        differences = tally.indices.get((name, index))
        if differences is not None:
            found[f"{index.lower()}_error"] = _one(differences.mean_absolute)
            found[f"{index.lower()}_bias"] = _one(differences.bias)
    if nearby is not None:
        found |= {
            "ssim": nearby.ssim, "shift_px": nearby.shift_px, "detail_over_reference": nearby.detail_over_reference,
        }  # fmt: skip
    return found


def _errors(sums: Sums, peak: float) -> dict[str, BandFigures | None]:
    angle = sums.sam_deg()
    return {
        "psnr_db": sums.psnr_db(peak),
        "rmse": sums.rmse(),
        "bias": sums.bias(),
        "sam_deg": None if np.isnan(angle) else _one(angle),
    }


def _against_observed(
    sums: Sums, nearby: Nearby | None, noise: NDArray[np.floating] | None
) -> dict[str, BandFigures | None]:
    if not sums.count.any():
        return {}
    angle = sums.sam_deg()
    return {
        "residual_rms": sums.rmse(),
        "residual_mean": sums.mean_absolute(),
        "residual_bias": sums.bias(),
        "residual_over_noise": None if noise is None else _over_noise(sums, noise),
        "observed_sam_deg": None if np.isnan(angle) else _one(angle),
        "observed_shift_px": None if nearby is None else nearby.observed_shift_px,
        "detail_over_bicubic": None if nearby is None else nearby.detail_over_bicubic,
    }


def _over_noise(sums: Sums, noise: NDArray[np.floating]) -> BandFigures:
    squared = sums.squared / noise**2
    pooled = float(np.sqrt(squared.sum() / sums.count.sum()))
    per_band = np.sqrt(np.divide(squared, sums.count, out=np.full(len(noise), np.nan), where=sums.count > 0))
    return BandFigures(tuple(per_band.tolist()), pooled)


def _one(value: float) -> BandFigures:
    """One figure for all bands."""
    return BandFigures((), value)


def _class_figures(tally: Tally, options: Options) -> list[ClassFigures]:
    """By class, in the order of their numbers."""
    numbers = sorted({number for _, number in tally.classes})
    compared = tally.against_reference["enhanced"].count.sum()
    found = []
    for number in numbers:
        of_image = {name: sums for (name, each), sums in tally.classes.items() if each == number}
        figures = {
            name: {key: figure for key, figure in _errors(sums, options.data_range).items() if figure is not None}
            for name, sums in of_image.items()
        }
        share = float(of_image["enhanced"].count.sum() / compared)
        found.append(ClassFigures(number, options.classes.get(number, str(number)), share, figures))
    return found


def _named(figures: Mapping[str, BandFigures], bands: tuple[str, ...]) -> dict[str, Any]:
    return {
        key: {"all": figure.pooled}
        | ({"bands": dict(zip(bands, figure.per_band, strict=True))} if figure.per_band else {})
        for key, figure in figures.items()
    }


def _range(ranges: Ranges, index: int) -> dict[str, float]:
    valid = max(ranges.valid[index], 1)
    return {
        "lowest": float(ranges.lowest[index]),
        "highest": float(ranges.highest[index]),
        "mean": float(ranges.total[index] / valid) if ranges.valid[index] else float("nan"),
        "nodata_share": float(1 - ranges.valid[index] / ranges.pixels),
        "negative_share": float(ranges.negative[index] / valid),
        "above_one_share": float(ranges.above_one[index] / valid),
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON knows
    """The same in types that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
