"""The page's painting in styles in a browser: a photo, pictures of styles, where they go, a result."""

import numpy as np
import pytest
from PIL import Image

import inpaint
from browsing import chromium, needs_chromium, windows_of
from painting import PaintingWindow

pytestmark = [needs_chromium, pytest.mark.slow]


PATIENCE_MS = 180_000  # of what waits for the first step


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


class StylingWindow(PaintingWindow):
    def wait_for_styles(self, count):
        self.page.wait_for_function(
            "count => document.querySelector('.st').dataset.count === String(count)", arg=count, timeout=60_000
        )

    def stylize(self):
        before = self.all(".rs").get_attribute("data-newest")
        self.all("#stylize").click()
        self.page.wait_for_function(
            "before => (document.querySelector('.rs').dataset.newest || null) !== before", arg=before, timeout=60_000
        )


@pytest.fixture
def window(browser, page_served, tmp_path, make_photo):
    Image.fromarray(make_photo(96, 128)).save(tmp_path / "scene.png")
    Image.fromarray(255 - make_photo(60, 50)[::-1]).save(tmp_path / "painting.png")
    with windows_of(browser, StylingWindow, timeout_s=60) as window:
        found = window(page_served.address, width=1280, height=900, scheme="light")
        found.page.wait_for_selector(".ed .strip img")
        found.all(".modes [data-mode=style]").click()
        found.open(tmp_path / "scene.png")
        found.page.set_input_files(".st-file", tmp_path / "painting.png")
        found.wait_for_styles(1)
        yield found


def test_a_photo_gets_the_style_of_a_picture_as_on_the_command_line(window, tmp_path):
    window.stylize()
    name, painted = window.download("photo")
    assert name == "scene-colors.png"
    expected = inpaint.stylize(tmp_path / "scene.png", tmp_path / "painting.png", model="colors")
    assert np.array_equal(painted, np.asarray(expected))


def test_styles_go_where_the_editor_marks_and_come_from_shelves_and_leave(window):
    window.all(".st-strip [aria-label='Add street.png']").click()
    window.wait_for_styles(2)
    window.all(".st-chosen [aria-label^=Remove]").first.click()
    window.wait_for_styles(1)
    window.draw("box", (0.1, 0.1), (0.5, 0.5))
    window.stylize()
    _, painted = window.download("photo")
    _, mask = window.download("mask")
    assert 0.1 < (mask > 0).mean() < 0.3
    assert painted.shape == (96, 128, 3)
    window.all("[data-act=continue]").click()
    assert window.all("#styles").is_visible()  # going on with a result stays on this part of the page


def test_a_method_that_takes_long_shows_what_it_has_while_it_works_and_stops_with_it(window):
    window.all("#style-models input").first.click()
    window.page.locator("#style-models [role=option]", has_text="gatys").first.click()
    window.all("#style-models .token-remove").first.click()
    window.page.keyboard.press("Escape")
    window.page.locator(".for-style").get_by_text("More", exact=True).click()
    window.all("#style-options textarea").fill("weights=random\nnetwork=vgg16\niterations=100000")
    window.all("#style-options textarea").blur()
    window.all("#stylize").click()
    window.page.wait_for_selector(".rs .preview:visible", timeout=PATIENCE_MS)
    assert "Stop keeps what there is" in window.all(".rs .rest").text_content()
    first = window.all(".rs .preview").get_attribute("src")
    changed = "first => document.querySelector('.rs .preview').src !== first"
    window.page.wait_for_function(changed, arg=first, timeout=PATIENCE_MS)
    window.all("#style-stop").click()
    window.page.wait_for_selector(".rs[data-newest]", timeout=PATIENCE_MS)
    assert "stopped early" in window.all(".rs .notes").text_content()
    name, painted = window.download("photo")
    assert name == "scene-gatys.png"
    assert painted.shape == (96, 128, 3)


def test_what_cannot_be_done_is_said(window):
    window.all(".st-chosen [aria-label^=Remove]").click()
    window.wait_for_styles(0)
    window.all("#stylize").click()
    window.page.wait_for_selector("text=no style is there")
