"""Which model a scene gets, and what is said about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from rsgan.enhance.job import Job
from rsgan.enhance.options import Reading
from rsgan.enhance.superres import prepare
from rsgan.errors import ModelError

SCALED = {"scales": [1e-4] * 4, "offsets": [0.0] * 4}
Make = Callable[..., Path]


@contextmanager
def prepared(*sources: Any, **settings: Any) -> Iterator[Job]:
    reading = Reading(**{key: settings.pop(key) for key in list(settings) if key in vars(Reading())})
    with prepare(*sources, reading=reading, **settings) as job:
        yield job


@pytest.fixture
def zoo(make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with models for two gsd and two scales."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name, options in {
        "s2-x2": {"scale": 2},
        "s2-x4": {"scale": 4},
        "air-x2": {"scale": 2, "gsd_m": 1.0},
        "landsat-x3": {"scale": 3, "gsd_m": 30.0, "sensor": "landsat-8", "bands": ("B5", "B6", "B7", "B4")},
    }.items():
        make_model(f"zoo/{name}.safetensors", **options)
    monkeypatch.setattr("rsgan.model.ZOO", folder)
    return folder


@pytest.mark.parametrize(
    ("gsd", "scale", "model", "reason"),
    [
        (10, None, "s2-x2", r"B02 B03 B04 B08 at 10 m; the smallest scale invents least, --scale 4 goes further"),
        (10, 4, "s2-x4", r"at 10 m and --scale 4"),
        (1, None, "air-x2", r"at 1 m; "),
        (0.1, None, "air-x2", r"at 0.1 m; "),
    ],
)
@pytest.mark.usefixtures("zoo")
def test_the_model_is_chosen_by_bands_gsd_and_scale(
    make_raster: Make, gsd: float, scale: int | None, model: str, reason: str
) -> None:
    transform = Affine(gsd, 0, 5e5, 0, -gsd, 5e6)
    source = make_raster("scene.tif", np.full((4, 9, 9), 500, np.uint16), transform=transform, **SCALED)
    with prepared([source], scale=scale) as job:
        assert job.method.model.card.name == model
        assert reason in job.lines()[0]


@pytest.mark.usefixtures("zoo")
def test_bands_choose_a_model_before_the_scale_does(make_raster: Make) -> None:
    names, tag = ("SR_B5", "SR_B6", "SR_B7", "SR_B4"), {"note": "landsat"}
    source = make_raster("scene.tif", np.full((4, 9, 9), 500, np.uint16), descriptions=names, tags=tag, **SCALED)
    with prepared([source], model="landsat-x3") as job:
        assert job.scene.bands == ("B5", "B6", "B7", "B4")
    with prepared([source]) as job:
        assert (job.method.model.card.name, job.method.model.card.scale) == ("landsat-x3", 3)
    with pytest.raises(ModelError, match=r"--scale 5: no such model; there are models for 2, 3, 4"):
        prepare([source], scale=5)


def test_another_gsd_than_the_models_is_noted(make_raster: Make, tiny_model: Path) -> None:
    source = make_raster(
        "scene.tif", np.full((4, 9, 9), 500, np.uint16), transform=Affine(3, 0, 5e5, 0, -3, 5e6), **SCALED
    )
    with prepared([source], model=tiny_model) as job:
        assert job.notes == (
            "the scene has pixels of 3 m; tiny-x2 was trained for 10 m. It runs, but its held-out figures do not "
            "speak for this scene.",
        )


def test_degrees_are_said_in_metres_both_ways(make_raster: Make, tiny_model: Path) -> None:
    place = {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 14, 0, -1e-4, 60)}
    source = make_raster("scene.tif", np.full((4, 9, 9), 500, np.uint16), **place, **SCALED)
    with prepared([source], model=tiny_model) as job:
        assert "5.58 x 11.14 m -> 2.79 x 5.571 m" in job.lines()[2]
        assert "pixels of 5.58 x 11.14 m" in job.notes[0]


def test_a_huge_scene_is_looked_at_in_few_places() -> None:
    from rsgan.geo import places

    assert places(600, 256, 48) == [0, 256, 512]
    few = places(2_000_000, 256, 48)
    assert len(few) == 48
    assert few[-1] > 1_900_000
