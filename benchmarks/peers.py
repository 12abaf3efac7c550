"""Other people's programs on the same pixels: writes a section of RESULTS.md.

    python -m benchmarks.peers --packages DIR

DIR holds what `pip install --no-deps --target DIR sen2sr deepdespeckling opencv-python-headless` puts there;
otbcli_Despeckle and gdalwarp are taken from the PATH. What is not there is left out. Peers that are libraries get the
pixels in memory; ours are whole commands, files and compression included. SEN2SR's weights are elsewhere, so its
network has random ones, which take the same time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import record, table
from benchmarks.speed import CASES, Case, draw
from rsgan.model import open_model

SEN2SR = """
import sys, time
import numpy as np, rasterio, torch
from sen2sr.models.opensr_baseline.cnn import CNNSR
from sen2sr.utils import predict_large
source, channels, blocks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with rasterio.open(source) as dataset:
    scene = torch.from_numpy(dataset.read().astype(np.float32) / 10000)
model = CNNSR(4, 4, feature_channels=channels, upscale=4, train_mode=False, num_blocks=blocks).eval()
started = time.perf_counter()
with torch.inference_mode():
    predict_large(scene, model)
print(sum(p.numel() for p in model.parameters()), time.perf_counter() - started)
"""
SAR2SAR = """
import sys, time, types
sys.modules["osgeo"] = types.ModuleType("osgeo")  # for reading files alone, which is not done here
sys.modules["osgeo"].gdal = None
import numpy as np, rasterio, torch
from functools import partial
torch.load = partial(torch.load, weights_only=False)  # its weights are a pickle, which newer versions do not load
from deepdespeckling.sar2sar.sar2sar_denoiser import Sar2SarDenoiser
with rasterio.open(sys.argv[1]) as dataset:
    amplitude = np.sqrt(dataset.read(1))
denoiser = Sar2SarDenoiser()
model = denoiser.load_model(256)
started = time.perf_counter()
denoiser.denoise_image(amplitude, patch_size=256, stride_size=254)
print(sum(p.numel() for p in model.parameters()), time.perf_counter() - started)
"""


def library(program: str, packages: Path, *words: str) -> tuple[int, float] | None:
    """Parameters of the network and seconds; None where it does not run."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, env=environment
    )
    if ran.returncode:
        print(ran.stderr.strip().splitlines()[-1:], flush=True)
        return None
    count, seconds = ran.stdout.split()[-2:]
    return int(count), float(seconds)


def command(*words: str) -> float:
    """Seconds of a whole command."""
    started = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def ours(case: Case, source: Path, symmetries: int, *, plain: bool = True) -> float:
    """Seconds of our command."""
    words = [case.verb, str(source), "-o", f"{source}.out.tif", "--overwrite", "-q", "--model", case.model]
    words += ["--symmetries", str(symmetries), *(["--no-cog"] if plain else [])]
    words += ["--quantity", "intensity"] if case.bands == 1 else []
    return command(sys.executable, "-c", "from rsgan.cli import main; main()", *words)


def parameters(name: str) -> int:
    """Of the network that a command runs."""
    return sum(value.numel() for value in open_model(name).generator(0.0).parameters())


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--packages", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    lines: list[list[str]] = []

    def add(what: str, seconds: float, count: int | None, ratio: float) -> None:
        lines.append([what, "-" if count is None else f"{count / 1e3:.0f}", f"{seconds:.1f}", f"{seconds / ratio:.2f}"])
        print(*lines[-1], sep=" | ", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        case = Case("x4, 1024 x 1024, 4 bands", "superres", "s2-rgbn-x4", 1024, 4)
        source = Path(folder) / "optical.tif"
        draw(case, source)
        own = {passes: ours(case, source, passes) for passes in (1, 4)}
        for passes, seconds in own.items():
            add(f"{case.name}: rsgan superres, {passes} passes", seconds, parameters(case.model), own[1])
        for channels, blocks in ((24, 6), (48, 10)):
            found = library(SEN2SR, arguments.packages, str(source), str(channels), str(blocks))
            if found:
                what = f"{case.name}: SEN2SR predict_large, CNNSR of {channels} channels, {blocks} blocks"
                add(what, found[1], found[0], own[1])
        if shutil.which("gdalwarp"):
            words = ["-q", "-r", "cubic", "-tr", "2.5", "2.5", "-co", "TILED=YES", "-co", "COMPRESS=DEFLATE"]
            warped = command("gdalwarp", *words, "-co", "PREDICTOR=2", str(source), f"{folder}/warped.tif")
            add(f"{case.name}: gdalwarp -r cubic", warped, None, own[1])
        case = Case("2048 x 2048", "despeckle", CASES[-1].model, 2048, 1)
        source = Path(folder) / "sar.tif"
        draw(case, source)
        own = {passes: ours(case, source, passes) for passes in (1, 4)}
        for passes, seconds in own.items():
            add(f"{case.name}: rsgan despeckle, {passes} passes", seconds, parameters(case.model), own[1])
        found = library(SAR2SAR, arguments.packages, str(source))
        if found:
            add(f"{case.name}: deepdespeckling, SAR2SAR", found[1], found[0], own[1])
        if shutil.which("otbcli_Despeckle"):
            for kind in ("lee", "gammamap"):
                words = ["-in", str(source), "-out", f"{folder}/otb.tif", "-filter", kind]
                add(f"{case.name}: OTB Despeckle, {kind}", command("otbcli_Despeckle", *words), None, own[1])
    head = ["scene and program", "parameters, thousand", "s", "of ours, 1 pass"]
    record("peers.py", f"`python -m benchmarks.peers --packages DIR`\n\n{table(head, lines)}")


if __name__ == "__main__":
    main()
