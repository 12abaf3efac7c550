import numpy as np
import pytest
import torch
from scipy import ndimage

from rsgan.errors import ConfigError, GridError
from rsgan.metrics import correctness

PERFECT = 1 / (1 + 2 * np.exp(-4))


def land(seed=0, size=128):
    noise = np.random.default_rng(seed).normal(size=(4, size, size))
    soft = ndimage.gaussian_filter(noise, (0, 1.5, 1.5))
    return 0.05 + 0.3 * (soft - soft.min()) / np.ptp(soft)


def observe(reference, scale):
    blurred = ndimage.gaussian_filter(reference, (0, 0.4 * scale, 0.4 * scale))
    bands, height, width = blurred.shape
    return blurred.reshape(bands, height // scale, scale, width // scale, scale).mean(axis=(2, 4))


def bicubic(observed, scale):
    return torch.nn.functional.interpolate(torch.from_numpy(observed)[None], scale_factor=scale, mode="bicubic")[
        0
    ].numpy()


def three(found):
    return np.array([found.improvement, found.omission, found.hallucination])


@pytest.mark.parametrize("scale", [2, 4])
def test_a_perfect_image_scores_the_closed_form(scale):
    reference = land()
    found = correctness.measure(observe(reference, scale), reference, reference)
    assert three(found) == pytest.approx([PERFECT, (1 - PERFECT) / 2, (1 - PERFECT) / 2], abs=1e-9)
    assert pytest.approx(0.9647, abs=5e-5) == PERFECT


@pytest.mark.parametrize(
    ("to_reference", "to_observed", "distances"),
    [
        (0.0, 1.0, (0.0, 1.0, 1.0)),
        (1.0, 0.0, (1.0, 0.0, 1.0)),
        (0.5, 0.5, (0.5, 0.5, np.exp(-0.05 * 0.25))),
        (2.0, 3.0, (2 + 3 * (1 - np.exp(-0.2)), 3 + 2 * (1 - np.exp(-0.2)), np.exp(-0.3))),
    ],
)
def test_shares_are_the_soft_minimum_of_the_three_distances(to_reference, to_observed, distances):
    weights = np.exp(-np.array(distances) / 0.25)
    assert np.array(correctness.shares(to_reference, to_observed)) == pytest.approx(weights / weights.sum())


def test_the_three_shares_sum_to_one_everywhere():
    i, o = np.meshgrid(np.linspace(0, 20, 41), np.linspace(0, 20, 41))
    assert sum(correctness.shares(i, o)) == pytest.approx(np.ones((41, 41)))


def test_bilinear_omits_the_right_half_way_improves_and_another_place_hallucinates():
    reference, scale = land(), 2
    observed = observe(reference, scale)
    smooth = correctness.resize_bilinear(observed, reference.shape[1:])
    omitted = correctness.measure(observed, smooth, reference)
    assert omitted.omission > max(omitted.improvement, omitted.hallucination)
    improved = correctness.measure(observed, 0.2 * smooth + 0.8 * reference, reference)
    assert improved.improvement > max(improved.omission, improved.hallucination)
    invented = correctness.measure(observed, smooth + reference[:, ::-1] - smooth[:, ::-1], reference)
    assert invented.hallucination > max(invented.improvement, invented.omission)


def test_brightness_shows_in_reflectance_and_not_in_the_shares():
    reference = land()
    observed = observe(reference, 2)
    brighter = correctness.measure(observed, reference + 0.05, reference)
    assert three(brighter) == pytest.approx([PERFECT, (1 - PERFECT) / 2, (1 - PERFECT) / 2], abs=1e-6)
    lowered = correctness.resize_bilinear(reference[:, 16:-16, 16:-16], (48, 48))
    assert brighter.reflectance == pytest.approx(np.abs(lowered + 0.05 - observed[:, 8:-8, 8:-8]).mean())


def test_a_whole_pixel_shift_of_the_observed_grid_is_measured():
    reference, scale = land(), 2
    island = np.zeros(reference.shape, bool)
    island[:, 30:-30, 30:-30] = True
    reference = np.where(island, reference, 0.2)
    found = correctness.measure(observe(reference, scale), np.roll(reference, 2, axis=2), reference)
    assert found.spatial_px == pytest.approx(1.0, abs=0.03)


def test_an_implausible_shift_is_nan():
    reference = land()
    assert np.isnan(correctness.measure(observe(reference, 2), np.roll(reference, 40, axis=2), reference).spatial_px)


def test_flat_land_has_no_detail_to_share_out():
    flat = np.full((4, 64, 64), 0.2)
    found = correctness.measure(flat[:, ::2, ::2], flat, flat)
    assert np.isnan(three(found)).all()
    assert found.reflectance == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("shape", [(20, 26), (5, 13), (40, 13)])
def test_resizing_is_the_antialiased_bilinear_of_torch(shape):
    image = land(size=20)[:, :, :13]
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None], size=shape, mode="bilinear", antialias=True
    )[0]
    assert correctness.resize_bilinear(image, shape) == pytest.approx(expected.numpy(), abs=1e-12)


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(GridError, match="times a whole number"):
        correctness.measure(np.ones((1, 40, 40)), np.ones((1, 80, 60)), np.ones((1, 80, 60)))
    with pytest.raises(GridError, match="times a whole number"):
        correctness.measure(np.ones((2, 40, 40)), np.ones((1, 80, 80)), np.ones((1, 80, 80)))
    with pytest.raises(GridError, match="at least 4 must remain"):
        correctness.measure(np.ones((1, 18, 18)), np.ones((1, 36, 36)), np.ones((1, 36, 36)))
    with pytest.raises(ConfigError, match="multiple of the scale 3"):
        correctness.measure(np.ones((1, 20, 20)), np.ones((1, 60, 60)), np.ones((1, 60, 60)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_seven_figures_are_those_of_opensr_test(seed, scale):
    opensr_test = pytest.importorskip("opensr_test", reason="the outside referee is not installed")
    referee = opensr_test.Metrics(device="cpu", agg_method="pixel", correctness_distance="nd")
    reference = land(seed)
    observed = observe(reference, scale)
    raised = bicubic(observed, scale)
    noise = np.random.default_rng(seed).normal(0, 0.01, reference.shape)
    for enhanced in (raised, raised + noise, 0.5 * raised + 0.5 * reference, ndimage.shift(reference, (0, 0.7, -0.4))):
        enhanced = np.maximum(enhanced, 1e-4)
        figures = referee.compute(*(torch.from_numpy(image) for image in (observed, enhanced, reference)))
        found = correctness.measure(observed, enhanced, reference)
        assert found.reflectance == pytest.approx(figures["reflectance"], abs=1e-3)
        assert found.spectral_deg == pytest.approx(figures["spectral"], abs=1e-3)
        assert found.spatial_px == pytest.approx(figures["spatial"], abs=1e-3)
        assert found.synthesis == pytest.approx(figures["synthesis"], abs=1e-3)
        expected = [figures["im_metric"], figures["om_metric"], figures["ha_metric"]]
        assert three(found) == pytest.approx(expected, abs=1e-3)
