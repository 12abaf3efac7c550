"""rsgan diagnose, from files to a folder with a report."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
import rasterio
import rioxarray
from affine import Affine
from click.testing import Result

from rsgan.cli import main
from rsgan.diagnose import Settings, diagnose
from rsgan.errors import GridError, InputError

Run = Callable[..., Result]
SAMPLES = Path(__file__).parents[2] / "data_samples"
WRITTEN = {
    *("index.html", "diagnosis.json", "classes.csv", "overview.png"),
    *("real.tif", "generated.tif", "difference.tif", "enhanced.tif"),
}


@pytest.fixture
def rasters(run: Run, make_raster: Callable[..., Path]) -> None:
    """fine.tif at 10 m, coarse.tif at 20 m, and classes.tif: 1 in the west, 2 in the east."""
    with rasterio.open(SAMPLES / "s2_rgbn_10m.tif") as dataset:
        values, transform = dataset.read(), dataset.transform
    coarse = values.reshape(4, 120, 2, 160, 2).mean((2, 4)).round().astype(np.uint16)
    classes = np.ones((1, 240, 320), np.uint8)
    classes[..., 160:] = 2
    names = ("B02", "B03", "B04", "B08")
    make_raster("fine.tif", values, transform=transform, descriptions=names)
    make_raster("coarse.tif", coarse, transform=transform @ Affine.scale(2), descriptions=names)
    make_raster("classes.tif", classes, transform=transform)
    shutil.copy(SAMPLES / "sar_vv_vh_10m.tif", "sar.tif")


@pytest.mark.usefixtures("rasters")
def test_the_examples_run_and_write_what_they_say(run: Run) -> None:
    command = main.get_command(click.Context(main), "diagnose")
    lines = [line.split()[1:] for line in (command.help or "").split("Examples:")[1].splitlines() if "rsgan" in line]
    assert "--real" in lines.pop(), "see test_diagnose_images"
    for number, words in enumerate(lines):
        words[-1] = f"report{number}"
        words = ["5" if word == "300" else word for word in words]
        result = run(*words)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines()[-1] == f"report{number}/index.html"
    assert {path.name for path in Path("report0").iterdir()} == WRITTEN
    assert {path.name for path in Path("report1").iterdir()} == WRITTEN - {"real.tif", "difference.tif"}
    assert {path.name for path in Path("report2").iterdir()} == WRITTEN


@pytest.mark.usefixtures("rasters")
def test_figures_are_in_the_tables_and_maps_lie_on_the_ground(run: Run) -> None:
    Path("legend.csv").write_text("1,<b>west</b>\n2,east\n", encoding="utf-8")
    result = run(
        *("diagnose", "--observed", "coarse.tif", "--reference", "fine.tif", "--landcover", "classes.tif"),
        *("--legend", "legend.csv", "--refit", "10", "--noise", "0.5", "-o", "report"),
    )
    assert result.exit_code == 0, result.stderr
    told = json.loads(Path("report/diagnosis.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in told["classes"]] == ["<b>west</b>", "east"]
    assert told["logits"]["RSGAN_INSTANCE_NOISE"] == "0.5 network units"
    assert set(told["calibration_error"]) == {"as learnt", "calibrated"}
    assert len(told["held_out_loss"]) == 4
    with Path("report/classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["area_ha"]) == pytest.approx(int(rows[0]["patches"]) * 40 * 40 / 10000)
    assert [float(row["auroc"]) for row in rows] == pytest.approx([row["auroc"] for row in told["classes"]])
    with rasterio.open("report/real.tif") as cells, rasterio.open("fine.tif") as fine:
        assert cells.transform == fine.transform @ Affine.scale(4)
        assert cells.crs == fine.crs
        assert cells.tags()["RSGAN_RECEPTIVE_FIELD"].startswith("26 pixels")
        assert cells.tags()["RSGAN_CALIBRATION"] == "platt"
        real = cells.read(1)
    with rasterio.open("report/generated.tif") as cells, rasterio.open("report/difference.tif") as difference:
        assert np.allclose(difference.read(1), real - cells.read(1), equal_nan=True)
    page = Path("report/index.html").read_text(encoding="utf-8")
    assert "<b>west</b>" not in page
    assert "&lt;b&gt;west&lt;/b&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "")


@pytest.mark.usefixtures("rasters")
def test_one_left_over_from_a_relativistic_game_only_compares(run: Run) -> None:
    found = diagnose("coarse.tif", reference="fine.tif", settings=Settings(landcover="classes.tif"))
    assert found.meaning.log_ratio is None
    assert found.reliability == {}
    assert found.table["kl"].isna().all()
    assert set(found.dataset) == {"logit_real", "logit_generated", "class", "spatial_ref"} - set(found.dataset.coords)
    assert found.dataset.rio.crs.to_epsg() == rasterio.open("fine.tif").crs.to_epsg()
    assert found.whole is not None
    assert 0 < found.whole.auroc.low < found.whole.auroc.high < 1


@pytest.mark.usefixtures("rasters")
def test_without_a_reference_nothing_is_said_of_classes(run: Run) -> None:
    found = diagnose("coarse.tif", settings=Settings(landcover="classes.tif"))
    assert found.whole is None
    assert found.classes == ()
    assert list(found.scores.logits.of) == ["generated"]


@pytest.mark.usefixtures("rasters")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--observed", "coarse.tif", "--refit", "9"), "Give --reference"),
        (("--observed", "coarse.tif", "--reference", "coarse.tif"), r"expected 2 times"),
        (("--observed", "gone.tif"), "does not exist"),
        (("--observed", "coarse.tif", "--model", "s2-dehaze"), "is for translate"),
        (("--observed", "coarse.tif", "--model", "s2-20to10"), "is guided by finer bands"),
        (("--observed", "coarse.tif", "--model", "any-x2"), "is for any band"),
        (("--observed", "coarse.tif", "--reference", "fine.tif", "--landcover", "gone.tif"), "gone.tif does not exist"),
    ],
)
def test_bad_input_gets_one_clear_message(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("diagnose", *words, "-o", "report")
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("Error:") == 1
    assert not Path("report/index.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--purity", "0.4"), "--purity"),
        (("--channels", "1"), "--channels"),
        (("--refit", "-1"), "--refit"),
        (("--noise", "1"), "--noise is for a fresh"),
        (("--legend", "nlcd"), "--legend names the classes"),
    ],
)
def test_settings_that_cannot_be_meant_are_wrong_use(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("diagnose", "--observed", "coarse.tif", *words, "-o", "report")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.usefixtures("rasters")
def test_a_report_is_not_written_over(run: Run) -> None:
    Path("report").mkdir()
    Path("report/index.html").write_text("mine", encoding="utf-8")
    result = run("diagnose", "--observed", "coarse.tif", "-o", "report")
    assert "holds a report already" in result.stderr
    assert Path("report/index.html").read_text(encoding="utf-8") == "mine"
    assert run("diagnose", "--observed", "coarse.tif", "-o", "report", "--overwrite").exit_code == 0


def test_a_scene_of_a_few_patches_has_logits_but_no_figures(run: Run, make_raster: Callable[..., Path]) -> None:
    fine = np.random.default_rng(2).integers(300, 3000, (4, 40, 40)).astype(np.uint16)
    options = {"descriptions": ("B02", "B03", "B04", "B08"), "scales": (1e-4,) * 4}
    make_raster("fine.tif", fine, transform=Affine(5, 0, 5e5, 0, -5, 5e6), **options)
    make_raster("coarse.tif", fine[:, ::2, ::2].copy(), transform=Affine(10, 0, 5e5, 0, -10, 5e6), **options)
    assert run("diagnose", "--observed", "coarse.tif", "-o", "alone").exit_code == 0
    result = run("diagnose", "--observed", "coarse.tif", "--reference", "fine.tif", "-o", "report")
    assert (result.exit_code, "expected at least 4. Take a larger scene" in result.stderr) == (1, True)


@pytest.mark.usefixtures("rasters")
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray with affine 3
def test_arrays_are_diagnosed_like_their_files_and_called_by_their_names() -> None:
    arrays = [rioxarray.open_rasterio(f"{name}.tif", mask_and_scale=True) for name in ("coarse", "fine")]
    coarse, fine = (array.rename(name) for array, name in zip(arrays, ("twenty", "ten"), strict=True))
    settings = Settings(landcover="classes.tif")
    found, expected = (
        diagnose(observed, reference=reference, settings=settings)
        for observed, reference in ((coarse, fine), ("coarse.tif", "fine.tif"))
    )
    assert found.table.equals(expected.table)
    assert found.paths["observed"] == "DataArray 'twenty'"
    with pytest.raises(GridError, match=r"DataArray 'twenty'.* expected 2 times"):
        diagnose(coarse, reference=coarse)
    with pytest.raises(InputError, match="expected a path"):
        diagnose(3)
