from pydantic import BaseModel

from rsgan.nn import discriminators, generators
from rsgan.nn.discriminators import DiscriminatorConfig, PatchDiscriminator, build_discriminator
from rsgan.nn.generators import GeneratorConfig, ResidualGenerator, build_generator


class Both(BaseModel):
    """Where configs come from: YAML, read by pydantic."""

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig


def test_a_config_builds_the_network_of_its_kind() -> None:
    sizes = {"bands": 3, "scale": 2, "channels": 6}
    both = Both.model_validate(
        {"generator": {"kind": "residual", **sizes}, "discriminator": {"kind": "patch", **sizes}}
    )
    generator, discriminator = build_generator(both.generator), build_discriminator(both.discriminator)
    assert (type(generator), generator.config) == (ResidualGenerator, both.generator)
    assert (type(discriminator), discriminator.config) == (PatchDiscriminator, both.discriminator)


def test_every_kind_is_the_one_that_its_config_states() -> None:
    residual = generators.ResidualGeneratorConfig(bands=1, scale=1)
    patch = discriminators.PatchDiscriminatorConfig(bands=1, scale=1)
    assert set(generators.KINDS) == {residual.kind}
    assert set(discriminators.KINDS) == {patch.kind}
