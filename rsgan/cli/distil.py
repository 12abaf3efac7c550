"""rsgan distil."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rsgan.cli.options import device_choice, friendly_errors, verbosity
from rsgan.cli.train import run_training


@click.command(name="distil", short_help="Train a quick model to give what several passes of another give.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--teacher", required=True, metavar="MODEL", help="Model to learn from, by name or by file.")
@click.option(
    "--passes",
    type=click.Choice(["1", "2", "4", "8"]),
    default="8",
    show_default=True,
    help="Turned and mirrored passes of the teacher that are averaged.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the tiles; overrides data.root of the config.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run  [default: runs/NAME]")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be given again.")
@click.option("--resume", is_flag=True, help="Go on from the run's checkpoint.")
@device_choice
@verbosity
def command(
    config: Path,
    teacher: str,
    passes: str,
    data: Path | None,
    out: Path | None,
    changes: tuple[str, ...],
    resume: bool,
    device: str,
    quiet: bool,
    verbose: bool,
) -> None:
    """Train the super-resolution model of CONFIG (a YAML file) to give in one pass what a teacher gives in several.

    Half of the content loss compares with the teacher's result, the rest with the references
    (distillation.share). The teacher may be larger; bands and scale are to be the same.

    \b
    Examples:
      rsgan distil configs/superres_s2_rgbn_x2.yaml --teacher s2-rgbn-x2 --data tiles/ --out runs/quick
      rsgan distil own.yaml --teacher runs/large/model.safetensors --passes 4 --set generator.channels=32
    """  # noqa: D301 - click reads the backspace as "do not rewrap"
    with friendly_errors():
        from rsgan.errors import ConfigError
        from rsgan.training.loading import load_config

        teacher_settings = [f"distillation.teacher={json.dumps(teacher)}", f"distillation.passes={passes}"]
        if data is not None:
            teacher_settings.append(f"data.root={json.dumps(str(data))}")
        try:
            settings = load_config(config, [*changes, *teacher_settings])
        except ConfigError as error:
            if "  distillation: Extra inputs" in str(error):
                raise ConfigError(f"{error}\nrsgan distil teaches models of task superres.") from error
            raise
        run_training(settings, out, device, resume=resume, quiet=quiet, verbose=verbose)
