from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsgan.errors import OutputError
from rsgan.report.panels import CAPTION, MARGIN, Panel, save_panels, stretch


def test_stretch_maps_the_limits_to_black_and_white_and_clips_beyond() -> None:
    values = np.array([0.0, 0.1, 0.2, 0.3, 0.9]).reshape(1, 1, 5)
    pixels = stretch(values, np.array([[0.1], [0.3]]))
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 0, 128, 255, 255])
    assert pixels.dtype == np.uint8


def test_stretch_of_an_even_field_is_finite() -> None:
    assert stretch(np.full((3, 2, 2), 0.2), np.full((2, 3), 0.2)).max() == 0


def halves(size: int) -> np.ndarray:
    """Channel 0 bright on the left, 1 on the right, 2 on top, 3 dark."""
    values = np.full((4, size, size), 0.05)
    values[0, :, : size // 2] = values[1, :, size // 2 :] = values[2, : size // 2] = 0.3
    return values


def picture_of(path: Path, panel: int, count: int) -> np.ndarray:
    """The pixels of one panel of a row."""
    with Image.open(path) as image:
        sheet = np.asarray(image.convert("RGB"))
    width = (sheet.shape[1] - MARGIN) // count - MARGIN
    left = MARGIN + panel * (width + MARGIN)
    return sheet[CAPTION + MARGIN : -MARGIN, left : left + width]


def test_channels_are_shown_as_red_green_blue_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "look.png"
    save_panels(path, [Panel("one", halves(512))], (1, 2, 0))
    shown = picture_of(path, 0, 1)
    assert shown.shape == (512, 512, 3)
    np.testing.assert_array_equal(shown[100, 100], [0, 255, 255])
    np.testing.assert_array_equal(shown[400, 400], [255, 0, 0])


def test_all_panels_have_the_stretch_of_the_first(tmp_path: Path) -> None:
    first = halves(512)
    dimmer = 0.05 + (first - 0.05) / 2
    save_panels(tmp_path / "look.png", [Panel("first", first), Panel("half", dimmer)], (0, 1, 2))
    bright, dim = (picture_of(tmp_path / "look.png", n, 2)[100, 100] for n in (0, 1))
    np.testing.assert_array_equal(bright, [255, 0, 255])
    np.testing.assert_allclose(dim, [127.5, 0, 127.5], atol=1)


def test_an_unwritable_folder_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"look\.png: the preview cannot be written .* --preview"):
        save_panels(tmp_path / "nowhere" / "look.png", [Panel("one", halves(16))], (0, 1, 2))
    assert not list(tmp_path.iterdir())
