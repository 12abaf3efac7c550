"""`rsgan prepare`: what it takes, what it leaves out and why, and that a run reads what it wrote."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
import yaml
from click.testing import CliRunner
from scipy import ndimage

from rsgan.card import Domain
from rsgan.cli import main
from rsgan.errors import ConfigError, OutputError
from rsgan.geo import Scene
from rsgan.sensors.procedural import draw_scene
from rsgan.training import tiles as tiles_module
from rsgan.training.config import Data, Source
from rsgan.training.loading import load_config
from rsgan.training.preparation.asked import Partners, Preparing, Reads
from rsgan.training.preparation.chips import Looked, look_at_chips, without_flat
from rsgan.training.preparation.index import read_index
from rsgan.training.preparation.partners import measured_shift, on_one_lattice, shared_pixels
from rsgan.training.preparation.places import held_out_places, places_of
from rsgan.training.preparation.prepare import prepare
from rsgan.training.tiles import OnDisk, load_tiles, read_tile

RGBN = ("B02", "B03", "B04", "B08")
WriteTile = Callable[..., Path]
"""See conftest: 64 x 64 synthetic land, `west` metres east of the origin."""


@pytest.fixture
def folder(write_tile: WriteTile, tmp_path: Path) -> Path:
    """Two dates of one place, another place, one with holes, and what is no raster."""
    write_tile("a_1.tif")
    write_tile("a_2.tif", west=500_320.0, seed=1)
    write_tile("b.tif", west=600_000.0, seed=2)
    write_tile("c.tif", west=700_000.0, seed=3, holes=True)
    (tmp_path / "tiles" / "broken.tif").write_bytes(b"II*\0nothing")
    (tmp_path / "tiles" / "notes.txt").write_text("not looked at")
    return tmp_path / "tiles"


def asked(folder: Path, **settings: object) -> Preparing:
    return Preparing(folder, **({"chip": 32, "flattest": 0.0} | settings))  # type: ignore[arg-type]


def test_what_is_written_for_a_folder(folder: Path, tmp_path: Path) -> None:
    prepared = prepare(asked(folder), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "contact_sheet.png", "data.yaml", "index.json", "left_out.csv",
    ]  # fmt: skip
    index = read_index(tmp_path / "out" / "index.json")
    assert index == prepared.index
    assert {raster.path for raster in index.rasters} == {"a_1.tif", "a_2.tif", "b.tif", "c.tif"}
    places = {raster.path: raster.place for raster in index.rasters}
    assert places["a_1.tif"] == places["a_2.tif"] == "a_1.tif"
    assert len(set(places.values())) == 3
    split = {raster.place: raster.split for raster in index.rasters}
    assert sorted(split.values()).count("validation") == 1
    with (tmp_path / "out" / "left_out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["reason"] for row in rows if row["raster"] == "c.tif"] == ["nodata"]
    assert "broken.tif" in {row["raster"] for row in rows}
    assert sum(prepared.counts.values()) == 16
    assert (
        sum(len(raster.chips) for raster in index.rasters) == 16 - prepared.counts["nodata"] - prepared.counts["flat"]
    )
    words = "\n".join(prepared.lines())
    assert "left out: 1 nodata" in words
    assert "1 rasters as a whole" in words
    assert "broken.tif: " in words


def test_statistics_are_those_of_the_usable_pixels(folder: Path, tmp_path: Path) -> None:
    index = prepare(asked(folder), tmp_path / "out").index
    pixels = []
    for raster in index.rasters:
        with rasterio.open(folder / raster.path) as dataset:
            values = dataset.read() * 1e-4
        pixels += [values[:, r : r + 32, c : c + 32].reshape(4, -1) for r, c in raster.chips]
    every = np.concatenate(pixels, axis=1)
    assert [one.band for one in index.side.statistics] == list(RGBN)
    np.testing.assert_allclose([one.mean for one in index.side.statistics], every.mean(1), rtol=1e-4)
    np.testing.assert_allclose([one.deviation for one in index.side.statistics], every.std(1), rtol=1e-3)


def test_a_run_takes_the_index(folder: Path, tmp_path: Path, tiny: Callable) -> None:
    for seed in range(9):  # until the tile with holes, too small to be judged by, is not the held-out one
        index = prepare(asked(folder, seed=seed), tmp_path / "out", overwrite=True).index
        if index.of("validation")[0].path != "c.tif":
            break
    data = Data.model_validate(yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))["data"])
    training, validation = load_tiles(data, RGBN)
    index = read_index(tmp_path / "out" / "index.json")
    assert [tile.weight for tile in training] == [len(raster.chips) for raster in index.of("training")]
    assert {tile.path.name for tile in (*training, *validation)} == {"a_1.tif", "a_2.tif", "b.tif", "c.tif"}
    holed = next(tile for tile in (*training, *validation) if tile.path.name == "c.tif")
    assert not holed.valid[:32, :32].any()
    assert holed.valid[32:].all()
    config = tmp_path / "run.yaml"
    sections = tiny(chip_size=32).model_dump(mode="json")
    sections["data"] = {"root": str(folder)}
    config.write_text(yaml.safe_dump(sections), encoding="utf-8")
    settings = load_config(config, [f"data.index={tmp_path / 'out' / 'index.json'}"])
    result = CliRunner().invoke(main, ["train", str(config), "--out", str(tmp_path / "run"), "-q", "--set",
                                       f"data.index={tmp_path / 'out' / 'index.json'}"])  # fmt: skip
    assert (result.exit_code, settings.data.index is not None) == (0, True), result.output


def test_one_place_alone_is_split_with_a_gap(write_tile: WriteTile, tmp_path: Path) -> None:
    write_tile("a.tif", size=320)
    prepared = prepare(asked(tmp_path / "tiles"), tmp_path / "out")
    sides = {raster.split: raster for raster in prepared.index.rasters}
    training, validation = (sorted({c for _, c in sides[s].chips}) for s in ("training", "validation"))
    assert (training[-1] + 64, validation) == (validation[0], [256, 288])
    assert sides["training"].place != sides["validation"].place
    assert any("one place" in note for note in prepared.notes)


def test_rasters_without_coordinates_are_told(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    for seed in range(2):
        land, _ = draw_scene(np.random.default_rng(seed), (64, 64), 10.0)
        make_raster(f"{seed}.tif", land.astype(np.float32), descriptions=RGBN, crs=None, transform=None)
    prepared = prepare(asked(tmp_path, reads=Reads(reflectance_scale=1.0)), tmp_path / "out")
    assert any("no coordinates" in note for note in prepared.notes)


def test_what_cannot_be_prepared_is_refused(folder: Path, write_tile: WriteTile, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        prepare(asked(tmp_path / "nowhere"), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no file matches --pattern"):
        prepare(asked(folder, pattern="*.jp2"), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no usable chip of 128 pixels .* Give a smaller --chip"):
        prepare(asked(folder, chip=128), tmp_path / "out")
    prepare(asked(folder), tmp_path / "out")
    with pytest.raises(OutputError, match="--overwrite"):
        prepare(asked(folder), tmp_path / "out")
    prepare(asked(folder), tmp_path / "out", overwrite=True)
    data = Data(root=folder, index=tmp_path / "out" / "index.json")
    with pytest.raises(ConfigError, match=r"Prepare the rasters again with --bands B03,B04"):
        load_tiles(data, ("B03", "B04"))
    with pytest.raises(ConfigError, match="--data"):
        load_tiles(Data(root=tmp_path, index=data.index), RGBN)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ConfigError, match="Make it again"):
        read_index(tmp_path / "other.json")
    with pytest.raises(ConfigError, match="rsgan prepare"):
        read_index(tmp_path / "no.json")
    with pytest.raises(ValueError, match="leave training and validation empty"):
        Data(root=folder, index=data.index, training=(Source(glob="*"),))
    with pytest.raises(ValueError, match="or index"):
        Data(root=folder)


def scene_of(make_raster: Callable[..., Path], values: np.ndarray) -> Scene:
    path = make_raster("scene.tif", values.astype(np.float32), descriptions=RGBN)
    return Scene.open([path], wanted=RGBN, reflectance_scale=1.0)


DOMAIN = Domain(name="x", sensor="sentinel-2a", bands=RGBN, centre=(0.0,) * 4, spread=(1.0,) * 4)


def test_cloud_water_and_ground(make_raster: Callable[..., Path]) -> None:
    rng = np.random.default_rng(4)
    ground, _ = draw_scene(rng, (64, 64), 10.0)
    water = 0.02 + 0.0005 * rng.standard_normal((4, 64, 64))
    cloud = 0.5 + 0.05 * ndimage.gaussian_filter(rng.standard_normal((4, 64, 64)), (0, 4, 4))
    sand = np.array([0.2, 0.28, 0.38, 0.45])[:, None, None] * (1 + 0.05 * rng.standard_normal((1, 64, 64)))
    sand = ndimage.gaussian_filter(sand, (0, 2, 2))
    whole = np.concatenate([ground, water, cloud, sand], axis=2)
    with scene_of(make_raster, whole) as scene:
        chips = without_flat(list(look_at_chips(scene, DOMAIN, 64)), 0.05)
    assert [(chip.place, chip.reason) for chip in chips] == [
        ((0, 0), None), ((0, 64), "flat"), ((0, 128), "cloud"), ((0, 192), None),
    ]  # fmt: skip
    np.testing.assert_allclose(chips[0].mean, ground.mean((1, 2)), rtol=1e-4)


def test_noise_has_the_structure_that_the_docstring_states(make_raster: Callable[..., Path]) -> None:
    noise = 0.2 + 0.01 * np.random.default_rng(2).standard_normal((4, 128, 128))
    with scene_of(make_raster, noise) as scene:
        (chip,) = look_at_chips(scene, DOMAIN, 128)
    np.testing.assert_allclose(chip.structure, 0.27, atol=0.02)


def test_flat_is_measured_by_the_chips_themselves() -> None:
    def chip(sharp: float) -> Looked:
        return Looked((0, 0), None, np.ones(2), np.ones(2), np.full(2, sharp), np.full(2, 2.0))

    made = without_flat([chip(1.0), chip(1.2), chip(0.04)], 0.05)
    assert [one.reason for one in made] == [None, None, "flat"]
    assert [one.reason for one in without_flat([chip(0.04)] * 3, 0.05)] == [None] * 3


def test_places_join_through_others() -> None:
    footprints = [(0, 0, 2, 2), (10, 0, 12, 2), (1, 0, 11, 2), None, (50, 0, 51, 1)]
    assert places_of(footprints, list("abcde")) == ["a", "a", "a", "d", "e"]


def test_held_out_places_are_whole_near_the_share_and_never_all() -> None:
    chips = {f"p{i}": 10 for i in range(20)}
    held = held_out_places(chips, 0.2, 1)
    assert len(held) == 4
    assert held == held_out_places(chips, 0.2, 1)
    assert held != held_out_places(chips, 0.2, 2)
    assert held_out_places({"a": 100, "b": 1}, 0.2, 0) == {"b"}
    assert len(held_out_places({"a": 1, "b": 1}, 0.9, 0)) == 1
    assert held_out_places({"a": 5}, 0.2, 0) == set()
    assert held_out_places(chips, 0.0, 0) == set()


def pair(write_tile: WriteTile, folder: Path, shift: tuple[int, int] = (0, 0)) -> None:
    """before/x.tif and after/x.tif: the same land in other levels, moved by whole pixels."""
    land, _ = draw_scene(np.random.default_rng(5), (96, 96), 10.0)
    for name, values in (("before", land), ("after", 0.5 * np.roll(land, shift, (1, 2)) + 0.05)):
        (folder / name).mkdir(exist_ok=True)
        path = write_tile("x.tif", size=96)
        with rasterio.open(path, "r+") as dataset:
            dataset.write(np.clip(values * 1e4, 1, 65535).astype(np.uint16))
        path.rename(folder / name / "x.tif")


@pytest.mark.parametrize("by", ["name", "place"])
def test_pairs_by_name_and_by_place(by: str, write_tile: WriteTile, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    pair(write_tile, folder)
    names = ("before", "after") if by == "name" else None
    partners = Partners(Reads(), names, folder / "after" if by == "place" else None)
    root = folder if by == "name" else folder / "before"
    index = prepare(asked(root, partners=partners), tmp_path / "out").index
    assert index.target is not None
    assert {Path(str(raster.partner)).parent.name for raster in index.rasters} == {"after"}
    mean, other = index.side.statistics[0].mean, index.target.statistics[0].mean
    assert other == pytest.approx(0.5 * mean + 0.05, abs=2e-3)
    sections = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))
    assert sections["target"]["centre"][0] == other


@pytest.mark.parametrize(("shift", "refused"), [((0, 0), False), ((1, 0), False), ((3, -2), True)])
def test_pairs_that_lie_apart_are_left_out(
    shift: tuple[int, int], refused: bool, write_tile: WriteTile, tmp_path: Path
) -> None:
    pair(write_tile, tmp_path / "tiles", shift)
    partners = Partners(Reads(), ("before", "after"))
    if not refused:
        assert prepare(asked(tmp_path / "tiles", partners=partners), tmp_path / "out").refused == ()
        return
    with pytest.raises(ConfigError, match=r"lies \+3\.\d rows and -2\.\d columns away"):
        prepare(asked(tmp_path / "tiles", partners=partners), tmp_path / "out")


def test_a_shift_between_unlike_images_means_nothing(make_raster: Callable[..., Path]) -> None:
    rng = np.random.default_rng(6)
    first, second = (
        Scene.open(
            [make_raster(f"{name}.tif", rng.random((4, 96, 96), np.float32), descriptions=RGBN)],
            wanted=RGBN,
            reflectance_scale=1.0,
        )
        for name in "ab"
    )
    with first, second:
        whole = first.grid.window, first.grid.window
        assert not measured_shift(first, second, whole).stands_out
        same = measured_shift(first, first, whole)
        assert (same.length, same.correlation, same.unshifted) == (0.0, pytest.approx(1), pytest.approx(1))


def test_the_way_out_of_another_grid_is_a_command(write_tile: WriteTile, tmp_path: Path) -> None:
    first, other = write_tile("a.tif"), write_tile("b.tif", west=500_005.0)
    with Scene.open([first], wanted=RGBN) as one, Scene.open([other], wanted=RGBN) as two:
        assert on_one_lattice(one.grid, [(first, one.grid)])[0] == first
        found, why = on_one_lattice(one.grid, [(other, two.grid)])
    assert found is None
    assert "gdalwarp -t_srs EPSG:32633 -te 500000" in why


def test_large_rasters_are_read_window_by_window(
    write_tile: WriteTile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Callable
) -> None:
    write_tile("a.tif", holes=True)
    write_tile("b.tif", west=600_000.0, seed=1)
    kept = read_tile(tmp_path / "tiles" / "a.tif", Source(glob="a.tif"), RGBN)
    monkeypatch.setattr(tiles_module, "IN_MEMORY", 100)
    tile = read_tile(tmp_path / "tiles" / "a.tif", Source(glob="a.tif"), RGBN)
    assert isinstance(tile.values, OnDisk)
    assert len(tile.values) == 4
    np.testing.assert_array_equal(tile.valid, kept.valid)
    np.testing.assert_array_equal(tile.values[1:3, 10:40, 20:], kept.values[1:3, 10:40, 20:])
    np.testing.assert_array_equal(tile.array, kept.values)
    from rsgan.training.pairs import PairDataset

    config = tiny(seed=3)
    samples = [PairDataset([some], config)[4] for some in (kept, tile)]
    torch.testing.assert_close(samples[0].observed, samples[1].observed, rtol=0, atol=0)


def test_the_command_and_its_errors(folder: Path, tmp_path: Path) -> None:
    def run(*words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(main, ["prepare", *map(str, words)])
        return result.exit_code, result.stdout, result.stderr

    code, out, said = run(folder, "-o", tmp_path / "out", "--chip", 32)
    assert (code, out) == (0, f"{tmp_path / 'out' / 'index.json'}\n")
    assert "training: " in said
    assert run(folder, "-o", tmp_path / "out", "--chip", 32, "-q")[0] == 1
    both = ("--partner", "a", "b", "--partners", folder)
    assert run(folder, "-o", tmp_path / "two", *both)[0] == 2


@pytest.mark.realdata
def test_real_tiles(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare(Preparing(real_data, pattern="sentinel2/s2_l2a_*.tif", chip=64), tmp_path / "out")
    with (tmp_path / "out" / "left_out.csv").open(encoding="utf-8") as file:
        cloudy = {row["raster"] for row in csv.DictReader(file) if row["reason"] == "cloud"}
    assert "sentinel2/s2_l2a_boadella_20200118.tif" in cloudy  # all cloud
    assert not any("boadella_20200202" in path or "aberystwyth" in path for path in cloudy)  # clear
    places = {raster.place for raster in prepared.index.rasters if "boadella" in raster.path}
    assert len(places) == 1


def test_what_two_grids_share() -> None:
    from affine import Affine
    from rasterio.crs import CRS

    from rsgan.geo import Grid, Window

    def grid(
        column: float, row: float, shape: tuple[int, int] = (40, 50), step: float = 10.0, epsg: int = 32633
    ) -> Grid:
        return Grid(CRS.from_epsg(epsg), Affine(step, 0, 5e5 + 10 * column, 0, -step, 5e6 - 10 * row), shape)

    here = grid(0, 0)
    assert shared_pixels(here, here) == (here.window, here.window)
    assert shared_pixels(here, grid(30, -10)) == (Window(30, 0, 20, 30), Window(0, 10, 20, 30))
    assert shared_pixels(here, grid(-5, 8, (10, 10))) == (Window(0, 8, 5, 10), Window(5, 0, 5, 10))
    for other in (grid(50, 0), grid(0.5, 0), grid(0, 0, step=20.0), grid(0, 0, epsg=32632)):
        assert shared_pixels(here, other) is None


@pytest.mark.parametrize("large", [False, True])
def test_pairs_that_share_a_part_are_read_pixel_on_pixel(
    large: bool, write_tile: WriteTile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsgan.training.translation.samples import indexed_pairs

    if large:
        monkeypatch.setattr(tiles_module, "IN_MEMORY", 100)
    land, _ = draw_scene(np.random.default_rng(5), (128, 160), 10.0)
    dn = np.clip(np.rint(land * 1e4), 1, 65535).astype(np.uint16)
    for name, rows, columns in (("before", slice(0, 96), slice(0, 128)), ("after", slice(16, 128), slice(32, 160))):
        (tmp_path / name).mkdir()
        part = dn[:, rows, columns]
        profile = {"driver": "GTiff", "count": 4, "height": part.shape[1], "width": part.shape[2], "dtype": "uint16"}
        place = rasterio.Affine(10, 0, 5e5 + 10 * columns.start, 0, -10, 5e6 - 10 * rows.start)
        with rasterio.open(tmp_path / name / "x.tif", "w", crs="EPSG:32633", transform=place, **profile) as dataset:
            dataset.write(part)
            dataset.descriptions = RGBN
            dataset.scales = (1e-4,) * 4
    partners = Partners(Reads(), folder=tmp_path / "after")
    prepared = prepare(asked(tmp_path / "before", partners=partners, held_out=0.0), tmp_path / "out")
    (raster,) = prepared.index.rasters
    assert raster.offset == (-16, -32)
    assert {chip for raster in prepared.index.rasters for chip in raster.chips} <= {
        (row, column) for row in (16, 48) for column in (32, 64, 96)
    }
    (pair,) = indexed_pairs(tmp_path / "before", prepared.index, "training", DOMAIN, DOMAIN)
    window = slice(20, 44), slice(40, 60)
    assert pair.valid[window].all()
    assert not pair.valid[:16].any()
    np.testing.assert_allclose(pair.values[:, window[0], window[1]], pair.target[:, window[0], window[1]], atol=1e-6)


def test_pairs_inside_one_file(write_tile: WriteTile, tmp_path: Path) -> None:
    write_tile("a.tif")
    write_tile("b.tif", west=600_000.0, seed=1)
    words = ["--bands", "B08", "--target-bands", "B04,B03", "--chip", "32", "--flattest", "0", "-q"]
    result = CliRunner().invoke(main, ["prepare", str(tmp_path / "tiles"), "-o", str(tmp_path / "out"), *words])
    assert result.exit_code == 0, result.output
    index = read_index(tmp_path / "out" / "index.json")
    assert {(raster.path, raster.partner) for raster in index.rasters} == {("a.tif", "a.tif"), ("b.tif", "b.tif")}
    assert index.target is not None
    assert index.target.bands == ("B04", "B03")
