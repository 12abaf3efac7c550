from pathlib import Path

import pytest

from rsgan.errors import OutputError
from rsgan.report.saving import check_text, save_text


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    save_text(tmp_path / "page.html", "größer", "--report")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "größer"


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"page\.html cannot be written .* --report"):
        save_text(tmp_path / "nowhere" / "page.html", "", "--report")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scene.tif", r"--report .*scene\.tif does not end in \.html"),
        ("folder.html", "is a folder"),
        ("there.html", r"exists already\. Give --overwrite"),
        ("nowhere/page.html", "does not exist. Create it first"),
    ],
)
def test_what_could_not_or_should_not_be_written_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "there.html").write_text("old")
    with pytest.raises(OutputError, match=message):
        check_text(tmp_path / name, "--report", (".html", ".htm"), overwrite=False)


def test_overwrite_allows_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("old")
    check_text(tmp_path / "there.html", "--report", (".html", ".htm"), overwrite=True)
    save_text(tmp_path / "there.html", "new", "--report")
    assert (tmp_path / "there.html").read_text() == "new"
