"""The site builds, complete and without a word to the outside."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PICTURES = sorted((DOCS / "img").glob("*.png"))
LOADS = re.compile(r'<(?:script|img|iframe)[^>]*\bsrc="?(?:https?:)?//|<link[^>]*\bhref="?(?:https?:)?//')


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("material") is None, reason="needs the extra docs")
def test_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    pages = {page.relative_to(tmp_path / "site"): page.read_text("utf-8") for page in tmp_path.rglob("*.html")}
    assert Path("models.html") in pages
    assert [str(name) for name, text in pages.items() if LOADS.search(text)] == []
    assert [str(name) for name, text in pages.items() if "```" in text] == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_pictures_are_small_and_used(picture: Path) -> None:
    used = [page.name for page in DOCS.glob("*.md") if f"img/{picture.name}" in page.read_text(encoding="utf-8")]
    assert picture.stat().st_size < 400_000
    assert used
    with Image.open(picture) as opened:
        assert max(opened.size) <= 2200


def test_every_picture_that_a_page_shows_is_there() -> None:
    shown = {name for page in DOCS.glob("*.md") for name in re.findall(r"\(img/([^)]+)\)", page.read_text("utf-8"))}
    assert shown == {picture.name for picture in PICTURES}


def test_files_that_pages_name_are_there() -> None:
    named = re.compile(r"`((?:rsgan|tests|configs|benchmarks|data_samples|docs)/[\w/.-]+\.(?:py|yaml|tif|md))`")
    missing = [
        f"{page.name}: {path}"
        for page in DOCS.rglob("*.md")
        for path in named.findall(page.read_text("utf-8"))
        if not (ROOT / path).exists() and "NAME" not in path
    ]
    assert missing == []
