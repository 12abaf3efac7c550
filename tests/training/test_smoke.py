from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from rsgan.cli import main
from rsgan.filters.back_projection import back_projection
from rsgan.model import Model, open_model
from rsgan.nn.generators import ResidualGenerator
from rsgan.training.loading import load_config
from rsgan.training.tiles import load_tiles
from rsgan.training.validation import Validation, inner_psnr

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "smoke_cpu.yaml"


def test_the_smoke_run_makes_a_model_that_beats_its_baselines_on_a_held_out_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, ["train", str(CONFIG), "--out", str(tmp_path / "run"), "--device", "cpu", "-q"])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(tmp_path / "run" / "model.safetensors")
    model: Model = open_model(tmp_path / "run" / "model.safetensors")
    config = load_config(CONFIG)
    _, held_out = load_tiles(config.data, config.model.bands)
    validation = Validation(held_out, config, torch.device("cpu"))
    (reference,) = validation.references
    observed, sigma, noise = validation.observe(reference, 0, "P40")
    untrained = ResidualGenerator(config.generator).eval()
    faithful, sharp, plain = (
        inner_psnr(validation.enhance(g, observed, sigma, noise), reference)
        for g in (model.generator(0.0), model.generator(1.0), untrained)
    )
    bicubic, stepped = (inner_psnr(back_projection(observed, sigma, 2, n), reference) for n in (0, 5))
    assert faithful > bicubic + 0.5
    assert faithful > max(stepped, plain) + 0.05
    assert sharp > bicubic + 0.5
