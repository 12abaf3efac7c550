import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import rsgan.model
from rsgan.card import ModelCard
from rsgan.errors import ModelError, RsganError
from rsgan.model import CARD_KEY, choose_device, find_model, open_model, read_card, save_model, zoo_names
from rsgan.nn.discriminators import PatchDiscriminator, PatchDiscriminatorConfig
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig, SensorState

GENERATOR = ResidualGeneratorConfig(bands=3, scale=2, channels=4, blocks=1, consistency_steps=1)
DISCRIMINATOR = PatchDiscriminatorConfig(bands=3, scale=2, channels=4, strided=1)


def make_card(**changes: object) -> ModelCard:
    fields = {
        "name": "tiny",
        "task": "superres",
        "sensor": "sentinel-2a",
        "bands": ("B02", "B03", "B04"),
        "gsd_m": 10.0,
        "scale": 2,
        "generator": GENERATOR,
        "discriminator": DISCRIMINATOR,
        "objective": "non-saturating",
        "sigma": (0.3, 0.5),
        "noise": (0.0002, 0.003),
        "samples_seen": 10,
        "training_data": ("synthetic",),
        "limits": ("none",),
        "licence": "Apache-2.0",
        "config_sha256": "0" * 64,
    }
    return ModelCard(**(fields | changes))


def generator(seed: int) -> ResidualGenerator:
    torch.manual_seed(seed)
    network = ResidualGenerator(GENERATOR)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    return network.eval()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    torch.manual_seed(2)
    states = [generator(0).state_dict(), generator(1).state_dict(), PatchDiscriminator(DISCRIMINATOR).state_dict()]
    save_model(path, make_card(), *states)
    return path


def test_a_model_comes_back_as_it_was_saved(model_file: Path) -> None:
    model = open_model(model_file)
    assert model.card == make_card() == read_card(model_file)
    for prefix, seed in (("faithful.", 0), ("adversarial.", 1)):
        for key, value in generator(seed).state_dict().items():
            assert torch.equal(model.tensors[prefix + key], value)
    assert model.sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert [path.name for path in model_file.parent.iterdir()] == [model_file.name]


@pytest.mark.parametrize("sharpness", [0.0, 0.25, 0.5, 1.0])
def test_sharpness_interpolates_the_weights(model_file: Path, sharpness: float) -> None:
    state = open_model(model_file).generator(sharpness).state_dict()
    faithful, adversarial = generator(0).state_dict(), generator(1).state_dict()
    for key, value in state.items():
        torch.testing.assert_close(value, (1 - sharpness) * faithful[key] + sharpness * adversarial[key])
    if sharpness == 0:
        assert all(torch.equal(value, faithful[key]) for key, value in state.items())


def test_the_ends_of_the_dial_enhance_as_the_two_generators_do(model_file: Path, rng: torch.Generator) -> None:
    observed = torch.randn(1, 3, 7, 6, generator=rng)
    sensor = SensorState(torch.full((1, 3), 0.4), torch.full((1, 3), 0.05))
    model = open_model(model_file)
    for sharpness, seed in ((0.0, 0), (1.0, 1)):
        torch.testing.assert_close(model.generator(sharpness)(observed, sensor), generator(seed)(observed, sensor))


def test_the_card_decides_the_default_sharpness(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    states = (generator(0).state_dict(), generator(1).state_dict())
    save_model(path, make_card(sharpness=0.5, discriminator=None), *states, None)
    model = open_model(path)
    for key, value in model.generator().state_dict().items():
        assert torch.equal(value, model.generator(0.5).state_dict()[key])


@pytest.mark.parametrize("sharpness", [-0.1, 1.01, float("nan")])
def test_a_sharpness_off_the_dial_is_refused(model_file: Path, sharpness: float) -> None:
    with pytest.raises(ModelError, match=f"--sharpness {sharpness} is outside 0"):
        open_model(model_file).generator(sharpness)


def test_sharpness_without_an_adversarial_generator_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, make_card(discriminator=None, objective="none"), generator(0).state_dict(), None, None)
    model = open_model(path)
    assert not model.has_adversarial
    with pytest.raises(ModelError, match="tiny has no adversarial generator; use --sharpness 0"):
        model.generator(0.5)
    with pytest.raises(ModelError, match="tiny holds no discriminator"):
        model.discriminator()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(model_file: Path, share: float) -> None:
    content = model_file.read_bytes()
    model_file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"tiny\.safetensors: not a whole model file"):
        open_model(model_file)


def test_a_file_without_our_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="without an rsgan card"):
        open_model(path)


@pytest.mark.parametrize("text", ["{}", "no json", '{"format": 9}'])
def test_a_foreign_card_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata={CARD_KEY: text})
    with pytest.raises(ModelError, match="its card is not one that this version of rsgan reads"):
        open_model(path)


@pytest.mark.parametrize("what", ["wider", "missing", "extra"])
def test_weights_that_do_not_fit_the_card_are_refused(tmp_path: Path, what: str) -> None:
    path, state = tmp_path / "m.safetensors", generator(0).state_dict()
    card = make_card(discriminator=None)
    if what == "wider":
        card = make_card(discriminator=None, generator=GENERATOR.model_copy(update={"channels": 8}))
    elif what == "missing":
        del state["tail.bias"]
    else:
        state["tail.spare"] = torch.zeros(1)
    save_model(path, card, state, None, None)
    with pytest.raises(ModelError, match="do not fit the architecture in its card"):
        open_model(path)


def test_a_model_that_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"--model nonesuch: no such model\. In the package: "):
        find_model("nonesuch")
    with pytest.raises(ModelError, match=r"gone\.safetensors: no such model file"):
        find_model(tmp_path / "gone.safetensors")


def test_a_shipped_model_is_found_by_its_name(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsgan.model, "ZOO", model_file.parent)
    assert zoo_names() == ("tiny",)
    assert find_model("tiny") == model_file
    assert open_model("tiny").card.name == "tiny"


@pytest.mark.parametrize("name", zoo_names())
def test_every_shipped_model_opens_under_the_name_in_its_card(name: str) -> None:
    model = open_model(name)
    assert model.card.name == name
    assert model.path.stat().st_size < 10_000_000
    assert model.card.licence
    assert model.card.limits
    assert model.card.generator.scale == model.card.scale
    assert model.card.generator.bands == (len(model.card.bands) or 1)
    assert model.card.generator.guides == len(model.card.guide)
    assert (model.card.uncertainty is not None) == (model.card.task == "superres")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "m.safetensors"
    with pytest.raises(ModelError, match=r"m\.safetensors: the model cannot be written"):
        save_model(path, make_card(), generator(0).state_dict(), None, None)


def test_a_failed_save_leaves_the_old_model(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model_file.read_bytes()

    def die(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(rsgan.model, "save_file", die)
    with pytest.raises(KeyboardInterrupt):
        save_model(model_file, make_card(), generator(3).state_dict(), None, None)
    assert model_file.read_bytes() == before
    assert [path.name for path in model_file.parent.iterdir()] == [model_file.name]


def test_devices_are_chosen_or_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(RsganError, match=r"--device cuda: this machine has none .* there is cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
