"""The training loop: two stages, phases as data, one JSON line per log event, one checkpoint to go on from."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
import yaml
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from rsgan.card import ModelCard, ProbeCoefficients
from rsgan.errors import ConfigError, RsganError
from rsgan.model import State, open_model, save_model
from rsgan.nn.discriminators import Discriminator, build_discriminator
from rsgan.nn.generators import Generator, build_generator
from rsgan.nn.ranks import average_gradients, count, mean_over_ranks, number
from rsgan.training.checkpoint import load_checkpoint, save_checkpoint
from rsgan.training.config import Training
from rsgan.training.games.adversary import Adversary
from rsgan.training.health import Diagnosis, Health
from rsgan.training.journal import Journal, Pace
from rsgan.training.loading import AnyConfig
from rsgan.training.processes import refuse_uneven, telling_of_lost_ones, wait_for_all
from rsgan.training.report import save_run_report
from rsgan.training.tasks import Batch, Task, task_of

Stage = Literal["faithful", "adversarial"]
CHECKPOINT, LOG, MODEL, CONFIG = "checkpoint.pt", "log.jsonl", "model.safetensors", "config.yaml"
LOCK = ".lock"
REPORT, PANELS = "report.html", "panels"


@dataclass(frozen=True)
class Schedule:
    """Learning rate and adversarial weight as functions of samples_seen.

    Attributes:
        training: durations and peaks.
        adversarial: final weight of the adversarial term.
    """

    training: Training
    adversarial: float

    def stage(self, samples_seen: int) -> Stage:
        """Which stage a sample belongs to."""
        return "faithful" if samples_seen < self.training.faithful_samples else "adversarial"

    def learning_rate(self, samples_seen: int, network: str = "generator") -> float:
        """Of the generator or the discriminator: linear rise, then half a cosine to 1 % of the peak, in each stage."""
        training = self.training
        if self.stage(samples_seen) == "faithful":
            done, total, peak = samples_seen, training.faithful_samples, training.learning_rate
        else:
            done, total = samples_seen - training.faithful_samples, training.adversarial_samples
            peak = training.adversarial_learning_rate
            if network == "discriminator":
                peak = training.discriminator_learning_rate or peak
        rise = min(1.0, (done + training.batch_size) / max(training.learning_rate_warmup, 1))
        return peak * rise * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done / max(total, 1), 1))) / 2)

    def adversarial_weight(self, samples_seen: int) -> float:
        """0 in the first stage and while the discriminator warms up, then a linear ramp."""
        training = self.training
        done = samples_seen - training.faithful_samples - training.discriminator_warmup
        return self.adversarial * min(max(done / training.ramp_samples, 0.0), 1.0)

    def generator_learns(self, samples_seen: int) -> bool:
        """False only while the discriminator warms up."""
        done = samples_seen - self.training.faithful_samples
        return not 0 <= done < self.training.discriminator_warmup


def plain(state: State) -> State:
    """Weights of an averaged model under the names of the network itself."""
    return {key.removeprefix("module."): value.clone() for key, value in state.items() if key != "n_averaged"}


class NotFinite(RsganError):
    """A loss is not a number, or infinite; the last checkpoint is from before that.

    Attributes:
        diagnosis: which one, and what to change.
    """

    def __init__(self, samples_seen: int, network: str, terms: dict[str, float]) -> None:
        ill = ", ".join(name for name, value in terms.items() if not math.isfinite(value)) or "that of another process"
        self.diagnosis = Diagnosis(
            "loss not finite",
            f"{network}: {ill} of {', '.join(f'{name} {value:.4g}' for name, value in terms.items())}",
            "a finite number",
            "IEEE 754",
            f"Lower {_RATES[network]} or training.gradient_clip, and go on from the last checkpoint with --resume.",
        )
        super().__init__(f"training stopped at samples_seen {samples_seen}. {self.diagnosis}")


_RATES = {
    "generator": "training.learning_rate and training.adversarial_learning_rate",
    "discriminator": "training.discriminator_learning_rate",
}


class Trainer:
    """Everything that changes during a run."""

    def __init__(self, config: AnyConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.task: Task = task_of(config)
        torch.manual_seed(config.seed)
        self.dtype = torch.float64 if config.training.precision == "float64" else torch.float32
        layout = {"device": device, "memory_format": torch.channels_last, "dtype": self.dtype}
        self.generator = build_generator(config.generator).to(**layout)  # type: ignore[call-overload]
        self.start: State | None = None
        if config.training.start_from is not None:
            self._start_from(config.training.start_from)
            self.start = {name: value.clone() for name, value in self.generator.state_dict().items()}
        self.discriminator: Discriminator | None = None
        if config.discriminator is not None:
            self.discriminator = build_discriminator(config.discriminator).to(**layout)  # type: ignore[call-overload]
        if config.training.compile:
            # compiled for another layout, the gradient of a replicated border is wrong (torch 2.15)
            self.generator.compile(options={"layout_optimization": False})
        self.adversary = Adversary(config.adversary, config.seed, self.discriminator)
        self.game = self.task.game(self.generator, self.discriminator, self.adversary)
        self.schedule = Schedule(config.training, config.losses.adversarial)
        self.samples_seen = 0
        self.faithful: State | None = None
        self._start_stage()

    def _start_from(self, name: str) -> None:
        try:
            self.generator.load_state_dict(open_model(name).states()[0])
        except RuntimeError as error:
            raise ConfigError(
                f"training.start_from: {name} is of another network than the config's generator: {error}"
            ) from error

    def _start_stage(self) -> None:
        training = self.config.training
        decay = 0.5 ** (training.batch_size / training.ema_half_life)
        self.ema = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.optimizers = {
            "generator": torch.optim.AdamW(
                self.generator.parameters(), betas=(training.momentum, 0.99), weight_decay=0.0
            ),
        }
        if self.discriminator is not None:
            self.optimizers["discriminator"] = torch.optim.AdamW(
                self.discriminator.parameters(), betas=(training.discriminator_momentum, 0.99), weight_decay=0.0
            )

    def _step(self, name: str, network: nn.Module, terms: dict[str, Tensor], clip: float) -> dict[str, float]:
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(mean_over_ranks(loss.detach())):
            raise NotFinite(self.samples_seen, name, {key: float(value.detach()) for key, value in terms.items()})
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(network.parameters())
        norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
        for group in optimizer.param_groups:
            group["lr"] = self.schedule.learning_rate(self.samples_seen, name)
        optimizer.step()
        return {f"{name}/{key}": float(value.detach()) for key, value in terms.items()} | {f"{name}/norm": float(norm)}

    def update(self, pairs: Batch) -> dict[str, float]:
        """One update of each network that learns in the present stage; returns the terms of the losses.

        Raises:
            RsganError: a loss is not finite.
        """
        adversarial = self.schedule.stage(self.samples_seen) == "adversarial"
        if adversarial and self.faithful is None and self.config.training.faithful_samples:
            self.faithful = self._kept(plain(self.ema.state_dict()))
            self.generator.load_state_dict(self.faithful)
            self._start_stage()
        values: dict[str, float] = {}
        training = self.config.training
        self.adversary.update = self.samples_seen // training.batch_size
        torch.manual_seed((self.config.seed * 1_000_003 + self.adversary.update) * count() + number())  # of dropout
        if adversarial and self.discriminator is not None:
            self.discriminator.requires_grad_(True)
            terms = self.game.discriminator_terms(pairs)
            values |= self._step("discriminator", self.discriminator, terms, 1e3)
            self.adversary.bound(self.discriminator)
            self.discriminator.requires_grad_(False)
        waits = adversarial and self.adversary.update % self.config.adversary.critic_updates
        if self.schedule.generator_learns(self.samples_seen) and not waits:
            weight = self.schedule.adversarial_weight(self.samples_seen)
            terms = self.game.generator_terms(pairs, weight > 0)
            if "adversarial" in terms:
                terms["adversarial"] = weight * terms["adversarial"]
            if terms:  # there are none where all that a generator learns from is still on its way
                values |= self._step("generator", self.generator, terms, training.gradient_clip)
                self.ema.update_parameters(self.generator)
        self.samples_seen += training.batch_size
        return values

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {
            "samples_seen": self.samples_seen,
            "generator": self.generator.state_dict(),
            "discriminator": None if self.discriminator is None else self.discriminator.state_dict(),
            "ema": self.ema.state_dict(),
            "faithful": self.faithful,
            "adversary": self.adversary.state(),
            "weights": dict(self.task.weights),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            ConfigError: it was written by a run of other networks.
        """
        try:
            self.generator.load_state_dict(state["generator"])
            if self.discriminator is not None:
                self.discriminator.load_state_dict(state["discriminator"])
            self.ema.load_state_dict(state["ema"])
            self.adversary.load(state["adversary"])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
        except (RuntimeError, KeyError, ValueError) as error:
            raise ConfigError(f"the checkpoint does not fit the networks of the config: {error}") from error
        self.samples_seen, self.faithful = int(state["samples_seen"]), state["faithful"]
        self.task.weights = state.get("weights", {})

    @property
    def averaged(self) -> Generator:
        """The generator with averaged weights, as it stands, in float32."""
        generator = cast(Generator, self.ema.module)
        if self.dtype == torch.float32 and not self.config.training.keep_start:
            return generator
        mixed = copy.deepcopy(generator)
        mixed.load_state_dict(self._kept(plain(self.ema.state_dict())))
        return mixed.float()

    def _kept(self, averaged: State) -> State:
        """Averaged weights with the share of the model that the run started from."""
        share, start = self.config.training.keep_start, self.start
        if not share or start is None or self.faithful is not None:
            return averaged
        return {
            name: torch.lerp(value, start[name].to(value), share) if value.is_floating_point() else value
            for name, value in averaged.items()
        }

    @property
    def judged(self) -> bool:
        """Whether the discriminator has learnt yet."""
        return self.discriminator is not None and self.samples_seen > self.config.training.faithful_samples

    def final_states(self) -> tuple[State, State | None]:
        """Averaged weights: (faithful, adversarial or None); a run without a first stage has one generator only."""
        averaged = self._kept(plain(self.ema.state_dict()))
        return (averaged, None) if self.faithful is None else (self.faithful, averaged)

    def card(self, probe: ProbeCoefficients | None = None) -> ModelCard:
        """The card of the model as it stands."""
        text, game = self.config.model_dump_json(), self.config.adversary
        return self.task.card(
            discriminator=self.config.discriminator if self.judged else None,
            objective=game.objective if self.judged else "none",
            real_label=game.real_label,
            augmented=bool(game.augment) or game.augment_target is not None,
            instance_noise=game.instance_noise,
            probe=probe,
            samples_seen=self.samples_seen,
            config_sha256=hashlib.sha256(text.encode()).hexdigest(),
        )

    def save(self, path: Path, probe: ProbeCoefficients | None = None) -> None:
        """Write the model file."""
        faithful, adversarial = self.final_states()
        judge = self.discriminator.state_dict() if self.judged and self.discriminator is not None else None
        dtype = torch.float16 if self.config.training.precision == "bfloat16" else torch.float32
        save_model(path, self.card(probe), faithful, adversarial, judge, dtype=dtype)


class Shares:
    """The samples of each batch that this process reads, from sample `start` on, in order."""

    def __init__(self, start: int, stop: int, batch_size: int) -> None:
        self.firsts = range(start, stop - batch_size + 1, batch_size)
        self.share = batch_size // count()

    def __len__(self) -> int:
        return len(self.firsts)

    def __iter__(self) -> Iterator[list[int]]:
        for first in self.firsts:
            begin = first + number() * self.share
            yield list(range(begin, begin + self.share))


def batches(task: Task, training: Training, start: int) -> Iterator[Batch]:
    """Batches from sample `start` on, in order; of several processes, each gets its share of every batch.

    Where the task is weighed anew, what readers have drawn ahead by the weights before is dropped.
    """
    weights = None
    while weights is not task.weights:
        weights = task.weights
        loader = DataLoader(
            cast(Dataset[Any], task.dataset),
            batch_sampler=Shares(start, len(task.dataset), training.batch_size),
            collate_fn=task.collate,
            num_workers=training.workers,
            worker_init_fn=_one_thread,
        )
        for pairs in loader:
            yield pairs
            start += training.batch_size
            if weights is not task.weights:
                break


def _one_thread(worker: int) -> None:
    """A reader computes with one core, as torch has it; the threads of numpy's algebra would take the loop's."""
    threadpool_limits(1, user_api="blas")


def train(
    config: AnyConfig,
    run: Path,
    *,
    device: torch.device,
    resume: bool = False,
    tell: Callable[[Diagnosis], None] = lambda _: None,
) -> Iterator[dict[str, float]]:
    """Run a training; yields the values of every log event, so that a caller can show progress.

    Several processes (see `processes.joined`) share every batch; only the first one writes files.

    Args:
        config: the whole run.
        run: folder of the run: config.yaml, log.jsonl, checkpoint.pt, panels/, report.html, model.safetensors.
        device: where to compute.
        resume: go on from the run's checkpoint.
        tell: what to do with a disease of the game that was found; it is in the log in any case.

    Raises:
        ConfigError: no tiles, a place on both sides of the split, or a run folder that is in use.
        RsganError: a loss is not finite, or another process of the run ended.
    """
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
        threadpool_limits(config.training.threads, user_api="blas")
    refuse_uneven(config.training.batch_size)
    if count() > 1 and getattr(config.data, "reweight", False):
        raise ConfigError("data.reweight is for one process: the others would not know the weights. Set it to 0.")
    if (run / CHECKPOINT).exists() and not resume:
        raise ConfigError(f"{run} holds a run already. Go on with --resume, or give another folder with --out.")
    trainer = Trainer(config, device)
    if resume:
        trainer.load(load_checkpoint(run / CHECKPOINT))
    task = trainer.task
    task.load(device)
    with telling_of_lost_ones(run):
        wait_for_all()  # none looks for a checkpoint after another has written one
        if number():
            for pairs in batches(task, config.training, trainer.samples_seen):
                trainer.update(pairs.to(device, trainer.dtype))
            wait_for_all()
            return
        with _alone_in(run):
            yield from _led(trainer, run, tell)
        wait_for_all()


@contextmanager
def _alone_in(run: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder.

    Raises:
        ConfigError: one writes into it already.
    """
    run.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(run / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise ConfigError(
            f"{run} belongs to another training that is running. Wait for its end, or give another folder with --out."
        ) from error


def _led(trainer: Trainer, run: Path, tell: Callable[[Diagnosis], None]) -> Iterator[dict[str, float]]:
    """Run the training loop of rank 0, which logs, validates and saves."""
    config, task, device = trainer.config, trainer.task, trainer.device
    (run / CONFIG).write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    journal = Journal.of(run / LOG, run / "tensorboard")
    health = Health(trainer.adversary.objective)

    def examine(values: dict[str, float]) -> None:
        for diagnosis in health.watch(values):
            journal.say(trainer.samples_seen, diagnosis)
            tell(diagnosis)

    pace = Pace(trainer.samples_seen)
    for pairs in pace.timed(batches(task, config.training, trainer.samples_seen)):
        try:
            values = trainer.update(pairs.to(device, trainer.dtype))
        except NotFinite as error:
            journal.say(trainer.samples_seen, error.diagnosis)
            save_run_report(run / REPORT, config, run / LOG, run / PANELS)
            raise
        examine(values)
        seen, due = trainer.samples_seen, _due(config.training, trainer.samples_seen, config.training.batch_size)
        if due["log"]:
            values |= pace.figures(seen) | {"learning_rate": trainer.schedule.learning_rate(seen)}
            journal.write("train", seen, values)
            yield {"samples_seen": seen, **values}
        if due["validate"] or seen > len(task.dataset) - config.training.batch_size:
            averaged = trainer.averaged
            figures = task.validation.measure(averaged)
            if trainer.judged and trainer.discriminator is not None:
                figures |= task.by_class(averaged, trainer.discriminator)
                task.reweigh(figures)
                figures |= {f"weight/{name}": weight for name, weight in task.weights.items()}
            task.validation.panel(averaged, run / PANELS / f"{seen:09d}.png")
            journal.write("validation", seen, figures)
            examine(figures)
            yield {"samples_seen": seen, **figures}
            pace.restart(seen)
        if due["checkpoint"]:
            save_checkpoint(run / CHECKPOINT, trainer.state())
    save_checkpoint(run / CHECKPOINT, trainer.state())
    trainer.save(run / MODEL, task.probe())
    journal.close()
    save_run_report(run / REPORT, config, run / LOG, run / PANELS)


def _due(training: Training, seen: int, step: int) -> dict[str, bool]:
    every = {"log": training.log_every, "validate": training.validate_every, "checkpoint": training.checkpoint_every}
    return {name: seen // count != (seen - step) // count for name, count in every.items()}
