import importlib.util
import platform
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "results.py"


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("benchmark_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_section_is_replaced_and_its_neighbours_stay(results, tmp_path):
    path = tmp_path / "RESULTS.md"
    results.record("first.py", "old", path)
    results.record("second.py", "other\n\n### detail\n\nmore", path)
    before = path.read_text()
    results.record("first.py", "new", path)
    assert path.read_text() == before.replace("old", "new")
    assert path.read_text().startswith(results.TITLE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["RESULTS.md"]


def test_recording_twice_changes_nothing(results, tmp_path):
    path = tmp_path / "RESULTS.md"
    results.record("a.py", results.table(("method", "PSNR"), [("bicubic", "38.10")]), path)
    once = path.read_text()
    results.record("a.py", results.table(("method", "PSNR"), [("bicubic", "38.10")]), path)
    assert path.read_text() == once
    assert "| method | PSNR |\n| --- | ---: |\n| bicubic | 38.10 |" in once


def test_a_ragged_row_is_refused(results):
    with pytest.raises(ValueError, match="has 1 cells; the header has 2"):
        results.table(("a", "b"), [("only",)])


def test_the_machine_line_has_versions_and_no_host_name(results):
    line = results.machine()
    assert f"Python {platform.python_version()}" in line
    assert "numpy " in line
    assert not platform.node() or platform.node() not in line


def test_a_block_of_a_page_is_renewed_and_nothing_else(results, tmp_path):
    page = tmp_path / "PAGE.md"
    page.write_text("before\n<!-- sar -->\nold\n<!-- /sar -->\nafter\n<!-- other -->\n<!-- /other -->\n")
    for _ in range(2):
        results.renew_block("sar", "| new |", page)
        assert page.read_text() == (
            "before\n<!-- sar -->\n| new |\n<!-- /sar -->\nafter\n<!-- other -->\n<!-- /other -->\n"
        )
