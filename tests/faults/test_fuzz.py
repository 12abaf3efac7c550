"""Readers of files from elsewhere, given what no one would write: a value, or an error of ours, and soon.

For hours: RSGAN_FUZZ=1000000 python -m pytest tests/faults/test_fuzz.py
"""

# ruff: noqa: PT017 - that there is an error is no matter of course here; what it says is

import json
import os
import random
import struct
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


def opened(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(content)
        try:
            model = open_model(path)
        except RsganError as error:
            assert len(str(error)) < 5000
        else:
            assert model.card.name


@TESTED
@given(place=st.sampled_from(places(CARD)), value=VALUES)
def test_a_card_with_a_strange_value(place: tuple[object, ...], value: object) -> None:
    opened(model_of(json.dumps(planted(CARD, place, value))))


@TESTED
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_a_card_of_any_text(text: str) -> None:
    opened(model_of(text))


@TESTED
@given(seed=st.integers(0, 2**32), count=st.integers(1, 8), header=st.booleans())
def test_a_model_with_changed_bytes(seed: int, count: int, header: bool) -> None:
    content, rng = bytearray(SHIPPED), random.Random(seed)
    for _ in range(count):
        content[rng.randrange(8 + HEADER if header else len(content))] = rng.randrange(256)
    opened(bytes(content))


@TESTED
@given(content=st.binary(max_size=200))
def test_a_model_of_any_bytes(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(content)
        try:
            read_card(path)
        except RsganError as error:
            assert str(path) in str(error)


def loaded(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            load_config(path)
        except RsganError as error:
            assert str(path) in str(error)


@TESTED
@given(place=st.sampled_from(places(yaml.safe_load(CONFIG))), value=VALUES)
def test_a_config_with_a_strange_value(place: tuple[object, ...], value: object) -> None:
    loaded(yaml.safe_dump(planted(yaml.safe_load(CONFIG), place, value)))


@TESTED
@given(text=st.text(alphabet="abc:{}[]*&!|>-?#'\"%@`,\n 0123456789.e<\t\x00\u2028", max_size=60))
def test_a_config_of_any_text(text: str) -> None:
    loaded(text)


@TESTED
@given(seed=st.integers(0, 2**32), count=st.integers(1, 6))
def test_a_config_with_changed_letters(seed: int, count: int) -> None:
    rng, letters = random.Random(seed), list(CONFIG)
    for _ in range(count):
        letters[rng.randrange(len(letters))] = rng.choice(":{}[]*&!|>-?#'\"%@`,\n \t0aé\x00\ud800")
    loaded("".join(letters))


@TESTED
@given(content=st.binary(max_size=80) | st.text(alphabet="0123456789,;\"'\n\r -abé\x00²٣", max_size=80).map(str.encode))
def test_a_legend_of_any_bytes(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "legend.csv"
        path.write_bytes(content)
        try:
            names = read_legend(path)
        except RsganError as error:
            assert "--legend" in str(error)
        else:
            assert all(isinstance(number, int) for number in names)
