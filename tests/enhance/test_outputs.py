"""What a job says and refuses about what it writes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from rsgan.enhance.options import Options
from rsgan.enhance.superres import prepare
from rsgan.errors import OutputError

Make = Callable[..., Path]
COARSER = Affine(30, 0, 500000, 0, -30, 5000000)
FINER = Affine(15, 0, 500000, 0, -15, 5000000)


def write_pair(
    make: Make, land: Callable[..., np.ndarray], coarse: tuple[str | None, ...], fine: tuple[str | None, ...]
) -> list[Path]:
    """Bands of 30 m and of 15 m; the finer ones are ten times as bright, so that a picture tells them apart."""
    values = land((80, 80))
    small = values.reshape(4, 40, 2, 40, 2).mean((2, 4)).round().astype(np.uint16)
    return [
        make("coarse.tif", small[: len(coarse)], descriptions=coarse, transform=COARSER),
        make("fine.tif", values[: len(fine)] * 10, descriptions=fine, transform=FINER),
    ]


def test_a_preview_shows_the_enhanced_bands_where_the_finer_ones_have_their_names(
    make_raster: Make, land: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    paths = write_pair(make_raster, land, (None,) * 3, (None,))
    with prepare(paths, tmp_path / "out.tif", method="linear", options=Options(stack=True)) as job:
        assert job.scene.bands[:1] == job.guiding.scene.bands == ("band1",)
        job.run()
        job.preview(tmp_path / "look.png")
    picture = np.asarray(Image.open(tmp_path / "look.png").convert("RGB")).astype(float)
    third = picture.shape[1] // 3
    shown = picture[40:-20, 10 : third - 10].mean((0, 1)), picture[40:-20, 2 * third + 10 : -10].mean((0, 1))
    np.testing.assert_allclose(shown[1], shown[0], atol=12)


def test_an_output_under_two_spellings_is_refused_for_both_rasters(
    make_raster: Make, land: Callable[..., np.ndarray], make_model: Make, tmp_path: Path
) -> None:
    scene = make_raster("scene.tif", land((90, 90)), scales=[1e-4] * 4)
    (tmp_path / "sub").mkdir()
    elsewhere = tmp_path / "sub" / ".." / "out.tif"
    model = make_model("doubting.safetensors", uncertainty=True)
    with pytest.raises(OutputError, match="is the output itself"):
        prepare([scene], tmp_path / "out.tif", model=model, options=Options(uncertainty=elsewhere))


def test_bands_of_two_types_are_no_stack_whatever_their_nodata(
    make_raster: Make, land: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    coarse, _ = write_pair(make_raster, land, ("B5", "B6"), ("B8",))
    fine = make_raster(
        "float.tif", land((80, 80))[:1].astype(np.float32), descriptions=("B8",), transform=FINER, nodata=float("nan")
    )
    with pytest.raises(OutputError, match=r"^--stack: the bands are stored as uint16 .* the finer ones as float32"):
        prepare([coarse, fine], tmp_path / "out.tif", method="linear", options=Options(stack=True))
