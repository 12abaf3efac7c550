"""What each kind of layer reaches, in the networks and by itself: writes a section of RESULTS.md.

    python -m benchmarks.layers

Rates are multiply-accumulates per second. A layer is timed by itself in every way that this machine has (torch with
channels first and last, ONNX Runtime, OpenVINO), on the size that it has in a window of the network, and within the
network. The last column is what the network reaches of the best.
"""

from __future__ import annotations

import io
import time
import warnings
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.results import record, table
from rsgan.cli.memory import keep_freed_memory
from rsgan.model import open_model
from rsgan.nn.generators import DespeckleGenerator, SensorState, SpeckleState

Key = tuple[int, int, int, int, int]
"""Channels in and out, side of the kernel, stride, side of the input."""


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """The shortest of some runs, after one that is not counted."""
    work()
    found = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def work_of(key: Key) -> float:
    """Multiply-accumulates of a layer."""
    inputs, outputs, kernel, stride, side = key
    return inputs * outputs * kernel**2 * (side // stride) ** 2


def within(network: nn.Module, run: Callable[[], object]) -> dict[Key, list[float]]:
    """Seconds of every convolution while the network runs."""
    found: dict[Key, list[float]] = defaultdict(list)
    begun: dict[nn.Module, float] = {}
    handles = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            handles.append(layer.register_forward_pre_hook(lambda m, _: begun.__setitem__(m, time.perf_counter())))
            handles.append(layer.register_forward_hook(lambda m, x, _: _note(found, begun, m, x[0])))
    run()
    found.clear()
    run()
    for handle in handles:
        handle.remove()
    return found


def _note(found: dict[Key, list[float]], begun: dict[nn.Module, float], layer: nn.Conv2d, x: torch.Tensor) -> None:
    key = layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0], x.shape[3]
    found[key].append(time.perf_counter() - begun[layer])


def alone(key: Key) -> dict[str, float]:
    """Seconds of a layer by itself, by what computes it."""
    inputs, outputs, kernel, stride, side = key
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2 if stride == 1 else 0).eval()
    x = torch.randn(1, inputs, side, side)
    last, wide = nn.Conv2d(inputs, outputs, kernel, stride, padding=layer.padding).eval(), x
    last.load_state_dict(layer.state_dict())
    last, wide = last.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    found = {"torch, channels first": seconds(lambda: layer(x)), "torch, channels last": seconds(lambda: last(wide))}
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(layer, (x,), graph, dynamo=False)
    import onnxruntime
    import openvino

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])
    name, array = session.get_inputs()[0].name, x.numpy()
    found["ONNX Runtime"] = seconds(lambda: session.run(None, {name: array}))
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = core.compile_model(core.read_model(graph.getvalue()), "CPU", settings)
    found["OpenVINO"] = seconds(lambda: compiled([array]))
    return found


@torch.inference_mode()
def main() -> None:
    """Measure, and write the section."""
    keep_freed_memory()
    layout = {"memory_format": torch.channels_last}
    sharpen, clean = open_model("s2-rgbn-x2").generator(0.0), open_model("sar-despeckle").generator(0.0)
    sharpen, clean = sharpen.to(**layout), clean.to(**layout)  # type: ignore[call-overload]
    assert isinstance(clean, DespeckleGenerator)
    x = torch.randn(1, 4, 596, 596).to(**layout)  # type: ignore[call-overload]
    sensor = SensorState(torch.full((1, 4), 0.4), torch.full((1, 4), 0.02))
    y = torch.randn(1, 1, 1152, 1152)
    speckle = SpeckleState(torch.tensor([4.4]), torch.tensor([[0.2, 0.1]]))
    lines, ways = [], ["torch, channels first", "torch, channels last", "ONNX Runtime", "OpenVINO"]
    for name, network, run in (
        ("s2-rgbn-x2", sharpen, lambda: sharpen(x, sensor)), ("sar-despeckle", clean, lambda: clean(y, speckle)),
    ):  # fmt: skip
        layers = within(network, run)
        whole = seconds(run, 2)
        total = sum(work_of(key) * len(times) for key, times in layers.items())
        for key, times in sorted(layers.items(), key=lambda item: -sum(item[1])):
            if sum(times) < 0.01 * whole:
                continue
            rate = work_of(key) / np.median(times) / 1e9
            each = {way: work_of(key) / spent / 1e9 for way, spent in alone(key).items()}
            best = max(each.values())
            inputs, outputs, kernel, stride, side = key
            what = f"{name}: {len(times)} x {kernel} x {kernel}, {inputs} -> {outputs} at {side}" + (
                f", stride {stride}" if stride > 1 else ""
            )
            lines.append([what, f"{100 * sum(times) / whole:.0f}", *(f"{each[way]:.0f}" for way in ways),
                          f"{rate:.0f}", f"{100 * rate / best:.0f}"])  # fmt: skip
            print(*lines[-1], sep=" | ", flush=True)
        print(f"{name}: {total / 1e9:.0f} GMAC in {whole:.2f} s, {total / whole / 1e9:.0f} GMAC/s", flush=True)
        lines.append([f"{name}: whole window", "100", *[""] * 4, f"{total / whole / 1e9:.0f}", ""])
    head = ["layer", "% of time", *(f"{way}, GMAC/s" for way in ways), "in the network, GMAC/s", "% of the best"]
    record("layers.py", f"`python -m benchmarks.layers`\n\n{table(head, lines)}")


if __name__ == "__main__":
    main()
