"""A run that is killed again and again ends as one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rsgan.model import open_model
from rsgan.training.loop import CHECKPOINT, LOG, MODEL

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "training.faithful_samples=160", "training.adversarial_samples=160", "training.checkpoint_every=8",
    "training.probe_samples=0", "training.log_every=4", "adversary.lecam=0.01", "adversary.instance_noise=0.05",
)  # fmt: skip


def start(run: Path, *words: str) -> subprocess.Popen[bytes]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [
        sys.executable,
        "-c",
        "from rsgan.cli import main; main()",
        "train",
        "configs/smoke_cpu.yaml",
        "--out",
        str(run),
        "-q",
    ]
    return subprocess.Popen([*command, *settings, *words], cwd=ROOT, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_killed_ten_times_and_resumed_is_uninterrupted_bit_for_bit(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    assert whole.wait() == 0
    chance, kills, run = random.Random(4), 0, tmp_path / "killed"
    while not (run / MODEL).exists():
        process = start(run, *(["--resume"] if (run / CHECKPOINT).exists() else []))
        lines = len((run / LOG).read_text().splitlines()) if (run / LOG).exists() else 0
        more = chance.randrange(1, 8)
        while process.poll() is None and kills < 10:
            if (run / LOG).exists() and len((run / LOG).read_text().splitlines()) >= lines + more:
                time.sleep(chance.random() / 20)
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        code = process.wait()
        assert code in (0, -signal.SIGKILL)
    assert kills == 10
    first, second = (open_model(tmp_path / name / MODEL) for name in ("whole", "killed"))
    assert first.card == second.card
    assert all(torch.equal(tensor, second.tensors[key]) for key, tensor in first.tensors.items())
