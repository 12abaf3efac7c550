"""The options of `rsgan train`, in runs of a few updates on the samples."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rsgan.cli import main
from rsgan.model import open_model

ROOT = Path(__file__).parents[2]
FEW = (
    "training.faithful_samples=8", "training.adversarial_samples=16", "training.discriminator_warmup=4",
    "training.ramp_samples=4", "training.probe_samples=0", "training.log_every=4",
)  # fmt: skip


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> Result:
        settings = [word for setting in FEW for word in ("--set", setting)]
        return CliRunner().invoke(
            main, ["train", "configs/smoke_cpu.yaml", "--out", str(tmp_path / "run"), "-q", *settings, *words]
        )

    return run


@pytest.mark.parametrize(
    "settings",
    [
        ("objective=wasserstein", "gradient_penalty=10", "every=1"),
        ("objective=relativistic-average", "lecam=0.01", "instance_noise=0.1"),
        ("objective=relativistic-paired", "r1=1", "every=2"),
        ("objective=least-squares", "real_label=0.9"),
        ("objective=hinge", "r2=1", "every=2"),
        ("objective=squared-hellinger",),
    ],
    ids=lambda settings: settings[0],
)
def test_games_are_chosen_in_the_config(
    train: Callable[..., Result], tmp_path: Path, settings: tuple[str, ...]
) -> None:
    words = [word for setting in settings for word in ("--set", f"adversary.{setting}")]
    result = train(*words, "--set", f"discriminator.spectral_norm={settings[0] != 'objective=wasserstein'}")
    assert result.exit_code == 0, result.output
    card = open_model(tmp_path / "run" / "model.safetensors").card
    assert f"objective={card.objective}" == settings[0]
    assert card.real_label == (0.9 if "real_label=0.9" in settings else 1.0)
    terms = {key for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines() for key in json.loads(line)}
    assert "discriminator/discriminator" in terms
    for penalty in ("gradient_penalty", "lecam", "r2"):
        chosen = any(setting.startswith(f"{penalty}=") for setting in settings)
        assert (f"discriminator/{penalty}" in terms) == chosen


def test_a_run_fine_tunes_a_model(train: Callable[..., Result], tmp_path: Path) -> None:
    assert train().exit_code == 0
    first = tmp_path / "run" / "model.safetensors"
    first.rename(tmp_path / "first.safetensors")
    result = train("--init", str(tmp_path / "first.safetensors"), "--out", str(tmp_path / "second"))
    assert result.exit_code == 0, result.output
    assert "first.safetensors" in (tmp_path / "second" / "config.yaml").read_text()


def test_distil_is_a_training_with_a_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    few = [word for setting in (*FEW, "training.adversarial_samples=0") for word in ("--set", setting)]
    words = ["--teacher", "s2-rgbn-x2", "--passes", "1", "--out", str(tmp_path / "run"), "-q", *few]
    result = CliRunner().invoke(main, ["distil", "configs/smoke_cpu.yaml", *words])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "run" / "model.safetensors")
    terms = {key for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines() for key in json.loads(line)}
    assert "generator/distillation" in terms


def test_distil_refuses_what_it_cannot_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, ["distil", "configs/despeckle_sar.yaml", "--teacher", "sar-despeckle"])
    assert result.exit_code == 1
    assert "rsgan distil teaches models of task superres" in result.stderr


def test_the_precision_is_a_flag(train: Callable[..., Result], tmp_path: Path) -> None:
    assert train("--precision", "bfloat16").exit_code == 0
    assert "precision: bfloat16" in (tmp_path / "run" / "config.yaml").read_text()


def test_what_does_not_fit_is_said_and_nothing_is_written(train: Callable[..., Result], tmp_path: Path) -> None:
    for words, said in (
        (("--init", "s2-rgbn-x2"), "of another network"),
        (("--set", "training.batchsize=8"), "did you mean batch_size?"),
        (("--set", "adversary.objective=wasserstein", "--set", "discriminator.spectral_norm=false"), "bounded slope"),
    ):
        result = train(*words)
        assert result.exit_code != 0
        assert said in " ".join(result.output.split())
        assert not (tmp_path / "run" / "model.safetensors").exists()
