"""How soon a command begins, and which backend computes a window fastest: writes a section of RESULTS.md.

python -m benchmarks.start
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import record, table
from benchmarks.speed import CASES, draw

FIRST = """
import os, sys, time
from rsgan.enhance.batches import Batches
def first(self, steps):
    print(time.time()); sys.stdout.flush(); os._exit(0)
Batches.__call__ = first
from rsgan.cli import main
main()
"""
WINDOW = """
import sys, time
import numpy as np, torch
from rsgan.cli.memory import keep_freed_memory
keep_freed_memory()
from rsgan.model import open_model
from rsgan.nn.generators import SensorState, SpeckleState
from rsgan.runtimes import computed_by
backend, name = sys.argv[1:]
network = open_model(name).generator(0.0)
if name == "sar-despeckle":
    x, told = torch.randn(1, 1, 1152, 1152), (SpeckleState(torch.tensor([4.4]), torch.tensor([[.2, .1]])),
                                              torch.ones(1, 1, 1152, 1152))
else:
    x, told = torch.randn(1, 4, 596, 596), (SensorState(torch.full((1, 4), .4), torch.full((1, 4), .02)),)
if backend == "torch":
    network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
network = computed_by(backend, network)
with torch.inference_mode():
    network(x, *told)
    found = []
    for _ in range(4):
        started = time.perf_counter(); network(x, *told); found.append(time.perf_counter() - started)
print(min(found))
"""


def said(program: str, *words: str) -> float:
    """The number that a program prints."""
    return float(
        subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True, text=True).stdout
    )


def main() -> None:
    """Measure, and write the section."""
    shown = []
    program = Path(sys.executable).with_name("rsgan")
    for _ in range(6):
        started = time.perf_counter()
        subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
        shown.append(time.perf_counter() - started)
    lines = [["rsgan --help", f"{min(shown[1:]):.2f}", "0.5"]]
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            source, found = Path(folder) / f"{case.verb}.tif", []
            draw(case, source)
            words = [case.verb, str(source), "-o", f"{source}.out.tif", "--model", case.model, "-q"]
            words += ["--quantity", "intensity"] if case.bands == 1 else []
            for _ in range(4):
                started = time.time()
                found.append(said(FIRST, *words) - started)
            lines.append([f"{case.name}: first window begins", f"{min(found[1:]):.1f}", "4"])
            print(*lines[-1], sep=" | ", flush=True)
    windows = []
    for name in ("s2-rgbn-x2", "sar-despeckle"):
        each = {
            backend: min(said(WINDOW, backend, name) for _ in range(2)) for backend in ("torch", "onnx", "openvino")
        }
        windows.append([name, *(f"{spent:.2f}" for spent in each.values()),
                        *(f"{spent / each['torch']:.2f}" for spent in list(each.values())[1:])])  # fmt: skip
        print(*windows[-1], sep=" | ", flush=True)
    head = ["one window", "torch, s", "ONNX Runtime, s", "OpenVINO, s", "ONNX / torch", "OpenVINO / torch"]
    body = f"{table(['from the command, best of several', 's', 'target'], lines)}\n\n{table(head, windows)}"
    record("start.py", f"`python -m benchmarks.start`\n\n{body}")


if __name__ == "__main__":
    main()
