"""Synthesis runs and the encoders that judge them, on drawn tiles with labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import yaml
from affine import Affine

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.nn.encoder import ChipEncoder, EncoderConfig
from rsgan.nn.generators import SynthesisGenerator
from rsgan.training.games.synthesis import SynthesisGame
from rsgan.training.loading import load_config
from rsgan.training.loop import Trainer, train
from rsgan.training.synthesis.batch import NONE
from rsgan.training.synthesis.config import EncodeConfig, SynthesizeConfig
from rsgan.training.synthesis.samples import load_labelled

SIDE = 96
CPU = torch.device("cpu")
Make = Callable[..., SynthesizeConfig | EncodeConfig]


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Two places with labels: dark smooth water (1), bright rough land (2), and a strip without class."""
    root = tmp_path / "tiles"
    for number, name in enumerate(("a", "b")):
        rng = np.random.default_rng(number)
        labels = np.full((SIDE, SIDE), 2, np.uint8)
        labels[:, :40], labels[:4] = 1, 9
        values = np.where(labels == 1, 300, 2500) + np.where(labels == 1, 5, 300) * rng.standard_normal((2, SIDE, SIDE))
        for kind, stored in (("image", values), ("labels", labels[None])):
            (root / kind).mkdir(parents=True, exist_ok=True)
            profile = {
                "driver": "GTiff", "height": SIDE, "width": SIDE, "count": len(stored), "crs": "EPSG:32633",
                "dtype": "uint16" if kind == "image" else "uint8",
                "transform": Affine(10, 0, 5e5 + 1e4 * number, 0, -10, 5e6),
            }  # fmt: skip
            with rasterio.open(root / kind / f"{name}.tif", "w", **profile) as dataset:
                dataset.write(stored.astype(profile["dtype"]))
                if kind == "image":
                    dataset.descriptions = ("B04", "B08")
    return root


@pytest.fixture
def make(tmp_path: Path, tiles: Path) -> Make:
    """A function that gives the config of a run of seconds."""

    def config(task: str = "synthesize", **change: Any) -> SynthesizeConfig | EncodeConfig:
        source = {
            "labels": [["image/", "labels/"]], "names": {1: "water", 2: "land"}, "reflectance_scale": 10_000,
        }  # fmt: skip
        given = change.pop("given", "class")
        text: dict[str, Any] = {
            "task": task,
            "seed": 3,
            "model": {
                "name": "tiny", "gsd_m": 10, "licence": "CC0-1.0", "training_data": ["drawn"], "limits": ["tiny"],
            },
            "target": {
                "name": "chip", "sensor": "sentinel-2a", "bands": ["B04", "B08"], "centre": [0.15, 0.15],
                "spread": [0.1, 0.1],
            },
            "classes": [{"name": "water", "share": 0.6}, {"name": "land", "share": 0.6}],
            "data": {
                "root": str(tiles),
                "training": [source | {"glob": "image/a.tif"}],
                "validation": [source | {"glob": "image/b.tif"}],
            },
            "training": {
                "batch_size": 4, "chip_size": 32, "faithful_samples": 0, "adversarial_samples": 16,
                "learning_rate": 1e-3, "adversarial_learning_rate": 1e-3, "ema_half_life": 4,
                "threads": 1, "workers": 0, "validate_every": 1000, "checkpoint_every": 8, "log_every": 4,
            },
        }  # fmt: skip
        if task == "encode":
            text["generator"] = {"kind": "encoder", "bands": 2, "classes": 2, "network": "resnet18", "depth": 2}
            text["training"] |= {"faithful_samples": 64, "adversarial_samples": 0}
        else:
            shared = {"bands": 2, "side": 32, "classes": 2, "given": given}
            text["generator"] = {
                "kind": "synthesis", "low": [-1.5, -1.5], "high": [5, 5],
                "network": {"kind": "residual" if given == "map" else "style", "latent": 8, "channels": 4, "most": 8},
            } | shared  # fmt: skip
            text["discriminator"] = {"kind": "image", "channels": 4, "most": 8} | shared
            text["adversary"] = {"r1": 1.0, "every": 2}
        for key, value in change.items():
            section, _, name = key.rpartition("__")
            place = text
            for part in section.split("__") if section else ():
                place = place.setdefault(part, {})
            place[name] = value
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(text))
        loaded = load_config(path)
        assert isinstance(loaded, SynthesizeConfig | EncodeConfig)
        return loaded

    return config


def test_chips_are_of_their_class_and_all_classes_come_alike(make: Make) -> None:
    dataset, held_out = load_labelled(make())
    chips = dataset.chips(20, 1)
    assert chips.classes.tolist() == [0, 1] * 10
    for values, place, pixels in zip(chips.reference, chips.classes, chips.pixels, strict=True):
        assert float((pixels == place).double().mean()) >= 0.6
        assert float(values.mean() < 0) == (place == 0)
    assert {NONE} <= set(torch.unique(held_out.chips(200, 2).pixels).tolist()) <= {NONE, 0, 1}
    drawn = [int(dataset[index].classes) for index in range(200)]
    assert 70 < sum(drawn) < 130
    torch.testing.assert_close(dataset[7].reference, dataset[7].reference, rtol=0, atol=0)


def test_labels_turn_with_their_pixels(make: Make) -> None:
    dataset, _ = load_labelled(make())
    for index in range(20):
        sample = dataset[index]
        water = sample.pixels[0] == 0
        if 0 < int(water.sum()) < water.numel():
            assert sample.reference[0, :, water].mean() < sample.reference[0, :, ~water].mean()


def test_the_class_that_is_listed_first_wins(make: Make) -> None:
    some = [{"name": "land", "share": 0.3}, {"name": "water", "share": 0.3}]
    dataset, _ = load_labelled(make(classes=some))
    where = [set(np.concatenate([places for _, places in found]).tolist()) for found in dataset.found]
    assert not where[0] & where[1]
    assert len(where[0]) > len(where[1])


def source(rows: list[int] | None, names: dict[int, str] | None = None) -> list[dict[str, Any]]:
    """Section `data.training` of the first place."""
    return [{
        "glob": "image/a.tif", "labels": [["image/", "labels/"]], "names": names or {1: "water", 2: "land"},
        "reflectance_scale": 10_000, "rows": rows,
    }]  # fmt: skip


def test_rows_split_one_map_into_two_places(make: Make) -> None:
    dataset, held_out = load_labelled(make(data__training=source([0, 40]), data__validation=source([50, 96])))
    assert dataset.tiles[0].valid.shape == (40, SIDE)
    assert held_out.tiles[0].valid.shape == (46, SIDE)
    with pytest.raises(ConfigError, match="show one place"):
        load_labelled(make(data__training=source([0, 60]), data__validation=source([50, 96])))
    with pytest.raises(ConfigError, match="has 96 rows"):
        load_labelled(make(data__training=source([200, 300])))


def test_what_cannot_be_learnt_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hold no chip of 32 x 32 valid pixels of which 60% are water"):
        load_labelled(make(data__training=source(None, {1: "land", 2: "land"})))
    for change, match in (
        ({"generator__side": 64}, "side is 64 and discriminator.side 32"),
        ({"training__chip_size": 64}, "chip_size is 64"),
        ({"training__faithful_samples": 8}, "no first stage"),
        ({"classes": [{"name": "water"}, {"name": "towns"}]}, "data names classes"),
        ({"given": "map", "losses__path_length": 1.0}, "one network of kind style"),
        ({"growing": 8}, "go together"),
        ({"generator__network__growing": True}, "go together"),
    ):
        with pytest.raises(ConfigError, match=match):
            make(**change)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"given": "map"},
        {"given": "nothing", "losses__path_length": 2.0},
        {"discriminator__auxiliary": True},
        {"generator__network__growing": True, "discriminator__growing": True, "growing": 4},
        {"generator__experts": 2},
        {"adversary__augment": 0.5, "losses__orthogonal": 1e-4, "training__precision": "bfloat16"},
    ],
    ids=["class", "map", "path length", "auxiliary", "growing", "mixture", "augmented"],
)
def test_a_run_writes_a_model_that_opens(make: Make, tmp_path: Path, change: dict[str, Any]) -> None:
    config = make(**change)
    events = list(train(config, tmp_path / "run", device=CPU))
    assert events[-1]["samples_seen"] == 16
    for name in ("frechet", "precision", "recall", "density", "coverage"):
        assert {f"{name}/training", f"{name}/held_out", f"real/{name}"} <= events[-1].keys()
    model = open_model(tmp_path / "run" / "model.safetensors")
    assert model.card.task == "synthesize"
    assert model.card.classes == ("water", "land")
    generator = model.generator()
    assert isinstance(generator, SynthesisGenerator)
    assert model.discriminator() is not None
    assert len(list((tmp_path / "run" / "panels").glob("*.png"))) == 1
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_resumed_equals_uninterrupted(make: Make, tmp_path: Path) -> None:
    change: dict[str, Any] = {
        "generator__network__growing": True, "discriminator__growing": True, "growing": 4, "losses__path_length": 1.0,
    }  # fmt: skip
    list(train(make(**change), tmp_path / "whole", device=CPU))
    for seen in train(make(**change), tmp_path / "parts", device=CPU):
        if seen["samples_seen"] > 8:  # the checkpoint of 8 is written
            break
    list(train(make(**change), tmp_path / "parts", device=CPU, resume=True))
    first, second = (open_model(tmp_path / name / "model.safetensors").tensors for name in ("whole", "parts"))
    for key, value in first.items():
        torch.testing.assert_close(value, second[key], rtol=0, atol=0)


def test_an_encoder_learns_to_tell_the_classes_and_is_taken_for_the_figures(make: Make, tmp_path: Path) -> None:
    events = list(train(make("encode", training__faithful_samples=192), tmp_path / "encoder", device=CPU))
    assert events[-1]["accuracy"] > 0.75
    path = tmp_path / "encoder" / "model.safetensors"
    encoder = open_model(path).generator()
    assert isinstance(encoder, ChipEncoder)
    assert encoder.features(torch.zeros(3, 2, 32, 32)).shape == (3, encoder.width)
    config = make(encoder=str(path))
    events = list(train(config, tmp_path / "run", device=CPU))
    assert events[-1]["real/precision"] > events[-1]["precision/held_out"]
    with pytest.raises(ConfigError, match="of task synthesize"):
        list(train(make(encoder=str(tmp_path / "run" / "model.safetensors")), tmp_path / "other", device=CPU))


def test_encoders_that_would_be_fetched_are_refused() -> None:
    for network in ("hf-hub:x/y", "../x", "nothing_like_this"):
        with pytest.raises(ValueError, match="network"):
            ChipEncoder(EncoderConfig(bands=1, classes=2, network=network))


def test_path_lengths_are_those_of_finite_steps(make: Make) -> None:
    """The penalty of a generator whose images are linear in their styles is that of the one length they all have."""
    config = make(given="nothing", losses__path_length=1.0)
    assert isinstance(config, SynthesizeConfig)
    trainer = Trainer(config, CPU)
    dataset, _ = load_labelled(config)
    game = trainer.game
    assert isinstance(game, SynthesisGame)
    chips = dataset.chips(4, 0)
    first = game._unevenness(chips)
    assert float(first.detach()) >= 0
    mean = float(game.adversary.means["path_length"])
    assert mean > 0
    weight = next(game.generator.parameters())
    first.backward()
    assert weight.grad is not None or game.generator.style is not None
