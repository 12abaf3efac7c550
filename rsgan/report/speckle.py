"""What pages about despeckled images share: the table of the ratio image, its histogram, and pictures in dB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rsgan.metrics.speckle_tally import SpeckleFigures, criteria, histogram_edges
from rsgan.report.charts import Chart, Line, Words, line_chart
from rsgan.report.colours import with_gaps
from rsgan.report.page import Table

CHART_BINS = 100
LIMITS = (
    "The figures need no image without speckle, and so they cannot tell whether what lies under the speckle is right: "
    "an image that is too smooth shows in the ratio image, one with made-up texture may not.",
    "They are held against speckle of the looks and correlation given above. Where these were measured on ground that "
    "is nowhere even, the looks are too low and every figure with them.",
    "Steady point targets and moving ones do not follow the law of speckle; in towns the ratio image departs from it.",
)
"""What the ratio image cannot tell."""


def ratio_table(name: str, figures: SpeckleFigures) -> Table:
    """Every figure that needs no reference beside what is expected of it."""
    said = {True: "yes", False: "no", None: "no figure"}
    return Table(
        f"Ratio image of {name}",
        ("", "Figure", "Expected", "Kept", "What it says"),
        tuple(
            (one.title, "-" if np.isnan(one.value) else f"{one.value:.3f}", one.expected, said[one.kept], one.meaning)
            for one in criteria(figures)
        ),
        caption="Even ground: blocks in which the observed image shows nothing but speckle.",
    )


def speckle_table(names: tuple[str, ...], figures: tuple[SpeckleFigures, ...], source: str) -> Table:
    """Looks, correlation and looks after, by band."""
    rows = tuple(
        (
            name,
            f"{one.looks:.2f}",
            f"{one.correlation[0]:.2f} x {one.correlation[1]:.2f}",
            "-" if not one.blocks else f"{one.enl_observed:.3g} -> {one.enl_enhanced:.3g}",
            f"{one.intensity_change:+.2%}",
        )
        for name, one in zip(names, figures, strict=True)
    )
    return Table(
        "Speckle",
        ("", "Looks", "Correlation of neighbours", "Looks of even ground", "Mean intensity"),
        rows,
        caption=f"{source[:1].upper()}{source[1:]}. The correlation is from row to row x column to column.",
    )


def ratio_histogram(name: str, figures: SpeckleFigures) -> Chart:
    """Histogram of the ratio image beside the law of speckle."""
    law = stats.gamma(figures.looks, scale=1 / figures.looks)
    low, high = (float(10 * np.log10(law.ppf(q))) for q in (2e-3, 1 - 2e-4))
    low, high = np.floor(low - 1), np.ceil(high + 1)
    edges = np.linspace(low, high, CHART_BINS + 1)
    cumulated = np.concatenate([[0.0], np.cumsum(figures.histogram)])
    width = edges[1] - edges[0]
    found = np.diff(np.interp(edges, histogram_edges(), cumulated)) / width
    expected = np.diff(law.cdf(10 ** (edges / 10))) / width
    centres = (edges[1:] + edges[:-1]) / 2
    words = Words(
        f"Ratio image of {name}",
        f"Share of the pixels by the value of observed / despeckled, and what speckle of {figures.looks:.3g} looks "
        "gives. A narrower line means that speckle stayed in the image, a shifted one that brightness changed.",
        f"Histogram of the ratio image of {name} beside the law of speckle",
        "observed / despeckled, dB",
        "share per dB",
    )
    lines = [Line("ratio image", centres, found, "a"), Line("speckle", centres, expected, "b")]
    top = 1.05 * float(max(found.max(), expected.max()))
    return line_chart(words, lines, x_range=(float(low), float(high)), y_range=(0.0, top))


def decibels(intensity: NDArray[np.floating]) -> NDArray[np.float64]:
    """10 log10, whatever is not positive far below everything else."""
    decibel: NDArray[np.float64] = 10 * np.log10(np.maximum(np.nan_to_num(intensity.astype(np.float64)), 1e-30))
    return decibel


def grey(decibel: NDArray[np.float64], limits: tuple[float, float], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W) dB as (H, W, 3) bytes from black to white."""
    low, high = limits
    level = (np.clip((decibel - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)
    return with_gaps(np.repeat(level[..., None], 3, axis=2), valid)


def image_limits(enhanced: NDArray[np.float64]) -> tuple[float, float]:
    """Black and white for an image in dB, from its despeckled valid values (N,)."""
    low, high = np.percentile(enhanced, (1, 99)) if enhanced.size else (0.0, 1.0)
    return float(low - 2), float(max(high + 2, low + 1))


def ratio_limits(looks: float) -> tuple[float, float]:
    """Black and white for the ratio image in dB: where nearly all of the speckle lies."""
    low, high = stats.gamma(looks, scale=1 / looks).ppf((0.01, 0.995))
    return float(10 * np.log10(low)), float(10 * np.log10(high))
