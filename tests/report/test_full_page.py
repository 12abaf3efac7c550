from pathlib import Path

import pytest

from rsgan.diagnose import Settings, diagnose
from rsgan.diagnose.page import page_of as diagnosis_page
from rsgan.evaluate import evaluate
from rsgan.evaluate.page import page_of
from rsgan.report.page import render

SAMPLES = Path(__file__).parents[2] / "data_samples"


@pytest.mark.browser
def test_the_page_of_a_whole_evaluation_opens_without_a_complaint_on_every_screen(browser, tmp_path: Path) -> None:
    truth = SAMPLES / "s2_rgbn_reference_5m.tif"
    found = evaluate(
        truth, reference=truth, observed=SAMPLES / "s2_rgbn_10m.tif", land_cover=SAMPLES / "landcover_10m.tif"
    )
    path = tmp_path / "page.html"
    path.write_text(render(page_of(found)), encoding="utf-8")
    for width in (360, 1200):
        browser.open(path, width=width, dark=width < 500)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert browser.value("getComputedStyle(document.getElementById('look')).display") == "block"
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.getElementById('look')).display") == "none"
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.browser
def test_the_page_of_a_diagnosis_can_be_seen_through_and_swiped(browser, tmp_path: Path) -> None:
    found = diagnose(
        SAMPLES / "s2_rgbn_10m.tif",
        reference=SAMPLES / "s2_rgbn_reference_5m.tif",
        settings=Settings(landcover=SAMPLES / "landcover_10m.tif"),
    )
    path = tmp_path / "page.html"
    path.write_text(render(diagnosis_page(found)), encoding="utf-8")
    veil = "getComputedStyle(document.querySelector('.overview .veiled')).opacity"
    for width in (360, 1200):
        browser.open(path, width=width, dark=width < 500)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert browser.value("getComputedStyle(document.getElementById('look')).display") == "block"
        assert browser.value(veil) == "0.6"
    ground, over = (
        browser.value(f"JSON.stringify(document.querySelector('.overview .{name}').getBoundingClientRect())")
        for name in ("ground", "map")
    )
    assert ground == over
    browser.value(
        "(() => { const v = document.getElementById('veil'); v.value = 10; v.dispatchEvent(new Event('input')); })()"
    )
    assert browser.value(veil) == "0.1"
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []
