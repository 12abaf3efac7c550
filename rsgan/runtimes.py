"""Networks outside torch: as ONNX graphs, checked against torch, and computed by ONNX Runtime or OpenVINO.

Units are those of the networks, see the generators. A graph takes one chip at a time, of any size that is a multiple of
its stride.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rsgan.errors import ModelError, OutputError, RsganError
from rsgan.model import CARD_KEY, Model
from rsgan.nn.generators import (
    DespeckleGenerator,
    Guide,
    ResidualGenerator,
    SensorState,
    SpeckleState,
    TranslationGenerator,
)
from rsgan.nn.generators.same_pixels import padded
from rsgan.nn.generators.translation import OneWay

if TYPE_CHECKING:
    import onnx

Backend = Literal["torch", "onnx", "openvino"]
Called = TypeVar("Called", bound=nn.Module)
Floats = NDArray[np.float32]
Run = Callable[[Sequence[Floats]], Floats]
"""Computes a graph: one array per input in, its output out."""
TOLERANCE = 1e-4
"""Largest difference from torch that is taken for rounding, network units: a tenth of a DN of Sentinel-2."""
_SIDES = (5, 8)
"""Sides of the chip that a graph is traced with, in strides of 8 pixels at least; it is checked with others."""


class Superres(nn.Module):
    """A residual generator that takes nothing but tensors: observed, sigma, noise, and a guide's bands and estimate."""

    def __init__(self, generator: ResidualGenerator, *, consistency: bool = True) -> None:
        super().__init__()
        self.generator, self.consistency, self.stride = generator, consistency, 1
        self.names = ("observed", "sigma", "noise", *(("guide", "estimate") if generator.config.guides else ()))

    def example(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Inputs of a chip of that size, drawn."""
        config = self.generator.config
        fine = height * config.scale, width * config.scale
        told = torch.full((1, config.bands), 0.4), torch.full((1, config.bands), 0.02)
        guide = (torch.randn(1, config.guides, *fine), torch.randn(1, config.bands, *fine)) if config.guides else ()
        return torch.randn(1, config.bands, height, width), *told, *guide

    def plain(self, observed: Tensor, sensor: SensorState, guide: Guide | None = None) -> tuple[Tensor, ...]:
        """The tensors of a call of the generator."""
        return observed, sensor.sigma, sensor.noise, *(() if guide is None else (guide.bands, guide.estimate))

    def forward(
        self,
        observed: Tensor,
        sigma: Tensor,
        noise: Tensor,
        guide: Tensor | None = None,
        estimate: Tensor | None = None,
    ) -> Tensor:
        """See `ResidualGenerator`."""
        finer = None if guide is None or estimate is None else Guide(guide, estimate)
        made: Tensor = self.generator(observed, SensorState(sigma, noise), finer, consistency=self.consistency)
        return made


@dataclass(frozen=True)
class _Told:
    """What `DespeckleGenerator` asks a `SpeckleState` for, worked out: graphs have no digamma function."""

    log_bias: Tensor
    conditions: Tensor


class Despeckle(nn.Module):
    """A despeckling generator that takes nothing but tensors: observed, valid, log_bias and conditions."""

    names = ("observed", "valid", "log_bias", "conditions")

    def __init__(self, generator: DespeckleGenerator) -> None:
        super().__init__()
        self.generator, self.stride = generator, generator.config.stride

    def example(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Inputs of a chip of that size, drawn."""
        observed = torch.randn(1, 1, height, width)
        return self.plain(observed, SpeckleState(torch.tensor([4.4]), torch.tensor([[0.2, 0.1]])), observed > -2)

    def plain(self, observed: Tensor, speckle: SpeckleState, valid: Tensor) -> tuple[Tensor, ...]:
        """The tensors of a call of the generator."""
        return observed, valid.to(observed), speckle.log_bias, speckle.conditions

    def forward(self, observed: Tensor, valid: Tensor, log_bias: Tensor, conditions: Tensor) -> Tensor:
        """See `DespeckleGenerator`."""
        made: Tensor = self.generator(observed, cast(SpeckleState, _Told(log_bias, conditions)), valid)
        return made


class Translate(nn.Module):
    """One way of a translation: takes observed alone."""

    names = ("observed",)

    def __init__(self, way: OneWay) -> None:
        super().__init__()
        self.generator, self.stride = way, way.stride

    def example(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Inputs of a chip of that size, drawn."""
        return (torch.rand(1, self.generator.config.bands, height, width),)

    def plain(self, observed: Tensor) -> tuple[Tensor, ...]:
        """The tensors of a call of the network."""
        return (observed,)

    def forward(self, observed: Tensor) -> Tensor:
        """See the network."""
        made: Tensor = self.generator(observed)
        return made


Ported = Superres | Despeckle | Translate


def ported(network: nn.Module, *, consistency: bool = True) -> Ported:
    """A network that takes nothing but tensors.

    Args:
        network: a generator, or one way of a translation.
        consistency: whether the closing steps of super-resolution are part of it.
    """
    network = network.cpu().float().eval()
    if isinstance(network, ResidualGenerator):
        return Superres(network, consistency=consistency)
    if isinstance(network, DespeckleGenerator):
        return Despeckle(network)
    return Translate(cast(OneWay, network))


def graph_of(network: Ported) -> onnx.ModelProto:
    """The ONNX graph of a network; height and width are free, in multiples of its stride.

    Raises:
        RsganError: the libraries are not installed, or an architecture cannot be told in ONNX.
    """
    _needs("onnx", "onnxscript")
    side = max(8, network.stride)
    example = network.example(_SIDES[0] * side, _SIDES[1] * side)
    high, wide = (torch.export.Dim(name, min=1, max=2**14) for name in ("rows", "columns"))
    coarse = example[0].shape[2:]
    dynamic = []
    for tensor in example:
        zoom = tensor.shape[2] // coarse[0] if tensor.ndim == 4 and tensor.shape[2] > 1 else 0
        dynamic.append({2: network.stride * zoom * high, 3: network.stride * zoom * wide} if zoom else None)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own ways
            program = torch.onnx.export(
                network, example, dynamo=True, verbose=False, dynamic_shapes=tuple(dynamic),
                input_names=list(network.names), output_names=["made"], opset_version=20,
            )  # fmt: skip
    except Exception as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise RsganError(f"the network cannot be told in ONNX: {reason}") from error
    if program is None:
        raise RsganError("the network cannot be told in ONNX.")
    return program.model_proto


def runner(graph: onnx.ModelProto, backend: Backend) -> Run:
    """What computes a graph on as many threads as torch.

    Raises:
        RsganError: the library is not installed.
    """
    content, threads = graph.SerializeToString(), torch.get_num_threads()
    if backend == "openvino":
        _needs("openvino")
        import openvino

        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(core.read_model(content), "CPU", settings)
        return lambda arrays: cast(Floats, compiled(list(arrays))[0])
    _needs("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    return lambda arrays: cast(Floats, session.run(None, dict(zip(names, arrays, strict=True)))[0])


class Compiled(nn.Module):
    """A network that another runtime computes; called like the one that it stands for.

    Attributes:
        config: of that one.
        stride: of that one.
    """

    def __init__(self, network: nn.Module, backend: Backend, *, consistency: bool = True) -> None:
        super().__init__()
        self.ported, self.consistency = ported(network, consistency=consistency), consistency
        self.config, self.stride = self.ported.generator.config, self.ported.stride
        self._run = runner(graph_of(self.ported), backend)

    def forward(self, observed: Tensor, *told: Any, consistency: bool = True) -> Tensor:  # noqa: ANN401 - as theirs
        """See the network; (N, C, h, w) network units."""
        if isinstance(self.ported, Superres) and consistency != self.consistency:
            raise RsganError("this graph was made with other closing steps than are asked for.")
        height, width = observed.shape[2:]
        plain: Callable[..., tuple[Tensor, ...]] = self.ported.plain
        if isinstance(self.ported, Translate):
            observed = padded(observed, self.stride)
        tensors = [tensor.contiguous() for tensor in plain(observed, *told)]
        made = [self._run([tensor[n : n + 1].numpy() for tensor in tensors]) for n in range(len(observed))]
        scale = self.config.scale if isinstance(self.ported, Superres) else 1
        return torch.from_numpy(np.concatenate(made))[:, :, : height * scale, : width * scale]


def computed_by(backend: Backend, network: Called, *, consistency: bool = True) -> Called:
    """A network as it is for torch; for another backend one that is called alike, and has its `config` and stride."""
    return network if backend == "torch" else cast(Called, Compiled(network, backend, consistency=consistency))


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the ONNX file.
        inputs: names and shapes, in words.
        difference: largest from torch on drawn chips, network units; of numbers above 1 relative to them.
    """

    path: Path
    inputs: tuple[str, ...]
    difference: float


def export(
    model: Model,
    path: Path,
    *,
    sharpness: float | None = None,
    direction: Literal["forth", "back"] = "forth",
    consistency: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Write a model's generator as ONNX, its card in the metadata, checked against torch.

    Raises:
        RsganError: the libraries are missing, the model has no such network, the file is there or cannot be written, or
            the graph computes something else than torch; nothing is left then.
    """
    if path.suffix != ".onnx":
        raise OutputError(f"{path} does not end in .onnx. Rename it with --out.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already. Give --overwrite to replace it, or another name with --out.")
    if model.card.task in ("synthesize", "encode"):
        raise ModelError(
            f"{model.card.name} is for {model.card.task}; networks for superres, despeckle and translate are exported. "
            "See rsgan models."
        )
    _needs("onnx", "onnxscript", "onnxruntime")
    generator: nn.Module = model.generator(sharpness)
    if isinstance(generator, TranslationGenerator):
        way = generator.forth if direction == "forth" else generator.back
        if way is None:
            raise ModelError(f"--direction back: {model.card.name} was trained one way only. Leave --direction out.")
        generator = way
    network = ported(generator, consistency=consistency)
    graph = graph_of(network)
    difference = _difference(network, graph)
    if not difference <= TOLERANCE:
        raise RsganError(f"the graph of {model.card.name} departs from torch by {difference:.2g}; it was not written.")
    told = {
        CARD_KEY: model.card.model_dump_json(),
        "rsgan_model_sha256": model.sha256,
        "rsgan_sharpness": f"{model.card.sharpness if sharpness is None else sharpness:g}",
        "rsgan_stride": str(network.stride),
        "rsgan_receptive_field": str(cast(Any, network.generator).receptive_field),
    }
    for key, value in told.items():
        graph.metadata_props.add(key=key, value=value)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(graph.SerializeToString())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}). Give another place with --out.") from error
    finally:
        partial.unlink(missing_ok=True)
    inputs = tuple(f"{port.name} {_shape(port)}" for port in graph.graph.input)
    return Exported(path, inputs, difference)


def _difference(network: Ported, graph: onnx.ModelProto) -> float:
    """Largest difference from torch, of numbers above 1 relative to them, on chips of other sizes than traced."""
    run, worst = runner(graph, "onnx"), 0.0
    for high, wide in ((7, 6), (1, 9)):
        side = max(8, network.stride)
        example = network.example(high * side, wide * side)
        with torch.inference_mode():
            expected = network(*example).numpy()
        found = run([tensor.numpy() for tensor in example])
        if found.shape != expected.shape:
            return float("inf")
        worst = max(worst, float((np.abs(found - expected) / np.maximum(np.abs(expected), 1)).max()))
    return worst


def _shape(port: Any) -> str:  # noqa: ANN401 - onnx's messages have no types
    return " x ".join(str(axis.dim_param or axis.dim_value) for axis in port.type.tensor_type.shape.dim)


def _needs(*libraries: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        extra = "openvino" if missing == ["openvino"] else "onnx"
        raise RsganError(f"{' and '.join(missing)} not installed. Install with: pip install 'rsgan[{extra}]'")
