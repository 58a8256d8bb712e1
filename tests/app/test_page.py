"""The page in a browser: opening, drawing, filling, comparing, downloading; limits; two users; no other machine."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import inpaint
from browsing import chromium, needs_chromium, windows_of
from inpaint.finding.table import is_available
from painting import PaintingWindow

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def windows(browser, page_served):
    with windows_of(browser, PaintingWindow, timeout_s=30) as window:

        def open_window(*, width: int = 1280, height: int = 850, scheme: str = "light") -> PaintingWindow:
            found = window(page_served.address, width=width, height=height, scheme=scheme)
            found.page.wait_for_selector(".ed .strip img")
            return found

        yield open_window


@pytest.fixture
def window(windows):
    return windows()


@pytest.fixture
def file(tmp_path, make_photo):
    path = tmp_path / "wall.png"
    Image.fromarray(make_photo(96, 128)).save(path)
    return path


def test_a_photo_is_opened_painted_filled_compared_and_downloaded(window, file):
    window.open(file)
    assert "wall.png · 128 × 96 · 8 bit" in window.all(".about").text_content()
    window.draw("box", (0.25, 0.25), (0.5, 0.5))
    window.fill()
    photo, (name, filled), (_, mask) = np.asarray(Image.open(file)), window.download("photo"), window.download("mask")
    assert name == "wall-telea.png"
    expected = np.zeros((96, 128), bool)
    expected[24:48, 32:64] = True
    assert np.count_nonzero((mask > 0) != expected) < 130  # the mouse meets corners to within a pixel
    assert np.array_equal(filled[mask == 0], photo[mask == 0])
    assert np.array_equal(filled, inpaint.fill(photo, mask, model="telea"))
    # The slider shows more or less of the photo before.
    cut = "getComputedStyle(document.querySelector('.compare')).getPropertyValue('--cut')"
    assert window.page.evaluate(cut) == "50%"
    window.all(".compare input").focus()
    for _ in range(3):
        window.page.keyboard.press("PageUp")
    assert float(window.page.evaluate(cut).rstrip("%")) > 50
    window.all("[data-act=continue]").click()
    window.page.wait_for_function("document.querySelector('.about').textContent.startsWith('wall-telea.png')")
    assert window.inked() == 0
    assert window.said == []


@pytest.mark.slow
def test_brush_eraser_lasso_undo_and_redo_mark_what_they_should(window, file):
    window.open(file)
    window.draw("brush", (0.2, 0.5), (0.8, 0.5))
    stroke = window.inked()
    assert stroke > 70
    window.draw("lasso", (0.1, 0.1), (0.9, 0.1), (0.9, 0.3), (0.1, 0.3))
    both = window.inked()
    assert both == pytest.approx(stroke + 0.8 * 128 * 0.2 * 96, rel=0.1)
    window.draw("eraser", (0.2, 0.5), (0.8, 0.5))
    assert window.inked() == pytest.approx(both - stroke, rel=0.02)
    for expected in (both, stroke, 0):
        window.page.keyboard.press("Control+z")
        assert window.inked() == expected
    window.page.keyboard.press("Control+Shift+z")
    assert window.inked() == stroke
    window.all("[data-do=clear]").click()
    assert window.inked() == 0
    window.all("[data-do=undo]").click()
    assert window.inked() == stroke


@pytest.mark.slow
def test_drawing_while_zoomed_marks_the_place_under_the_pointer(window, file):
    window.open(file)
    window.all("[data-do=in]").click()
    window.all("[data-do=in]").click()
    window.draw("box", (0.45, 0.45), (0.55, 0.55))
    marked = window.page.evaluate(
        """() => { const ink = document.querySelector('.ink'); const context = ink.getContext('2d');
        const at = (x, y) => context.getImageData(x * ink.width, y * ink.height, 1, 1).data[3] > 0;
        return [at(.5, .5), at(.42, .5), at(.58, .5), at(.5, .42), at(.5, .58)]; }"""
    )
    assert marked == [True, False, False, False, False]


@pytest.mark.slow
def test_several_models_stand_side_by_side_and_all_results_so_far_can_be_had(window, file):
    window.open(file)
    window.draw("box", (0.3, 0.3), (0.6, 0.6))
    window.all("#models input").first.click()
    window.page.locator("#models [role=option]", has_text="mean").first.click()
    window.page.keyboard.press("Escape")
    window.all("#fill").click()
    window.page.wait_for_function("document.querySelectorAll('.beside figure').length === 3")
    assert window.all(".beside figcaption").all_text_contents() == ["before", "mean", "telea"]
    assert window.all(".history button").count() == 2
    window.all(".history button").nth(1).click()
    assert window.all(".title").text_content() == "telea"
    assert window.all(".compare").is_visible()


def test_files_beyond_the_limits_and_files_that_are_no_photos_are_told_where_the_user_looks(window, page_served):
    large = {"name": "large.png", "mimeType": "image/png", "buffer": os.urandom(page_served.max_bytes + 1)}
    text = {"name": "notes.png", "mimeType": "image/png", "buffer": b"hello, I am text"}
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((400, 400), np.uint8)).save(buffer, "PNG")
    wide = {"name": "wide.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    for file, complaint in ((large, "at most 0.2 MB"), (text, "is not an image"), (wide, "limit of 100,000")):
        window.page.set_input_files(".ed .file", file)
        window.page.wait_for_function(
            "text => document.querySelector('.about.wrong')?.textContent.includes(text)", arg=complaint
        )
        assert not window.all(".ed .busy").is_visible()
        assert window.all(".ed").get_attribute("data-photo") is None


@pytest.mark.slow
def test_a_fill_without_a_photo_or_without_a_mark_says_what_is_missing(window, file):
    window.all("#fill").click()
    window.page.wait_for_selector(".rs .wrong:visible")
    assert "no photo is open" in window.all(".rs .wrong").text_content()
    window.open(file)
    window.all("#fill").click()
    window.page.wait_for_function("document.querySelector('.rs .wrong').textContent.includes('nothing is marked')")


def test_two_users_at_once_get_each_their_own(windows, tmp_path):
    users = []
    for name, color in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.full((64, 64, 3), color, np.uint8)).save(path)
        users.append((windows(), path, color))
    for window, path, _ in users:
        window.open(path)
        window.draw("box", (0.3, 0.3), (0.7, 0.7))
    for window, _, _ in users:
        window.all("#fill").click()
    for window, path, color in users:
        window.page.wait_for_selector(".rs[data-newest]")
        name, filled = window.download("photo")
        assert name == f"{path.stem}-telea.png"
        assert (filled == color).all()
        assert window.all(".history button").count() == 1


@pytest.mark.slow
def test_a_photo_of_the_folder_that_the_page_offers_is_opened_by_a_click(window, page_served):
    window.all(".strip button[aria-label='Open street.png']").click()
    window.page.wait_for_selector(".ed[data-photo]")
    assert "street.png · 160 × 120" in window.all(".about").text_content()
    assert str(page_served.folder) not in window.page.content()


@pytest.mark.slow
def test_what_a_user_had_is_gone_when_they_leave(windows, file):
    window = windows()
    window.open(file)
    address = window.page.evaluate("document.querySelector('.photo').src")
    other = windows().page
    assert other.request.get(address).status == 200
    window.page.context.close()
    for _ in range(100):
        if other.request.get(address).status == 404:
            break
        other.wait_for_timeout(100)
    assert other.request.get(address).status == 404


@pytest.mark.parametrize(("width", "scheme"), [pytest.param(1280, "light", marks=pytest.mark.slow), (400, "dark")])
def test_the_page_fits_its_width_and_asks_nothing_of_anybody_else(windows, page_served, file, width, scheme):
    window = windows(width=width, scheme=scheme)
    window.open(file)
    window.draw("brush", (0.3, 0.3), (0.6, 0.6))
    window.fill()
    if width > 1000:  # elsewhere Gradio hides it
        window.page.get_by_text("Use via API").click()
        window.page.wait_for_selector(".api-docs")
    assert window.page.evaluate("document.documentElement.scrollWidth") == width
    others = [url for url in window.asked if not url.startswith((page_served.address, "data:", "blob:"))]
    assert others == []


@pytest.mark.slow
def test_every_control_of_the_canvas_has_a_name_for_screen_readers(window):
    unnamed = window.page.evaluate(
        """[...document.querySelectorAll('.ed button, .ed input, .ed select, .rs button, .rs input')].filter(
        each => !(each.getAttribute('aria-label') || each.textContent.trim())).map(each => each.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.slow
def test_text_is_found_and_removed(window, tmp_path):
    if not is_available("text"):
        pytest.skip("what finds text is not installed")
    image = Image.new("RGB", (320, 200), (70, 110, 80))
    ImageDraw.Draw(image).text((30, 70), "HELLO 24", font=ImageFont.load_default(size=52), fill=(250, 250, 250))
    image.save(tmp_path / "text.png")
    window.open(tmp_path / "text.png")
    window.page.get_by_role("button", name="Find, masks").click()
    window.all("#find").click()
    window.page.wait_for_selector(".ed[data-found]")
    assert window.inked() > 2000
    window.fill()
    _, filled = window.download("photo")
    assert filled.max() < 160


@pytest.mark.slow
def test_the_object_in_a_box_is_marked_and_not_what_is_around_it(window, tmp_path):
    rows, columns = np.mgrid[0:120, 0:160]
    values = np.stack([rows, columns, rows], axis=2).astype(np.uint8)
    disc = (rows - 60) ** 2 + (columns - 80) ** 2 < 25**2
    values[disc] = (230, 40, 30)
    Image.fromarray(values).save(tmp_path / "disc.png")
    window.open(tmp_path / "disc.png")
    window.draw("object", (0.3, 0.2), (0.7, 0.8))
    window.page.wait_for_selector(".ed[data-found]")
    assert disc.sum() * 0.95 < window.inked() < disc.sum() * 1.3


@pytest.mark.slow
def test_a_mask_file_joins_what_is_drawn(window, file, tmp_path):
    mask = np.zeros((96, 128), np.uint8)
    mask[10:30, 20:40] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    window.open(file)
    window.page.get_by_role("button", name="Find, masks").click()
    with window.page.expect_file_chooser() as chooser:
        window.all("#mask-file").click()
    chooser.value.set_files(tmp_path / "mask.png")
    window.page.wait_for_selector(".ed[data-found]")
    assert window.inked() == 400
    window.draw("box", (0.5, 0.5), (0.6, 0.6))
    window.fill()
    _, used = window.download("mask")
    assert (used[10:30, 20:40] == 255).all()
    assert np.count_nonzero(used) > 450


# Deep Image Prior in its smallest form, without an end of its own: however slow the machine is, it works until it is
# stopped, where the usual minute may be over before anybody has looked.
ENDLESS = "exact=true\nwidth=4\niterations=1000000"
PATIENCE_MS = 180_000  # of what waits for the first step


def choose_endless(window):
    window.all("#models input").first.click()
    window.page.locator("#models [role=option]", has_text="dip").first.click()
    window.all("#models .token-remove").first.click()
    window.page.keyboard.press("Escape")
    if not window.page.locator("#options textarea").is_visible():
        window.page.get_by_text("More", exact=True).first.click()
    window.all("#options textarea").fill(ENDLESS)
    window.all("#options textarea").blur()


@pytest.mark.slow
def test_who_waits_is_told_so_and_may_leave_the_queue(windows, file):
    first, second = windows(), windows()
    for window in (first, second):
        window.open(file)
        window.draw("box", (0.3, 0.3), (0.6, 0.6))
    choose_endless(first)
    first.all("#fill").click()
    first.page.wait_for_selector(".rs .preview:visible", timeout=PATIENCE_MS)
    second.all("#fill").click()
    second.page.wait_for_function("document.querySelector('.rs .what').textContent === 'Waiting for its turn'")
    second.all("#stop").click()
    first.page.context.close()  # ends the fill that the other one waits for
    second.page.wait_for_selector(".rs[data-state=idle]", state="attached", timeout=PATIENCE_MS)
    assert second.all(".history button").count() == 0
    second.fill()


@pytest.mark.slow
def test_deep_image_prior_shows_what_it_has_while_it_works_and_stops_with_it(window, file):
    window.open(file)
    window.draw("box", (0.3, 0.3), (0.6, 0.6))
    choose_endless(window)
    window.all("#fill").click()
    window.page.wait_for_selector(".rs .preview:visible", timeout=PATIENCE_MS)
    first = window.all(".rs .preview").get_attribute("src")
    changed = "first => document.querySelector('.rs .preview').src !== first"
    window.page.wait_for_function(changed, arg=first, timeout=PATIENCE_MS)
    window.all("#stop").click()
    window.page.wait_for_selector(".rs[data-newest]", timeout=PATIENCE_MS)
    assert "stopped early" in window.all(".rs .notes").text_content()
    _, filled = window.download("photo")
    assert filled.shape == (96, 128, 3)
