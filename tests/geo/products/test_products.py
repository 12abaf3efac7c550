import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsgan.errors import InputError
from rsgan.geo.products import expand

Make = Callable[..., Any]


def test_plain_rasters_are_no_products(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    raster = make_raster("a.tif", np.ones((1, 4, 4), dtype=np.uint16))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(raster, "a.tif")
    (tmp_path / "store.zarr").mkdir()
    for source in (raster, str(raster), tmp_path / "a.zip", tmp_path / "store.zarr", tmp_path):
        assert expand(source) is None


@pytest.mark.parametrize("source", ["nowhere.tif", "https://example.com/a.tif", "/vsizip/a.zip/a.tif", "NETCDF:a.nc:x"])
def test_what_is_no_file_is_left_to_gdal(source: str) -> None:
    assert expand(source) is None


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_a_damaged_archive_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=f"cannot be opened as a {suffix} archive"):
        expand(tmp_path / f"a.{suffix}")


def test_several_products_in_one_folder_are_refused(make_landsat: Make) -> None:
    one, other = make_landsat(), make_landsat(date="20200131")
    for file in other.root.iterdir():
        shutil.copy(file, one.root)
    with pytest.raises(
        InputError, match=r"holds 2 products, .*20200115.*_MTL.json and .*20200131.*_MTL.json; expected one"
    ):
        expand(one.root)


def test_several_products_in_one_archive_are_refused(make_safe: Make, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for made in (make_safe(), make_safe(level="L1C")):
            archive.write(made.metadata, f"{made.root.name}/{made.metadata.name}")
    with pytest.raises(InputError, match=r"holds 2 products, .*MTD_MSIL1C.xml and .*MTD_MSIL2A.xml; expected one"):
        expand(tmp_path / "both.zip")


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_one_image_of_a_sentinel_2_product_keeps_the_products_numbers(make_safe: Make, level: str) -> None:
    made = make_safe(level=level)
    image = made.file_of("B03", "_20m" if level == "L2A" else "")
    product = expand(image)
    assert product is not None
    (layer,) = product.layers
    assert Path(layer.path) == image
    assert (layer.name, layer.gsd_m) == ("B03", 20.0 if level == "L2A" else 10.0)
    assert 3500 * layer.scale + layer.offset == pytest.approx(0.25)
    assert product.missing == ()
    assert product.tile == "T34UCF"


def test_one_band_of_a_landsat_product_keeps_the_products_numbers(make_landsat: Make) -> None:
    one, other = make_landsat(), make_landsat(date="20200131", level="L1TP")
    for file in other.root.iterdir():
        shutil.copy(file, one.root)
    product = expand(one.root / f"{other.stem}_B5.TIF")
    assert product is not None
    assert [layer.name for layer in product.layers] == ["B5"]
    assert 20000 * product.layers[0].scale + product.layers[0].offset == pytest.approx(0.6)
    assert product.date == "2020-01-31"


def test_images_beside_metadata_that_do_not_name_them_are_plain(make_safe: Make, make_landsat: Make) -> None:
    safe, landsat = make_safe(), make_landsat()
    classification = safe.file_of("SCL", "_20m")
    stranger = shutil.copy(safe.file_of("B03", "_10m"), classification.with_name("T34UCF_20200101T000000_B03_20m.jp2"))
    quality = landsat.root / f"{landsat.stem}_QA_PIXEL.TIF"
    other = shutil.copy(quality, landsat.root / "LC08_L1TP_022049_20100101_20200823_02_T1_B5.TIF")
    assert [expand(path) for path in (classification, stranger, quality, other)] == [None] * 4
