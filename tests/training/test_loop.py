import importlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from filelock import FileLock
from threadpoolctl import threadpool_info, threadpool_limits

from rsgan.errors import ConfigError, RsganError
from rsgan.model import Model, open_model
from rsgan.training.batch import Pairs, collate
from rsgan.training.checkpoint import load_checkpoint
from rsgan.training.config import TrainConfig
from rsgan.training.health import Diagnosis, Health
from rsgan.training.journal import Pace
from rsgan.training.loading import load_config
from rsgan.training.loop import CHECKPOINT, CONFIG, LOCK, LOG, MODEL, Schedule, Trainer, batches, plain, train
from rsgan.training.pairs import PairDataset
from rsgan.training.tasks import Superres
from rsgan.training.tiles import load_tiles

Tiny = Callable[..., TrainConfig]
CPU = torch.device("cpu")


def run_all(config: TrainConfig, run: Path, *, resume: bool = False) -> list[dict[str, float]]:
    return list(train(config, run, device=CPU, resume=resume))


def interrupt_after(config: TrainConfig, run: Path, samples: int) -> None:
    """Stop a run as Ctrl-C would, right after the checkpoint at `samples`."""
    events: Iterator[dict[str, float]] = train(config, run, device=CPU)
    for event in events:
        if event["samples_seen"] > samples:
            break
    events.close()


def batch_of(config: TrainConfig, start: int = 0) -> Pairs:
    tiles, _ = load_tiles(config.data, config.model.bands)
    dataset = PairDataset(tiles, config)
    return collate([dataset[start + i] for i in range(config.training.batch_size)])


def test_training_without_tensorboard_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for module in ("journal", "loop"):
        monkeypatch.delitem(sys.modules, f"rsgan.training.{module}")
    with pytest.raises(RsganError, match=r"not installed\. Install the extra 'train'"):
        importlib.import_module("rsgan.training.loop")


# --- schedule


@pytest.fixture
def schedule(tiny: Tiny) -> Schedule:
    return Schedule(
        tiny(
            batch_size=10,
            faithful_samples=1000,
            adversarial_samples=500,
            learning_rate=1e-3,
            adversarial_learning_rate=2e-4,
            learning_rate_warmup=100,
            discriminator_warmup=50,
            ramp_samples=100,
        ).training,
        adversarial=0.005,
    )


def cosine(peak: float, share: float) -> float:
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


@pytest.mark.parametrize(
    ("samples_seen", "expected"),
    [
        (0, 0.1 * 1e-3),
        (40, 0.5 * cosine(1e-3, 0.04)),
        (90, cosine(1e-3, 0.09)),
        (500, cosine(1e-3, 0.5)),
        (999, cosine(1e-3, 0.999)),
        (1000, 0.1 * 2e-4),
        (1250, cosine(2e-4, 0.5)),
        (1500, 0.01 * 2e-4),
        (9000, 0.01 * 2e-4),
    ],
)
def test_learning_rate_rises_then_follows_half_a_cosine_in_each_stage(
    schedule: Schedule, samples_seen: int, expected: float
) -> None:
    assert schedule.learning_rate(samples_seen) == pytest.approx(expected)


def test_the_discriminator_may_learn_at_a_rate_of_its_own(schedule: Schedule) -> None:
    assert schedule.learning_rate(1250, "discriminator") == schedule.learning_rate(1250)
    faster = replace(schedule, training=schedule.training.model_copy(update={"discriminator_learning_rate": 4 * 2e-4}))
    assert faster.learning_rate(1250, "discriminator") == pytest.approx(4 * faster.learning_rate(1250))
    assert faster.learning_rate(500, "discriminator") == faster.learning_rate(500)


@pytest.mark.parametrize(
    ("samples_seen", "expected"), [(0, 0), (999, 0), (1000, 0), (1050, 0), (1100, 0.0025), (1150, 0.005), (1500, 0.005)]
)
def test_the_adversary_waits_then_ramps_up(schedule: Schedule, samples_seen: int, expected: float) -> None:
    assert schedule.adversarial_weight(samples_seen) == pytest.approx(expected)


def test_stages_switch_after_the_faithful_samples(schedule: Schedule) -> None:
    assert [schedule.stage(n) for n in (0, 999, 1000)] == ["faithful", "faithful", "adversarial"]
    assert [schedule.generator_learns(n) for n in (0, 999, 1000, 1049, 1050)] == [True, True, False, False, True]


# --- trainer


@pytest.mark.usefixtures("two_places")
def test_the_first_stage_leaves_the_discriminator_alone(tiny: Tiny) -> None:
    trainer = Trainer(tiny(), CPU)
    before = {key: value.clone() for key, value in trainer.discriminator.state_dict().items()}
    tail = trainer.generator.tail.weight.detach().clone()
    values = trainer.update(batch_of(tiny()))
    assert trainer.samples_seen == 2
    assert all(torch.equal(before[key], value) for key, value in trainer.discriminator.state_dict().items())
    assert not torch.equal(tail, trainer.generator.tail.weight)
    assert not any(key.startswith("discriminator") for key in values)


@pytest.mark.usefixtures("two_places")
def test_the_discriminator_warms_up_alone_then_both_learn(tiny: Tiny) -> None:
    config = tiny(faithful_samples=4, adversarial_samples=6, discriminator_warmup=2)
    trainer = Trainer(config, CPU)
    trainer.update(batch_of(config))
    trainer.update(batch_of(config, 2))
    frozen = plain(trainer.ema.state_dict())
    first = trainer.update(batch_of(config))
    assert trainer.faithful is not None
    assert all(torch.equal(frozen[key], trainer.faithful[key]) for key in frozen)
    assert all(torch.equal(frozen[key], value) for key, value in trainer.generator.state_dict().items())
    assert "discriminator/discriminator" in first
    assert not any(key.startswith("generator") for key in first)
    second = trainer.update(batch_of(config))
    assert "generator/content" in second
    assert "generator/adversarial" not in second  # the ramp starts at zero
    third = trainer.update(batch_of(config))
    assert third["generator/adversarial"] > 0


@pytest.mark.usefixtures("two_places")
def test_the_penalty_on_references_comes_every_other_update(tiny: Tiny) -> None:
    config = tiny(faithful_samples=0, adversarial_samples=8, adversary={"r1": 1.0, "every": 2})
    trainer = Trainer(config, CPU)
    has_penalty = ["discriminator/r1" in trainer.update(batch_of(config)) for _ in range(4)]
    assert has_penalty == [True, False, True, False]


@pytest.mark.usefixtures("two_places")
def test_a_critic_learns_several_times_per_update_of_the_generator(tiny: Tiny) -> None:
    config = tiny(
        faithful_samples=4,
        adversarial_samples=12,
        discriminator_warmup=0,
        ramp_samples=1,
        adversary={"critic_updates": 3},
    )
    trainer = Trainer(config, CPU)
    learnt = []
    for _ in range(8):
        values = trainer.update(batch_of(config))
        learnt.append(("generator/content" in values, "discriminator/discriminator" in values))
    assert learnt[:2] == [(True, False)] * 2
    assert learnt[2:] == [(False, True), (True, True), (False, True), (False, True), (True, True), (False, True)]


@pytest.mark.usefixtures("two_places")
def test_averaged_weights_have_the_stated_half_life(tiny: Tiny) -> None:
    trainer = Trainer(tiny(batch_size=2, ema_half_life=2.0), CPU)
    trainer.update(batch_of(tiny()))
    first = trainer.ema.module.tail.weight.detach().clone()
    torch.testing.assert_close(first, trainer.generator.tail.weight)
    trainer.update(batch_of(tiny(), 2))
    expected = (first + trainer.generator.tail.weight.detach()) / 2
    torch.testing.assert_close(trainer.ema.module.tail.weight.detach(), expected)


@pytest.mark.usefixtures("two_places")
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_terms(tiny: Tiny) -> None:
    trainer = Trainer(tiny(), CPU)
    pairs = batch_of(tiny())
    before = trainer.generator.tail.weight.detach().clone()
    spoilt = replace(pairs, reference=torch.full_like(pairs.reference, float("nan")))
    with pytest.raises(
        RsganError, match=r"samples_seen 0\. loss not finite: generator: content, spectral_angle, index of content nan"
    ):
        trainer.update(spoilt)
    assert torch.equal(before, trainer.generator.tail.weight)


@pytest.mark.usefixtures("two_places")
def test_a_checkpoint_of_other_networks_is_refused(tiny: Tiny) -> None:
    state = Trainer(tiny(), CPU).state()
    config = tiny()
    wider = config.model_copy(update={"generator": config.generator.model_copy(update={"channels": 8})})
    with pytest.raises(ConfigError, match="does not fit the networks"):
        Trainer(wider, CPU).load(state)


def test_the_pace_tells_waiting_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 3.0, 4.0, 4.0, 8.0, 8.0])
    monkeypatch.setattr("rsgan.training.journal.time.monotonic", lambda: next(clock))
    pace = Pace(100)  # at 0
    stream = pace.timed(iter(["first", "second"]))
    assert next(stream) == "first"  # asked at 0, there at 3
    assert pace.figures(104) == {"samples_per_second": 1.0, "waiting": 0.75}  # at 4, and begins anew at 4
    assert next(stream) == "second"  # asked at 8, there at 8
    assert pace.waited == 0


class CountsThreads(list[int]):
    """A dataset whose samples are the number of threads that the algebra of numpy has where they are made."""

    def __getitem__(self, _: object) -> int:  # type: ignore[override]
        return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_readers_keep_to_one_core(tiny: Tiny) -> None:
    task: Any = SimpleNamespace(dataset=CountsThreads(range(8)), collate=list, weights={})
    training = tiny().training.model_copy(update={"workers": 1, "batch_size": 2})
    with threadpool_limits(2, user_api="blas"):
        assert list(batches(task, training, 0)) == [[1, 1]] * 4


@pytest.mark.usefixtures("two_places")
def test_batches_go_on_where_they_stopped(tiny: Tiny) -> None:
    config = tiny()
    task = Superres(config)
    task.load(CPU)
    whole, rest = list(batches(task, config.training, 0)), list(batches(task, config.training, 6))
    assert (len(whole), len(rest)) == (8, 5)
    for expected, found in zip(whole[3:], rest, strict=True):
        assert torch.equal(expected.observed, found.observed)


# --- runs


@pytest.fixture
def whole(tiny: Tiny, two_places: None, tmp_path: Path) -> Path:
    """The folder of an uninterrupted tiny run."""
    run_all(tiny(), tmp_path / "whole")
    return tmp_path / "whole"


@pytest.mark.parametrize("stopped_at", [4, 8, 10, 12], ids=["faithful", "switch", "warm-up", "adversarial"])
def test_resumed_is_uninterrupted_bit_for_bit(tiny: Tiny, whole: Path, tmp_path: Path, stopped_at: int) -> None:
    run = tmp_path / "parts"
    interrupt_after(tiny(), run, stopped_at)
    state = torch.load(run / CHECKPOINT, weights_only=True)
    assert state["samples_seen"] == stopped_at
    run_all(tiny(), run, resume=True)
    first, second = open_model(whole / MODEL), open_model(run / MODEL)
    assert first.card == second.card
    assert first.tensors.keys() == second.tensors.keys()
    for key, tensor in first.tensors.items():
        assert torch.equal(tensor, second.tensors[key]), key


@pytest.mark.usefixtures("two_places")
def test_what_penalties_remember_is_resumed_too(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(
        adversary={"objective": "relativistic-average", "lecam": 0.1, "instance_noise": 0.1, "gradient_penalty": 1.0}
    )
    run_all(config, tmp_path / "whole")
    interrupt_after(config, tmp_path / "parts", 12)
    run_all(config, tmp_path / "parts", resume=True)
    first, second = (open_model(tmp_path / name / MODEL).tensors for name in ("whole", "parts"))
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@pytest.mark.usefixtures("two_places")
def test_a_disease_is_in_the_log_and_told(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ill = Diagnosis("discriminator blind", "it guesses", "0.995", "somebody 2014", "Let it learn.")
    monkeypatch.setattr(Health, "watch", lambda self, values: [ill] if "gain_db/P40" in values else [])
    told: list[Diagnosis] = []
    list(train(tiny(), tmp_path / "run", device=CPU, tell=told.append))
    assert told == [ill]
    last = json.loads((tmp_path / "run" / LOG).read_text(encoding="utf-8").splitlines()[-1])
    assert (last["event"], last["samples_seen"], last["remedy"]) == ("health", 16, "Let it learn.")


def test_a_run_leaves_config_log_panel_checkpoint_and_model(tiny: Tiny, whole: Path) -> None:
    assert load_config(whole / CONFIG) == tiny()
    events = [json.loads(line) for line in (whole / LOG).read_text(encoding="utf-8").splitlines()]
    assert [e["samples_seen"] for e in events if e["event"] == "train"] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert [e["samples_seen"] for e in events if e["event"] == "validation"] == [16]
    validation = next(e for e in events if e["event"] == "validation")
    assert math.isfinite(validation["gain_db/P40"])
    assert any(key.startswith("auroc/") for key in validation)  # the judge's, by land cover
    assert [path.name for path in (whole / "panels").iterdir()] == ["000000016.png"]
    assert torch.load(whole / CHECKPOINT, weights_only=True)["samples_seen"] == 16
    assert not list(whole.glob("*.partial"))


def test_a_run_folder_in_use_is_refused(tiny: Tiny, whole: Path) -> None:
    before = (whole / MODEL).read_bytes()
    with pytest.raises(ConfigError, match=r"holds a run already\. Go on with --resume"):
        run_all(tiny(), whole)
    assert (whole / MODEL).read_bytes() == before


def test_two_trainings_never_write_into_one_folder(tiny: Tiny, whole: Path) -> None:
    before = (whole / LOG).read_bytes()
    with FileLock(whole / LOCK), pytest.raises(ConfigError, match="belongs to another training that is running"):
        run_all(tiny(), whole, resume=True)
    assert (whole / LOG).read_bytes() == before


@pytest.mark.usefixtures("two_places")
def test_resuming_without_a_checkpoint_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint to resume from"):
        run_all(tiny(), tmp_path / "new", resume=True)


def test_resuming_from_a_damaged_checkpoint_is_refused(tiny: Tiny, whole: Path) -> None:
    content = (whole / CHECKPOINT).read_bytes()
    (whole / CHECKPOINT).write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match="not a readable checkpoint"):
        run_all(tiny(), whole, resume=True)


def test_the_model_of_a_run_holds_both_generators_and_the_discriminator(tiny: Tiny, whole: Path) -> None:
    model: Model = open_model(whole / MODEL)
    assert {key.split(".")[0] for key in model.tensors} == {"faithful", "adversarial", "discriminator"}
    assert model.card.samples_seen == 16
    assert model.card.objective == "non-saturating"
    assert model.card.bands == tiny().model.bands
    assert model.discriminator().config == tiny().discriminator
    checkpoint = torch.load(whole / CHECKPOINT, weights_only=True)
    for key, value in checkpoint["faithful"].items():
        assert torch.equal(model.tensors[f"faithful.{key}"], value)
        assert torch.equal(model.tensors[f"adversarial.{key}"], checkpoint["ema"][f"module.{key}"])
    assert any(
        not torch.equal(model.tensors[f"faithful.{key}"], model.tensors[f"adversarial.{key}"])
        for key in checkpoint["faithful"]
    )


@pytest.mark.usefixtures("two_places")
def test_a_run_without_second_stage_ships_no_adversary(tiny: Tiny, tmp_path: Path) -> None:
    run_all(tiny(adversarial_samples=0), tmp_path / "run")
    model = open_model(tmp_path / "run" / MODEL)
    assert not model.has_adversarial
    assert model.card.discriminator is None
    assert model.card.objective == "none"


@pytest.mark.usefixtures("two_places")
def test_one_seed_gives_one_first_loss(tiny: Tiny, tmp_path: Path) -> None:
    first, second, other = (
        next(islice(train(tiny(seed=seed), tmp_path / name, device=CPU), 1))
        for seed, name in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert first["generator/content"] == second["generator/content"]
    assert first["generator/content"] != other["generator/content"]


@pytest.mark.usefixtures("two_places")
def test_a_run_that_blows_up_says_which_loss_and_keeps_its_last_checkpoint(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsgan.training.games.paired import PairedGame

    sound = PairedGame.generator_terms

    def spoilt(game: PairedGame, pairs: object, adversarial: bool) -> dict[str, torch.Tensor]:
        terms = sound(game, pairs, adversarial)
        return terms | {"index": terms["index"] * float("inf")} if adversarial else terms

    monkeypatch.setattr(PairedGame, "generator_terms", spoilt)
    with pytest.raises(RsganError, match=r"loss not finite: generator: index of .*--resume"):
        list(train(tiny(), tmp_path / "run", device=CPU))
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["samples_seen"] == 12
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert events[-1]["disease"] == "loss not finite"
    assert "loss not finite" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("two_places")
def test_a_compiled_generator_learns_the_same(tiny: Tiny, tmp_path: Path) -> None:
    for name, compiled in (("plain", False), ("compiled", True)):
        list(train(tiny(compile=compiled, faithful_samples=4, adversarial_samples=4), tmp_path / name, device=CPU))
    first, second = (open_model(tmp_path / name / "model.safetensors").tensors for name in ("plain", "compiled"))
    assert max(float((first[key] - second[key]).abs().max()) for key in first) < 0.02


@pytest.mark.usefixtures("two_places")
def test_what_a_run_started_from_stays_by_the_share_that_is_asked_for(tiny: Tiny, tmp_path: Path) -> None:
    list(train(tiny(adversarial_samples=0), tmp_path / "first", device=CPU))
    first = tmp_path / "first" / "model.safetensors"
    found = []
    for keep in (0.0, 0.25):
        run = tmp_path / f"keep-{keep}"
        settings = tiny(seed=5, adversarial_samples=0, start_from=str(first), keep_start=keep)
        list(train(settings, run, device=CPU))
        found.append(open_model(run / "model.safetensors").tensors)
    start = open_model(first).tensors
    for name, value in found[1].items():
        torch.testing.assert_close(value, 0.75 * found[0][name] + 0.25 * start[name])
    assert any(not torch.equal(found[0][name], start[name]) for name in start)
    with pytest.raises(ValueError, match="keep_start keeps weights of start_from"):
        tiny(keep_start=0.5)
