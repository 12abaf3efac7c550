"""The look at the result: what it shows, where, and that it costs nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsgan.enhance.superres import superres
from rsgan.errors import OutputError
from rsgan.report.panels import CAPTION, MARGIN, PANEL_SIDE, Panel, save_panels, stretch

SCALED = {"scales": [1e-4] * 4, "offsets": [0.0] * 4}
Make = Callable[..., Path]
Land = Callable[..., np.ndarray]


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as sheet:
        return np.asarray(sheet)


def panels_of(path: Path) -> list[np.ndarray]:
    """The three pictures of a preview, as (H, W, 3) bytes."""
    sheet = pixels_of(path)
    width = (sheet.shape[1] - MARGIN) // 3 - MARGIN
    top = CAPTION + MARGIN
    starts = [MARGIN + n * (width + MARGIN) for n in range(3)]
    return [sheet[top : sheet.shape[0] - MARGIN, start : start + width] for start in starts]


def look(source: Path, model: Path, **options: object) -> list[np.ndarray]:
    path = source.with_suffix(".png")
    superres(source, source.with_name("out.tif"), model=model, preview=path, overwrite=True, **options)
    return panels_of(path)


def test_three_panels_of_the_same_place_and_stretch(make_raster: Make, land: Land, tiny_model: Path) -> None:
    values = land((60, 90))
    pictures = look(make_raster("scene.tif", values, **SCALED), tiny_model)
    assert [picture.shape for picture in pictures] == [(2 * 60 * 2, 2 * 90 * 2, 3)] * 3
    means = np.array([picture.mean((0, 1)) for picture in pictures])
    np.testing.assert_allclose(means, means[:1].repeat(3, 0), atol=6)
    limits = np.percentile(values[[2, 1, 0]].reshape(3, -1) * 1e-4, (1, 99), axis=1)
    expected = stretch(values[[2, 1, 0]] * 1e-4, limits).repeat(4, 0).repeat(4, 1)
    np.testing.assert_allclose(pictures[0].astype(int), expected.astype(int), atol=1)


def test_an_offset_does_not_shift_the_colours(make_raster: Make, land: Land, tiny_model: Path) -> None:
    source = make_raster("scene.tif", land((60, 60)) + 1000, scales=[1e-4] * 4, offsets=[-0.1] * 4)
    seen, _, enhanced = look(source, tiny_model)
    np.testing.assert_allclose(enhanced.mean((0, 1)), seen.mean((0, 1)), atol=6)


def test_overruled_names_do_not_hide_the_result(make_raster: Make, land: Land, tiny_model: Path) -> None:
    source = make_raster("scene.tif", land((60, 60)), descriptions=("B08", "B04", "B03", "B11"), **SCALED)
    assert len(look(source, tiny_model, bands=("1", "2", "3", "4"))) == 3


def test_nodata_is_white_and_darkens_no_neighbour(make_raster: Make, tiny_model: Path) -> None:
    values = np.full((4, 64, 64), 2000, np.uint16)
    values[:, :, ::2] += 500
    values[:, 20:30, 20:30] = 0
    source = make_raster("scene.tif", values, nodata=0, **SCALED)
    for picture in look(source, tiny_model):
        assert (picture[20 * 8 : 30 * 8, 20 * 8 : 30 * 8] == 255).all()
    _, bicubic, _ = look(source, tiny_model)
    beside, away = bicubic[20 * 8 : 30 * 8, 18 * 8 : 20 * 8], bicubic[20 * 8 : 30 * 8, 50 * 8 : 52 * 8]
    assert abs(beside.mean() - away.mean()) < 40


def test_an_empty_middle_is_not_what_is_shown(make_raster: Make, land: Land, tiny_model: Path) -> None:
    values = land((300, 300))
    values[:, 60:240, 60:240] = 0
    for picture in look(make_raster("scene.tif", values, nodata=0, **SCALED), tiny_model):
        assert (picture == 255).all(2).mean() < 0.5


def test_a_crop_shows_its_own_place(make_raster: Make, land: Land, tiny_model: Path) -> None:
    values = land((100, 100))
    values[:, 70:, 70:] = 8000
    source = make_raster("scene.tif", values, **SCALED)
    bright = look(source, tiny_model, crop=(60, 60, 40, 40))
    for picture in bright:
        low, high = picture[:100, :100].mean(), picture[-200:, -200:].mean()
        assert high > 2 * low


@pytest.mark.parametrize(("shape", "factor"), [((1, 1), PANEL_SIDE), ((3, 2), 170), ((200, 300), 1), ((200, 256), 2)])
def test_small_panels_are_enlarged_by_a_whole_factor(tmp_path: Path, shape: tuple[int, int], factor: int) -> None:
    values = np.random.default_rng(1).random((3, *shape))
    save_panels(tmp_path / "x.png", [Panel("a", values)], (0, 1, 2))
    height, width = pixels_of(tmp_path / "x.png").shape[:2]
    assert (height - CAPTION - 2 * MARGIN, width - 2 * MARGIN) == (shape[0] * factor, shape[1] * factor)


def test_an_even_field_is_shown_even(tmp_path: Path) -> None:
    values = np.full((3, 64, 64), 0.2) + np.random.default_rng(1).normal(0, 1e-6, (3, 64, 64))
    save_panels(tmp_path / "x.png", [Panel("a", values)], (0, 1, 2))
    shown = pixels_of(tmp_path / "x.png")[CAPTION + MARGIN : -MARGIN, MARGIN:-MARGIN]
    assert np.ptp(shown.astype(int)) <= 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("look.jpg", r"--preview .*look.jpg does not end in .png"),
        ("nowhere/look.png", r"--preview .*nowhere does not exist"),
        ("folder.png", r"--preview .*folder.png is a folder"),
        ("old.png", r"--preview .*old.png exists already. Give --overwrite"),
    ],
)
def test_a_preview_that_must_not_be_is_refused_before_any_work(
    make_raster: Make, land: Land, tiny_model: Path, tmp_path: Path, name: str, message: str
) -> None:
    source = make_raster("scene.tif", land((20, 20)), **SCALED)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "old.png").write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=message):
        superres(source, tmp_path / "out.tif", model=tiny_model, preview=tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.png").read_bytes() == b"old"


def test_a_preview_that_fails_leaves_the_raster(
    make_raster: Make, land: Land, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    source = make_raster("scene.tif", land((20, 20)), **SCALED)
    with pytest.raises(OutputError, match=r"look.png: the preview cannot be written .*No space left.*--preview"):
        superres(source, tmp_path / "out.tif", model=tiny_model, preview=tmp_path / "look.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "scene.tif"]
