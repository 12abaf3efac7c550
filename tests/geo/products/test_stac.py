"""STAC items: bands by their names, numbers by what the item says, from files and from a server."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import rsgan
from rsgan.errors import InputError
from rsgan.geo import Scene
from rsgan.geo.products import expand

pytest.importorskip("pystac")
RGBN = ("B02", "B03", "B04", "B08")
COMMON = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir"}


@pytest.fixture
def item(make_raster: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """An item as Earth Search writes it: assets by colour, and numbers of baseline 04.00."""
    rng = np.random.default_rng(0)
    for name in (*RGBN, "B05"):
        side = 90 if name != "B05" else 45
        values = rng.integers(1500, 4000, (1, side, side)).astype(np.uint16)
        make_raster(f"{name}.tif", values, transform=rasterio.Affine(900 / side, 0, 5e5, 0, -900 / side, 5e6))
    scl = np.full((1, 45, 45), 4, np.uint8)
    scl[:, :10] = 9
    make_raster("SCL.tif", scl, transform=rasterio.Affine(20, 0, 5e5, 0, -20, 5e6))

    def write(*, scaled: bool = True, version: str = "1.0.0", where: str = "./", **properties: Any) -> Path:
        assets: dict[str, Any] = {"thumbnail": {"href": f"{where}no.jpg", "roles": ["thumbnail"]},
                                  "scl": {"href": f"{where}SCL.tif", "roles": ["data"]}}  # fmt: skip
        assets["visual"] = {"href": f"{where}B04.tif", "eo:bands": [{"name": n} for n in ("red", "green", "blue")]}
        for name in (*RGBN, "B05"):
            numbers = {"scale": 0.0001, "offset": -0.1, "nodata": 0} if scaled else {}
            common = COMMON.get(name, "rededge1")
            if version == "1.0.0":
                told = {"eo:bands": [{"name": common}], "raster:bands": [numbers]}
            else:
                told = {"bands": [{"name": name, "eo:common_name": common} | numbers]}
            assets[common] = {"href": f"{where}{name}.tif", "roles": ["data"]} | told
        content = {
            "type": "Feature", "stac_version": version, "id": "S2A_33UUU_20230501", "geometry": None, "links": [],
            "properties": {"datetime": "2023-05-01T10:00:00Z", "platform": "sentinel-2a", "grid:code": "MGRS-33UUU"}
            | properties,
            "assets": assets,
        }  # fmt: skip
        path = tmp_path / "item.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_bands_and_numbers_are_those_of_the_item(item: Callable[..., Path], tmp_path: Path, version: str) -> None:
    product = expand(item(version=version))
    assert product is not None
    assert [layer.name for layer in product.layers] == ["B02", "B03", "B04", "B05", "B08"]
    assert {(layer.scale, layer.offset, layer.nodata) for layer in product.layers} == {(0.0001, -0.1, 0.0)}
    assert (product.platform, product.date, product.tile) == ("sentinel-2a", "2023-05-01", "T33UUU")
    assert product.clouds is not None
    assert product.clouds.kind == "scl"
    with Scene.open([tmp_path / "item.json"], wanted=RGBN) as scene, rasterio.open(tmp_path / "B04.tif") as red:
        values = scene.read(scene.grid.window).values
        np.testing.assert_allclose(values[2], red.read(1) * 1e-4 - 0.1, atol=1e-6)


def test_an_item_is_sharpened_and_its_clouds_are_masked(item: Callable[..., Path], tmp_path: Path) -> None:
    out = rsgan.superres(item(), tmp_path / "out.tif", symmetries=1, mask_clouds=True)
    with rasterio.open(out) as dataset:
        assert dataset.shape == (180, 180)
        assert dataset.descriptions == RGBN
        values = dataset.read()
    assert not values[:, :40].any()
    assert values[:, 44:].all()


def test_what_an_item_does_not_say_is_not_guessed(item: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"none has a scale .*--reflectance-scale"):
        expand(item(scaled=False))
    with pytest.raises(InputError, match=r"of platform 'unknown-1'; expected one of "):
        expand(item(platform="unknown-1"))
    with pytest.raises(InputError, match="of platform 'unknown'"):
        expand(item(platform=""))


def test_json_that_is_no_item(tmp_path: Path, item: Callable[..., Path]) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"stac_version": "1.0.0", "type": "Catalog"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"other\.json cannot be read as a STAC item"):
        expand(path)
    for text in ("{}", "[", "[]", "[" * 100_000):
        path.write_text(text, encoding="utf-8")
        assert expand(path) is None


def test_without_the_library(item: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = item()
    monkeypatch.setitem(sys.modules, "pystac", None)
    with pytest.raises(InputError, match=r"for which pystac is needed\. Install it: pip install 'rsgan\[stac\]'"):
        expand(path)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of a server of the folder."""
    program = Path(__file__).parents[1] / "http_server.py"
    process = subprocess.Popen([sys.executable, str(program), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_an_item_by_its_address(item: Callable[..., Path], served: str, tmp_path: Path) -> None:
    here = item()
    local = rsgan.superres(here, tmp_path / "local.tif", symmetries=1)
    there = rsgan.superres(f"{served}/item.json", tmp_path / "there.tif", symmetries=1)
    with rasterio.open(local) as one, rasterio.open(there) as other:
        np.testing.assert_array_equal(one.read(), other.read())
    with pytest.raises(InputError, match="cannot be read as a STAC item"):
        rsgan.superres(f"{served}/gone.json", tmp_path / "x.tif")
