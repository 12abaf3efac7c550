"""The other verbs, and the help of all: examples that run, nothing heavy for a question."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import Result

from rsgan.cli import VERBS, main
from rsgan.model import find_model, read_card, zoo_names

Run = Callable[..., Result]


def examples(verb: str) -> list[list[str]]:
    """The commands below 'Examples:' in the help of a verb, as words."""
    command = main.get_command(click.Context(main), verb)
    lines = (command.help or "").split("Examples:")[1].splitlines()
    return [line.split()[1:] for line in lines if line.strip().startswith("rsgan")]


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_ends_with_examples_of_it(run: Run, verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    found = examples(verb)
    assert len(found) >= 2
    assert {words[0] for words in found} == {verb}
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "Examples:" in lines
    assert {" ".join(["rsgan", *words]) for words in found} <= set(lines)


def test_help_names_every_verb(run: Run) -> None:
    result = run("--help")
    for verb, summary in VERBS.items():
        assert re.search(rf"{verb}\s+{re.escape(summary)}", result.stdout)
        command = main.get_command(click.Context(main), verb)
        assert command.get_short_help_str(100) == summary


def test_the_examples_of_superres_run(run: Run, make_scene: Callable[..., Path]) -> None:
    values = np.random.default_rng(5).integers(500, 3000, (4, 20, 30)).astype(np.uint16)
    for words in examples("superres"):
        make_scene(values=values)
        if words[1] == "archive/*.tif":  # the shell's work
            words[1] = "scene.tif"
        for name, band in zip(("B02", "B03", "B04", "B08"), values, strict=True):
            make_scene(f"{name}.tif", values=band[None], descriptions=())
        result = run(*words)
        assert (result.exit_code, result.stdout) in ((0, "sharper.tif\n"), (0, "sharper/scene_x2.tif\n"))
        shutil.rmtree("sharper", ignore_errors=True)
        for path in Path.cwd().iterdir():
            path.unlink()


@pytest.mark.parametrize("verb", ["models", "card"])
def test_the_examples_of_the_questions_run(run: Run, verb: str) -> None:
    for words in examples(verb):
        result = run(*words)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "s2-rgbn-" in result.stdout


def test_models_are_listed_one_per_line(run: Run) -> None:
    lines = run("models").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(zoo_names())
    told = dict(zip(zoo_names(), lines, strict=True))
    assert "any band, 10 m -> 5 m" in told["any-x2"]
    assert "B05 B06 B07 B8A B11 B12 guided by B02 B03 B04 B08, 20 m -> 10 m, sentinel-2a" in told["s2-20to10"]
    assert "hazy B02 B03 B04 B08 -> clear B02 B03 B04 B08, 10 m, sentinel-2a" in told["s2-dehaze"]
    assert "B02 B03 B04 B08, 10 m -> 5 m, sentinel-2a" in told["s2-rgbn-x2"]
    assert "B02 B03 B04 B08; damaged spruce, burned, water" in told["synth-landcover"]


def test_models_and_cards_speak_json(run: Run) -> None:
    cards = [read_card(find_model(name)).model_dump(mode="json") for name in zoo_names()]
    assert json.loads(run("models", "--json").stdout) == cards
    assert json.loads(run("card", "s2-rgbn-x4", "--json").stdout) == cards[zoo_names().index("s2-rgbn-x4")]


def test_a_card_says_what_the_model_is_for(run: Run, model: Path) -> None:
    text = run("card", model).stdout
    for part in ("tiny-x2: superres, licence CC0-1.0", "pixels: 10 m -> 5 m (scale 2)", "  - random weights"):
        assert part in text


def test_a_card_that_is_not_there_is_an_error(run: Run) -> None:
    result = run("card", "s9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "no such model. In the package: any-x2, landcover-encoder, s2-20to10, s2-dehaze, s2-rgbn-x2, " in result.stderr
    )


def test_an_unknown_verb_is_wrong_use(run: Run) -> None:
    result = run("sharpen")
    assert result.exit_code == 2
    assert "No such command 'sharpen'" in result.stderr


def test_version_is_the_packages(run: Run) -> None:
    import rsgan

    assert rsgan.__version__ in run("--version").stdout


@pytest.mark.parametrize("words", [["--help"], ["superres", "--help"], ["models", "--help"]])
def test_help_imports_neither_torch_nor_rasterio(words: list[str]) -> None:
    code = (
        "import sys\nfrom rsgan.cli import main\n"
        f"main({words!r}, standalone_mode=False)\n"
        "print([m for m in ('torch', 'rasterio', 'numpy', 'scipy', 'pydantic') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
