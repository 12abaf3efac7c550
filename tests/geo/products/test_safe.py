from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from rsgan.errors import InputError
from rsgan.geo.products import Layer, Product, expand

Make = Callable[..., Any]
Read = Callable[[Layer], tuple[np.ndarray, float]]
L2A_ORDER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
TEN_METRES = {"B02", "B03", "B04", "B08"}


def expanded(source: Path) -> Product:
    product = expand(source)
    assert product is not None
    return product


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("form", ["folder", "metadata", "zip"])
def test_every_band_is_offered_once_at_its_native_gsd_with_its_own_numbers(
    make_safe: Make, read_layer: Read, level: str, form: str
) -> None:
    made = make_safe(level=level)
    product = expanded({"folder": made.root, "metadata": made.metadata, "zip": made.zipped()}[form])
    assert [layer.name for layer in product.layers] == list(made.dn)
    assert product.missing == ()
    for layer in product.layers:
        values, gsd = read_layer(layer)
        expected = 10.0 if layer.name in TEN_METRES else 60.0 if layer.name in ("B01", "B09", "B10") else 20.0
        assert (layer.gsd_m, gsd) == (expected, expected)
        np.testing.assert_array_equal(values, made.dn[layer.name])


def test_a_product_says_who_took_it_when_and_where(make_safe: Make) -> None:
    product = expanded(make_safe(platform="Sentinel-2C", tile="T33UUB", date="20250102").root)
    assert product.name == "S2C_MSIL2A_20250102T095559_N0509_R122_T33UUB_20250102T124759"
    assert (product.platform, product.date, product.tile) == ("sentinel-2c", "2025-01-02", "T33UUB")


@pytest.mark.parametrize(
    ("level", "baseline", "reflectance_of_3500"),
    [("L1C", "03.01", 0.35), ("L1C", "05.09", 0.25), ("L2A", "03.01", 0.35), ("L2A", "05.09", 0.25)],
)
def test_reflectance_has_the_offset_since_baseline_4(
    make_safe: Make, level: str, baseline: str, reflectance_of_3500: float
) -> None:
    for layer in expanded(make_safe(level=level, baseline=baseline).root).layers:
        assert 3500 * layer.scale + layer.offset == pytest.approx(reflectance_of_3500, abs=1e-12)
        assert layer.quantity == "reflectance"
        assert layer.nodata == 0.0


def test_offsets_belong_to_bands_by_the_instruments_numbering(make_safe: Make) -> None:
    offsets = {number: str(-1000 - number) for number in range(13)}
    product = expanded(make_safe(level="L1C", offsets=offsets, quantification="5000").root)
    found = {layer.name: round(layer.offset * 5000) for layer in product.layers}
    assert found["B01"] == -1000
    assert found["B08"] == -1007
    assert found["B8A"] == -1008
    assert found["B09"] == -1009
    assert found["B12"] == -1012
    assert {layer.scale for layer in product.layers} == {1 / 5000}


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_gdals_own_driver_reads_the_same_bands_with_the_same_offset(
    make_safe: Make, read_layer: Read, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR")  # the driver warns of every layer that the small product does not have
    made = make_safe(level=level)
    layers = {layer.name: layer for layer in expanded(made.root).layers}
    with pytest.warns(NotGeoreferencedWarning):
        product = rasterio.open(made.metadata)
    with product:
        assert product.driver == "SENTINEL2"
        stacks = [part for part in product.subdatasets if ":TCI:" not in part]
    compared = set()
    for part in stacks:
        with rasterio.open(part) as stack:
            for index in stack.indexes:
                tags = stack.tags(index)
                name = tags["BANDNAME"] if len(tags["BANDNAME"]) != 2 else tags["BANDNAME"].replace("B", "B0")
                if name in layers:
                    np.testing.assert_array_equal(read_layer(layers[name])[0], stack.read(index))
                    offset = tags["BOA_ADD_OFFSET" if level == "L2A" else "RADIO_ADD_OFFSET"]
                    assert float(offset) == pytest.approx(layers[name].offset / layers[name].scale)
                    compared.add(name)
    assert compared == set(layers)


def test_nodata_is_the_products_own(make_safe: Make) -> None:
    made = make_safe()
    change(made.metadata, "<SPECIAL_VALUE_INDEX>0<", "<SPECIAL_VALUE_INDEX>7<")
    assert {layer.nodata for layer in expanded(made.root).layers} == {7.0}


def test_a_missing_file_leaves_its_band_out_and_names_it(make_safe: Make, read_layer: Read) -> None:
    made = make_safe(omit=["B05", "B02"])
    product = expanded(made.root)
    assert [layer.name for layer in product.layers] == [name for name in L2A_ORDER if name not in ("B02", "B05")]
    assert [missing.name for missing in product.missing] == ["B02", "B05"]
    assert product.missing[1].path.endswith("IMG_DATA/R20m/T34UCF_20230823T095559_B05_20m.jp2")
    for layer in product.layers:
        np.testing.assert_array_equal(read_layer(layer)[0], made.dn[layer.name])


def test_only_a_coarser_copy_of_a_band_does_not_stand_for_it(make_safe: Make) -> None:
    made = make_safe()
    made.file_of("B03", "_10m").unlink()
    assert [missing.name for missing in expanded(made.root).missing] == ["B03"]


def test_a_product_without_any_image_is_refused(make_safe: Make) -> None:
    made = make_safe(omit=L2A_ORDER)
    with pytest.raises(InputError, match=r"describes 12 bands, but no image file is there: B01 \(.*B01_60m.jp2\)"):
        expand(made.root)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_the_layer_of_clouds_is_found(make_safe: Make, level: str) -> None:
    made = make_safe(level=level)
    for source in (made.root, made.zipped()):
        clouds = expanded(source).clouds
        assert clouds is not None
        assert (clouds.kind, clouds.indexes) == (("scl", (1,)) if level == "L2A" else ("msk_classi", (1, 2)))
        with rasterio.open(clouds.path) as dataset:
            np.testing.assert_array_equal(dataset.read(clouds.indexes), made.clouds[: len(clouds.indexes)])


@pytest.mark.parametrize(("level", "omit"), [("L1C", ["MSK_CLASSI"]), ("L2A", ["SCL"])])
def test_no_layer_of_clouds_is_said_to_be_none(make_safe: Make, level: str, omit: list[str]) -> None:
    assert expanded(make_safe(level=level, omit=omit).root).clouds is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"baseline": "05.09", "uri_baseline": "03.01"},
            r"states processing baseline 05.09, but its name .* says 03.01",
        ),
        ({"baseline": "5.9", "uri_baseline": "05.09"}, r"PROCESSING_BASELINE '5.9'; expected two numbers"),
        ({"baseline": "03.01", "offsets": {0: "-1000"}}, r"baseline 03.01, but its list of BOA_ADD_OFFSET is not 0"),
        (
            {"offsets": {0: "-1000", 1: "-1000"}},
            r"does not match its bands: without an offset B03 B04 .*unknown.* none",
        ),
        ({"offsets": {n: "-1000" for n in range(14)}}, r"without an offset none, unknown band_id '13'"),
        ({"offsets": {0: "minus"}}, r"has BOA_ADD_OFFSET 'minus'; expected a number"),
        ({"quantification": "0"}, r"has BOA_QUANTIFICATION_VALUE 0; expected above 0"),
        ({"platform": "Sentinel-2Z"}, r"'Sentinel-2Z'; known are sentinel-2a, sentinel-2b, sentinel-2c"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:24],
)
def test_metadata_that_contradict_themselves_are_refused(
    make_safe: Make, options: dict[str, Any], message: str
) -> None:
    made = make_safe(**options)
    for source in (made.root, made.zipped()):
        with pytest.raises(InputError, match=message):
            expand(source)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_baseline_4_without_offsets_is_refused(make_safe: Make, level: str) -> None:
    made = make_safe(level=level, offsets={})
    with pytest.raises(
        InputError, match=r"states processing baseline 05.09, but it has no list of (RADIO|BOA)_ADD_OFFSET"
    ):
        expand(made.root)


def test_a_folder_renamed_to_another_baseline_is_refused(make_safe: Make) -> None:
    made = make_safe()
    renamed = made.root.rename(made.root.with_name(made.root.name.replace("N0509", "N0301")))
    with pytest.raises(InputError, match=r"its name S2B_MSIL2A_20230823T095559_N0301.*SAFE says 03.01"):
        expand(renamed)


def test_a_folder_of_any_other_name_is_read(make_safe: Make) -> None:
    made = make_safe()
    assert len(expanded(made.root.rename(made.root.with_name("scene"))).layers) == len(L2A_ORDER)


def test_two_tiles_in_one_product_are_refused(make_safe: Make) -> None:
    made = make_safe()
    change(made.metadata, "T34UCF_20230823T095559_B02_10m", "T34UCG_20230823T095559_B02_10m")
    with pytest.raises(InputError, match="holds T34UCF of 2023-08-23 and T34UCG of 2023-08-23; expected one tile"):
        expand(made.root)


def test_the_format_before_2016_is_named(tmp_path: Path) -> None:
    (tmp_path / "S2A_OPER_MTD_SAFL1C_PDMC_20151231.xml").write_text("<x/>", encoding="utf-8")
    with pytest.raises(InputError, match="format before December 2016"):
        expand(tmp_path)


def test_broken_metadata_are_told_from_missing_metadata(make_safe: Make) -> None:
    made = make_safe()
    made.metadata.write_text("<n1:Level-2A", encoding="utf-8")
    with pytest.raises(InputError, match="not well-formed XML"):
        expand(made.root)
    made.metadata.unlink()
    with pytest.raises(InputError, match=r"has no MTD_MSIL1C.xml and no MTD_MSIL2A.xml"):
        expand(made.root)
