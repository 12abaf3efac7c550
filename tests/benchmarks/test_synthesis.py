"""The learning-free baseline of synthetic chips."""

import numpy as np
import torch

from benchmarks.synthesis import scrambled
from rsgan.metrics.spectral_realism import covariance_difference, power_difference_db


def test_new_phases_keep_mean_covariance_and_power_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((6, 1, 32, 32)).cumsum(2).cumsum(3)
    chips = torch.from_numpy(np.concatenate([first, 0.5 * first + rng.standard_normal(first.shape)], axis=1)).float()
    made = scrambled(chips, rng)
    torch.testing.assert_close(made.mean((2, 3)), chips.mean((2, 3)), rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(made.std((2, 3)), chips.std((2, 3)), rtol=1e-3, atol=1e-2)
    assert covariance_difference(made.numpy(), chips.numpy()) < 0.01
    whole = [np.abs(np.fft.fft2(x.numpy())) for x in (made, chips)]
    np.testing.assert_allclose(whole[0], whole[1], rtol=1e-2, atol=1e-1)
    assert power_difference_db(made.numpy(), made.numpy()) == 0
    assert float((made - chips).abs().mean()) > 0.1 * float(chips.std())
