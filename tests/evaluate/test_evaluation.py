import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import rsgan.evaluate.neighbourhoods as neighbourhoods
import rsgan.evaluate.views as views
from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.evaluate import Evaluation, Options, evaluate
from rsgan.metrics import consistency, correctness, fidelity

SIGMA = 0.4
FINE = Affine(5, 0, 500000, 0, -5, 5000000)


def against_all(place, **options) -> Evaluation:
    return evaluate(**place.paths, options=Options(psf_sigma=SIGMA, **options))


def test_figures_that_are_sums_are_those_of_the_whole_images(place):
    found = against_all(place)
    for name, image in (("enhanced", place.enhanced), ("bicubic", place.bicubic)):
        figures = found.figures[name]
        for key in ("rmse", "bias"):
            expected = getattr(fidelity, key)(image, place.reference)
            assert figures[key].per_band == pytest.approx(expected.per_band, abs=1e-7)
            assert figures[key].pooled == pytest.approx(expected.pooled, abs=1e-7)
        assert figures["sam_deg"].pooled == pytest.approx(fidelity.sam_deg(image, place.reference), rel=1e-5)
        assert figures["ergas"].pooled == pytest.approx(fidelity.ergas(image, place.reference, gsd_ratio=0.5), rel=1e-5)


def test_psnr_and_ssim_are_those_of_scikit_image(place):
    figures = against_all(place, data_range=0.8).figures["enhanced"]
    for band, pair in enumerate(zip(place.enhanced, place.reference, strict=True)):
        assert figures["psnr_db"].per_band[band] == pytest.approx(
            peak_signal_noise_ratio(pair[1], pair[0], data_range=0.8), abs=1e-4
        )
        expected = structural_similarity(
            *pair, data_range=0.8, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert figures["ssim"].per_band[band] == pytest.approx(expected, abs=1e-4)


def test_sam_and_ergas_are_those_of_torchmetrics(place):
    image = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not installed")
    pair = [torch.from_numpy(each).double()[None] for each in (place.enhanced, place.reference)]
    figures = against_all(place).figures["enhanced"]
    angle = np.degrees(float(image.spectral_angle_mapper(*pair)))
    assert figures["sam_deg"].pooled == pytest.approx(angle, rel=1e-4)
    theirs = float(image.error_relative_global_dimensionless_synthesis(*pair, ratio=2))
    assert figures["ergas"].pooled == pytest.approx(theirs, rel=1e-4)


def test_residuals_are_those_of_the_degraded_image(place):
    figures = against_all(place).figures
    for name, image in (("enhanced", place.enhanced), ("bicubic", place.bicubic)):
        degraded = place.degraded(image)
        assert figures[name]["residual_rms"].per_band == pytest.approx(
            consistency.residual_rms(degraded, place.observed).per_band, abs=1e-7
        )
        assert figures[name]["residual_mean"].pooled == pytest.approx(
            np.abs(degraded - place.observed).mean(), abs=1e-7
        )
        angle = consistency.spectral_angle_deg(degraded, place.observed)
        assert figures[name]["observed_sam_deg"].pooled == pytest.approx(angle, rel=1e-3)


def test_shares_of_detail_are_those_of_the_metric_and_rank_enhanced_above_bicubic(place):
    figures = against_all(place).figures
    expected = correctness.measure(place.observed, place.enhanced, place.reference)
    keys = ("improvement", "omission", "hallucination")
    assert [figures["enhanced"][key].pooled for key in keys] == pytest.approx(
        [expected.improvement, expected.omission, expected.hallucination], abs=1e-6
    )
    assert figures["enhanced"]["improvement"].pooled > figures["bicubic"]["improvement"].pooled
    assert figures["enhanced"]["detail_over_reference"].pooled > figures["bicubic"]["detail_over_reference"].pooled
    assert figures["bicubic"]["detail_over_bicubic"].pooled == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_shares_of_detail_are_those_of_opensr_test(make_place):
    opensr_test = pytest.importorskip("opensr_test", reason="the outside referee is not installed")
    referee = opensr_test.Metrics(device="cpu", agg_method="pixel", correctness_distance="nd")
    place = make_place((128, 128), seed=2)
    found = against_all(place).figures
    for name, image in (("enhanced", place.enhanced), ("bicubic", place.bicubic)):
        theirs = referee.compute(*(torch.from_numpy(each) for each in (place.observed, image, place.reference)))
        ours = [found[name][key].pooled for key in ("improvement", "omission", "hallucination")]
        assert ours == pytest.approx([theirs["im_metric"], theirs["om_metric"], theirs["ha_metric"]], abs=1e-3)


def test_indices_are_the_mean_difference_of_ndvi_and_ndwi(place):
    figures = against_all(place).figures["enhanced"]
    _, green, red, nir = place.enhanced.astype(float), *place.enhanced[1:].astype(float)
    _, green_, red_, nir_ = place.reference.astype(float), *place.reference[1:].astype(float)
    for key, pair, pair_ in (("ndvi", (nir, red), (nir_, red_)), ("ndwi", (green, nir), (green_, nir_))):
        difference = (pair[0] - pair[1]) / (pair[0] + pair[1]) - (pair_[0] - pair_[1]) / (pair_[0] + pair_[1])
        bright = pair_[0] + pair_[1] > 0.1
        assert figures[f"{key}_error"].pooled == pytest.approx(np.abs(difference)[bright].mean(), rel=1e-5)
        assert figures[f"{key}_bias"].pooled == pytest.approx(difference[bright].mean(), abs=1e-7)


@pytest.mark.parametrize("scale", [3, 4, 6, 24])
def test_any_whole_step_in_pixel_size_is_measured(make_raster, place, scale, monkeypatch):
    monkeypatch.setattr(views, "WINDOW_SIDE", 40)
    reference = place.reference[:, :, :96]
    observed = reference.reshape(4, 96 // scale, scale, 96 // scale, scale).mean(axis=(2, 4))
    nearest = observed.repeat(scale, axis=1).repeat(scale, axis=2)
    names = ("B02", "B03", "B04", "B08")
    paths = {
        name: make_raster(f"{name}.tif", image, transform=FINE @ Affine.scale(step), descriptions=names)
        for name, image, step in (
            ("enhanced", nearest, 1), ("reference", reference, 1), ("observed", observed, scale),
        )
    }  # fmt: skip
    found = evaluate(**paths, options=Options(psf_sigma=0.0))
    figures = found.figures["enhanced"]
    assert found.scale == scale
    assert figures["rmse"].pooled == pytest.approx(fidelity.rmse(nearest, reference).pooled, rel=1e-6)
    assert figures["ergas"].pooled == pytest.approx(fidelity.ergas(nearest, reference, gsd_ratio=1 / scale), rel=1e-5)
    assert figures["residual_rms"].pooled == pytest.approx(0, abs=1e-7)
    assert ("improvement" in figures) == (scale < 24)
    np.testing.assert_allclose(found.error_map.shape, np.array([96, 96]) // found.error_block)


def test_names_that_fit_landsat_too_give_no_index_until_the_sensor_is_said(make_raster, place):
    names = {"descriptions": ("B03", "B04", "B05", "B08"), "transform": FINE}
    pair = [
        make_raster(f"{name}.tif", image, **names) for name, image in (("l", place.enhanced), ("m", place.reference))
    ]
    unclear = evaluate(pair[0], reference=pair[1])
    assert not [key for key in unclear.figures["enhanced"] if key.startswith("nd")]
    assert any("B08 is near infrared on Sentinel-2 and panchromatic on Landsat" in note for note in unclear.notes)
    told = {
        name: evaluate(pair[0], reference=pair[1], options=Options(sensor=name))
        .figures["enhanced"]["ndvi_error"]
        .pooled
        for name in ("sentinel-2a", "landsat-8")
    }
    for name, nir in (("sentinel-2a", 3), ("landsat-8", 2)):
        ours, truth = (image[[nir, 1]].astype(float) for image in (place.enhanced, place.reference))
        difference = np.subtract(*ours) / ours.sum(axis=0) - np.subtract(*truth) / truth.sum(axis=0)
        assert told[name] == pytest.approx(np.abs(difference)[truth.sum(axis=0) > 0.1].mean(), rel=1e-5)


def test_values_that_are_no_reflectance_are_named(make_raster, place):
    path = make_raster("stored.tif", place.enhanced * 10000, transform=FINE, descriptions=("B02", "B03", "B04", "B08"))
    assert any("where reflectance is about 0..1" in note for note in evaluate(path).notes)
    right = evaluate(path, options=Options(reflectance_scale=10000))
    assert not any("reflectance is about" in note for note in right.notes)
    assert right.ranges.highest == pytest.approx(place.enhanced.max(axis=(1, 2)))


def test_the_size_of_the_windows_changes_no_sum(make_place, monkeypatch):
    holes = np.zeros((96, 128), bool)
    holes[20:50, 60:90] = True
    place = make_place(holes={"enhanced": holes})
    whole = against_all(place)
    monkeypatch.setattr(views, "WINDOW_SIDE", 32)
    small = against_all(place)
    assert small.used == whole.used
    for name in ("enhanced", "bicubic"):
        for key in ("rmse", "bias", "psnr_db", "sam_deg", "ergas", "residual_rms", "ndvi_error"):
            assert small.figures[name][key].pooled == pytest.approx(whole.figures[name][key].pooled, abs=2e-6), key
    np.testing.assert_allclose(small.error_map, whole.error_map, atol=1e-7)


@pytest.mark.parametrize("role", ["enhanced", "reference", "observed"])
def test_pixels_without_data_in_any_raster_never_count(make_place, role):
    size = (48, 64) if role == "observed" else (96, 128)
    hole = np.zeros(size, bool)
    hole[: size[0] // 4] = True
    place = make_place(holes={role: hole})
    found = against_all(place)
    kept = fidelity.rmse(place.enhanced[:, 24:], place.reference[:, 24:])
    assert found.used == pytest.approx(0.75)
    assert found.figures["enhanced"]["rmse"].pooled == pytest.approx(kept.pooled, rel=1e-6)
    assert found.enhanced_valid == pytest.approx(0.75 if role == "enhanced" else 1.0)
    if role != "reference":
        rows = 12 + 3  # observed pixels beside a gap are left out as far as the sensor model reaches
        degraded = place.degraded(place.enhanced)[:, rows:]
        residual = consistency.residual_rms(degraded, place.observed[:, rows:])
        assert found.figures["enhanced"]["residual_rms"].pooled == pytest.approx(residual.pooled, rel=1e-5)


def test_a_finer_reference_is_averaged_onto_the_enhanced_pixels(make_raster, place):
    fine = place.reference.repeat(2, axis=1).repeat(2, axis=2)
    fine[:, ::2] += 0.01
    fine[:, 1::2] -= 0.01
    path = make_raster(
        "finer.tif", fine, transform=Affine(2.5, 0, 500000, 0, -2.5, 5000000), descriptions=("B02", "B03", "B04", "B08")
    )
    found = evaluate(place.paths["enhanced"], reference=path)
    expected = fidelity.rmse(place.enhanced, place.reference).pooled
    assert found.figures["enhanced"]["rmse"].pooled == pytest.approx(expected, rel=1e-5)


def test_bands_are_matched_by_name_and_those_left_out_are_named(make_raster, place):
    path = make_raster(
        "shuffled.tif", place.reference[[3, 0, 2]], transform=FINE, descriptions=("nir", "Blue", "S2_B04")
    )
    found = evaluate(place.paths["enhanced"], reference=path)
    assert found.bands == ("B02", "B04", "B08")
    order = [0, 2, 3]
    expected = fidelity.rmse(place.enhanced[order], place.reference[order]).per_band
    assert found.figures["enhanced"]["rmse"].per_band == pytest.approx(expected, abs=1e-7)
    assert any("bands B03 are not in all rasters" in note for note in found.notes)


@pytest.mark.parametrize("gsd", [5, 10, 20, 2.5])
def test_figures_of_a_class_are_those_of_its_pixels(make_raster, place, gsd):
    classes = np.where(np.arange(128) < 40, 3, 7)[None].repeat(96, axis=0)
    classes[:, 120:] = 0
    stored = classes.repeat(2, axis=0).repeat(2, axis=1) if gsd < 5 else classes[:: int(gsd / 5), :: int(gsd / 5)]
    path = make_raster(
        "classes.tif", stored[None].astype(np.uint8), transform=Affine(gsd, 0, 500000, 0, -gsd, 5000000), nodata=0
    )
    found = evaluate(**place.paths, land_cover=path, options=Options(psf_sigma=SIGMA, classes={3: "forest"}))
    assert [each.name for each in found.classes] == ["forest", "7"]
    for each, columns in zip(found.classes, (slice(0, 40), slice(40, 120)), strict=True):
        expected = fidelity.rmse(place.enhanced[:, :, columns], place.reference[:, :, columns]).pooled
        assert each.figures["enhanced"]["rmse"].pooled == pytest.approx(expected, rel=1e-6)
        assert each.share == pytest.approx((columns.stop - columns.start) / 128)
        assert set(each.figures) == {"enhanced", "bicubic"}


def test_a_true_uncertainty_keeps_its_promise_and_a_constant_one_breaks_it_at_the_edges(make_raster, place):
    rng = np.random.default_rng(3)
    gradient = np.hypot(*np.gradient(place.reference, axis=(1, 2))).mean(axis=0)
    spread = np.broadcast_to(0.001 + 0.5 * gradient, place.reference.shape)
    options = {"transform": FINE, "descriptions": ("B02", "B03", "B04", "B08")}
    noisy = make_raster("noisy.tif", (place.reference + spread * rng.normal(size=spread.shape)).astype("f4"), **options)
    named = {**options, "descriptions": tuple(f"{name} sigma" for name in options["descriptions"])}
    true = make_raster("true.tif", spread.astype("f4"), **named)
    even = make_raster("even.tif", np.full_like(place.reference, spread.mean()), **named)
    kept, broken = (
        evaluate(noisy, reference=place.paths["reference"], uncertainty=path).coverage for path in (true, even)
    )
    at = [kept.levels.index(level) for level in (0.68, 0.95)]
    assert [kept.overall[index] for index in at] == pytest.approx([0.68, 0.95], abs=0.01)
    for shares in kept.terciles.values():
        assert [shares[index] for index in at] == pytest.approx([0.68, 0.95], abs=0.02)
    assert broken.terciles["smooth"][at[0]] > 0.75 > 0.62 > broken.terciles["edges"][at[0]]
    assert kept.count == place.reference.size


def test_without_a_reference_values_spectrum_and_agreement_are_told(place):
    alone = evaluate(place.paths["enhanced"])
    assert alone.figures == {"enhanced": {}}
    assert alone.ranges.lowest == pytest.approx(place.enhanced.min(axis=(1, 2)))
    assert alone.neighbourhoods.spectra["enhanced"][10] > alone.neighbourhoods.spectra["enhanced"][60]
    assert alone.error_map is None
    both = evaluate(place.paths["enhanced"], observed=place.paths["observed"], options=Options(psf_sigma=SIGMA))
    assert "rmse" not in both.figures["enhanced"]
    assert both.figures["enhanced"]["residual_rms"].pooled > 0
    assert np.isfinite(both.error_map).any()


def test_a_large_raster_is_looked_at_through_the_stated_number_of_windows(make_place, monkeypatch):
    monkeypatch.setattr(neighbourhoods, "WHOLE_SIDE", 100)
    monkeypatch.setattr(neighbourhoods, "SIDE", 80)
    found = against_all(make_place(), samples=4)
    seen = found.neighbourhoods
    assert (seen.windows, seen.side, seen.whole, seen.gapless) == (4, 80, False, 4)
    assert found.figures["enhanced"]["ssim"].pooled == pytest.approx(0.99, abs=0.02)


def test_the_sensor_model_is_taken_from_the_tags_of_the_file(make_raster, place):
    tags = {
        "RSGAN_PSF_SIGMA": "[0.4, 0.4, 0.4, 0.4]",
        "RSGAN_NOISE": "[0.002, 0.001, 0.001, 0.001]",
        "RSGAN_SCALE": "2",
    }
    path = make_raster("told.tif", place.enhanced, transform=FINE, descriptions=("B02", "B03", "B04", "B08"), tags=tags)
    found = evaluate(path, observed=place.paths["observed"])
    residual = consistency.residual_rms(place.degraded(place.enhanced), place.observed)
    assert found.figures["enhanced"]["residual_rms"].per_band == pytest.approx(residual.per_band, abs=1e-7)
    beside = [each / noise for each, noise in zip(residual.per_band, (0.002, 0.001, 0.001, 0.001), strict=True)]
    assert found.figures["enhanced"]["residual_over_noise"].per_band == pytest.approx(beside, rel=1e-4)
    assert "0.4 observed pixels (stated by" in found.sensor_model
    assert evaluate(path, reference=place.paths["reference"]).scale == 2


def test_the_largest_error_is_found_and_shown(make_place, make_raster):
    place = make_place((640, 700))
    spoilt = place.enhanced.copy()
    spoilt[:, 500:520, 600:620] += 0.2
    path = make_raster("spoilt.tif", spoilt, transform=FINE, descriptions=("B02", "B03", "B04", "B08"))
    found = evaluate(path, reference=place.paths["reference"])
    worst = found.places[0]
    assert worst.title == "Largest error"
    window = worst.view.window
    assert window.row_off <= 500 <= window.row_off + window.height - 20
    assert window.col_off <= 600 <= window.col_off + window.width - 20
    row, column = np.unravel_index(np.nanargmax(found.error_map), found.error_map.shape)
    assert 500 <= row * found.error_block <= 520
    assert 600 <= column * found.error_block <= 620


def test_everything_is_plain_json(make_place, make_raster):
    hole = np.zeros((96, 128), bool)
    hole[:, :100] = True
    found = against_all(make_place(holes={"reference": hole}))
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["bands"] == ["B02", "B03", "B04", "B08"]
    assert told["share"]["used"] == pytest.approx(28 / 128)
    assert told["figures"]["enhanced"]["rmse"]["all"] == found.figures["enhanced"]["rmse"].pooled
    assert "shift_px" not in told["figures"]["enhanced"]  # less than half is valid
    assert any("free of nodata" in note for note in told["notes"])


def test_rasters_that_do_not_nest_are_named(make_raster: Callable[..., Path], place):
    names = ("B02", "B03", "B04", "B08")
    shifted = make_raster(
        "shifted.tif", place.reference, transform=FINE @ Affine.translation(0.5, 0), descriptions=names
    )
    with pytest.raises(GridError, match=r"enhanced\.tif and .*shifted\.tif: the pixels do not nest"):
        evaluate(place.paths["enhanced"], reference=shifted)
    part = make_raster(
        "part.tif", place.observed[:, :40], transform=Affine(10, 0, 5e5, 0, -10, 5e6), descriptions=names
    )
    with pytest.raises(GridError, match=r"part\.tif covers only rows 0 to 80 .* 96 x 128 pixels of .*enhanced\.tif"):
        evaluate(place.paths["enhanced"], observed=part)
    foreign = make_raster("foreign.tif", place.reference, transform=FINE, descriptions=names, crs="EPSG:32634")
    with pytest.raises(GridError, match=r"coordinate systems differ: EPSG:32633 against EPSG:32634"):
        evaluate(place.paths["enhanced"], reference=foreign)
    with pytest.raises(GridError, match=r"pixels of one size; --observed takes the coarser"):
        evaluate(place.paths["enhanced"], observed=place.paths["reference"])


def test_rasters_without_a_common_band_are_refused(make_raster, place):
    path = make_raster("other.tif", place.reference[:2], transform=FINE, descriptions=("B11", "slope"))
    with pytest.raises(BandError, match=r"no band in common: .*enhanced\.tif has B02 .*; .*other\.tif has B11 slope"):
        evaluate(place.paths["enhanced"], reference=path)


def test_rasters_without_a_common_valid_pixel_are_refused(make_place):
    left = np.arange(128)[None].repeat(96, axis=0) < 64
    place = make_place(holes={"enhanced": left, "reference": ~left})
    with pytest.raises(InputError, match=r"no pixel is valid in all of .*enhanced\.tif, .*reference\.tif.* 50% valid"):
        evaluate(place.paths["enhanced"], reference=place.paths["reference"])


def test_land_cover_that_is_none_is_refused(make_raster, place):
    pair = {"enhanced": place.paths["enhanced"], "reference": place.paths["reference"]}
    ones = np.ones((1, 96, 128), np.uint8)
    away = make_raster("away.tif", ones, transform=Affine(5, 0, 900000, 0, -5, 5000000))
    with pytest.raises(
        GridError, match=r"--landcover .*away\.tif and .*enhanced\.tif: the finer raster does not cover"
    ):
        evaluate(**pair, land_cover=away)
    soft = make_raster("soft.tif", ones.astype(np.float32), transform=FINE)
    with pytest.raises(InputError, match=r"soft\.tif has 1 bands of float32; expected one band of whole numbers"):
        evaluate(**pair, land_cover=soft)
    many = make_raster("many.tif", np.arange(96 * 128, dtype=np.uint16).reshape(1, 96, 128), transform=FINE)
    with pytest.raises(InputError, match=r"many\.tif holds more than 256 classes"):
        evaluate(**pair, land_cover=many)


def test_what_needs_a_reference_says_so(place):
    for name in ("land_cover", "uncertainty"):
        with pytest.raises(ConfigError, match="needs errors, and those need --reference"):
            evaluate(place.paths["enhanced"], **{name: place.paths["reference"]})
    with pytest.raises(ConfigError, match=r"--scale is 4, but .* has pixels 2 times"):
        evaluate(**place.paths, options=Options(scale=4))
    with pytest.raises(ConfigError, match="give that raster with --landcover"):
        evaluate(**place.paths, options=Options(classes={1: "water"}))


@pytest.mark.parametrize(
    ("setting", "flag"),
    [
        ({"data_range": 0}, "data-range"),
        ({"samples": 0}, "samples"),
        ({"psf_sigma": 3}, "psf-sigma"),
        ({"scale": 0}, "scale"),
    ],
)
def test_settings_out_of_range_name_their_flag(setting, flag):
    with pytest.raises(ConfigError, match=f"--{flag} is "):
        Options(**setting)
