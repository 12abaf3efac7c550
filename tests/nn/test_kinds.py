import pytest
from pydantic import BaseModel

from rsgan.nn import discriminators, generators
from rsgan.nn.discriminators import (
    DiscriminatorConfig,
    ImageDiscriminator,
    PatchDiscriminator,
    SpeckleDiscriminator,
    TranslationDiscriminator,
    build_discriminator,
)
from rsgan.nn.generators import (
    ChipEncoder,
    DespeckleGenerator,
    GeneratorConfig,
    ResidualGenerator,
    SynthesisGenerator,
    TranslationGenerator,
    build_generator,
)


class Both(BaseModel):
    """Where configs come from: YAML, read by pydantic."""

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig


RESIDUAL = {"kind": "residual", "bands": 3, "scale": 2, "channels": 6}
PATCH = {"kind": "patch", "bands": 3, "scale": 2, "channels": 6}
DESPECKLE = {"kind": "despeckle", "channels": [4, 6], "descending": [0, 1], "ascending": [1]}
SPECKLE = {"kind": "speckle", "channels": 4}
TRANSLATION = {"kind": "translation", "forth": {"kind": "translator", "bands": 1, "target_bands": 2, "channels": 4}}
TWO_DOMAINS = {"kind": "translation", "source_bands": 1, "target_bands": 2, "channels": 4}
SYNTHESIS = {"kind": "synthesis", "bands": 1, "side": 32, "low": [-1], "high": [1], "network": {"kind": "style"}}
IMAGE = {"kind": "image", "bands": 1, "side": 32}
ENCODER = {"kind": "encoder", "bands": 1, "classes": 2, "depth": 2}
ALL = ((RESIDUAL, PATCH), (DESPECKLE, SPECKLE), (TRANSLATION, TWO_DOMAINS), (SYNTHESIS, IMAGE), (ENCODER, IMAGE))


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [((RESIDUAL, PATCH), (ResidualGenerator, PatchDiscriminator)),
     ((DESPECKLE, SPECKLE), (DespeckleGenerator, SpeckleDiscriminator)),
     ((TRANSLATION, TWO_DOMAINS), (TranslationGenerator, TranslationDiscriminator)),
     ((SYNTHESIS, IMAGE), (SynthesisGenerator, ImageDiscriminator)),
     ((ENCODER, IMAGE), (ChipEncoder, ImageDiscriminator))],
    ids=["residual", "despeckle", "translation", "synthesis", "encoder"],
)  # fmt: skip
def test_a_config_builds_the_network_of_its_kind(settings: tuple[dict, dict], kinds: tuple[type, type]) -> None:
    both = Both.model_validate(dict(zip(("generator", "discriminator"), settings, strict=True)))
    generator, discriminator = build_generator(both.generator), build_discriminator(both.discriminator)
    assert (type(generator), type(discriminator)) == kinds
    assert (generator.config, discriminator.config) == (both.generator, both.discriminator)


def test_every_kind_is_the_one_that_its_config_states() -> None:
    made = [Both.model_validate({"generator": g, "discriminator": d}) for g, d in ALL]
    assert set(generators.KINDS) == {one.generator.kind for one in made}
    assert set(discriminators.KINDS) == {one.discriminator.kind for one in made}
