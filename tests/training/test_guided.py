"""Training with a guide: what a pair is, what its loss looks at, and a run from tiles to a model that works."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from pydantic import ValidationError

from rsgan.enhance.superres import superres
from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.model import open_model
from rsgan.nn.generators import build_generator
from rsgan.sensors.optical import degrade
from rsgan.sensors.procedural import draw_scene
from rsgan.sensors.statistics import band_scaling
from rsgan.training.batch import Pairs, collate
from rsgan.training.config import TrainConfig
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.paired import PairedGame
from rsgan.training.guided import (
    GuidedPairDataset,
    GuidedTile,
    GuidedValidation,
    fit_law,
    load_guided,
    read_guided_tile,
)
from rsgan.training.loop import train

FINE, COARSE = ("B02", "B03", "B04"), ("B05", "B8A")
MIX = np.array([[0.1, 0.4, 0.5], [0.2, 0.9, -0.1]])
Tiny = Callable[..., TrainConfig]
WriteTile = Callable[..., Path]


@pytest.fixture
def write_tile(tmp_path: Path) -> WriteTile:
    """A function that writes NAME_10m.tif and NAME_20m.tif of one synthetic ground to tmp_path/tiles."""
    folder = tmp_path / "tiles"
    folder.mkdir(exist_ok=True)

    def write(
        name: str,
        *,
        west: float = 5e5,
        size: int = 80,
        seed: int = 0,
        holes: bool = False,
        holds: tuple[str, ...] = COARSE,
    ) -> Path:
        ground = draw_scene(np.random.default_rng(seed), (2 * size, 2 * size), 10.0)[0][:3].astype(float)
        coarse = np.einsum("cg,ghw->chw", MIX, ground).reshape(2, size, 2, size, 2).mean((2, 4))
        coarse = coarse[[COARSE.index(band) for band in holds]]
        if holes:
            coarse[:, : size // 2, : size // 3] = 0
        for suffix, values, names, gsd_m in (("10m", ground, FINE, 10), ("20m", coarse, holds, 20)):
            dn = np.clip(np.rint(values * 10_000), 0, 65_535).astype(np.uint16)
            shape = {"count": len(dn), "height": dn.shape[1], "width": dn.shape[2], "dtype": "uint16"}
            transform = Affine(gsd_m, 0, west, 0, -gsd_m, 5_000_000)
            with rasterio.open(
                folder / f"{name}_{suffix}.tif",
                "w",
                driver="GTiff",
                crs="EPSG:32633",
                transform=transform,
                nodata=0,
                **shape,
            ) as dataset:
                dataset.write(dn)
                dataset.descriptions = names
                dataset.scales = (1e-4,) * len(dn)
        return folder / f"{name}_20m.tif"

    return write


BESIDE = {"glob": "a*_20m.tif", "guide": ["_20m", "_10m"]}


@pytest.fixture
def guided(tiny: Tiny) -> Tiny:
    """The config of a guided run of seconds; `source` changes its training source, `model` and others its sections."""

    def make(
        *,
        source: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        sensor: dict[str, Any] | None = None,
        generator: dict[str, Any] | None = None,
        seed: int = 3,
        **training: Any,
    ) -> TrainConfig:
        how = {"adversarial_samples": 0, "validate_every": 8, "chip_size": 16, **training}
        content = tiny(seed=seed, **how).model_dump(mode="json")
        content["model"] |= {"bands": COARSE, "guide": FINE, "gsd_m": 20} | (model or {})
        content["generator"] |= {"bands": 2, "guides": 3} | (generator or {})
        content["discriminator"] = None
        content["sensor"] |= sensor or {}
        content["data"] |= {
            "training": [BESIDE | (source or {})],
            "validation": [{"glob": "b*_20m.tif", "guide": ["_20m", "_10m"]}],
        }
        return TrainConfig.model_validate(content)

    return make


def read(config: TrainConfig) -> list[GuidedTile]:
    source = config.data.training[0]
    return [read_guided_tile(path, source, config) for path in sorted(config.data.root.glob(source.glob))]


def same(first: Pairs, second: Pairs) -> bool:
    return all(torch.equal(vars(first)[name], vars(second)[name]) for name in vars(first))


# tiles


def test_a_tile_holds_its_bands_and_the_guide_over_the_same_ground(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    (tile,) = read(guided())
    assert tile.ratio == 2
    assert tile.tile.values.shape == (2, 80, 80)
    assert tile.guide is not None
    assert tile.guide.shape == (3, 160, 160)
    assert tile.known.all()
    means = tile.guide.reshape(3, 80, 2, 80, 2).mean((2, 4))
    np.testing.assert_allclose(np.einsum("cg,ghw->chw", MIX, means), tile.tile.values, atol=1.5e-4)


def test_bands_that_the_files_do_not_hold_are_zero_and_marked(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a", holds=("B8A",))
    (tile,) = read(guided(source={"holds": ["B8A"]}))
    assert tile.known.tolist() == [False, True]
    assert not tile.tile.values[0].any()
    assert tile.tile.values[1].min() > 0


def test_coarsened_tiles_are_what_a_coarser_sensor_gives_of_both(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    (tile,), (coarser,) = read(guided()), read(guided(source={"coarsen": 2}))
    assert coarser.ratio == 2
    assert coarser.tile.values.shape == (2, 40, 40)
    sigma = torch.full((1, 1), 0.35)
    for fine, coarse in ((tile.tile.values, coarser.tile.values), (tile.guide, coarser.guide)):
        np.testing.assert_allclose(coarse, degrade(torch.from_numpy(fine)[None], sigma, 2)[0].numpy(), atol=1e-6)


def test_shuffled_tiles_take_every_band_and_have_no_roles(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    (tile,) = read(guided(source={"glob": "a*_10m.tif", "guide": None, "shuffled": True}))
    assert tile.guide is None
    assert tile.tile.values.shape == (3, 160, 160)
    with pytest.raises(ConfigError, match="shuffled tiles have no roles of their own"):
        tile.tensors()


def test_roles_are_cast_from_the_tiles_own_bands(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    (tile,) = read(guided(source={"glob": "a*_10m.tif", "guide": None, "shuffled": True}))
    for seed in range(12):
        cast = tile.cast(2, 3, np.random.default_rng(seed))
        assert cast.guide is not None
        assert cast.guide.shape == (3, 160, 160)
        leading = {plane.tobytes() for plane in cast.guide}
        following = {plane.tobytes() for plane in cast.tile.values[cast.known]}
        assert len(leading) == 1  # up to half of three bands
        assert len(following) == 2
        assert leading.isdisjoint(following)
        assert leading | following <= {plane.tobytes() for plane in tile.tile.values}
    assert (
        tile.cast(2, 3, np.random.default_rng(5)).guide.tobytes()
        == tile.cast(2, 3, np.random.default_rng(5)).guide.tobytes()
    )


# pairs


@pytest.mark.parametrize(
    "source", [{}, {"glob": "a*_10m.tif", "guide": None, "shuffled": True}], ids=["beside", "shuffled"]
)
def test_a_sample_depends_on_seed_and_index_only(guided: Tiny, write_tile: WriteTile, source: dict[str, Any]) -> None:
    write_tile("a1")
    write_tile("a2", seed=7)
    config = guided(source=source)
    first, second = GuidedPairDataset(read(config), config), GuidedPairDataset(read(config), config)
    forward = [first[i] for i in range(6)]
    torch.manual_seed(99)
    np.random.seed(99)
    backward = [second[i] for i in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not same(forward[0], forward[1])
    other = guided(source=source, seed=4)
    assert not same(forward[0], GuidedPairDataset(read(other), other)[0])


def test_a_pair_is_a_chip_its_observation_and_its_estimate(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    config = guided(sensor={"noise_free": 1.0, "band_sigma": 0.0})  # mixed bands have one width only if all had
    data = GuidedPairDataset(read(config), config)
    assert len(data) == 8
    for index in range(8):
        pair = data[index]
        assert pair.reference.shape == pair.estimate.shape == (1, 2, 16, 16)
        assert pair.observed.shape == (1, 2, 8, 8)
        assert pair.guide.shape == (1, 3, 16, 16)
        assert pair.known.tolist() == [[1.0, 1.0]]
        residual = (pair.observed - degrade(pair.reference, pair.sigma, 2))[..., 3:-3, 3:-3]
        # bands are mixed by factors near 1 after they were rounded to 1e-4
        assert float(residual.abs().max()) < 3e-4
        assert float(pair.spread.min()) > 0


def test_the_estimate_is_nearer_than_bicubic(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    config = guided(sensor={"noise_free": 1.0}, chip_size=32)
    data = GuidedPairDataset(read(config), config)
    batch = collate([data[i] for i in range(8)])
    bicubic = torch.nn.functional.interpolate(batch.observed, scale_factor=2, mode="bicubic")
    errors = [float((x - batch.reference).square().mean().sqrt()) for x in (batch.estimate, bicubic)]
    assert errors[0] < 0.7 * errors[1]


def test_the_guide_is_in_units_of_its_own(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    config = guided(chip_size=32)
    data = GuidedPairDataset(read(config), config)
    for index in range(4):
        guide = data[index].guide[0].numpy()
        np.testing.assert_allclose(guide.mean((1, 2)), 0, atol=1e-3)
        assert (np.abs(np.log(band_scaling(guide).spread)) < 1).all()  # 1 but for the jitter of the spread


def test_no_chip_holds_an_invalid_pixel(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a", holes=True)
    config = guided()
    (tile,) = read(config)
    marked = np.where(tile.tile.valid, tile.tile.values, 90.0).astype(np.float32)
    data = GuidedPairDataset([replace(tile, tile=replace(tile.tile, values=marked))], config)
    for index in range(30):
        assert float(data[index].reference.abs().max()) < 10


def test_tiles_without_a_chip_are_refused_with_the_size(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a", size=20)
    config = guided(chip_size=32)
    with pytest.raises(ConfigError, match=r"none of the 1 training tiles holds a chip of training\.chip_size 32"):
        GuidedPairDataset(read(config), config)


def test_the_law_of_a_tile_is_the_one_it_was_made_by(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a", size=120)
    config = guided(sensor={"sigma": [0.3, 0.5], "band_sigma": 0.0})
    (tile,) = read(config)
    data = GuidedPairDataset([tile], config)
    law = fit_law(tile, 2, replace(data.jitter, sigma=(0.4, 0.4)), torch.Generator().manual_seed(1))
    found = law.injection.weights.sum((2, 3)).numpy()
    np.testing.assert_allclose(found, MIX, atol=0.25)
    assert law.noise.shape == (1, 2)
    assert float(law.noise.min()) >= 0


# losses


def test_what_a_tile_does_not_hold_counts_for_nothing(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a", holds=("B8A",))
    config = guided(source={"holds": ["B8A"]})
    data = GuidedPairDataset(read(config), config)
    pairs = collate([data[i] for i in range(4)])
    assert pairs.known.tolist() == [[0.0, 1.0]] * 4
    torch.manual_seed(0)
    generator = build_generator(config.generator)
    torch.nn.init.normal_(generator.tail.weight, std=0.05)
    game = PairedGame(generator, None, config.losses, Adversary(config.adversary, 0), ())
    terms = game.generator_terms(pairs, adversarial=False)
    before = {name: float(value.detach()) for name, value in terms.items()}
    wrong = pairs.reference.clone()
    wrong[:, 0] += 0.5 * torch.rand(wrong[:, 0].shape)
    with torch.no_grad():
        after = game.generator_terms(replace(pairs, reference=wrong), adversarial=False)
        assert {name: float(value) for name, value in after.items()} == before
        wrong[:, 1] += 0.1
        worse = game.generator_terms(replace(pairs, reference=wrong), adversarial=False)
    assert float(worse["content"]) > before["content"]
    torch.stack(list(terms.values())).sum().backward()
    blind = generator.tail.weight.grad.reshape(2, 4, -1)[0]
    # the network's own output for the band that is not held gets no gradient
    assert float(blind.abs().max()) == 0


def test_the_share_of_known_bands_does_not_shrink_the_loss(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    config = guided()
    data = GuidedPairDataset(read(config), config)
    pairs = collate([data[i] for i in range(2)])
    twice = {name: vars(pairs)[name][:, [0, 0]] for name in vars(pairs) if name not in ("guide", "known")}
    same_error = replace(pairs, **twice)
    game = PairedGame(build_generator(config.generator), None, config.losses, Adversary(config.adversary, 0), ())
    both, one = (
        game.generator_terms(replace(same_error, known=torch.tensor([row] * 2)), adversarial=False)["content"]
        for row in ([1.0, 1.0], [1.0, 0.0])
    )
    torch.testing.assert_close(one, both)


# configs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"guide": ["B02"]}}, "model names 2 bands and 1 guides, but .* generator.guides 3"),
        ({"generator": {"bands": 3}}, "model names 2 bands and 3 guides, but generator.bands is 3"),
        ({"model": {"guide": ["B02", "B03", "B99"]}}, "B99"),
        ({"source": {"coarsen": 0}}, "coarsen"),
        ({"source": {"guides": "x"}}, "guides"),
        ({"chip_size": 17}, "no multiple of generator.scale 2"),
    ],
)
def test_settings_that_do_not_agree_are_refused(guided: Tiny, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        guided(**changes)


def test_a_place_on_both_sides_is_refused(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    write_tile("b", seed=1)
    with pytest.raises(ConfigError, match=r"a_20m\.tif and validation tile .*b_20m\.tif show one place"):
        load_guided(guided(), torch.device("cpu"))


def test_a_validation_tile_that_is_too_small_is_refused(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("a")
    write_tile("b", seed=1, west=6e5, size=20)
    with pytest.raises(ConfigError, match="no validation tile is whole and at least"):
        load_guided(guided(), torch.device("cpu"))


def test_a_missing_band_and_a_missing_guide_are_named(guided: Tiny, write_tile: WriteTile) -> None:
    path = write_tile("a", holds=("B8A",))
    config = guided()
    with pytest.raises(BandError, match="B05"):
        read(config)
    path.with_name("a_10m.tif").unlink()
    with pytest.raises(InputError, match=r"a_10m\.tif does not exist"):
        read(guided(source={"holds": ["B8A"]}))


def test_a_guide_that_does_not_nest_is_refused(guided: Tiny, write_tile: WriteTile) -> None:
    path = write_tile("a")
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = Affine(20, 0, 5e5 + 5, 0, -20, 5_000_000)
    with pytest.raises(GridError, match=r"do not nest: .* column 0\.500"):
        read(guided())


# a whole run


def test_a_tiny_run_writes_a_model_that_opens_and_enhances(guided: Tiny, write_tile: WriteTile, tmp_path: Path) -> None:
    coarse = write_tile("a")
    write_tile("b", seed=1, west=6e5)
    config = guided(faithful_samples=16, learning_rate=1e-2)
    events = list(train(config, tmp_path / "run", device=torch.device("cpu")))
    assert events[-1]["samples_seen"] == 16
    model = open_model(tmp_path / "run" / "model.safetensors")
    assert model.card.guide == FINE
    assert model.card.bands == COARSE
    assert model.card.samples_seen == 16
    assert float(model.tensors["faithful.tail.weight"].abs().max()) > 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    (last,) = [line for line in lines if line["event"] == "validation" and line["samples_seen"] == 16]
    assert set(last) == {
        "event",
        "samples_seen",
        *(f"{what}_db/{name}" for what in ("gain", "worst") for name in ("P25", "P40n")),
    }
    assert all(abs(last[key]) < 3 for key in last if "_db" in key)
    out = superres([coarse, coarse.with_name("a_10m.tif")], tmp_path / "out.tif", model=model.path, symmetries=1)
    with rasterio.open(out) as enhanced, rasterio.open(coarse) as observed:
        assert enhanced.shape == (160, 160)
        assert enhanced.bounds == observed.bounds
        means = enhanced.read().mean((1, 2)) / observed.read().mean((1, 2))
    np.testing.assert_allclose(means, 1, atol=0.01)


def test_a_network_that_learnt_nothing_is_judged_as_the_linear_method_is(guided: Tiny, write_tile: WriteTile) -> None:
    write_tile("b", seed=1, west=6e5)
    config = guided(generator={"consistency_steps": 0})
    tiles = [read_guided_tile(path, config.data.validation[0], config) for path in config.data.root.glob("b*_20m.tif")]
    validation = GuidedValidation(tiles, config, torch.device("cpu"))
    figures = validation.measure(build_generator(config.generator))
    assert figures == pytest.approx(dict.fromkeys(figures, 0.0), abs=1e-3)
    assert set(figures) == {"gain_db/P25", "worst_db/P25", "gain_db/P40n", "worst_db/P40n"}


def test_two_runs_of_one_seed_are_one(guided: Tiny, write_tile: WriteTile, tmp_path: Path) -> None:
    write_tile("a")
    write_tile("b", seed=1, west=6e5)
    config = guided(faithful_samples=4)
    weights = []
    for name in ("first", "second"):
        list(train(config, tmp_path / name, device=torch.device("cpu")))
        weights.append(open_model(tmp_path / name / "model.safetensors").tensors)
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())


# models of any band, which no band guides


def test_a_tiny_run_on_any_band_writes_a_model_of_any_band(tiny: Tiny, write_tile: WriteTile, tmp_path: Path) -> None:
    source = write_tile("a").with_name("a_10m.tif")
    write_tile("b", seed=1, west=6e5)
    content = tiny(adversarial_samples=0, probe_samples=40, validate_every=8).model_dump(mode="json")
    content["model"] |= {"bands": []}
    content["generator"] |= {"bands": 1}
    content["discriminator"] = None
    content["data"] |= {"training": [{"glob": "a*_10m.tif"}], "validation": [{"glob": "b*_10m.tif"}]}
    events = list(train(TrainConfig.model_validate(content), tmp_path / "run", device=torch.device("cpu")))
    assert events[-1]["samples_seen"] == 8
    model = open_model(tmp_path / "run" / "model.safetensors")
    assert model.card.any_band
    assert model.card.probe is not None
    out = superres(source, tmp_path / "out.tif", model=model.path, symmetries=1)
    with rasterio.open(out) as enhanced, rasterio.open(source) as observed:
        assert enhanced.shape == (320, 320)
        assert enhanced.descriptions == FINE
        means = enhanced.read().mean((1, 2)) / observed.read().mean((1, 2))
    np.testing.assert_allclose(means, 1, atol=0.01)
