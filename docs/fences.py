"""A hook of mkdocs: the words behind a code block's language (`sh no-run`) are for the tests, not for the page."""

import re


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page with bare languages on its code blocks."""
    return re.sub(r"^(\s*```(?:sh|python)) [a-z -]+$", r"\1", markdown, flags=re.MULTILINE)
