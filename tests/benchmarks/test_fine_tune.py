from pathlib import Path

import rasterio

from benchmarks.fine_tune import GAP, halve

SCENE = Path(__file__).parents[2] / "data_samples" / "s2_rgbn_10m.tif"


def test_the_halves_share_no_ground_and_keep_their_places(tmp_path: Path) -> None:
    halve(SCENE, tmp_path)
    with rasterio.open(SCENE) as scene, rasterio.open(tmp_path / "west.tif") as west:
        with rasterio.open(tmp_path / "east.tif") as east:
            assert west.width == east.width == scene.width // 2 - GAP // 2
            assert east.bounds.left - west.bounds.right >= GAP * scene.res[0]
            assert west.descriptions == east.descriptions == scene.descriptions
            offset = round((east.bounds.left - scene.bounds.left) / scene.res[0])
            assert (east.read(1) == scene.read(1)[:, offset:]).all()
