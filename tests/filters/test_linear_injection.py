"""The linear law: exact where the ground is linear, better than what looks at the coarse bands alone elsewhere."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rsgan.errors import RsganError
from rsgan.filters.back_projection import back_projection
from rsgan.filters.linear_injection import (
    NEIGHBOURS,
    LinearFit,
    LinearInjection,
    high_pass,
    injection_reach,
)
from rsgan.sensors.optical import degrade, upsample
from rsgan.sensors.procedural import draw_scene

MIX = torch.tensor([[0.7, -0.2], [0.1, 0.9], [0.4, 0.4]], dtype=torch.float64)
"""Three bands made of two finer ones."""


def sigma_of(bands: int, width: float = 0.4) -> Tensor:
    return torch.full((bands,), width, dtype=torch.float64)


def linear_ground(rng: torch.Generator, scale: int, shape: tuple[int, int] = (48, 60)) -> tuple[Tensor, Tensor, Tensor]:
    """(observed, guide, truth) of ground whose coarse bands are MIX times the fine ones, plus a constant."""
    white = torch.randn(1, 2, shape[0] * scale, shape[1] * scale, generator=rng, dtype=torch.float64)
    guide = 0.5 * white + upsample(degrade(white, sigma_of(1)[None], scale), scale)
    truth = torch.einsum("cg,nghw->nchw", MIX, guide) + 0.3
    return degrade(truth, sigma_of(3)[None], scale), guide, truth


def rmse(first: Tensor, second: Tensor, margin: int = 12) -> float:
    inner = (first - second)[..., margin:-margin, margin:-margin]
    return float(inner.square().mean().sqrt())


def exact_law(scale: int) -> LinearInjection:
    weights = torch.zeros(3, 2, NEIGHBOURS, NEIGHBOURS, dtype=torch.float64)
    weights[:, :, NEIGHBOURS // 2, NEIGHBOURS // 2] = MIX
    return LinearInjection(weights, sigma_of(3), scale)


def fitted(observed: Tensor, guide: Tensor, scale: int, width: float = 0.4) -> LinearInjection:
    fit = LinearFit(sigma_of(observed.shape[1], width), guide.shape[1], scale)
    fit.add(observed, guide)
    return fit.solve()


@pytest.mark.parametrize("scale", [2, 3, 6])
def test_the_true_law_gives_the_ground_itself(scale: int, rng: torch.Generator) -> None:
    observed, guide, truth = linear_ground(rng, scale, (10, 13))
    torch.testing.assert_close(exact_law(scale)(observed, guide), truth, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_linear_law_is_found_one_scale_down(scale: int, rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, scale)
    law = fitted(observed, guide, scale)
    assert law.weights.shape == (3, 2, NEIGHBOURS, NEIGHBOURS)
    centre = law.weights[:, :, NEIGHBOURS // 2, NEIGHBOURS // 2]
    torch.testing.assert_close(centre, MIX, rtol=0, atol=0.05)
    law.weights[:, :, NEIGHBOURS // 2, NEIGHBOURS // 2] = 0
    assert float(law.weights.abs().max()) < 0.05


@pytest.mark.parametrize("scale", [2, 3])
def test_what_it_found_gives_the_ground_almost(scale: int, rng: torch.Generator) -> None:
    observed, guide, truth = linear_ground(rng, scale)
    enhanced, bicubic = fitted(observed, guide, scale)(observed, guide), upsample(observed, scale)
    assert rmse(enhanced, truth) < 0.05 * rmse(bicubic, truth)


def test_a_guide_in_other_units_gives_the_same_bands(rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, 2)
    plain = fitted(observed, guide, 2)(observed, guide)
    scaled = guide * torch.tensor([10_000.0, 1e-3]).reshape(1, 2, 1, 1)
    torch.testing.assert_close(fitted(observed, scaled, 2)(observed, scaled), plain, rtol=0, atol=1e-9)


def test_a_guide_that_shows_nothing_leaves_back_projection(rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, 2)
    enhanced = fitted(observed, torch.full_like(guide, 0.2), 2)(observed, torch.full_like(guide, 0.2))
    expected = back_projection(observed, sigma_of(3)[None], 2, 5)
    torch.testing.assert_close(enhanced, expected, rtol=0, atol=1e-9)


def land(shape: tuple[int, int] = (160, 192), gsd_m: float = 10.0) -> Tensor:
    reflectance, _ = draw_scene(np.random.default_rng(5), shape, gsd_m)
    return torch.from_numpy(reflectance)[None].double()


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("coarse", [[3], [0, 3]], ids=["infrared", "blue and infrared"])
def test_on_land_it_beats_bicubic_and_back_projection(scale: int, coarse: list[int]) -> None:
    ground = land()
    truth, guide = ground[:, coarse], ground[:, [band for band in range(4) if band not in coarse]]
    observed, sigma = degrade(truth, sigma_of(len(coarse))[None], scale), sigma_of(len(coarse))[None]
    enhanced = fitted(observed, guide, scale)(observed, guide)
    assert rmse(enhanced, truth) < 0.8 * rmse(back_projection(observed, sigma, scale, 5), truth)
    assert rmse(enhanced, truth) < 0.75 * rmse(upsample(observed, scale), truth)


def test_degraded_again_it_is_what_was_observed() -> None:
    ground, sigma = land(), sigma_of(1)
    observed, guide = degrade(ground[:, 3:], sigma[None], 2), ground[:, :3]
    law = fitted(observed, guide, 2)
    enhanced = law(observed, guide)
    open_ended = LinearInjection(law.weights, law.sigma, 2, steps=0)(observed, guide)
    left, before = (rmse(degrade(x, sigma[None], 2), observed) for x in (enhanced, open_ended))
    assert left < 1e-3
    assert left < 0.2 * before


def test_wrong_pixels_teach_nothing_where_they_are_not_valid(rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, 2)
    valid = torch.ones(observed.shape[2:], dtype=torch.bool)
    valid[10:40, 15:45] = False
    wrong = observed.clone()
    wrong[..., 20:30, 25:35] += 50 * torch.randn(1, 3, 10, 10, generator=rng, dtype=torch.float64)

    def weights(bands: Tensor, taken: Tensor | None) -> Tensor:
        fit = LinearFit(sigma_of(3), 2, 2)
        fit.add(bands, guide, taken)
        return fit.solve().weights

    assert torch.equal(weights(wrong, valid), weights(observed, valid))
    assert float((weights(wrong, None) - weights(observed, None)).abs().max()) > 0.1


def test_windows_one_by_one_teach_what_the_whole_teaches(rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, 2, (40, 120))
    valid = torch.ones(observed.shape[2:], dtype=torch.bool)
    valid[:, 40:80] = False  # where the borders of the parts could show
    whole, parts = LinearFit(sigma_of(3), 2, 2), LinearFit(sigma_of(3), 2, 2)
    whole.add(observed, guide, valid)
    for columns in (slice(60, 120), slice(0, 60)):
        fine = slice(columns.start * 2, columns.stop * 2)
        parts.add(observed[..., columns], guide[..., fine], valid[:, columns])
    assert parts.count == whole.count == 40 * 80
    torch.testing.assert_close(parts.solve().weights, whole.solve().weights, rtol=0, atol=1e-12)


def test_the_law_is_the_least_squares_of_a_library(rng: torch.Generator) -> None:
    """The weights minimise |lost - features w|^2 + ridge: appended rows make the ridge part of a plain lstsq."""
    observed, guide, _ = linear_ground(rng, 2, (20, 24))
    shared = sigma_of(1)[None]
    lost = high_pass(observed, sigma_of(3)[None], 2)[0].flatten(1).numpy()
    seen = high_pass(degrade(guide, shared, 2), shared, 2)[0].numpy()
    padded = np.pad(seen, ((0, 0), (1, 1), (1, 1)), mode="edge")
    features = np.stack(
        [padded[g, r : r + 20, c : c + 24].ravel() for g in range(2) for r in range(3) for c in range(3)]
    )
    ridge = np.diag(np.sqrt(1e-2 * (features**2).sum(1)))
    rows, targets = np.concatenate([features.T, ridge]), np.concatenate([lost.T, np.zeros((18, 3))])
    expected = np.linalg.lstsq(rows, targets, rcond=None)[0].T.reshape(3, 2, 3, 3)
    np.testing.assert_allclose(fitted(observed, guide, 2).weights.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("case", ["nothing added", "all invalid", "too small"])
def test_nothing_to_learn_from_is_refused_with_the_way_out(case: str, rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, 3, (12, 12))
    fit = LinearFit(sigma_of(3), 2, 3)
    if case == "all invalid":
        fit.add(observed, guide, torch.zeros(12, 12, dtype=torch.bool))
    if case == "too small":
        fit.add(observed[..., :5], guide[..., :15])
    with pytest.raises(RsganError, match=r"smaller than 6 coarse pixels, or .* nowhere valid together\. Give"):
        fit.solve()


@pytest.mark.parametrize("scale", [2, 3])
def test_nothing_beyond_the_reach_matters(scale: int, rng: torch.Generator) -> None:
    reach = injection_reach(scale)
    side = 2 * reach + 7
    weights = torch.randn(1, 1, NEIGHBOURS, NEIGHBOURS, generator=rng, dtype=torch.float64)
    law = LinearInjection(weights, sigma_of(1, 0.5), scale)
    observed = torch.randn(1, 1, side, side, generator=rng, dtype=torch.float64)
    guide = torch.randn(1, 1, side * scale, side * scale, generator=rng, dtype=torch.float64)
    spotted, marked = observed.clone(), guide.clone()
    spotted[..., side // 2, side // 2] += 3
    marked[..., side // 2 * scale : (side // 2 + 1) * scale, side // 2 * scale : (side // 2 + 1) * scale] += 3
    for change in (law(spotted, guide) - law(observed, guide), law(observed, marked) - law(observed, guide)):
        rows = change.abs()[0, 0].amax(1).reshape(side, scale).amax(1).nonzero().flatten() - side // 2
        assert 3 <= int(rows.abs().max()) <= reach


def test_elsewhere_it_is_the_same_law(rng: torch.Generator) -> None:
    observed, guide, _ = linear_ground(rng, 2)
    law = fitted(observed, guide, 2)
    single = law.to(torch.device("cpu"), torch.float32)(observed.float(), guide.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), law(observed, guide), rtol=0, atol=1e-4)
