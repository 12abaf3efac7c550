from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d

from rsgan.errors import ConfigError
from rsgan.filters.back_projection import back_projection
from rsgan.nn.discriminators import PatchDiscriminator, PatchDiscriminatorConfig
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig
from rsgan.sensors.optical import degrade
from rsgan.sensors.procedural import draw_scene
from rsgan.training.config import TrainConfig
from rsgan.training.tiles import Tile, read_split
from rsgan.training.validation import Validation, inner_psnr, whole_square


@pytest.fixture
def tile() -> Tile:
    values, _ = draw_scene(np.random.default_rng(0), (97, 110), 10.0)
    return Tile(Path("b.tif"), values, np.ones((97, 110), bool), None, None, 1.0)


def make(steps: int) -> ResidualGenerator:
    return ResidualGenerator(
        ResidualGeneratorConfig(bands=4, scale=2, channels=4, blocks=1, consistency_steps=steps)
    ).eval()


def test_inner_psnr_leaves_sixteen_border_pixels_out() -> None:
    reference = torch.zeros(1, 2, 40, 40)
    enhanced = torch.full_like(reference, 0.1)
    enhanced[..., :16, :] = 9.0
    assert inner_psnr(enhanced, reference) == pytest.approx(20.0, abs=1e-4)


def test_an_untrained_generator_gains_what_its_steps_gain(tile: Tile, tiny) -> None:
    validation = Validation([tile], tiny(), torch.device("cpu"))
    (reference,) = validation.references
    assert reference.shape == (1, 4, 96, 110)
    observed, sigma, _ = validation.observe(reference, 0, "P40")
    bicubic, two, five = (inner_psnr(back_projection(observed, sigma, 2, n), reference) for n in (0, 2, 5))
    figures = validation.measure(make(2))
    assert bicubic < two
    assert figures["gain_db/P40"] == pytest.approx(two - max(bicubic, five), abs=1e-3)
    assert figures["gain_db/P40"] == figures["worst_db/P40"]


def test_observed_is_the_degraded_reference_rounded_to_dn(tile: Tile, tiny) -> None:
    validation = Validation([tile], tiny(), torch.device("cpu"))
    (reference,) = validation.references
    observed, sigma, noise = validation.observe(reference, 0, "P50")
    assert noise == 0
    assert torch.equal(sigma, torch.full((1, 4), 0.5))
    assert float((observed - degrade(reference, sigma, 2)).abs().max()) <= 0.5e-4 + 1e-7
    noisy = validation.observe(reference, 0, "P40n")[0]
    assert torch.equal(noisy, validation.observe(reference, 0, "P40n")[0])
    residual = noisy - validation.observe(reference, 0, "P40")[0]
    assert float(residual.std()) == pytest.approx(0.001, rel=0.05)


def test_tiles_with_holes_or_too_small_are_not_judged_on(tile: Tile, tiny) -> None:
    holes = tile.valid.copy()
    holes[50, 50] = False
    small = replace(tile, values=tile.values[:, :62, :62], valid=tile.valid[:62, :62])
    kept = Validation([replace(tile, valid=holes), small, tile], tiny(), torch.device("cpu")).references
    assert len(kept) == 1


def test_the_panel_shows_bicubic_enhanced_and_reference_in_a_row(tile: Tile, tiny, tmp_path: Path) -> None:
    validation = Validation([tile], tiny(), torch.device("cpu"))
    with torch.no_grad():
        validation.panel(make(1), tmp_path / "panels" / "1.png")
    with Image.open(tmp_path / "panels" / "1.png") as picture:
        assert picture.size == (3 * 192, 192)
        pixels = np.asarray(picture).astype(float)
    left, middle, right = (pixels[:96, n * 192 : n * 192 + 96] for n in range(3))
    assert np.abs(middle - right).mean() < np.abs(left - right).mean()


def test_tiles_of_which_none_can_be_judged_are_refused(tile: Tile, tiny) -> None:
    small = replace(tile, values=tile.values[:, :40, :90], valid=tile.valid[:40, :90])
    holed = replace(tile, valid=np.zeros_like(tile.valid))
    with pytest.raises(ConfigError, match="none of the 2 validation tiles can be judged"):
        Validation([small, holed], tiny(), torch.device("cpu"))


@pytest.mark.parametrize("side", [64, 96])
def test_the_largest_whole_square_nearest_to_the_middle_is_judged(side: int) -> None:
    valid = np.ones((150, 200), bool)
    valid[:, 100 + side // 2 :] = False
    valid[:, : 100 - side // 2] = False
    rows, columns = whole_square(valid, 2)
    assert (rows, columns) == (slice((150 - side) // 2, (150 + side) // 2), slice(100 - side // 2, 100 + side // 2))
    assert whole_square(valid & (np.arange(200) % 50 > 0), 2) is None


class Grain(PatchDiscriminator):
    """Its logit is the power of what a pixel adds to its neighbours' mean, over the patch."""

    def forward(self, candidate: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        rough = candidate - avg_pool2d(candidate, 3, 1, 1)
        return avg_pool2d(rough.square().mean(1, keepdim=True), 26, 4, 11)


def test_a_judge_is_asked_class_by_class(tile: Tile, tiny) -> None:
    values = tile.values.copy()
    values[:, :, :55] = np.array([0.06, 0.05, 0.03, 0.01])[:, None, None]
    values += np.random.default_rng(3).normal(0, 0.003, values.shape).astype(np.float32)
    validation = Validation([replace(tile, values=values)], tiny(), torch.device("cpu"))
    judge, generator = Grain(PatchDiscriminatorConfig(bands=4, scale=2, channels=4)), make(1).train()
    figures = validation.by_class(generator, judge)
    names = {key.split("/")[1] for key in figures}
    assert "water" in names
    assert set(figures) == {f"{kind}/{name}" for kind in ("auroc", "logit") for name in names}
    assert figures["auroc/water"] == 1.0  # the grain is lost in the observed pixels
    assert figures["logit/water"] > 0
    assert generator.training
    assert judge.training
    assert figures == validation.by_class(generator, judge)


def test_where_no_class_can_be_told_nothing_is_said(tile: Tile, tiny) -> None:
    config = tiny()
    validation = Validation([tile], config, torch.device("cpu"))
    generator = make(1)
    seen = PatchDiscriminatorConfig(bands=4, scale=2, channels=8, attention=True)
    assert validation.by_class(generator, PatchDiscriminator(seen)) == {}
    validation.colours = ["blue", "green", "red", ""]
    assert validation.by_class(generator, PatchDiscriminator(seen.model_copy(update={"attention": False}))) == {}


def test_references_finer_than_the_output_are_averaged_to_its_pixels(
    tiny: Callable[..., TrainConfig], write_tile: Callable[..., Path]
) -> None:
    write_tile("b.tif", size=160)
    config = tiny()
    tiles = load_tiles_of(config, zoom=(2.0, 3.0))
    (reference,) = Validation(tiles, config, torch.device("cpu")).references
    expected = tiles[0].array.reshape(4, 80, 2, 80, 2).mean((2, 4))
    torch.testing.assert_close(reference[0], torch.from_numpy(expected), rtol=1e-5, atol=1e-6)


def load_tiles_of(config: TrainConfig, zoom: tuple[float, float]) -> list[Tile]:
    """Held-out tiles of a config, read with a zoom."""
    sources = tuple(source.model_copy(update={"zoom": zoom}) for source in config.data.validation)
    return read_split(config.data.root, sources, config.model.bands)
