"""The way of `rsgan diagnose` over a real scene and a real map of land cover."""

from pathlib import Path

import pytest

from benchmarks.diagnose_real import CLASSES, NAMES, by_class, written
from rsgan.diagnose import Settings, diagnose
from rsgan.enhance.options import Reading


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::rsgan.errors.RsganWarning")
def test_forest_is_where_the_shipped_model_falls_short_most(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = real_data.resolve()
    monkeypatch.chdir(tmp_path)
    paths = written(data) | {"enhanced": Path("enhanced.tif")}
    found = diagnose(
        paths["observed"],
        reference=paths["reference"],
        reading=Reading(reflectance_scale=10000),
        settings=Settings(landcover=data / CLASSES, legend="legend.csv"),
        work=Path(),
    )
    areas = {found.name_of(one.number): one.auroc.value for one in found.classes if one.enough}
    assert set(areas) == set(NAMES.values())
    assert max(areas, key=lambda name: areas[name]) == "forest"
    powers = {NAMES[number]: power for number, (power, _) in by_class(found, paths).items() if number != 4}
    assert min(powers, key=lambda name: powers[name]) == "forest"  # of the land, by a measure without a discriminator
