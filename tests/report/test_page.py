import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsgan.report.charts import Line, Words, line_chart
from rsgan.report.colours import png, ramp_css
from rsgan.report.page import Explanation, Legend, Overview, Page, Picture, ShownPlace, Table, Tile, render

COLOURS = {"observed": (200, 0, 0), "bicubic": (0, 200, 0), "enhanced": (0, 0, 200), "reference": (200, 200, 0)}


def picture(key: str, shade: int = 0) -> Picture:
    pixels = np.full((32, 48, 4), 255, np.uint8)
    pixels[..., :3] = np.minimum(np.array(COLOURS[key]) + shade, 255)
    return Picture(key, key.capitalize(), f"{key} of place {shade}", png(pixels))


def place(title: str, shade: int) -> ShownPlace:
    return ShownPlace(
        title, "Rows 0 to 32.", tuple(picture(key, shade) for key in COLOURS), (picture("enhanced", shade),)
    )


@pytest.fixture
def page() -> Page:
    legend = Legend(ramp_css(), "0", "0.04")
    chart = line_chart(
        Words("Chart", "How to read it", "A falling line", "across", "up"),
        [Line("one", np.array([0.0, 1.0]), np.array([1.0, 0.1]), "a")],
        x_range=(0, 1),
        log_y=True,
        marks=[(0.5, "middle")],
    )
    return Page(
        title="How good is <b>&.tif?",
        subtitle="four bands",
        summary=("It is <good>.",),
        tiles=(Tile("PSNR", "39 dB", "bicubic 36", "good"),),
        places=(place("Largest error", 0), place("Centre", 40)),
        swipe=("observed", "enhanced"),
        error_legend=legend,
        overview=Overview(
            picture("enhanced"), (("Centre", 10.0, 20.0, 30.0, 30.0), ("Largest error", 95.0, 2.0, 5.0, 5.0)), legend
        ),
        tables=(Table("Figures", ("", "a", "b"), (("RMSE", "1", "2"),), frozenset({(0, 1)}), "Read it."),),
        charts=(chart,),
        explanations=(Explanation("RMSE", "Size of errors.", "Their kind."),),
        limits=("Much.",),
        notes=("a note",),
        settings=(("Pixels", "many"),),
    )


class Reader(HTMLParser):
    """Elements with their attributes, and tags that were not closed."""

    VOID = frozenset(("meta", "link", "img", "input", "br", "hr", "line"))

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_needs_nothing_else_and_every_picture_is_described(page: Page) -> None:
    text = render(page)
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    for tag, attributes in reader.elements:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert re.findall(r"url\(|@import|https?://", text) == []
    shown = [attributes for tag, attributes in reader.elements if tag == "img" and "src" in attributes]
    assert len(shown) == 2 * 5 + 1
    assert all(attributes["alt"] for attributes in shown)
    drawings = [attributes for tag, attributes in reader.elements if tag == "svg" and "role" in attributes]
    assert [attributes["aria-label"] for attributes in drawings] == ["A falling line"]


def test_what_comes_from_files_is_text_and_never_markup(page: Page) -> None:
    text = render(page)
    assert "How good is &lt;b&gt;&amp;.tif?" in text
    assert "It is &lt;good&gt;." in text


def test_the_better_cell_is_marked(page: Page) -> None:
    assert re.findall(r'<td class="best">(.*?)</td>', render(page)) == ["1"]


def test_what_is_empty_is_left_out() -> None:
    text = render(Page("Title", "subtitle", ("Nothing else.",)))
    assert "Nothing else." in text
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["How it was made"]


@pytest.mark.browser
def test_the_slider_follows_mouse_finger_and_keys(browser, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(page), encoding="utf-8")
    browser.open(path)
    at = "parseFloat(document.getElementById('swipe').style.getPropertyValue('--at'))"
    assert browser.value(at) == 50
    browser.value("document.getElementById('swipe').scrollIntoView()")
    left, top, width, height = browser.value(
        "(() => { const b = document.getElementById('swipe').getBoundingClientRect();"
        " return [b.left, b.top, b.width, b.height]; })()"
    )
    y = top + height / 4
    browser.drag((left + width / 2, y), (left + width / 3, y), (left + width / 4, y))
    assert browser.value(at) == pytest.approx(25, abs=0.5)
    assert pixel(browser, left + width * 0.12, y) == COLOURS["observed"]
    assert pixel(browser, left + width * 0.60, y) == COLOURS["enhanced"]
    browser.swipe((left + width / 4, y), (left + width * 0.6, y), (left + width * 0.8, y))
    assert browser.value(at) == pytest.approx(80, abs=0.5)
    browser.value("document.getElementById('at').focus()")
    browser.press("ArrowLeft", 37)
    assert browser.value(at) == pytest.approx(79.5, abs=0.5)
    browser.press("Home", 36)
    assert browser.value(at) == 0
    assert pixel(browser, left + width * 0.12, y) == COLOURS["enhanced"]
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.browser
def test_any_two_images_of_any_place_can_be_compared(browser, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(page), encoding="utf-8")
    browser.open(path, width=390, height=800)
    browser.value(
        "for (const [id, key] of [['left', 'reference'], ['right', 'bicubic']]) {"
        " const s = document.getElementById(id); s.value = key; s.dispatchEvent(new Event('change')); }"
        "document.querySelectorAll('input[name=place]')[1].click()"
    )
    alts = browser.value("['.over', '.under'].map(c => document.querySelector('#swipe ' + c).alt)")
    assert alts == ["reference of place 40", "bicubic of place 40"]
    tags = browser.value("['.on-left', '.on-right'].map(c => document.querySelector(c).textContent)")
    assert tags == ["Reference", "Bicubic"]
    assert browser.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 820, 1200])
def test_nothing_is_wider_than_the_screen(browser, page: Page, tmp_path: Path, width: int) -> None:
    path = tmp_path / "page.html"
    wide = Table("Wide", tuple("abcdefghijkl"), (("a very long name of a row", *["0.123456789"] * 11),))
    path.write_text(render(replace(page, tables=(*page.tables, wide))), encoding="utf-8")
    browser.open(path, width=width)
    assert browser.value("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_the_page_is_dark_where_the_reader_wants_it_and_legible_in_both(browser, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(page), encoding="utf-8")
    lightness = {}
    for dark in (False, True):
        browser.open(path, dark=dark)
        for name, expression in (("paper", "backgroundColor"), ("ink", "color")):
            colour = browser.value(f"getComputedStyle(document.body).{expression}")
            lightness[name, dark] = np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]])
    assert lightness["paper", False] > 240 > 60 > lightness["ink", False]
    assert lightness["paper", True] < 40 < 200 < lightness["ink", True]


def pixel(browser, x: float, y: float) -> tuple[int, ...]:
    """Colour on the screen."""
    with Image.open(BytesIO(browser.screenshot())) as image:
        return image.convert("RGB").getpixel((round(x), round(y)))
