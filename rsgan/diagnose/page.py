"""A diagnosis as a page for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from rsgan.diagnose.diagnosis import GENERATED, REAL, Diagnosis
from rsgan.diagnose.parts import (
    AUROC,
    TOO_FEW,
    ends,
    interval,
    known_pixels,
    number,
    picture_of,
    reliability_chart,
    trust_tiles,
)
from rsgan.diagnose.views import View
from rsgan.metrics.density_ratio import ClassFigures
from rsgan.report.charts import Bar, Chart, Words, interval_chart
from rsgan.report.colours import coloured, png, ramp_css
from rsgan.report.page import Explanation, Legend, Overview, Page, Picture, ShownPlace, Table, Tile
from rsgan.report.panels import Panel, limits_of

Floats = NDArray[np.floating]
EXPLANATIONS = (
    AUROC,
    Explanation(
        "Log density ratio",
        "log p / q of a patch: how much more likely it is among the first kind than among what the model makes of the "
        "ground. 0.69 is twice as likely.",
        "How often a class is made: the model is given the ground, and with it the class.",
    ),
    TOO_FEW,
)


def page_of(found: Diagnosis) -> Page:
    """Everything that was found, with words and pictures."""
    paired = found.whole is not None
    return Page(
        title=f"Where does {found.card.name} fall short?",
        subtitle=_subtitle(found),
        summary=tuple(_summary(found)),
        tiles=tuple(_tiles(found)),
        places=tuple(_shown(view, found) for view in found.look.views),
        swipe=_swipe(found),
        overview=_overview(found),
        tables=tuple(_tables(found)),
        charts=tuple(_charts(found)),
        explanations=EXPLANATIONS if paired else EXPLANATIONS[1:2],
        limits=tuple(_limits(found)),
        notes=found.notes,
        settings=tuple(_settings(found)),
    )


def _subtitle(found: Diagnosis) -> str:
    judge = "a discriminator learnt afresh" if found.settings.refit else "the discriminator left over from training"
    return f"{PurePath(found.paths['observed']).name}, judged by {judge}; patches of {found.geometry.side} pixels"


def _summary(found: Diagnosis) -> Iterator[str]:
    if found.whole is None:
        yield (
            "Without a reference there are only logits of what the model made: they show where it looks least like the "
            "references of training, in the discriminator's eyes, and cannot tell a hard place from a badly made one."
        )
        return
    area = found.whole.auroc
    yield (
        f"Over the whole scene a patch of the {found.look.real} scores higher than one of the {found.look.generated} "
        f"with a chance of {interval(area)}; 0.5 would mean that they cannot be told apart."
    )
    told = sorted((one for one in found.classes if one.told_apart), key=lambda one: -one.auroc.value)
    if told:
        named = ", ".join(f"{found.name_of(one.number)} ({one.auroc.value:.2f})" for one in told)
        yield f"The {found.look.generated} is told from the {found.look.real} in: {named}."
    elif found.classes:
        yield f"In no class of land cover is the {found.look.generated} significantly told from the {found.look.real}."
    few = [found.name_of(one.number) for one in found.classes if not one.enough]
    if few:
        yield f"Too few independent patches for a verdict: {', '.join(few)}."


def _tiles(found: Diagnosis) -> Iterator[Tile]:
    if found.whole is None:
        return
    area = found.whole.auroc
    told = area.low > 0.5
    yield Tile(
        "AUROC, whole scene", f"{area.value:.2f}", f"{area.low:.2f} to {area.high:.2f}", "bad" if told else "good"
    )
    yield Tile(
        "Patches", f"{found.whole.patches[0]:,}", f"as many as {min(found.whole.effective):,.0f} independent ones"
    )
    yield from trust_tiles(found.reliability, [one.loss for one in found.scores.learnt])


def _swipe(found: Diagnosis) -> tuple[str, str]:
    """The two pictures that are worth most side by side: those of the first group, reference first."""
    there = [name for name in found.look.alike[-1] if found.look.views and name in found.look.views[0].images]
    return (there[0], there[1]) if len(there) > 1 else ("observed", GENERATED)


def _shown(view: View, found: Diagnosis) -> ShownPlace:
    """One place; pictures of one group have the colours of the first of them."""
    look, pictures = found.look, {}
    for group in look.alike:
        there = [name for name in group if name in view.images]
        first = view.images[there[0]]
        limits = limits_of(Panel("", np.nan_to_num(first), known_pixels(first, look.channels)), look.channels)
        for name in there:
            caption = look.captions[name]
            pixels = picture_of(view.images[name], look.channels, limits)
            pictures[name] = Picture(name, caption, f"{caption}, {view.title}", pixels)
    return ShownPlace(view.title, view.caption, tuple(pictures[name] for name in look.captions if name in pictures))


def _overview(found: Diagnosis) -> Overview | None:
    maps = found.scores.ratios.of
    what = "log density ratio" if found.meaning.log_ratio is not None else "logit"
    if REAL in maps:
        values, title = maps[REAL] - maps[GENERATED], "Where they are told apart"
        caption = f"{what.capitalize()} of {found.look.real} minus that of {found.look.generated}; bright: told apart."
    else:
        values, title = -maps[GENERATED], "Where it looks least like a reference"
        caption = f"{what.capitalize()} of the enhanced raster, turned round; bright: least like a reference."
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    low, high = (float(x) for x in np.percentile(known, (2, 98)))
    channels, below = found.look.channels, found.look.overview
    limits = limits_of(Panel("", np.nan_to_num(below), known_pixels(below, channels)), channels)
    return Overview(
        Picture(
            "map",
            caption,
            f"Map of the scene; the brightest are {high:.2g} and more",
            png(coloured(values - low, high - low)),
        ),
        (),
        Legend(ramp_css(), f"{low:.2g} and less", f"{high:.2g} and more"),
        title,
        Picture("ground", "", "The scene in small", picture_of(found.look.overview, channels, limits)),
    )


def _tables(found: Diagnosis) -> Iterator[Table]:
    if not found.classes:
        return
    density = found.meaning.log_ratio is not None
    head = ["class", "hectares", "patches", "independent", "AUROC", "95 %", "mean", "spread"]
    head += (["JSD"] if density else []) + ["p", "verdict"]
    rows = []
    for one in found.classes:
        row = [found.name_of(one.number), number(found.area_ha(one), 0), f"{one.patches[0]:,}"]
        row += [f"{min(one.effective):,.0f}"]
        row += [number(one.auroc.value), ends(one.auroc), number(one.mean.value), number(one.spread)]
        row += ([number(one.jsd.value, 3)] if density else []) + [number(one.p_auroc, 3), _verdict(one)]
        rows.append(tuple(row))
    yield Table(
        "By land cover", tuple(head), tuple(rows),
        caption="Held-out patches of which one class has enough; p is adjusted for the number of classes (Holm).",
    )  # fmt: skip


def _verdict(one: ClassFigures) -> str:
    if not one.enough:
        return "too few"
    return "told apart" if one.told_apart else "not told apart"


def _charts(found: Diagnosis) -> Iterator[Chart]:
    if found.classes:
        bars = [
            Bar(
                found.name_of(one.number),
                one.auroc.value,
                one.auroc.low,
                one.auroc.high,
                "a" if one.told_apart else "guide",
            )
            for one in found.classes
            if one.enough
        ]
        if bars:
            words = Words(
                f"How well the {found.look.generated} is told from the {found.look.real}",
                "Bars are 95 % intervals by block bootstrap; strong: told apart significantly.",
                "Chart of the AUROC of each class with its interval", "AUROC", "",
            )  # fmt: skip
            yield interval_chart(words, bars, x_range=(0.4, 1.0), marks=[(0.5, "cannot be told")])
    if found.reliability:
        yield reliability_chart(found.reliability)


def _limits(found: Diagnosis) -> Iterator[str]:
    yield (
        "The model was given the ground, so the discriminator sees the class in what it is conditioned on: it can say "
        "where invented detail is told from real, never that a class is made too rarely."
    )
    if not found.settings.refit:
        yield (
            "The discriminator is the one left over from training. It chased a generator that has moved on since, and "
            "may know the places that it was trained on; a fresh one (--refit 300) is fair."
        )
    if found.meaning.log_ratio is None:
        yield (
            f"Its game is {found.meaning.objective}: a logit is {found.meaning.says}. So no density ratio, divergence "
            "or calibration is drawn from it; only which of two patches scores higher."
        )
    if found.settings.refit and not found.settings.noise and found.card.task == "superres":
        yield (
            "No instance noise was added. A deterministic generator shares no support with references, so the true "
            "density ratio is unbounded: what is shown is what a small network finds in a short time."
        )


def _settings(found: Diagnosis) -> Iterator[tuple[str, str]]:
    yield from found.paths.items()
    yield "model", found.card.name
    yield "land cover", "none" if found.landcover is None else found.landcover.source
    yield "a logit is", found.meaning.says
    for name, value in vars(found.settings).items():
        if name not in ("landcover", "legend"):
            yield name, str(value)
