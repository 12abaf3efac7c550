"""Networks outside torch: every graph computes what torch computes, and files are whole and carry their card."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner

import rsgan
from rsgan import runtimes
from rsgan.cli import main
from rsgan.enhance.options import Options
from rsgan.enhance.translation import TranslateOptions
from rsgan.errors import OutputError, RsganError
from rsgan.model import CARD_KEY, open_model
from rsgan.nn.generators import (
    DespeckleGenerator,
    DespeckleGeneratorConfig,
    ResidualGenerator,
    ResidualGeneratorConfig,
)
from rsgan.nn.generators.haze import HazeConfig, HazeGenerator
from rsgan.nn.generators.translation import Translator, TranslatorConfig, Unet, UnetConfig

onnx = pytest.importorskip("onnx")
NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    "residual x2": lambda: ResidualGenerator(ResidualGeneratorConfig(bands=3, scale=2, channels=4, blocks=1)),
    "residual x3, any band": lambda: ResidualGenerator(ResidualGeneratorConfig(bands=1, scale=3, channels=4, blocks=1)),
    "guided": lambda: ResidualGenerator(ResidualGeneratorConfig(bands=2, guides=1, scale=2, channels=4, blocks=1)),
    "despeckle": lambda: DespeckleGenerator(
        DespeckleGeneratorConfig(channels=(4, 6), descending=(1, 1), ascending=(1,))
    ),
    "translator": lambda: Translator(TranslatorConfig(bands=2, target_bands=3, channels=4, halvings=1, blocks=1)),
    "unet": lambda: Unet(UnetConfig(bands=2, target_bands=1, encoder="resnet18", depth=3)),
    "haze": lambda: HazeGenerator(
        HazeConfig(bands=2, target_bands=2, wavelengths_um=(0.5, 0.8), channels=4, descending=(1, 1), ascending=(1,))
    ),
}


def drawn(name: str) -> torch.nn.Module:
    """A network whose output depends on all of its weights."""
    torch.manual_seed(5)
    network = NETWORKS[name]().eval()
    for parameter in network.parameters():
        if not parameter.detach().any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_both_runtimes_compute_what_torch_computes(name: str) -> None:
    network = runtimes.ported(drawn(name))
    graph = runtimes.graph_of(network)
    side = max(8, network.stride)
    for high, wide in ((7, 6), (2, 9)):
        example = network.example(high * side, wide * side)
        with torch.inference_mode():
            expected = network(*example).numpy()
        for backend in ("onnx", "openvino"):
            found = runtimes.runner(graph, backend)([tensor.numpy() for tensor in example])
            np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["residual x3, any band", "translator", "haze"])
def test_a_compiled_network_is_called_like_its_own(name: str) -> None:
    network = drawn(name)
    compiled = runtimes.Compiled(network, "onnx")
    observed = torch.rand(2, network.config.bands, 37, 41)
    told = (runtimes.SensorState(torch.full((2, 1), 0.4), torch.full((2, 1), 0.01)),) if "residual" in name else ()
    with torch.inference_mode():
        np.testing.assert_allclose(compiled(observed, *told), network(observed, *told), atol=2e-5)


def content(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read().astype(np.float64)


@pytest.fixture
def sources(make_raster: Callable[..., Path]) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    values = rng.integers(500, 3000, (4, 70, 90)).astype(np.uint16)
    values[:, 20:24, 30:33] = 0
    names = ("B02", "B03", "B04", "B08")
    optical = make_raster("scene.tif", values, nodata=0, descriptions=names, scales=(1e-4,) * 4)
    sar = make_raster("sar.tif", rng.gamma(4, 0.025, (1, 70, 90)).astype(np.float32), descriptions=("VV",))
    return {"superres": optical, "translate": optical, "despeckle": sar}


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("task", ["superres", "despeckle", "translate"])
def test_any_backend_gives_the_same_raster_to_one_number(sources: dict[str, Path], task: str, backend: str) -> None:
    enhance, source = getattr(rsgan, task), sources[task]
    made = [
        content(enhance(source, source.with_name(f"{name}.tif"), backend=name, precision="float32"))
        for name in ("torch", backend)
    ]
    step = 1e-5 * made[0] if task == "despeckle" else 1
    assert np.all(np.abs(made[1] - made[0]) <= step)


def test_a_model_of_any_band_and_no_consistency(sources: dict[str, Path]) -> None:
    source, made = sources["superres"], []
    for backend in ("torch", "onnx"):
        out = source.with_name(f"{backend}.tif")
        how = {"consistency": False, "backend": backend, "precision": "float32"}
        made.append(content(rsgan.superres(source, out, model="any-x2", **how)))
    assert np.abs(made[1] - made[0]).max() <= 1


def test_a_file_with_its_card(tmp_path: Path) -> None:
    out = tmp_path / "x2.onnx"
    result = CliRunner().invoke(main, ["export", "any-x2", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(out)
    assert "input: observed 1 x 1 x rows x columns" in result.stderr
    graph = onnx.load(out)
    onnx.checker.check_model(graph, full_check=True)
    told = {entry.key: entry.value for entry in graph.metadata_props}
    assert json.loads(told[CARD_KEY])["name"] == "any-x2"
    assert told["rsgan_receptive_field"] == str(open_model("any-x2").receptive_field)
    assert told["rsgan_model_sha256"] == open_model("any-x2").sha256
    assert [path.name for path in tmp_path.iterdir()] == ["x2.onnx"]
    again = CliRunner().invoke(main, ["export", "any-x2", "-o", str(out)])
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_a_graph_that_departs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_difference", lambda *_: 0.1)
    with pytest.raises(RsganError, match=r"departs from torch by 0\.1; it was not written"):
        runtimes.export(open_model("any-x2"), tmp_path / "x2.onnx")
    assert not list(tmp_path.iterdir())


def test_wrong_uses_name_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"does not end in \.onnx"):
        runtimes.export(open_model("any-x2"), tmp_path / "x2.onx")
    with pytest.raises(RsganError, match="--backend onnx computes on the CPU in float32"):
        Options(backend="onnx", precision="bfloat16")
    with pytest.raises(RsganError, match="--backend tvm: give torch, onnx, openvino"):
        Options(backend="tvm")  # type: ignore[arg-type]
    with pytest.raises(RsganError, match="--transmission: --backend onnx computes the result alone"):
        TranslateOptions(backend="onnx", transmission=tmp_path / "t.tif")
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(RsganError, match=r"onnx and onnxscript and onnxruntime not installed.*rsgan\[onnx\]"):
        runtimes.export(open_model("any-x2"), tmp_path / "x2.onnx")


def test_the_package_imports_no_runtime() -> None:
    import subprocess

    said = (
        "import sys, rsgan.enhance.superres; print({'onnx', 'onnxruntime', 'openvino', 'distributed'} & {*sys.modules})"
    )
    ran: Any = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
