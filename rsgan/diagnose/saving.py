"""A diagnosis as files in one folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rsgan.diagnose.diagnosis import Diagnosis, save_maps
from rsgan.diagnose.images.diagnosis import ImagesDiagnosis
from rsgan.diagnose.images.page import page_of_images
from rsgan.diagnose.page import page_of
from rsgan.errors import OutputError
from rsgan.report.page import Page, render
from rsgan.report.saving import save_bytes, save_text

PAGE = "index.html"


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder, or refuse one that holds a report.

    Raises:
        OutputError: it holds one, or cannot be made.
    """
    if (folder / PAGE).exists() and not overwrite:
        raise OutputError(
            f"{folder} holds a report already. Give --overwrite to replace it, or another folder with --out."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made ({error}). Give another one with --out.") from error


def save(found: Diagnosis, folder: Path) -> Iterator[Path]:
    """Write everything; the page comes last.

    Raises:
        OutputError: a file cannot be written.
    """
    yield from save_maps(found, folder)
    page = page_of(found)
    if page.overview is not None:
        save_bytes(folder / "overview.png", page.overview.picture.png, "--out")
        yield folder / "overview.png"
    yield from _save(found, page, folder)


def save_images(found: ImagesDiagnosis, folder: Path) -> Iterator[Path]:
    """Likewise, of free images; pictures are in the page.

    Raises:
        OutputError: a file cannot be written.
    """
    save_text(folder / "images.csv", found.per_image.to_csv(index=False), "--out")
    yield folder / "images.csv"
    yield from _save(found, page_of_images(found), folder)


def _save(found: Diagnosis | ImagesDiagnosis, page: Page, folder: Path) -> Iterator[Path]:
    texts = {
        "diagnosis.json": json.dumps(found.to_json(), indent=2) + "\n",
        "classes.csv": found.table.to_csv(index=False),
        PAGE: render(page),
    }
    for name, text in texts.items():
        save_text(folder / name, text, "--out")
        yield folder / name
