"""A blind model on the page in a browser: it finds what it fills; what it found is shown and filled by others."""

import numpy as np
import pytest
from PIL import Image

from app_server import served
from blind import soiled, write_weights
from browsing import chromium, needs_chromium, windows_of
from inpaint.export.formats import Request, export
from painting import PaintingWindow

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture
def window(tmp_path, monkeypatch):
    """A window of a page that offers an ONNX file of a blind model, chosen at first, and the fills without weights."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    run, file = write_weights(monkeypatch, tmp_path / "run"), tmp_path / "cleaner.onnx"
    export("onnx", Request(model=str(run), output=file))
    options = ("--model", str(file), "--models", str(tmp_path / "none"), "--device", "cpu")
    with (
        served(*options) as address,
        chromium() as browser,
        windows_of(browser, PaintingWindow, timeout_s=30) as opened,
    ):
        window = opened(address, width=1280, height=850, scheme="light")
        window.page.wait_for_selector(".ed .strip img")
        yield window


def test_it_fills_what_it_finds_and_shows_it(window, tmp_path, make_photo):
    photo, hole = soiled(make_photo(96, 128), top=40, left=50)
    Image.fromarray(photo).save(tmp_path / "wall.png")
    window.open(tmp_path / "wall.png")
    window.fill()
    (_, filled), (_, mask) = window.download("photo"), window.download("mask")
    assert np.array_equal(mask > 0, hole)
    assert np.array_equal((filled != photo).any(axis=2), hole)
    assert "the hole was found by" in window.all(".rs").text_content()
    window.page.get_by_text("Find, masks").click()
    window.all("#find").click()
    window.page.wait_for_function("document.querySelector('.about').textContent.includes('of the photo is marked')")
    assert window.inked() > 0
    assert window.said == []
