from pathlib import Path

import numpy as np
import pytest

from rsgan.evaluate import evaluate

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize(
    ("folder", "bands"),
    [("aerial", 4), ("landsat", 6), ("sentinel2", 4), ("sentinel2_20m", 5), ("sentinel1", 1), ("vhr", 3)],
)
def test_a_raster_of_any_sensor_equals_itself(real_data: Path, folder: str, bands: int) -> None:
    path = sorted((real_data / folder).glob("*.tif"))[0]
    found = evaluate(path, reference=path)
    figures = found.figures["enhanced"]
    assert len(found.bands) >= bands
    assert figures["rmse"].pooled == 0
    assert figures["psnr_db"].pooled == np.inf
    if "ssim" in figures:
        assert figures["ssim"].pooled == pytest.approx(1)
    assert found.to_json()["figures"]["enhanced"]["psnr_db"]["all"] is None
