import numpy as np
import pytest

from rsgan.errors import InputError
from rsgan.geo.products import CloudKind, cloudy


def flags(codes: list[int], kind: CloudKind, dtype: str = "uint8") -> list[bool]:
    return cloudy(np.array([[codes]], dtype=dtype), kind)[0].tolist()


def test_scene_classification_flags_clouds_cirrus_shadow_and_no_data() -> None:
    flagged = [code for code, flag in enumerate(flags(list(range(12)), "scl")) if flag]
    assert flagged == [0, 3, 8, 9, 10]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1, True),  # fill
        (21824, False),  # clear, all confidences low
        (21952, False),  # water
        (21826, True),  # dilated cloud over land
        (22280, True),  # cloud, high confidence
        (23888, True),  # cloud shadow, high confidence
        (30048, False),  # snow
        (54596, True),  # cirrus, high confidence
        (55052, True),  # cirrus and cloud
    ],
)
def test_quality_values_of_the_product_guide_are_told_apart(code: int, expected: bool) -> None:
    assert flags([code], "qa_pixel", "uint16") == [expected]


def test_either_class_of_the_mask_by_classes_flags_a_pixel() -> None:
    values = np.array([[[0, 1, 0, 1]], [[0, 0, 1, 1]]], dtype=np.uint8)
    assert cloudy(values, "msk_classi").tolist() == [[False, True, True, True]]


def test_fmask_flags_shadow_cloud_and_no_observation() -> None:
    assert flags([0, 1, 2, 3, 4, 255], "fmask") == [False, False, True, False, True, True]


def test_bits_under_the_name_of_fmask_are_refused() -> None:
    with pytest.raises(InputError, match="the layer called Fmask holds 64, 66; Fmask 4 has 0 clear land"):
        cloudy(np.array([[[64, 66, 0]]]), "fmask")


def test_fmask_of_hls_is_bits() -> None:
    codes = [0b0, 0b1, 0b10, 0b100, 0b1000, 0b10000, 0b100000, 0b11000000, 0b11000010, 255]
    assert flags(codes, "hls_fmask") == [False, True, True, False, True, False, False, False, True, True]
