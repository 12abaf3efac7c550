"""A diagnosis of free images as a page for people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import RGBN_SENSOR
from rsgan.diagnose.images.diagnosis import ImagesDiagnosis
from rsgan.diagnose.parts import (
    AUROC,
    TOO_FEW,
    ends,
    interval,
    number,
    picture_of,
    reliability_chart,
    trust_tiles,
)
from rsgan.evaluate.pictures import rgb_channels
from rsgan.metrics.density_ratio import ClassFigures
from rsgan.report.charts import Bar, Chart, Words, interval_chart
from rsgan.report.page import Explanation, Page, Picture, ShownPlace, Table, Tile
from rsgan.report.panels import Panel, limits_of

Floats = NDArray[np.float32]
ACROSS = 3
"""Images along a side of a sheet."""
SCORE = Explanation(
    "Score",
    "How likely an image is among the references, over how likely the generator makes it, as a logarithm: log p / q. "
    "High: it lacks such images. Low: it makes too many like it, or makes them badly.",
    "Which of the two: see the figures of the class.",
)
EXPLANATIONS = (
    SCORE,
    Explanation(
        "Too rarely, too often",
        "A class has a smaller or a larger share of the generated images than of the references, by more than chance "
        "allows. Classes are counted; beside it stands what the discriminator's scores alone make of it.",
        "Why. The class may have been dropped by the generator, or the two folders were never meant to be alike.",
    ),
    AUROC,
    Explanation(
        "KL, JSD",
        "How far the images of a class are from references of that class, once its share is accounted for; 0: alike, "
        "JSD 0.69: nothing in common.",
        "More than the discriminator found: it is a lower bound on average, and scatter adds to KL.",
    ),
    TOO_FEW,
)


def page_of_images(found: ImagesDiagnosis) -> Page:
    """Everything that was found, with words and pictures."""
    real, generated = found.folders
    return Page(
        title=f"What does {generated.name} lack?",
        subtitle=(
            f"{len(found.images[1].paths):,} generated images beside {len(found.images[0].paths):,} references of "
            f"{real.name}, judged by {found.judge}"
        ),
        summary=tuple(_summary(found)),
        tiles=tuple(_tiles(found)),
        places=tuple(_sheets(found)),
        places_title="Images that tell most",
        tables=tuple(_tables(found)),
        charts=tuple(_charts(found)),
        explanations=EXPLANATIONS if found.figures else (SCORE, AUROC),
        limits=tuple(_limits(found)),
        notes=found.notes,
        settings=tuple(_settings(found)),
    )


def _summary(found: ImagesDiagnosis) -> Iterator[str]:
    yield (
        "A reference scores higher than a generated image with a chance of "
        f"{interval(found.whole.auroc)}; 0.5 would mean that they cannot be told apart."
    )
    said = list(found.verdicts())
    yield from (f"{sentence[0].upper()}{sentence[1:]}." for sentence in said)
    if found.figures and not said:
        yield "No class is made too rarely or too often, and none is told from references, by more than chance allows."


def _tiles(found: ImagesDiagnosis) -> Iterator[Tile]:
    area = found.whole.auroc
    tone = "bad" if area.low > 0.5 else "good"
    yield Tile("AUROC, all images", f"{area.value:.2f}", f"{area.low:.2f} to {area.high:.2f}", tone)
    yield from trust_tiles(found.reliability, [one.loss for one in found.scores.learnt])


def _sheets(found: ImagesDiagnosis) -> Iterator[ShownPlace]:
    """Of each class: references and generated images that score highest and lowest."""
    channels = rgb_channels(found.images[0].bands, RGBN_SENSOR)
    first = found.images[0].values
    pixels = first.transpose(1, 0, 2, 3).reshape(first.shape[1], -1, first.shape[3])
    limits = limits_of(Panel("", pixels), channels)
    for class_id, name in sorted(found.names.items()):
        pictures = []
        for kind, called in enumerate(("references", "generated images")):
            scores = (found.scores.real, found.scores.generated)[kind]
            mine = np.flatnonzero(found.classes[kind] == class_id)
            order = mine[np.argsort(scores[mine])]
            for end, chosen in (("highest", order[::-1][: ACROSS**2]), ("lowest", order[: ACROSS**2])):
                if len(chosen):
                    caption = f"{called.capitalize()} that score {end}"
                    sheet = picture_of(_sheet(found.images[kind].values[chosen]), channels, limits)
                    pictures.append(Picture(f"{kind}-{end}", caption, f"{name}: {caption}", sheet))
        if pictures:
            shares = [found.share(class_id, kind) for kind in (0, 1)]
            words = f"{shares[0]:.1%} of the references, {shares[1]:.1%} of the generated images."
            yield ShownPlace(name, words, tuple(pictures))


def _sheet(images: Floats) -> Floats:
    """(N, C, H, W) -> (C, rows, columns), one pixel apart; nan where there is none."""
    count, bands, height, width = images.shape
    rows = -(-count // ACROSS)
    sheet = np.full((bands, rows * (height + 1) - 1, ACROSS * (width + 1) - 1), np.nan, np.float32)
    for place in range(count):
        row, column = place // ACROSS * (height + 1), place % ACROSS * (width + 1)
        sheet[:, row : row + height, column : column + width] = images[place]
    return sheet


def _tables(found: ImagesDiagnosis) -> Iterator[Table]:
    """How often each class is made, where that is judged, and how well."""
    if not found.figures:
        return
    if not found.told_class:
        yield Table(
            "How often each class is made",
            ("class", "references", "generated", "times as often", "95 %", "by the scores", "p", "verdict"),
            tuple((found.names[one.number], *_share_cells(one)) for one in found.figures),
            caption="Times as often among references as among generated images; p is adjusted for the number of "
            "classes (Holm).",
        )  # fmt: skip
    yield Table(
        "How well each class is made",
        ("class", "independent", "AUROC", "95 %", "KL", "JSD", "p", "verdict"),
        tuple((found.names[one.number], *_quality_cells(one)) for one in found.figures),
        caption="How well its images are told from references of the same class; p is adjusted likewise.",
    )  # fmt: skip


def _share_cells(one: ClassFigures) -> list[str]:
    counted, scored = one.counted, one.log_share
    between = "-" if np.isnan(counted.low) else f"{np.exp(counted.low):.2f} .. {np.exp(counted.high):.2f}"
    often = [number(float(np.exp(counted.value))), between, number(float(np.exp(scored.value))), number(one.p_share, 3)]
    verdict = "too rare" if one.too_rare else "too common" if one.too_common else "nothing found"
    return [*(f"{count:,}" for count in one.patches), *often, verdict]


def _quality_cells(one: ClassFigures) -> list[str]:
    verdict = "badly made" if one.told_apart else "nothing found" if one.enough else "too few"
    divergences = [number(one.kl.value, 3), number(one.jsd.value, 3)]
    area = [number(one.auroc.value), ends(one.auroc)]
    return [f"{min(one.effective):,.0f}", *area, *divergences, number(one.p_auroc, 3), verdict]


def _charts(found: ImagesDiagnosis) -> Iterator[Chart]:
    enough = [one for one in found.figures if one.enough]
    counted = [one for one in found.figures if np.isfinite(one.p_share) and np.isfinite(one.counted.value)]
    if counted:
        bars = [
            Bar(
                found.names[one.number],
                float(one.counted.value / np.log(2)),
                float(one.counted.low / np.log(2)),
                float(one.counted.high / np.log(2)),
                "a" if one.too_rare or one.too_common else "guide",
            )
            for one in counted
        ]
        words = Words(
            "Is each class made often enough?",
            "Right of 0: made too rarely; 1 is half as often as among references. Bars are 95 % intervals.",
            "Chart of the share of each class with its interval", "doublings by which it is too rare", "",
        )  # fmt: skip
        widest = max(1.0, *(abs(end) for bar in bars for end in (bar.low, bar.high) if np.isfinite(end)))
        reach = float(np.ceil(min(widest, 6.0)))
        yield interval_chart(words, bars, x_range=(-reach, reach), marks=[(0.0, "as often")])
    if enough:
        bars = [
            Bar(
                found.names[one.number], one.auroc.value, one.auroc.low, one.auroc.high,
                "a" if one.told_apart else "guide",
            )
            for one in enough
        ]  # fmt: skip
        words = Words(
            "Is each class well made?", "How well its images are told from references; strong: significantly.",
            "Chart of the AUROC of each class with its interval", "AUROC", "",
        )  # fmt: skip
        yield interval_chart(words, bars, x_range=(0.4, 1.0), marks=[(0.5, "cannot be told")])
    yield reliability_chart(found.reliability)


def _limits(found: ImagesDiagnosis) -> Iterator[str]:
    if found.told_class:
        yield "The generator is told which class to make, so its shares are what was asked for, and are not judged."
    elif found.figures:
        yield (
            "Shares are compared with those of the folder of references. Where that was balanced by hand, so is what "
            "is found wanting."
        )
    yield (
        "What is badly made is what a small network tells apart after a short time. A larger one, or more images, can "
        "find more; nothing found does not mean perfect."
    )
    yield "Whether images were learnt by heart is another question: compare them with the nearest tiles of training."


def _settings(found: ImagesDiagnosis) -> Iterator[tuple[str, str]]:
    yield from zip(("references", "generated"), map(str, found.folders), strict=True)
    yield "bands", " ".join(found.images[0].bands)
    yield "classes", "by indices" if found.settings.landcover == "indices" else "by subfolder"
    yield "told the class", "yes" if found.told_class else "no"
    for name in ("refit", "noise", "channels", "calibration", "seed"):
        yield name, str(getattr(found.settings, name))
