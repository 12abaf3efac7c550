from pathlib import Path

import pytest

from benchmarks.loop_overhead import bare, looped, short


@pytest.mark.realdata
def test_both_ways_take_time(real_data: Path, tmp_path: Path) -> None:
    config = short("despeckle_sar", real_data, 4)
    assert config.training.faithful_samples == 4 * config.training.batch_size
    assert bare(config, 1) > 0
    seconds, waiting = looped(config, tmp_path / "run")
    assert seconds > 0
    assert 0 <= waiting < 1
