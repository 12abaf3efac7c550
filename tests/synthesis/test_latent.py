"""Ways through the latent space."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.nn.encoder import ChipEncoder, EncoderConfig
from rsgan.nn.generators import SynthesisGenerator
from rsgan.nn.generators.synthesis.sampling import mean_styles, noise_of, sample
from rsgan.synthesis import Options, latent, prepare
from rsgan.synthesis.way import prepare_way

MakeModel = Callable[..., Path]


@pytest.fixture
def generator(make_model: MakeModel) -> SynthesisGenerator:
    found = open_model(make_model()).generator()
    assert isinstance(found, SynthesisGenerator)
    return found


def test_great_circles_keep_the_length() -> None:
    ends, shares = torch.eye(4)[:2] * 3, torch.linspace(0, 1, 5)
    way = latent.spherical(ends[0], ends[1], shares)
    torch.testing.assert_close(way.norm(dim=1), torch.full((5,), 3.0))
    torch.testing.assert_close(way[[0, 4]], ends)
    torch.testing.assert_close(way[2], (ends[0] + ends[1]) / 2**0.5)
    torch.testing.assert_close(latent.spherical(ends[0], ends[0], shares), ends[:1].expand(5, -1))
    torch.testing.assert_close(latent.linear(ends[0], ends[1], shares)[2], (ends[0] + ends[1]) / 2)


def test_directions_are_those_of_the_largest_variance(generator: SynthesisGenerator) -> None:
    found = latent.principal_directions(generator, 5, place=0, samples=2000)
    torch.testing.assert_close(found.lines @ found.lines.T, torch.eye(5), rtol=0, atol=1e-4)
    network = latent.styled(generator)
    codes = torch.randn(4000, network.codes, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        styles = network.styles(codes, torch.zeros(4000).long())
    along = ((styles - found.mean) @ found.lines.T).std(0)
    torch.testing.assert_close(along, found.deviations, rtol=0.1, atol=0)
    assert (found.shares.diff() <= 0).all()
    assert float(along[0]) >= float((styles - found.mean).std(0).max()) * 0.95


def test_arithmetic_of_class_means(generator: SynthesisGenerator) -> None:
    means = mean_styles(generator)
    torch.testing.assert_close(latent.moved_to_class(generator, means[:1], 0, 1), means[1:])


class Pixels(ChipEncoder):
    """An encoder that is linear: its features are the pixels."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)


def test_half_the_contrast_makes_paths_a_quarter_as_long(generator: SynthesisGenerator) -> None:
    encoder, lengths = Pixels(EncoderConfig(bands=4, classes=2, depth=2)), []
    network = latent.styled(generator.double())
    generator.low -= 100  # far away bounds turn nothing off
    generator.high += 100
    for factor in (1.0, 0.5):
        for image in network.images:
            image.weight.data *= factor
        lengths.append(latent.path_length(generator, encoder, place=0, pairs=16))
    assert lengths[1] == pytest.approx(lengths[0] / 4, rel=0.01)


def test_a_made_chip_is_found_again(generator: SynthesisGenerator) -> None:
    chip = sample(generator, noise_of(generator, 5, [0]), torch.tensor([1]))
    blank = float((chip - sample(generator, noise_of(generator, 6, [0]), torch.tensor([1]))).square().mean().sqrt())
    found = latent.projected(generator, chip, place=1, steps=150)
    assert found.error < 0.35 * blank
    assert found.styles.shape[:2] == (1, len(latent.styled(generator).layers))
    with pytest.raises(ConfigError, match="expected"):
        latent.projected(generator, chip[:, :2])


def test_networks_without_styles_say_so(make_model: MakeModel) -> None:
    generator = open_model(make_model(kind="residual")).generator()
    assert isinstance(generator, SynthesisGenerator)
    with pytest.raises(ConfigError, match="no styles"):
        latent.principal_directions(generator)


@pytest.mark.parametrize("kind", ["style", "residual"])
def test_a_way_begins_and_ends_at_chips_that_would_be_made(make_model: MakeModel, tmp_path: Path, kind: str) -> None:
    model, options = make_model(kind=kind), Options(seed=2)
    ends = ("forest:1", "open water:0" if kind == "style" else "forest:4")
    with prepare_way(tmp_path / "way", ends, 5, model=model, options=options) as job:
        way = [_read(path) for path in job.run().chips]
    with prepare(tmp_path / "made", 5, model=model, options=options) as job:
        chips = {path.name: _read(path) for path in job.run().chips}
    assert len(way) == 5
    assert np.abs(way[0].astype(int) - chips["forest_2_000001.tif"]).max() <= 2
    if kind == "residual":
        difference = np.abs(way[-1].astype(int) - chips["forest_2_000004.tif"]).max()
        assert difference <= 2
    steps = [np.abs(b.astype(float) - a).mean() for a, b in pairwise(way)]
    assert max(steps) < 0.75 * np.abs(way[-1].astype(float) - way[0]).mean() + 1
    with Image.open(tmp_path / "way" / "animation.gif") as animation:
        assert getattr(animation, "n_frames", 1) >= 5


def test_ends_that_are_none_are_refused(make_model: MakeModel, tmp_path: Path) -> None:
    for ends, kind, match in (
        (("forest", "forest:1"), "style", "expected class:number"),
        (("towns:1", "forest:1"), "style", "one of open water, forest"),
        (("open water:1", "forest:1"), "residual", "has no styles"),
    ):
        with pytest.raises(ConfigError, match=match):
            prepare_way(tmp_path / "x", ends, 3, model=make_model(kind=kind))
    with pytest.raises(ConfigError, match="no way between"):
        prepare_way(tmp_path / "x", ("forest:1", "forest:2"), 3, model=make_model(given="map", kind="residual"))


def _read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        values: np.ndarray = dataset.read()
    return values
