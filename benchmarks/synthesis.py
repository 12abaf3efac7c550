"""Synthetic chips, judged: writes sections of RESULTS.md.

    python -m benchmarks.synthesis --part shipped --data DIR [--card]  # the shipped model, as a set and class by class
    python -m benchmarks.synthesis --part table --data DIR       # objective x generator, small budgets
    python -m benchmarks.synthesis --part downstream --data DIR  # does a classifier of the scarce class gain?
    python -m benchmarks.synthesis --part speed

Sets are compared by the features of the shipped encoder of land cover; the config of the shipped model names tiles and
split. Beside the made chips stand a learning-free baseline, training chips whose phases are drawn anew (mean,
covariance and power spectrum of a real chip, no structure), and real chips: others of the training tiles, and held-out
ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from torch import Tensor

import rsgan
from benchmarks.results import record, table
from rsgan.card import Figure
from rsgan.metrics import distribution, spectral_realism
from rsgan.metrics.memorisation import audit
from rsgan.model import find_model, open_model, read_card, replace_card
from rsgan.nn.encoder import ChipEncoder
from rsgan.nn.generators import SynthesisGenerator
from rsgan.nn.generators.synthesis.sampling import noise_of, sample
from rsgan.training.loading import load_config
from rsgan.training.loop import train
from rsgan.training.synthesis.batch import LabelledChips
from rsgan.training.synthesis.config import SynthesizeConfig
from rsgan.training.synthesis.samples import LabelledDataset, load_labelled
from rsgan.training.synthesis.validation import features_of, open_encoder

CONFIG, MODEL = Path("configs/synth_landcover.yaml"), "synth-landcover"
COUNT, NEIGHBOURS = 2000, 5
"""Chips of each set, all classes alike; nearest neighbours of precision, recall, density and coverage."""
SCARCE = "damaged spruce"
Features = NDArray[np.floating]


def config_of(data: Path, *changes: str) -> SynthesizeConfig:
    """The shipped config on these tiles."""
    found = load_config(CONFIG, [f'data.root="{data}"', *changes])
    if not isinstance(found, SynthesizeConfig):
        raise TypeError(f"{CONFIG} is of task {found.task}")
    return found


def scrambled(chips: Tensor, rng: np.random.Generator) -> Tensor:
    """Each chip with new phases, the same for all bands: its mean, covariance and power spectrum, and no structure."""
    spectrum = np.fft.fft2(chips.numpy())
    noise = np.fft.fft2(rng.standard_normal((len(chips), 1, *chips.shape[2:])))
    phases = noise / np.abs(noise)
    phases[..., 0, 0] = 1
    return torch.from_numpy(np.fft.ifft2(spectrum * phases).real.astype(np.float32))


def made_chips(generator: SynthesisGenerator, classes: Tensor, seed: int) -> Tensor:
    """A chip of each class that is listed."""
    return sample(generator, noise_of(generator, seed, range(len(classes))), classes)


def figures(made: Features, wanted: Features) -> dict[str, distribution.Measured]:
    """Every figure of two sets, with its interval."""

    def near(name: str) -> Callable[[Features, Features], float]:
        return lambda a, b: float(getattr(distribution.neighbourhood(a, b, NEIGHBOURS), name))

    asked: dict[str, Callable[[Features, Features], float]] = {
        "precision": near("precision"),
        "recall": near("recall"),
        "density": near("density"),
        "coverage": near("coverage"),
        "Frechet": distribution.frechet_distance,
        "kernel": distribution.kernel_distance,
        "sliced Wasserstein": distribution.sliced_wasserstein,
    }
    found = {name: distribution.with_interval(of, made, wanted, repeats=20) for name, of in asked.items()}
    far = distribution.frechet_extrapolated(made, wanted)
    return found | {"Frechet, endless": distribution.Measured(far, far, far)}


def said(value: distribution.Measured) -> str:
    """A figure and half of its interval."""
    half = (value.high - value.low) / 2
    return f"{value.value:.3f}" if not half else f"{value.value:.3f} +- {half:.3f}"


MADE, SCRAMBLED, OTHERS = "made", "phases drawn anew", "real, other chips of the training tiles"


def shipped(data: Path, *, into_card: bool) -> None:
    """The shipped model as a set, its classes one by one, and copies."""
    config = config_of(data)
    training, held_out = load_labelled(config)
    encoder = open_encoder(config.encoder or "", config.target.bands)
    generator = open_model(MODEL).generator()
    assert isinstance(generator, SynthesisGenerator)
    real = training.chips(COUNT, 101)
    sets = {
        MADE: made_chips(generator, real.classes, 5),
        "made, truncation 0.7": sample(generator, noise_of(generator, 5, range(COUNT)), real.classes, 0.7),
        SCRAMBLED: scrambled(training.chips(COUNT, 103).reference, np.random.default_rng(0)),
        OTHERS: training.chips(COUNT, 102).reference,
        "real, held-out places": held_out.chips(COUNT, 104).reference,
    }
    wanted = features_of(real.reference, encoder)
    features = {name: features_of(chips, encoder) for name, chips in sets.items()}
    audited = features_of(training.chips(2048, 105).reference, encoder)
    measured = {name: figures(found, wanted) for name, found in features.items()}
    rows = []
    for name, found in features.items():
        near = audit(found, audited, features["real, held-out places"])
        score = distribution.class_score(told_by(encoder, sets[name]))
        cells = [
            *map(said, measured[name].values()),
            f"{score:.2f}",
            f"{near.too_near:.3f}",
            f"{near.authenticity:.2f}",
        ]
        rows.append([name, *cells])
        print(*rows[-1], sep=" | ", flush=True)
    head = ["chips", *measured[MADE], "class score", "too near a training chip", "authenticity"]
    body = f"`python -m benchmarks.synthesis --part shipped --data DIR`\n\n{COUNT} chips of each set, classes alike, "
    body += f"against {COUNT} chips of the training tiles; k {NEIGHBOURS}.\n\n{table(head, rows)}"
    body += f"\n\n{_by_class(config, real, features, wanted, encoder, sets)}"
    record("synthesis.py: the shipped model", body)
    if into_card:
        _into_card(measured)


def told_by(encoder: ChipEncoder, chips: Tensor) -> Features:
    """(N, K) probability of each class."""
    with torch.no_grad():
        return torch.cat([encoder(part).softmax(1) for part in chips.split(64)]).numpy()


def _into_card(measured: dict[str, dict[str, distribution.Measured]]) -> None:
    protocol = f"{COUNT} chips, k {NEIGHBOURS}, training tiles"
    told = tuple(
        Figure(
            protocol=protocol, what=name, ours=found.value, baseline=measured[SCRAMBLED][name].value,
            spread=(found.high - found.low) / 2,
        )
        for name, found in measured[MADE].items()
    )  # fmt: skip
    file = find_model(MODEL)
    replace_card(file, read_card(file).model_copy(update={"metrics": told}))


def _by_class(
    config: SynthesizeConfig, real: LabelledChips, features: Mapping[str, Features], wanted: Features,
    encoder: ChipEncoder, sets: dict[str, Tensor],
) -> str:  # fmt: skip
    rows, bands = [], config.target.bands
    for place, each in enumerate(config.classes):
        here = (real.classes == place).numpy()
        cells = []
        for name in (MADE, OTHERS):
            near = distribution.neighbourhood(features[name][here], wanted[here], NEIGHBOURS)
            chips, like = (
                config.target.to_physical(x[torch.from_numpy(here)].numpy()) for x in (sets[name], real.reference)
            )
            found = (
                near.precision,
                near.recall,
                spectral_realism.covariance_difference(chips, like),
                spectral_realism.index_distance(chips, like, bands.index("B08"), bands.index("B04")),
                spectral_realism.power_difference_db(chips, like),
            )
            cells.append([f"{value:.2f}" for value in found])
        told = told_by(encoder, sets[MADE][torch.from_numpy(here)]).argmax(1) == place
        pairs = [f"{ours} / {others}" for ours, others in zip(*cells, strict=True)]
        rows.append([each.name, *pairs, f"{told.mean():.2f}"])
        print(*rows[-1], sep=" | ", flush=True)
    names = ("precision", "recall", "covariance", "NDVI", "power, dB")
    return table(["class, made / real, others", *names, "told as its class by the encoder"], rows)


GENERATORS = {
    "convolutional": "{kind: convolutional, latent: 64, channels: 8, most: 48}",
    "residual": "{kind: residual, latent: 64, channels: 8, most: 48}",
    "style": "{kind: style, latent: 64, channels: 8, most: 48, pace: 0.1}",
}
OBJECTIVES = ("non-saturating", "hinge", "relativistic-paired")


def ladder(data: Path, samples: int) -> None:
    """Objective x generator, each for as many chips."""
    rows = []
    for kind, network in GENERATORS.items():
        for objective in OBJECTIVES:
            rate = "2e-3" if kind == "style" else "5e-4"
            config = config_of(
                data, f"generator.network={network}", f"adversary.objective={objective}",
                f"training.adversarial_samples={samples}", f"training.adversarial_learning_rate={rate}",
                "training.validate_every=1000000", "training.checkpoint_every=1000000", "training.ema_half_life=1000",
                "discriminator.channels=8", "discriminator.most=48",
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                started, last = time.perf_counter(), dict[str, float]()
                for values in train(config, Path(folder), device=torch.device("cpu")):
                    last = values
                minutes = (time.perf_counter() - started) / 60
                generator = open_model(Path(folder) / "model.safetensors").generator()
            assert isinstance(generator, SynthesisGenerator)
            started = time.perf_counter()
            made_chips(generator, torch.arange(512) % len(config.classes), 1)
            pace = 512 / (time.perf_counter() - started)
            names = ("frechet", "precision", "recall", "density", "coverage")
            cells = [f"{last[f'{name}/training']:.2f}" for name in names]
            rows.append([kind, objective, *cells, f"{pace:.0f}", f"{minutes:.1f}"])
            print(*rows[-1], sep=" | ", flush=True)
    head = ["generator", "objective", "Frechet", "precision", "recall", "density", "coverage", "chips/s", "minutes"]
    body = (
        f"`python -m benchmarks.synthesis --part table --data DIR --samples {samples}`\n\n512 made chips against 512 "
    )
    body += f"training chips, k {NEIGHBOURS}; {samples:,} chips of training each, one seed.\n\n{table(head, rows)}"
    record("synthesis.py: objective and generator", body)


def downstream(data: Path, seeds: int) -> None:
    """F1 of the scarce class with a tenth of the real labels, without and with synthetic chips of that class."""
    config = config_of(data)
    training, held_out = load_labelled(config)
    generator = open_model(MODEL).generator()
    assert isinstance(generator, SynthesisGenerator)
    names = [each.name for each in config.classes]
    scarce, judged = names.index(SCARCE), held_out.chips(200 * len(names), 7)
    wanted = _hand_made(judged.reference)
    rows, gains = [], {"synthetic": list[float](), "copies": list[float](), "new phases": list[float]()}
    for seed in range(seeds):
        chips, labels = _few(training, seed)
        added = made_chips(generator, torch.full((100,), scarce), 1000 + seed)
        rare = chips[torch.from_numpy(labels == scarce)]
        copies = rare[torch.arange(100) % len(rare)]
        found = {}
        phases = scrambled(copies, np.random.default_rng(seed))
        for name, more in {"real alone": None, "synthetic": added, "copies": copies, "new phases": phases}.items():
            x = _hand_made(chips if more is None else torch.cat([chips, more]))
            y = labels if more is None else np.concatenate([labels, np.full(len(more), scarce)])
            forest = RandomForestClassifier(300, random_state=seed, n_jobs=2).fit(x, y)
            told = forest.predict(wanted)
            found[name] = float(f1_score(judged.classes.numpy() == scarce, told == scarce))
        for name, gained in gains.items():
            gained.append(found[name] - found["real alone"])
        rows.append([str(seed), *(f"{value:.3f}" for value in found.values())])
        print(*rows[-1], sep=" | ", flush=True)
    for name, gained in gains.items():
        half = 1.96 * np.std(gained, ddof=1) / np.sqrt(seeds)
        print(f"{name}: change of F1 {np.mean(gained):+.3f} +- {half:.3f}")
    told = "; ".join(
        f"with {name} {np.mean(g):+.3f} +- {1.96 * np.std(g, ddof=1) / np.sqrt(seeds):.3f}" for name, g in gains.items()
    )
    head = ["seed", "real alone", *(f"with {name}" for name in gains)]
    body = "`python -m benchmarks.synthesis --part downstream --data DIR`\n\n"
    body += (
        f"F1 of '{SCARCE}' on held-out places, a random forest on means, deviations and gradients of bands: 20 real "
    )
    body += "chips of each class but 4 of the scarce one, then with 100 synthetic chips of it, or with its 4 chips "
    body += "repeated as often, or these with new phases. The generator had learnt from all training tiles.\n\n"
    body += f"{table(head, rows)}\n\n"
    record("synthesis.py: a classifier of the scarce class", body + f"Change of F1: {told} ({seeds} seeds, 95 %).")


def _few(training: LabelledDataset, seed: int) -> tuple[Tensor, NDArray[np.int64]]:
    """20 chips of each class, 4 of the scarce one."""
    rng, chips, labels = np.random.default_rng(seed), [], []
    for place, each in enumerate(training.config.classes):
        for _ in range(4 if each.name == SCARCE else 20):
            chips.append(training.draw(rng, place).reference)
            labels.append(place)
    return torch.cat(chips), np.array(labels)


def _hand_made(chips: Tensor) -> Features:
    return distribution.descriptors(chips.numpy())


def speed() -> None:
    """1,000 chips into files, the import of torch left out."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        rsgan.synthesize(Path(folder) / "made", 125)
        seconds = time.perf_counter() - started
    print(f"{seconds:.1f} s")
    body = "`python -m benchmarks.synthesis --part speed`\n\n1,000 chips of 64 x 64 x 4 pixels as GeoTIFFs with labels "
    record("synthesis.py: speed", body + f"and contact sheet: {seconds:.1f} s.")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=["shipped", "table", "downstream", "speed"], required=True)
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--card", action="store_true", help="write the figures into the model's card")
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.part == "speed":
        speed()
    elif arguments.data is None:
        parser.error("--data is needed: the folder of the tiles")
    elif arguments.part == "shipped":
        shipped(arguments.data, into_card=arguments.card)
    elif arguments.part == "table":
        ladder(arguments.data, arguments.samples)
    else:
        downstream(arguments.data, arguments.seeds)


if __name__ == "__main__":
    main()
