from pathlib import Path

import pytest
import torch

from rsgan.errors import ConfigError
from rsgan.training.checkpoint import load_checkpoint, save_checkpoint


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {"samples_seen": 12, "generator": {"w": torch.arange(4.0)}, "faithful": None}
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    loaded = load_checkpoint(tmp_path / "checkpoint.pt")
    assert loaded["samples_seen"] == 12
    assert loaded["faithful"] is None
    assert torch.equal(loaded["generator"]["w"], torch.arange(4.0))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_death_in_the_middle_of_saving_leaves_the_last_good_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"samples_seen": 1})

    def die(state: object, file: object) -> None:
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"samples_seen": 2})
    assert load_checkpoint(path)["samples_seen"] == 1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04"])
def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"checkpoint\.pt: not a readable checkpoint .* without --resume") as caught:
        load_checkpoint(path)
    assert "weights_only" not in str(caught.value)


class Code:
    """Something that would run on loading a pickle."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("was-run"),))


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"generator": Code()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "was-run").exists()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint to resume from"):
        load_checkpoint(tmp_path / "checkpoint.pt")
