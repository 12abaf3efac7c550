import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.windows import Window

from rsgan.errors import GridError, InputError
from rsgan.geo import Scene

MakeRaster = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")
HEIGHT, WIDTH = 20, 30
FOUR, NINE = 4, 9  # vegetation and cloud of high probability in SCL


def grid(gsd: float, row: float = 0, column: float = 0) -> Affine:
    """Pixels of `gsd` whose corner lies `row` and `column` metres down and right of the scene's."""
    return Affine(gsd, 0, 500000 + column, 0, -gsd, 5000000 - row)


def classes(shape: tuple[int, int], seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).choice([FOUR, NINE], (1, *shape)).astype(np.uint8)


def masked_scene(*paths: Path, **options: Any) -> Scene:
    return Scene.open(paths, wanted=RGBN, mask_clouds=True, **options)


def cloudy_part(scene: Scene, window: Window | None = None) -> np.ndarray:
    valid = scene.read(window or scene.grid.window).valid
    assert (valid == valid[0]).all()
    return ~valid[0]


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_a_coarser_mask_covers_all_pixels_under_its_own(make_raster: MakeRaster, dn: np.ndarray, scale: int) -> None:
    codes = classes((HEIGHT // scale, WIDTH // scale))
    scl = make_raster("a_SCL_20m.tif", codes, transform=grid(10 * scale))
    expected = np.kron(codes[0] == NINE, np.ones((scale, scale), dtype=bool))
    with masked_scene(make_raster("a.tif", dn, descriptions=RGBN), scl) as scene:
        np.testing.assert_array_equal(cloudy_part(scene), expected)
        part = Window(7, 3, 11, 9)
        np.testing.assert_array_equal(cloudy_part(scene, part), expected[3:12, 7:18])


def test_a_finer_mask_flags_a_pixel_of_which_any_part_is_cloudy(make_raster: MakeRaster, dn: np.ndarray) -> None:
    codes = np.full((1, 2 * HEIGHT, 2 * WIDTH), FOUR, dtype=np.uint8)
    codes[0, 9, 21] = NINE
    scl = make_raster("SCL.tif", codes, transform=grid(5))
    with masked_scene(make_raster("a.tif", dn, descriptions=RGBN), scl) as scene:
        assert np.argwhere(cloudy_part(scene)).tolist() == [[4, 10]]
        assert np.argwhere(cloudy_part(scene, Window(8, 2, 5, 6))).tolist() == [[2, 2]]


def test_a_mask_that_begins_before_the_scene_is_read_where_the_scene_lies(
    make_raster: MakeRaster, dn: np.ndarray
) -> None:
    codes = classes((15, 20))
    scl = make_raster("SCL.tif", codes, transform=grid(20, row=-30, column=-50))
    fine = np.kron(codes[0] == NINE, np.ones((2, 2), dtype=bool))
    with masked_scene(make_raster("a.tif", dn, descriptions=RGBN), scl) as scene:
        np.testing.assert_array_equal(cloudy_part(scene), fine[3 : 3 + HEIGHT, 5 : 5 + WIDTH])


def test_a_mask_without_a_place_lies_on_a_scene_without_a_place(make_raster: MakeRaster, dn: np.ndarray) -> None:
    codes = classes((HEIGHT // 2, WIDTH // 2))
    nowhere = {"transform": None, "crs": None}
    scl = make_raster("SCL.tif", codes, **nowhere)
    with masked_scene(make_raster("a.tif", dn, descriptions=RGBN, **nowhere), scl) as scene:
        np.testing.assert_array_equal(cloudy_part(scene), np.kron(codes[0] == NINE, np.ones((2, 2), dtype=bool)))


def test_a_band_of_the_scenes_own_file_masks_it_and_is_no_band(make_raster: MakeRaster, dn: np.ndarray) -> None:
    codes = classes((HEIGHT, WIDTH)).astype(np.uint16)
    path = make_raster("a.tif", np.concatenate([dn, codes]), descriptions=(*RGBN, "SCL"))
    with masked_scene(path) as scene:
        np.testing.assert_array_equal(cloudy_part(scene), codes[0] == NINE)
    with Scene.open([path], wanted=None) as scene:
        assert scene.bands == RGBN


def test_a_layer_of_clouds_never_stands_for_the_band_that_is_missing(make_raster: MakeRaster, dn: np.ndarray) -> None:
    paths = [make_raster(f"{name}.tif", dn[i : i + 1]) for i, name in enumerate(RGBN[:3])]
    codes = make_raster("T33UUB_SCL_20m.tif", classes((HEIGHT, WIDTH)).astype(np.uint16))
    with pytest.raises(Exception, match=r"has 3 bands; model needs 4 .* Not found: B08"):
        Scene.open([*paths, codes], wanted=RGBN)


def test_masked_pixels_have_a_number_to_be_written_as(make_raster: MakeRaster, dn: np.ndarray) -> None:
    scene_file = make_raster("a.tif", dn, descriptions=RGBN)
    with Scene.open([scene_file], wanted=RGBN) as scene:
        assert scene.output_nodata is None
    with masked_scene(scene_file, make_raster("SCL.tif", classes((HEIGHT, WIDTH)))) as scene:
        assert scene.output_nodata == 0.0


@pytest.mark.parametrize(
    ("name", "codes", "expected"),
    [
        ("LC08_L2SP_QA_PIXEL.tif", [21824, 22280, 23888], [False, True, True]),
        ("HLS.S30.T33UUB.2020132T100031.v2.0.Fmask.tif", [64, 66, 4], [False, True, False]),
        ("scene_Fmask4.tif", [0, 2, 4], [False, True, True]),
        ("MSK_CLASSI_B00.tif", [0, 1, 1], [False, True, True]),
    ],
    ids=["qa_pixel", "hls", "fmask", "classi"],
)
def test_every_kind_of_layer_is_known_by_its_name(
    make_raster: MakeRaster, dn: np.ndarray, name: str, codes: list[int], expected: list[bool]
) -> None:
    values = np.zeros((3 if "CLASSI" in name else 1, HEIGHT, WIDTH), dtype=np.uint16)
    values[0] = 21824 if "QA_PIXEL" in name else 0
    values[0, 5, :3] = codes
    with masked_scene(make_raster("a.tif", dn, descriptions=RGBN), make_raster(name, values)) as scene:
        flagged = cloudy_part(scene)
    assert flagged[5, :3].tolist() == expected
    assert flagged.sum() == sum(expected)


def test_nan_in_a_mask_of_floats_is_no_data(make_raster: MakeRaster, dn: np.ndarray) -> None:
    codes = classes((HEIGHT, WIDTH)).astype(np.float32)
    codes[0, 4, 4] = np.nan
    with masked_scene(make_raster("a.tif", dn, descriptions=RGBN), make_raster("SCL.tif", codes)) as scene:
        np.testing.assert_array_equal(cloudy_part(scene), codes[0] != FOUR)


@pytest.mark.parametrize(
    ("shape", "transform", "what"),
    [
        ((6, 10), grid(30), r"6 rows x 10 columns of 30 x 30, the scene 20 rows x 30 columns .* it does not cover"),
        ((14, 20), grid(15), r"14 rows x 20 columns of 15 x 15, .*: its pixels are 1.5 x 1.5 of the scene's"),
        ((10, 15), grid(20, column=4), r"its pixels are 2 x 2 of the scene's, the first at column 0.4, row 0"),
        ((10, 12), grid(20), r"10 rows x 12 columns of 20 x 20, the scene 20 rows x 30 columns .* does not cover"),
        ((10, 15), grid(20, row=20), r"it does not cover the scene"),
        ((20, 15), Affine(20, 0, 500000, 0, -10, 5000000), r"its pixels are 2 x 1 of the scene's"),
        ((20, 30), Affine(10, 0, 500000, 0, 10, 4999800), r"its pixels are 1 x -1 of the scene's"),
    ],
    ids=["short", "one-and-a-half", "shifted", "narrow", "low", "oblong", "upside-down"],
)
def test_a_mask_that_does_not_nest_is_refused_with_both_sizes(
    make_raster: MakeRaster, dn: np.ndarray, shape: tuple[int, int], transform: Affine, what: str
) -> None:
    scl = make_raster("SCL.tif", classes(shape), transform=transform)
    with pytest.raises(GridError, match=what):
        masked_scene(make_raster("a.tif", dn, descriptions=RGBN), scl)


def test_a_mask_elsewhere_is_refused(make_raster: MakeRaster, dn: np.ndarray) -> None:
    scl = make_raster("SCL.tif", classes((HEIGHT, WIDTH)), crs="EPSG:32634")
    with pytest.raises(GridError, match="their coordinate systems differ"):
        masked_scene(make_raster("a.tif", dn, descriptions=RGBN), scl)


def test_no_layer_of_clouds_says_which_count(make_raster: MakeRaster, dn: np.ndarray) -> None:
    path = make_raster("a.tif", dn, descriptions=RGBN)
    expected = f"--mask-clouds: {path} has no layer of clouds. Those that count are SCL"
    with pytest.raises(InputError, match=re.escape(expected)) as caught:
        masked_scene(path)
    for name in ("MSK_CLASSI", "QA_PIXEL", "Fmask", "a file of that name given with the others"):
        assert name in str(caught.value)
