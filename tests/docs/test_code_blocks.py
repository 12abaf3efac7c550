"""What the pages tell a reader to type works, block after block, in a folder with the samples at hand.

Words behind a block's language: `no-run` for what cannot run here, `slow` for what takes minutes.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SET_UP_BLOCKS = 2
"""The first blocks of the README make a virtual environment; .ci/run is their test."""
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>sh|python)(?P<words>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.M | re.S
)
WORDS = {"no-run", "slow"}


@dataclass(frozen=True)
class Block:
    """One code block of a page."""

    language: str
    words: frozenset[str]
    code: str

    @property
    def runs(self) -> bool:
        return "no-run" not in self.words

    @property
    def slow(self) -> bool:
        """Said so, or a training."""
        return "slow" in self.words or "rsgan train" in self.code

    @property
    def outputs(self) -> tuple[str, ...]:
        """Files that the commands name with -o."""
        return tuple(re.findall(r" -o (\S+)", self.code)) if self.language == "sh" else ()


def blocks_of(page: Path) -> list[Block]:
    found = [
        Block(match["language"], frozenset(match["words"].split()), match["code"])
        for match in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]
    return found[SET_UP_BLOCKS:] if page.name == "README.md" else found


def promises(slow: bool) -> Iterator[object]:
    """(page, blocks to run in order) of every page that has any; what a page repeats from another runs once."""
    seen: set[str] = set()
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]:
        blocks = [block for block in blocks_of(page) if block.runs and block.slow == slow and block.code not in seen]
        seen |= {block.code for block in blocks}
        if blocks:
            yield pytest.param(blocks, id=page.stem)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The commands of this environment first, one thread, no terminal."""
    found = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return {**found, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Outcome:
    """What came of running one block."""

    block: Block
    returncode: int
    stderr: str
    missing: tuple[str, ...]


def run_in_copy(blocks: list[Block], folder: Path, environment: dict[str, str]) -> list[Outcome]:
    """Run blocks in order in a folder with the samples; stops after the first that fails."""
    outcomes: list[Outcome] = []
    for name in ("data_samples", "configs"):
        shutil.copytree(ROOT / name, folder / name)
    for block in blocks:
        command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*command, block.code], cwd=folder, env=environment, capture_output=True, text=True, timeout=900
        )
        missing = tuple(name for name in block.outputs if not (folder / name).exists())
        outcomes.append(Outcome(block, done.returncode, done.stderr, missing))
        if done.returncode != 0:
            break
    return outcomes


@pytest.mark.parametrize("blocks", list(promises(slow=False)))
def test_code_blocks_of_a_page_run_in_order(blocks: list[Block], tmp_path: Path, environment: dict[str, str]) -> None:
    outcomes = run_in_copy(blocks, tmp_path, environment)
    assert [outcome for outcome in outcomes if outcome.returncode != 0] == []
    assert [outcome for outcome in outcomes if "Traceback" in outcome.stderr or outcome.missing] == []
    assert [outcome.block for outcome in outcomes] == blocks


@pytest.mark.slow
@pytest.mark.parametrize("blocks", list(promises(slow=True)))
def test_slow_code_blocks_of_a_page_run_in_order(
    blocks: list[Block], tmp_path: Path, environment: dict[str, str]
) -> None:
    outcomes = run_in_copy(blocks, tmp_path, environment)
    assert [outcome for outcome in outcomes if outcome.returncode != 0] == []
    assert [outcome for outcome in outcomes if "Traceback" in outcome.stderr or outcome.missing] == []
    assert [outcome.block for outcome in outcomes] == blocks


def test_code_blocks_use_only_known_words() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    unknown = {page.name: block.words - WORDS for page in pages for block in blocks_of(page) if block.words - WORDS}
    assert unknown == {}


def test_readme_opens_with_the_two_commands_that_set_up() -> None:
    openings = [match["code"] for match in FENCE.finditer((ROOT / "README.md").read_text(encoding="utf-8"))]
    assert all("python3 -m venv" in code for code in openings[:SET_UP_BLOCKS])
    assert "rsgan superres" in openings[0]
    assert "pytest" in openings[1]
