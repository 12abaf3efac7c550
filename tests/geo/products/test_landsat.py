import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from rsgan.errors import InputError
from rsgan.geo.products import Layer, Product, expand

Make = Callable[..., Any]
Read = Callable[[Layer], tuple[np.ndarray, float]]


def expanded(source: Path) -> Product:
    product = expand(source)
    assert product is not None
    return product


@pytest.mark.parametrize("level", ["L1TP", "L2SP"])
@pytest.mark.parametrize("form", ["folder", "txt", "xml", "json", "tar"])
def test_every_band_is_offered_with_its_own_numbers(
    make_landsat: Make, read_layer: Read, level: str, form: str
) -> None:
    made = make_landsat(level=level)
    sources = {"folder": lambda: made.root, "tar": made.tarred}
    product = expanded(sources.get(form, lambda: made.metadata(form))())
    assert [layer.name for layer in product.layers] == list(made.dn)
    assert product.missing == ()
    for layer in product.layers:
        values, gsd = read_layer(layer)
        assert gsd == layer.gsd_m == (15.0 if layer.name == "B8" else 30.0)
        np.testing.assert_array_equal(values, made.dn[layer.name])
        assert layer.nodata == 0.0


@pytest.mark.parametrize("form", ["txt", "xml", "json"])
def test_every_form_of_the_mtl_file_says_the_same(make_landsat: Make, form: str) -> None:
    made = make_landsat()
    assert expanded(made.metadata(form)) == expanded(made.root)


def test_a_product_says_who_took_it_when_and_where(make_landsat: Make) -> None:
    product = expanded(make_landsat(platform="LANDSAT_9", date="20240202", path_row=(8, 127)).root)
    assert product.name == "LC09_L2SP_008127_20240202_20200823_02_T1"
    assert (product.platform, product.date, product.tile) == ("landsat-9", "2024-02-02", "008127")


def test_surface_reflectance_has_the_numbers_of_level_2(make_landsat: Make) -> None:
    layers = {layer.name: layer for layer in expanded(make_landsat(level="L2SP").root).layers}
    for number in range(1, 8):
        layer = layers[f"B{number}"]
        assert 20000 * layer.scale + layer.offset == pytest.approx(0.35, abs=1e-12)  # 20000 * 2.75e-5 - 0.2
        assert layer.quantity == "reflectance"


def test_top_of_atmosphere_reflectance_is_divided_by_the_sine_of_the_suns_elevation(make_landsat: Make) -> None:
    layers = {layer.name: layer for layer in expanded(make_landsat(level="L1TP", sun_elevation="30.0").root).layers}
    for number in range(1, 10):
        layer = layers[f"B{number}"]
        assert 20000 * layer.scale + layer.offset == pytest.approx(0.6, abs=1e-12)  # (0.4 - 0.1) / sin 30 degrees
        assert layer.quantity == "reflectance"
    steep = expanded(make_landsat(level="L1TP", sun_elevation="60.0", date="20200131").root).layers[0]
    assert 20000 * steep.scale + steep.offset == pytest.approx(0.3 / (math.sqrt(3) / 2), abs=1e-12)


def test_thermal_layers_are_no_reflectance(make_landsat: Make) -> None:
    surface = expanded(make_landsat(level="L2SP").root).layers[-1]
    assert (surface.name, surface.quantity) == ("B10", "kelvin")
    assert 44177 * surface.scale + surface.offset == pytest.approx(299.9978695, abs=1e-6)
    *_, b10, b11 = expanded(make_landsat(level="L1TP").root).layers
    assert (b10.quantity, b11.quantity) == ("radiance", "radiance")
    assert 20000 * b10.scale + b10.offset == pytest.approx(6.784, abs=1e-9)


def test_the_quality_layer_is_that_of_clouds(make_landsat: Make) -> None:
    made = make_landsat()
    clouds = expanded(made.root).clouds
    assert clouds is not None
    assert (clouds.kind, clouds.indexes) == ("qa_pixel", (1,))
    with rasterio.open(clouds.path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), made.quality)


def test_missing_files_are_named(make_landsat: Make) -> None:
    product = expanded(make_landsat(omit=["B4", "QA_PIXEL"]).root)
    assert product.clouds is None
    assert [layer.name for layer in product.layers] == ["B1", "B2", "B3", "B5", "B6", "B7", "B10"]
    assert [missing.name for missing in product.missing] == ["B4"]
    assert product.missing[0].path.endswith("LC08_L2SP_022049_20200115_20200823_02_T1_SR_B4.TIF")


def test_a_product_without_any_band_is_refused(make_landsat: Make) -> None:
    made = make_landsat(omit=["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B10"])
    with pytest.raises(InputError, match="names 8 bands, but no file of them is there"):
        expand(made.root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"platform": "LANDSAT_7"}, r"is of the platform 'LANDSAT_7'; known are landsat-8, landsat-9"),
        ({"collection": "01"}, r"is of Landsat Collection 1; expected Collection 2"),
        (
            {"level": "L1TP", "sun_elevation": "-3.5"},
            r"has SUN_ELEVATION -3.5 degrees; reflectance needs the sun above",
        ),
        (
            {"level": "L1TP", "sun_elevation": "high"},
            r"has SUN_ELEVATION 'high' in IMAGE_ATTRIBUTES; expected a number",
        ),
        ({"level": "L3X"}, r"has PROCESSING_LEVEL 'L3X'; expected L1TP"),
    ],
    ids=["platform", "collection", "night", "no-number", "level"],
)
@pytest.mark.parametrize("form", ["txt", "xml", "json"])
def test_what_cannot_be_read_is_refused(make_landsat: Make, options: dict[str, Any], message: str, form: str) -> None:
    with pytest.raises(InputError, match=message):
        expand(make_landsat(**options).metadata(form))


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("json", "{", r"cannot be read as json"),
        ("json", "[]", r"cannot be read as json"),
        ("xml", "<a>", r"cannot be read as xml"),
        ("txt", "GROUP = L1_METADATA_FILE\nGROUP = PRODUCT_METADATA\nEND", r"has no group PRODUCT_CONTENTS"),
        ("txt", "", r"has no group PRODUCT_CONTENTS"),
    ],
)
def test_a_damaged_mtl_file_is_refused(tmp_path: Path, form: str, content: str, message: str) -> None:
    path = tmp_path / f"LC08_MTL.{form}"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        expand(path)


def test_a_number_that_the_mtl_file_lacks_is_named(make_landsat: Make) -> None:
    made = make_landsat(forms=("txt",))
    text = made.metadata().read_text(encoding="utf-8")
    made.metadata().write_text(text.replace("REFLECTANCE_ADD_BAND_3 = -0.2\n", "\n"), encoding="utf-8")
    with pytest.raises(InputError, match="no REFLECTANCE_ADD_BAND_3 in LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"):
        expand(made.root)
