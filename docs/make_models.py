"""Write the models' tables in models.md from the cards inside the model files: `python docs/make_models.py`."""

from collections.abc import Iterator

from generated import write_block

from rsgan.card import Figure, ModelCard
from rsgan.model import find_model, read_card

PAGE = "models.md"
MODELS = (
    "any-x2", "landcover-encoder", "s2-20to10", "s2-dehaze", "s2-rgbn-x2", "s2-rgbn-x4", "sar-despeckle",
    "synth-landcover",
)  # fmt: skip


def block_name(model: str) -> str:
    """Name of the block of one model."""
    return f"card:{model}"


def card_block(model: str) -> str:
    """Markdown of one model's card."""
    card = read_card(find_model(model))
    parts = [_facts(card), _figures(card), _sentences("Trained on", card.training_data)]
    return "\n\n".join([*parts, _sentences("Limits, as its card states them", card.limits)])


def _facts(card: ModelCard) -> str:
    second = "yes" if card.objective != "none" else "no: `--sharpness` stays 0"
    rows = (
        ("bands, in this order", f"{' '.join(card.bands)} ({card.sensor})" if card.bands else "any, one at a time"),
        *_physics(card),
        ("default sharpness", f"{card.sharpness:g}"),
        ("adversarial generator", second),
        ("training chips seen", f"{card.samples_seen:,}"),
        ("licence of the weights", card.licence),
    )
    return "\n".join(["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)])


def _physics(card: ModelCard) -> Iterator[tuple[str, str]]:
    """What the task's sensor model has to do with."""
    if card.classes:
        yield "classes, in this order", ", ".join(card.classes)
        yield "network", _chips(card)
        return
    if card.source is not None and card.target is not None:
        yield "domains", f"{card.source.name} -> {card.target.name}" + (", and back" if card.generator.back else "")
        yield "ground sampling distance", card.pixels_in_words
        yield "network", f"{card.generator.forth.kind}, {card.generator.forth.channels} channels"
        return
    if card.looks is not None and card.correlation is not None:
        yield "looks seen in training", "{:g} to {:g}".format(*card.looks)
        yield "correlation of neighbours seen in training", "{:g} to {:g}".format(*card.correlation)
        yield (
            "network",
            f"a pyramid of {' '.join(map(str, card.generator.channels))} channels, told looks and correlation",
        )
        return
    if card.guide:
        yield "guided by", f"{' '.join(card.guide)} in pixels of {card.gsd_m / card.scale:g} m"
    yield "ground sampling distance", f"{card.gsd_m:g} m in, {card.gsd_m / card.scale:g} m out (scale {card.scale})"
    yield (
        "network",
        (
            f"{card.generator.blocks} blocks of {card.generator.channels} channels, then "
            f"{card.generator.consistency_steps} consistency steps"
        ),
    )
    yield "point spread functions seen in training", "sigma {:g} to {:g} input pixels".format(*card.sigma)
    yield "noise seen in training", "{:g} to {:g} reflectance, and none".format(*card.noise)
    yield "tells how wrong pixels may be", "yes: `--uncertainty`" if card.uncertainty else "no"


def _chips(card: ModelCard) -> str:
    """Of a model that makes chips, or tells their classes."""
    config = card.generator
    if card.task == "encode":
        return f"{config.network} up to its halving number {config.depth}"
    return (
        f"{config.network.kind}, chips of {config.side} x {config.side} pixels, {config.network.most} channels at most"
    )


def _figures(card: ModelCard) -> str:
    if not card.metrics:
        return "This file's card holds no held-out figures."
    head = ["| protocol | figure | this model | best learning-free baseline | spread of the difference |"]
    return "\n".join([*head, "|---|---|---:|---:|---:|", *map(_row, card.metrics)])


def _row(figure: Figure) -> str:
    values = " | ".join(f"{value:.3f}" for value in (figure.ours, figure.baseline, figure.spread))
    return f"| {figure.protocol} | {figure.what} | {values} |"


def _sentences(title: str, sentences: tuple[str, ...]) -> str:
    return "\n".join([f"{title}:", "", *(f"- {sentence}" for sentence in sentences)])


if __name__ == "__main__":
    for each in MODELS:
        write_block(PAGE, block_name(each), card_block(each))
