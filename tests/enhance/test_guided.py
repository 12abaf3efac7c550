"""Coarse bands guided by finer ones, through files: the linear method and a network on top of it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, zoom

from rsgan.catalogue import psf_sigma
from rsgan.enhance.statistics import likely_sensor
from rsgan.enhance.superres import prepare, superres
from rsgan.errors import BandError, ConfigError, GridError, ModelError, OutputError, RsganError, RsganWarning

RGBN = ("B02", "B03", "B04", "B08")
COARSE = ("B05", "B8A", "B11")
MIX = np.array([[0.0, 0.3, 0.5, 0.2], [0.0, 0.1, 0.0, 0.9], [0.2, 0.1, 0.6, 0.3]])
"""How the coarse bands of the test's ground follow from the fine ones."""
FINE = Affine(10, 0, 500000, 0, -10, 5000000)
WAYS = ["linear", "network"]
Make = Callable[..., Path]


@dataclass(frozen=True)
class Pair:
    """Files of a fine and a coarse raster of one ground, and what the coarse bands are at the fine pixels (DN)."""

    fine: Path
    coarse: Path
    truth: np.ndarray

    @property
    def files(self) -> list[Path]:
        return [self.fine, self.coarse]


def scaled(count: int) -> dict[str, list[float]]:
    return {"scales": [1e-4] * count, "offsets": [0.0] * count}


def see_coarser(truth: np.ndarray, scale: int) -> np.ndarray:
    """What a sensor of `scale` times larger pixels gives: Gaussian of 0.4 of its pixels, area mean, rounding."""
    blurred = gaussian_filter(truth.astype(float), (0, 0.4 * scale, 0.4 * scale), mode="nearest")
    count, height, width = truth.shape
    means = blurred.reshape(count, height // scale, scale, width // scale, scale).mean((2, 4))
    return means.round().astype(np.uint16)


@pytest.fixture
def make_pair(make_raster: Make, land: Callable[..., np.ndarray]) -> Callable[..., Pair]:
    """A function that writes a pair; `shape` is that of the coarse raster."""

    def make(
        shape: tuple[int, int] = (70, 90),
        scale: int = 2,
        *,
        names: tuple[str, ...] = COARSE,
        fine_values: np.ndarray | None = None,
        hole: tuple[slice, slice] | None = None,
        guide_hole: tuple[slice, slice] | None = None,
        transform: Affine | None = FINE,
        coarse: dict[str, Any] | None = None,
        fine: dict[str, Any] | None = None,
        label: str = "",
    ) -> Pair:
        values = land((shape[0] * scale, shape[1] * scale)) if fine_values is None else fine_values
        truth = np.einsum("cg,ghw->chw", np.resize(MIX, (len(names), 4)), values)
        seen = see_coarser(truth, scale)
        if hole is not None:
            seen[:, *hole] = 0
        if guide_hole is not None:
            values = values.copy()
            values[:, *guide_hole] = 0
        beside = None if transform is None else transform @ Affine.scale(scale)
        shared = {"nodata": 0, **({"crs": None} if transform is None else {})}
        files = [
            make_raster(
                f"{label}fine.tif", values, **{"transform": transform, **shared, **scaled(4), **(fine or {})}
            ),
            make_raster(
                f"{label}coarse{scale}.tif", seen,
                **{"transform": beside, "descriptions": names, **shared, **scaled(len(names)), **(coarse or {})},
            ),
        ]  # fmt: skip
        return Pair(*files, truth)

    return make


@pytest.fixture
def how(guided_model: Path) -> dict[str, dict[str, Any]]:
    """Settings of each way."""
    return {"linear": {"method": "linear"}, "network": {"model": guided_model, "symmetries": 1}}


def run(files: list[Path], name: str = "out.tif", **given_settings: Any) -> Path:
    return superres(files, files[0].with_name(name), overwrite=True, **given_settings)


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def difference(first: np.ndarray, second: np.ndarray) -> int:
    """Largest difference in DN; shapes must agree."""
    assert first.shape == second.shape
    return int(np.abs(first.astype(np.int64) - second.astype(np.int64)).max())


def rmse(first: np.ndarray, second: np.ndarray, margin: int = 8) -> float:
    inner = first.astype(float)[:, margin:-margin, margin:-margin] - second[:, margin:-margin, margin:-margin]
    return float(np.sqrt(np.square(inner).mean()))


# what it gives


@pytest.mark.parametrize("scale", [2, 3])
def test_the_linear_method_finds_the_ground_that_bicubic_misses(make_pair: Callable[..., Pair], scale: int) -> None:
    pair = make_pair(scale=scale)
    enhanced = pixels(run(pair.files, method="linear"))
    bicubic = zoom(pixels(pair.coarse).astype(float), (1, scale, scale), order=3, grid_mode=True, mode="nearest")
    assert enhanced.shape == pair.truth.shape
    assert rmse(enhanced, pair.truth) < 0.4 * rmse(bicubic, pair.truth)


@pytest.mark.parametrize("way", WAYS)
def test_seen_coarser_again_it_is_what_was_observed(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    pair = make_pair()
    out = run(pair.files, psf_sigma=0.4, **how[way])
    again, observed = see_coarser(pixels(out), 2), pixels(pair.coarse)
    residual = (again.astype(float) - observed)[:, 4:-4, 4:-4]
    contrast = observed.std((1, 2))
    assert (np.sqrt(np.square(residual).mean((1, 2))) < 0.03 * contrast).all()
    with rasterio.open(out) as dataset:
        stated = np.array(json.loads(dataset.tags()["RSGAN_CONSISTENCY_RMS"]))
    # the tag is measured before rounding to DN, which alone makes 0.3 DN
    np.testing.assert_allclose(stated * 1e4, np.sqrt(np.square(residual).mean((1, 2))), atol=1.0)


# any tiling, any part


@pytest.mark.parametrize("way", WAYS)
def test_any_tiling_gives_one_raster(make_pair: Callable[..., Pair], how: dict[str, dict], way: str) -> None:
    pair = make_pair((100, 150), hole=(slice(20, 35), slice(60, 80)), guide_hole=(slice(150, 170), slice(40, 90)))
    whole = pixels(run(pair.files, **how[way]))
    assert difference(pixels(run(pair.files, window=64, **how[way])), whole) <= 1
    assert difference(pixels(run(pair.files, window=71, batch=3, **how[way])), whole) <= 1


@pytest.mark.parametrize("way", WAYS)
def test_a_scene_longer_than_what_is_looked_at_in_one_piece(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    pair = make_pair((30, 530))
    whole = pixels(run(pair.files, window=600, **how[way]))
    assert difference(pixels(run(pair.files, window=64, **how[way])), whole) <= 1


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_crop_gives_the_pixels_of_the_whole(
    make_pair: Callable[..., Pair], how: dict[str, dict], data: st.DataObject
) -> None:
    way = data.draw(st.sampled_from(WAYS))
    pair = make_pair(hole=(slice(20, 30), slice(40, 60)))
    column, row = data.draw(st.integers(0, 89)), data.draw(st.integers(0, 69))
    width, height = data.draw(st.integers(1, 90 - column)), data.draw(st.integers(1, 70 - row))
    whole = pixels(run(pair.files, "whole.tif", **how[way]))
    part = run(pair.files, crop=(column, row, width, height), window=data.draw(st.integers(64, 90)), **how[way])
    assert difference(pixels(part), whole[:, 2 * row : 2 * (row + height), 2 * column : 2 * (column + width)]) <= 1
    with rasterio.open(part) as dataset:
        assert (dataset.transform.c, dataset.transform.f) == FINE @ (2 * column, 2 * row)


def test_a_bbox_gives_the_pixels_of_the_whole_stacked_too(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    whole = pixels(run(pair.files, "whole.tif", method="linear", stack=True))
    part = run(pair.files, bbox=(500333, 4999398, 500871, 4999851), method="linear", stack=True)
    assert difference(pixels(part), whole[:, 14:62, 32:88]) <= 1
    with rasterio.open(part) as dataset:
        assert dataset.bounds == (500320, 4999380, 500880, 4999860)


# nodata


@pytest.mark.parametrize("way", WAYS)
def test_nodata_in_is_nodata_out_at_the_right_size(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    whole = make_pair(label="whole")
    holed = make_pair(hole=(slice(30, 45), slice(50, 58)))
    out = run(holed.files, **how[way])
    with rasterio.open(out) as dataset:
        assert dataset.nodata == 0
        enhanced = dataset.read()
    expected = np.zeros(enhanced.shape[1:], bool)
    expected[60:90, 100:116] = True
    assert ((enhanced == 0) == expected).all()
    near = np.zeros_like(expected)
    near[52:98, 92:124] = True
    beside, unharmed = enhanced[:, near & ~expected], pixels(run(whole.files, "whole.tif", **how[way]))
    assert np.abs(beside / unharmed[:, near & ~expected] - 1).max() < 0.25  # filled with 0, it would be 1


@pytest.mark.parametrize("way", WAYS)
def test_a_hole_in_the_guide_alone_leaves_values_and_darkens_none(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    inside = (slice(60, 80), slice(70, 100))
    pair = make_pair(guide_hole=inside)
    enhanced = pixels(run(pair.files, **how[way]))
    assert enhanced.min() > 0
    observed = pixels(pair.coarse)
    around = (slice(25, 45), slice(30, 55))
    found = see_coarser(enhanced, 2)[:, *around].astype(float) / observed[:, *around]
    assert np.abs(found - 1).max() < 0.1


def test_a_nodata_of_the_guide_becomes_that_of_the_stack(make_pair: Callable[..., Pair]) -> None:
    values = np.full((4, 140, 180), 900, np.uint16)
    values[:, ::3, ::2] = 1100
    values[:, 10:14, 20:26] = 7777
    pair = make_pair(fine_values=values, fine={"nodata": 7777})
    stacked = pixels(run(pair.files, method="linear", stack=True))
    missing = values == 7777
    assert (stacked[[0, 1, 2, 4]][missing] == 0).all()  # B05 stands between B04 and B08
    np.testing.assert_array_equal(stacked[[0, 1, 2, 4]][~missing], values[~missing])


def test_a_nodata_that_only_the_guide_declares_is_that_of_the_stack(make_pair: Callable[..., Pair]) -> None:
    hole = (slice(60, 80), slice(70, 100))
    pair = make_pair(guide_hole=hole, coarse={"nodata": None})
    with rasterio.open(run(pair.files, method="linear", stack=True)) as dataset:
        assert dataset.nodata == 0
        missing = dataset.read() == 0
    expected = np.zeros((140, 180), bool)
    expected[hole] = True
    assert (missing[[0, 1, 2, 4]] == expected).all()
    assert not missing[[3, 5, 6]].any()
    with rasterio.open(run(pair.files, method="linear")) as dataset:
        assert dataset.nodata is None


def test_clouds_are_nodata_in_coarse_and_fine_bands_and_teach_nothing(
    make_pair: Callable[..., Pair], make_raster: Make, land: Callable[..., np.ndarray]
) -> None:
    classes = np.full((1, 70, 90), 4, np.uint8)
    classes[:, 30:50, 20:45] = 9  # cloud, high probability
    cloudy = np.kron(classes[0] == 9, np.ones((2, 2), bool))
    scl = make_raster("scl.tif", classes, descriptions=["SCL"], transform=FINE @ Affine.scale(2))
    white = land((140, 180)).astype(int)
    white[:, cloudy] = np.random.default_rng(4).integers(3000, 9000, (4, cloudy.sum()))
    results = []
    for values in (land((140, 180)), white.astype(np.uint16)):
        pair = make_pair(fine_values=values)
        out = run([*pair.files, scl], method="linear", stack=True, mask_clouds=True)
        with rasterio.open(out) as dataset:
            assert dataset.count == 7  # the layer of clouds is no band
            results.append(dataset.read())
    for result in results:
        assert (result[:, cloudy] == 0).all()
        assert result[:, ~cloudy].min() > 0
    # the observation beside a cloud holds some of it; further away nothing may tell that there was one
    far = ~np.kron(classes[0] == 9, np.ones((2, 2), bool))
    far[48:112, 28:102] = False
    assert np.abs(results[0][:, far].astype(int) - results[1][:, far]).max() <= 1


# place and metadata


@pytest.mark.parametrize("way", WAYS)
def test_corners_names_type_scale_and_tags_are_kept(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    stated = {"scales": [1e-4] * 3, "offsets": [-0.01, 0.0, 0.01], "tags": {"ORBIT": "22"}}
    pair = make_pair(coarse=stated)
    with rasterio.open(pair.coarse) as before, rasterio.open(run(pair.files, **how[way])) as after:
        assert after.bounds == before.bounds
        assert after.res == (10, 10)
        assert after.crs == before.crs
        assert after.dtypes == ("uint16",) * 3
        assert after.descriptions == COARSE
        assert after.scales == before.scales
        assert after.offsets == before.offsets
        assert after.tags()["ORBIT"] == "22"
        assert after.tags()["RSGAN_SCALE"] == "2"
        assert after.tags()["RSGAN_MODEL"] == {"linear": "linear injection", "network": "tiny-20to10"}[way]


@pytest.mark.parametrize(
    "transform",
    [
        Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -20),
        Affine(10, 0, 500000, 0, 10, 5000000),
        Affine(1e-4, 0, 14.2, 0, -1e-4, 46.1),
    ],
    ids=["rotated", "south up", "small numbers"],
)
def test_a_grid_changes_no_pixel(make_pair: Callable[..., Pair], transform: Affine) -> None:
    expected = pixels(run(make_pair().files, "plain.tif", method="linear"))
    pair = make_pair(transform=transform, label="moved")
    out = run(pair.files, method="linear")
    np.testing.assert_array_equal(pixels(out), expected)
    with rasterio.open(out) as after:
        assert after.transform.almost_equals(transform, precision=1e-9)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_without_georeferencing_are_taken_for_one_ground(make_pair: Callable[..., Pair]) -> None:
    expected = pixels(run(make_pair().files, "plain.tif", method="linear"))
    pair = make_pair(transform=None, label="bare")
    with pytest.warns(RsganWarning, match="has no georeferencing"):
        out = run(pair.files, method="linear")
    np.testing.assert_array_equal(pixels(out), expected)
    with rasterio.open(out) as after:
        assert after.crs is None
        assert after.transform == Affine.identity()


@pytest.mark.parametrize("way", WAYS)
def test_a_larger_guide_is_read_where_the_coarse_bands_lie(
    make_pair: Callable[..., Pair], make_raster: Make, how: dict[str, dict], way: str
) -> None:
    pair = make_pair()
    expected = pixels(run(pair.files, "plain.tif", stack=True, **how[way]))
    values = pixels(pair.fine)
    larger = np.random.default_rng(8).integers(100, 9000, (4, 200, 231)).astype(np.uint16)
    larger[:, 37 : 37 + 140, 19 : 19 + 180] = values
    moved = make_raster("larger.tif", larger, nodata=0, transform=FINE @ Affine.translation(-19, -37), **scaled(4))
    out = run([moved, pair.coarse], stack=True, **how[way])
    np.testing.assert_array_equal(pixels(out), expected)
    wrong = make_raster("wrong.tif", larger, nodata=0, transform=FINE @ Affine.translation(-18, -37), **scaled(4))
    assert difference(pixels(run([wrong, pair.coarse], stack=True, **how[way])), expected) > 100


def test_files_may_be_given_in_any_order(make_pair: Callable[..., Pair], how: dict[str, dict]) -> None:
    pair = make_pair()
    for settings_of_way in how.values():
        expected = pixels(run(pair.files, **settings_of_way))
        np.testing.assert_array_equal(pixels(run(pair.files[::-1], **settings_of_way)), expected)


# bands and scales


def test_a_stack_holds_all_bands_by_wavelength_and_the_fine_ones_bit_for_bit(make_pair: Callable[..., Pair]) -> None:
    names = ("B12", "B05", "B06", "B07", "B8A", "B11")
    pair = make_pair(names=names)
    out, alone = run(pair.files, method="linear", stack=True), run(pair.files, "alone.tif", method="linear")
    with rasterio.open(out) as stacked:
        assert stacked.descriptions == ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
        assert stacked.scales == (1e-4,) * 10
        fine = stacked.read([stacked.descriptions.index(name) + 1 for name in RGBN])
        enhanced = stacked.read([stacked.descriptions.index(name) + 1 for name in names])
    np.testing.assert_array_equal(fine, pixels(pair.fine))
    np.testing.assert_array_equal(enhanced, pixels(alone))


def test_the_coarsest_bands_come_to_the_finest_pixels_by_name(make_pair: Callable[..., Pair]) -> None:
    land20 = make_pair((42, 48), 2)
    land60 = make_pair((14, 16), 6, names=("B01", "B09"))
    files = [land60.coarse, *land20.files]
    out = run(files, method="linear", bands=("B01", "B09"))
    with rasterio.open(out) as dataset:
        assert dataset.descriptions == ("B01", "B09")
        assert dataset.res == (10, 10)
        assert dataset.tags()["RSGAN_SCALE"] == "6"
        enhanced = dataset.read()
    coarse = pixels(land60.coarse).astype(float)
    bicubic = zoom(coarse, (1, 6, 6), order=3, grid_mode=True, mode="nearest")
    assert rmse(enhanced, land60.truth) < 0.6 * rmse(bicubic, land60.truth)
    with pytest.warns(RsganWarning, match="is not used: linear injection takes none of its bands. Name its bands"):
        out = run(files, method="linear")
    with rasterio.open(out) as dataset:
        assert dataset.descriptions == COARSE  # unless told, the second finest


def test_a_pan_band_sharpens_the_bands_of_another_raster(make_raster: Make, land: Callable[..., np.ndarray]) -> None:
    ground = land((120, 160))
    pan = ground[:3].mean(0, keepdims=True).round().astype(np.uint16)
    files = [
        make_raster("pan.tif", pan, descriptions=["pan"], **scaled(1)),
        make_raster("ms.tif", see_coarser(ground, 2), transform=FINE @ Affine.scale(2), **scaled(4)),
    ]
    out = run(files, method="linear", psf_sigma=0.4)
    bicubic = zoom(pixels(files[1]).astype(float), (1, 2, 2), order=3, grid_mode=True, mode="nearest")
    with rasterio.open(out) as dataset:
        assert dataset.descriptions == RGBN
        assert rmse(dataset.read(), ground) < 0.5 * rmse(bicubic, ground)


@pytest.mark.parametrize(
    ("bands", "gsd_m", "sensor"),
    [
        (("B05", "B8A", "B11"), (20.0, 20.0), "sentinel-2a"),
        (("B02", "B03", "B04", "B08"), (10.0, 10.0), "sentinel-2a"),
        (("B02", "B03", "B04", "B08"), (20.0, 20.0), "sentinel-2a"),  # seen coarser, but none of it is a pan band
        (("B2", "B3", "B4", "B5", "B6", "B7"), (30.0, 30.0), "landsat-8"),
        (("B2", "B3", "B4"), (30.0, 30.0), "landsat-8"),
        (("B2", "B3", "B4"), None, "sentinel-2a"),
        (("red", "green", "blue"), (0.6, 0.6), "aerial"),
        (("B2", "temperature"), (30.0, 30.0), None),
    ],
)
def test_names_that_two_sensors_share_are_told_apart_by_the_pixels(
    bands: tuple[str, ...], gsd_m: tuple[float, float] | None, sensor: str | None
) -> None:
    assert likely_sensor(bands, gsd_m) == sensor


def test_landsat_bands_are_blurred_as_landsat_blurs_them(make_raster: Make, land: Callable[..., np.ndarray]) -> None:
    ground = land((80, 80))
    fine, coarse = Affine(15, 0, 5e5, 0, -15, 5e6), Affine(30, 0, 5e5, 0, -30, 5e6)
    files = [
        make_raster("B8.tif", ground[:1], descriptions=["B8"], transform=fine, **scaled(1)),
        make_raster(
            "ms.tif", see_coarser(ground, 2), descriptions=["B2", "B3", "B4", "B5"], transform=coarse, **scaled(4)
        ),
    ]
    with rasterio.open(run(files, method="linear")) as dataset:
        tags = dataset.tags()
    assert "sigma of landsat-8" in tags["RSGAN_STATISTICS"]
    expected = psf_sigma(0.31) * np.sqrt(1 - 1 / 4)  # the pan band has the same MTF at half the pixel
    np.testing.assert_allclose(json.loads(tags["RSGAN_PSF_SIGMA"]), [expected] * 4, rtol=1e-3)


# what is refused


def refused(files: list[Path], error: type[RsganError], **given_settings: Any) -> str:
    """The words with which a run is refused, before anything is written."""
    before = sorted(path.name for path in files[0].parent.iterdir())
    with pytest.raises(error) as raised:
        run(files, **given_settings)
    assert sorted(path.name for path in files[0].parent.iterdir()) == before
    return str(raised.value)


@pytest.mark.parametrize("way", WAYS)
def test_grids_that_do_not_nest_are_refused_with_numbers(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    pair = make_pair(coarse={"transform": FINE @ Affine.translation(0.5, 0) @ Affine.scale(2)})
    said = r"bands B05 B8A B11 and B02 B03 B04 B08: the pixels do not nest: .* 2 x 2 fine ones .* column 0\.500, row 0"
    assert re.search(said, refused(pair.files, GridError, **how[way]))


@pytest.mark.parametrize("way", WAYS)
def test_unlike_coordinate_systems_are_refused_with_both(
    make_pair: Callable[..., Pair], how: dict[str, dict], way: str
) -> None:
    pair = make_pair(coarse={"crs": "EPSG:32632"})
    assert re.search("EPSG:32632 against EPSG:32633 of the finer pixels", refused(pair.files, GridError, **how[way]))


def test_a_guide_that_ends_too_early_is_refused(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(coarse={"transform": FINE @ Affine.translation(-2, 0) @ Affine.scale(2)})
    assert re.search(
        "does not cover the coarser: needed are .* columns -2 to 178", refused(pair.files, GridError, method="linear")
    )


def test_one_pixel_size_guides_nothing(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    assert re.search(r"pixels of 1 size\(s\) only \(10\)", refused([pair.fine], BandError, method="linear"))
    said = "B02 B03 already have the finest pixels of the files, so nothing guides them"
    assert re.search(said, refused(pair.files, BandError, method="linear", bands=("B02", "B03")))


def test_a_ratio_that_is_not_the_models_is_refused_with_both(
    make_pair: Callable[..., Pair], guided_model: Path
) -> None:
    said = r"a pixel of B05 holds 3 of B02 each way; tiny-20to10 takes 2\..* --method linear"
    assert re.search(said, refused(make_pair(scale=3).files, GridError, model=guided_model))


def test_another_scale_than_the_pixels_is_refused(make_pair: Callable[..., Pair]) -> None:
    assert re.search(
        "--scale 4: the finer bands have 2 pixels", refused(make_pair().files, ModelError, method="linear", scale=4)
    )


def test_a_sharpness_of_the_linear_method_is_refused(make_pair: Callable[..., Pair]) -> None:
    said = r"--sharpness 0\.5: --method linear has no adversarial network"
    assert re.search(said, refused(make_pair().files, ModelError, method="linear", sharpness=0.5))
    run(make_pair().files, method="linear", sharpness=0.0)


def test_a_method_of_another_name_is_refused(make_pair: Callable[..., Pair]) -> None:
    assert re.search(
        "--method linaer: no such method; give network or linear",
        refused(make_pair().files, ConfigError, method="linaer"),
    )


def test_a_stack_without_a_guide_is_refused(make_pair: Callable[..., Pair], tiny_model: Path) -> None:
    assert re.search(
        "--stack: tiny-x2 takes no finer bands", refused([make_pair().fine], OutputError, model=tiny_model, stack=True)
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_stack_of_unlike_numbers_is_refused(make_pair: Callable[..., Pair], how: dict[str, dict], way: str) -> None:
    pair = make_pair(fine={"scales": [2e-4] * 4})
    said = r"--stack: the bands are stored as uint16 with scale 0\.0001 .* uint16 with 0\.0002"
    assert re.search(said, refused(pair.files, OutputError, stack=True, **how[way]))


def test_a_stack_of_unlike_types_is_refused(make_pair: Callable[..., Pair], make_raster: Make) -> None:
    pair = make_pair()
    plain = make_raster("float.tif", (pixels(pair.fine) / 1e4).astype(np.float32))
    said = "--stack: the bands are stored as uint16 .* the finer ones as float32"
    assert re.search(said, refused([plain, pair.coarse], OutputError, stack=True, method="linear"))
    run([plain, pair.coarse], method="linear")


def test_a_model_without_a_guide_is_no_linear_method(make_pair: Callable[..., Pair]) -> None:
    said = "--method linear: model s2-rgbn-x2 has no finer bands that guide"
    assert re.search(said, refused(make_pair().files, ModelError, method="linear", model="s2-rgbn-x2"))


def test_the_linear_method_takes_the_bands_of_a_guided_model(
    make_pair: Callable[..., Pair], guided_model: Path
) -> None:
    pair = make_pair(names=("B05", "B06", "B8A", "B11"))
    with rasterio.open(run(pair.files, method="linear", model=guided_model)) as dataset:
        assert dataset.descriptions == COARSE


def test_a_missing_band_is_refused_by_name(make_pair: Callable[..., Pair], guided_model: Path) -> None:
    assert re.search("B11", refused(make_pair(names=("B05", "B8A", "B12")).files, BandError, model=guided_model))
    pair = make_pair(fine={"descriptions": ("B02", "B03", "B04", "other")})
    assert re.search("B08", refused(pair.files, BandError, model=guided_model))


# real land


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("place", ["s2_l1c_t33uub_20170527", "ben_S2B_MSIL2A_20170924T093019_43_47"])
def test_on_real_land_seen_coarser_it_beats_bicubic(real_data: Path, make_raster: Make, place: str) -> None:
    """One scale up, where the 20 m bands themselves are the truth (Wald's protocol)."""
    truth, guide = (pixels(real_data / "sentinel2" / f"{place}_{gsd}m.tif") for gsd in (20, 10))
    height, width = (min(side // 2 * 2, 400) for side in truth.shape[1:])
    truth, guide = truth[:, :height, :width], guide[:, : 2 * height, : 2 * width]
    with rasterio.open(real_data / "sentinel2" / f"{place}_20m.tif") as dataset:
        names = dataset.descriptions
    fine, coarse = Affine(20, 0, 5e5, 0, -20, 5e6), Affine(40, 0, 5e5, 0, -40, 5e6)
    files = [
        make_raster("fine.tif", see_coarser(guide, 2), transform=fine, **scaled(4)),
        make_raster(
            "coarse.tif", see_coarser(truth, 2), transform=coarse, descriptions=names, **scaled(len(truth))
        ),
    ]  # fmt: skip
    enhanced = pixels(run(files, method="linear", psf_sigma=0.4))
    bicubic = zoom(pixels(files[1]).astype(float), (1, 2, 2), order=3, grid_mode=True, mode="nearest")
    assert rmse(enhanced, truth) < 0.6 * rmse(bicubic, truth)


def test_a_file_of_which_nothing_is_taken_is_named(make_pair: Callable[..., Pair], tiny_model: Path) -> None:
    with prepare(make_pair().files, model=tiny_model) as job:
        assert [note for note in job.notes if "is not used: tiny-x2 takes none of its bands" in note]
