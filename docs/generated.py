"""Blocks of a page that a script writes: everything between `<!-- name -->` and `<!-- /name -->`."""

from pathlib import Path

FOLDER = Path(__file__).parent


def block(page: str, name: str) -> str:
    """What stands between the markers of a page.

    Raises:
        SystemExit: the page has no such pair of markers.
    """
    start, end = _edges(page, (FOLDER / page).read_text(encoding="utf-8"), name)
    return (FOLDER / page).read_text(encoding="utf-8")[start:end].strip()


def write_block(page: str, name: str, content: str) -> None:
    """Put `content` between the markers of a page.

    Raises:
        SystemExit: the page has no such pair of markers.
    """
    text = (FOLDER / page).read_text(encoding="utf-8")
    start, end = _edges(page, text, name)
    (FOLDER / page).write_text(f"{text[:start]}\n\n{content}\n\n{text[end:]}", encoding="utf-8")


def _edges(page: str, text: str, name: str) -> tuple[int, int]:
    """Where the content of a block begins and ends."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(opening) != 1 or text.count(closing) != 1:
        raise SystemExit(
            f"docs/{page}: expected one '{opening}' and one '{closing}'. Add them where the block belongs."
        )
    return text.index(opening) + len(opening), text.index(closing)
