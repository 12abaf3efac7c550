"""rsgan train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rsgan.cli.options import device_choice, friendly_errors, progress_bar, talk, verbosity

if TYPE_CHECKING:
    from rsgan.training.config import TrainConfig
    from rsgan.training.loading import AnyConfig


@click.command(name="train", short_help="Train a model on your own tiles.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the tiles; overrides data.root of the config.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run  [default: runs/NAME]")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a setting, like training.batch_size=8; may be given again.",
)
@click.option("--init", metavar="MODEL", help="Fine-tune this model, by name or by file, instead of drawing weights.")
@click.option("--precision", type=click.Choice(["float32", "bfloat16", "bf16", "float64"]), help="Inside the networks.")
@click.option("--resume", is_flag=True, help="Go on from the run's checkpoint.")
@click.option(
    "--uncertainty-of",
    type=click.Path(path_type=Path),
    help="Instead of training: fit to this model file how wrong its pixels may be, and write that into it.",
)
@device_choice
@verbosity
def command(
    config: Path,
    data: Path | None,
    out: Path | None,
    changes: tuple[str, ...],
    init: str | None,
    precision: str | None,
    resume: bool,
    uncertainty_of: Path | None,
    device: str,
    quiet: bool,
    verbose: bool,
) -> None:
    """Train as CONFIG (a YAML file) says: writes log, panels, checkpoint and model.safetensors into the run folder.

    \b
    Examples:
      rsgan train configs/smoke_cpu.yaml --out runs/smoke
      rsgan train configs/superres_s2_rgbn_x2.yaml --data tiles/ --out runs/x2 --resume
      rsgan train configs/superres_s2_rgbn_x2.yaml --data tiles/ --init s2-rgbn-x2 --set training.learning_rate=5e-5
      torchrun --nproc-per-node 4 --no-python rsgan train configs/superres_s2_rgbn_x2.yaml --data tiles/
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.errors import ConfigError
        from rsgan.training.loading import load_config

        flags = {
            "data.root": data,
            "training.start_from": init,
            "training.precision": "bfloat16" if precision == "bf16" else precision,
        }
        given = [f"{key}={json.dumps(str(value))}" for key, value in flags.items() if value is not None]
        settings = load_config(config, [*changes, *given])
        if uncertainty_of is not None:
            if settings.task != "superres":
                raise ConfigError(f"{config}: --uncertainty-of fits models of task superres, not {settings.task}.")
            _fit_uncertainty(settings, uncertainty_of, quiet=quiet)
            return
        run_training(settings, out, device, resume=resume, quiet=quiet, verbose=verbose)


def run_training(
    settings: AnyConfig, out: Path | None, device: str, *, resume: bool, quiet: bool, verbose: bool
) -> None:
    """Train with progress on stderr, and print the model's path."""
    from rsgan.model import choose_device
    from rsgan.nn.ranks import number
    from rsgan.training.loop import MODEL, train
    from rsgan.training.processes import joined

    run = out or Path("runs") / settings.model.name
    total = settings.training.samples
    with joined(choose_device(device)) as where, progress_bar("chips", quiet=quiet or verbose) as progress:  # type: ignore[arg-type]
        for values in train(
            settings, run, device=where, resume=resume, tell=lambda ill: talk([f"health: {ill}"], quiet=quiet)
        ):
            progress(int(values["samples_seen"]), total)
            if verbose or any(key.startswith(("gain_db", "psnr_db")) for key in values):
                talk(["  ".join(f"{key} {value:.5g}" for key, value in values.items())], quiet=quiet)
        first = number() == 0
    if first:
        click.echo(str(run / MODEL))


def _fit_uncertainty(settings: TrainConfig, path: Path, *, quiet: bool) -> None:
    from rsgan.model import open_model
    from rsgan.training.uncertainty import fit_uncertainty

    samples, values = settings.training.uncertainty_samples, dict[str, float]()
    with progress_bar("chips", quiet=quiet) as progress:
        for values in fit_uncertainty(open_model(path), settings, samples):
            progress(int(values["samples_seen"]), samples)
    talk(["  ".join(f"{key} {value:.5g}" for key, value in values.items())], quiet=quiet)
    click.echo(str(path))
