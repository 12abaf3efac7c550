"""Pages say what cards, commands and decisions say."""

import importlib
from pathlib import Path

import pytest

from rsgan.cli import VERBS
from rsgan.errors import ModelError
from rsgan.model import zoo_names


@pytest.mark.parametrize("model", zoo_names())
def test_models_page_says_what_the_cards_say(model: str, docs: Path) -> None:
    make_models, generated = importlib.import_module("make_models"), importlib.import_module("generated")
    written = generated.block(make_models.PAGE, make_models.block_name(model))
    assert written == make_models.card_block(model), "older than the card: run python docs/make_models.py"


def test_models_page_shows_every_model_of_the_package(docs: Path) -> None:
    assert importlib.import_module("make_models").MODELS == zoo_names()


@pytest.mark.parametrize("verb", VERBS)
def test_command_line_page_says_what_the_commands_say(verb: str, docs: Path) -> None:
    make_reference, generated = importlib.import_module("make_reference"), importlib.import_module("generated")
    written = generated.block(make_reference.CLI_PAGE, make_reference.block_name(verb))
    assert written == make_reference.help_block(verb), "older than the command: run python docs/make_reference.py"


def test_list_of_decisions_is_complete(docs: Path) -> None:
    make_reference, generated = importlib.import_module("make_reference"), importlib.import_module("generated")
    written = generated.block(make_reference.DECISIONS_PAGE, make_reference.DECISIONS_BLOCK)
    assert written == make_reference.decisions_block(), "a decision is missing: run python docs/make_reference.py"


def test_a_model_without_a_file_has_no_block(docs: Path) -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        importlib.import_module("make_models").card_block("no-such-model")


def test_a_page_without_markers_is_named(docs: Path) -> None:
    with pytest.raises(SystemExit, match=r"index\.md: expected one '<!-- nothing -->'"):
        importlib.import_module("generated").block("index.md", "nothing")
