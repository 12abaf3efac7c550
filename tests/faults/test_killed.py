"""Commands that are killed at any moment: nothing that looks finished, and the next run goes on to the same result."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

import rsgan

MOMENTS = 20


def killed_after(seconds: float, words: list[str]) -> bool:
    """Start a command and kill it; whether it was still running."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait(60) == -signal.SIGKILL


@pytest.mark.slow
def test_twenty_kills(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(500, 3000, (4, 320, 192)).astype(np.uint16)
    source = make_raster("scene.tif", values, nodata=0, descriptions=("B02", "B03", "B04", "B08"), scales=(1e-4,) * 4)
    whole = rsgan.superres(source, tmp_path / "whole.tif", window=64, symmetries=4)
    out, killed, rng = tmp_path / "out.tif", 0, random.Random(7)
    words = [sys.executable, "-c", "from rsgan.cli import main; main()", "superres", str(source), "-o", str(out)]
    words += ["--window", "64", "--symmetries", "4", "--resume", "-q"]
    for _ in range(MOMENTS):
        killed += killed_after(rng.uniform(0.1, 6.0), words)
        if out.exists():  # then it is whole
            break
        assert not [path for path in tmp_path.glob("*.tif") if path.name not in ("scene.tif", "whole.tif")]
    assert killed >= 1
    if not out.exists():
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    with rasterio.open(out) as one, rasterio.open(whole) as other:
        np.testing.assert_array_equal(one.read(), other.read())
    assert not (tmp_path / ".out.tif.rows").exists()


@pytest.mark.slow
def test_kills_without_resuming_never_leave_an_output_that_looks_finished(
    make_raster: Callable[..., Path], tmp_path: Path
) -> None:
    values = np.random.default_rng(0).gamma(4, 0.025, (1, 700, 600)).astype(np.float32)
    source = make_raster("sar.tif", values, descriptions=("VV",))
    out, rng, killed = tmp_path / "out.tif", random.Random(3), 0
    words = [sys.executable, "-c", "from rsgan.cli import main; main()", "despeckle", str(source), "-o", str(out)]
    words += ["--window", "128", "--quantity", "intensity", "-q", "--overwrite"]
    for _ in range(MOMENTS):
        killed += killed_after(rng.uniform(0.5, 7.0), words)
        if out.exists():
            with rasterio.open(out) as dataset:
                assert (dataset.read() > 0).all()
            out.unlink()
    assert killed >= 1
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    with rasterio.open(out) as dataset:
        assert (dataset.read() > 0).all()
