"""Files made to harm: nothing in them is run, they cost no memory, and they lead nowhere else."""

import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rsgan.card import Domain
from rsgan.errors import ConfigError, InputError, ModelError
from rsgan.geo.products import expand
from rsgan.model import CARD_KEY, open_model, read_card
from rsgan.runtimes import export
from rsgan.training.checkpoint import load_checkpoint
from rsgan.training.loading import load_config, read_yaml

SHIPPED = "any-x2"


class Harm:
    """A pickle that makes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def altered(tmp_path: Path) -> Callable[..., Path]:
    """A shipped model with another card or other weights."""

    def alter(card: dict[str, Any] | None = None, tensors: dict[str, torch.Tensor | None] | None = None) -> Path:
        shipped = open_model(SHIPPED)
        said = json.loads(shipped.card.model_dump_json())
        for key, value in (card or {}).items():
            *places, last = key.split(".")
            target = said
            for place in places:
                target = target[place]
            target[last] = value
        weights = load_file(shipped.path) | (tensors or {})
        path = tmp_path / "altered.safetensors"
        save_file({k: v for k, v in weights.items() if v is not None}, path, metadata={CARD_KEY: json.dumps(said)})
        return path

    return alter


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model.onnx"])
def test_a_pickle_is_no_model_and_is_not_run(tmp_path: Path, name: str) -> None:
    mark, path = tmp_path / "harm", tmp_path / name
    path.write_bytes(pickle.dumps(Harm(mark)))
    with pytest.raises(ModelError, match="not a whole model file"):
        open_model(path)
    torch.save({"faithful": Harm(mark)}, path)
    with pytest.raises(ModelError, match="not a whole model file"):
        open_model(path)
    assert not mark.exists()


def test_a_checkpoint_is_no_program(tmp_path: Path) -> None:
    mark, path = tmp_path / "harm", tmp_path / "checkpoint.pt"
    torch.save({"generator": Harm(mark)}, path)
    with pytest.raises(ConfigError):
        load_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize("size", [2**20, 2**40, 2**63, 2**64 - 1])
def test_a_header_that_is_longer_than_the_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", size) + b'{"a":1}')
    with pytest.raises(ModelError, match="not a whole model file"):
        read_card(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]},
        {"dtype": "X9", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
    ],
)
def test_a_tensor_that_is_not_there(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "m.safetensors"
    header = json.dumps({"__metadata__": {CARD_KEY: "{}"}, "a": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(ModelError, match="not a whole model file"):
        open_model(path)


@pytest.mark.parametrize(
    "card",
    [
        {"generator.channels": 4096},
        {"generator.blocks": 1000},
        {"generator.channels": 4096, "generator.blocks": 1000},
        {"uncertainty.head.channels": 4096},
        {"discriminator": {"kind": "patch", "bands": 1, "scale": 2, "channels": 4096}},
    ],
)
def test_a_card_of_a_huge_network_costs_no_memory(altered: Callable[..., Path], card: dict[str, Any]) -> None:
    path = altered(card)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"do not fit the architecture in its card \(\S+ is .*, expected "):
            open_model(path).discriminator()  # looked at when it is asked for
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("key", ["channels", "blocks", "bands", "scale", "consistency_steps", "guides"])
def test_a_card_beyond_all_measure_is_refused_as_such(altered: Callable[..., Path], key: str) -> None:
    with pytest.raises(ModelError, match=f"its card is not one .*{key}"):
        open_model(altered({f"generator.{key}": 10**9}))


def test_weights_of_another_type_or_without_a_number(altered: Callable[..., Path]) -> None:
    key = "faithful.head.weight"
    weight = load_file(open_model(SHIPPED).path)[key]
    with pytest.raises(ModelError, match=f"{key} is .* int8, expected .* floats"):
        open_model(altered(tensors={key: weight.to(torch.int8)}))
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ModelError, match=f"{key} holds numbers that are not finite"):
            open_model(altered(tensors={key: torch.full_like(weight, bad)}))
    with pytest.raises(ModelError, match=f"{key} is absent"):
        open_model(altered(tensors={key: None}))


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/b", "..", ".hidden", "a\\b", "a\nb", ""])
def test_a_name_that_leads_elsewhere(altered: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"its card is not one .*name"):
        export(open_model(altered({"name": name})), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="name"):
        Domain(name=name, bands=("a",), centre=(0.0,), spread=(1.0,))


def test_an_encoder_that_would_be_fetched(tmp_path: Path) -> None:
    from rsgan.nn.generators.translation import UnetConfig

    for encoder in ("tu-hf-hub:someone/model", "tu-local-dir:models/x", "../x"):
        with pytest.raises(ValueError, match="encoder"):
            UnetConfig(bands=1, target_bands=1, encoder=encoder)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "[" * 100_000,
        "{a: " * 50_000,
        "!!python/object/apply:os.system ['touch harm']",
        "task: !!python/name:os.system",
        "&x [*x]",
        f"task: {'9' * 10_000}",
        "task: 2020-99-99",
        "? {a: 1}\n: 2",
        "<<: 1",
        "task: superres\ntraining: {batch_size: 1e400}",
    ],
)
def test_hostile_yaml_is_refused(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert len(str(refused.value)) < 20_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.yaml"]


def test_aliases_are_taken_where_they_stand_for_little() -> None:
    assert read_yaml("a: &a [1, 2]\nb: {<<: &c {x: *a}, y: *a}") == {"a": [1, 2], "b": {"x": [1, 2], "y": [1, 2]}}
    with pytest.raises(ConfigError, match="stand for more than 1,000,000 values"):
        read_yaml(BOMB)
    with pytest.raises(ConfigError, match="inside of what it stands for"):
        read_yaml("a: &a {b: *a}")


SAFE = """<n1:Level-2A_User_Product xmlns:n1="x">
<PRODUCT_URI>S2A_MSIL2A_20200101T000000_N0300_R000_T33UUU_x.SAFE</PRODUCT_URI>
<IMAGE_FILE>{name}/T33UUU_20200101T000000_B02_10m</IMAGE_FILE><PROCESSING_BASELINE>03.00</PROCESSING_BASELINE>
<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
</n1:Level-2A_User_Product>"""


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "/vsicurl/http://localhost:9", "GRANULE/../../x"])
def test_a_manifest_that_leads_out_of_its_product(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "S2A_MSIL2A_20200101T000000_N0300_R000_T33UUU_20200101T000000.SAFE"
    folder.mkdir()
    (folder / "MTD_MSIL2A.xml").write_text(SAFE.format(name=name), encoding="utf-8")
    with pytest.raises(InputError, match="which does not lie in it"):
        expand(folder)


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    path = tmp_path / "S2A_MSIL2A_20200101T000000_N0300_R000_T33UUU_20200101T000000.SAFE.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.SAFE/MTD_MSIL2A.xml", b"<a>" + bytes(2**26) + b"</a>")
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match="expected a metadata file of at most"):
        expand(path)


def test_entities_that_multiply(tmp_path: Path) -> None:
    folder = tmp_path / "S2A_MSIL2A_20200101T000000_N0300_R000_T33UUU_20200101T000000.SAFE"
    folder.mkdir()
    entities = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
    text = f'<!DOCTYPE a [<!ENTITY a "xxxxxxxxxx">{entities}]><a><PRODUCT_URI>&m;</PRODUCT_URI></a>'
    (folder / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        expand(folder)


def test_an_entity_that_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    folder = tmp_path / "S2A_MSIL2A_20200101T000000_N0300_R000_T33UUU_20200101T000000.SAFE"
    folder.mkdir()
    text = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><a><PRODUCT_URI>&x;</PRODUCT_URI></a>'
    (folder / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        expand(folder)
    assert "secret" not in str(refused.value)
