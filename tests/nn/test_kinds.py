import pytest
from pydantic import BaseModel

from rsgan.nn import discriminators, generators
from rsgan.nn.discriminators import (
    DiscriminatorConfig,
    PatchDiscriminator,
    SpeckleDiscriminator,
    SpeckleDiscriminatorConfig,
    build_discriminator,
)
from rsgan.nn.generators import DespeckleGenerator, GeneratorConfig, ResidualGenerator, build_generator


class Both(BaseModel):
    """Where configs come from: YAML, read by pydantic."""

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig


RESIDUAL = {"kind": "residual", "bands": 3, "scale": 2, "channels": 6}
PATCH = {"kind": "patch", "bands": 3, "scale": 2, "channels": 6}
DESPECKLE = {"kind": "despeckle", "channels": [4, 6], "descending": [0, 1], "ascending": [1]}
SPECKLE = {"kind": "speckle", "channels": 4}


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [((RESIDUAL, PATCH), (ResidualGenerator, PatchDiscriminator)),
     ((DESPECKLE, SPECKLE), (DespeckleGenerator, SpeckleDiscriminator))],
    ids=["residual", "despeckle"],
)  # fmt: skip
def test_a_config_builds_the_network_of_its_kind(settings: tuple[dict, dict], kinds: tuple[type, type]) -> None:
    both = Both.model_validate(dict(zip(("generator", "discriminator"), settings, strict=True)))
    generator, discriminator = build_generator(both.generator), build_discriminator(both.discriminator)
    assert (type(generator), type(discriminator)) == kinds
    assert (generator.config, discriminator.config) == (both.generator, both.discriminator)


def test_every_kind_is_the_one_that_its_config_states() -> None:
    residual = generators.ResidualGeneratorConfig(bands=1, scale=1)
    despeckle = generators.DespeckleGeneratorConfig(channels=(4, 4), descending=(0, 1), ascending=(1,))
    patch, speckle = discriminators.PatchDiscriminatorConfig(bands=1, scale=1), SpeckleDiscriminatorConfig()
    assert set(generators.KINDS) == {residual.kind, despeckle.kind} == {"residual", "despeckle"}
    assert set(discriminators.KINDS) == {patch.kind, speckle.kind} == {"patch", "speckle"}
