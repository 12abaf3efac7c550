from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsgan.enhance import adapt as adapting
from rsgan.enhance.adapt import adapt
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.statistics import scene_statistics
from rsgan.enhance.superres import superres
from rsgan.errors import OutputError, RsganError
from rsgan.geo import Scene
from rsgan.model import open_model

RGBN = ("B02", "B03", "B04", "B08")
COARSE = ("B05", "B8A", "B11")
Make = Callable[..., Path]


def draw_pair(land: Callable[..., np.ndarray], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Fine RGBN and coarse bands that are no linear function of them."""
    fine = land((2 * side, 2 * side)).astype(float)
    sharp = np.stack([fine[2] * 0.6 + fine[3] * 0.3, np.sqrt(fine[3]) * 45, (fine[0] * fine[2]) ** 0.5 * 1.2])
    coarse = sharp.reshape(3, side, 2, side, 2).mean((2, 4))
    return fine.round().astype(np.uint16), coarse.round().astype(np.uint16)


@pytest.fixture
def pair(make_raster: Make, land: Callable[..., np.ndarray]) -> list[Path]:
    fine, coarse = draw_pair(land, 100)
    return [
        make_raster("fine.tif", fine, scales=[1e-4] * 4),
        make_raster(
            "coarse.tif",
            coarse,
            descriptions=COARSE,
            scales=[1e-4] * 3,
            transform=Affine(20, 0, 500000, 0, -20, 5000000),
        ),
    ]


@pytest.fixture
def opened(pair: list[Path], guided_model: Path) -> Iterator[tuple]:
    card = open_model(guided_model).card
    with ExitStack() as files:
        coarse = files.enter_context(Scene.open([pair[1]], wanted=COARSE))
        fine = files.enter_context(Scene.open([pair[0]], wanted=RGBN))
        guiding = Guiding.of(coarse, fine)
        yield open_model(guided_model).generator(), coarse, guiding, scene_statistics(coarse, card, guiding=guiding)


def test_the_fit_lowers_the_error_on_withheld_ground_and_leaves_the_model_as_it_is(opened: tuple) -> None:
    generator = opened[0]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    found = adapt(*opened, updates=60)
    assert found.helped
    assert found.after < 0.95 * found.before
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert "withheld" in str(found)


def test_the_same_seed_gives_the_same_network(opened: tuple) -> None:
    first, second, other = (adapt(*opened, updates=5, seed=seed) for seed in (1, 1, 2))
    assert first.after == second.after
    assert first.after != other.after


def test_a_fit_that_does_not_help_is_thrown_away(opened: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter((1.0, 2.0))
    monkeypatch.setattr(adapting, "_withheld_rmse", lambda *_: next(errors))
    found = adapt(*opened, updates=1)
    assert not found.helped
    assert found.generator is opened[0]
    assert "kept" in str(found)


def test_the_output_says_what_was_fitted(
    pair: list[Path], guided_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "UPDATES", 2)
    out = superres(pair, tmp_path / "out.tif", model=guided_model, adapt=True)
    with rasterio.open(out) as dataset:
        assert "RMSE one scale up" in dataset.tags()["RSGAN_ADAPTED"]


def test_too_small_a_scene_is_named(
    make_raster: Make, land: Callable[..., np.ndarray], guided_model: Path, tmp_path: Path
) -> None:
    fine, coarse = draw_pair(land, 40)
    small = [
        make_raster("f.tif", fine, scales=[1e-4] * 4),
        make_raster(
            "c.tif", coarse, descriptions=COARSE, scales=[1e-4] * 3, transform=Affine(20, 0, 500000, 0, -20, 5000000)
        ),
    ]
    with pytest.raises(RsganError, match=r"--adapt: .* has no window of 64 x 48 pixels"):
        superres(small, tmp_path / "out.tif", model=guided_model, adapt=True)
    assert not (tmp_path / "out.tif").exists()


def test_what_no_finer_bands_guide_cannot_be_adapted(pair: list[Path], tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--adapt: tiny-x2 is no network that finer bands guide"):
        superres(pair[0], tmp_path / "out.tif", model=tiny_model, adapt=True)
    with pytest.raises(OutputError, match="--adapt: linear injection is no network"):
        superres(pair, tmp_path / "out.tif", method="linear", adapt=True)


def test_ground_that_was_filled_teaches_nothing_and_is_not_judged(
    make_raster: Make, land: Callable[..., np.ndarray], guided_model: Path
) -> None:
    fine, coarse = draw_pair(land, 100)
    coarse[:, 10:20, 10:20] = 0
    fine[:, 100:120, 180:200] = 0  # rows 50 to 59, columns 90 to 99 of the coarse bands
    grid = {"transform": Affine(20, 0, 500000, 0, -20, 5000000), "descriptions": COARSE}
    paths = [
        make_raster("f.tif", fine, scales=[1e-4] * 4, nodata=0),
        make_raster("c.tif", coarse, scales=[1e-4] * 3, nodata=0, **grid),
    ]
    with Scene.open([paths[1]], wanted=COARSE) as scene, Scene.open([paths[0]], wanted=RGBN) as finer:
        guiding = Guiding.of(scene, finer)
        statistics = scene_statistics(scene, open_model(guided_model).card, guiding=guiding)
        lesson, *_ = adapting._lessons(scene, guiding, statistics, torch.Generator().manual_seed(0))
    counts = lesson.valid[0, 0].numpy()
    assert counts.shape == (100, 100)
    assert (counts[10:20, 10:20] == 0).all()
    assert (counts[50:60, 90:] == 0).all()
    assert counts.mean() > 0.8
    assert lesson.withheld == 37


def test_a_scene_too_narrow_to_withhold_ground_is_not_adapted(
    make_raster: Make, land: Callable[..., np.ndarray], guided_model: Path, tmp_path: Path
) -> None:
    fine, coarse = draw_pair(land, 100)
    narrow = [
        make_raster("f.tif", fine[:, :, :120], scales=[1e-4] * 4),
        make_raster(
            "c.tif",
            coarse[:, :, :60],
            descriptions=COARSE,
            scales=[1e-4] * 3,
            transform=Affine(20, 0, 500000, 0, -20, 5000000),
        ),
    ]
    with pytest.raises(RsganError, match=r"--adapt: .* has no window of 64 x 48 pixels"):
        superres(narrow, tmp_path / "out.tif", model=guided_model, adapt=True)
