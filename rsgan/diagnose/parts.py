"""What pages of all diagnoses share: numbers with their intervals, pictures, and whether shares can be believed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rsgan.diagnose.calibration import Reliability
from rsgan.metrics.density_ratio import Estimate
from rsgan.report.charts import Chart, Line, Words, line_chart
from rsgan.report.colours import png, with_gaps
from rsgan.report.page import Explanation, Tile
from rsgan.report.panels import stretch

Floats = NDArray[np.floating]
AUROC = Explanation(
    "AUROC",
    "The chance that a patch of the first kind gets a higher logit than one of the second. 0.5: the "
    "discriminator cannot tell them apart; 1: it always can.",
    "That what it sees matters to you. A discriminator can live on texture that no measurement uses.",
)
TOO_FEW = Explanation(
    "Too few",
    "Fewer than 20 independent patches, or fewer than 8 blocks of ground: neighbours look alike, so a thousand "
    "patches of one lake are not a thousand observations.",
    "That all is well there.",
)


def known_pixels(values: Floats, channels: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Where all that is shown is known (H, W)."""
    return np.asarray(np.isfinite(values[list(channels)]).all(axis=0))


def picture_of(values: Floats, channels: tuple[int, int, int], limits: Floats) -> bytes:
    """(C, H, W) as PNG; what is nan is a gap."""
    shown = stretch(np.nan_to_num(values[list(channels)]), limits)
    return png(with_gaps(shown, known_pixels(values, channels)))


def trust_tiles(trust: Mapping[str, Reliability], losses: list[float]) -> list[Tile]:
    """How far the discriminator's shares can be believed, and how much it tells apart at all."""
    tiles = [
        Tile(f"Calibration error, {name}", f"{one.error:.3f}", "0: shares are as stated") for name, one in trust.items()
    ]
    return tiles + ([Tile("Held-out loss", f"{np.mean(losses):.3f}", "1.386: nothing told apart")] if losses else [])


def reliability_chart(trust: Mapping[str, Reliability]) -> Chart:
    """Chances as stated, and as found."""
    ideal = np.array([0.0, 1.0])
    lines = [Line("ideal", ideal, ideal, "guide")]
    for (name, one), style in zip(trust.items(), "ba", strict=False):
        there = np.isfinite(one.found)
        lines.append(Line(name, one.stated[there], one.found[there], style))
    words = Words(
        "Can its shares be believed?",
        "Of patches that get a certain chance of being a reference, how many are.",
        "Reliability diagram", "chance stated", "share found",
    )  # fmt: skip
    return line_chart(words, lines, x_range=(0.0, 1.0), y_range=(0.0, 1.0))


def interval(one: Estimate) -> str:
    """A figure with its interval, in a sentence."""
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"


def ends(one: Estimate) -> str:
    """An interval, in a table."""
    return "-" if np.isnan(one.low) else f"{one.low:.2f} .. {one.high:.2f}"


def number(value: float, digits: int = 2) -> str:
    """A figure, in a table."""
    if np.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if abs(value) >= 10**-digits or value == 0 else f"{value:.1e}"
