"""Where benchmark numbers go: one section per script in RESULTS.md, each with the machine and versions it ran on."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("numpy", "scipy", "scikit-image", "torch", "rasterio")
TITLE = "# Benchmark results\n\nEach section is written by the script that it names; run the script to renew it.\n"


def machine() -> str:
    """One line: processor, cores, system, Python and package versions; no host name."""
    processor = platform.processor() or platform.machine()
    parts = [f"{processor}, {os.cpu_count()} cores", platform.system(), f"Python {platform.python_version()}"]
    return "; ".join(parts + [f"{name} {_version(name)}" for name in PACKAGES])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers and set to the right.

    Raises:
        ValueError: A row has another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"The row {list(row)} has {len(row)} cells; the header has {len(header)}.")
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def record(script: str, body: str, path: Path = RESULTS) -> None:
    """Write or replace the section of `script` in the results file, and leave the other sections as they are."""
    text = path.read_text(encoding="utf-8") if path.exists() else TITLE
    title, *sections = text.split("\n## ")
    kept = {section.split("\n", 1)[0]: section.rstrip("\n") for section in sections}
    kept[script] = f"{script}\n\n{body.strip()}\n\n{machine()}"
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text("\n\n## ".join([title.rstrip("\n"), *kept.values()]) + "\n", encoding="utf-8")
    partial.replace(path)


def renew_block(name: str, text: str, path: Path = Path("README.md")) -> None:
    """Put `text` between the page's markers `<!-- name -->` and `<!-- /name -->`."""
    before, rest = path.read_text(encoding="utf-8").split(f"<!-- {name} -->")
    after = rest.split(f"<!-- /{name} -->")[1]
    path.write_text(f"{before}<!-- {name} -->\n{text}\n<!-- /{name} -->{after}", encoding="utf-8")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
