import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio

from rsgan.catalogue import RGBN
from rsgan.sensors.procedural import LAND_COVER
from rsgan.sensors.sar import estimate_speckle

FOLDER = Path(__file__).parents[1] / "data_samples"
OBSERVED, REFERENCE, CLASSES = "s2_rgbn_10m.tif", "s2_rgbn_reference_5m.tif", "landcover_10m.tif"
COARSE = "s2_20m.tif"
OTHER, HAZY = "s2_rgbn_10m_b.tif", "s2_hazy_10m.tif"
SAR, SAR_REFERENCE = "sar_vv_vh_10m.tif", "sar_reference_10m.tif"


@pytest.fixture
def make_samples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", FOLDER / "make_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_seed_gives_the_same_bytes_twice(
    make_samples: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_samples, "SHAPE", (24, 32))
    make_samples.main(tmp_path / "first")
    make_samples.main(tmp_path / "second")
    for name in (OBSERVED, REFERENCE, CLASSES, COARSE, SAR, SAR_REFERENCE, OTHER, HAZY):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.slow
def test_the_script_gives_the_files_beside_it(make_samples: ModuleType, tmp_path: Path) -> None:
    make_samples.main(tmp_path)
    for name in (OBSERVED, REFERENCE, CLASSES, COARSE, SAR, SAR_REFERENCE, OTHER, HAZY):
        with rasterio.open(tmp_path / name) as made, rasterio.open(FOLDER / name) as kept:
            assert made.transform == kept.transform
            # another processor may round a last bit otherwise, and with it move a border by a pixel
            assert np.isclose(made.read(), kept.read(), rtol=0, atol=0, equal_nan=True).mean() > 0.999


def test_samples_are_under_three_megabytes_in_all() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.tif")) < 3_000_000


@pytest.mark.parametrize(
    ("name", "shape", "gsd_m", "dtype", "descriptions"),
    [
        (OBSERVED, (240, 320), 10.0, "uint16", RGBN),
        (REFERENCE, (480, 640), 5.0, "uint16", RGBN),
        (CLASSES, (240, 320), 10.0, "uint8", ("land cover",)),
        (COARSE, (120, 160), 20.0, "uint16", ("B05", "B06", "B07", "B8A", "B11", "B12")),
    ],
)
def test_samples_lie_on_one_place_at_their_gsd(
    name: str, shape: tuple[int, int], gsd_m: float, dtype: str, descriptions: tuple[str, ...]
) -> None:
    with rasterio.open(FOLDER / name) as dataset:
        assert dataset.shape == shape
        assert dataset.res == (gsd_m, gsd_m)
        assert tuple(dataset.bounds) == (463_000.0, 5_244_600.0, 466_200.0, 5_247_000.0)
        assert dataset.crs.to_epsg() == 32633
        assert set(dataset.dtypes) == {dtype}
        assert dataset.descriptions == descriptions
        assert dataset.nodata == 0


def test_nodata_is_one_slanted_corner_in_every_band() -> None:
    with rasterio.open(FOLDER / OBSERVED) as dataset:
        missing = dataset.read() == 0
    assert np.array_equal(missing.all(axis=0), missing.any(axis=0))
    first_missing = np.where(missing[0].any(axis=1), missing[0].argmax(axis=1), 320)
    assert missing[0, -1, -1]
    assert not missing[0, :, :200].any()
    assert (np.diff(first_missing) <= 0).all()
    assert 0.01 < missing[0].mean() < 0.05


def test_observed_is_the_reference_blurred_with_the_stated_noise() -> None:
    with rasterio.open(FOLDER / OBSERVED) as observed, rasterio.open(FOLDER / REFERENCE) as reference:
        assert observed.scales == reference.scales == (1e-4,) * 4
        seen, fine = observed.read() * 1e-4, reference.read() * 1e-4
    mean = fine.reshape(4, 240, 2, 320, 2).mean(axis=(2, 4))
    inside = np.s_[:, :, :300]
    valid = (seen[inside] > 0).all(axis=0) & (mean[inside] > 0).all(axis=0)
    for band in range(4):
        assert seen[inside][band][valid].mean() == pytest.approx(mean[inside][band][valid].mean(), rel=2e-3)
        assert seen[inside][band][valid].std() < mean[inside][band][valid].std()
    with rasterio.open(FOLDER / CLASSES) as dataset:
        calm = np.zeros((240, 320), bool)
        calm[60:90, 140:165] = True
        assert (dataset.read(1)[calm] == 1).all()
    # on the lake only noise differs: 0.0008 and the rounding of 0.0001
    residual = (seen - mean)[:, calm]
    np.testing.assert_allclose(residual.std(axis=1), 0.0008, rtol=0.12)


def test_land_cover_has_a_legend_for_every_class_it_holds() -> None:
    with rasterio.open(FOLDER / CLASSES) as dataset:
        legend = {int(key[6:]): name for key, name in dataset.tags().items() if key.startswith("CLASS_")}
        held = set(np.unique(dataset.read(1)).tolist())
    assert legend == LAND_COVER
    assert held == {0, *LAND_COVER}


def test_classes_have_plausible_spectra() -> None:
    with rasterio.open(FOLDER / OBSERVED) as observed, rasterio.open(FOLDER / CLASSES) as classes:
        reflectance, class_id = observed.read() * 1e-4, classes.read(1)
    ndvi = (reflectance[3] - reflectance[2]) / (reflectance[3] + reflectance[2] + 1e-9)
    assert np.median(ndvi[class_id == 1]) < 0.0
    assert np.median(ndvi[class_id == 5]) > 0.6
    assert 0.02 < np.median(ndvi[class_id == 3]) < 0.5


def test_coarse_bands_follow_the_fine_ones_where_they_should_and_not_in_the_short_wave() -> None:
    with rasterio.open(FOLDER / OBSERVED) as fine, rasterio.open(FOLDER / COARSE) as coarse:
        means = fine.read().astype(float).reshape(4, 120, 2, 160, 2).mean(axis=(2, 4))
        seen, valid = coarse.read().astype(float), (coarse.read() > 0).all(axis=0)
    valid[:, 110:] = False  # well inside the swath
    rows = np.stack([*means[:, valid], np.ones(valid.sum())], axis=1)
    left = []
    for band in seen:
        law = np.linalg.lstsq(rows, band[valid], rcond=None)[0]
        left.append((band[valid] - rows @ law).std() / band[valid].std())
    assert max(left[:4]) < 0.12
    assert min(left[4:]) > 0.15


def test_radar_samples_differ_by_speckle_alone() -> None:
    with rasterio.open(FOLDER / SAR) as observed, rasterio.open(FOLDER / SAR_REFERENCE) as reference:
        assert observed.descriptions == reference.descriptions == ("VV", "VH")
        assert observed.shape == reference.shape == (240, 320)
        assert tuple(observed.bounds) == (463_000.0, 5_244_600.0, 466_200.0, 5_247_000.0)
        ratio = 10 ** ((observed.read() - reference.read()) / 10)
    usable = np.isfinite(ratio)
    assert 0.95 < usable.mean() < 0.99
    assert ratio[usable].mean() == pytest.approx(1, abs=0.01)
    assert 4.4 * ratio[usable].var() == pytest.approx(1, rel=0.05)
    estimate = estimate_speckle([(np.nan_to_num(band), np.isfinite(band)) for band in ratio[:, :, :300]])
    assert estimate.looks == pytest.approx(4.4, rel=0.08)
    assert estimate.correlation == pytest.approx((0.3, 0.3), abs=0.05)


def test_haze_brightens_every_band_and_blue_most() -> None:
    with rasterio.open(FOLDER / OTHER) as clear, rasterio.open(FOLDER / HAZY) as hazy:
        assert (clear.transform, clear.shape) == (hazy.transform, hazy.shape)
        change = (hazy.read() / 1e4 - clear.read() / 1e4).mean((1, 2))
    assert change[0] > 0.05
    assert (np.diff(change) < 0).all()
