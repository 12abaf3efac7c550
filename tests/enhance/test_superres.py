"""The data way with networks: any tiling, any part, any grid and type; and what the output says about itself."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import gaussian_filter

import rsgan
from rsgan.enhance.job import Job
from rsgan.enhance.options import Options, Reading
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.superres import default_output, prepare, superres
from rsgan.errors import InputError, OutputError, RsganError, RsganWarning
from rsgan.geo import Scene

RGBN = ("B02", "B03", "B04", "B08")
NORTH_UP = Affine(10, 0, 500000, 0, -10, 5000000)
SCALED = {"scales": [1e-4] * 4, "offsets": [0.0] * 4}
HOLE = (slice(None), slice(40, 60), slice(70, 90))
Make = Callable[..., Path]


def run(source: Path | list[Path], model: str | Path, name: str = "out.tif", **settings: Any) -> Path:
    first = source if isinstance(source, Path) else source[0]
    return superres(source, first.with_name(name), model=model, overwrite=True, **settings)


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


@contextmanager
def prepared(*sources: Any, **settings: Any) -> Iterator[Job]:
    reading = Reading(**{key: settings.pop(key) for key in list(settings) if key in vars(Reading())})
    with prepare(*sources, reading=reading, **settings) as job:
        yield job


def difference(first: np.ndarray, second: np.ndarray) -> int:
    """Largest difference in DN; shapes must agree."""
    assert first.shape == second.shape
    return int(np.abs(first.astype(np.int64) - second.astype(np.int64)).max())


@pytest.fixture
def scene(make_raster: Make, land: Callable[..., np.ndarray]) -> Path:
    """140 x 260 pixels with a hole in the middle."""
    values = land((140, 260))
    values[HOLE] = 0
    return make_raster("scene.tif", values, nodata=0, **SCALED)


@pytest.mark.parametrize("model", ["any-x2", "s2-rgbn-x2", "s2-rgbn-x4"])
def test_shipped_models_give_one_raster_in_any_tiling_batch_and_part(scene: Path, model: str) -> None:
    scale = int(model[-1])
    whole = pixels(run(scene, model))
    assert whole.shape == (4, 140 * scale, 260 * scale)
    assert difference(pixels(run(scene, model, window=64)), whole) <= 1
    assert difference(pixels(run(scene, model, window=100, batch=3)), whole) <= 1
    part = run(scene, model, bbox=(500000 + 333, 5000000 - 802, 500000 + 871, 5000000 - 211), window=64)
    assert difference(pixels(part), whole[:, 21 * scale : 81 * scale, 33 * scale : 88 * scale]) <= 1
    with rasterio.open(part) as dataset:
        assert dataset.bounds == (500330, 4999190, 500880, 4999790)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_crop_and_window_give_the_pixels_of_the_whole(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path, data: st.DataObject
) -> None:
    values = land((90, 140))
    values[HOLE] = 0
    source = make_raster("scene.tif", values, nodata=0, **SCALED)
    column, row = data.draw(st.integers(0, 139)), data.draw(st.integers(0, 89))
    width, height = data.draw(st.integers(1, 140 - column)), data.draw(st.integers(1, 90 - row))
    window, batch = data.draw(st.integers(64, 150)), data.draw(st.integers(1, 3))
    whole = pixels(run(source, tiny_model, "whole.tif"))
    part = run(source, tiny_model, crop=(column, row, width, height), window=window, batch=batch)
    assert difference(pixels(part), whole[:, 2 * row : 2 * (row + height), 2 * column : 2 * (column + width)]) <= 1
    with rasterio.open(part) as dataset:
        assert (dataset.transform.c, dataset.transform.f) == NORTH_UP @ (column, row)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1, 70), (65, 2)])
@pytest.mark.parametrize("model", ["any-x2", "s2-rgbn-x2", "s2-rgbn-x4"])
def test_shipped_models_run_on_the_smallest_scenes(make_raster: Make, model: str, shape: tuple[int, int]) -> None:
    values = np.full((4, *shape), 1234, np.uint16)
    out = pixels(run(make_raster("scene.tif", values, **SCALED), model))
    np.testing.assert_allclose(out, np.full((4, shape[0] * int(model[-1]), shape[1] * int(model[-1])), 1234), atol=15)


# grids


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", NORTH_UP),
        ("EPSG:32633", Affine(10, 0, 500000.1, 0, 10, 4990000.3)),
        ("EPSG:32633", Affine.translation(5e5, 5e6) @ Affine.rotation(17) @ Affine.scale(10, -10)),
        ("EPSG:4326", Affine(1.2e-4, 0, 14.1, 0, -9e-5, 47.3)),
        ("EPSG:2263", Affine(32.8, 0, 1e6, 0, -32.8, 2e5)),
    ],
)
def test_corners_and_crs_stay_and_the_gsd_is_exactly_divided(
    make_raster: Make, make_model: Make, crs: str, transform: Affine, scale: int
) -> None:
    source = make_raster("scene.tif", np.full((4, 7, 9), 500, np.uint16), crs=crs, transform=transform, **SCALED)
    with rasterio.open(run(source, make_model("m.safetensors", scale=scale))) as after:
        assert after.crs.to_string() == crs
        assert after.shape == (7 * scale, 9 * scale)
        found = after.transform
        assert (found.a, found.b, found.d, found.e) == tuple(
            v / scale for v in (transform.a, transform.b, transform.d, transform.e)
        )
        for column, row in ((0, 0), (9, 0), (9, 7), (0, 7)):
            np.testing.assert_allclose(found @ (column * scale, row * scale), transform @ (column, row), rtol=1e-13)


def test_a_scene_without_any_place_works_and_says_so(make_raster: Make, tiny_model: Path) -> None:
    source = make_raster("scene.tif", np.full((4, 7, 9), 500, np.uint16), crs=None, transform=None, **SCALED)
    with pytest.warns(RsganWarning, match=r"has no georeferencing.*--gsd"):
        outs = [run(source, tiny_model), run(source, tiny_model, "part.tif", crop=(2, 1, 4, 5))]
    for out, shape in zip(outs, ((14, 18), (10, 8)), strict=True):
        with Scene.open([out], wanted=RGBN) as after:
            assert (after.grid.crs, after.grid.has_transform, after.grid.shape) == (None, False, shape)


# what the file states


@pytest.mark.parametrize(
    ("dtype", "factor", "profile"),
    [
        ("uint8", 0.01, {"scales": [0.01] * 4, "offsets": [0.0] * 4, "nodata": 0}),
        ("uint16", 1, {"scales": [1e-4] * 4, "offsets": [-0.1] * 4, "nodata": 0}),
        ("int16", 1, {**SCALED, "nodata": -9999}),
        ("float32", 1e-4, {"nodata": np.nan}),
        ("float32", 1e-4, {}),
    ],
)
def test_types_names_scales_and_nodata_survive(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path, dtype: str, factor: float, profile: dict
) -> None:
    values = land((40, 30)) * factor
    values = np.maximum(values.round(), 2).astype(dtype) if np.dtype(dtype).kind != "f" else values.astype(dtype)
    nodata = profile.get("nodata", np.nan)
    values[1, 5:9, 5:9] = nodata
    source = make_raster("scene.tif", values, units=["1"] * 4, tags={"TITLE": "Alm", "STATISTICS_MEAN": "5"}, **profile)
    with rasterio.open(run(source, tiny_model)) as after, rasterio.open(source) as before:
        assert set(after.dtypes) == {dtype}
        assert (after.descriptions, after.units) == (RGBN, ("1",) * 4)
        assert (after.scales, after.offsets) == (before.scales, before.offsets)
        assert after.colorinterp == before.colorinterp
        assert (after.tags()["TITLE"], "STATISTICS_MEAN" in after.tags()) == ("Alm", False)
        np.testing.assert_equal(after.nodata, nodata)
        out = after.read()
    invalid = np.isnan(out) if np.isnan(nodata) else out == nodata
    expected = np.zeros_like(invalid)
    expected[1, 10:18, 10:18] = True
    np.testing.assert_array_equal(invalid, expected)
    mean = out[:, 20:].mean((1, 2)) / values[:, 10:].mean((1, 2))
    np.testing.assert_allclose(mean, 1, atol=0.02)


def test_single_band_files_are_one_scene(make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path) -> None:
    values = land((30, 40))
    together = run(make_raster("scene.tif", values, **SCALED), tiny_model, "together.tif")
    apart = [
        make_raster(f"S2_{name}.tif", values[index : index + 1], descriptions=(), scales=[1e-4], offsets=[0.0],
                    tags={"wavelength": str(nm)})
        for index, (name, nm) in enumerate(zip(RGBN, (490, 560, 665, 842), strict=True))
    ]  # fmt: skip
    out = run(apart[::-1], tiny_model)
    np.testing.assert_array_equal(pixels(out), pixels(together))
    with rasterio.open(out) as after:
        assert after.descriptions == RGBN
        assert "wavelength" not in after.tags()


def test_an_aerial_file_is_written_in_the_models_order_with_its_own_names(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    blue, green, red, near_infrared = land((30, 40))
    interp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
    values = np.stack([red, green, blue, near_infrared])
    source = make_raster("aerial.tif", values, descriptions="RGBN", colorinterp=interp, photometric="RGB", **SCALED)
    out = run(source, tiny_model)
    ordered = run(make_raster("scene.tif", values[[2, 1, 0, 3]], **SCALED), tiny_model, "ordered.tif")
    np.testing.assert_array_equal(pixels(out), pixels(ordered))
    with rasterio.open(out) as after:
        assert after.descriptions == ("B", "G", "R", "N")
        assert after.colorinterp == (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)


@pytest.mark.parametrize("how", ["mask", "alpha"])
def test_mask_and_alpha_become_nodata_of_the_right_size(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path, how: str
) -> None:
    values, valid = land((30, 40)), np.full((30, 40), 255, np.uint8)
    valid[3:7, 10:30] = 0
    if how == "mask":
        source = make_raster("scene.tif", values, mask=valid, **SCALED)
    else:
        five = np.concatenate([values, valid[None].astype(np.uint16)])
        interp = [ColorInterp.undefined] * 4 + [ColorInterp.alpha]
        source = make_raster(
            "scene.tif", five, descriptions=(*RGBN, "opaque"), colorinterp=interp, scales=[1e-4] * 5, offsets=[0.0] * 5
        )
    with rasterio.open(run(source, tiny_model)) as after:
        assert after.count == 4
        masks = after.read_masks()
    expected = np.broadcast_to(valid.repeat(2, axis=0).repeat(2, axis=1), masks.shape)
    np.testing.assert_array_equal(masks, expected)


def test_nan_and_infinity_of_float_scenes_become_nodata(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    values = (land((30, 40)) * 1e-4).astype(np.float32)
    values[0, 5, 5], values[2, 6, 6] = np.nan, np.inf
    out = pixels(run(make_raster("scene.tif", values), tiny_model))
    assert np.isnan(out[0, 10:12, 10:12]).all()
    assert np.isnan(out[2, 12:14, 12:14]).all()
    assert np.isnan(out).sum() == 8


def test_the_output_is_a_valid_cog_with_every_promised_tag(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    source = make_raster("scene.tif", land((300, 280), sharpness_px=0.6), **SCALED, tags={"RSGAN_OLD": "stale"})
    out = run(source, tiny_model, sharpness=0.25)
    with rasterio.open(out) as after:
        tags = after.tags()
        assert after.overviews(1)
    assert tags["RSGAN_MODEL"] == "tiny-x2"
    assert tags["RSGAN_MODEL_SHA256"] == hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    assert tags["RSGAN_VERSION"] == rsgan.__version__
    assert (tags["RSGAN_SCALE"], tags["RSGAN_SHARPNESS"], tags["RSGAN_CONSISTENCY"]) == ("2", "0.25", "on")
    assert [len(json.loads(tags[f"RSGAN_{key}"])) for key in ("CONSISTENCY_RMS", "NOISE", "PSF_SIGMA")] == [4, 4, 4]
    assert "sentinel-2a" in tags["RSGAN_STATISTICS"]
    assert "estimated by tiny-x2, not observed" in tags["RSGAN_NOTE"]
    assert "RSGAN_OLD" not in tags
    valid, errors, warnings = cog_validate(out, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])


# consistency


def degraded(enhanced: np.ndarray, sigma: list[float], scale: int) -> np.ndarray:
    """Gaussian and area mean, in scipy's words."""
    planes = []
    for plane, width in zip(enhanced.astype(float), sigma, strict=True):
        smooth = gaussian_filter(plane, width * scale, radius=round(3.7 * 0.65 * scale), mode="nearest")
        rows, columns = (n // scale for n in plane.shape)
        planes.append(smooth.reshape(rows, scale, columns, scale).mean((1, 3)))
    return np.stack(planes)


@pytest.mark.parametrize("consistency", [True, False])
@pytest.mark.parametrize("model", ["s2-rgbn-x2", "tiny"])
def test_the_residual_in_the_tag_is_that_of_the_files(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path, model: str, consistency: bool
) -> None:
    values = land((90, 80), sharpness_px=0.7)
    source = make_raster("scene.tif", values, **SCALED)
    out = run(source, tiny_model if model == "tiny" else model, window=64, consistency=consistency, psf_sigma=0.4)
    with rasterio.open(out) as after:
        enhanced, tags = after.read(), after.tags()
    residual = degraded(enhanced, json.loads(tags["RSGAN_PSF_SIGMA"]), 2) - values
    measured_dn = np.array(json.loads(tags["RSGAN_CONSISTENCY_RMS"])) * 1e4
    np.testing.assert_allclose(measured_dn, np.sqrt(np.mean(residual**2, axis=(1, 2))), atol=0.5)
    assert measured_dn.min() > 0.5


def test_closing_steps_reduce_the_residual(make_raster: Make, land: Callable[..., np.ndarray]) -> None:
    source = make_raster("scene.tif", land((60, 60)), **SCALED)
    rms = []
    for consistency in (True, False):
        with rasterio.open(run(source, "s2-rgbn-x2", consistency=consistency)) as after:
            rms.append(json.loads(after.tags()["RSGAN_CONSISTENCY_RMS"]))
    assert np.all(np.array(rms[0]) < rms[1])


def test_a_part_that_is_all_nodata_has_no_residual(scene: Path, tiny_model: Path) -> None:
    out = run(scene, tiny_model, crop=(72, 42, 10, 10))
    with rasterio.open(out) as after:
        assert not after.read().any()
        assert json.loads(after.tags()["RSGAN_CONSISTENCY_RMS"]) == [None] * 4


def test_sharpness_goes_from_one_generator_to_the_other(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    scene = make_raster("scene.tif", land((140, 260), sharpness_px=0.6), **SCALED)
    faithful, middle, sharp = (
        pixels(run(scene, tiny_model, consistency=False, sharpness=s)).astype(int) for s in (0, 0.5, 1)
    )
    assert np.abs(faithful - sharp).max() > 2
    assert not np.array_equal(middle, faithful)
    np.testing.assert_array_equal(pixels(run(scene, tiny_model, consistency=False)), faithful)


def test_bfloat16_stays_near_float32(scene: Path) -> None:
    exact, rough = (pixels(run(scene, "s2-rgbn-x2", precision=p)).astype(int) for p in ("float32", "bfloat16"))
    assert 0 < np.abs(rough - exact).max() <= 40
    assert np.abs(rough - exact).mean() < 1


@pytest.mark.parametrize("able", [True, False])
def test_precision_follows_the_processor_and_the_file_says_it(
    scene: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, able: bool
) -> None:
    monkeypatch.setattr("rsgan.enhance.options.fast_in_bfloat16", lambda device: able)
    with rasterio.open(run(scene, tiny_model)) as after:
        assert after.tags()["RSGAN_PRECISION"] == ("bfloat16" if able else "float32")
    assert Options(precision="float32").precision == "float32"
    assert Options(backend="onnx").precision == "float32"


def test_the_dial_stays_at_0_on_pixels_that_are_not_the_sensors_own(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    repeated = make_raster("scene.tif", land((60, 70)).repeat(2, 1).repeat(2, 2), **SCALED)
    with pytest.warns(RsganWarning, match=r"pixels are repeated to a finer grid, which --sharpness 1 would take"):
        out = run(repeated, tiny_model, sharpness=1)
    with rasterio.open(out) as after:
        assert after.tags()["RSGAN_SHARPNESS"] == "0"
        asked = after.read()
    np.testing.assert_array_equal(pixels(run(repeated, tiny_model, sharpness=0)), asked)


@pytest.mark.gpu
def test_a_gpu_gives_the_raster_of_the_cpu_in_any_tiling(scene: Path) -> None:
    on_cpu = pixels(run(scene, "s2-rgbn-x2", device="cpu", precision="float32"))
    on_gpu = {"device": "cuda", "precision": "float32"}
    assert difference(pixels(run(scene, "s2-rgbn-x2", **on_gpu)), on_cpu) <= 1
    assert difference(pixels(run(scene, "s2-rgbn-x2", **on_gpu, window=64, batch=3)), on_cpu) <= 1


# statistics


def test_statistics_are_those_of_the_whole_scene(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    values = land((80, 120))
    values[:, :, 60:] //= 4
    source = make_raster("scene.tif", values, **SCALED)
    found = []
    for options in (Options(), Options(crop=(70, 10, 40, 40)), Options(window=64, bbox=(500000, 4999500, 500500, 5e6))):
        with prepared([source], source.with_name(f"{len(found)}.tif"), model=tiny_model, options=options) as job:
            found.append(job.run().statistics)
    np.testing.assert_allclose(found[0].scaling.centre, values.mean((1, 2)) * 1e-4, rtol=1e-5)
    for other in found[1:]:
        np.testing.assert_array_equal(other.scaling.centre, found[0].scaling.centre)
        np.testing.assert_array_equal(other.scaling.spread, found[0].scaling.spread)


def test_a_window_without_a_band_does_not_pull_its_mean(
    make_raster: Make, land: Callable[..., np.ndarray], tiny_model: Path
) -> None:
    values = land((20, 512))
    values[3, :, :256] = 0
    source = make_raster("scene.tif", values, nodata=0, **SCALED)
    with prepared([source], model=tiny_model) as job:
        centre = job.run().statistics.scaling.centre
    np.testing.assert_allclose(centre[3], values[3, :, 256:].mean() * 1e-4, rtol=1e-5)


def test_what_the_user_says_about_the_sensor_rules(scene: Path, tiny_model: Path) -> None:
    with rasterio.open(run(scene, tiny_model, noise=0.002, psf_sigma=0.31)) as after:
        tags = after.tags()
    assert json.loads(tags["RSGAN_NOISE"]) == [0.002] * 4
    assert json.loads(tags["RSGAN_PSF_SIGMA"]) == [0.31] * 4
    assert tags["RSGAN_STATISTICS"].endswith("--noise, --psf-sigma")


# interrupts


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_leaves_nothing(scene: Path, tiny_model: Path) -> None:
    before = sorted(scene.parent.iterdir())
    with pytest.raises(KeyboardInterrupt):
        superres(scene, scene.with_name("out.tif"), model=tiny_model, window=64, progress=stop)
    assert sorted(scene.parent.iterdir()) == before


def test_a_failing_network_leaves_nothing_and_keeps_the_older_output(
    scene: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = run(scene, tiny_model).read_bytes()
    before = sorted(scene.parent.iterdir())
    monkeypatch.setattr(SceneEnhancer, "__call__", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(scene, tiny_model)
    assert sorted(scene.parent.iterdir()) == before
    assert scene.with_name("out.tif").read_bytes() == older


def test_too_little_memory_is_said_with_the_flags_that_help(
    scene: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("rsgan.nn.generators.ResidualGenerator.forward", full)
    with pytest.raises(RsganError, match=r"not enough memory for 1 windows of 260 x 140 .* --window or --batch"):
        run(scene, tiny_model)


# outputs that must not be


def test_without_out_the_result_lies_beside_the_scene(scene: Path, tiny_model: Path) -> None:
    assert superres(scene, model=tiny_model) == scene.with_name("scene_x2.tif")
    assert default_output(Path("a/B02.jp2"), 4) == Path("a/B02_x4.tif")
    with pytest.raises(OutputError, match=r"scene_x2.tif exists already. Give --overwrite"):
        superres(scene, model=tiny_model)


def test_the_input_is_never_replaced(scene: Path, tiny_model: Path) -> None:
    before = scene.read_bytes()
    with pytest.raises(OutputError, match=r"--out .* is the input itself"):
        superres(scene, scene.parent / "." / "scene.tif", model=tiny_model, overwrite=True)
    picture = scene.with_name("scene.png")
    scene.rename(picture)
    with pytest.raises(OutputError, match=r"--preview .* is the input itself"):
        superres(picture, scene.with_name("o.tif"), model=tiny_model, overwrite=True, preview=picture)
    assert picture.read_bytes() == before


def test_a_file_given_twice_is_refused(scene: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"scene.tif is given twice"):
        superres([scene, scene], scene.with_name("out.tif"), model=tiny_model)


@pytest.mark.parametrize("source", [None, 1.5, np.zeros((4, 9, 9)), [None]])
def test_what_is_no_path_and_no_array_is_refused_by_its_type(source: object) -> None:
    with pytest.raises(InputError, match=r"given as (NoneType|float|ndarray); expected a path"):
        superres(source)


def test_notes_are_warnings_in_python(make_raster: Make, tiny_model: Path) -> None:
    source = make_raster("scene.tif", np.full((4, 9, 9), 500, np.uint16), descriptions=())
    with pytest.warns(RsganWarning) as told:
        run(source, tiny_model)
    assert [
        "does not name its bands" in str(told[0].message),
        "does not say what its numbers mean" in str(told[1].message),
    ] == [True, True]


@pytest.mark.realdata
def test_real_scenes_keep_their_radiometry_in_any_tiling(real_data: Path, tmp_path: Path) -> None:
    for source in sorted((real_data / "sentinel2").glob("*boadella_202001*.tif"))[:2]:
        part = {"crop": (0, 0, 150, 150), "reflectance_scale": 10000}
        whole, tiled = pixels(superres(source, tmp_path / "a.tif", **part)), tmp_path / "b.tif"
        assert difference(pixels(superres(source, tiled, window=64, **part)), whole) <= 1
        with rasterio.open(source) as dataset:
            observed = dataset.read(window=((0, 150), (0, 150)))[:4]
        np.testing.assert_allclose(whole.mean((1, 2)), observed.mean((1, 2)), rtol=2e-3)
        (tmp_path / "a.tif").unlink()
        tiled.unlink()
