import pytest

from rsgan.errors import BandError
from rsgan.geo import BandChoice, band_named, find_bands

RGBN = ("B02", "B03", "B04", "B08")


def find(
    descriptions: list[str | None], explicit: str | None = None, wavelengths_um: list[float | None] | None = None
) -> BandChoice:
    return find_bands(
        descriptions,
        wavelengths_um or [None] * len(descriptions),
        RGBN,
        None if explicit is None else tuple(explicit.split(",")),
        len(descriptions),
        file_name="scene.tif",
    )


@pytest.mark.parametrize(
    ("descriptions", "expected"),
    [
        (["B02", "B03", "B04", "B08"], (1, 2, 3, 4)),
        (["b2", "B3", "b4", "B8"], (1, 2, 3, 4)),
        (["R", "G", "B", "N"], (3, 2, 1, 4)),
        (["NIR", "Red", "green", "BLUE"], (4, 3, 2, 1)),
        (["S2_B02", "B03 (560 nm)", "Red - B4", "near infrared"], (1, 2, 3, 4)),
        (["coastal", "blue", "green", "red", "rededge1", "nir", "nir08"], (2, 3, 4, 6)),
        (["Red Edge 1", "Red", "Green", "Blue", "NIR", "narrow NIR"], (4, 3, 2, 5)),
        (["B02", "B02_std", "B03", "QA_B04", "B04", "B08", "cloud mask"], (1, 3, 5, 6)),
        (["green_i", "green", "red", "blue", "nir"], (4, 2, 3, 5)),
    ],
)
def test_bands_are_found_by_name_in_any_order(descriptions: list[str | None], expected: tuple[int, ...]) -> None:
    choice = find(descriptions)
    assert choice.indexes == expected
    assert not choice.assumed


def test_landsat_names_are_read_by_the_catalogue_of_that_sensor() -> None:
    names = ["SR_B2", "SR_B3", "SR_B4", "SR_B5"]
    wanted = ("B2", "B3", "B4", "B5")
    assert find_bands(names, [None] * 4, wanted, None, 4, sensor_name="landsat-8").indexes == (1, 2, 3, 4)
    assert find_bands(["N", "R", "G", "B"], [None] * 4, wanted, None, 4, sensor_name="landsat-8").indexes == (
        4,
        3,
        2,
        1,
    )
    with pytest.raises(BandError, match="Not found: B08"):
        find(list(names))


def test_bands_are_found_by_wavelength_when_unnamed() -> None:
    wavelengths: list[float | None] = [0.865, 0.842, 0.665, 0.56, 0.49, 1.61]
    choice = find([None] * 6, wavelengths_um=wavelengths)
    assert choice.indexes == (5, 4, 3, 2)
    assert "centre 0.842 um" in choice.reason


def test_a_name_that_contradicts_its_wavelength_is_an_error() -> None:
    with pytest.raises(BandError, match=r"'B8', which is B08 at 0.8328 um, but is centred at 0.59 um"):
        find(["B2", "B3", "B4", "B8"], wavelengths_um=[0.48, 0.56, 0.66, 0.59])


@pytest.mark.parametrize("descriptions", [[None] * 4, ["Band 1", "Band 2", "Band 3", "Band 4"], ["", "1", "2", "gray"]])
def test_order_is_assumed_aloud_when_nothing_is_named_and_the_count_is_right(descriptions: list[str | None]) -> None:
    choice = find(descriptions)
    assert choice.indexes == (1, 2, 3, 4)
    assert choice.assumed
    assert "order assumed to be B02 B03 B04 B08" in choice.reason


@pytest.mark.parametrize("count", [1, 3, 5])
def test_another_count_without_names_is_an_error_that_names_both(count: int) -> None:
    with pytest.raises(BandError, match=rf"scene.tif has {count} bands?; model needs 4 \(B02 B03 B04 B08\).*--bands"):
        find([None] * count)


def test_the_one_unnamed_band_is_found_by_elimination_aloud() -> None:
    choice = find(["red", "green", "blue", None])
    assert choice.indexes == (3, 2, 1, 4)
    assert choice.assumed
    assert "B08 by elimination" in choice.reason


def test_other_names_are_never_taken_by_order() -> None:
    with pytest.raises(BandError, match="Not found: B02 B03 B04 B08; the bands of the file are 1 'VV', 2 'VH'"):
        find(["VV", "VH", "incidence", "mask"])


def test_a_misspelt_name_is_pointed_at() -> None:
    with pytest.raises(BandError, match=r"Not found: B03.*Near in spelling: gren"):
        find(["blue", "gren", "red", "nir"])


@pytest.mark.parametrize("descriptions", [["B02", "B2", "B03", "B04", "B08"], ["blue", "B02", "B03", "B04", "B08"]])
def test_two_bands_of_one_name_are_ambiguous(descriptions: list[str | None]) -> None:
    with pytest.raises(BandError, match="2 bands that may be B02"):
        find(descriptions)


@pytest.mark.parametrize(
    ("explicit", "expected"),
    [
        ("3,2,1,4", (3, 2, 1, 4)),
        ("red,green,blue,nir", (3, 2, 1, 4)),
        ("B02,B03,B04,B08", (3, 2, 1, 4)),
        ("4,3,2,1", (4, 3, 2, 1)),
        ("B,G,4,extra", (3, 2, 4, 5)),
    ],
)
def test_the_user_may_choose_by_number_or_name(explicit: str, expected: tuple[int, ...]) -> None:
    assert find(["R", "G", "B", "N", "extra"], explicit).indexes == expected


@pytest.mark.parametrize(
    ("explicit", "message"),
    [
        ("1,2,3", r"--bands names 3 bands .*model needs 4"),
        ("1,2,3,9", "asks for band 9; scene.tif has bands 1 to 5"),
        ("1,2,3,0", "asks for band 0"),
        ("1,2,3,bogus", "asks for 'bogus'.*its bands are 1 'R'"),
        ("1,2,3,extar", "Near in spelling: extra"),
        ("red,green,blue,extra", "puts B04 where the model takes B02"),
        ("1,1,2,3", "twice"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_an_error(explicit: str, message: str) -> None:
    with pytest.raises(BandError, match=message):
        find(["R", "G", "B", "N", "extra"], explicit)


@pytest.mark.parametrize("text", [None, "", "Band 1", "green to red", "B04_quality", "narrow NIR", "X"])
def test_texts_that_name_no_band_or_several_name_none(text: str | None) -> None:
    assert band_named(text) is None
