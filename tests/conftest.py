"""What all tests share: one torch thread, and markers that skip where their means are missing."""

from pathlib import Path

import pytest
import torch

torch.set_warn_always(True)  # a warning given once per process would fail whichever test happens to come first


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-data", type=Path, default=None, metavar="DIR", help="folder of real rasters")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {}
    if config.getoption("--real-data") is None:
        missing["realdata"] = "needs --real-data DIR"
    if not torch.cuda.is_available():
        missing["gpu"] = "needs a CUDA device"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder given with --real-data."""
    folder = request.config.getoption("--real-data")
    if folder is None:
        pytest.skip("needs --real-data DIR")
    return folder


@pytest.fixture
def rng() -> torch.Generator:
    """A seeded source of torch's random numbers."""
    return torch.Generator().manual_seed(17)
