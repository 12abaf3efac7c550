from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

import rsgan
from rsgan.cli import main
from rsgan.errors import BandError, GridError, InputError
from rsgan.geo import Scene

Make = Callable[..., Any]
MakeRaster = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")
COARSE = ("B05", "B06", "B07", "B8A", "B11", "B12")


@pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0.0), ("05.09", -0.1)])
@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("wanted", [RGBN, COARSE], ids=["10m", "20m"])
def test_reflectance_of_a_product_is_that_of_its_metadata(
    make_safe: Make, level: str, baseline: str, offset: float, wanted: tuple[str, ...]
) -> None:
    made = make_safe(level=level, baseline=baseline)
    for source in (made.root, made.zipped()):
        with Scene.open([source], wanted=wanted) as scene:
            chip = scene.read(scene.grid.window)
            assert scene.notes == ()
            assert not scene.band_choice.assumed
            assert scene.gsd_m == ((10.0, 10.0) if wanted == RGBN else (20.0, 20.0))
            assert scene.descriptions == wanted
            assert scene.output_nodata == 0.0
        for place, name in enumerate(wanted):
            valid = made.dn[name] != 0
            np.testing.assert_array_equal(chip.valid[place], valid)
            expected = made.dn[name][valid] / 10000 + offset
            np.testing.assert_allclose(chip.values[place][valid], expected, atol=1e-6)


def test_surface_reflectance_of_landsat_by_its_own_names(make_landsat: Make) -> None:
    made = make_landsat()
    with Scene.open([made.root], wanted=("B2", "B5"), sensor_name="landsat-9") as scene:
        chip = scene.read(scene.grid.window)
    for place, name in enumerate(("B2", "B5")):
        expected = np.where(made.dn[name] == 0, 0, made.dn[name] * 2.75e-5 - 0.2)
        np.testing.assert_allclose(chip.values[place], expected, atol=1e-6)


def test_landsats_numbers_never_stand_for_bands_of_sentinel_2(make_landsat: Make) -> None:
    made = make_landsat(level="L1TP")
    with pytest.raises(BandError, match=r"Not found: B08; the bands of the file are 1 'coastal', 2 'blue'"):
        Scene.open([made.root], wanted=RGBN)
    with Scene.open([made.root], wanted=RGBN, bands=("blue", "green", "red", "nir08")) as scene:
        np.testing.assert_array_equal(scene.read_dn(scene.grid.window)[3], made.dn["B5"])
        assert scene.descriptions == ("B2", "B3", "B4", "B5")


def test_every_band_of_one_pixel_size_is_taken_under_its_own_name(make_safe: Make, make_landsat: Make) -> None:
    made = make_safe(level="L1C", omit=["B06"])
    with Scene.open([made.root], wanted=None, rank=1) as scene:
        assert scene.bands == ("B05", "B07", "B8A", "B11", "B12")
        assert [note for note in scene.notes if "no file for B06" in note and "_B06.jp2" in note]
    with Scene.open([make_landsat(level="L1TP").root], wanted=None, rank=0) as scene:
        assert scene.bands == ("B8",)
        assert scene.gsd_m == (15.0, 15.0)


def test_a_band_without_a_file_is_named_when_it_is_wanted(make_safe: Make) -> None:
    made = make_safe(omit=["B08"])
    with pytest.raises(BandError, match=r"no file for B08 \(.*R10m/T34UCF_20230823T095559_B08_10m.jp2\)"):
        Scene.open([made.root], wanted=RGBN)
    with Scene.open([made.root], wanted=RGBN[:3]) as scene:
        np.testing.assert_array_equal(scene.read_dn(scene.grid.window)[2], made.dn["B04"])


def test_scene_classification_at_20_m_masks_bands_at_10_m_and_20_m(make_safe: Make) -> None:
    made = make_safe()
    flagged = np.isin(made.clouds[0], (0, 3, 8, 9, 10))
    for wanted, scale in ((RGBN, 2), (COARSE, 1)):
        with Scene.open([made.zipped()], wanted=wanted, mask_clouds=True) as scene:
            valid = scene.read(scene.grid.window).valid
        expected = ~np.kron(flagged, np.ones((scale, scale), dtype=bool)) & (made.dn[wanted[0]] != 0)
        np.testing.assert_array_equal(valid, np.broadcast_to(expected, valid.shape))


def test_classes_of_level_1c_at_60_m_mask_bands_at_10_m(make_safe: Make) -> None:
    made = make_safe(level="L1C")
    flagged = np.kron((made.clouds[0] | made.clouds[1]) > 0, np.ones((6, 6), dtype=bool))
    with Scene.open([made.root], wanted=RGBN, mask_clouds=True) as scene:
        valid = scene.read(scene.grid.window).valid
    np.testing.assert_array_equal(valid[0], ~flagged & (made.dn["B02"] != 0))


def test_quality_of_landsat_masks_its_panchromatic_band_too(make_landsat: Make) -> None:
    made = make_landsat(level="L1TP")
    flagged = made.quality & 0b11111 > 0
    for band, scale in (("B8", 2), ("B4", 1)):
        with Scene.open([made.tarred()], wanted=(band,), sensor_name="landsat-8", mask_clouds=True) as scene:
            valid = scene.read(scene.grid.window).valid[0]
        expected = ~np.kron(flagged, np.ones((scale, scale), dtype=bool)) & (made.dn[band] != 0)
        np.testing.assert_array_equal(valid, expected)


def test_a_product_without_a_layer_of_clouds_says_so(make_safe: Make) -> None:
    made = make_safe(level="L1C", baseline="03.01")
    with pytest.raises(InputError, match=r"--mask-clouds: .*SAFE has no layer of clouds"):
        Scene.open([made.root], wanted=RGBN, mask_clouds=True)


def test_a_classification_of_another_size_is_refused(make_safe: Make, tmp_path: Path) -> None:
    made = make_safe()
    path = made.file_of("SCL", "_20m")
    with rasterio.open(path) as dataset:
        profile, values = dataset.profile, dataset.read()
    profile.update(driver="GTiff", height=20)
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values[:, :20])
    with pytest.raises(
        GridError, match=r"SCL_20m.jp2 has 20 rows x 18 columns of 20 x 20, the scene 48 rows x 36 columns"
    ):
        Scene.open([made.root], wanted=RGBN, mask_clouds=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"date": "20230828"}, r"SAFE is taken on 2023-08-23, .*SAFE taken on 2023-08-28; expected one scene"),
        ({"tile": "T34UDF"}, r"SAFE is of tile T34UCF, .*SAFE of tile T34UDF; expected one scene"),
    ],
    ids=["dates", "tiles"],
)
def test_products_of_two_scenes_are_refused(make_safe: Make, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scene.open([make_safe().root, make_safe(**options).root], wanted=RGBN)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("T33UUB_20170527T101031_B02.tif", "T33UUB_20170530T101031_B03.tif", "on 2017-05-27.*on 2017-05-30"),
        ("T33UUB_20170527T101031_B02.tif", "T33UUC_20170527T101031_B03.tif", "of tile T33UUB.*of tile T33UUC"),
        ("S2A_MSIL2A_20170617T113321_10m.tif", "S2B_MSIL2A_20170924T093019_20m.tif", "2017-06-17.*2017-09-24"),
        (
            "S2A_MSIL1C_20170527T101031_N0205_R022_T33UUB_20170527T101029.tif",
            "S2A_MSIL1C_20170527T101031_N0205_R022_T33UUC_20170527T101029.tif",
            "of tile T33UUB.*of tile T33UUC",
        ),
        ("LC08_L2SP_022049_20200115_20200823_02_T1_SR_B2.TIF", "LC08_L2SP_022049_20200131_20200823_02_T1_SR_B3.TIF",
         "2020-01-15.*2020-01-31"),
        ("LC08_L2SP_022049_20200115_20200823_02_T1_SR_B2.TIF", "LC09_L1TP_022050_20200115_20200823_02_T1_B3.TIF",
         "of tile 022049.*of tile 022050"),
    ],
)  # fmt: skip
def test_files_whose_names_tell_of_two_scenes_are_refused(
    make_raster: MakeRaster, dn: np.ndarray, first: str, second: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Scene.open([make_raster(first, dn[:1]), make_raster(second, dn[1:2])], wanted=("B02", "B03"))


def test_names_that_say_nothing_or_the_same_are_one_scene(make_raster: MakeRaster, dn: np.ndarray) -> None:
    names = ("T33UUB_20170527T101031_B02_10m.tif", "T33UUB_20170527T101031_B03_10m.tif", "B04.tif")
    paths = [make_raster(name, dn[i : i + 1]) for i, name in enumerate(names)]
    with Scene.open(paths, wanted=RGBN[:3]) as scene:
        np.testing.assert_array_equal(scene.read_dn(scene.grid.window), dn[:3])


def test_a_product_is_sharpened_with_its_clouds_as_nodata(make_safe: Make, tmp_path: Path) -> None:
    made = make_safe()
    out = rsgan.superres(
        made.zipped(), tmp_path / "out.tif", scale=2, mask_clouds=True, symmetries=1, window=64, device="cpu"
    )
    flagged = np.kron(np.isin(made.clouds[0], (0, 3, 8, 9, 10)), np.ones((4, 4), dtype=bool))
    empty = flagged | np.kron(made.dn["B02"] == 0, np.ones((2, 2), dtype=bool))
    with rasterio.open(out) as dataset:
        assert dataset.shape == (96, 72)
        assert dataset.descriptions == RGBN
        assert dataset.nodata == 0
        assert dataset.scales == (0.0001,) * 4
        assert dataset.offsets == pytest.approx((-0.1,) * 4)
        np.testing.assert_array_equal(dataset.read() == 0, np.broadcast_to(empty, (4, 96, 72)))


def test_single_images_of_a_product_are_one_scene_with_its_clouds(make_safe: Make) -> None:
    made = make_safe()
    paths = [made.file_of(name, "_10m") for name in RGBN]
    with (
        Scene.open(paths, wanted=RGBN, mask_clouds=True) as single,
        Scene.open([made.root], wanted=RGBN, mask_clouds=True) as whole,
    ):
        one, other = single.read(single.grid.window), whole.read(whole.grid.window)
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.valid, other.valid)
        assert one.values[one.valid].min() < 0.0  # only the offset of -1000 makes reflectance negative


def test_a_damaged_image_is_named_when_it_is_read(make_safe: Make) -> None:
    made = make_safe()
    path = made.file_of("B04", "_10m")
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"B04_10m.jp2 cannot be"), Scene.open([made.root], wanted=RGBN) as scene:
        scene.read(scene.grid.window)


@pytest.mark.parametrize(
    ("options", "flags", "message"),
    [
        ({"offsets": {}}, [], "states processing baseline 05.09, but it has no list of BOA_ADD_OFFSET"),
        ({"omit": ["B08"]}, [], "the product has no file for B08"),
        ({"omit": ["SCL"]}, ["--mask-clouds"], "has no layer of clouds"),
    ],
    ids=["baseline", "band", "clouds"],
)
def test_a_bad_product_ends_the_command_with_a_sentence_and_no_file(
    make_safe: Make, tmp_path: Path, options: dict[str, Any], flags: list[str], message: str
) -> None:
    made = make_safe(**options)
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(main, ["superres", str(made.root), "-o", str(tmp_path / "out.tif"), *flags])
    assert result.exit_code == 1
    assert message in result.output
    assert sorted(tmp_path.iterdir()) == before
