from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.geo import Scene

RGBN = ("B02", "B03", "B04", "B08")
WHOLE = Window(0, 0, 30, 20)
MakeRaster = Callable[..., Path]


def test_values_are_reflectance_in_the_order_wanted(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("aerial.tif", dn[[2, 1, 0, 3]], descriptions=["R", "G", "B", "N"])
    with Scene.open([path], wanted=RGBN) as scene:
        chip = scene.read(Window(5, 3, 10, 7))
        assert scene.band_choice.indexes == (3, 2, 1, 4)
        assert chip.values.dtype == np.float32
        assert chip.valid.all()
        np.testing.assert_allclose(chip.values, dn[:, 3:10, 5:15] / 10000.0, rtol=1e-6)
        np.testing.assert_array_equal(scene.read_dn(WHOLE), dn)
        assert chip.grid.transform == Affine(10, 0, 500050, 0, -10, 4999970)
        assert scene.gsd_m == (10.0, 10.0)


def test_single_band_files_are_one_scene_whatever_their_order(make_raster: MakeRaster, dn: np.ndarray) -> None:
    names = ["T33UUB_20170527_B08_10m.tif", "T33UUB_20170527_B04_10m.tif", "T33UUB_B02.tif", "T33UUB_B03.tif"]
    paths = [make_raster(name, dn[i : i + 1]) for name, i in zip(names, (3, 2, 0, 1), strict=True)]
    with Scene.open(paths, wanted=RGBN) as scene:
        assert not scene.band_choice.assumed
        np.testing.assert_array_equal(scene.read_dn(WHOLE), dn)


def test_landsat_file_names_are_read_by_landsats_numbers_only(make_raster: MakeRaster, dn: np.ndarray) -> None:
    paths = [make_raster(f"LC08_L2SP_190025_SR_B{n}.TIF", dn[i : i + 1]) for i, n in enumerate((5, 4, 3, 2))]
    with Scene.open(paths, wanted=("B2", "B3", "B4", "B5"), sensor_name="landsat-8") as scene:
        assert scene.band_choice.indexes == (4, 3, 2, 1)
    with Scene.open(paths, wanted=RGBN) as scene:
        assert scene.band_choice.assumed


def test_different_nodata_of_several_files_is_told(make_raster: MakeRaster, dn: np.ndarray) -> None:
    paths = [make_raster(f"{name}.tif", dn[i : i + 1], nodata=i) for i, name in enumerate(("B02", "B03"))]
    with Scene.open(paths, wanted=("B02", "B03")) as scene:
        assert scene.nodata == (0.0, 1.0)
        assert scene.output_nodata == 0.0
        assert any("different nodata (0, 1)" in note for note in scene.notes)
        np.testing.assert_array_equal(scene.read(WHOLE).valid[1], dn[1] != 1)


def test_jpeg_2000_and_vrt_are_scenes_too(make_raster: MakeRaster, tmp_path: Path, dn: np.ndarray) -> None:
    tif = make_raster("a.tif", dn, descriptions=RGBN)
    rasterio.shutil.copy(tif, tmp_path / "a.jp2", driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    rasterio.shutil.copy(tif, tmp_path / "a.vrt", driver="VRT")
    for name in ("a.jp2", "a.vrt"):
        with Scene.open([tmp_path / name], wanted=RGBN) as scene:
            np.testing.assert_array_equal(scene.read_dn(WHOLE), dn)


def test_colour_interpretation_names_bands_without_description(make_raster: MakeRaster, dn: np.ndarray) -> None:
    colours = [ColorInterp.nir, ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    with Scene.open([make_raster("a.tif", dn, colorinterp=colours)], wanted=RGBN) as scene:
        assert scene.band_choice.indexes == (4, 3, 2, 1)
        assert scene.colorinterp == tuple(colours[::-1])


def test_unnamed_bands_are_taken_in_order_with_a_note(make_raster: MakeRaster, dn: np.ndarray) -> None:
    with Scene.open([make_raster("a.tif", dn)], wanted=RGBN) as scene:
        assert any("order assumed to be B02 B03 B04 B08" in note for note in scene.notes)


def test_wavelengths_name_bands(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("a.tif", dn)
    with rasterio.open(path, "r+") as dataset:
        for index, centre in enumerate(["842", "665", "560", "490"], start=1):
            dataset.update_tags(index, wavelength=centre, wavelength_units="Nanometers")
    with Scene.open([path], wanted=RGBN) as scene:
        assert scene.band_choice.indexes == (4, 3, 2, 1)


def test_declared_nodata_is_invalid_per_band_and_reads_zero(make_raster: MakeRaster, dn: np.ndarray) -> None:
    dn[1, 4, 5] = 0
    with Scene.open([make_raster("a.tif", dn, descriptions=RGBN, nodata=0)], wanted=RGBN) as scene:
        chip = scene.read(WHOLE)
        assert np.argwhere(~chip.valid).tolist() == [[1, 4, 5]]
        assert chip.values[1, 4, 5] == 0.0
        assert scene.nodata == (0.0,) * 4
        assert scene.output_nodata == 0.0


def test_undeclared_zero_is_a_valid_value(make_raster: MakeRaster, dn: np.ndarray) -> None:
    dn[1, 4, 5] = 0
    with Scene.open([make_raster("a.tif", dn, descriptions=RGBN)], wanted=RGBN) as scene:
        assert scene.read(WHOLE).valid.all()
        assert scene.output_nodata is None


def test_nodata_that_the_type_cannot_hold_is_ignored_with_a_note(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("a.tif", dn, descriptions=RGBN, nodata=1)
    vrt = path.with_suffix(".vrt")
    rasterio.shutil.copy(path, vrt, driver="VRT")
    vrt.write_text(vrt.read_text().replace("<NoDataValue>1<", "<NoDataValue>1.5<"))
    with Scene.open([vrt], wanted=RGBN) as scene:
        assert scene.nodata == (None,) * 4
        assert any("nodata 1.5, which uint16 cannot hold" in note for note in scene.notes)


def test_a_mask_band_says_what_is_valid(make_raster: MakeRaster, dn: np.ndarray) -> None:
    mask = np.ones((20, 30), dtype=bool)
    mask[:3] = False
    with Scene.open([make_raster("a.tif", dn, descriptions=RGBN, mask=mask)], wanted=RGBN) as scene:
        np.testing.assert_array_equal(scene.read(WHOLE).valid, np.broadcast_to(mask, dn.shape))
        assert scene.stated.has_mask
        assert scene.output_nodata == 0.0


def with_alpha(dn: np.ndarray) -> tuple[np.ndarray, list[ColorInterp]]:
    alpha = np.full((1, *dn.shape[1:]), 255, dtype=np.uint16)
    alpha[0, :, :4] = 0
    colours = [ColorInterp.undefined] * 4 + [ColorInterp.alpha]
    return np.concatenate((dn, alpha)), colours


def test_an_alpha_band_says_what_is_valid_and_is_no_data_band(make_raster: MakeRaster, dn: np.ndarray) -> None:
    values, colours = with_alpha(dn)
    with Scene.open([make_raster("a.tif", values, colorinterp=colours)], wanted=RGBN) as scene:
        assert scene.band_choice.indexes == (1, 2, 3, 4)
        assert not scene.read(WHOLE).valid[:, :, :4].any()
        assert scene.read(WHOLE).valid[:, :, 4:].all()


def test_a_band_marked_alpha_is_data_when_its_name_or_the_user_says_so(make_raster: MakeRaster, dn: np.ndarray) -> None:
    dn[3, 0, 0] = 0
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    named = make_raster("named.tif", dn, colorinterp=colours, descriptions=RGBN)
    unnamed = make_raster("unnamed.tif", dn, colorinterp=colours)
    with Scene.open([named], wanted=RGBN) as scene:
        np.testing.assert_array_equal(scene.read_dn(WHOLE), dn)
        assert scene.read(WHOLE).valid.all()
    with Scene.open([unnamed], wanted=RGBN, bands=("1", "2", "3", "4")) as scene:
        assert scene.read(WHOLE).valid.all()
    with pytest.raises(BandError, match=r"unnamed\.tif has 3 bands; model needs 4"):
        Scene.open([unnamed], wanted=RGBN)


def test_nan_and_infinity_are_invalid(make_raster: MakeRaster) -> None:
    values = np.full((4, 20, 30), 0.25, dtype=np.float32)
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -9999.0
    with Scene.open([make_raster("a.tif", values, descriptions=RGBN, nodata=-9999.0)], wanted=RGBN) as scene:
        chip = scene.read(WHOLE)
        assert np.argwhere(~chip.valid).tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
        assert chip.values[~chip.valid].tolist() == [0.0, 0.0, 0.0]
        assert chip.values[3].min() == chip.values[3].max() == 0.25


def test_float32_nodata_matches_although_it_is_declared_in_double(make_raster: MakeRaster) -> None:
    values = np.full((4, 20, 30), 0.25, dtype=np.float32)
    values[:, 0, 0] = np.finfo(np.float32).min
    path = make_raster("a.tif", values, descriptions=RGBN, nodata=-3.4028234663852886e38)
    with Scene.open([path], wanted=RGBN) as scene:
        assert scene.read(WHOLE).valid.sum() == values.size - 4


def test_scale_and_offset_of_the_file_rule(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("a.tif", dn, descriptions=RGBN, scales=[2e-5] * 4, offsets=[-0.2] * 4)
    with Scene.open([path], wanted=RGBN) as scene:
        np.testing.assert_allclose(scene.read(WHOLE).values, dn * 2e-5 - 0.2, atol=1e-6)
        assert scene.stated.scales == (2e-5,) * 4
        assert scene.stated.offsets == (-0.2,) * 4
        assert not any("assumed" in note for note in scene.notes)


def test_product_tags_give_scale_and_offset(make_raster: MakeRaster, dn: np.ndarray) -> None:
    tags = {"BOA_QUANTIFICATION_VALUE": "10000", "BOA_ADD_OFFSET": "-1000"}
    with Scene.open([make_raster("a.tif", dn, descriptions=RGBN, tags=tags)], wanted=RGBN) as scene:
        np.testing.assert_allclose(scene.read(WHOLE).values, (dn - 1000.0) / 10000.0, atol=1e-6)
        assert scene.tags == tags


def test_the_users_scale_wins_over_the_file(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("a.tif", dn, descriptions=RGBN, scales=[2e-5] * 4, offsets=[-0.2] * 4)
    with Scene.open([path], wanted=RGBN, reflectance_scale=5000) as scene:
        np.testing.assert_allclose(scene.read(WHOLE).values, dn / 5000.0, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "units"), [("uint8", 255), ("uint16", 10000), ("int16", 10000)])
def test_the_usual_scale_of_the_type_is_assumed_aloud(make_raster: MakeRaster, dtype: str, units: int) -> None:
    values = np.full((4, 20, 30), 100, dtype=dtype)
    with Scene.open([make_raster("a.tif", values, descriptions=RGBN)], wanted=RGBN) as scene:
        assert scene.read(WHOLE).values.max() == pytest.approx(100 / units)
        assert any(
            f"assumed for {dtype}" in note and f"reflectance 1 is stored as {units}" in note for note in scene.notes
        )


def test_float_values_that_are_no_reflectance_are_pointed_out(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("a.tif", dn.astype(np.float32), descriptions=RGBN)
    with Scene.open([path], wanted=RGBN) as scene:
        assert any("99th percentile" in note and "perhaps 10000" in note for note in scene.notes)
    with Scene.open([path], wanted=RGBN, reflectance_scale=10000) as scene:
        assert scene.notes == ()


@pytest.mark.parametrize(
    ("options", "gsd_m", "told"),
    [
        ({"crs": None, "transform": None}, None, "no georeferencing; its ground sampling distance is unknown"),
        ({"crs": None}, None, "no coordinate system; its ground"),
        ({"transform": None}, None, "no transform; its ground"),
        ({"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 15, 0, -1e-4, 0)}, (11.132, 11.057), None),
    ],
)
def test_a_scene_without_a_place_is_read_with_a_note(
    make_raster: MakeRaster, dn: np.ndarray, options: dict, gsd_m: tuple[float, float] | None, told: str | None
) -> None:
    path = make_raster("a.tif", dn, descriptions=RGBN, scales=[1e-4] * 4, **options)
    with Scene.open([path], wanted=RGBN) as scene:
        assert scene.gsd_m == (None if gsd_m is None else pytest.approx(gsd_m, rel=1e-3))
        assert len(scene.notes) == (0 if told is None else 1)
        assert told is None or told in scene.notes[0]
    with Scene.open([path], wanted=RGBN, gsd_m=2.5) as scene:
        assert scene.gsd_m == (2.5, 2.5)


def test_ground_control_points_are_named_and_not_used(make_raster: MakeRaster, dn: np.ndarray) -> None:
    corners = [(0, 0, 15.0, 50.0), (0, 30, 15.1, 50.0), (20, 0, 15.0, 49.9), (20, 30, 15.1, 49.9)]
    points = [GroundControlPoint(row, column, x, y) for row, column, x, y in corners]
    path = make_raster("a.tif", dn, descriptions=RGBN, crs="EPSG:4326", transform=None, gcps=points)
    with Scene.open([path], wanted=RGBN) as scene:
        assert not scene.grid.has_transform
        assert any("ground control points, which are not used" in note for note in scene.notes)


def test_unlike_grids_are_refused_with_both_names(make_raster: MakeRaster, dn: np.ndarray) -> None:
    first = make_raster("B02.tif", dn[:1])
    for other in (
        make_raster("B03.tif", dn[:1, :10]),
        make_raster("B04.tif", dn[:1], crs="EPSG:32632"),
        make_raster("B08.tif", dn[:1], transform=Affine(20, 0, 500000, 0, -20, 5000000)),
    ):
        with pytest.raises(GridError, match=rf"B02.tif and .*{other.name} do not share one grid"):
            Scene.open([first, other], wanted=("B02", other.stem))


def test_unlike_types_are_refused_with_both_names(make_raster: MakeRaster, dn: np.ndarray) -> None:
    paths = [make_raster("B02.tif", dn[:1]), make_raster("B03.tif", dn[:1].astype(np.float32))]
    with pytest.raises(InputError, match=r"B02.tif is uint16, band 1 of .*B03.tif is float32"):
        Scene.open(paths, wanted=("B02", "B03"))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.tif does not exist"):
        Scene.open(["nowhere.tif"], wanted=RGBN)
    with pytest.raises(InputError, match="no input file"):
        Scene.open([], wanted=RGBN)


@pytest.mark.parametrize("content", [b"", b"hello", b"II*\x00\x08\x00\x00\x00"])
def test_a_file_that_is_no_raster_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.tif"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.tif cannot be opened as a raster"):
        Scene.open([path], wanted=RGBN)


def test_a_truncated_file_is_named_with_the_rows(make_raster: MakeRaster) -> None:
    noise = np.random.default_rng(0).integers(1, 60000, (4, 200, 200)).astype(np.uint16)
    path = make_raster("cut.tif", noise, descriptions=RGBN)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut\.tif cannot be read at rows \d+ to \d+.*damaged or cut short"):
        Scene.open([path], wanted=RGBN)


def test_a_file_of_several_rasters_is_refused_and_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "cube.h5"
    with h5py.File(path, "w") as cube:
        for name in ("red", "nir"):
            cube[name] = np.ones((4, 5), np.float32)
    with pytest.raises(InputError, match=r"(?s)cube.h5 has no bands of its own but holds 2 rasters.*cube.h5.*nir"):
        Scene.open([path], wanted=RGBN)


def test_a_raster_without_bands_is_refused(
    make_raster: MakeRaster, dn: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_raster("empty.tif", dn)
    dataset = MagicMock(count=0, subdatasets=[])
    dataset.__exit__.return_value = False
    monkeypatch.setattr(rasterio, "open", lambda name: dataset)
    with pytest.raises(InputError, match=r"empty\.tif has no bands; expected at least one"):
        Scene.open([path], wanted=RGBN)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [("complex64", "single-look complex SAR"), ("int32", "holds int32"), ("uint32", "gdal_translate")],
)
def test_types_that_are_no_reflectance_are_refused(make_raster: MakeRaster, dtype: str, message: str) -> None:
    path = make_raster("a.tif", np.ones((4, 5, 5), dtype=dtype), descriptions=RGBN)
    with pytest.raises(InputError, match=message):
        Scene.open([path], wanted=RGBN)


def test_a_picture_is_named_as_such(make_raster: MakeRaster) -> None:
    rgb = np.zeros((3, 8, 8), dtype=np.uint8)
    path = make_raster("photo.png", rgb, driver="PNG", crs=None, transform=None, photometric=None)
    with pytest.raises(BandError, match=r"photo.png is an 8-bit RGB picture.*needs 4 \(B02 B03 B04 B08\)"):
        Scene.open([path], wanted=RGBN)
    with Scene.open([path], wanted=("B02", "B03", "B04")) as scene:
        assert scene.band_choice.indexes == (3, 2, 1)


def test_colour_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    with rasterio.open(path, "w", driver="GTiff", height=4, width=4, count=1, dtype="uint8", crs="EPSG:32633",
                       transform=Affine(10, 0, 0, 0, -10, 0)) as dataset:  # fmt: skip
        dataset.write_colormap(1, {0: (0, 0, 0, 255), 1: (255, 0, 0, 255)})
    with pytest.raises(InputError, match="colour table"):
        Scene.open([path], wanted=("B02",))


@pytest.mark.parametrize(
    ("scale", "message"), [(0.0001, "which is 10000 if 0.0001"), (0.0, "above 0"), (-1.0, "above 0")]
)
def test_a_reflectance_scale_that_cannot_be_meant_is_refused(
    make_raster: MakeRaster, dn: np.ndarray, scale: float, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Scene.open([make_raster("a.tif", dn, descriptions=RGBN)], wanted=RGBN, reflectance_scale=scale)


@pytest.mark.parametrize("value", ["many", "0", "-5"])
def test_a_broken_product_tag_is_named(make_raster: MakeRaster, dn: np.ndarray, value: str) -> None:
    path = make_raster("a.tif", dn, descriptions=RGBN, tags={"QUANTIFICATION_VALUE": value})
    with pytest.raises(InputError, match="QUANTIFICATION_VALUE"):
        Scene.open([path], wanted=RGBN)


def test_windows_outside_the_scene_are_refused(make_raster: MakeRaster, dn: np.ndarray) -> None:
    with (
        Scene.open([make_raster("a.tif", dn, descriptions=RGBN)], wanted=RGBN) as scene,
        pytest.raises(GridError, match="reaches outside the raster of 20 rows and 30 columns"),
    ):
        scene.read(Window(20, 10, 20, 20))


def test_files_are_closed_with_the_scene_and_after_a_refusal(
    make_raster: MakeRaster, dn: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_raster("a.tif", dn[:3], descriptions=RGBN[:3])
    opened = []
    really_open = rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda *args: opened.append(really_open(*args)) or opened[-1])
    with pytest.raises(BandError):
        Scene.open([path], wanted=RGBN)
    with Scene.open([path], wanted=RGBN[:3]):
        assert [dataset.closed for dataset in opened] == [True, False]
    assert [dataset.closed for dataset in opened] == [True, True]


def test_sixteen_bits_without_a_word_mean_what_the_sensors_products_mean(make_raster: MakeRaster) -> None:
    path = make_raster("landsat.tif", np.full((1, 4, 4), 20000, np.uint16), descriptions=["B3"])
    with Scene.open([path], wanted=("B3",), sensor_name="landsat-8") as scene:
        np.testing.assert_allclose(scene.read(scene.grid.window).values, 2.75e-5 * 20000 - 0.2, atol=1e-6)
        assert any("Landsat 8" in note for note in scene.notes)


NINE = tuple(f"B0{number}" for number in range(1, 10))


def test_names_that_landsat_has_too_are_refused_on_coarse_pixels(make_raster: MakeRaster) -> None:
    values = np.full((9, 6, 6), 900, np.uint16)
    landsat = make_raster("landsat.tif", values, descriptions=NINE, transform=Affine(30, 0, 5e5, 0, -30, 5e6))
    with pytest.raises(BandError, match=r"landsat.tif calls its bands as both .*B08 .* 30 m.*--bands"):
        Scene.open([landsat], wanted=RGBN)
    with Scene.open([landsat], wanted=RGBN, bands=("B02", "B03", "B04", "B05")) as scene:
        assert scene.band_choice.indexes == (2, 3, 4, 5)


def test_names_that_landsat_has_too_are_sentinels_on_fine_pixels_or_beside_b8a(make_raster: MakeRaster) -> None:
    fine = make_raster("fine.tif", np.full((9, 6, 6), 900, np.uint16), descriptions=NINE)
    with Scene.open([fine], wanted=RGBN) as scene:
        assert scene.band_choice.indexes == (2, 3, 4, 8)
    ten = make_raster(
        "ten.tif",
        np.full((10, 6, 6), 900, np.uint16),
        descriptions=(*NINE, "B8A"),
        transform=Affine(60, 0, 5e5, 0, -60, 5e6),
    )
    with Scene.open([ten], wanted=RGBN) as scene:
        assert scene.band_choice.indexes == (2, 3, 4, 8)


def test_zeros_that_nobody_declares_are_noted_and_can_be_declared(make_raster: MakeRaster) -> None:
    values = np.full((4, 20, 20), 900, np.uint16)
    values[:, :, :5] = 0
    path = make_raster("edge.tif", values, descriptions=RGBN)
    with Scene.open([path], wanted=RGBN) as scene:
        assert any("25% of its pixels are 0 in every band" in note and "--nodata 0" in note for note in scene.notes)
    with Scene.open([path], wanted=RGBN, nodata=0) as scene:
        assert not any("0 in every band" in note for note in scene.notes)
        np.testing.assert_array_equal(scene.read(scene.grid.window).valid, values > 0)
        assert scene.output_nodata == 0


def test_a_nodata_that_the_type_cannot_hold_is_refused(make_raster: MakeRaster, dn: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"--nodata -1 cannot be stored as uint16"):
        Scene.open([make_raster("a.tif", dn, descriptions=RGBN)], wanted=RGBN, nodata=-1)


def test_integers_that_cannot_be_reflectance_are_noted(make_raster: MakeRaster) -> None:
    path = make_raster("web.tif", np.full((4, 20, 20), 60000, np.uint16), descriptions=RGBN)
    with Scene.open([path], wanted=RGBN) as scene:
        assert any("values up to 6 (99th percentile)" in note for note in scene.notes)


def test_a_scale_beyond_belief_is_refused(make_raster: MakeRaster, dn: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"scales 1e\+30.*--reflectance-scale"):
        Scene.open([make_raster("a.tif", dn, descriptions=RGBN, scales=[1e30] * 4)], wanted=RGBN)


def test_a_band_with_a_name_is_not_its_colour(make_raster: MakeRaster) -> None:
    names = ("S1_VV", "B02", "B03", "B04", "B08")
    colours = [ColorInterp.red, *[ColorInterp.undefined] * 4]
    path = make_raster("both.tif", np.full((5, 6, 6), 900, np.uint16), descriptions=names, colorinterp=colours)
    with Scene.open([path], wanted=RGBN) as scene:
        assert scene.band_choice.indexes == (2, 3, 4, 5)
