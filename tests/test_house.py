import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "rasterio", "xarray", "scipy", "pydantic")
ROOMS = ("rsgan", "tests", "configs", "docs", "benchmarks", "data_samples", ".ci")
TEXT = {".py", ".yaml", ".yml", ".md", ".toml", ".txt", ".sh", ""}


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    ).stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=lambda a: a[0])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from rsgan.cli import main; "
        f"result = CliRunner().invoke(main, {arguments!r}); "
        f"print(result.exit_code, *sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    assert run_python(code).split() == ["0"]


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, rsgan; rsgan.RsganError; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    assert run_python(code).split() == []


def test_every_public_name_can_be_reached() -> None:
    code = "import rsgan; print(*[getattr(rsgan, name).__name__ for name in rsgan.__all__])"
    assert run_python(code).split() == ["RsganError", "despeckle", "open_model", "superres", "synthesize", "translate"]


def texts() -> Iterator[Path]:
    """Every text file of the project."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT - {""})
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.}])/(?:root|work|home|Users|mnt)/\w")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in texts()
        for line in path.read_text(encoding="utf-8").splitlines()
        if machine.search(line)
    ]
    assert found == []
