import pytest
from pydantic import BaseModel

from rsgan.nn import discriminators, generators
from rsgan.nn.discriminators import (
    DiscriminatorConfig,
    PatchDiscriminator,
    SpeckleDiscriminator,
    TranslationDiscriminator,
    build_discriminator,
)
from rsgan.nn.generators import (
    DespeckleGenerator,
    GeneratorConfig,
    ResidualGenerator,
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
ALL = ((RESIDUAL, PATCH), (DESPECKLE, SPECKLE), (TRANSLATION, TWO_DOMAINS))


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [((RESIDUAL, PATCH), (ResidualGenerator, PatchDiscriminator)),
     ((DESPECKLE, SPECKLE), (DespeckleGenerator, SpeckleDiscriminator)),
     ((TRANSLATION, TWO_DOMAINS), (TranslationGenerator, TranslationDiscriminator))],
    ids=["residual", "despeckle", "translation"],
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
