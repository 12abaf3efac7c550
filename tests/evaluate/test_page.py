import re

import pytest

from rsgan.evaluate import Options, evaluate
from rsgan.evaluate.page import page_of, reliability
from rsgan.evaluate.pictures import rgb_channels
from rsgan.evaluate.tables import better, change, number, percent, tables
from rsgan.evaluate.words import COVERAGE, FIGURES, NO_REFERENCE, WALD
from rsgan.metrics.coverage import LEVELS, Coverage
from rsgan.report.page import render


@pytest.fixture
def found(place):
    return evaluate(**place.paths, options=Options(psf_sigma=0.4))


def test_the_page_says_how_much_better_than_bicubic(found):
    page = page_of(found)
    ours, theirs = (found.figures[name]["rmse"].pooled for name in ("enhanced", "bicubic"))
    assert f"{100 * (1 - ours / theirs):.0f}" in page.summary[0]
    assert "smaller than that of bicubic interpolation" in page.summary[0]
    assert page.title == "How good is enhanced.tif?"
    assert WALD in page.limits
    assert {tile.tone for tile in page.tiles if tile.label in ("PSNR", "RMSE")} == {"good"}


def test_every_figure_that_is_shown_is_explained(found):
    page = page_of(found)
    shown = {FIGURES[key].title for figures in found.figures.values() for key in figures}
    assert {each.title for each in page.explanations} == shown
    assert all(each.meaning[-1] in ".?" and each.silence.endswith(".") for each in page.explanations)


def test_all_four_images_of_a_place_are_there_with_their_errors_below(found):
    (place,) = page_of(found).places
    assert place.title == "Largest error, median error, centre"
    assert [picture.key for picture in place.pictures] == ["observed", "bicubic", "enhanced", "reference"]
    assert [picture.key for picture in place.errors] == ["bicubic", "enhanced"]
    assert all(picture.png.startswith(b"\x89PNG") for picture in (*place.pictures, *place.errors))


def test_without_a_reference_the_page_does_not_pretend(place):
    page = page_of(evaluate(place.paths["enhanced"], observed=place.paths["observed"]))
    assert NO_REFERENCE in page.summary
    assert WALD not in page.limits
    assert [table.title for table in page.tables] == [
        "Against what was observed", "Band by band", "Values of the enhanced raster",
    ]  # fmt: skip
    alone = page_of(evaluate(place.paths["enhanced"]))
    assert [picture.key for picture in alone.places[0].pictures] == ["enhanced"]
    assert render(alone).count("<h2>") >= 4


def test_reliability_is_on_the_diagonal_where_the_promise_is_kept():
    kept = Coverage(LEVELS, LEVELS, dict.fromkeys(("smooth", "middle", "edges"), LEVELS), 100)
    chart = reliability(kept)
    assert chart.caption == COVERAGE
    assert "holds at the Wald scale" in chart.caption
    lines = {
        name: [tuple(map(float, pair.split(","))) for pair in path[1:].split(" L")] for name, _, path in chart.paths
    }
    (x0, y0), (x1, y1) = lines.pop("promise kept")
    assert set(lines) == {"all values", "smooth", "middle", "edges"}
    for points in lines.values():
        for x, y in points:
            assert (y - y0) / (y1 - y0) == pytest.approx((x - x0) / (x1 - x0), abs=0.001)


@pytest.mark.parametrize(
    ("key", "ours", "theirs", "winner"),
    [
        ("psnr_db", 30.0, 29.0, 0),
        ("rmse", 0.01, 0.02, 0),
        ("bias", -0.003, 0.001, 1),
        ("detail_over_reference", 1.3, 0.5, 0),
        ("detail_over_bicubic", 9.0, 1.0, None),
        ("sam_deg", 1.0, 1.0000001, None),
        ("sam_deg", float("nan"), 1.0, None),
    ],
)
def test_the_better_of_two_numbers_is_the_one_nearer_to_the_best(key, ours, theirs, winner):
    assert better(FIGURES[key], ours, theirs) == winner


def test_numbers_are_written_for_people():
    assert number(float("nan"), 2) == "–"  # noqa: RUF001 - a dash
    assert number(float("inf"), 2) == "∞"
    assert number(-0.012, 2, signed=True) == "−0.01"  # noqa: RUF001 - a minus
    assert percent(0.25) == "25\u00a0%"
    assert percent(1e-7, 2) == "< 0.01\u00a0%"
    assert change(0.75, 1.0) == "−25\u00a0%"  # noqa: RUF001 - a minus


def test_tables_mark_the_better_image_and_have_a_cell_per_column(found):
    made = {table.title: table for table in tables(found)}
    for table in made.values():
        assert {len(row) for row in table.rows} == {len(table.columns)}
    against = made["Against the reference"]
    (line,) = [number for number, row in enumerate(against.rows) if row[0].startswith("RMSE")]
    assert (line, 1) in against.best
    assert [row[0] for row in made["Band by band"].rows] == ["B02", "B03", "B04", "B08"]


def test_red_green_and_blue_are_shown_as_such_else_the_first_bands():
    assert rgb_channels(("B02", "B03", "B04", "B08"), "sentinel-2a") == (2, 1, 0)
    assert rgb_channels(("B05", "B11"), "sentinel-2a") == (1, 1, 0)
    assert rgb_channels(("slope",), "sentinel-2a") == (0, 0, 0)
    assert rgb_channels(("B2", "B3", "B4"), "landsat-8") == (2, 1, 0)


def test_a_page_of_a_full_evaluation_holds_no_address_and_no_undefined_number(found):
    text = render(page_of(found))
    assert re.findall(r"https?://|>nan<|>None<", text) == []
    assert len(text) < 2_000_000
    assert text.count("<figure") >= 6
