import math
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError

from rsgan.nn.discriminators import SpeckleDiscriminator, SpeckleDiscriminatorConfig
from rsgan.nn.generators import DespeckleGenerator, DespeckleGeneratorConfig, SpeckleState
from rsgan.nn.generators.despeckle import LOWEST_LOG
from rsgan.nn.losses import itakura_saito, poisson_divergence, ratio_statistics
from rsgan.nn.symmetries import TURNS, despeckled_passes
from rsgan.sensors.sar import log_bias, log_variance

CONFIGS = Path(__file__).parents[2] / "configs"
SHAPES = [(1, 1), (1, 9), (5, 3), (8, 12), (17, 30)]


def make(trained: bool = True, **changes: tuple[int, ...]) -> DespeckleGenerator:
    torch.manual_seed(0)
    sizes = {"channels": (4, 6, 8), "descending": (0, 1, 1), "ascending": (1, 1)} | changes
    generator = DespeckleGenerator(DespeckleGeneratorConfig(**sizes))
    if trained:
        torch.nn.init.normal_(generator.tail.weight, std=0.2)
        for name, weight in generator.named_parameters():
            if "modulation" in name:
                torch.nn.init.normal_(weight, std=0.3)
    return generator.eval()


def state(looks: float = 2.0, correlation: tuple[float, float] = (0.4, 0.1), n: int = 1) -> SpeckleState:
    return SpeckleState(torch.full((n,), looks), torch.tensor([correlation] * n))


def gamma_speckle(looks: float, shape: tuple[int, ...]) -> torch.Tensor:
    torch.manual_seed(6)
    return torch.distributions.Gamma(torch.tensor(looks).double(), looks).sample(shape)


def test_the_published_architecture_is_small() -> None:
    config = yaml.safe_load((CONFIGS / "despeckle_sar.yaml").read_text(encoding="utf-8"))["generator"]
    generator = DespeckleGenerator(DespeckleGeneratorConfig.model_validate(config))
    assert sum(weight.numel() for weight in generator.parameters()) <= 1.5e6


def test_networks_are_told_the_laws_of_the_speckle() -> None:
    speckle = SpeckleState(torch.tensor([1.0, 4.4]), torch.tensor([[0.0, 0.0], [0.3, 0.1]]))
    torch.testing.assert_close(speckle.log_bias.flatten(), torch.tensor([log_bias(1), log_bias(4.4)]))
    deviations = torch.tensor([math.sqrt(log_variance(looks)) for looks in (1, 4.4)])
    torch.testing.assert_close(speckle.log_deviation.flatten(), deviations)
    expected = torch.tensor([[deviations[0], 0.0, 0.0, 0.0], [deviations[1], math.log(4.4) / 2, 0.6, 0.2]])
    torch.testing.assert_close(speckle.conditions, expected)
    torch.testing.assert_close(speckle.transposed().correlation, torch.tensor([[0.0, 0.0], [0.1, 0.3]]))


@torch.no_grad()
def test_untrained_it_is_the_unbiased_logarithm(rng: torch.Generator) -> None:
    observed = torch.randn(2, 1, 9, 7, generator=rng)
    speckle = SpeckleState(torch.tensor([1.0, 4.4]), torch.zeros(2, 2))
    expected = observed - torch.tensor([log_bias(1), log_bias(4.4)]).reshape(2, 1, 1, 1)
    torch.testing.assert_close(make(trained=False)(observed, speckle), expected)


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_any_shape_is_kept(shape: tuple[int, int], rng: torch.Generator) -> None:
    observed = torch.randn(2, 1, *shape, generator=rng)
    enhanced = make()(observed, state(n=2))
    assert (enhanced.shape, enhanced.dtype) == (observed.shape, torch.float32)
    assert torch.isfinite(enhanced).all()


@torch.no_grad()
def test_what_is_missing_to_the_stride_counts_as_invalid(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 9, 14, generator=rng)
    valid = torch.nn.functional.pad(torch.ones_like(observed), (0, 2, 0, 3))
    wider = torch.nn.functional.pad(observed, (0, 2, 0, 3), value=5.0)
    whole = generator(wider, state(), valid)[:, :, :9, :14]
    torch.testing.assert_close(generator(observed, state()), whole)


@pytest.mark.parametrize(
    ("channels", "descending", "ascending"),
    [
        ((4, 4), (0, 1), (1,)),
        ((4, 4), (1, 1), (0,)),
        ((4, 4, 4), (0, 1, 0), (1, 1)),
        ((3, 3, 3, 3), (0, 0, 0, 1), (0, 0, 0)),
    ],
)
@pytest.mark.parametrize("phase", [0, 1, 7])
def test_nothing_beyond_the_receptive_field_matters(
    channels: tuple[int, ...], descending: tuple[int, ...], ascending: tuple[int, ...], phase: int, rng: torch.Generator
) -> None:
    generator = make(channels=channels, descending=descending, ascending=ascending)
    reach, stride = generator.receptive_field, generator.config.stride
    assert reach % stride == 0
    middle = reach + stride + phase
    side = 2 * reach + 4 * stride
    observed = torch.randn(1, 1, side, side, generator=rng).requires_grad_()
    generator(observed, state())[0, 0, middle, middle].backward()
    away = observed.grad[0, 0].nonzero() - middle
    assert int(away.abs().max()) <= reach
    assert int(away.abs().max()) > reach // 2 - stride


@torch.no_grad()
def test_windows_with_a_halo_of_the_receptive_field_give_the_whole(rng: torch.Generator) -> None:
    generator = make()
    reach, stride = generator.receptive_field, generator.config.stride
    observed = torch.randn(1, 1, 4 * reach, 4 * reach, generator=rng)
    top, left = reach - stride, reach
    window = observed[:, :, top : top + 3 * reach, left : left + 3 * reach]
    inner = slice(reach, -reach)
    expected = generator(observed, state())[:, :, top : top + 3 * reach, left : left + 3 * reach][..., inner, inner]
    torch.testing.assert_close(generator(window, state())[..., inner, inner], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("held", [0.0, 1e6, -1e6, math.nan, math.inf, -math.inf])
def test_what_an_invalid_pixel_holds_does_not_matter(held: float, rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 14, 19, generator=rng)
    valid = (torch.rand(observed.shape, generator=rng) > 0.2).float()
    valid[..., 4:9, 3:12] = 0
    spoilt = torch.where(valid > 0, observed, held).requires_grad_()
    enhanced = generator(spoilt, state(), valid)
    torch.testing.assert_close(enhanced, generator(observed, state(), valid), rtol=0, atol=0)
    assert torch.isfinite(enhanced).all()
    enhanced.square().mean().backward()
    assert torch.isfinite(spoilt.grad).all()
    assert spoilt.grad[valid == 0].abs().max() == 0
    assert all(torch.isfinite(weight.grad).all() for weight in generator.parameters())


@torch.no_grad()
def test_coarse_sizes_see_the_mean_of_valid_intensity() -> None:
    intensity = torch.tensor([[1.0, 2.0, 5.0, 0.0], [6.0, 0.0, 0.0, 0.0], [4.0, 4.0, 0.0, 0.0], [4.0, 4.0, 0.0, 0.0]])
    valid = (intensity > 0).float()
    skip = torch.where(intensity > 0, intensity.log(), 0.0)
    half, quarter = make()._pyramid(skip[None, None], valid[None, None])
    torch.testing.assert_close(half[0, 0], torch.tensor([[3.0, 5.0], [4.0, 1.0]]).log())
    torch.testing.assert_close(half[0, 1], torch.tensor([[0.75, 0.25], [1.0, 0.0]]))
    torch.testing.assert_close(quarter.flatten(), torch.tensor([math.log(30 / 8), 0.5]))


@torch.no_grad()
def test_no_intensity_counts_as_the_lowest(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 8, 8, generator=rng)
    none, lowest = observed.clone(), observed.clone()
    none[..., 3, 3], lowest[..., 3, 3] = -math.inf, LOWEST_LOG
    torch.testing.assert_close(generator(none, state()), generator(lowest, state()), rtol=0, atol=0)


@torch.no_grad()
def test_looks_and_correlation_are_conditions(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 8, 8, generator=rng)
    base = generator(observed, state())
    assert not torch.equal(base, generator(observed, state(correlation=(0.1, 0.4))))
    more = generator(observed, state(looks=5.0)) + state(looks=5.0).log_bias
    assert (base + state().log_bias - more).abs().max() > 1e-4


def test_every_weight_of_a_trained_generator_gets_a_gradient(rng: torch.Generator) -> None:
    generator = make()
    generator(torch.randn(2, 1, 16, 16, generator=rng), state(n=2)).square().mean().backward()
    for name, weight in generator.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().max()) > 0, name


@pytest.mark.parametrize(
    "wrong", [{"descending": (1, 1)}, {"ascending": (1, 1, 1)}, {"channels": (4,)}, {"bands": 2}, {"width": 3}]
)
def test_impossible_architectures_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DespeckleGeneratorConfig(**({"channels": (4, 6, 8), "descending": (0, 1, 1), "ascending": (1, 1)} | wrong))


def turned(values: torch.Tensor, transpose: bool, axes: tuple[int, ...]) -> torch.Tensor:
    return (values.transpose(2, 3) if transpose else values).flip(axes)


@pytest.mark.parametrize("passes", [2, 4, 8])
@torch.no_grad()
def test_the_mean_of_the_passes_turns_with_the_ground(passes: int, rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 12, 20, generator=rng)
    valid = (torch.rand(observed.shape, generator=rng) > 0.1).float()
    straight = despeckled_passes(generator, observed, state(), valid, passes=passes)
    for transpose, axes in TURNS[:passes]:
        law = state().transposed() if transpose else state()
        there = despeckled_passes(
            generator, turned(observed, transpose, axes), law, turned(valid, transpose, axes), passes=passes
        )
        torch.testing.assert_close(there, turned(straight, transpose, axes), rtol=0, atol=1e-5)


@torch.no_grad()
def test_correlation_must_be_turned_along(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 12, 20, generator=rng)
    straight = despeckled_passes(generator, observed, state(), torch.ones_like(observed), passes=8)
    across = observed.transpose(2, 3)
    there = despeckled_passes(generator, across, state(), torch.ones_like(across), passes=8)
    assert (there - straight.transpose(2, 3)).abs().max() > 1e-3


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_passes_keep_any_shape_and_transpose_with_it(shape: tuple[int, int], rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(2, 1, *shape, generator=rng)
    valid = torch.ones_like(observed)
    straight = despeckled_passes(generator, observed, state(n=2), valid, passes=8)
    assert straight.shape == observed.shape
    there = despeckled_passes(
        generator, observed.transpose(2, 3), state(n=2).transposed(), valid.transpose(2, 3), passes=8
    )
    torch.testing.assert_close(there, straight.transpose(2, 3), rtol=0, atol=1e-5)


@torch.no_grad()
def test_one_pass_is_the_generator_itself(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 9, 14, generator=rng)
    valid = (torch.rand(observed.shape, generator=rng) > 0.2).float()
    single = despeckled_passes(generator, observed, state(), valid, passes=1)
    torch.testing.assert_close(single, generator(observed, state(), valid), rtol=0, atol=1e-5)


@torch.no_grad()
def test_passes_are_averaged_as_intensities(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 1, 8, 12, generator=rng)
    valid, axes = torch.ones_like(observed), (2, 3)
    both = [generator(observed, state(), valid), generator(observed.flip(axes), state(), valid).flip(axes)]
    expected = torch.stack(both).exp().mean(0).log()
    torch.testing.assert_close(despeckled_passes(generator, observed, state(), valid, passes=2), expected)


def judge(strided: int) -> SpeckleDiscriminator:
    torch.manual_seed(1)
    return SpeckleDiscriminator(SpeckleDiscriminatorConfig(channels=4, strided=strided)).eval()


@pytest.mark.parametrize(("strided", "shape"), [(1, (8, 12)), (2, (16, 24)), (3, (32, 16))])
@torch.no_grad()
def test_both_discriminators_give_one_logit_per_stride(strided: int, shape: tuple[int, int]) -> None:
    discriminator, image = judge(strided), torch.zeros(3, 1, *shape)
    assert discriminator.stride == 2**strided
    for logits in (discriminator(image, image, state(n=3)), discriminator.judge_ratio(image, state(n=3))):
        assert logits.shape == (3, 1, shape[0] // 2**strided, shape[1] // 2**strided)


@pytest.mark.parametrize(("strided", "receptive_field"), [(1, 12), (2, 26)])
def test_a_logit_of_either_sees_a_patch_of_the_stated_side(
    strided: int, receptive_field: int, rng: torch.Generator
) -> None:
    discriminator = judge(strided)
    assert discriminator.receptive_field == receptive_field
    side = 16 * discriminator.stride
    for look in (
        lambda image: discriminator(image, torch.zeros_like(image), state()),
        lambda image: discriminator.judge_ratio(image, state()),
    ):
        sides = []
        for logit in (8, 9):
            image = torch.randn(1, 1, side, side, generator=rng).requires_grad_()
            look(image)[0, 0, logit, 7].backward()
            rows = image.grad[0, 0].nonzero()[:, 0]
            sides.append((int(rows.min()), int(rows.max()) + 1))
        assert sides[0][1] - sides[0][0] == receptive_field
        assert sides[1][0] - sides[0][0] == discriminator.stride


@torch.no_grad()
def test_the_observation_and_the_speckle_are_conditions_of_the_logits(rng: torch.Generator) -> None:
    discriminator = judge(2)
    candidate, observed, other = (torch.randn(1, 1, 16, 16, generator=rng) for _ in range(3))
    base = discriminator(candidate, observed, state())
    assert (base - discriminator(candidate, other, state())).abs().max() > 1e-4
    assert (base - discriminator(candidate, observed, state(looks=9.0))).abs().max() > 1e-4
    ratio = discriminator.judge_ratio(candidate, state())
    assert (ratio - discriminator.judge_ratio(candidate, state(correlation=(0.0, 0.0)))).abs().max() > 1e-4


def test_divergences_vanish_at_the_truth_and_nowhere_else() -> None:
    excess = torch.linspace(-2, 2, 41).double()
    divergence = itakura_saito(excess)
    assert float(divergence[20]) == pytest.approx(0, abs=1e-12)
    assert float(torch.cat([divergence[:20], divergence[21:]]).min()) > 0
    reference, valid = excess.reshape(1, 1, 1, -1), torch.ones(1, 1, 1, 41).double()
    assert float(poisson_divergence(reference, reference, valid).mean()) == 0
    for error in (-1.0, -0.1, 0.1, 1.0):
        assert float(poisson_divergence(reference, reference + error, valid).mean()) > 0


def test_itakura_saito_is_closed_form() -> None:
    ratio = torch.tensor([0.5, 4.0]).double()
    torch.testing.assert_close(
        itakura_saito(ratio.log()), torch.tensor([0.5 - 1 + math.log(2), 3 - math.log(4)]).double()
    )


@pytest.mark.parametrize("looks", [1.0, 4.4])
def test_speckle_leaves_itakura_saito_at_rest_at_the_true_ground(looks: float) -> None:
    observed = gamma_speckle(looks, (200_000,))
    for error, slope in ((0.0, 0.0), (0.5, 1 - math.exp(-0.5)), (-0.5, 1 - math.exp(0.5))):
        enhanced = torch.full_like(observed, error).requires_grad_()
        itakura_saito(observed.log() - enhanced).mean().backward()
        # d / d ln R_hat = 1 - I / R_hat
        assert float(enhanced.grad.sum()) == pytest.approx(slope, abs=0.01)


@pytest.mark.parametrize("looks", [1.0, 4.4])
def test_speckle_leaves_the_poisson_divergence_at_rest_at_the_true_ground(looks: float) -> None:
    observed = gamma_speckle(looks, (1, 1, 500, 400))
    enhanced = torch.zeros_like(observed).requires_grad_()
    poisson_divergence(observed.log(), enhanced, torch.ones_like(observed)).mean().backward()
    assert float(enhanced.grad.sum()) == pytest.approx(0, abs=0.01)


def test_poisson_divergence_is_closed_form_over_valid_pixels() -> None:
    truth, guess = torch.tensor([2.0, 3.0, 9.0]).double(), torch.tensor([4.0, 3.0, 1.0]).double()
    valid = torch.tensor([1.0, 1.0, 0.0]).double()
    found = poisson_divergence(*(x.reshape(1, 1, 1, 3) for x in (truth.log(), guess.log(), valid)))
    assert float(found) == pytest.approx((2 * math.log(0.5) - 2 + 4) / 5)


def test_near_the_truth_the_poisson_divergence_is_an_error_of_amplitude() -> None:
    truth = torch.full((1, 1, 1, 1), 3.0).double()
    guess = truth * 1.01
    found = float(poisson_divergence(truth.log(), guess.log(), torch.ones_like(truth)).mean())
    assert found * 3 == pytest.approx(2 * float((truth.sqrt() - guess.sqrt()) ** 2), rel=0.01)


def test_a_chip_without_valid_pixels_costs_nothing() -> None:
    chips = torch.randn(1, 1, 4, 4).requires_grad_()
    none = torch.zeros(1, 1, 4, 4)
    loss = poisson_divergence(torch.zeros(1, 1, 4, 4), chips, none)
    loss = loss + ratio_statistics(chips, torch.zeros(1, 1, 4, 4), none, torch.ones(1))
    loss.backward()
    assert loss.item() == 0
    assert float(chips.grad.abs().max()) == 0


@pytest.fixture
def log_speckle() -> torch.Tensor:
    return gamma_speckle(2.0, (2, 1, 40, 50)).log()


def departure(log_ratio: torch.Tensor, log_speckle: torch.Tensor) -> float:
    looks = torch.full((2,), 2.0).double()
    return float(ratio_statistics(log_ratio, log_speckle, torch.ones_like(log_speckle), looks))


def test_ratio_statistics_vanish_for_the_true_ratio(log_speckle: torch.Tensor) -> None:
    assert departure(log_speckle, log_speckle) == 0
    assert departure(log_speckle.flip(2, 3), log_speckle) == pytest.approx(0, abs=1e-12)


def test_ratio_statistics_grow_with_bias_remaining_speckle_and_structure(log_speckle: torch.Tensor) -> None:
    wave = torch.sin(torch.arange(50).double() / 4)
    for wrong in (
        lambda share: log_speckle + share,
        lambda share: (1 - share) * log_speckle,
        lambda share: log_speckle + share * wave,
        lambda share: log_speckle + share * wave[:40, None],
    ):
        near, far = (departure(wrong(share), log_speckle) for share in (0.1, 0.4))
        assert 0 < near < far


def test_ratio_statistics_of_no_removal_are_the_lost_variance(log_speckle: torch.Tensor) -> None:
    intensity = log_speckle.exp()
    expected = 0.0
    for chip in intensity:
        centred = chip[0] - chip.mean()
        moments = [1 - chip.mean(), 2 * centred.square().mean()]
        for lag in (1, 2, 3):
            moments += [2 * (centred[lag:] * centred[:-lag]).sum() / 2000]
            moments += [2 * (centred[:, lag:] * centred[:, :-lag]).sum() / 2000]
        expected += float(torch.stack(moments).square().sum()) / 2
    assert departure(torch.zeros_like(log_speckle), log_speckle) == pytest.approx(expected)


def test_pixels_without_weight_do_not_count(log_speckle: torch.Tensor) -> None:
    weight, looks = torch.ones_like(log_speckle), torch.full((2,), 2.0).double()
    weight[..., 10:20, 5:30] = 0
    spoilt = torch.where(weight > 0, log_speckle, 3.0)
    assert float(ratio_statistics(spoilt, log_speckle, weight, looks)) == pytest.approx(0, abs=1e-12)
