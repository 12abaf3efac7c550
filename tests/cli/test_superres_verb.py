"""`rsgan superres` as its user meets it: what it says where, what it writes, and how it refuses."""

import json
import re
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
import torch
from click.testing import Result
from PIL import Image
from rasterio.enums import ColorInterp
from safetensors.torch import load_file, save_file

from rsgan.enhance.job import Job
from rsgan.model import CARD_KEY, read_card

Run = Callable[..., Result]
MakeScene = Callable[..., Path]


def files() -> set[str]:
    """Names of all files in the folder the test runs in, hidden ones too."""
    return {path.name for path in Path.cwd().iterdir()}


# what it says and writes


def test_stdout_has_the_path_and_stderr_the_talk(run: Run, make_scene: MakeScene, model: Path) -> None:
    result = run("superres", make_scene(), "-o", "out.tif", "--model", model)
    assert (result.exit_code, result.stdout) == (0, "out.tif\n")
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines[:5]] == ["model", "bands", "output", "consistency", "scene"]
    assert lines[0] == "model: tiny-x2, sharpness 0 (--model)"
    assert lines[1] == "bands: B02 B03 B04 B08 = 1 2 3 4 of scene.tif"
    assert lines[2] == "output: out.tif, 80 x 60 x 4 uint16, 10 m -> 5 m"
    assert len(lines) == 6
    assert re.fullmatch(r"wrote out.tif in \d+\.\d s", lines[5])


def test_verbose_says_more_and_quiet_nothing(run: Run, make_scene: MakeScene, model: Path) -> None:
    words = ("superres", make_scene(), "-o", "out.tif", "--model", model, "--overwrite", "--precision", "float32")
    loud, silent = run(*words, "-v"), run(*words, "-q")
    for part in (
        "B08 = band 4 ('B08')",
        "radiometry: scale and offset of scene.tif",
        "windows: 1 of 512",
        "cpu, float32",
    ):
        assert part in loud.stderr
    assert (silent.stdout, silent.stderr) == ("out.tif\n", "")


def test_each_assumption_is_said_once(run: Run, make_scene: MakeScene, model: Path) -> None:
    scene = make_scene(descriptions=(), scale=None)
    result = run("superres", scene, "-o", "out.tif", "--model", model)
    assert result.exit_code == 0
    assert result.stderr.count("order assumed") == 1
    assert result.stderr.count("reflectance 1 is stored as 10000") == 1
    assert result.stderr.startswith("note: ")


def test_without_flags_it_says_which_model_and_why(run: Run, make_scene: MakeScene) -> None:
    result = run("superres", make_scene())
    assert result.stdout == "scene_x2.tif\n"
    assert (
        "model: s2-rgbn-x2, sharpness 0 (chosen for B02 B03 B04 B08 at 10 m; the smallest scale invents least, "
        "--scale 4 goes further)" in result.stderr
    )
    with rasterio.open("scene_x2.tif") as dataset:
        assert (dataset.shape, dataset.res) == ((60, 80), (5, 5))


def test_a_dry_run_writes_nothing(run: Run, make_scene: MakeScene, model: Path) -> None:
    scene = make_scene()
    result = run("superres", scene, "-o", "out.tif", "--model", model, "--dry-run", "--preview", "look.png")
    assert (result.exit_code, result.stdout, files()) == (0, "", {"scene.tif"})
    for pattern in (r"memory: about \d+\.\d GiB", r"file: at most \d+ MiB", r"time: about \d+ s on", r"80 x 60 x 4"):
        assert re.search(pattern, result.stderr)


def test_a_preview_has_three_panels(run: Run, make_scene: MakeScene, model: Path) -> None:
    result = run("superres", make_scene(), "-o", "out.tif", "--model", model, "--preview", "look.png")
    assert result.exit_code == 0
    assert result.stderr.endswith("wrote look.png\n")
    with Image.open("look.png") as sheet:
        assert sheet.size == (3 * 480 + 4 * 6, 360 + 16 + 12)


def test_an_output_is_replaced_only_with_overwrite(run: Run, make_scene: MakeScene, model: Path) -> None:
    scene = make_scene()
    Path("out.tif").write_bytes(b"old")
    words = ("superres", scene, "-o", "out.tif", "--model", model)
    refused = run(*words)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "out.tif exists already. Give --overwrite" in refused.stderr
    assert Path("out.tif").read_bytes() == b"old"
    assert run(*words, "--overwrite").exit_code == 0
    with rasterio.open("out.tif") as dataset:
        assert dataset.shape == (60, 80)


def test_no_crs_works_with_one_note(run: Run, make_scene: MakeScene, model: Path) -> None:
    result = run("superres", make_scene(crs=None), "-o", "out.tif", "--model", model)
    assert result.exit_code == 0
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: scene.tif has no coordinate system; its ground sampling distance is unknown, give it in metres with "
        "--gsd."
    ]
    known = run("superres", "scene.tif", "-o", "out.tif", "--model", model, "--gsd", "20", "--overwrite")
    assert "20 m -> 10 m" in known.stderr
    assert "pixels of 20 m; tiny-x2 was trained for 10 m" in known.stderr


# how it refuses: the whole message is one line, nothing is left, no traceback


def picture(_: MakeScene) -> None:
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save("scene.tif", format="PNG")


def truncated(make_scene: MakeScene) -> None:
    make_scene(values=np.random.default_rng(1).integers(1, 9999, (4, 200, 200)).astype(np.uint16), compress="deflate")
    data = Path("scene.tif").read_bytes()
    Path("scene.tif").write_bytes(data[: len(data) // 2])


def complex_numbers(make_scene: MakeScene) -> None:
    make_scene(values=np.ones((4, 9, 9), np.complex64), scale=None)


def without_bands(_: MakeScene) -> None:
    Path("scene.tif").write_text('<VRTDataset rasterXSize="4" rasterYSize="4"></VRTDataset>')


def empty(make_scene: MakeScene) -> None:
    make_scene(values=np.zeros((4, 9, 9), np.uint16), nodata=0)


def not_finite(make_scene: MakeScene) -> None:
    values = np.full((4, 9, 9), np.nan, np.float32)
    values[0] = np.inf
    make_scene(values=values, scale=None)


def palette(make_scene: MakeScene) -> None:
    make_scene(values=np.ones((1, 9, 9), np.uint8), descriptions=("B02",), scale=None, photometric="PALETTE")


SCENES = {
    "missing": (lambda _: None, r"scene.tif does not exist. Check the spelling"),
    "text": (lambda _: Path("scene.tif").write_text("hello"), r"scene.tif cannot be opened as a raster"),
    "no bytes": (lambda _: Path("scene.tif").write_bytes(b""), r"scene.tif cannot be opened as a raster"),
    "a folder": (lambda _: Path("scene.tif").mkdir(), r"scene.tif cannot be opened as a raster"),
    "cut short": (truncated, r"scene.tif cannot be .*damaged or cut short"),
    "no bands": (without_bands, r"scene.tif (has no bands|cannot be opened)"),
    "3 bands": (lambda make: make(values=np.ones((3, 9, 9), np.uint16), descriptions=("B02", "B03", "B04")),
                r"scene.tif has 3 bands; model needs 4 \(B02 B03 B04 B08\). Not found: B08"),
    "5 bands without names": (lambda make: make(values=np.ones((5, 9, 9), np.uint16), descriptions=()),
                              r"scene.tif has 5 bands; model needs 4 .* --bands"),
    "all nodata": (empty, r"scene.tif: every pixel that was looked at is nodata"),
    "all NaN and infinite": (not_finite, r"scene.tif: every pixel that was looked at is nodata"),
    "complex": (complex_numbers, r"scene.tif holds complex numbers \(complex64\)"),
    "a picture": (picture, r"scene.tif is an 8-bit RGB picture .* model needs 4"),
    "32-bit integers": (lambda make: make(values=np.ones((4, 9, 9), np.int32), scale=None), r"scene.tif holds int32"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SCENES)
def test_a_scene_that_cannot_be_is_refused_in_one_line(
    run: Run, make_scene: MakeScene, model: Path, kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    build, message = SCENES[kind]
    build(make_scene)
    recwarn.clear()
    before = files()
    result = run("superres", "scene.tif", "-o", "out.tif", "--model", model)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert (result.exit_code, result.stdout, len(errors)) == (1, "", 1)
    assert re.search(message, errors[0])
    assert "Traceback" not in result.stderr
    assert files() == before


FLAGS = [
    (("--scale", "3"), 1, r"--scale 3: no such model; there are models for 2, 4"),
    (("--sharpness", "2"), 2, r"--sharpness 2 is outside 0 \(faithful\) .. 1"),
    (("--sharpness", "nan"), 2, r"--sharpness nan is outside"),
    (("--window", "10"), 2, r"--window 10 is too small; give at least 64"),
    (("--batch", "0"), 2, r"--batch 0: give at least 1"),
    (("--noise", "-1"), 2, r"--noise -1.0: expected a reflectance"),
    (("--psf-sigma", "2"), 2, r"--psf-sigma 2.0: expected 0 .. 0.6"),
    (("--bbox", "1,2,3"), 2, r"'--bbox': expected 4 comma-separated numbers, found '1,2,3'"),
    (("--crop", "a,b,c,d"), 2, r"'--crop': expected 4 comma-separated numbers"),
    (("--bbox", "0,0,1,1", "--crop", "0,0,5,5"), 2, r"--bbox and --crop both choose"),
    (("--bbox", "0,0,1,1"), 1, r"--bbox: bounds .* lie outside the raster"),
    (("--bbox", "500100,4999900,500100,4999950"), 1, r"--bbox: bounds .* are empty"),
    (("--crop", "0,0,41,5"), 1, r"--crop 0,0,41,5 .* does not lie inside scene.tif, which has 40 x 30 pixels"),
    (("--crop=-1,0,5,5",), 1, r"--crop -1,0,5,5 .* does not lie inside"),
    (("--bands", "B02,B03"), 1, r"--bands names 2 bands .* needs 4"),
    (("--bands", "B02,B03,B04,B08,B09"), 1, r"--bands names 5 bands .* needs 4"),
    (("--bands", "B02,B03,B04,B99"), 1, r"--bands asks for 'B99'"),
    (("--bands", "1,2,3,7"), 1, r"--bands asks for band 7; scene.tif has bands 1 to 4"),
    (("--reflectance-scale", "0"), 1, r"--reflectance-scale is 0"),
    (("--gsd", "-3"), 1, r"--gsd is -3"),
    (("--model", "s9"), 1, r"--model s9: no such model. In the package: any-x2, landcover-encoder, s2-20to10"),
    (("--model", "no.safetensors"), 1, r"no.safetensors: no such model file"),
    (("-o", "nowhere/out.tif"), 1, r"folder .*nowhere does not exist. Create it"),
    (("-o", "out.png"), 1, r"out.png does not end in .tif"),
    (("-o", "."), 1, r"\. is a folder|\. does not end in .tif"),
    (("-o", "scene.tif", "--overwrite"), 1, r"--out scene.tif is the input itself"),
    (("--preview", "nowhere/look.png"), 1, r"--preview nowhere/look.png: folder .* does not exist"),
    (("--preview", "scene.tif", "--overwrite"), 1, r"--preview scene.tif does not end in .png"),
    (("scene.tif",), 1, r"scene.tif is given twice"),
    (("--device", "tpu"), 2, r"'--device': 'tpu' is not one of"),
    (("--nonsense",), 2, r"No such option"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "status", "message"), FLAGS, ids=lambda v: " ".join(v) if isinstance(v, tuple) else ""
)
def test_a_flag_that_cannot_be_is_named(
    run: Run, make_scene: MakeScene, flags: tuple[str, ...], status: int, message: str
) -> None:
    make_scene()
    result = run("superres", "scene.tif", *(() if "-o" in flags else ("-o", "out.tif")), *flags)
    assert (result.exit_code, result.stdout, files()) == (status, "", {"scene.tif"})
    assert re.search(message, result.stderr.replace("\n", " "))
    assert "Traceback" not in result.stderr


def test_a_device_that_is_not_there_is_named(
    run: Run, make_scene: MakeScene, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = run("superres", make_scene(), "-o", "out.tif", "--model", model, "--device", "cuda")
    assert result.exit_code == 1
    assert "--device cuda: this machine has none that torch can use; there is cpu" in result.stderr


def test_no_input_is_wrong_use(run: Run) -> None:
    result = run("superres")
    assert result.exit_code == 2
    assert "Missing argument 'INPUT...'" in result.stderr


def test_a_missing_scene_is_named_before_its_missing_folder(run: Run) -> None:
    result = run("superres", "nowhere/scene.tif")
    assert result.exit_code == 1
    assert "nowhere/scene.tif does not exist" in result.stderr


# model files


def spoilt(model: Path, name: str, change: Callable[[dict, dict], Any]) -> Path:
    """A copy of a model file whose card (as a dict) or tensors are changed."""
    card, tensors = read_card(model).model_dump(mode="json"), load_file(model)
    change(card, tensors)
    save_file(tensors, name, metadata={CARD_KEY: json.dumps(card)})
    return Path(name)


def foreign(_: Path) -> None:
    save_file({"weight": torch.zeros(3)}, "bad.safetensors")


def cut_short(model: Path) -> None:
    Path("bad.safetensors").write_bytes(model.read_bytes()[:-100])


def drop_tail(_: dict, tensors: dict) -> None:
    del tensors["faithful.tail.weight"]


def widen(_: dict, tensors: dict) -> None:
    tensors["faithful.tail.weight"] = torch.zeros(8, 4, 3, 3)


MODELS = {
    "text": (lambda _: Path("bad.safetensors").write_text("hello"), r"bad.safetensors: not a whole model file"),
    "cut short": (cut_short, r"bad.safetensors: not a whole model file"),
    "foreign": (foreign, r"bad.safetensors: a safetensors file without an rsgan card"),
    "foreign card": (lambda m: spoilt(m, "bad.safetensors", lambda card, _: card.update(task="play")),
                     r"bad.safetensors: its card is not one that this version of rsgan reads \(task: "),
    "later card": (lambda m: spoilt(m, "bad.safetensors", lambda card, _: card.update(format=2)),
                   r"its card is not one that this version of rsgan reads \(format: "),
    "no weights": (lambda m: spoilt(m, "bad.safetensors", drop_tail), r"its weights do not fit the architecture"),
    "wrong shape": (lambda m: spoilt(m, "bad.safetensors", widen), r"its weights do not fit the architecture"),
    "unknown sensor": (lambda m: spoilt(m, "bad.safetensors", lambda card, _: card.update(sensor="sputnik")),
                       r"bad.safetensors: its card .* \(names sensor 'sputnik', which"),
    "unknown bands": (lambda m: spoilt(m, "bad.safetensors", lambda card, _: card.update(bands=["B02", "X", "Y", "Z"])),
                      r"names bands X Y Z of sensor 'sentinel-2a', which"),
    "other bands": (lambda m: spoilt(m, "bad.safetensors", lambda card, _: card.update(bands=["B02", "B03"])),
                    r"names 2 bands, 0 guides and scale 2, but its generator is built for 4 bands"),
    "other scale": (lambda m: spoilt(m, "bad.safetensors", lambda card, _: card.update(scale=4)),
                    r"names 4 bands, 0 guides and scale 4, .* for 4 bands, 0 guides and scale 2"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_file_that_cannot_be_is_refused(run: Run, make_scene: MakeScene, model: Path, kind: str) -> None:
    build, message = MODELS[kind]
    build(model)
    result = run("superres", make_scene(), "-o", "out.tif", "--model", "bad.safetensors")
    assert (result.exit_code, result.stdout, files()) == (1, "", {"scene.tif", "bad.safetensors"})
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.stderr


def test_sharpness_needs_a_second_generator(run: Run, make_scene: MakeScene, model: Path) -> None:
    result = run("superres", make_scene(), "-o", "out.tif", "--model", model, "--sharpness", "0.5")
    assert (result.exit_code, files()) == (1, {"scene.tif"})
    assert "tiny-x2 has no adversarial generator; use --sharpness 0" in result.stderr


def test_a_scale_that_the_model_has_not_is_refused(run: Run, make_scene: MakeScene, model: Path) -> None:
    result = run("superres", make_scene(), "-o", "out.tif", "--model", model, "--scale", "4")
    assert result.exit_code == 1
    assert "--scale 4: model tiny-x2 has scale 2" in result.stderr


# disks, interrupts


def test_a_full_disk_leaves_nothing(
    run: Run, make_scene: MakeScene, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    scene = make_scene()
    monkeypatch.setattr("rasterio.shutil.copy", full)
    result = run("superres", scene, "-o", "out.tif", "--model", model)
    assert (result.exit_code, result.stdout, files()) == (1, "", {"scene.tif"})
    assert "out.tif cannot be written, the disk seems to be full (" in result.stderr


def test_a_folder_without_permission_is_named(
    run: Run, make_scene: MakeScene, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene()
    monkeypatch.setattr("os.access", lambda *_: False)
    result = run("superres", scene, "-o", "out.tif", "--model", model)
    assert (result.exit_code, files()) == (1, {"scene.tif"})
    assert "cannot be written to. Change its permissions" in result.stderr


@pytest.mark.parametrize("where", ["scene_enhancer.SceneEnhancer.__call__", "superres.prepare"])
def test_ctrl_c_leaves_nothing_and_exits_with_130(
    run: Run, make_scene: MakeScene, model: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    scene = make_scene()
    monkeypatch.setattr(f"rsgan.enhance.{where}", interrupt)
    result = run("superres", scene, "-o", "out.tif", "--model", model)
    assert (result.exit_code, result.stdout, files()) == (130, "", {"scene.tif"})
    assert result.stderr.endswith("Interrupted. No output was left behind.\n")


def test_a_preview_that_fails_still_gives_the_raster(
    run: Run, make_scene: MakeScene, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    result = run("superres", make_scene(), "-o", "out.tif", "--model", model, "--preview", "look.png")
    assert (result.exit_code, result.stdout, files()) == (1, "out.tif\n", {"scene.tif", "out.tif"})
    assert "look.png: the preview cannot be written" in result.stderr


def test_a_bug_is_not_hidden_behind_a_message(
    run: Run, make_scene: MakeScene, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("superres", make_scene(), "-o", "out.tif", "--model", model)
    assert files() == {"scene.tif"}


def test_an_rgba_raster_takes_its_fourth_band_only_when_told(run: Run, make_scene: MakeScene, model: Path) -> None:
    scene = make_scene(
        "rgba.tif", photometric="RGB", descriptions=(), scale=1 / 255, values=np.full((4, 9, 9), 90, np.uint8)
    )
    with rasterio.open(scene, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    refused = run("superres", scene, "-o", "out.tif", "--model", model)
    assert refused.exit_code == 1
    assert "rgba.tif has 3 bands; model needs 4" in refused.stderr
    assert run("superres", scene, "-o", "out.tif", "--model", model, "--bands", "3,2,1,4").exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_it_leave_nothing_and_are_its_status(tmp_path: Path, number: signal.Signals) -> None:
    scene = Path(__file__).parents[2] / "data_samples" / "s2_rgbn_10m.tif"
    command = [sys.executable, "-c", "from rsgan.cli import main; main()", "superres", str(scene), "-o", "out.tif"]
    command += ["--scale", "4", "--window", "64", "--symmetries", "8"]
    before = signal.signal(number, signal.SIG_DFL)  # under nohup, children would inherit that it is ignored
    process = subprocess.Popen(command, cwd=tmp_path)
    signal.signal(number, before)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.partial*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [path.name.startswith((".out.partial", ".out.tif.lock")) for path in tmp_path.iterdir()] == [True, True]
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert list(tmp_path.iterdir()) == []
