"""Folders of free images: what is read, which class and place each has, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsgan.diagnose.images.folders import blocks_of, classes_by_folder, classes_by_indices, read_images
from rsgan.enhance.options import Reading
from rsgan.errors import BandError, ConfigError, InputError

MakeRaster = Callable[..., Path]
NAMES = ("B02", "B03", "B04", "B08")


@pytest.fixture
def make_image(make_raster: MakeRaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A raster of 16 x 16 pixels of 10 m, even, with its upper left corner at (x, 0)."""
    monkeypatch.chdir(tmp_path)

    def make(
        path: str, value: object, x: float | None = 6400.0, names: tuple[str, ...] = NAMES, side: int = 16
    ) -> Path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        levels = np.broadcast_to(np.asarray(value, np.uint16).reshape(-1, 1, 1), (len(names), side, side))
        transform = Affine.identity() if x is None else Affine(10, 0, x, 0, -10, 0)
        return make_raster(path, levels.copy(), descriptions=names, transform=transform)

    return make


def test_images_are_read_whole_in_the_order_of_their_names(make_image: Callable[..., Path]) -> None:
    make_image("set/b.tif", 200)
    make_image("set/a.tif", 100)
    Path("set/readme.txt").write_text("not one", encoding="utf-8")
    found = read_images(Path("set"), Reading(), reflectance=False, seed=0)
    assert [path.name for path in found.paths] == ["a.tif", "b.tif"]
    assert found.values.shape == (2, 4, 16, 16)
    assert found.values[:, 0, 0, 0] == pytest.approx([0.01, 0.02])  # band names of Sentinel-2: reflectance of 1e-4


def test_images_of_one_place_are_one_block_on_both_sides(make_image: Callable[..., Path]) -> None:
    for name, x in (("a", 6400.0), ("b", 6560.0), ("c", 12800.0)):
        make_image(f"set/{name}.tif", 1, x)
    make_image("made/a.tif", 1)
    both = [read_images(Path(name), Reading(), reflectance=False, seed=0) for name in ("set", "made")]
    real, made = blocks_of(both)
    assert real[0] == real[1] == made[0]
    assert real[2] != real[0]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_images_without_a_place_are_independent(make_image: Callable[..., Path]) -> None:
    for folder in ("set", "made"):
        for name in "ab":
            make_image(f"{folder}/{name}.tif", 1, None)
    both = [read_images(Path(name), Reading(), reflectance=False, seed=0) for name in ("set", "made")]
    assert len(set(np.concatenate(blocks_of(both)))) == 4


def test_subfolders_name_the_classes(make_image: Callable[..., Path]) -> None:
    make_image("set/water/a.tif", 1)
    make_image("set/forest/b.tif", 1)
    make_image("made/forest/old/c.tif", 1)
    folders = Path("set"), Path("made")
    both = [read_images(folder, Reading(), reflectance=False, seed=0) for folder in folders]
    classes, names = classes_by_folder(folders, both)
    assert [[names[n] for n in kind] for kind in classes] == [["forest", "water"], ["forest"]]
    make_image("made/d.tif", 1)
    both[1] = read_images(Path("made"), Reading(), reflectance=False, seed=0)
    with pytest.raises(ConfigError, match="some do not"):
        classes_by_folder(folders, both)


def test_indices_tell_the_class_of_reflectance(make_image: Callable[..., Path]) -> None:
    make_image("set/a.tif", (800, 900, 300, 100))
    make_image("set/b.tif", (300, 500, 300, 4000))
    images = read_images(Path("set"), Reading(reflectance_scale=10000), reflectance=True, seed=0)
    (real, _), names = classes_by_indices((images, images), 0.7)
    assert [names[n] for n in real] == ["water", "dense vegetation"]
    make_image("other/a.tif", (1, 2), names=("B02", "B03"))
    few = read_images(Path("other"), Reading(), reflectance=False, seed=0)
    with pytest.raises(BandError, match="needs green, red and nir"):
        classes_by_indices((few, few), 0.7)


def test_images_with_holes_are_left_out_and_told(make_image: Callable[..., Path]) -> None:
    make_image("set/a.tif", 5)
    path = make_image("set/b.tif", 5)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = 0
        dataset.write(np.zeros((1, 1), np.uint16), 1, window=((0, 1), (0, 1)))
    found = read_images(Path("set"), Reading(), reflectance=False, seed=0)
    assert [path.name for path in found.paths] == ["a.tif"]
    assert "1 images of set have pixels without data" in found.notes[0]
    Path("set/a.tif").unlink()
    with pytest.raises(InputError, match="every image of set"):
        read_images(Path("set"), Reading(), reflectance=False, seed=0)


def test_of_too_many_some_are_drawn_and_told(make_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        make_image(f"set/{number}.tif", number)
    monkeypatch.setattr("rsgan.diagnose.images.folders.MOST", 4)
    drawn = [read_images(Path("set"), Reading(), reflectance=False, seed=seed) for seed in (0, 0, 1)]
    assert len(drawn[0].paths) == 4
    assert drawn[0].paths == drawn[1].paths != drawn[2].paths
    assert "4 of the 6 images" in drawn[0].notes[0]


def test_unlike_images_are_refused(make_image: Callable[..., Path]) -> None:
    make_image("set/a.tif", 1)
    make_image("set/b.tif", 1, side=12)
    with pytest.raises(InputError, match=r"b.tif is 4 bands of 12 x 12 pixels, .*a.tif 4 bands of 16 x 16"):
        read_images(Path("set"), Reading(), reflectance=False, seed=0)
    make_image("set/b.tif", 1, names=("B02", "B03", "B04", "B05"))
    with pytest.raises(InputError, match="has bands B02 B03 B04 B05"):
        read_images(Path("set"), Reading(), reflectance=False, seed=0)
    Path("empty").mkdir()
    with pytest.raises(InputError, match="holds no raster"):
        read_images(Path("empty"), Reading(), reflectance=False, seed=0)
