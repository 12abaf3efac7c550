"""Every file in configs/ runs for a few updates on real rasters."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from rsgan.cli import main
from rsgan.model import open_model

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.stem != "despeckle_merlin")
"""All but the one for complex data, of which there is no real raster; drawn ones train it in tests/training."""


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_preset_runs(path: Path, real_data: Path, tmp_path: Path) -> None:
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    training, run = text["training"], tmp_path / "run"
    few = {
        "faithful_samples": 2 * training["batch_size"] if training.get("faithful_samples") else 0,
        "adversarial_samples": 6 * training["batch_size"] if training.get("adversarial_samples") else 0,
        "discriminator_warmup": training["batch_size"],
        "ramp_samples": 1,
        "probe_samples": 0,
        "log_every": training["batch_size"],
        "precision": "float32",
    }
    words = [word for key, value in few.items() for word in ("--set", f"training.{key}={value}")]
    init = ["--init", "sar-despeckle"] if "runs/" in str(training.get("start_from")) else []
    data = ROOT / "data_samples" if text["data"]["root"] == "data_samples" else real_data
    words += ["--data", str(data), "--out", str(run), *init]
    result = CliRunner().invoke(main, ["train", str(path), "-q", *words])
    assert result.exit_code == 0, result.output
    assert open_model(run / "model.safetensors").card.name == text["model"]["name"]
    events = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert ("generator/adversarial" in {key for event in events for key in event}) == bool(few["adversarial_samples"])
