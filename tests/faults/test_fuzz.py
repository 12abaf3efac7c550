"""Readers of files from elsewhere, given what no one would write: a value, or an error of ours, and soon.

For hours: RSGAN_FUZZ=1000000 python -m pytest tests/faults/test_fuzz.py
"""

import json
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsgan.diagnose.landcover import read_legend
from rsgan.errors import RsganError
from rsgan.model import find_model, open_model, read_card
from rsgan.training.loading import load_config

SHIPPED = find_model("any-x2").read_bytes()
HEADER = struct.unpack("<Q", SHIPPED[:8])[0]
CARD = json.loads(json.loads(SHIPPED[8 : 8 + HEADER])["__metadata__"]["rsgan_card"])
CONFIG = (Path(__file__).parents[2] / "configs" / "superres_s2_rgbn_x2.yaml").read_text(encoding="utf-8")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**9, -1, "../x", ""])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
TESTED = settings(
    max_examples=int(os.environ.get("RSGAN_FUZZ", "100")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def places(tree: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Where values lie in a tree of dicts and lists."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def planted(tree: object, path: tuple[object, ...], value: object) -> object:
    """The tree with another value at one place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(tree, dict):
        return {key: planted(child, rest, value) if key == first else child for key, child in tree.items()}
    assert isinstance(tree, list)
    return [planted(child, rest, value) if place == first else child for place, child in enumerate(tree)]


def model_of(card: str, weights: bytes = SHIPPED[8 + HEADER :]) -> bytes:
    """The shipped model with another card."""
    header = json.loads(SHIPPED[8 : 8 + HEADER])
    header["__metadata__"]["rsgan_card"] = card
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + weights


def said(read: Callable[[Path], object], content: bytes, name: str = "m.safetensors") -> str:
    """What the error says that a reader ends in, with the file's name in it; "read" where it reads."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            read(path)
        except RsganError as error:
            return str(error) if str(path) in str(error) else ""
        return "read"


def is_short(text: str) -> bool:
    """Whether somebody can read it."""
    return 0 < len(text) < 20_000


@TESTED
@given(place=st.sampled_from(places(CARD)), value=VALUES)
def test_a_card_with_a_strange_value(place: tuple[object, ...], value: object) -> None:
    assert is_short(said(open_model, model_of(json.dumps(planted(CARD, place, value)))))


@TESTED
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_a_card_of_any_text(text: str) -> None:
    assert is_short(said(open_model, model_of(text)))


@TESTED
@given(seed=st.integers(0, 2**32), count=st.integers(1, 8), header=st.booleans())
def test_a_model_with_changed_bytes(seed: int, count: int, header: bool) -> None:
    content, rng = bytearray(SHIPPED), random.Random(seed)
    for _ in range(count):
        content[rng.randrange(8 + HEADER if header else len(content))] = rng.randrange(256)
    assert is_short(said(open_model, bytes(content)))


@TESTED
@given(content=st.binary(max_size=200))
def test_a_model_of_any_bytes(content: bytes) -> None:
    assert "not a whole model file" in said(read_card, content)


def of_config(text: str) -> str:
    """What is said of a config."""
    return said(load_config, text.encode("utf-8", "surrogatepass"), "run.yaml")


@TESTED
@given(place=st.sampled_from(places(yaml.safe_load(CONFIG))), value=VALUES)
def test_a_config_with_a_strange_value(place: tuple[object, ...], value: object) -> None:
    assert is_short(of_config(yaml.safe_dump(planted(yaml.safe_load(CONFIG), place, value))))


@TESTED
@given(text=st.text(alphabet="abc:{}[]*&!|>-?#'\"%@`,\n 0123456789.e<\t\x00\u2028", max_size=60))
def test_a_config_of_any_text(text: str) -> None:
    assert is_short(of_config(text))


@TESTED
@given(seed=st.integers(0, 2**32), count=st.integers(1, 6))
def test_a_config_with_changed_letters(seed: int, count: int) -> None:
    rng, letters = random.Random(seed), list(CONFIG)
    for _ in range(count):
        letters[rng.randrange(len(letters))] = rng.choice(":{}[]*&!|>-?#'\"%@`,\n \t0aé\x00\ud800")
    assert is_short(of_config("".join(letters)))


@TESTED
@given(content=st.binary(max_size=80) | st.text(alphabet="0123456789,;\"'\n\r -abé\x00²٣", max_size=80).map(str.encode))
def test_a_legend_of_any_bytes(content: bytes) -> None:
    assert is_short(said(read_legend, content, "legend.csv"))
