from io import BytesIO

import numpy as np
from PIL import Image

from rsgan.report.colours import RAMP, coloured, png, ramp_css, with_gaps


def test_the_ramp_runs_from_its_first_to_its_last_colour_and_stays_there() -> None:
    pixels = coloured(np.array([[0.0, 0.5, 1.0, 7.0, np.nan]]), 1.0)
    np.testing.assert_array_equal(pixels[0, [0, 2, 3], :3], [RAMP[0], RAMP[-1], RAMP[-1]])
    np.testing.assert_array_equal(pixels[0, :, 3], [255, 255, 255, 255, 0])
    assert ramp_css()[0] == "rgb(18 12 40)"


def test_the_ramp_grows_lighter_all_the_way() -> None:
    pixels = coloured(np.linspace(0, 1, 50)[None], 1.0).astype(float)
    lightness = pixels[0, :, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


def test_gaps_are_transparent_and_a_picture_without_any_has_no_alpha() -> None:
    pixels = np.full((2, 3, 3), 7, np.uint8)
    valid = np.array([[True, False, True], [True, True, True]])
    with Image.open(BytesIO(png(with_gaps(pixels, valid)))) as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 3] > 0, valid)
    with Image.open(BytesIO(png(with_gaps(pixels, valid | True)))) as image:
        assert (image.mode, np.asarray(image).max()) == ("RGB", 7)
