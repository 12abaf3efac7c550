"""The page about a run: how the losses and the held-out figures went, what the images look like, what was ill."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsgan.report.charts import Chart, Line, Words, line_chart
from rsgan.report.page import Page, Picture, ShownPlace, Table, Tile, render
from rsgan.report.saving import save_text
from rsgan.training.loading import AnyConfig
from rsgan.training.validation import PANEL_SIDE

STYLES = "abcd"
"""Looks of the lines of a chart, of which it has as many at most."""
SHOWN = {"baseline": "input, or what needs no network", "made": "made", "reference": "reference"}
"""Key -> caption of the columns of a panel."""
MORE_IS_BETTER = (
    "gain_db", "psnr_db", "diversity", "coverage", "precision", "recall", "density", "accuracy", "authenticity"
)  # fmt: skip
"""How held-out figures begin of which the largest is the best; of others it is the one nearest to 0."""
Event = Mapping[str, Any]


def save_run_report(path: Path, config: AnyConfig, log: Path, panels: Path) -> None:
    """Write the page.

    Args:
        path: HTML file; replaced where it is there.
        config: of the run.
        log: JSON lines of the run.
        panels: folder of the pictures of its validations.

    Raises:
        OutputError: it cannot be written.
    """
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    pictures = sorted(panels.glob("*.png"))
    save_text(path, render(_page(config, events, pictures[-1] if pictures else None)), "--out")


def _page(config: AnyConfig, events: Sequence[Event], panel: Path | None) -> Page:
    place = None if panel is None else _place(panel)
    trained, judged, ill = ([e for e in events if e["event"] == kind] for kind in ("train", "validation", "health"))
    seen = max((int(event["samples_seen"]) for event in events), default=0)
    return Page(
        title=f"Training of {config.model.name}",
        subtitle=f"task {config.task}, {seen:,} chips seen",
        summary=tuple(_summary(ill, judged)),
        tiles=tuple(_tiles(trained, judged, ill, seen)),
        places=() if place is None else (place,),
        swipe=("made", "reference") if place is not None and len(place.pictures) > 1 else ("", ""),
        tables=(_figures(judged),) if judged else (),
        charts=tuple(_charts(trained, judged, max(seen, 1))),
        limits=(
            "Losses of an adversarial game do not fall like those of a fit: where both players improve, they stay. "
            "What counts are the held-out figures and the pictures.",
            "A disease that is not named may be there: each is looked for by one figure, with one threshold.",
        ),
        settings=tuple(_settings(config)),
    )


def _summary(ill: Sequence[Event], judged: Sequence[Event]) -> Iterator[str]:
    if not ill:
        yield "Nothing that rsgan looks for went wrong in this run."
    for event in ill:
        told = f"{event['evidence']} (threshold {event['threshold']}; {event['source']}). {event['remedy']}"
        yield f"Named at chip {event['samples_seen']:,}: {event['disease']}. {told}"
    if not judged:
        yield "The run ended before its first validation."


def _tiles(trained: Sequence[Event], judged: Sequence[Event], ill: Sequence[Event], seen: int) -> Iterable[Tile]:
    yield Tile("chips seen", f"{seen:,}", "both stages")
    if trained:
        pace, waiting = (
            np.median([float(e.get(key, np.nan)) for e in trained]) for key in ("samples_per_second", "waiting")
        )
        tone = "bad" if waiting > 0.1 else "plain"
        yield Tile("chips per second", f"{pace:.1f}", f"{waiting:.0%} of the time waiting for tiles", tone)
    for key in [k for k in (judged[-1] if judged else {}) if k.startswith(("gain_db/", "psnr_db/"))][:2]:
        values = [float(event[key]) for event in judged if key in event]
        tone = "good" if values[-1] > 0 else "bad"
        yield Tile(
            key, f"{values[-1]:+.2f} dB" if "gain" in key else f"{values[-1]:.2f} dB", f"best {max(values):.2f}", tone
        )
    yield Tile("diseases named", str(len(ill)), "see above" if ill else "none", "bad" if ill else "good")


def _place(panel: Path) -> ShownPlace:
    """The pictures of a validation: those of `save_panel` one by one, others as they are."""
    title = "Held-out places at the last validation"
    with Image.open(panel) as sheet:
        width, height = sheet.size
        if width != 3 * PANEL_SIDE:
            whole = Picture("all", "as in the run's folder", "Held-out places, side by side", panel.read_bytes())
            return ShownPlace(title, panel.name, (whole,))
        columns = [
            sheet.crop((number * PANEL_SIDE, 0, (number + 1) * PANEL_SIDE, height)) for number in range(len(SHOWN))
        ]
    pictures = tuple(
        Picture(key, caption, f"Held-out places: {caption}", _png(column))
        for (key, caption), column in zip(SHOWN.items(), columns, strict=True)
    )
    return ShownPlace(title, panel.name, pictures)


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def _figures(judged: Sequence[Event]) -> Table:
    names = [key for key in judged[-1] if key not in ("event", "samples_seen")]
    rows = []
    for name in names:
        values = [float(event[name]) for event in judged if name in event]
        best = max(values) if name.startswith(MORE_IS_BETTER) else min(values, key=abs)
        rows.append((name, *(f"{value:.4g}" for value in (values[0], best, values[-1]))))
    return Table("Held-out figures", ("figure", "first", "best", "last"), tuple(rows))


def _charts(trained: Sequence[Event], judged: Sequence[Event], seen: int) -> Iterable[Chart]:
    for network in ("generator", "discriminator"):
        names = [
            k for k in dict.fromkeys(k for e in trained for k in e) if k.startswith(f"{network}/") and "norm" not in k
        ]
        yield from _chart(f"Losses of the {network}", trained, names, seen, "loss, weighted")
    yield from _chart("Held-out", judged, _named(judged, ("gain_db/", "psnr_db/")), seen, "dB")
    sets = ("precision/training", "recall/training", "precision/held_out", "recall/held_out")
    yield from _chart("Made chips as a set", judged, _named(judged, sets), seen, "share")
    yield from _chart("Classes told", judged, _named(judged, ("accuracy",)), seen, "share")


def _named(events: Sequence[Event], beginnings: tuple[str, ...]) -> list[str]:
    """Figures of some kinds, in the order in which they first come."""
    return [name for name in dict.fromkeys(name for event in events for name in event) if name.startswith(beginnings)]


def _chart(title: str, events: Sequence[Event], names: Sequence[str], seen: int, unit: str) -> Iterable[Chart]:
    lines = []
    for name, style in zip(names, STYLES, strict=False):
        points = [(float(e["samples_seen"]), float(e[name])) for e in events if name in e]
        if len(points) > 1:
            x, y = np.array(points).T
            lines.append(Line(name.rpartition("/")[2] if "loss" in unit else name, x, y, style))
    if lines:
        more = f"; {len(names) - len(STYLES)} more are in log.jsonl" if len(names) > len(STYLES) else ""
        words = Words(title, f"As logged{more}.", f"{title} over the chips seen", "chips seen", unit)
        yield line_chart(words, lines, x_range=(0.0, float(seen)))


def _settings(config: AnyConfig) -> Iterable[tuple[str, str]]:
    content = config.model_dump(mode="json")
    yield "seed", str(content["seed"])
    for section in ("generator", "discriminator", "losses", "adversary", "training"):
        values = content.get(section) or {}
        yield section, ", ".join(f"{key} {value}" for key, value in values.items() if value is not None) or "none"
