import numpy as np
import pytest

from benchmarks.quality_despeckle import (
    BASELINES,
    DEFAULT,
    Pictures,
    Row,
    as_table,
    best,
    classical,
    drawn_scene,
    outside_cases,
    picture,
    psnr,
    quality_tables,
    row_psnr,
    speckled,
    summary,
)


def test_pictures_are_those_of_the_protocol() -> None:
    for name in ("camera", "brick", "moon"):
        amplitude = picture(name)
        assert amplitude.shape == (256, 256)
        assert amplitude.min() >= 1
    ratio = speckled("camera", 4, 0.0, 0) / picture("camera") ** 2
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert 4 * ratio.var() == pytest.approx(1, abs=0.03)
    assert psnr(speckled("camera", 1, 0.0, 0), picture("camera")) == pytest.approx(13, abs=2)


def test_draws_differ_by_picture_and_seed_only() -> None:
    cases = outside_cases(2)
    assert len(cases) == 5 * 3 * 2
    np.testing.assert_array_equal(cases["brick|4|0.0|1"], speckled("brick", 4, 0.0, 1))
    assert not np.array_equal(cases["brick|4|0.0|1"], cases["brick|4|0.0|0"])


def test_tables_have_every_method() -> None:
    shown = Pictures({DEFAULT: classical("frost"), "lee": classical("lee"), "boxcar": classical("boxcar")}, 1, None)
    text = "\n".join(quality_tables(shown))
    for part in ("PSNR of the amplitude", "SSIM", "moon, L=10", "| lee |"):
        assert part in text
    rows = list(row_psnr(shown))
    assert {row.number for row in rows} == {"1", "19"}
    assert "**no**" in as_table(rows)


def test_the_readme_shows_ours_beside_the_best_filter() -> None:
    shown = Pictures({name: classical(name) for name in BASELINES} | {DEFAULT: classical("frost")}, 1, None)
    head, _, *lines = summary(shown).splitlines()
    assert head == "| speckle | observed | best filter | ours | gain over the filter |"
    assert [line.split(" | ")[0] for line in lines] == [
        "| 1 look", "| 4 looks", "| 10 looks", "| 1 look, neighbours' correlation 0.19"
    ]  # fmt: skip
    assert lines[1].endswith("(frost) | 29.59 | 0.00 ± 0.00 |")


def test_the_best_baseline_is_not_ours() -> None:
    values = {DEFAULT: 40.0, f"{DEFAULT}, 8 passes": 41.0, "lee": 30.0, "frost": 31.0, "absent": float("nan")}
    assert best(values) == ("frost", 31.0)
    assert best(values, low=True) == ("lee", 30.0)
    assert "lee" in BASELINES


def test_rows_become_a_table_and_made_up_ground_is_the_same_twice() -> None:
    assert as_table([Row("1", "PSNR", "≥ 1", "2", "lee 0", True)]).endswith("| 1 | PSNR | ≥ 1 | 2 | lee 0 | yes |")
    np.testing.assert_array_equal(drawn_scene(256, 5), drawn_scene(256, 5))
