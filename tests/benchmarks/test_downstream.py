"""The check of usefulness: its grids, its features, its folds and its figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from rsgan.sensors.procedural import draw_scene

pytest.importorskip("sklearn", reason="needs the extra bench")

from benchmarks import downstream
from benchmarks.downstream import BICUBIC, ENHANCED, FIVE, METHODS, NATIVE

TASK = replace(downstream.BURNED_AREA, blocks=2, folds=2, pixels=200)
CONTEXT = next(iter(downstream.CONTEXTS))


def counts_of(hits: dict[str, int], seed: int = 0) -> list[downstream.Count]:
    """One place of 100 burned and 100 other pixels, of which each method finds so many of the burned."""
    return [
        downstream.Count(method, seed, ("a", (0, 0)), where, np.array([[100, 0], [100 - hit, hit]]))
        for method, hit in hits.items()
        for where in downstream.WHERES
    ]


def test_shared_slices_meet_on_the_same_ground_and_are_even() -> None:
    large, small = Affine(20, 0, 1000, 0, -20, 5000), Affine(20, 0, 1060, 0, -20, 4980)
    (rows, columns), (own_rows, own_columns) = downstream.shared_slices([(large, (20, 20)), (small, (9, 30))])
    assert (rows, columns) == (slice(1, 9), slice(3, 19))
    assert (own_rows, own_columns) == (slice(0, 8), slice(0, 16))


def test_grids_shifted_by_half_a_pixel_are_refused() -> None:
    frames = [(Affine(20, 0, 0, 0, -20, 0), (8, 8)), (Affine(20, 0, 10, 0, -20, 0), (8, 8))]
    with pytest.raises(SystemExit, match="fraction of a pixel"):
        downstream.shared_slices(frames)


def test_gaps_take_the_nearest_valid_value() -> None:
    values = np.array([[[0.1, 0.0, 0.0, 0.4]]])
    valid = np.array([[[True, False, False, True]]])
    np.testing.assert_allclose(downstream.without_gaps(values, valid), [[[0.1, 0.1, 0.4, 0.4]]])


def test_boundary_is_two_pixels_to_each_side_and_unused_pixels_make_none() -> None:
    labels = np.zeros((5, 12), dtype=np.int8)
    labels[:, 6:] = 1
    labels[:, 0] = -1
    expected = np.zeros((5, 12), dtype=bool)
    expected[:, 4:8] = True
    np.testing.assert_array_equal(downstream.near_edges(labels), expected)


def test_features_hold_means_of_windows_and_the_change_between_dates() -> None:
    early, late = np.full((4, 9, 9), 0.2), np.full((4, 9, 9), 0.2)
    late[3, 4, 4] = 0.29
    found = downstream.features([early, late], (3,))
    assert found.shape == (6 * (2 + 1 + 2 * 2), 9, 9)
    np.testing.assert_allclose(found[12 + 3, 4, 4], 0.09, rtol=1e-5)
    np.testing.assert_allclose(found[18 + 12 + 3, 3:6, 3:6], 0.21, rtol=1e-5)
    assert found[18 + 12 + 3, 4, 6] == pytest.approx(0.2)


def test_score_agrees_with_scikit_learn() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(1)
    truth, found = rng.integers(0, 2, (2, 500))
    given = downstream.score(downstream.confusion(truth, found, 2), TASK)
    assert given["F1"] == pytest.approx(100 * metrics.f1_score(truth, found))
    assert given["IoU"] == pytest.approx(100 * metrics.jaccard_score(truth, found))
    assert given["accuracy"] == pytest.approx(100 * metrics.accuracy_score(truth, found))


@pytest.fixture(scope="module")
def places() -> list[downstream.Place]:
    """Two sites cut into four; native and enhanced rasters tell the class, the other two are noise."""
    rng = np.random.default_rng(3)
    found: list[downstream.Place] = []
    for name in ("a", "b"):
        labels = (rng.random((64, 64)) < 0.3).astype(np.int8)
        noise = rng.random((2, 64, 64)).astype(np.float32)
        telling = np.stack([labels, noise[0]])
        given = {(CONTEXT, m): telling if m in (NATIVE, ENHANCED) else noise for m in METHODS}
        found += downstream.cut(TASK, downstream.Site(name, (), labels), given)
    return found


def test_blocks_keep_off_their_borders(places: list[downstream.Place]) -> None:
    assert [(place.site, place.block) for place in places[:4]] == [("a", (i, j)) for i in (0, 1) for j in (0, 1)]
    assert {len(place.labels) for place in places} == {(32 - 2 * downstream.EDGE) ** 2}


@pytest.mark.parametrize("within", [True, False])
def test_every_place_is_judged_once_per_seed_and_telling_rasters_win(
    places: list[downstream.Place], within: bool
) -> None:
    task = replace(TASK, within=within)
    counts = downstream.run_task(task, places, CONTEXT, seeds=2, jobs=1)
    judged = [(c.method, c.seed, c.place) for c in counts if c.where == "everywhere"]
    assert len(judged) == len(set(judged)) == len(METHODS) * 2 * len(places)
    assert sum(c.confusion.sum() for c in counts if c.where == "everywhere") == 2 * 4 * 8 * 24**2
    assert downstream.by_seed(counts, task, NATIVE, "everywhere", "F1").min() > 99
    assert downstream.difference(counts, task, (ENHANCED, BICUBIC), "everywhere", "F1").min() > 30
    assert downstream.difference(counts, task, (FIVE, BICUBIC), "boundary", "F1").max() == 0


def test_share_won_back_is_of_what_bicubic_lost() -> None:
    hits = {BICUBIC: 0, FIVE: 0, ENHANCED: 50, NATIVE: 100}
    counts = counts_of(hits) + counts_of(hits, seed=1)
    assert downstream.regained(counts, TASK, "boundary") == "67%"  # F1 0, 2/3 and 1
    nothing = counts_of({method: 50 for method in METHODS})
    assert downstream.regained(nothing, TASK, "everywhere").startswith("not defined")


def test_section_and_summary_name_the_places_and_the_sign_of_the_difference() -> None:
    hits = {BICUBIC: 100, FIVE: 50, ENHANCED: 0, NATIVE: 100}
    outcome = downstream.Outcome(TASK, "held-out places", {CONTEXT: counts_of(hits)})
    text = downstream.section(outcome)
    assert "### Burned area (held-out places)\n\n1 places, 200 pixels, 100% of them boundary." in text
    assert "| enhanced - bicubic | -100.00 ± 0.00 | -100.00 ± 0.00 | -50.00 ± 0.00 |" in text
    assert "| enhanced - bicubic | -50.00 ± 0.00 | 0 of 1 | -50.00 ± 0.00 | 0 of 1 |" in text
    assert "| Burned area (held-out places), 3 x 3 | 100.0 | 66.7 | 0.0 | 100.0 | -100.00 ± 0.00 |" in (
        downstream.summary([outcome])
    )


def test_every_variant_is_on_the_native_grid_and_enhanced_is_nearer_to_it_than_bicubic() -> None:
    finer, _ = draw_scene(np.random.default_rng(5), (192, 192), 5.0)
    native = np.maximum(finer.reshape(4, 96, 2, 96, 2).mean((2, 4)), 1e-4)
    found = downstream.variants(native, 10.0, seed=0)
    assert list(found) == list(METHODS)
    error = {method: float(np.sqrt(np.mean((values - native) ** 2))) for method, values in found.items()}
    assert error[ENHANCED] < error[BICUBIC]
    assert error[NATIVE] == 0


@pytest.mark.realdata
def test_places_are_named_as_the_model_knows_them(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "CONFIG", Path(__file__).parents[2] / downstream.CONFIG)
    kinds = {task.labels: downstream.kind_of_place(task, real_data) for task in downstream.TASKS}
    assert kinds == {
        "labels/burned_{site}.tif": "held-out places",
        "labels/forest_damage_{site}.tif": "held-out places",
        "labels/classes_aberystwyth_{site}.tif": "training places",
        "labels/water_spain_{site}.tif": "training places",
    }
    with pytest.raises(SystemExit, match="mixes places"):
        downstream.kind_of_place(replace(downstream.BURNED_AREA, sites="*"), real_data)
