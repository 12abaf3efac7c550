"""Runs that despeckle: on drawn speckle, on pairs of dates, on thinned single dates and on complex data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import yaml
from affine import Affine
from pydantic import ValidationError
from scipy import ndimage

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.nn.generators import DespeckleGenerator, SpeckleState
from rsgan.sensors.procedural.backscatter import draw_backscatter
from rsgan.sensors.sar import centre_spectrum, draw_speckle, looks_before_averaging, psf_taps
from rsgan.training.despeckle.batch import SpecklePairs, collate
from rsgan.training.despeckle.config import DespeckleConfig, DespeckleLosses, SarSource, SpeckleRanges
from rsgan.training.despeckle.loading import load_despeckle
from rsgan.training.despeckle.observed import read_means
from rsgan.training.despeckle.synthetic import draw_law
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.despeckle import DespeckleGame
from rsgan.training.loading import load_config
from rsgan.training.loop import MODEL, Schedule, Trainer, batches, train
from rsgan.training.tasks import task_of

Write = Callable[..., Path]
Make = Callable[..., DespeckleConfig]
CPU = torch.device("cpu")
SIDE = 64
GRID = {"crs": "EPSG:32633", "driver": "GTiff"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a raster to tmp_path/tiles, `east` metres from the others."""
    folder = tmp_path / "tiles"
    folder.mkdir()

    def make(name: str, values: np.ndarray, names: tuple[str, ...], east: float = 0.0) -> Path:
        count, height, width = values.shape
        profile = GRID | {"count": count, "height": height, "width": width, "dtype": values.dtype}
        transform = Affine(10, 0, 5e5 + east, 0, -10, 5e6)
        with rasterio.open(folder / name, "w", transform=transform, **profile) as dataset:
            dataset.write(values)
            for index, text in enumerate(names, start=1):
                dataset.set_band_description(index, text)
        return folder / name

    return make


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that gives the config of a run of seconds for a section `data`."""

    def config(data: dict[str, Any], **training: Any) -> DespeckleConfig:
        adversarial = data["kind"] == "synthetic"
        text = {
            "task": "despeckle",
            "seed": 5,
            "model": {"name": "tiny-sar", "licence": "CC0-1.0", "training_data": ["drawn"], "limits": ["tiny"]},
            "generator": {"kind": "despeckle", "channels": [4, 6], "descending": [0, 1], "ascending": [1]},
            "discriminator": {"kind": "speckle", "channels": 4, "strided": 1} if adversarial else None,
            "data": {"root": str(tmp_path / "tiles")} | data,
            "speckle": {"looks": [1, 8]},
            "losses": {},
            "adversary": {"r1": 1.0, "every": 2},
            "training": {
                "batch_size": 2, "chip_size": 32, "faithful_samples": 8, "adversarial_samples": 8 if adversarial else 0,
                "discriminator_warmup": 2, "ramp_samples": 4, "learning_rate": 1e-3, "ema_half_life": 4,
                "threads": 1, "workers": 0, "validate_every": 1000, "checkpoint_every": 4, "log_every": 2,
            } | training,
        }  # fmt: skip
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(text))
        loaded = load_config(tmp_path / "run.yaml")
        assert isinstance(loaded, DespeckleConfig)
        return loaded

    return config


def ground(seed: int) -> np.ndarray:
    return np.asarray(draw_backscatter(np.random.default_rng(seed), (SIDE, SIDE)), np.float64)


@pytest.fixture
def synthetic(write: Write) -> dict[str, Any]:
    """Section `data` of a run on drawn speckle."""
    for number, name in enumerate(("a.tif", "b.tif")):
        side = SIDE if name == "a.tif" else 192
        values = np.random.default_rng(number).integers(500, 5000, (1, side, side)).astype(np.uint16)
        write(name, ndimage.gaussian_filter(values, 3).astype(np.uint16), ("B04",), east=number * 1e4)
    scale = {"reflectance_scale": 10_000}
    return {
        "kind": "synthetic",
        "optical": [{"glob": "a.tif"} | scale],
        "validation": [{"glob": "b.tif"} | scale],
        "photographs": ["coins"],
        "photograph_share": 0.3,
        "procedural": 0.3,
    }


def sources(**settings: Any) -> dict[str, Any]:
    return {"training": [{"glob": "a*.tif"} | settings], "validation": [{"glob": "b*.tif"} | settings]}


@pytest.fixture
def dates(write: Write) -> dict[str, Any]:
    """Two dates as bands of one file; half of the ground has turned ten times as bright between them."""
    for number, name in enumerate(("a.tif", "b.tif")):
        rng, scene = np.random.default_rng(number), ground(number)
        later = scene * np.where(np.arange(SIDE) < SIDE // 2, 10, 1)
        stack = [x * draw_speckle(rng, x.shape, 8.0) for x in (scene, later)]
        write(name, np.stack(stack).astype(np.float32), ("t1", "t2"), east=number * 1e4)
    return {"kind": "dates"} | sources(dates=[["t1", "t2"]], quantity="intensity")


@pytest.fixture
def slc(write: Write) -> dict[str, Any]:
    """Simulated single-look complex data: correlated by a point spread function, off centre in their spectrum."""
    taps = np.array(psf_taps(0.25))
    rows, columns = np.indices((SIDE, SIDE))
    for number, name in enumerate(("a.tif", "b.tif")):
        rng = np.random.default_rng(number)
        field = rng.standard_normal((SIDE, SIDE)) + 1j * rng.standard_normal((SIDE, SIDE))
        for axis in (0, 1):
            field = ndimage.convolve1d(field, taps, axis=axis, mode="wrap")
        shifted = np.sqrt(ground(number) / 2) * field * np.exp(1j * (0.8 * rows - 0.5 * columns))
        write(name, shifted[None].astype(np.complex64), ("VV",), east=number * 1e4)
    return {"kind": "merlin"} | sources()


@pytest.fixture
def single(write: Write) -> dict[str, Any]:
    """Single dates."""
    for number, name in enumerate(("a.tif", "b.tif")):
        values = ground(number) * draw_speckle(np.random.default_rng(number), (SIDE, SIDE), 8.0)
        write(name, values[None].astype(np.float32), ("VV",), east=number * 1e4)
    return {"kind": "thinning", "subsample": 1} | sources(quantity="intensity")


@pytest.fixture(params=["synthetic", "dates", "slc", "single"])
def data(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Section `data` of each way."""
    section: dict[str, Any] = request.getfixturevalue(request.param)
    return section


# every way


def test_a_run_writes_a_model_that_opens(data: dict[str, Any], make: Make, tmp_path: Path) -> None:
    config = make(data)
    events = list(train(config, tmp_path / "run", device=CPU))
    model = open_model(tmp_path / "run" / MODEL)
    assert (model.card.task, model.card.looks) == ("despeckle", (1, 8))
    assert model.has_adversarial == (data["kind"] == "synthetic")
    assert all(np.isfinite(list(event.values())).all() for event in events)
    assert list((tmp_path / "run" / "panels").glob("*.png"))


def test_a_sample_depends_on_seed_and_number_only(data: dict[str, Any], make: Make) -> None:
    config = make(data)
    (first, _), (second, _) = load_despeckle(config, CPU), load_despeckle(config, CPU)
    for name, value in vars(first[3]).items():
        torch.testing.assert_close(value, vars(second[3])[name], rtol=0, atol=0)
    assert not torch.equal(first[3].observed, first[4].observed)


def test_a_run_goes_on_as_if_it_had_not_stopped(synthetic: dict[str, Any], make: Make, tmp_path: Path) -> None:
    config = make(synthetic)
    list(train(config, tmp_path / "whole", device=CPU))
    task = task_of(config)
    trainer = Trainer(config, CPU)
    task.load(CPU)
    for pairs in batches(task, config.training, 0):
        if trainer.samples_seen == 12:
            state = trainer.state()
            trainer = Trainer(config, CPU)
            trainer.load(state)
        trainer.update(pairs)
    whole = open_model(tmp_path / "whole" / MODEL).states()[1]
    for name, value in (trainer.final_states()[1] or {}).items():
        torch.testing.assert_close(value, (whole or {})[name])


def test_a_run_starts_from_a_model(synthetic: dict[str, Any], make: Make, tmp_path: Path) -> None:
    config = make(synthetic)
    list(train(config, tmp_path / "run", device=CPU))
    trainer = Trainer(make(synthetic, start_from=str(tmp_path / "run" / MODEL)), CPU)
    faithful = open_model(tmp_path / "run" / MODEL).states()[0]
    for name, value in trainer.generator.state_dict().items():
        torch.testing.assert_close(value, faithful[name])
    with pytest.raises(ConfigError, match="start_from"):
        Trainer(make(synthetic, start_from="sar-despeckle"), CPU)


# what the pairs are


def test_drawn_speckle_has_the_law_that_the_networks_are_told(synthetic: dict[str, Any], make: Make) -> None:
    dataset, _ = load_despeckle(make(synthetic | {"procedural": 1.0}), CPU)
    pairs = [dataset[number] for number in range(60)]
    assert all(float(one.clean) == 1 for one in pairs)
    ratios = [float((one.observed - one.reference).exp()[one.valid > 0].mean()) for one in pairs]
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)
    assert all(one.fresh.exp().mean() == pytest.approx(1, abs=0.35) for one in pairs)


def test_drawn_laws_are_ones_that_speckle_can_have() -> None:
    ranges = SpeckleRanges(looks=(1, 16), correlated=0.8, correlation=(0.02, 0.8), averaged=0.8)
    laws = [draw_law(np.random.default_rng(seed), ranges) for seed in range(300)]
    assert all(looks_before_averaging(*law) >= 1 for law in laws if law[2] != (1, 1))
    assert 0.1 < np.mean([law[2] != (1, 1) for law in laws]) < 0.8
    assert all(law[2] == (1, 1) for law in laws if law[1] == (0.0, 0.0))


def test_changes_between_dates_are_taken_out(dates: dict[str, Any], make: Make) -> None:
    dataset, _ = load_despeckle(make(dates), CPU)
    excess = [dataset[number].reference - dataset[number].observed for number in range(40)]
    assert float(torch.stack([one.mean() for one in excess]).abs().max()) < 0.6  # a change of 10 would be ln 10 = 2.3


def test_thinned_halves_have_their_looks_and_one_mean(single: dict[str, Any], make: Make) -> None:
    dataset, _ = load_despeckle(make(single), CPU)
    pairs = [dataset[number] for number in range(40)]
    share = [float(one.looks) / dataset.stacks[0].looks[0] for one in pairs]
    assert 0.39 < min(share) < max(share) < 0.71
    ratio = np.mean([float(one.reference.exp().mean() / one.observed.exp().mean()) for one in pairs])
    assert ratio == pytest.approx(1, abs=0.05)


def test_the_parts_of_centred_complex_data_are_independent(slc: dict[str, Any], make: Make, tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "tiles" / "a.tif") as dataset:
        stored = dataset.read(1)

    def leak(field: np.ndarray) -> float:
        flat = field / np.abs(field)
        return float(abs((flat.real[1:] * flat.imag[:-1]).mean() - (flat.imag[1:] * flat.real[:-1]).mean()))

    assert leak(centre_spectrum(stored)) < 0.05 < 0.2 < leak(stored)
    pairs = load_despeckle(make(slc), CPU)[0][0]
    assert float(pairs.looks) == 0.5
    assert float(pairs.clean) == 0


def test_merlin_learns_without_truth(slc: dict[str, Any], make: Make, tmp_path: Path) -> None:
    config = make(slc, faithful_samples=600, batch_size=4, learning_rate=3e-3, ema_half_life=80, validate_every=10_000)
    events = list(train(config, tmp_path / "run", device=CPU))
    generator = open_model(tmp_path / "run" / MODEL).generator(0.0)
    with rasterio.open(tmp_path / "tiles" / "b.tif") as dataset:
        intensity = np.abs(dataset.read(1)) ** 2
    truth = np.log(ground(1))
    level = float(np.log(np.median(intensity)))
    logs = torch.from_numpy((np.log(intensity + 1e-12) - level).astype(np.float32))[None, None]
    speckle = SpeckleState(torch.tensor([1.0]), torch.tensor([[0.25, 0.25]]))
    with torch.no_grad():
        made = generator(logs, speckle, torch.ones_like(logs))[0, 0].numpy() + level
    before, after = (np.std(x - truth) for x in (np.log(intensity + 1e-12), made))
    assert after < 0.75 * before
    assert events[-1]["deviance"] < events[-1]["deviance/observed"]


def test_means_of_many_dates_are_scenes(write: Write) -> None:
    path = write("mean.tif", (-100 * np.ones((1, SIDE, SIDE))).astype(np.int16), ("VV",))
    (tile,) = read_means(path.parent, (SarSource(glob="mean.tif", quantity="db", stored_scale=10.0),))
    np.testing.assert_allclose(tile.values, 0.1, rtol=1e-5)


# what is refused


def test_an_adversary_needs_references_without_speckle(single: dict[str, Any], make: Make) -> None:
    settings = make(single).model_dump(mode="json")
    settings["training"]["adversarial_samples"], settings["discriminator"] = 8, {"kind": "speckle"}
    with pytest.raises(ValidationError, match="no references without speckle"):
        DespeckleConfig.model_validate(settings)


def test_real_numbers_have_no_two_parts(single: dict[str, Any], make: Make) -> None:
    with pytest.raises(ConfigError, match="complex"):
        load_despeckle(make({"kind": "merlin"} | sources(quantity="intensity")), CPU)


def test_one_date_is_no_pair(single: dict[str, Any], make: Make) -> None:
    with pytest.raises(ConfigError, match="two dates"):
        load_despeckle(make({"kind": "dates"} | sources(quantity="intensity")), CPU)


def test_the_pictures_of_the_field_are_never_trained_on(synthetic: dict[str, Any], make: Make) -> None:
    with pytest.raises(ConfigError, match="camera"):
        load_despeckle(make(synthetic | {"photographs": ["camera"]}), CPU)


def test_a_place_on_both_sides_is_refused(single: dict[str, Any], make: Make) -> None:
    data = {"kind": "thinning", "training": [{"glob": "*.tif"}], "validation": [{"glob": "b.tif"}]}
    with pytest.raises(ConfigError, match="one place"):
        load_despeckle(make(data | {"subsample": 1}), CPU)


def test_chips_count_as_their_looks_to_the_power_of_the_exponent(synthetic: dict[str, Any], make: Make) -> None:
    config = make(synthetic)
    dataset, _ = load_despeckle(config, CPU)
    pairs = replace(collate([dataset[0], dataset[1]]), looks=torch.tensor([1.0, 9.0]), clean=torch.ones(2))
    pairs = replace(pairs, valid=torch.ones_like(pairs.valid))
    game = DespeckleGame(DespeckleGenerator(config.generator), None, DespeckleLosses(), Adversary(config.adversary, 0))

    def terms(pairs: SpecklePairs, exponent: float) -> dict[str, float]:
        losses = DespeckleLosses(looks_exponent=exponent)
        values = replace(game, losses=losses).generator_terms(pairs, adversarial=False)
        return {name: float(values[name].detach()) for name in ("content", "poisson", "log_l1")}

    one, nine = (terms(SpecklePairs(**{n: v[i : i + 1] for n, v in vars(pairs).items()}), 0.0) for i in (0, 1))
    assert terms(pairs, 0.0) == pytest.approx({name: (one[name] + nine[name]) / 2 for name in one}, rel=1e-4)
    assert terms(pairs, 0.5) == pytest.approx({name: (one[name] + 3 * nine[name]) / 2 for name in one}, rel=1e-4)


def test_the_schedule_falls_to_nothing() -> None:
    config = load_config(Path(__file__).parents[2] / "configs" / "despeckle_sar.yaml")
    schedule = Schedule(config.training, config.losses.adversarial)
    last = config.training.faithful_samples + config.training.adversarial_samples - config.training.batch_size
    assert schedule.learning_rate(last) < 0.02 * config.training.adversarial_learning_rate
