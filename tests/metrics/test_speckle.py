import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from rsgan.errors import GridError, InputError
from rsgan.metrics.speckle import (
    BLOCK,
    STRIDE,
    edge_correlation,
    enl,
    epd_roa,
    epi,
    ks_distance,
    m_index,
    mean_ratio,
    median_ratio_db,
    ratio_image,
    ratio_structure,
    ratio_variance,
    texture_variation,
)
from rsgan.metrics.speckle_tally import SpeckleFigures, SpeckleTally, criteria, histogram_edges, plain_figures
from rsgan.sensors.sar import draw_speckle, log_bias

SHAPE = (300, 250)
LOOKS = 4.0


@pytest.fixture
def speckle() -> np.ndarray:
    return draw_speckle(np.random.default_rng(4), SHAPE, LOOKS).astype(np.float64)


@pytest.fixture
def fields() -> np.ndarray:
    """Fields of 50 pixels, 9 dB apart, as on a chessboard."""
    rows, columns = np.indices(SHAPE) // 50
    return np.where((rows + columns) % 2, 8.0, 1.0)


def tally_of(
    observed: np.ndarray, enhanced: np.ndarray, valid: np.ndarray | None = None, looks: float = LOOKS
) -> SpeckleFigures:
    tally = SpeckleTally(looks, (0.0, 0.0))
    tally.add(observed, enhanced, np.ones(observed.shape, bool) if valid is None else valid)
    return tally.figures()


def same(left: SpeckleFigures, right: SpeckleFigures, *names: str) -> None:
    for name in names:
        assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-9), name


@pytest.mark.parametrize("looks", [1.0, 4.0, 10.0])
def test_perfect_despeckling_of_even_ground_leaves_speckle_in_the_ratio(looks: float) -> None:
    observed = 7 * draw_speckle(np.random.default_rng(1), SHAPE, looks).astype(np.float64)
    ratio = ratio_image(observed, np.full(SHAPE, 7.0))
    assert mean_ratio(ratio) == pytest.approx(1, abs=0.01)
    assert ratio_variance(ratio, looks) == pytest.approx(1, abs=0.03)
    assert median_ratio_db(ratio, looks) == pytest.approx(0, abs=0.05)
    assert ks_distance(ratio, looks) < 1.63 / math.sqrt(ratio[::STRIDE, ::STRIDE].size)
    assert ratio_structure(ratio) < 0.02
    assert edge_correlation(ratio, np.full(SHAPE, 7.0)) == 0


def test_perfect_despeckling_of_fields_leaves_no_edge_in_the_ratio(speckle: np.ndarray, fields: np.ndarray) -> None:
    ratio = ratio_image(fields * speckle, fields)
    assert edge_correlation(ratio, fields) < 0.02
    assert ratio_structure(ratio) < 0.02


def test_where_nothing_was_removed_the_ratio_is_one(speckle: np.ndarray) -> None:
    ratio = ratio_image(speckle, speckle)
    assert mean_ratio(ratio) == 1
    assert ratio_variance(ratio, LOOKS) == 0
    assert math.isnan(ratio_structure(ratio))
    assert edge_correlation(ratio, speckle) == 0
    figures = tally_of(speckle, speckle)
    assert figures.enl_enhanced == figures.enl_observed
    assert (figures.homogeneous_mean_ratio, figures.homogeneous_ratio_variance) == (1, 0)


def test_lost_edges_show_in_structure_edges_and_m(speckle: np.ndarray, fields: np.ndarray) -> None:
    observed, blurred = fields * speckle, ndimage.gaussian_filter(fields, 3)
    kept, lost = ratio_image(observed, fields), ratio_image(observed, blurred)
    assert ratio_structure(lost) > 0.1 > 10 * ratio_structure(kept)
    assert edge_correlation(lost, blurred) > 0.1 > 10 * edge_correlation(kept, fields)
    assert m_index(observed, blurred, LOOKS) > 3 * m_index(observed, fields, LOOKS)


def test_m_of_perfect_despeckling_is_small_and_repeatable(speckle: np.ndarray) -> None:
    even = np.ones(SHAPE)
    first, second, other = (m_index(speckle, even, LOOKS, seed=seed) for seed in (0, 0, 1))
    assert first == second != other
    assert first < 1
    assert m_index(speckle, speckle, LOOKS) > 100


def test_mean_and_variance_are_those_of_two_numbers() -> None:
    ratio = np.array([[0.5, 1.5, np.nan]])
    assert mean_ratio(ratio) == 1
    assert ratio_variance(ratio, 3.0) == pytest.approx(0.75)


def test_the_ratio_is_nan_where_a_pixel_cannot_be_used() -> None:
    observed, enhanced = np.array([[6.0, 0.0, 5.0, np.nan, -1.0, 2.0]]), np.array([[3.0, 1.0, 0.0, 1.0, 1.0, 1.0]])
    ratio = ratio_image(observed, enhanced, valid=np.array([[1, 1, 1, 1, 1, 0]], bool))
    np.testing.assert_array_equal(ratio, [[2.0, np.nan, np.nan, np.nan, np.nan, np.nan]])


def test_a_lost_bias_of_the_logarithm_shows_in_the_median() -> None:
    observed = draw_speckle(np.random.default_rng(1), SHAPE, 1).astype(np.float64)
    ratio = ratio_image(observed, np.full(SHAPE, math.exp(log_bias(1))))
    assert median_ratio_db(ratio, 1) == pytest.approx(-10 * log_bias(1) / math.log(10), abs=0.1)


def test_the_distance_of_a_constant_from_the_exponential_law_is_closed_form() -> None:
    assert ks_distance(np.ones((9, 9)), 1.0) == pytest.approx(1 - math.exp(-1))
    assert ks_distance(np.full((9, 9), 0.1), 1.0) == pytest.approx(math.exp(-0.1))


@pytest.mark.parametrize("correlation", [(0.5, 0.0), (0.1, 0.3)])
def test_structure_is_what_speckle_does_not_explain(correlation: tuple[float, float]) -> None:
    ratio = draw_speckle(np.random.default_rng(2), (400, 400), 2, correlation)
    assert ratio_structure(ratio) == pytest.approx(max(correlation), abs=0.02)
    assert ratio_structure(ratio, correlation) < 0.03


def test_structure_is_the_correlation_of_neighbours(speckle: np.ndarray) -> None:
    wave = speckle * (1 + 0.8 * np.sin(np.arange(SHAPE[1]) * np.pi / 2))
    down = [np.corrcoef(wave[lag:].ravel(), wave[:-lag].ravel())[0, 1] for lag in (1, 2)]
    along = [np.corrcoef(wave[:, lag:].ravel(), wave[:, :-lag].ravel())[0, 1] for lag in (1, 2)]
    assert ratio_structure(wave, lags=1) == pytest.approx(max(np.abs([down[0], along[0]])), abs=0.005)
    assert ratio_structure(wave, lags=2) == pytest.approx(max(np.abs([*down, *along])), abs=0.005)
    assert ratio_structure(wave, (down[0], 0.0), lags=1) == pytest.approx(abs(along[0]), abs=0.01)


def test_a_wrong_mean_is_not_structure(speckle: np.ndarray) -> None:
    assert ratio_structure(1.5 * speckle) == pytest.approx(ratio_structure(speckle), abs=1e-4)


def test_edge_correlation_is_that_of_numpy(speckle: np.ndarray) -> None:
    enhanced = ndimage.gaussian_filter(speckle, 2)
    ratio = ratio_image(speckle, enhanced)
    slope = np.hypot(*(ndimage.sobel(np.log(enhanced), axis) for axis in (0, 1)))
    inner = slice(1, -1), slice(1, -1)
    expected = np.corrcoef(ratio[inner].ravel(), slope[inner].ravel())[0, 1]
    assert edge_correlation(ratio, enhanced) == pytest.approx(abs(expected), rel=1e-4)


def test_an_image_keeps_its_own_edges(speckle: np.ndarray) -> None:
    everywhere = np.ones(SHAPE, bool)
    assert epi(speckle, speckle) == pytest.approx(1)
    assert epi(3 * speckle, speckle) == pytest.approx(1)
    assert epd_roa(speckle, speckle, everywhere) == pytest.approx(1)
    assert epd_roa(3 * speckle, speckle, everywhere) == pytest.approx(1)


def test_smoothing_loses_edges(speckle: np.ndarray, fields: np.ndarray) -> None:
    slight, strong = (epi(ndimage.gaussian_filter(fields * speckle, sigma), fields * speckle) for sigma in (0.5, 2))
    assert 0 < strong < slight < 1


def test_invalid_pixels_and_their_neighbours_have_no_edges(speckle: np.ndarray) -> None:
    valid = np.ones(SHAPE, bool)
    valid[:, 100:110] = False
    spoilt = np.where(valid, speckle, 1e6)
    assert epi(spoilt, speckle, valid=valid) == pytest.approx(1)
    assert epi(spoilt, speckle) < 0.5


def test_the_ratio_of_averages_is_that_of_one_step() -> None:
    reference, enhanced = (np.tile([1.0, step], (4, 1)) for step in (4.0, 2.0))
    # across the step 2 / 4, along it 1
    assert epd_roa(enhanced, reference, np.ones((4, 2), bool)) == pytest.approx(0.75)
    assert epd_roa(enhanced, reference, np.eye(4, 2, dtype=bool) | (np.arange(4) == 0)[:, None]) == pytest.approx(0.75)
    assert epd_roa(enhanced, reference, np.arange(4)[:, None] * [1, 1] == 0) == pytest.approx(0.5)


def test_without_edges_there_is_no_degree_of_their_preservation() -> None:
    assert math.isnan(epd_roa(np.ones((4, 4)), np.ones((4, 4)), np.zeros((4, 4), bool)))


def test_texture_is_found_under_the_speckle(speckle: np.ndarray) -> None:
    texture = np.random.default_rng(8).gamma(4.0, 0.25, SHAPE)
    found, expected = texture_variation(texture * speckle, texture, LOOKS)
    assert found == pytest.approx(0.5, abs=0.01)
    assert expected == pytest.approx(0.5, abs=0.01)
    found, expected = texture_variation(speckle, np.ones(SHAPE), LOOKS)
    assert found == 0
    assert expected < 0.05


def test_enl_is_mean_squared_over_variance(speckle: np.ndarray) -> None:
    assert enl([[1.0, 3.0]]) == 4
    assert enl([[1.0, 3.0, 99.0]], valid=[[True, True, False]]) == 4
    assert enl(np.ones((3, 3))) == math.inf
    assert enl(speckle) == pytest.approx(LOOKS, rel=0.03)


def test_the_tally_has_the_figures_of_the_functions(speckle: np.ndarray, fields: np.ndarray) -> None:
    observed, enhanced = fields * speckle, 1.1 * ndimage.gaussian_filter(fields, 1)
    ratio, figures = ratio_image(observed, enhanced), tally_of(observed, enhanced)
    assert figures.pixels == ratio.size
    assert figures.mean_ratio == pytest.approx(mean_ratio(ratio))
    assert figures.ratio_variance == pytest.approx(ratio_variance(ratio, LOOKS))
    assert figures.median_ratio_db == pytest.approx(median_ratio_db(ratio[::STRIDE, ::STRIDE], LOOKS), abs=0.02)
    assert figures.ratio_structure == pytest.approx(ratio_structure(ratio))
    assert figures.edge_correlation == pytest.approx(edge_correlation(ratio, enhanced))
    assert figures.intensity_change == pytest.approx(enhanced.sum() / observed.sum() - 1)
    assert figures.mean_ratio_error == pytest.approx(1 / math.sqrt(LOOKS * ratio.size))


def test_homogeneous_blocks_are_those_without_an_edge(speckle: np.ndarray) -> None:
    down, across = (n // BLOCK for n in SHAPE)
    for edge, blocks in ((125, down * across), (137, down * (across - 1))):
        step = np.broadcast_to(np.where(np.arange(SHAPE[1]) < edge, 1.0, 8.0), SHAPE)
        figures = tally_of(step * speckle, step)
        assert blocks - 3 <= figures.blocks <= blocks
        assert figures.homogeneous_ratio_variance == pytest.approx(1, abs=0.02)


def test_even_ground_has_the_looks_of_its_speckle(speckle: np.ndarray, fields: np.ndarray) -> None:
    figures = tally_of(fields * speckle, fields * speckle**0.5)
    assert figures.enl_observed == pytest.approx(LOOKS, rel=0.05)
    assert figures.enl_enhanced > 3 * LOOKS
    assert figures.ks_pixels == figures.blocks * math.ceil(BLOCK / STRIDE) ** 2


@pytest.mark.parametrize("rows", [(0, 100, 175, 300), (0, 300)])
@pytest.mark.parametrize("columns", [(0, 25, 250), (0, 150, 225, 250)])
def test_windows_add_up_to_the_whole(
    rows: tuple[int, ...], columns: tuple[int, ...], speckle: np.ndarray, fields: np.ndarray
) -> None:
    observed, enhanced = fields * speckle, ndimage.gaussian_filter(fields, 1)
    observed[40:60, 30:90], observed[7, 8], observed[9, 10] = 0, -1, np.nan
    valid = np.random.default_rng(0).random(SHAPE) > 1e-3
    whole, parts = tally_of(observed, enhanced, valid), SpeckleTally(LOOKS, (0.0, 0.0))
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            at = slice(top, bottom), slice(left, right)
            parts.add(observed[at], enhanced[at], valid[at], row=top, column=left)
    added = parts.figures()
    same(added, whole, "pixels", "mean_ratio", "mean_ratio_error", "ratio_variance", "intensity_change")
    same(added, whole, "median_ratio_db", "blocks", "enl_observed", "enl_enhanced", "ks_distance", "ks_pixels")
    np.testing.assert_allclose(added.histogram, whole.histogram)
    # pairs across the windows' borders are left out
    assert added.ratio_structure == pytest.approx(whole.ratio_structure, abs=0.02)
    assert added.edge_correlation == pytest.approx(whole.edge_correlation, abs=0.02)


@pytest.mark.parametrize("held", [0.0, -5.0, np.nan, np.inf])
def test_what_an_unusable_pixel_holds_does_not_matter(held: float, speckle: np.ndarray, fields: np.ndarray) -> None:
    observed, enhanced = fields * speckle, ndimage.gaussian_filter(fields, 1)
    unusable = np.random.default_rng(0).random(SHAPE) < 1e-3
    unusable[30:40, 30:90] = True
    expected = tally_of(observed, enhanced, ~unusable)
    for spoilt in (
        tally_of(np.where(unusable, held, observed), enhanced),
        tally_of(observed, np.where(unusable, held, enhanced)),
        tally_of(np.where(unusable, held, observed), np.where(unusable, held, enhanced), ~unusable),
    ):
        assert spoilt == expected
    ratio = (observed / enhanced)[~unusable]
    assert expected.pixels == ratio.size
    assert expected.mean_ratio == pytest.approx(ratio.mean())
    assert expected.ratio_variance == pytest.approx(LOOKS * ratio.var())


def test_without_a_pixel_there_are_no_figures(speckle: np.ndarray) -> None:
    for figures in (SpeckleTally(LOOKS, (0.0, 0.0)).figures(), tally_of(speckle, speckle, np.zeros(SHAPE, bool))):
        assert (figures.pixels, figures.blocks, figures.ks_pixels) == (0, 0, 0)
        assert [criterion.kept for criterion in criteria(figures)] == [None] * 8
        assert math.isnan(figures.intensity_change)


def test_a_scene_smaller_than_a_block_has_no_figures_of_even_ground() -> None:
    small = draw_speckle(np.random.default_rng(0), (20, 24), LOOKS)
    figures = tally_of(small, np.ones_like(small))
    assert math.isfinite(figures.ratio_variance)
    assert math.isnan(figures.homogeneous_mean_ratio)
    assert math.isnan(figures.ks_distance)


def test_perfect_despeckling_meets_all_criteria(speckle: np.ndarray, fields: np.ndarray) -> None:
    assert all(criterion.kept is True for criterion in criteria(tally_of(fields * speckle, fields)))


def test_criteria_that_are_missed_name_the_figure(speckle: np.ndarray, fields: np.ndarray) -> None:
    brighter = criteria(tally_of(fields * speckle, 1.1 * fields))
    missed = {criterion.key for criterion in brighter if criterion.kept is False}
    assert missed >= {"mean_ratio", "homogeneous_mean_ratio", "median_ratio_db", "ks_distance"}
    blurred = criteria(tally_of(fields * speckle, ndimage.gaussian_filter(fields, 3)))
    missed = {criterion.key for criterion in blurred if criterion.kept is False}
    assert missed >= {"ratio_structure", "edge_correlation"}


def test_a_criterion_is_kept_within_its_limits_and_says_them(speckle: np.ndarray) -> None:
    figures = tally_of(speckle, np.ones(SHAPE))
    for value, kept in ((0.95, True), (0.94, False), (1.05, True), (1.06, False), (float("nan"), None)):
        first = criteria(replace(figures, mean_ratio=value))[0]
        assert (first.key, first.kept, first.expected) == ("mean_ratio", kept, "0.95 .. 1.05")
    assert criteria(figures)[6].expected == "at most 0.05"
    assert replace(criteria(figures)[0], highest=None).expected == "at least 0.95"


def test_images_of_two_grids_are_refused() -> None:
    wide, narrow = np.ones((4, 6)), np.ones((4, 5))
    for figure in (
        lambda: ratio_image(wide, narrow),
        lambda: epi(wide, narrow),
        lambda: epd_roa(wide, narrow, wide > 0),
        lambda: m_index(wide, narrow, 1.0),
        lambda: tally_of(wide, narrow),
    ):
        with pytest.raises(GridError, match=r"\(4, 6\) and \(4, 5\)"):
            figure()


def test_a_mask_of_another_grid_is_refused() -> None:
    image = np.ones((4, 6))
    for figure in (lambda: enl(image, valid=image[:, 1:] > 0), lambda: ratio_image(image, image, valid=[True])):
        with pytest.raises(GridError, match=r"valid is .*, the image \(4, 6\)"):
            figure()


def test_an_image_without_a_valid_pixel_is_refused() -> None:
    empty = np.full((6, 6), np.nan)
    for figure in (
        lambda: enl(np.ones((6, 6)), valid=np.zeros((6, 6), bool)),
        lambda: mean_ratio(empty),
        lambda: ratio_variance(empty, 1.0),
        lambda: median_ratio_db(empty, 1.0),
        lambda: ks_distance(empty, 1.0),
        lambda: texture_variation(empty, np.ones((6, 6)), 1.0),
    ):
        with pytest.raises(InputError, match="no pixel is valid"):
            figure()


def test_plain_figures_are_json_without_nan(speckle: np.ndarray) -> None:
    figures = tally_of(speckle, np.ones(SHAPE))
    told = json.loads(json.dumps(dict(plain_figures(figures)), allow_nan=False))
    assert told["mean_ratio"] == figures.mean_ratio
    assert told["correlation"] == [0, 0]
    assert "histogram" not in told
    empty = dict(plain_figures(SpeckleTally(LOOKS, (0.0, 0.0)).figures()))
    assert json.loads(json.dumps(empty, allow_nan=False))["mean_ratio"] is None


def test_the_histogram_holds_shares_over_decibels(speckle: np.ndarray) -> None:
    edges, figures = histogram_edges(), tally_of(100 * speckle, np.full(SHAPE, 10.0))
    assert len(edges) == len(figures.histogram) + 1
    assert figures.histogram.sum() == pytest.approx(1)
    middles = (edges[1:] + edges[:-1]) / 2
    expected = (10 + 10 * np.log10(speckle[::STRIDE, ::STRIDE])).mean()
    assert np.dot(middles, figures.histogram) == pytest.approx(expected, abs=0.01)
