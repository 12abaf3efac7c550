import pytest
import torch

from rsgan.nn.discriminators import MinibatchDeviation, PatchDiscriminator, PatchDiscriminatorConfig
from rsgan.sensors.optical import upsample


def make(strided: int, bands: int = 2, scale: int = 2) -> PatchDiscriminator:
    torch.manual_seed(1)
    config = PatchDiscriminatorConfig(bands=bands, scale=scale, channels=4, strided=strided)
    return PatchDiscriminator(config).double().eval()


def seen_by(discriminator: PatchDiscriminator, row: int, column: int, side: int) -> tuple[slice, slice]:
    """Rows and columns of the candidate that one logit's gradient touches."""
    generator = torch.Generator().manual_seed(2)
    candidate = torch.randn(1, 2, side, side, generator=generator, dtype=torch.float64, requires_grad=True)
    observed = torch.randn(1, 2, side // 2, side // 2, generator=generator, dtype=torch.float64)
    discriminator(candidate, observed)[0, 0, row, column].backward()
    touched = candidate.grad[0].abs().sum(0) > 0
    return tuple(slice(int(i.min()), int(i.max()) + 1) for i in touched.nonzero(as_tuple=True))


@pytest.mark.parametrize(("strided", "stride", "receptive_field"), [(1, 2, 12), (2, 4, 26), (3, 8, 54)])
def test_a_logit_sees_a_patch_of_the_stated_side(strided: int, stride: int, receptive_field: int) -> None:
    discriminator = make(strided)
    assert (discriminator.stride, discriminator.receptive_field) == (stride, receptive_field)
    side = 16 * stride
    rows, columns = seen_by(discriminator, 8, 7, side)
    assert rows.stop - rows.start == columns.stop - columns.start == receptive_field
    below, _ = seen_by(discriminator, 9, 7, side)
    assert below.start - rows.start == stride


@pytest.mark.parametrize("strided", [1, 2])
def test_a_logit_sits_in_the_middle_of_its_patch(strided: int) -> None:
    discriminator = make(strided)
    stride = discriminator.stride
    rows, columns = seen_by(discriminator, 8, 7, 16 * stride)
    assert (rows.start + rows.stop) / 2 == pytest.approx((8 + 0.5) * stride)
    assert (columns.start + columns.stop) / 2 == pytest.approx((7 + 0.5) * stride)


@pytest.mark.parametrize(("strided", "shape"), [(1, (8, 12)), (2, (16, 24)), (2, (4, 4)), (3, (32, 16))])
def test_one_logit_per_stride(strided: int, shape: tuple[int, int]) -> None:
    discriminator = make(strided)
    candidate = torch.zeros(3, 2, *shape, dtype=torch.float64)
    observed = torch.zeros(3, 2, shape[0] // 2, shape[1] // 2, dtype=torch.float64)
    logits = discriminator(candidate, observed)
    assert logits.shape == (3, 1, shape[0] // 2**strided, shape[1] // 2**strided)


def test_the_condition_changes_the_logits(rng: torch.Generator) -> None:
    discriminator = make(2)
    first, second = (torch.randn(1, 2, 8, 8, generator=rng, dtype=torch.float64) for _ in range(2))
    # the same invented detail over two conditions
    logits = [discriminator(upsample(observed, 2), observed) for observed in (first, second)]
    assert (logits[0] - logits[1]).abs().max().item() > 1e-6


def test_spectral_norm_bounds_every_layer() -> None:
    discriminator = make(2).train()
    candidate, observed = torch.zeros(1, 2, 16, 16).double(), torch.zeros(1, 2, 8, 8).double()
    for _ in range(100):
        discriminator(candidate, observed)
    discriminator.eval()
    for layer in discriminator.layers:
        if isinstance(layer, torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, rel=0.02)


def test_a_batch_of_images_that_are_alike_is_told_from_one_that_varies(rng: torch.Generator) -> None:
    features = torch.randn(4, 3, 5, 5, generator=rng)
    seen = MinibatchDeviation()(features)
    assert seen.shape == (4, 4, 5, 5)
    expected = features.std(0, correction=0).mean()
    torch.testing.assert_close(seen[:, 3], expected.expand(4, 5, 5), rtol=1e-4, atol=1e-4)
    assert MinibatchDeviation()(features[:1].expand(4, -1, -1, -1))[:, 3].max() < 1e-3


@pytest.mark.parametrize("spectral", [True, False])
def test_a_discriminator_can_see_the_batch_and_do_without_spectral_norm(spectral: bool, rng: torch.Generator) -> None:
    config = PatchDiscriminatorConfig(
        bands=2, scale=2, channels=4, strided=1, spectral_norm=spectral, minibatch_deviation=True
    )
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(config).eval()
    candidate, observed = torch.randn(2, 2, 16, 16, generator=rng), torch.randn(2, 2, 8, 8, generator=rng)
    together = discriminator(candidate, observed)
    apart = torch.cat([discriminator(candidate[i : i + 1], observed[i : i + 1]) for i in range(2)])
    assert together.shape == apart.shape == (2, 1, 8, 8)
    assert (together - apart).abs().max() > 1e-3
    assert any("parametrizations" in name for name in discriminator.state_dict()) == spectral
