from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rsgan.errors import ConfigError
from rsgan.sensors.optical import degrade
from rsgan.training.batch import Pairs, collate
from rsgan.training.chips import area_mean, turn
from rsgan.training.config import Source, TrainConfig
from rsgan.training.pairs import PairDataset, fill_missing_bands
from rsgan.training.tiles import read_split

Tiny = Callable[..., TrainConfig]
WriteTile = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")


def same(first: Pairs, second: Pairs) -> bool:
    one, other = ({name: value for name, value in vars(p).items() if value is not None} for p in (first, second))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def dataset(tiny: Tiny, **changes: object) -> PairDataset:
    config = tiny(**changes)
    return PairDataset(read_split(config.data.root, config.data.training, RGBN), config)


@pytest.mark.parametrize("procedural", [0.0, 0.5])
def test_a_sample_depends_on_seed_and_index_only(tiny: Tiny, write_tile: WriteTile, procedural: float) -> None:
    write_tile("a.tif")
    first, second = dataset(tiny, procedural=procedural), dataset(tiny, procedural=procedural)
    forward = [first[i] for i in range(6)]
    torch.manual_seed(99)
    np.random.seed(99)
    backward = [second[i] for i in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not same(forward[0], forward[1])
    assert not same(forward[0], dataset(tiny, procedural=procedural, seed=4)[0])


def test_a_pair_is_a_chip_and_what_the_sensor_gives_of_it(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif")
    data = dataset(tiny)
    assert len(data) == 16
    for index in range(8):
        pair = data[index]
        assert pair.reference.shape == (1, 4, 16, 16)
        assert pair.observed.shape == (1, 4, 8, 8)
        residual = pair.observed - degrade(pair.reference, pair.sigma, 2)
        limit = 5 * pair.noise[..., None, None] + 0.6e-4
        assert (residual.abs() <= limit).all()
        assert float(pair.spread.min()) > 0


def test_no_chip_holds_an_invalid_pixel(tiny: Tiny, write_tile: WriteTile) -> None:
    path = write_tile("a.tif", holes=True)
    config = tiny()
    (tile,) = read_split(path.parent, config.data.training, RGBN)
    poisoned = replace(tile, values=np.where(tile.valid, tile.values, np.nan).astype(np.float32))
    data = PairDataset([poisoned], config)
    for index in range(40):
        assert torch.isfinite(data[index].reference).all()


def test_tiles_smaller_than_a_chip_are_refused_with_both_sizes(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif", size=16)
    with pytest.raises(ConfigError, match=r"none of the 1 training tiles holds a chip of training\.chip_size 32"):
        dataset(tiny, chip_size=32)


def test_tiles_without_a_whole_chip_are_refused_not_searched_for_ever(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif")
    config = tiny()
    (tile,) = read_split(config.data.root, config.data.training, RGBN)
    valid = tile.valid.copy()
    valid[::15] = False
    with pytest.raises(ConfigError, match="none of the 1 training tiles"):
        PairDataset([replace(tile, valid=valid)], config)
    valid[15:32] = True
    assert len(PairDataset([replace(tile, valid=valid)], config).tiles) == 1


def test_tiles_are_drawn_by_their_weight(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif", size=16)
    config = tiny()
    (tile,) = read_split(config.data.root, config.data.training, RGBN)
    dark = replace(tile, values=np.full_like(tile.values, 0.01), weight=1.0)
    bright = replace(tile, values=np.full_like(tile.values, 0.5), weight=3.0)
    data = PairDataset([dark, bright], config)
    share = np.mean([float(data[i].reference.mean()) > 0.1 for i in range(300)])
    assert share == pytest.approx(0.75, abs=0.1)


def test_area_means_count_parts_of_pixels_by_their_area() -> None:
    chip = np.random.default_rng(0).random((2, 6, 6)).astype(np.float32)
    np.testing.assert_allclose(area_mean(chip, 2), chip.reshape(2, 3, 2, 3, 2).mean((2, 4)), rtol=1e-6)
    fine = chip.repeat(2, 1).repeat(2, 2)  # each pixel of a 4 x 4 mean covers 1.5 pixels, three of these
    np.testing.assert_allclose(area_mean(chip, 1.5), fine.reshape(2, 4, 3, 4, 3).mean((2, 4)), rtol=1e-6)
    np.testing.assert_allclose(area_mean(chip[:, :, :5], 2), area_mean(chip[:, :, :4], 2), rtol=1e-6)
    assert area_mean(chip, 1) is chip


def test_chips_are_drawn_from_as_much_ground_as_the_zoom_says(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif")
    (tile,) = read_split(tiny().data.root, tiny().data.training, RGBN)
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32) / 1000, tile.values.shape).copy()
    zoomed = replace(tile, values=ramp, zoom=(1.5, 9.0))
    data = PairDataset([zoomed], tiny())
    sides = [data.sampler.draw(np.random.default_rng(i))[1] for i in range(60)]
    lengths = {rows.stop - rows.start for rows in sides}
    assert 24 <= min(lengths) <= 26  # 16 x 1.5
    assert 62 <= max(lengths) <= 64  # no more than the tile has
    assert data[0].reference.shape == (1, 4, 16, 16)


def test_bands_that_a_file_does_not_hold_are_mixtures_and_marked(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif")
    source = Source(glob="a.tif", holds=RGBN[:3])
    (tile,) = read_split(tiny().data.root, (source,), RGBN)
    assert tile.known == (True, True, True, False)
    assert not tile.values[3].any()
    pair = PairDataset([tile], tiny())[0]
    assert pair.known.tolist() == [[1, 1, 1, 0]]
    chip = tile.values[:, :16, :16]
    mixed = fill_missing_bands(chip, np.array(tile.known), np.random.default_rng(0))
    np.testing.assert_array_equal(mixed[:3], chip[:3])
    shares, *_ = np.linalg.lstsq(chip[:3].reshape(3, -1).T, mixed[3].ravel(), rcond=None)
    assert shares.min() >= -1e-3
    assert shares.sum() == pytest.approx(1, abs=1e-3)


def test_a_batch_is_its_samples(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif")
    data = dataset(tiny)
    (together,) = data.__getitems__([5, 2])
    for name, value in vars(collate([data[5], data[2]])).items():
        if value is not None:
            torch.testing.assert_close(getattr(together, name), value, rtol=1e-5, atol=1e-6)


def test_turn_gives_the_eight_symmetries_of_the_square() -> None:
    chip = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    turned = {turn(chip, symmetry).tobytes() for symmetry in range(8)}
    assert len(turned) == 8
    np.testing.assert_array_equal(turn(chip, 0), chip)
    np.testing.assert_array_equal(turn(chip, 4), chip[:, :, ::-1])


def test_collate_keeps_the_order_of_samples(tiny: Tiny, write_tile: WriteTile) -> None:
    write_tile("a.tif")
    data = dataset(tiny)
    batch = collate([data[0], data[3]])
    assert batch.reference.shape == (2, 4, 16, 16)
    assert torch.equal(batch.observed[1:], data[3].observed)
