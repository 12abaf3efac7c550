from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the pages, its scripts importable."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    return ROOT / "docs"
