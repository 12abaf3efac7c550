"""Generators of images from random numbers, and the discriminators of whole images."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from rsgan.nn.generators import SynthesisConfig, SynthesisGenerator
from rsgan.nn.generators.synthesis.residual import orthogonal_penalty
from rsgan.nn.generators.synthesis.sampling import mean_styles, noise_of, sample
from rsgan.nn.images import ImageDiscriminator, ImageDiscriminatorConfig

NETWORKS: dict[str, dict[str, Any]] = {
    "convolutional": {"kind": "convolutional"},
    "residual": {"kind": "residual"},
    "residual with attention": {"kind": "residual", "attention": 16, "hierarchical": False},
    "style": {"kind": "style"},
}
SMALL = {"latent": 16, "channels": 4, "most": 16}


def make(network: str, seed: int = 3, **other: Any) -> SynthesisGenerator:
    torch.manual_seed(seed)
    settings = {"bands": 3, "side": 32, "low": (-2.0,) * 3, "high": (1.0, 2.0, 3.0)} | other
    return SynthesisGenerator(SynthesisConfig(network=NETWORKS[network] | SMALL, **settings)).eval()


def given(generator: SynthesisGenerator, count: int) -> torch.Tensor | None:
    config = generator.config
    return {
        "nothing": None,
        "class": torch.arange(count) % max(config.classes, 1),
        "map": torch.randint(-1, max(config.classes, 1), (count, config.side, config.side)),
    }[config.given]


@pytest.mark.parametrize("side", [32, 64, 128, 256])
@pytest.mark.parametrize("network", NETWORKS)
def test_any_side_and_bands_within_bounds(network: str, side: int) -> None:
    generator = make(network, side=side)
    made = generator(5 * torch.randn(2, generator.latent))
    assert made.shape == (2, 3, side, side)
    assert made.dtype == torch.float32
    low, high = generator.low, generator.high
    assert ((made >= low - 1e-5) & (made <= high)).all()


def test_values_far_from_the_bounds_stay_what_they_are() -> None:
    generator = make("style")
    values = torch.zeros(1, 3, 2, 2)
    torch.testing.assert_close(generator.within(values), values, rtol=0, atol=1e-3)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_class_matters_and_gradients_reach_every_weight(network: str) -> None:
    generator = make(network, classes=3, given="class").train()
    noise = torch.randn(6, generator.latent)
    assert not torch.allclose(generator(noise, torch.zeros(6).long()), generator(noise, torch.ones(6).long()))
    (generator(noise, given(generator, 6)) ** 2).mean().backward()
    assert [n for n, weight in generator.named_parameters() if weight.grad is None] == []


@torch.no_grad()
def test_a_map_is_followed_where_it_changes() -> None:
    generator = make("residual", classes=2, given="map")
    noise, left = torch.randn(1, generator.latent), torch.zeros(1, 32, 32).long()
    changed = left.clone()
    changed[..., 28:] = 1
    difference = (generator(noise, left) - generator(noise, changed)).abs().amax((0, 1, 2))
    assert difference[28:].mean() > 4 * difference[:8].mean()


def test_planes_of_a_map_are_shares() -> None:
    layout = make("residual", classes=2, given="map").experts[0].layout
    pixels = torch.full((1, 32, 32), -1)
    pixels[..., :16] = 1
    planes = layout.planes(pixels, 4)
    assert planes.shape == (1, 2, 4, 4)
    assert planes[0, 1, 0].tolist() == [1, 1, 0, 0]
    assert float(planes[0, 0].sum()) == 0


@torch.no_grad()
def test_grain_is_apart_from_what_is_shown() -> None:
    generator = make("style")
    network = generator.style
    assert network is not None
    for layer in network.layers:
        layer.strength.data.fill_(0.03)
    noise = torch.randn(2, generator.latent)
    noise[1, : generator.codes] = noise[0, : generator.codes]
    first, second = generator(noise)
    assert 0 < float((first - second).std()) < 0.5 * float(first.std())


@torch.no_grad()
def test_styled_convolutions_give_unit_variance() -> None:
    network = make("style").style
    assert network is not None
    layer = network.layers[2]
    features = torch.randn(8, layer.convolution.weight.shape[1], 16, 16)
    for scale in (1.0, 50.0):
        made = layer.convolution(features, scale * torch.randn(8, network.config.styles))
        assert float(made.std()) == pytest.approx(1, abs=0.15)


def test_mixing_takes_coarse_layers_of_one_and_fine_ones_of_another() -> None:
    network = make("style").style
    assert network is not None
    styles = torch.arange(400.0)[:, None].expand(-1, network.config.styles)
    mixed = network.train()._mixed(styles)[..., 0]
    own, other = styles[:, :1], styles.roll(1, 0)[:, :1]
    assert ((mixed == own) | (mixed == other)).all()
    assert (mixed[:, 0] == own[:, 0]).all()
    assert 0.4 < float((mixed[:, -1] == other[:, 0]).float().mean()) < 0.6


@torch.no_grad()
def test_a_network_that_grows_begins_with_even_images() -> None:
    torch.manual_seed(0)
    network = {"kind": "style", "growing": True} | SMALL
    generator = SynthesisGenerator(SynthesisConfig(bands=1, side=32, low=(-9.0,), high=(9.0,), network=network))
    noise = torch.randn(4, generator.latent)
    small = torch.nn.functional.avg_pool2d(generator(noise), 8)
    whole = torch.nn.functional.interpolate(small, scale_factor=8.0, mode="bilinear")
    assert float((generator(noise) - whole).std()) < 0.5 * float(small.std())
    network_ = generator.style
    assert network_ is not None
    before = generator(noise)
    network_.grown.fill_(1e-4)
    assert float((generator(noise) - before).abs().max()) < 1e-2  # the next level fades in, it does not jump


def test_the_mixture_gives_each_expert_its_share() -> None:
    generator = make("convolutional", experts=4)
    noise = torch.randn(400, generator.latent)
    alone = [expert(noise[:, 1:]) for expert in generator.experts]
    made = generator(noise)
    counts = [
        int(sum(torch.allclose(made[i], generator.within(one[i : i + 1])[0], atol=1e-4) for i in range(400)))
        for one in alone
    ]
    assert sum(counts) == 400
    assert min(counts) > 70


def levels_on_the_way(generator: SynthesisGenerator) -> torch.Tensor:
    """Mean levels on the great circle between the codes of the darkest and of the brightest of some images."""
    noise = torch.randn(64, generator.latent, dtype=torch.float64)
    levels = generator(noise).mean((1, 2, 3))
    dark, bright = noise[levels.argmin()], noise[levels.argmax()]
    share = torch.linspace(0, torch.pi / 2, 201, dtype=torch.float64)[:, None]
    return generator(share.cos() * dark + share.sin() * bright).mean((1, 2, 3))


@torch.no_grad()
@pytest.mark.parametrize("network", ["convolutional", "residual", "style"])
def test_a_single_network_meets_every_level_between_two_whatever_its_weights(network: str) -> None:
    """It is continuous, so no weights leave the ground between two kinds of images empty."""
    for seed in range(3):
        levels = levels_on_the_way(make(network, seed, bands=1, low=(-4.0,), high=(4.0,)).double())
        steps = levels.sort().values.diff()
        assert float(steps.max()) < 0.1 * float(levels.max() - levels.min())


def test_a_mixture_leaves_the_gap_between_two_kinds_empty_and_each_expert_learns_from_its_own_images() -> None:
    """Levels about -1.5 of one expert and about 1.5 of the other, by their offsets: nothing lies between."""
    generator = make("style", bands=1, low=(-4.0,), high=(4.0,), experts=2).double()
    for expert, level in zip(generator.experts, (-1.5, 1.5), strict=True):
        torch.nn.init.constant_(expert.offset, level)
        for image in expert.images:
            image.weight.data *= 0.1
    noise = torch.randn(200, generator.latent, dtype=torch.float64)
    levels = generator(noise).mean((1, 2, 3))
    assert float(levels.detach().abs().min()) > 0.75
    bright = noise[:, 0] > 0  # the first number chooses the expert
    assert ((levels > 0) == bright).all()
    levels.mean().backward()
    slopes = [float(expert.offset.grad) for expert in generator.experts]
    assert slopes == pytest.approx([float((~bright).double().mean()), float(bright.double().mean())], rel=1e-3)
    with torch.no_grad():
        assert float(levels_on_the_way(generator).diff().max()) > 1.5


def test_image_number_i_depends_on_seed_and_number_only() -> None:
    generator = make("style", classes=2, given="class")
    noise = noise_of(generator, 7, range(5))
    together = sample(generator, noise, torch.tensor([0, 1, 0, 1, 0]))
    alone = sample(generator, noise_of(generator, 7, [3]), torch.tensor([1]))
    torch.testing.assert_close(together[3:4], alone, rtol=0, atol=1e-5)
    assert not torch.equal(noise_of(generator, 8, [3]), noise[3:4])


@pytest.mark.parametrize("network", ["style", "residual"])
def test_truncation_makes_images_more_alike(network: str) -> None:
    generator = make(network, classes=2, given="class")
    noise, told = noise_of(generator, 1, range(64)), torch.zeros(64).long()
    spreads = [float(sample(generator, noise, told, t).std(0).mean()) for t in (0.3, None)]
    assert spreads[0] < 0.8 * spreads[1]
    near = sample(generator, noise, told, 1.0 if network == "style" else 10.0)
    torch.testing.assert_close(near, sample(generator, noise, told), rtol=0, atol=1e-3)


def test_only_style_networks_have_mean_styles() -> None:
    assert mean_styles(make("style", classes=2, given="class")).shape == (2, 64)
    with pytest.raises(ValueError, match="kind style"):
        mean_styles(make("residual"))


@torch.no_grad()
def test_filters_that_are_alike_cost() -> None:
    layer = torch.nn.Linear(4, 2, bias=False)
    layer.weight.data = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    assert float(orthogonal_penalty(layer)) == 0
    layer.weight.data = torch.tensor([[1.0, 0, 0, 0], [1, 0, 0, 0]])
    assert float(orthogonal_penalty(layer)) == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"low": (0.0,)}, "low"),
        ({"low": (5.0,) * 3}, "below high"),
        ({"given": "class"}, "no classes"),
        ({"given": "map", "classes": 2}, "kind residual"),
        ({"side": 48}, "32"),
    ],
)
def test_configs_that_make_no_sense_are_refused(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        make("style", **change)


JUDGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "class": {"classes": 3, "given": "class"},
    "auxiliary": {"classes": 3, "given": "class", "auxiliary": True},
    "map": {"classes": 3, "given": "map"},
    "attention": {"attention": 8},
    "bounded": {"spectral_norm": True},
    "growing": {"growing": True},
}


def judge(name: str) -> ImageDiscriminator:
    torch.manual_seed(1)
    return ImageDiscriminator(ImageDiscriminatorConfig(bands=2, side=32, channels=4, most=16, **JUDGES[name]))


@pytest.mark.parametrize("name", JUDGES)
def test_one_logit_per_image_and_its_gradient(name: str) -> None:
    network, images = judge(name), torch.randn(6, 2, 32, 32, requires_grad=True)
    told = torch.randint(0, 3, (6, 32, 32)) if name == "map" else torch.arange(6) % 3
    logits = network(images, told)
    assert logits.shape == (6, 1)
    logits.sum().backward()
    assert images.grad is not None
    assert (images.grad.abs().sum((1, 2, 3)) > 0).all()


def test_the_class_is_compared_with_the_features() -> None:
    network, images = judge("class"), torch.randn(2, 2, 32, 32)
    first, second = (network(images, torch.tensor([k, k])) for k in (0, 1))
    assert not torch.allclose(first, second)
    other = judge("auxiliary")
    torch.testing.assert_close(*(other(images, torch.tensor([k, k])) for k in (0, 1)))
    assert other.classifier is not None
    assert other.classifier(other.features(images)).shape == (2, 3)


def test_a_judge_that_grows_fades_the_next_size_in() -> None:
    network, images = judge("growing"), torch.randn(4, 2, 32, 32)
    seen = network.layers[0]
    found = []
    for grown in (0.0, 1e-5, 1 - 1e-5, 1.0, 3.0):
        seen.grown.fill_(grown)
        found.append(network(images))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-3)
    torch.testing.assert_close(found[2], found[3], rtol=0, atol=1e-3)
    assert not torch.allclose(found[3], found[4])


def test_judges_that_make_no_sense_are_refused() -> None:
    for change, match in (({"given": "class"}, "no classes"), ({"auxiliary": True}, "set given to class")):
        with pytest.raises(ValidationError, match=match):
            ImageDiscriminatorConfig(bands=1, side=32, **change)
