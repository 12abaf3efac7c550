import pytest
import torch
from pydantic import ValidationError
from torch import nn

from rsgan.errors import ConfigError
from rsgan.nn.discriminators import (
    MinibatchDiscrimination,
    SelfAttention,
    TranslationDiscriminator,
    TranslationDiscriminatorConfig,
)
from rsgan.nn.generators import TranslationConfig, TranslationGenerator
from rsgan.nn.generators.haze import HazeConfig
from rsgan.nn.generators.translation import (
    PROBED,
    OneWay,
    OneWayConfig,
    TranslatorConfig,
    UnetConfig,
    build_one_way,
)
from rsgan.nn.losses import contrastive_loss, detail_loss

RGBN_UM = (0.4924, 0.5598, 0.6646, 0.8328)
HAZE = HazeConfig(
    bands=4, target_bands=4, wavelengths_um=RGBN_UM, cell=4, channels=8, descending=(1, 1), ascending=(1,)
)
SAME = TranslatorConfig(bands=2, target_bands=2, channels=4, halvings=1, blocks=1)
OTHER = TranslatorConfig(bands=1, target_bands=3, channels=4, halvings=2, blocks=2)
UNET = UnetConfig(bands=1, target_bands=3, encoder="resnet18", depth=3)
ALL = pytest.mark.parametrize("config", [HAZE, SAME, OTHER, UNET], ids=["haze", "same", "other", "unet"])


def make(config: OneWayConfig, seed: int = 1) -> OneWay:
    """A network whose last layer, which may start at zero, does something."""
    torch.manual_seed(seed)
    network = build_one_way(config)
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    if not last.weight.abs().sum():
        nn.init.normal_(last.weight, std=0.5)
    return network.eval()


@ALL
@pytest.mark.parametrize("shape", [(64, 64), (37, 50)])
def test_pixel_on_pixel_at_any_size(config: OneWayConfig, shape: tuple[int, int], rng: torch.Generator) -> None:
    made = make(config)(torch.randn(2, config.bands, *shape, generator=rng))
    assert made.shape == (2, config.target_bands, *shape)
    assert made.isfinite().all()


@ALL
@torch.no_grad()
def test_nothing_beyond_the_receptive_field_matters(config: OneWayConfig, rng: torch.Generator) -> None:
    network = make(config)
    reach, stride = network.receptive_field, network.stride
    assert reach % stride == 0
    side = 2 * reach + 4 * stride
    seen = torch.rand(1, config.bands, side, side, generator=rng)
    for place in range(side // 2, side // 2 + stride):
        changed = seen.clone()
        changed[..., place, place] += 5
        hit = (network(changed) - network(seen)).abs().amax(1)[0] > 0
        rows = hit.any(1).nonzero().flatten()
        assert place - reach <= int(rows[0])
        assert int(rows[-1]) <= place + reach


def test_an_encoder_that_looks_at_everything_has_no_receptive_field() -> None:
    network = build_one_way(UnetConfig(bands=1, target_bands=1, encoder="efficientnet-b0", depth=3))
    assert network.receptive_field == PROBED


def test_an_untrained_translator_of_like_bands_changes_nothing(rng: torch.Generator) -> None:
    seen = torch.randn(1, 2, 12, 12, generator=rng)
    torch.testing.assert_close(build_one_way(SAME)(seen), seen)


def test_haze_generators_bring_out_detail_or_hide_it(rng: torch.Generator) -> None:
    """Both change the contrast within a cell by one factor per band, whatever their weights: nothing is invented."""
    for removes in (True, False):
        network = make(HAZE.model_copy(update={"removes": removes}))
        network.tail.bias.data[0] = 4.0  # thick
        network.tail.weight.data *= 0
        level = torch.rand(1, 4, 1, 1, generator=rng).expand(1, 4, 32, 32) + 1
        detail = 0.01 * torch.randn(1, 4, 32, 32, generator=rng).sign()
        change = network(level + detail) - network(level)
        ratio = (change / detail).flatten(2)
        torch.testing.assert_close(ratio, ratio.median(2, keepdim=True).values.expand_as(ratio), rtol=0.02, atol=0)
        assert (ratio.median() > 1) == removes


def test_taking_off_undoes_laying_on_where_both_find_the_same(rng: torch.Generator) -> None:
    on, off = (make(HAZE.model_copy(update={"removes": removes})) for removes in (False, True))
    for network in (on, off):
        network.tail.weight.data *= 0
    seen = torch.rand(1, 4, 16, 16, generator=rng)
    torch.testing.assert_close(off(on(seen)), seen, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"forth": SAME, "back": OTHER}, "the other way round"),
        ({"forth": HAZE, "projection": 8}, "kind haze has no features"),
        ({"forth": {**HAZE.model_dump(), "wavelengths_um": [0.5]}}, "the three must agree"),
        ({"forth": {**HAZE.model_dump(), "ascending": []}}, "expected one less"),
    ],
)
def test_what_cannot_be_built_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TranslationConfig.model_validate(settings)


def test_features_are_projected_to_length_one(rng: torch.Generator) -> None:
    network = TranslationGenerator(TranslationConfig(forth=SAME, projection=5))
    image = torch.randn(2, 2, 16, 16, generator=rng)
    sizes = network.sizes(image)
    assert sizes[0] == 256
    found = network.projected(image, [torch.arange(3) for _ in sizes])
    assert {tuple(layer.shape) for layer in found} == {(2, 3, 5)}
    for layer in found:
        torch.testing.assert_close(layer.norm(dim=-1), torch.ones(2, 3))
    with pytest.raises(ConfigError, match=r"generator\.projection"):
        TranslationGenerator(TranslationConfig(forth=SAME)).projected(image, [])


def test_the_papers_discriminator_sees_70_by_70() -> None:
    config = TranslationDiscriminatorConfig(
        source_bands=1, target_bands=3, conditional=True, channels=64, strided=3, last_kernel=4, spectral_norm=False
    )
    judge = TranslationDiscriminator(config)
    assert judge.receptive_field == 70
    widths = [module.out_channels for module in judge.target if isinstance(module, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 1]
    candidate = torch.randn(1, 3, 256, 256, requires_grad=True)
    logits = judge(candidate, torch.randn(1, 1, 256, 256))
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    touched = (candidate.grad[0].abs().sum(0) > 0).nonzero()
    assert (touched.max(0).values - touched.min(0).values + 1).tolist() == [70, 70]


def test_each_domain_has_its_judge() -> None:
    config = TranslationDiscriminatorConfig(source_bands=2, target_bands=3, both=True, channels=4, strided=1)
    judge = TranslationDiscriminator(config)
    assert judge.judge_source(torch.randn(1, 2, 16, 16)).shape == judge(torch.randn(1, 3, 16, 16)).shape == (1, 1, 8, 8)
    alone = TranslationDiscriminator(config.model_copy(update={"both": False}))
    with pytest.raises(ConfigError, match=r"discriminator\.both"):
        alone.judge_source(torch.randn(1, 2, 16, 16))


@pytest.mark.parametrize("normalisation", ["none", "batch", "instance"])
@pytest.mark.parametrize("extras", [{}, {"attention": True}, {"minibatch_kernels": 3}, {"minibatch_deviation": True}])
def test_layers_combine(normalisation: str, extras: dict) -> None:
    config = TranslationDiscriminatorConfig.model_validate(
        {"source_bands": 1, "target_bands": 2, "channels": 8, "strided": 2, "normalisation": normalisation, **extras}
    )
    assert TranslationDiscriminator(config)(torch.randn(3, 2, 32, 32)).shape == (3, 1, 8, 8)


def test_attention_starts_as_the_identity_and_then_sees_all(rng: torch.Generator) -> None:
    layer, features = SelfAttention(8), torch.randn(1, 8, 5, 5, generator=rng, requires_grad=True)
    torch.testing.assert_close(layer(features), features)
    layer.share.data.fill_(1.0)
    layer(features)[0, 0, 2, 2].backward()
    assert (features.grad[0].abs().sum(0) > 0).all()


def test_minibatch_discrimination_tells_copies_from_unlike_images(rng: torch.Generator) -> None:
    torch.manual_seed(2)
    layer = MinibatchDiscrimination(4, 3)
    unlike = 5 * torch.randn(4, 4, 6, 6, generator=rng) + 5 * torch.randn(4, 4, 1, 1, generator=rng)
    copies = unlike[:1].expand(4, -1, -1, -1)
    assert layer(unlike).shape == (4, 7, 6, 6)
    torch.testing.assert_close(layer(copies)[:, 4:], torch.ones(4, 3, 6, 6))
    assert float(layer(unlike)[:, 4:].detach().max()) < 0.5


def test_detail_loss_knows_the_sign_and_no_levels(rng: torch.Generator) -> None:
    image = torch.randn(2, 1, 16, 16, generator=rng)
    assert float(detail_loss(3 * image + 7, image)) == pytest.approx(0, abs=1e-5)
    assert float(detail_loss(-image, image)) == pytest.approx(2, abs=1e-5)
    assert float(detail_loss(torch.randn(2, 1, 16, 16, generator=rng), image)) == pytest.approx(1, abs=0.2)


def test_contrastive_loss_of_alike_and_of_unlike_places() -> None:
    places = torch.eye(4)[None]
    assert float(contrastive_loss(places, places, 0.05)) == pytest.approx(0, abs=1e-6)
    same = torch.ones(1, 4, 4) / 2
    assert float(contrastive_loss(same, same, 0.05)) == pytest.approx(torch.log(torch.tensor(4.0)).item())
    expected = -torch.log_softmax(torch.tensor([1.0, 0, 0, 0]) / 0.5, 0)[0].item()
    assert float(contrastive_loss(places, places, 0.5)) == pytest.approx(expected)
