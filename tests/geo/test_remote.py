"""Rasters by their address: a server that answers by parts, one that fails, one that stops, and none at all."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rsgan.cli import main
from rsgan.errors import InputError
from rsgan.geo import Scene, Window
from rsgan.geo.addresses import is_remote

BANDS = ("B02", "B03", "B04", "B08")
WHOLE = Window(0, 0, 1600, 1600)


@dataclass(frozen=True)
class Server:
    """A server of a folder; see http_server.py."""

    folder: Path
    port: int

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def fail(self, times: int) -> None:
        (self.folder / "failing").write_text(str(times))


@pytest.fixture
def server(
    tmp_path: Path, make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """Serves a raster of 20 MB, more than GDAL remembers, named after the test: GDAL remembers addresses."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    patience = {"GDAL_HTTP_MAX_RETRY": "3", "GDAL_HTTP_RETRY_DELAY": "0.01", "GDAL_HTTP_CONNECTTIMEOUT": "5"}
    monkeypatch.setattr("rsgan.geo.addresses._PATIENCE", patience)
    values = np.random.default_rng(0).integers(500, 3000, (4, 1600, 1600)).astype(np.uint16)
    tiles = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    make_raster("scene.tif", values, descriptions=BANDS, scales=(1e-4,) * 4, **tiles)
    program = [sys.executable, str(Path(__file__).with_name("http_server.py")), str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Server(tmp_path, int(process.stdout.readline()))
        process.kill()


def test_a_part_of_a_remote_scene_is_that_of_the_file(server: Server) -> None:
    window = Window(100, 200, 64, 32)
    with Scene.open((server.address("scene.tif"),), wanted=BANDS) as remote:
        found = remote.read(window)
    with Scene.open((server.folder / "scene.tif",), wanted=BANDS) as local:
        expected = local.read(window)
    assert np.array_equal(found.values, expected.values)
    assert found.grid == expected.grid


def test_a_server_that_fails_now_and_then_is_asked_again(server: Server) -> None:
    server.fail(2)
    with Scene.open((server.address("scene.tif"),), wanted=BANDS) as scene:
        server.fail(2)
        assert scene.read(WHOLE).valid.all()
    assert (server.folder / "failing").read_text() == "0"


def test_a_server_that_fails_for_good_is_named(server: Server) -> None:
    address = server.address("scene.tif")
    with Scene.open((address,), wanted=BANDS) as scene:
        server.fail(10**6)
        with pytest.raises(InputError, match=rf"{address} cannot be read at rows .*The server did not give it"):
            scene.read(WHOLE)


def test_an_address_where_nothing_is_is_named(server: Server) -> None:
    with pytest.raises(InputError, match=r"gone\.tif cannot be opened .*404.*Check the address"):
        Scene.open((server.address("gone.tif"),), wanted=BANDS)
    with pytest.raises(InputError, match="Check the address"):
        Scene.open(("http://127.0.0.1:9/scene.tif",), wanted=BANDS)


def test_the_command_writes_here_what_it_read_from_there(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    (server.folder / "here").mkdir()
    monkeypatch.chdir(server.folder / "here")
    words = ["superres", server.address("scene.tif"), "--crop", "0,0,64,48", "--symmetries", "1"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "scene_x2.tif\n"
    assert Path("scene_x2.tif").exists()


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("https://example.org/a.tif", True),
        ("/vsicurl/https://example.org/a.tif", True),
        ("s3://bucket/a.tif", True),
        ("/vsizip/a.zip/a.tif", False),
        ("NETCDF:a.nc:x", False),
        ("a.tif", False),
    ],
)
def test_addresses_are_told_from_files(path: str, remote: bool) -> None:
    assert is_remote(path) is remote
