"""Windows that memory does not suffice for are done in pieces, which give the same pixels."""

import subprocess
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
from rsgan.cli import main
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.speckle import SpeckleEnhancer
from rsgan.enhance.translation import TranslationEnhancer
from rsgan.errors import RsganError, RsganWarning

ENHANCERS = {"superres": SceneEnhancer, "despeckle": SpeckleEnhancer, "translate": TranslationEnhancer}
ERRORS = {
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:129] DefaultCPUAllocator: can't allocate memory: you"),
    "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "python": MemoryError(),
}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, ...]]]:
    """Makes enhancers fail for more than so many pixels at once; gives the shapes that they did."""

    def limited(task: str, pixels: int, kind: str = "cpu") -> list[tuple[int, ...]]:
        done: list[tuple[int, ...]] = []
        enhancer = ENHANCERS[task]
        call = enhancer.__call__

        def guarded(self: Any, observed: np.ndarray, *rest: Any) -> Any:
            if observed[:, 0].size > pixels:
                raise ERRORS[kind]
            done.append(observed.shape)
            return call(self, observed, *rest)

        monkeypatch.setattr(enhancer, "__call__", guarded)
        return done

    return limited


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read().astype(np.float64)


@pytest.mark.parametrize(("task", "limit"), [("superres", 30_000), ("despeckle", 300_000), ("translate", 480_000)])
def test_pieces_give_the_pixels_of_the_whole(
    make_raster: Callable[..., Path], narrow: Callable[..., list[tuple[int, ...]]], task: str, limit: int
) -> None:
    rng, size = np.random.default_rng(0), (301, 220) if task == "superres" else (960, 520)
    if task == "despeckle":
        source = make_raster("sar.tif", rng.gamma(4, 0.025, (1, *size)).astype(np.float32), descriptions=("VV",))
    else:
        values = rng.integers(500, 3000, (4, *size)).astype(np.uint16)
        values[:, 100:120, 50:90] = 0
        names = ("B02", "B03", "B04", "B08")
        source = make_raster("scene.tif", values, nodata=0, descriptions=names, scales=(1e-4,) * 4)
    enhance: Callable[..., Path] = getattr(rsgan, task)
    how: dict[str, Any] = {"window": 1024} | ({"symmetries": 1} if task != "translate" else {})
    whole = enhance(source, source.with_name("whole.tif"), **how)
    shapes = narrow(task, limit)
    with pytest.warns(
        RsganWarning, match=rf"not enough memory for windows of {size[1]} x {size[0]} .* in [248] pieces"
    ):
        parts = enhance(source, source.with_name("parts.tif"), **how)
    assert len(shapes) > 1
    assert max(np.prod(shape[2:]) for shape in shapes) <= limit
    step = 1 if task != "despeckle" else 1e-5 * pixels(whole)
    assert np.all(np.abs(pixels(parts) - pixels(whole)) <= step)


@pytest.mark.parametrize("kind", ERRORS)
def test_whoever_says_so(scene: Path, narrow: Callable[..., list[tuple[int, ...]]], kind: str) -> None:
    shapes = narrow("superres", 19_000, kind)
    result = CliRunner().invoke(
        main, ["superres", str(scene), "-o", str(scene.with_name("o.tif")), "--symmetries", "1"]
    )
    assert result.exit_code == 0, result.output
    assert "note: not enough memory for windows of" in result.stderr
    assert shapes


def test_what_is_learnt_holds_for_the_rest_of_the_scene(
    scene: Path, narrow: Callable[..., list[tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = narrow("superres", 120 * 120)
    tried: list[tuple[int, ...]] = []
    guarded = SceneEnhancer.__call__
    monkeypatch.setattr(
        SceneEnhancer, "__call__", lambda self, x, *rest: tried.append(x.shape) or guarded(self, x, *rest)
    )
    with pytest.warns(RsganWarning) as told:
        rsgan.superres(scene, scene.with_name("o.tif"), window=64, batch=2, symmetries=1)
    assert len([note for note in told if "not enough memory" in str(note.message)]) == 1
    assert len(tried) - len(done) <= 2


def test_too_little_for_the_smallest_pieces(scene: Path, narrow: Callable[..., list[tuple[int, ...]]]) -> None:
    narrow("superres", 0)
    with pytest.raises(RsganError, match=r"not enough memory .*halved \d+ times\. Give a smaller --window or --batch"):
        rsgan.superres(scene, scene.with_name("o.tif"), symmetries=1)
    assert not scene.with_name("o.tif").exists()


def test_another_error_is_not_taken_for_it(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("expected a tensor of another shape")

    monkeypatch.setattr(SceneEnhancer, "__call__", broken)
    with pytest.raises(RuntimeError, match="another shape"):
        rsgan.superres(scene, scene.with_name("o.tif"), symmetries=1)


LIMITED = """
import pathlib, resource, sys, warnings
import rsgan
warnings.simplefilter("always")
source, out = sys.argv[1:]
rsgan.superres(source, out + "_first.tif", window=64, crop=(0, 0, 64, 64), symmetries=1)  # all libraries are there now
held = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 300 * 2**20,) * 2)
rsgan.superres(source, out, window=1024, symmetries=1, cog=False)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space")
def test_a_real_limit(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(500, 3000, (4, 700, 700)).astype(np.uint16)
    names = ("B02", "B03", "B04", "B08")
    source = make_raster("scene.tif", values, nodata=0, descriptions=names, scales=(1e-4,) * 4)
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(source), str(tmp_path / "out.tif")],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "each is done in" in ran.stderr
    assert pixels(tmp_path / "out.tif").shape == (4, 1400, 1400)
