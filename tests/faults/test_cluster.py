"""Windows computed by a dask cluster: the same raster, whatever becomes of workers."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

import rsgan
from rsgan.cli import main
from rsgan.enhance.cluster import connected
from rsgan.enhance.options import Options
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.errors import RsganError

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
QUICK: dict[str, Any] = {"symmetries": 1, "window": 64, "cog": False}


@pytest.fixture(scope="module")
def two() -> Iterator[Any]:
    """A client of two processes."""
    with connected("local:2") as client:
        yield client


@pytest.fixture
def fresh() -> Iterator[Any]:
    """The same for one test, which may end the processes: whether they are started again is dask's business."""
    settings: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_a_cluster_gives_the_raster_of_one_process(two: Any, scene: Path, tmp_path: Path) -> None:
    here = rsgan.superres(scene, tmp_path / "here.tif", **QUICK)
    told: list[int] = []
    there = rsgan.superres(
        scene, tmp_path / "there.tif", cluster=two, progress=lambda done, _: told.append(done), **QUICK
    )
    np.testing.assert_array_equal(pixels(there), pixels(here))
    assert told == list(range(1, 9))
    with rasterio.open(here) as one, rasterio.open(there) as other:
        assert other.tags() == one.tags()
    assert two.status == "running"


@pytest.mark.parametrize("method", ["network", "refined-lee"])
def test_despeckling_with_its_ratio_image(
    two: Any, make_raster: Callable[..., Path], tmp_path: Path, method: str
) -> None:
    values = np.random.default_rng(0).gamma(4.0, 0.025, (2, 150, 170)).astype(np.float32)
    source = make_raster("sar.tif", values, descriptions=("VV", "VH"))
    for name, cluster in (("here", None), ("there", two)):
        how: dict[str, Any] = {"window": 64, "symmetries": 1, "cluster": cluster, "method": method}
        rsgan.despeckle(source, tmp_path / f"{name}.tif", ratio=tmp_path / f"{name}_ratio.tif", **how)
    for name in ("", "_ratio"):
        np.testing.assert_array_equal(pixels(tmp_path / f"there{name}.tif"), pixels(tmp_path / f"here{name}.tif"))


def test_translation_with_its_transmission(two: Any, scene: Path, tmp_path: Path) -> None:
    for name, cluster in (("here", None), ("there", two)):
        out, beside = tmp_path / f"{name}.tif", tmp_path / f"{name}_beside.tif"
        rsgan.translate(scene, out, window=64, cluster=cluster, transmission=beside)
    for name in ("", "_beside"):
        np.testing.assert_array_equal(pixels(tmp_path / f"there{name}.tif"), pixels(tmp_path / f"here{name}.tif"))


def test_a_lost_workers_windows_are_done_again(fresh: Any, scene: Path, tmp_path: Path) -> None:
    here = rsgan.superres(scene, tmp_path / "here.tif", **QUICK)
    victims = list(fresh.run(os.getpid).values())
    killed: list[int] = []

    def kill(done: int, _: int) -> None:
        if done >= 2 and not killed:
            killed.append(victims[0])
            os.kill(victims[0], signal.SIGKILL)

    there = rsgan.superres(scene, tmp_path / "there.tif", cluster=fresh, progress=kill, **QUICK)
    assert killed
    np.testing.assert_array_equal(pixels(there), pixels(here))


def test_the_last_worker_has_gone(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsgan.enhance.cluster._LOOK_AGAIN_S", 1)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
            out = tmp_path / "out.tif"
            with pytest.raises(RsganError, match="its last worker has gone") as ended:
                rsgan.superres(
                    scene,
                    out,
                    cluster=client,
                    resume=True,
                    progress=lambda *_: cluster.scale(0),
                    **(QUICK | {"symmetries": 8}),
                )
            assert "the same command goes on from them" in ended.value.__notes__[0]
            assert not out.exists()


@pytest.mark.slow
def test_what_ends_every_worker_is_told(fresh: Any, scene: Path, tmp_path: Path) -> None:
    from rsgan.enhance import cluster

    def deadly(_: object, __: object) -> None:
        os._exit(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "_kept_of", deadly)
        with pytest.raises(RsganError, match=r"of \d+ x \d+ input pixels ended one worker after the other"):
            rsgan.superres(scene, tmp_path / "out.tif", cluster=fresh, **QUICK)
    assert not (tmp_path / "out.tif").exists()


def test_memory_that_does_not_suffice_on_a_worker(fresh: Any, scene: Path, tmp_path: Path) -> None:
    fresh.run(_narrow)
    here = rsgan.superres(scene, tmp_path / "here.tif", **(QUICK | {"window": 256}))
    with pytest.warns(rsgan.errors.RsganWarning, match="each is done in 2 pieces"):
        there = rsgan.superres(scene, tmp_path / "there.tif", cluster=fresh, **(QUICK | {"window": 256}))
    np.testing.assert_array_equal(pixels(there), pixels(here))


def _narrow() -> None:
    call = SceneEnhancer.__call__

    def guarded(self: Any, observed: np.ndarray, *rest: Any) -> Any:
        if observed[:, 0].size > 19_000:
            raise MemoryError
        return call(self, observed, *rest)

    SceneEnhancer.__call__ = guarded


def program(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("dask")), *words]


@pytest.fixture
def started() -> Iterator[str]:
    """Address of a scheduler with two workers, all three started as an operator starts them."""
    processes = [
        subprocess.Popen(
            program("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
    ]  # fmt: skip
    try:
        said = processes[0].stderr
        assert said is not None
        address = next(found[0] for line in said if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
        for _ in range(2):
            words = program("worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard")
            processes.append(subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        yield address
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
            if process.stderr is not None:
                process.stderr.close()


def test_the_command_with_a_scheduler_of_its_own(started: str, scene: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tif"
    other.write_bytes(scene.read_bytes())
    words = ["superres", str(scene), str(other), "--window", "64", "--symmetries", "1", "--cluster", started]
    result = CliRunner().invoke(main, [*words, "-O", str(tmp_path / "there")])
    assert result.exit_code == 0, result.output
    assert "2 of 2 scenes are fine" in result.stderr
    here = rsgan.superres(scene, tmp_path / "here.tif", **QUICK)
    for name in ("scene_x2.tif", "other_x2.tif"):
        np.testing.assert_array_equal(pixels(tmp_path / "there" / name), pixels(here))


def test_nobody_answers(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsgan.enhance.cluster._LOOK_AGAIN_S", 1)
    before = time.monotonic()
    with pytest.raises(RsganError, match=r"--cluster tcp://127\.0\.0\.1:9: no dask scheduler answers there"):
        rsgan.superres(scene, tmp_path / "out.tif", cluster="tcp://127.0.0.1:9", **QUICK)
    assert time.monotonic() - before < 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.tif"]


def test_a_scheduler_without_workers(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsgan.enhance.cluster._WORKERS_COME_S", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        with pytest.raises(RsganError, match=r"no worker came within 1 s\. Start some: dask worker tcp://"):
            rsgan.superres(scene, tmp_path / "out.tif", cluster=cluster.scheduler_address, **QUICK)


@pytest.mark.parametrize("asked", ["local:0", "local", "8786", "local:x"])
def test_no_name_of_a_cluster(asked: str) -> None:
    with pytest.raises(RsganError, match=f"--cluster {asked}: expected the address of a dask scheduler"):
        Options(cluster=asked)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RsganError, match=r"Install it: pip install 'rsgan\[cluster\]'"), connected("local:3"):
        pass
