"""Where logits lie on the ground, and that windows and holes change nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import Tensor

from rsgan.diagnose.ground import Ground, OpticalGround
from rsgan.diagnose.logits import dense_logits
from rsgan.errors import ConfigError, GridError
from rsgan.geo import Scene
from rsgan.nn.discriminators import PatchDiscriminator, PatchDiscriminatorConfig, PatchLayersConfig, patch_geometry
from rsgan.sensors.statistics import BandScaling

MakeRaster = Callable[..., Path]
FINE = Affine(5, 0, 500000, 0, -5, 5000000)
COARSE = Affine(10, 0, 500000, 0, -10, 5000000)
CPU = torch.device("cpu")


def config(strided: int = 2, last: int = 3) -> PatchDiscriminatorConfig:
    return PatchDiscriminatorConfig(
        bands=1, scale=2, channels=4, strided=strided, spectral_norm=False, last_kernel=last
    )  # type: ignore[arg-type]


def ground_of(
    make_raster: MakeRaster, fine: dict[str, np.ndarray], of: PatchDiscriminatorConfig, **options: float
) -> Ground:
    height, width = next(iter(fine.values())).shape[1:]
    coarse = np.full((1, height // 2, width // 2), 0.2, np.float32)
    observed = Scene.open((make_raster("observed.tif", coarse, transform=COARSE, descriptions=("B04",)),), wanted=None)
    candidates = {
        kind: Scene.open(
            (make_raster(f"{kind}.tif", values, transform=FINE, descriptions=("B04",), **options),), wanted=None
        )
        for kind, values in fine.items()
    }
    scaling = BandScaling(np.array([0.2]), np.array([0.1]))
    return OpticalGround(observed, candidates, 2, scaling, patch_geometry(of))


def at(transform: Affine, column: float, row: float) -> tuple[float, float]:
    return transform.c + transform.a * column, transform.f + transform.e * row


def drawn(seed: int, height: int = 120, width: int = 104) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 0.3, (1, height, width)).astype(np.float32)


@pytest.mark.parametrize("last", [3, 4])
@pytest.mark.parametrize("strided", [1, 2, 3])
@pytest.mark.parametrize("hot", [(61, 50), (64, 57)])
def test_a_hot_spot_lies_where_it_is_to_half_a_cell(
    make_raster: MakeRaster, strided: int, last: int, hot: tuple[int, int]
) -> None:
    height, width = (168, 152) if (strided, last) == (3, 4) else (128, 112)
    values = np.full((1, height, width), 0.2, np.float32)
    values[0, hot[0], hot[1]] = 0.9
    judge = PatchDiscriminator(config(strided, last))
    for weights in judge.parameters():
        torch.nn.init.constant_(weights, 0.1 if weights.ndim > 1 else 0.0)
    ground = ground_of(make_raster, {"generated": values}, config(strided, last))
    found = dense_logits(ground, lambda _: judge, device=CPU).of["generated"].astype(np.float64)
    power = np.nan_to_num(found - np.nanmin(found)) ** 2
    row, column = (np.average(np.arange(n) + 0.5, weights=power.sum(1 - axis)) for axis, n in enumerate(found.shape))
    x, y = at(ground.grid.transform, column, row)
    true_x, true_y = at(FINE, hot[1] + 0.5, hot[0] + 0.5)
    assert abs(x - true_x) <= ground.grid.gsd[0] / 2
    assert abs(y - true_y) <= ground.grid.gsd[1] / 2


@pytest.mark.parametrize("side", [3, 7, 11])
def test_windows_change_no_logit(make_raster: MakeRaster, side: int) -> None:
    torch.manual_seed(1)
    judge = PatchDiscriminator(config())
    ground = ground_of(make_raster, {"real": drawn(1), "generated": drawn(2)}, config())
    whole, parts = (dense_logits(ground, lambda _: judge, device=CPU, side=s).of for s in (256, side))
    for kind, values in whole.items():
        assert np.isfinite(values).any()
        assert np.allclose(values, parts[kind], atol=1e-5, equal_nan=True)


def test_a_whole_pass_gives_the_same_logits(make_raster: MakeRaster) -> None:
    torch.manual_seed(1)
    judge, values = PatchDiscriminator(config()), drawn(1)
    ground = ground_of(make_raster, {"generated": values}, config())
    found = dense_logits(ground, lambda _: judge, device=CPU, side=9).of["generated"]
    candidate = torch.from_numpy((values - 0.2) / 0.1)[None].float()
    with torch.inference_mode():
        expected = judge(candidate, torch.zeros(1, 1, 60, 52))[0, 0].numpy()
    known = np.isfinite(found)
    assert known.mean() > 0.4
    assert np.allclose(found[known], expected[known], atol=1e-4)


def test_patches_that_touch_a_hole_have_no_logit_and_others_keep_theirs(make_raster: MakeRaster) -> None:
    torch.manual_seed(1)
    judge, values = PatchDiscriminator(config()), drawn(1)
    holed = values.copy()
    holed[0, 60, 52] = -1
    whole = dense_logits(ground_of(make_raster, {"real": values}, config()), lambda _: judge, device=CPU)
    parts = dense_logits(ground_of(make_raster, {"real": holed}, config(), nodata=-1), lambda _: judge, device=CPU)
    lost = np.isfinite(whole.of["real"]) & ~np.isfinite(parts.of["real"])
    geometry = patch_geometry(config())
    rows, columns = np.nonzero(lost)
    for cells, spot in ((rows, 60), (columns, 52)):
        start = cells * geometry.stride - (geometry.side - geometry.stride) // 2
        assert ((start <= spot) & (spot < start + geometry.side)).all()
    assert lost.sum() in range(36, 50)  # (26 / 4)^2 patches see one pixel
    kept = np.isfinite(parts.of["real"])
    assert np.allclose(whole.of["real"][kept], parts.of["real"][kept], atol=1e-5)


def test_judges_that_see_everything_have_no_place(make_raster: MakeRaster) -> None:
    for setting in ({"attention": True}, {"minibatch_deviation": True}, {"normalisation": "instance"}):
        with pytest.raises(ConfigError, match="no place on the ground"):
            patch_geometry(PatchLayersConfig(**setting))  # type: ignore[arg-type]


def test_rasters_that_do_not_lie_on_each_other_are_refused(make_raster: MakeRaster) -> None:
    with pytest.raises(GridError, match=r"generated\.tif"):
        ground_of(make_raster, {"real": drawn(1), "generated": drawn(2)[:, :118]}, config())


def test_each_cell_is_asked_of_the_judge_of_its_window(make_raster: MakeRaster) -> None:
    ground = ground_of(make_raster, {"generated": drawn(1)}, config())

    def judge(number: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda candidate, _: torch.full((1, 1, candidate.shape[2] // 4, candidate.shape[3] // 4), float(number))

    found = dense_logits(ground, lambda cells: judge(cells.top // 10), device=CPU, side=10).of["generated"]
    assert set(np.unique(found[np.isfinite(found)])) == {0.0, 1.0, 2.0}
    assert np.nanmax(np.abs(found - np.arange(30)[:, None] // 10)) == 0


def test_the_grid_of_cells_opens_where_it_lies(make_raster: MakeRaster, tmp_path: Path) -> None:
    ground = ground_of(make_raster, {"generated": drawn(1)}, config())
    assert ground.grid.transform == Affine(20, 0, 500000, 0, -20, 5000000)
    assert ground.shape == (30, 26)
    with rasterio.open(tmp_path / "generated.tif") as dataset:
        assert ground.grid.bounds == tuple(dataset.bounds)
