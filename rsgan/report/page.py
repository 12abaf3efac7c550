"""A page for people about one raster: one HTML file that needs nothing else, for screens of any width and for paper.

What a page holds is given as plain values; this module knows nothing of how they were found.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined

from rsgan.report.charts import Chart


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        key: Short name of what it shows; the same in all places, so that the slider can switch between them.
        caption: Stands below it.
        alt: For those who cannot see it.
        png: The file's bytes.
    """

    key: str
    caption: str
    alt: str
    png: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        return f"data:image/png;base64,{b64encode(self.png).decode()}"


@dataclass(frozen=True)
class ShownPlace:
    """One place in several pictures of one shape.

    Attributes:
        title: Why it is shown.
        caption: Where it lies.
        pictures: To be compared, by the slider too.
        errors: Below them, not in the slider, each with the key of the picture whose errors it shows.
    """

    title: str
    caption: str
    pictures: tuple[Picture, ...]
    errors: tuple[Picture, ...] = ()

    @property
    def columns(self) -> dict[str, int]:
        """Where each picture stands, from the left."""
        return {picture.key: number for number, picture in enumerate(self.pictures)}


@dataclass(frozen=True)
class Tile:
    """One number in large print.

    Attributes:
        label: What it is.
        value: The number with its unit.
        remark: Beside what it has to be seen.
        tone: good, bad or plain.
    """

    label: str
    value: str
    remark: str
    tone: str = "plain"


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row.

    Attributes:
        title: Heading.
        columns: Heads of the columns.
        rows: As many cells each.
        best: (row, column) of cells to be marked as the better ones.
        caption: How to read it; may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    caption: str = ""

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return len(self.columns) > 5


@dataclass(frozen=True)
class Explanation:
    """One figure in plain words: what it says, and what it cannot tell."""

    title: str
    meaning: str
    silence: str


@dataclass(frozen=True)
class Legend:
    """A ramp of colours: CSS colours from low to high, and the numbers at both ends."""

    colours: tuple[str, ...]
    low: str
    high: str


@dataclass(frozen=True)
class Overview:
    """A picture of the whole raster with the places marked.

    Attributes:
        picture: The image.
        marks: (title, left, top, width, height) of each place, in per cent of the image.
        legend: Of its colours.
        title: Heading.
        ground: What lies below it, of the same place, so that the map can be seen through; None without.
    """

    picture: Picture
    marks: tuple[tuple[str, float, float, float, float], ...]
    legend: Legend
    title: str = "Where the errors are"
    ground: Picture | None = None


@dataclass(frozen=True)
class Page:
    """What stands on a page, from top to bottom; what is empty is left out.

    Attributes:
        title: Heading.
        subtitle: What was compared, in a line.
        summary: A few sentences.
        tiles: The most telling numbers.
        places: To be looked at.
        places_title: Heading of them; empty for "Places".
        swipe: Keys of the pictures that the slider shows first, left and right; empty for a page without one.
        error_legend: Of the error pictures of the places.
        overview: Of the errors of the whole raster.
        tables: Figures.
        charts: Drawings.
        explanations: Of the figures.
        limits: What the page cannot tell, a paragraph each.
        notes: What was noticed about the rasters.
        settings: (name, value) of what was done.
    """

    title: str
    subtitle: str
    summary: tuple[str, ...]
    tiles: tuple[Tile, ...] = ()
    places: tuple[ShownPlace, ...] = ()
    places_title: str = ""
    swipe: tuple[str, str] = ("", "")
    error_legend: Legend | None = None
    overview: Overview | None = None
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    limits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = field(default=())


def render(page: Page) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=PackageLoader("rsgan.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(page=page)
