import re
from pathlib import Path

import pytest
import yaml

from rsgan.catalogue import SENSORS
from rsgan.errors import ConfigError
from rsgan.training.loading import load_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.fixture
def settings() -> dict:
    return yaml.safe_load((CONFIGS[0].parent / "smoke_cpu.yaml").read_text(encoding="utf-8"))


def refused(settings: object, folder: Path) -> str:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads_and_names_a_known_sensor_with_its_bands(path: Path) -> None:
    config = load_config(path)
    if config.task == "superres":
        assert config.model.name.replace("-", "_") in path.stem
        names = {band.name for band in SENSORS[config.model.sensor].bands}
        assert set(config.model.bands) <= names
    assert config.training.faithful_samples + config.training.adversarial_samples > 0
    assert not config.data.root.is_absolute()


def test_a_saved_config_loads_as_the_same_config(tmp_path: Path) -> None:
    config = load_config(CONFIGS[0])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml") == config


def test_a_misspelt_key_is_refused_with_its_path(settings: dict, tmp_path: Path) -> None:
    settings["training"]["learning_rat"] = 1e-3
    message = refused(settings, tmp_path)
    assert "training.learning_rat" in message
    assert "Extra inputs" in message
    assert "did you mean learning_rate?" in message


def test_every_wrong_setting_is_named_at_once(settings: dict, tmp_path: Path) -> None:
    settings["training"]["batch_size"] = 0
    settings["data"]["procedural"] = 1.5
    settings["data"]["training"][0]["shar"] = 2
    del settings["seed"]
    message = refused(settings, tmp_path)
    for path in ("training.batch_size", "data.procedural", "data.training.0.shar", "seed"):
        assert path in message
    assert "4 wrong" in message


def test_a_number_that_yaml_reads_as_text_is_a_number_here(settings: dict, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(settings).replace("learning_rate: 0.002", "learning_rate: 2e-3"), encoding="utf-8")
    assert load_config(path).training.learning_rate == 2e-3


@pytest.mark.parametrize(
    ("section", "key", "value", "found"),
    [
        ("generator", "bands", 3, "generator.bands is 3"),
        ("discriminator", "bands", 5, "discriminator.bands is 5"),
        ("discriminator", "scale", 4, "discriminator.scale 4"),
        ("training", "chip_size", 49, "training.chip_size 49"),
        ("sensor", "sigma", [0.5, 0.3], "sensor: Value error, sigma is [0.5, 0.3]"),
        ("sensor", "sigma", [0.3, 0.7], "within 0 .. 0.65"),
        ("sensor", "noise", [0.0, 0.003], "noise is [0, 0.003]"),
        ("model", "sensor", "sentinel-9", "model: Value error, names sensor 'sentinel-9'"),
        ("model", "bands", ["B02", "B03", "B04", "B99"], "names bands B99 of sensor 'sentinel-2a'"),
    ],
)
def test_sections_that_do_not_fit_are_refused_with_their_numbers(
    settings: dict, tmp_path: Path, section: str, key: str, value: object, found: str
) -> None:
    settings[section][key] = value
    assert found in refused(settings, tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(("text", "found"), [("- a\n- b\n", "list"), ("", "NoneType"), ("words", "str")])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"holds {found}, expected a mapping"):
        load_config(path)


def test_broken_yaml_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("task: [superres\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(path)


def test_settings_are_overridden_by_their_path(settings: dict, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    changes = ["training.batch_size=3", "training.learning_rate=5e-5", "adversary.objective=hinge", "seed = 9"]
    changed = load_config(path, [*changes, 'training.start_from="s2-rgbn-x2"'])
    assert (changed.training.batch_size, changed.training.learning_rate, changed.seed) == (3, 5e-5, 9)
    assert (changed.adversary.objective, changed.training.start_from) == ("hinge", "s2-rgbn-x2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.batch_size", "expected section.key=value"),
        ("=3", "expected section.key=value"),
        ("seed.low=3", "seed is 1, not a section"),
        ("training.batch_size=[", "no value that YAML knows"),
        ("training.batchsize=8", "training.batchsize.*did you mean batch_size"),
        ("training.batch_size=many", "training.batch_size"),
    ],
)
def test_an_override_that_cannot_be_is_refused(settings: dict, tmp_path: Path, change: str, words: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(settings | {"seed": 1}), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_config(path, [change])


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("source", {"holds": ["B05"]}, r"holds B05, which model\.bands does not name"),
        ("source", {"zoom": [0.5, 1.0]}, "1 or more pixels of the files"),
        ("source", {"zoom": [2.0, 1.0]}, "expected lowest, highest"),
        ("source", {"coarsen": 2}, "are for models with a guide; give zoom"),
        ("sensor", {"interpolated": 0.5, "sigma": [0.1, 0.5]}, r"lowest sensor\.sigma of half an output pixel"),
        ("sensor", {"misregistration": 3.0}, "expected half an input pixel, 1, at most"),
    ],
)
def test_sources_and_sensors_that_cannot_be_meant_are_refused(
    settings: dict, tmp_path: Path, section: str, change: dict, expected: str
) -> None:
    place = settings["data"]["training"][0] if section == "source" else settings.setdefault("sensor", {})
    place |= change
    assert re.search(expected, refused(settings, tmp_path))
