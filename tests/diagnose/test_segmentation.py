"""A network of segmentation-models-pytorch as land cover."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from affine import Affine

from rsgan.diagnose import Settings, diagnose
from rsgan.diagnose.ground import Ground, OpticalGround
from rsgan.diagnose.segmentation import of_network, open_network
from rsgan.errors import BandError, ConfigError, ModelError
from rsgan.geo import Scene
from rsgan.nn.discriminators import PatchLayersConfig, patch_geometry
from rsgan.sensors.statistics import BandScaling

MakeRaster = Callable[..., Path]
BANDS = ("B02", "B03", "B04", "B08")
WATER, FOREST = (0.06, 0.05, 0.03, 0.01), (0.02, 0.04, 0.03, 0.30)
MEANING = {
    "bands": BANDS, "centre": (0.04, 0.045, 0.03, 0.15), "spread": (0.02, 0.02, 0.02, 0.1),
    "classes": ("water", "forest"),
}  # fmt: skip


def land(forest: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(4, H, W) reflectance of forest where it is, else of water."""
    spectra = np.where(forest, *(np.array(x)[:, None, None] for x in (FOREST, WATER)))
    return (spectra + 0.003 * rng.standard_normal(spectra.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small U-Net that has learnt to tell water from forest, saved by the library itself."""
    torch.manual_seed(0)
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("network")
    network = smp.Unet(
        "tu-mobilenetv3_small_050", encoder_weights=None, in_channels=4, classes=2, encoder_depth=3,
        decoder_channels=(16, 8, 8),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    centre, spread = (np.array(MEANING[name])[:, None, None] for name in ("centre", "spread"))
    for _ in range(60):
        forest = rng.random((8, 4, 4)).repeat(16, 1).repeat(16, 2) > 0.5
        seen = np.stack([(land(one, rng) - centre) / spread for one in forest])
        scores = network(torch.from_numpy(seen).float())
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(forest.astype(np.int64)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.save_pretrained(folder)
    (folder / "rsgan.json").write_text(json.dumps(MEANING), encoding="utf-8")
    return folder


@pytest.fixture
def ground(make_raster: MakeRaster) -> Ground:
    """640 x 96 observed pixels, water in the north and forest in the south; a corner has no data."""
    forest = np.arange(640)[:, None].repeat(96, 1) >= 320
    observed = land(forest, np.random.default_rng(1))
    observed[:, :40, :40] = np.nan
    coarse, fine = Affine(10, 0, 5e5, 0, -10, 5e6), Affine(5, 0, 5e5, 0, -5, 5e6)
    names = {"descriptions": BANDS, "nodata": float("nan")}
    seen = Scene.open((make_raster("observed.tif", observed, transform=coarse, **names),), wanted=BANDS)
    path = make_raster("fine.tif", observed.repeat(2, 1).repeat(2, 2), transform=fine, **names)
    return OpticalGround(
        seen, {"generated": Scene.open((path,), wanted=BANDS)}, 2, BandScaling(np.zeros(4), np.ones(4)),
        patch_geometry(PatchLayersConfig()),
    )  # fmt: skip


def test_patches_get_the_class_that_the_network_sees(trained: Path, ground: Ground) -> None:
    found = of_network(ground, trained, torch.device("cpu"))
    rows, columns = found.classes.shape
    assert (rows, columns) == ground.shape
    north, south = found.classes[8 : rows // 2 - 8, 24:], found.classes[rows // 2 + 8 :]
    assert np.mean(north == 1) > 0.95
    assert np.mean(south == 2) > 0.95
    assert found.classes[4, 4] == -1  # no data there
    assert [found.name_of(number) for number in (1, 2)] == ["water", "forest"]


def test_weights_are_those_that_were_saved_and_nothing_is_told(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meaning, network = open_network(trained)
    assert meaning.classes == ("water", "forest")
    assert not network.training
    assert capsys.readouterr().out == ""


def broken(folder: Path, into: Path, name: str, text: str | None) -> Path:
    into.mkdir()
    for path in folder.iterdir():
        (into / path.name).write_bytes(path.read_bytes())
    if text is None:
        (into / name).unlink()
    else:
        (into / name).write_text(text, encoding="utf-8")
    return into


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rsgan.json", None, "holds no rsgan.json; expected config.json and model.safetensors"),
        ("model.safetensors", None, "holds no model.safetensors"),
        ("rsgan.json", "{", "does not say what the network takes"),
        ("rsgan.json", json.dumps(MEANING | {"spread": (0.1,)}), "4 bands, 4 centres and 1 spreads"),
        ("rsgan.json", json.dumps(MEANING | {"classes": ("a", "b", "c")}), "tells 2 classes, but .* names 4 and 3"),
        ("config.json", "[]", "no configuration of segmentation-models-pytorch"),
        ("config.json", '{"_model_class": "from_pretrained", "in_channels": 4, "classes": 2}', "names no network"),
        ("config.json", '{"_model_class": "Unet", "in_channels": 4, "classes": 2}', "are not the weights"),
        ("model.safetensors", "not weights", "cannot be read"),
    ],
)  # fmt: skip
def test_folders_that_hold_no_usable_network_are_refused(
    trained: Path, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        open_network(broken(trained, tmp_path / "copy", name, text))


def test_bands_that_the_network_does_not_take_are_refused(trained: Path, ground: Ground, tmp_path: Path) -> None:
    others = json.dumps(MEANING | {"bands": ("B05", "B06", "B07", "B8A")})
    with pytest.raises(BandError, match=r"takes B05 B06 B07 B8A; .*observed\.tif is read as B02 B03 B04 B08"):
        of_network(ground, broken(trained, tmp_path / "copy", "rsgan.json", others), torch.device("cpu"))


def test_a_diagnosis_takes_the_folder(trained: Path, ground: Ground, tmp_path: Path) -> None:
    found = diagnose(tmp_path / "observed.tif", settings=Settings(landcover=trained))
    assert found.landcover is not None
    assert set(np.unique(found.landcover.classes)) == {-1, 1, 2}
    with pytest.raises(ConfigError, match="names its own"):
        diagnose(tmp_path / "observed.tif", settings=Settings(landcover=trained, legend="nlcd"))
