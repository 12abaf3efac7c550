r"""Write cli.md from the commands and the list of decisions from their headings: `python docs/make_reference.py`.

Examples in a command's help follow a `\b`, click's mark for text that is not to be wrapped.
"""

import inspect
import re
from collections.abc import Iterator

import click
from generated import FOLDER, write_block

from rsgan.cli import VERBS, main

CLI_PAGE = "cli.md"
DECISIONS_PAGE = "decisions/index.md"
DECISIONS_BLOCK = "decisions"


def block_name(verb: str) -> str:
    """Name of the block of one verb."""
    return f"help:{verb}"


def help_block(verb: str) -> str:
    """Markdown of one verb: usage, what it does, options, examples."""
    context = click.Context(main)
    command = main.get_command(context, verb)
    if command is None:
        raise SystemExit(f"there is no verb {verb}; known are {' '.join(VERBS)}")
    usage = " ".join(["rsgan", verb, *command.collect_usage_pieces(click.Context(command))])
    about, _, examples = inspect.cleandoc(command.help or "").replace("\\b", "\b").partition("\b")
    options = ["| option | meaning |", "|---|---|", *_options(command)]
    lines = [line.strip() for line in examples.splitlines() if line.strip().startswith("rsgan ")]
    return "\n".join(["```text", usage, "```", "", about.strip(), "", *options, "", "```text", *lines, "```"])


def _options(command: click.Command) -> Iterator[str]:
    """One table row per option; a pipe inside a code span needs no escape."""
    context = click.Context(command)
    for option in command.params:
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record is not None:
            flags, text = (re.sub(r"\s+", " ", part).strip() for part in record)
            yield f"| `{flags}` | {text.replace('|', chr(92) + '|')} |"


def decisions_block() -> str:
    """Markdown list of the decisions, by number."""
    rows = []
    for path in sorted((FOLDER / "decisions").glob("[0-9]*.md")):
        heading = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        rows.append(f"- [{heading}]({path.name})")
    return "\n".join(rows)


if __name__ == "__main__":
    for each in VERBS:
        write_block(CLI_PAGE, block_name(each), help_block(each))
    write_block(DECISIONS_PAGE, DECISIONS_BLOCK, decisions_block())
