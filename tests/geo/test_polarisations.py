from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from rsgan.errors import BandError
from rsgan.geo import Scene
from rsgan.geo.polarisations import polarisation_in

MakeRaster = Callable[..., Path]
RGB = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]


def decibels(count: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-25, 0, (count, 20, 30)).astype(np.float32)


def opened(*paths: Path, bands: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], tuple[int, ...]]:
    with Scene.open_sar(paths, bands=bands) as scene:
        return scene.bands, scene.band_choice.indexes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VV", "VV"),
        ("vh", "VH"),
        ("S1_VV", "VV"),
        ("Sigma0_VH_db", "VH"),
        ("gamma0HV", "HV"),
        ("s1a-iw-grd-vv-20150309t173017-20150309t173042-004968-006378-001", "VV"),
        ("IMG-HH-ALOS2", "HH"),
        ("VV_VH_ratio", None),
        ("VV+VH", None),
        ("angle_VV", None),
        ("VVV", None),
        ("Band 1", None),
        (None, None),
    ],
)
def test_a_text_names_one_polarisation_or_none(text: str | None, expected: str | None) -> None:
    assert polarisation_in(text) == expected


def test_bands_are_called_by_description_tag_or_file_name(make_raster: MakeRaster) -> None:
    values = decibels(1)
    described = make_raster("a.tif", values, descriptions=["Sigma0_VV"])
    tagged = make_raster("b.tif", values, tags={"POLARISATION": "VH"})
    named = make_raster("s1a-iw-grd-hh-2015.tif", values)
    assert opened(described, tagged, named) == (("VV", "VH", "HH"), (1, 2, 3))
    assert opened(make_raster("s1_vv_vh.tif", decibels(2)))[0] == ("band1", "band2")
    assert opened(make_raster("c.tif", decibels(2), descriptions=["near", "far"]))[0] == ("near", "far")


def test_one_polarisation_of_several_dates_has_a_name_for_each(make_raster: MakeRaster) -> None:
    paths = [make_raster(f"d{day}.tif", decibels(2), descriptions=["VV", "VH"]) for day in (1, 2)]
    assert opened(*paths)[0] == ("VV_d1", "VH_d1", "VV_d2", "VH_d2")
    assert opened(*paths, bands=("VH",)) == (("VH_d1", "VH_d2"), (2, 4))
    stack = make_raster("stack.tif", decibels(2), descriptions=["VV 2015-03-09", "VV 2015-03-21"])
    assert opened(stack)[0] == ("VV 2015-03-09", "VV 2015-03-21")


def test_what_is_no_polarisation_is_left_out_and_said(make_raster: MakeRaster) -> None:
    path = make_raster("gee.tif", decibels(3), descriptions=["VV", "VH", "angle"])
    with Scene.open_sar([path]) as scene:
        assert scene.bands == ("VV", "VH")
        assert any("left out: angle" in note for note in scene.notes)
    assert opened(path, bands=("angle", "2")) == (("angle", "VH"), (3, 2))


def test_a_band_that_is_not_there_is_named(make_raster: MakeRaster) -> None:
    path = make_raster("a.tif", decibels(2), descriptions=["VV", "VH"])
    with pytest.raises(BandError, match=r"--bands asks for 'HH', which names 0 bands of .*its bands are VV VH"):
        opened(path, bands=("HH",))
    with pytest.raises(BandError, match="takes a band of"):
        opened(path, bands=("VV", "1"))
    with pytest.raises(BandError, match="has bands 1 to 2"):
        opened(path, bands=("3",))


def test_a_colour_picture_is_no_radar_image(tmp_path: Path, make_raster: MakeRaster) -> None:
    colours = np.random.default_rng(6).integers(1, 255, (3, 20, 30)).astype(np.uint8)
    plain = {"driver": "PNG", "crs": None, "transform": None, "photometric": None}
    coloured = make_raster("colour.png", colours, **plain)
    with pytest.raises(BandError, match=r"is a colour picture.*--bands 1"):
        opened(coloured)
    assert opened(coloured, bands=("2",))[1] == (2,)
    grey = np.repeat(colours[:1], 3, axis=0)
    with Scene.open_sar([make_raster("grey.png", grey, **plain)]) as scene:
        assert scene.bands == ("band1",)
        np.testing.assert_array_equal(scene.read_dn(scene.grid.window), grey[:1])
        assert any("three equal channels" in note for note in scene.notes)


def test_opacity_of_a_grey_picture_says_what_is_valid(make_raster: MakeRaster) -> None:
    values = np.full((4, 20, 30), 9, np.uint8)
    values[3], values[3, :5] = 255, 0
    path = make_raster(
        "rgba.png",
        values,
        driver="PNG",
        crs=None,
        transform=None,
        photometric=None,
        colorinterp=[*RGB, ColorInterp.alpha],
    )
    with Scene.open_sar([path]) as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.window).valid, values[3:] > 0)
