import pytest
from pydantic import ValidationError

from rsgan.card import Figure, ModelCard
from rsgan.nn.discriminators import PatchDiscriminatorConfig
from rsgan.nn.generators import ResidualGeneratorConfig


@pytest.fixture
def fields() -> dict:
    return {
        "name": "s2-x2",
        "task": "superres",
        "sensor": "sentinel-2a",
        "bands": ("B02", "B03", "B04", "B08"),
        "gsd_m": 10.0,
        "scale": 2,
        "generator": ResidualGeneratorConfig(bands=4, scale=2),
        "discriminator": PatchDiscriminatorConfig(bands=4, scale=2),
        "objective": "non-saturating",
        "sigma": (0.3, 0.5),
        "noise": (0.0002, 0.003),
        "samples_seen": 1000,
        "training_data": ("synthetic, CC0",),
        "metrics": (Figure(protocol="P40 x2", what="PSNR, dB", ours=41.5, baseline=40.3, spread=0.2),),
        "limits": ("not for counting cars",),
        "licence": "Apache-2.0",
        "config_sha256": "0" * 64,
    }


def test_a_card_comes_back_from_its_json_as_it_was(fields: dict) -> None:
    card = ModelCard(**fields)
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    assert card.sharpness == 0
    assert card.probe is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("task", "colourise"),
        ("gsd_m", 0),
        ("scale", 0),
        ("sharpness", 1.5),
        ("objective", "guesswork"),
        ("samples_seen", -1),
        ("colour", "blue"),
    ],
)
def test_a_foreign_field_or_value_is_refused_by_name(fields: dict, key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        ModelCard(**(fields | {key: value}))


@pytest.mark.parametrize("key", ["licence", "limits", "training_data", "bands", "gsd_m"])
def test_a_card_must_state_what_its_user_needs_to_know(fields: dict, key: str) -> None:
    del fields[key]
    with pytest.raises(ValidationError, match=key):
        ModelCard(**fields)


def test_a_card_cannot_be_changed(fields: dict) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ModelCard(**fields).sharpness = 1.0
