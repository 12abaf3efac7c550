"""Runs that translate: Pix2Pix, CycleGAN and contrastive."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from pydantic import ValidationError

from rsgan.card import Domain
from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.nn.generators import TranslationGenerator
from rsgan.sensors.procedural import draw_scene
from rsgan.training.games.adversary import Adversary
from rsgan.training.loop import MODEL, Trainer, batches, train
from rsgan.training.tasks import task_of
from rsgan.training.translation.batch import DomainChips, collate
from rsgan.training.translation.config import TranslateConfig
from rsgan.training.translation.samples import load_samples

CPU = torch.device("cpu")
RGBN = ["B02", "B03", "B04", "B08"]
Make = Callable[..., TranslateConfig]


def write(path: Path, values: np.ndarray, names: list[str], east: float = 0.0) -> None:
    """A raster with rasterio alone; reflectance is stored times 10000."""
    path.parent.mkdir(exist_ok=True)
    count, height, width = values.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "uint16", "nodata": 0}
    with rasterio.open(
        path, "w", crs="EPSG:32633", transform=Affine(10, 0, 5e5 + east, 0, -10, 5e6), **profile
    ) as dataset:
        dataset.write(np.clip(np.rint(values * 1e4), 1, 65535).astype(np.uint16))
        dataset.descriptions = tuple(names)
        dataset.scales = (1e-4,) * count


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Pairs of red and of (green, near infrared) that follow from it, and RGBN land, at two places."""
    folder = tmp_path / "tiles"
    for number, place in enumerate("ab"):
        land, _ = draw_scene(np.random.default_rng(number), (80, 80), 10.0)
        write(folder / f"{place}_red.tif", land[2:3], ["B04"], number * 1e5)
        write(folder / f"{place}_two.tif", np.stack([2 * land[2], land[2] + 0.1]), ["B03", "B08"], number * 1e5)
        write(folder / f"{place}_land.tif", land, RGBN, number * 1e5)
    return folder


def domain(name: str, bands: list[str], centre: float = 0.1, spread: float = 0.1) -> dict[str, Any]:
    sides = {"centre": [centre] * len(bands), "spread": [spread] * len(bands)}
    return {"name": name, "sensor": "sentinel-2a", "bands": bands, **sides}


@pytest.fixture
def make(tiles: Path) -> Make:
    """A function that gives the config of a run of seconds; sections may be changed."""

    def config(kind: str, **changes: dict[str, Any]) -> TranslateConfig:
        paired = kind == "pix2pix"
        first, second = (["B04"], ["B03", "B08"]) if paired else (RGBN, RGBN)
        network = {"kind": "translator", "channels": 4, "halvings": 1, "blocks": 2}
        forth = {**network, "bands": len(first), "target_bands": len(second)}
        data: dict[str, Any] = {"root": str(tiles)}
        if paired:
            pair = {"partner": ["red", "two"]}
            data |= {
                "kind": "paired",
                "training": [{"glob": "a_red.tif", **pair}],
                "validation": [{"glob": "b_red.tif", **pair}],
            }
        else:
            data |= {
                "kind": "unpaired",
                "source": [{"glob": "a_land.tif"}],
                "target": [{"glob": "a_land.tif"}],
                "haze": {"thickness": [0.1, 0.4]},
                "hazed": 0.5,
                "hazed_validation": [{"glob": "b_land.tif"}],
            }
        parts: dict[str, Any] = {
            "task": "translate",
            "seed": 3,
            "model": {"name": "tiny", "licence": "CC0-1.0", "training_data": ["synthetic"], "limits": ["none"]},
            "source": domain("before", first),
            "target": domain("after", second),
            "generator": {
                "kind": "translation",
                "forth": forth,
                "back": {**network, "bands": len(second), "target_bands": len(first)} if kind == "cycle" else None,
                "projection": 8 if kind == "contrastive" else 0,
            },
            "discriminator": {
                "kind": "translation", "source_bands": len(first), "target_bands": len(second), "channels": 4,
                "strided": 1, "conditional": paired, "both": kind == "cycle",
            },
            "data": data,
            "losses": {"kind": kind},
            "adversary": {"objective": "least-squares"},
            "training": {
                "batch_size": 2, "chip_size": 32, "faithful_samples": 0, "adversarial_samples": 8,
                "learning_rate": 2e-3, "adversarial_learning_rate": 2e-3, "ema_half_life": 8, "threads": 1,
                "validate_every": 8, "checkpoint_every": 4, "log_every": 2, "probe_samples": 0,
            },
        }  # fmt: skip
        for section, settings in changes.items():
            parts[section] = parts[section] | settings if isinstance(settings, dict) else settings
        return TranslateConfig.model_validate(parts)

    return config


GAMES = pytest.mark.parametrize("kind", ["pix2pix", "cycle", "contrastive"])


@GAMES
def test_a_run_leaves_a_model_that_opens(make: Make, kind: str, tmp_path: Path) -> None:
    events = list(train(make(kind), tmp_path / "run", device=CPU))
    model = open_model(tmp_path / "run" / MODEL)
    assert (model.card.task, model.card.objective) == ("translate", "least-squares")
    assert model.card.source == make(kind).source
    assert not model.has_adversarial
    assert isinstance(model.generator(), TranslationGenerator)
    model.discriminator()
    assert (tmp_path / "run" / "panels" / "000000008.png").exists()
    figures = events[-1]
    assert figures["baseline/" + ("pairs" if kind == "pix2pix" else "hazed")] > 0
    assert "level" in figures


@GAMES
def test_resumed_equals_uninterrupted(make: Make, kind: str, tmp_path: Path) -> None:
    settings = {"history": 3} if kind != "pix2pix" else {}
    config = make(kind, adversary={"objective": "hinge", **settings})
    list(train(config, tmp_path / "whole", device=CPU))
    run = train(config, tmp_path / "parts", device=CPU)
    for values in run:
        if values["samples_seen"] >= 6:  # the checkpoint of 4 chips is the last one
            break
    run.close()
    list(train(config, tmp_path / "parts", device=CPU, resume=True))
    whole, parts = (open_model(tmp_path / name / MODEL).tensors for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_two_stages_give_two_generators(make: Make, tmp_path: Path) -> None:
    list(train(make("cycle", training={"faithful_samples": 4}), tmp_path / "run", device=CPU))
    assert open_model(tmp_path / "run" / MODEL).has_adversarial


def learnt(config: TranslateConfig) -> dict[str, float]:
    torch.set_num_threads(1)
    trainer = Trainer(config, CPU)
    trainer.task.load(CPU)
    for pairs in batches(trainer.task, config.training, 0):
        trainer.update(pairs)
    return trainer.task.validation.measure(trainer.averaged)


def one_to_one(make: Make, **changes: dict[str, Any]) -> TranslateConfig:
    """Pairs of one band and another: the network begins as the one that changes nothing."""
    network = {"kind": "translator", "bands": 1, "target_bands": 1, "channels": 4, "halvings": 1, "blocks": 1}
    return make(
        "pix2pix",
        target=domain("after", ["B03"]),
        generator={"forth": network},
        discriminator={"target_bands": 1},
        **changes,
    )


def test_pix2pix_learns_what_follows_from_the_source(make: Make, tiles: Path) -> None:
    """The target is the source and 0.03, 0.3 network units, at both places; the network begins at the source itself."""
    for number, place in enumerate("ab"):
        land, _ = draw_scene(np.random.default_rng(number), (80, 80), 10.0)
        write(tiles / f"{place}_two.tif", land[2:3] + 0.03, ["B03"], number * 1e5)
    training = {"adversarial_samples": 600, "batch_size": 4, "ema_half_life": 40, "adversarial_learning_rate": 5e-3}
    assert learnt(one_to_one(make, training=training))["error/pairs"] < 0.1


def haze_forth(removes: bool = True) -> dict[str, Any]:
    return {
        "kind": "haze", "bands": 4, "target_bands": 4, "wavelengths_um": [0.49, 0.56, 0.66, 0.83], "channels": 8,
        "cell": 4, "descending": [1, 1], "ascending": [1], "removes": removes,
    }  # fmt: skip


PLAIN = {"source": domain("hazy", RGBN, 0.0), "target": domain("clear", RGBN, 0.0)}


def test_the_adversaries_of_a_cycle_ask_for_haze_to_be_taken_off_and_laid_on(make: Make) -> None:
    """No pair is ever shown: judges that have learnt while both ways did next to nothing want more of either."""
    torch.set_num_threads(1)
    config = make(
        "cycle",
        **PLAIN,
        generator={"forth": haze_forth(), "back": haze_forth(removes=False)},
        data={
            "hazed": 1.0,
            "source": [],
            "haze": {"thickness": [0.4, 0.6], "contrast": [0, 0.2], "airlight": [0.6, 0.7]},
        },
        discriminator={"spectral_norm": False},
        training={
            "adversarial_samples": 160, "discriminator_warmup": 160, "batch_size": 8, "adversarial_learning_rate": 5e-3,
        },
    )  # fmt: skip
    trainer = Trainer(config, CPU)
    trainer.task.load(CPU)
    for chips in batches(trainer.task, config.training, 0):
        assert not any(name.startswith("generator") for name in trainer.update(chips))
    ways = [trainer.generator.forth, trainer.generator.back]
    chips = collate([trainer.task.dataset[index] for index in range(8)])
    asked = trainer.game.generator_terms(chips, True)["adversarial"]
    slopes = torch.autograd.grad(asked, [way.tail.bias for way in ways])
    assert max(float(slope[0]) for slope in slopes) < 0  # the loss falls as the haze that is found grows thicker


def test_sample_i_depends_on_seed_and_i_alone(make: Make) -> None:
    for kind in ("pix2pix", "cycle"):
        (first, *_), (again, *_) = load_samples(make(kind)), load_samples(make(kind))
        first[0]
        for one, other in zip(vars(first[5]).values(), vars(again[5]).values(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
        assert not torch.equal(first[5].source, first[6].source)


def test_pairs_stay_pixel_on_pixel_however_they_are_turned(make: Make) -> None:
    dataset, *_ = load_samples(make("pix2pix"))
    for index in range(8):
        sample = dataset[index]
        red = sample.source[0, 0] * 0.1 + 0.1
        torch.testing.assert_close(sample.target[0, 1] * 0.1 + 0.1, red + 0.1, atol=2e-4, rtol=0)


def test_hazed_chips_have_a_truth_and_others_have_none(make: Make) -> None:
    dataset, _, clear = load_samples(make("cycle"))
    known = [float(dataset[index].known) for index in range(40)]
    assert 8 < sum(known) < 32
    for index, is_known in enumerate(known[:10]):
        sample = dataset[index]
        assert bool(sample.truth.any()) == bool(is_known)
        if is_known:
            assert float(sample.source.mean()) > float(sample.truth.mean())
    assert len(clear) == 1


def test_terms_and_their_weights(make: Make) -> None:
    torch.manual_seed(0)
    weights = {"detail": 2.0, "negative": 3.0, "supervised": 4.0}
    config = make("cycle", losses=weights)
    task = task_of(config)
    trainer = Trainer(config, CPU)
    task.load(CPU)
    chips = collate([task.dataset[index] for index in range(6)])
    terms = trainer.game.generator_terms(chips, True)
    assert terms.keys() == {
        "cycle_source", "cycle_target", "identity", "detail", "negative", "supervised", "adversarial",
    }  # fmt: skip
    assert float(terms["cycle_source"].detach()) == pytest.approx(0, abs=1e-5)  # untrained, both ways change nothing
    shown = chips.known.reshape(-1, 1, 1, 1) * (chips.source - chips.truth).abs()
    assert float(terms["supervised"].detach()) == pytest.approx(4 * float(shown.mean()), rel=1e-4)
    assert trainer.game.generator_terms(chips, False).keys() == terms.keys() - {"adversarial"}
    assert trainer.game.discriminator_terms(chips).keys() == {"discriminator", "source_discriminator"}
    below = DomainChips(*(x - 5 for x in (chips.source, chips.target)), chips.truth, chips.known)
    assert float(trainer.game.generator_terms(below, False)["negative"].detach()) > 1


def test_history_shows_old_images_half_of_the_time() -> None:
    config = {"objective": "least-squares", "history": 4}
    game = Adversary(make_adversary(config), 5)
    shown: list[torch.Tensor] = []

    def judge(images: torch.Tensor) -> torch.Tensor:
        shown.append(images.detach().clone())
        return images.mean((1, 2, 3))

    real = torch.zeros(2, 1, 1, 1)
    for update in range(40):
        game.update = update
        game.discriminator_terms(judge, real, torch.full((2, 1, 1, 1), float(update)), "x_")
    seen = [images.flatten().tolist() for images in shown[1::2]]
    assert seen[:2] == [[0, 0], [1, 1]]  # it fills up first
    present = [value == update for update, values in enumerate(seen) for value in values]
    assert 0.3 < sum(present[4:]) / len(present[4:]) < 0.7
    assert game.past["x_"].shape == (4, 1, 1, 1)
    again = Adversary(make_adversary(config), 5)
    again.load(game.state())
    torch.testing.assert_close(again.past["x_"], game.past["x_"])


def make_adversary(settings: dict[str, Any]) -> Any:
    from rsgan.training.config import AdversaryConfig

    return AdversaryConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("pix2pix", {"losses": {"kind": "cycle"}}, "pix2pix needs pairs"),
        ("cycle", {"generator": {"back": None}}, "cycle needs it"),
        ("contrastive", {"generator": {"projection": 0}}, "which needs it"),
        ("cycle", {"discriminator": {"both": False}}, "cycle needs both"),
        ("cycle", {"discriminator": {"conditional": True}}, "only pairs"),
        ("pix2pix", {"adversary": {"history": 5}}, r"adversary\.history keeps images"),
        ("cycle", {"discriminator": {"target_bands": 3}}, "target_bands 3"),
        ("cycle", {"discriminator": None}, "there is no discriminator"),
        ("cycle", {"source": domain("x", ["B02"])}, "1 and 4 bands"),
        ("cycle", {"data": {"haze": None}}, "need haze"),
        ("cycle", {"data": {"source": [], "hazed": 0.5}}, "set hazed to 1"),
        ("cycle", {"data": {"haze": {"airlight": [0.5, 2.0]}}}, "airlight is"),
        ("cycle", {"generator": {"forth": haze_forth(), "back": haze_forth(False)}}, "centre 0 and spread"),
        ("cycle", {"target": {"spread": [1.0]}}, "as many of each"),
        ("cycle", {"target": {"bands": ["B02", "B03", "B04", "B99"]}}, "B99"),
        (
            "cycle",
            {"discriminator": {"normalisation": "batch"}, "adversary": {"r1": 1.0}},
            "depend on the others of its batch",
        ),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(make: Make, kind: str, changes: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make(kind, **changes)


def test_a_pair_of_two_sizes_is_refused(make: Make, tiles: Path) -> None:
    write(tiles / "a_two.tif", np.full((2, 70, 80), 0.1), ["B03", "B08"])
    with pytest.raises(ConfigError, match=r"80 x 80 pixels and its partner .*a_two\.tif 80 x 70"):
        load_samples(make("pix2pix"))


def test_a_place_on_both_sides_is_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="show one place"):
        load_samples(make("cycle", data={"hazed_validation": [{"glob": "a_land.tif"}]}))


@pytest.mark.parametrize("quantity", ["reflectance", "intensity", "number"])
def test_network_units_invert(quantity: str) -> None:
    one = Domain(name="x", quantity=quantity, bands=("a", "b"), centre=(-1.0, 0.5), spread=(2.0, 0.1))
    values = np.random.default_rng(1).uniform(0.01, 2, (3, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(one.to_physical(one.to_network(values)), values, rtol=1e-5)
    assert one.to_network(values).dtype == np.float32


@pytest.mark.parametrize("follows", [False, True], ids=["unlike", "alike"])
def test_pix2pix_that_is_right_on_its_own_pairs_alone_is_said_to_know_them_by_heart(
    make: Make, tiles: Path, tmp_path: Path, follows: bool
) -> None:
    """A network that hardly changes its source, trained where that is right, and held out where it is not or is."""
    rng = np.random.default_rng(1)
    for place in "ab":
        source, other, noise = rng.uniform(0.05, 0.3, (3, 1, 48, 48))
        target = source if follows or place == "a" else other
        write(tiles / f"{place}_red.tif", source, ["B04"], (place == "b") * 1e5)
        write(tiles / f"{place}_two.tif", target + 0.1 * (noise - 0.175), ["B03"], (place == "b") * 1e5)
    config = one_to_one(
        make,
        losses={"adversarial": 0.0},
        training={"adversarial_samples": 8, "validate_every": 2, "adversarial_learning_rate": 1e-6},
    )
    named = set()
    list(train(config, tmp_path / "run", device=CPU, tell=lambda ill: named.add(ill.disease)))
    assert ("memorisation of training tiles" in named) != follows
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert ("memorisation of training tiles" in page) != follows
    assert "Losses of the generator" in page
