import numpy as np
import pytest

from rsgan.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Bar, Line, Words, interval_chart, line_chart

WORDS = Words("title", "caption", "alt", "across", "up")


def points(path: str) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in path.removeprefix("M").split(" L")]


def test_a_diagonal_runs_from_corner_to_corner() -> None:
    chart = line_chart(
        WORDS, [Line("one", np.array([0.0, 1.0]), np.array([0.0, 1.0]), "a")], x_range=(0, 1), y_range=(0, 1)
    )
    ((name, style, path),) = chart.paths
    assert (name, style) == ("one", "a")
    assert points(path) == [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]
    assert [tick.label for tick in chart.x_ticks] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_a_logarithmic_axis_has_powers_of_ten_and_no_zeros() -> None:
    line = Line("one", np.array([0.0, 0.1, 0.2, 0.3]), np.array([0.0, 1e-4, 1e-2, np.nan]), "a")
    chart = line_chart(WORDS, [line], x_range=(0, 0.5), log_y=True, marks=[(0.25, "here")])
    assert [tick.label for tick in chart.y_ticks] == ["10⁻⁴", "10⁻³", "10⁻²"]
    (_, low), (_, high) = points(chart.paths[0][2])
    assert (low, high) == (HEIGHT - BOTTOM, TOP)
    assert chart.marks[0].at == pytest.approx((LEFT + WIDTH - RIGHT) / 2)


def test_an_empty_line_and_an_even_one_are_drawn_without_complaint() -> None:
    empty = line_chart(WORDS, [Line("none", np.array([0.1]), np.array([np.nan]), "a")], x_range=(0, 1), log_y=True)
    assert empty.paths[0][2] == ""
    even = line_chart(WORDS, [Line("even", np.array([0.0, 1.0]), np.array([2.0, 2.0]), "a")], x_range=(0, 1))
    assert {y for _, y in points(even.paths[0][2])} == {(TOP + HEIGHT - BOTTOM) / 2}


def test_intervals_stand_one_below_the_other_and_are_cut_at_the_axis() -> None:
    bars = [Bar("one", 0.5, 0.25, 0.75, "a"), Bar("two", 0.9, -3.0, 3.0, "b"), Bar("none", np.nan, 0, 1, "a")]
    chart = interval_chart(WORDS, bars, x_range=(0, 1), marks=[(0.5, "even")])
    assert [tick.label for tick in chart.y_ticks] == ["one", "two", "none"]
    assert [name for name, *_ in chart.paths] == ["one", "two"]
    assert not chart.legend
    bar, mark = chart.paths[0][2].split(" M")
    (low, first), (high, second) = points(bar)
    assert (first, second) == (chart.y_ticks[0].at,) * 2
    assert (low + high) / 2 == pytest.approx(float(mark.split(",")[0]), abs=0.1)
    assert chart.marks[0].at == pytest.approx((low + high) / 2, abs=0.1)
    (low, _), (high, _) = points(chart.paths[1][2].split(" M")[0])
    assert (low, high) == (chart.left, chart.right)
