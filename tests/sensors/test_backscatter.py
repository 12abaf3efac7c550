import numpy as np
import pytest

from rsgan.sensors.procedural.backscatter import draw_backscatter, draw_lattice, draw_lines, draw_points


def decibels(intensity: np.ndarray) -> np.ndarray:
    return 10 * np.log10(intensity)


@pytest.mark.parametrize("shape", [(8, 8), (33, 71), (120, 40)])
def test_any_shape_gives_positive_intensity(shape: tuple[int, int]) -> None:
    for seed in range(6):
        ground = draw_backscatter(np.random.default_rng(seed), shape)
        assert (ground.shape, ground.dtype) == (shape, np.float32)
        assert np.isfinite(ground).all()
        assert ground.min() > 0


def test_the_same_seed_draws_the_same_ground() -> None:
    first, second, other = (draw_backscatter(np.random.default_rng(seed), (48, 64)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert np.abs(decibels(first) - decibels(other)).mean() > 1


def test_scenes_lie_around_one_and_most_span_ten_to_forty_db() -> None:
    scenes = [decibels(draw_backscatter(np.random.default_rng(seed), (64, 64))) for seed in range(100)]
    assert np.mean([np.median(scene) for scene in scenes]) == pytest.approx(0, abs=1.5)
    ranges = np.array([np.ptp(np.quantile(scene, [0.005, 0.995])) for scene in scenes])
    assert np.mean((ranges > 10) & (ranges < 40)) > 0.8
    assert np.quantile(ranges, 0.8) > 2 * np.quantile(ranges, 0.2)


def test_lines_are_darker_or_brighter_than_flat_ground_and_within_their_levels() -> None:
    flat = np.zeros((64, 64), np.float32)
    lined = [decibels(np.exp(draw_lines(np.random.default_rng(seed), flat))) for seed in range(40)]
    lowest, highest = (np.array([getattr(np, end)(lines) for lines in lined]) for end in ("min", "max"))
    assert lowest.min() > -25.01
    assert highest.max() < 15.01
    assert np.mean(lowest < -3) > 0.4
    assert np.mean(highest > 3) > 0.3


def test_lines_are_thin_and_leave_the_rest_alone() -> None:
    ground = np.random.default_rng(0).normal(0, 0.1, (96, 96)).astype(np.float32)
    changes = [np.abs(draw_lines(np.random.default_rng(seed), ground, most=1) - ground) for seed in range(40)]
    shares = [np.mean(change > 1e-5) for change in changes]
    assert max(shares) < 8 * np.hypot(96, 96) / 96**2
    assert min(shares) == 0
    assert np.mean(shares) > 0.005


def test_drawing_lines_keeps_what_was_given() -> None:
    flat = np.zeros((32, 32), np.float32)
    changed = draw_lines(np.random.default_rng(3), flat)
    assert np.abs(changed).max() > 0
    assert np.abs(flat).max() == 0


def test_points_have_power_and_phase_at_a_few_pixels_only() -> None:
    ground = np.random.default_rng(0).gamma(2.0, 1.5, (40, 30)).astype(np.float32)
    counts, phases = [], []
    for seed in range(60):
        power, phase = draw_points(np.random.default_rng(seed), ground)
        assert power.shape == phase.shape == ground.shape
        assert (phase[power == 0] == 0).all()
        relative = decibels(power[power > 0] / np.median(ground))
        assert relative.min() > 4.99
        assert relative.max() < 25.01
        counts.append(relative.size)
        phases += phase[power > 0].tolist()
    assert (min(counts), max(counts)) == (1, 15)
    assert 0 <= min(phases) < 0.2
    assert 6 < max(phases) <= np.float32(2 * np.pi)


def test_the_same_seed_draws_the_same_points() -> None:
    first, second, other = (draw_points(np.random.default_rng(seed), np.ones((20, 20))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], other[0])


def test_cells_repeat_within_their_gaps() -> None:
    drawn = [draw_lattice(np.random.default_rng(seed), (64, 48)) for seed in range(40)]
    assert all(one.shape == (64, 48) and one.dtype == np.float32 for one in drawn)
    assert all((one > 0).all() and np.isfinite(one).all() for one in drawn)
    np.testing.assert_array_equal(drawn[7], draw_lattice(np.random.default_rng(7), (64, 48)))
    assert np.median([10 * np.log10(one.max() / one.min()) for one in drawn]) > 5
