"""A run that was killed goes on from its finished rows, and ends like one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from rsgan.enhance.options import Options, Reading
from rsgan.enhance.superres import prepare
from rsgan.errors import OutputError, RsganError
from rsgan.geo import KeptRows

QUICK: dict[str, Any] = {"symmetries": 1, "window": 64, "cog": False}


class Stop(Exception):
    """What ends a run early here."""


def run(scene: Path, out: Path, *, stop_after: int | None = None, **changes: Any) -> list[int]:
    """Windows that were done, as progress tells them; ends early after some of them."""
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        told.append(done)
        if done == stop_after:
            raise Stop

    with prepare([scene], out, reading=Reading(), options=Options(**(QUICK | {"resume": True} | changes))) as job:
        job.run(progress)
    return told


def content(path: Path) -> tuple[bytes, dict[str, str]]:
    with rasterio.open(path) as dataset:
        return dataset.read().tobytes(), dataset.tags()


@pytest.mark.parametrize("stop_after", [1, 2, 5, 8])
def test_a_resumed_run_ends_like_an_uninterrupted_one(scene: Path, tmp_path: Path, stop_after: int) -> None:
    whole, parts = tmp_path / "whole.tif", tmp_path / "parts.tif"
    assert run(scene, whole, resume=False) == list(range(1, 9))
    with pytest.raises(Stop) as stopped:
        run(scene, parts, stop_after=stop_after)
    assert "the same command goes on" in stopped.value.__notes__[0]
    assert not parts.exists()
    rest = run(scene, parts)
    assert rest[-1] == 8
    assert rest[0] >= max(1, (stop_after // 2 - 1) * 2)  # two windows in a row; the last one may be done again
    assert content(parts) == content(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.tif", "scene.tif", "whole.tif"]


@pytest.fixture
def sar(make_raster: Callable[..., Path]) -> Path:
    """Two bands of 200 x 100 pixels, four looks, with a border that shows nothing."""
    values = np.random.default_rng(0).gamma(4.0, 0.025, (2, 200, 100)).astype(np.float32)
    values[:, :, :9] = 0
    return make_raster("sar.tif", values, descriptions=("VV", "VH"))


@pytest.mark.parametrize("task", ["superres", "despeckle", "translate"])
def test_a_second_raster_goes_on_too(scene: Path, sar: Path, tmp_path: Path, task: str) -> None:
    from rsgan.enhance import despeckle, translate

    whole, parts = tmp_path / "whole.tif", tmp_path / "parts.tif"

    def enhance(out: Path, *, resume: bool, stop_after: int | None = None) -> int:
        beside = out.with_name(f"{out.stem}_beside.tif")
        how: dict[str, Any] = {"window": 64, "cog": False, "resume": resume}
        if task == "superres":
            job: Any = prepare([scene], out, options=Options(**how, symmetries=4, uncertainty=beside))
        elif task == "despeckle":
            options = despeckle.DespeckleOptions(**how, symmetries=1, ratio=beside)
            job = despeckle.prepare([sar], out, options=options)
        else:
            options = translate.TranslateOptions(**how, transmission=beside)
            job = translate.prepare([scene], out, options=options)

        def progress(done: int, total: int) -> None:
            told.append(done)
            if done == stop_after:
                raise Stop

        told: list[int] = []
        with job:
            job.run(progress)
        return told[0]

    enhance(whole, resume=False)
    with pytest.raises(Stop):
        enhance(parts, resume=True, stop_after=6)
    assert enhance(parts, resume=True) >= 4
    assert content(parts) == content(whole)
    assert content(tmp_path / "parts_beside.tif") == content(tmp_path / "whole_beside.tif")
    assert not KeptRows.place(parts).exists()


def test_rows_of_another_run_are_refused(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    with pytest.raises(Stop):
        run(scene, out, stop_after=4)
    with pytest.raises(OutputError, match=r"\.out\.tif\.rows holds rows of another run: settings was .*Remove that"):
        run(scene, out, window=80)
    os.utime(scene, (1, 1))
    with pytest.raises(OutputError, match="another run: input was"):
        run(scene, out)
    assert KeptRows.place(out).exists()
    with prepare([scene], out, reading=Reading(), options=Options(**QUICK)) as job:
        assert any("holds finished rows of an interrupted run" in note for note in job.notes)


def test_a_damaged_file_of_rows_is_done_again(scene: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.tif", tmp_path / "parts.tif"
    run(scene, whole, resume=False)
    with pytest.raises(Stop):
        run(scene, parts, stop_after=6)
    second = KeptRows.place(parts) / "000001.npz"
    second.write_bytes(second.read_bytes()[:1000])
    assert run(scene, parts)[:2] == [2, 3]
    assert content(parts) == content(whole)


def test_a_full_disk_keeps_what_is_there(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.tif"
    with pytest.raises(Stop):
        run(scene, out, stop_after=6)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = {path.name for path in KeptRows.place(out).iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OutputError, match=r"rows cannot be kept .*No space left.*go on with --resume"):
            run(scene, out)
    assert {path.name for path in KeptRows.place(out).iterdir()} == before
    assert run(scene, out)[-1] == 8


def test_what_cannot_be_gone_on_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RsganError, match="--resume is for runs without --adapt"):
        Options(resume=True, adapt=True)
    (tmp_path / ".out.tif.rows").write_text("a file")
    with pytest.raises(OutputError, match="Leave --resume out"):
        KeptRows.of(tmp_path / "out.tif", {"a": 1})
    folder = tmp_path / ".other.tif.rows"
    folder.mkdir()
    (folder / "plan.json").write_text("{")
    with pytest.raises(OutputError, match=r"plan\.json is damaged"):
        KeptRows.of(tmp_path / "other.tif", {"a": 1})


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.8])
def test_a_killed_command_goes_on(scene: Path, tmp_path: Path, seconds: float) -> None:
    command = [sys.executable, "-c", "from rsgan.cli import main; main()", "superres", str(scene), "-o", "out.tif"]
    command += ["--window", "64", "--symmetries", "8", "--resume", "-q"]
    rows = tmp_path / ".out.tif.rows"
    process = subprocess.Popen(command, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(rows.glob("*.npz")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    there = len(list(rows.glob("*.npz")))
    if process.returncode == -signal.SIGKILL and not (tmp_path / "out.tif").exists():
        assert there >= 1
        assert json.loads((rows / "plan.json").read_text(encoding="utf-8"))["bands"] == [["B02", "B03", "B04", "B08"]]
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    whole = tmp_path / "whole.tif"
    run(scene, whole, resume=False, symmetries=8, cog=True)
    assert content(tmp_path / "out.tif")[0] == content(whole)[0]
    assert not rows.exists()
