from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from rsgan.enhance.superres import superres
from rsgan.errors import ModelError, OutputError, RsganError

SCALED = {"scales": [1e-4] * 4, "offsets": [0.0] * 4}
Make = Callable[..., Path]


@pytest.fixture
def scene(make_raster: Make, land: Callable[..., np.ndarray]) -> Path:
    dn = land((90, 150))
    dn[:, 20:30, 40:60] = 0
    return make_raster("scene.tif", dn, nodata=0, **SCALED)


@pytest.fixture
def model(make_model: Make) -> Path:
    return make_model("doubting.safetensors", uncertainty=True)


def test_the_standard_error_lies_where_the_output_lies(scene: Path, model: Path, tmp_path: Path) -> None:
    doubts = tmp_path / "se.tif"
    out = superres(scene, tmp_path / "out.tif", model=model, uncertainty=doubts)
    with rasterio.open(out) as enhanced, rasterio.open(doubts) as written:
        assert (written.shape, written.transform, written.crs) == (enhanced.shape, enhanced.transform, enhanced.crs)
        assert written.dtypes == ("float32",) * 4
        assert written.descriptions == tuple(f"{name} standard error" for name in ("B02", "B03", "B04", "B08"))
        assert float(written.tags()["RSGAN_FACTOR_95"]) == 2.0
        values = written.read()
    assert np.isnan(values[:, 40:60, 80:120]).all()
    kept = np.ones(values.shape[1:], bool)
    kept[40:60, 80:120] = False
    assert (values[:, kept] > 0).all()


def test_any_tiling_gives_the_same_standard_errors(scene: Path, model: Path, tmp_path: Path) -> None:
    found = []
    for window in (64, 512):
        doubts = tmp_path / f"se{window}.tif"
        superres(scene, tmp_path / f"out{window}.tif", model=model, uncertainty=doubts, window=window)
        with rasterio.open(doubts) as written:
            found.append(written.read())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, equal_nan=True)


def test_a_model_that_cannot_tell_says_so_and_writes_nothing(scene: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot tell how wrong"):
        superres(scene, tmp_path / "out.tif", model=tiny_model, uncertainty=tmp_path / "se.tif")
    assert sorted(path.name for path in tmp_path.glob("*.tif")) == ["scene.tif"]


def test_impossible_places_and_too_few_passes_are_refused(scene: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    with pytest.raises(OutputError, match=r"--uncertainty .*out\.tif is the output itself"):
        superres(scene, out, model=model, uncertainty=out)
    with pytest.raises(OutputError, match=r"--uncertainty .*scene\.tif is the input itself"):
        superres(scene, out, model=model, uncertainty=scene, overwrite=True)
    with pytest.raises(RsganError, match="--symmetries is 2"):
        superres(scene, out, model=model, uncertainty=tmp_path / "se.tif", symmetries=2)
    assert not out.exists()


def test_an_existing_raster_is_not_replaced_unasked(scene: Path, model: Path, tmp_path: Path) -> None:
    doubts = tmp_path / "se.tif"
    doubts.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"se\.tif"):
        superres(scene, tmp_path / "out.tif", model=model, uncertainty=doubts)
    assert doubts.read_bytes() == b"mine"


def test_an_interrupted_run_leaves_neither_raster(scene: Path, model: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        superres(scene, tmp_path / "out.tif", model=model, uncertainty=tmp_path / "se.tif", progress=stop, window=64)
    assert sorted(path.name for path in tmp_path.iterdir() if "safetensors" not in path.name) == ["scene.tif"]


@pytest.mark.parametrize("failing", ["out", "se"])
def test_a_raster_that_cannot_be_finished_takes_the_other_with_it(
    scene: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    finish = rasterio.shutil.copy

    def full(source: Path, target: Path, **how: object) -> None:
        if Path(target).name.startswith(f".{failing}."):
            raise OSError(28, "No space left on device")
        finish(source, target, **how)

    monkeypatch.setattr(rasterio.shutil, "copy", full)
    (tmp_path / "se.tif").write_bytes(b"mine")
    with pytest.raises(OutputError, match=rf"{failing}\.tif cannot be written, the disk seems to be full"):
        superres(scene, tmp_path / "out.tif", model=model, uncertainty=tmp_path / "se.tif", overwrite=True)
    assert (tmp_path / "se.tif").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.glob("*.tif")) == ["scene.tif", "se.tif"]
