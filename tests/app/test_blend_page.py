"""The page's blending in a browser: two photos, an object that is dragged, scaled and turned, a result."""

import json

import numpy as np
import pytest
from PIL import Image

import inpaint
from browsing import chromium, needs_chromium, windows_of
from painting import PaintingWindow

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


class BlendingWindow(PaintingWindow):
    def choose(self, role, file):
        with self.page.expect_file_chooser() as waiting:
            self.all(f"[data-pick={role}]").click()
        waiting.value.set_files(file)

    def take(self, role, file):
        before = self.all(".bl").get_attribute(f"data-{role}")
        self.all(f"[data-pick={role}]").evaluate(
            "button => { HTMLInputElement.prototype.click = () => 0; button.click() }"
        )
        self.page.set_input_files(".bl-file", file)
        self.page.wait_for_function(
            "([role, before]) => (document.querySelector('.bl').dataset[role] || null) !== before", arg=[role, before]
        )

    def placed(self):
        return json.loads(self.all(".bl").get_attribute("data-placed"))

    def blend(self):
        before = self.all(".rs").get_attribute("data-newest")
        self.all("#blend").click()
        self.page.wait_for_function(
            "before => (document.querySelector('.rs').dataset.newest || null) !== before", arg=before, timeout=60_000
        )


@pytest.fixture
def window(browser, page_served):
    with windows_of(browser, BlendingWindow, timeout_s=60) as window:
        found = window(page_served.address, width=1280, height=900, scheme="light")
        found.page.wait_for_selector(".ed .strip img")
        found.all(".modes [data-mode=blend]").click()
        yield found


@pytest.fixture
def scene(tmp_path, make_photo):
    Image.fromarray(make_photo(96, 128)).save(tmp_path / "scene.png")
    return tmp_path / "scene.png"


@pytest.fixture
def cutout(tmp_path, make_photo):
    values = np.dstack([make_photo(24, 32, 3), np.zeros((24, 32), np.uint8)])
    values[4:18, 6:24, 3] = 255
    Image.fromarray(values).save(tmp_path / "object.png")
    return tmp_path / "object.png"


def test_an_object_is_dragged_scaled_turned_blended_compared_and_downloaded(window, scene, cutout):
    assert not window.all(".ed").is_visible()
    window.take("target", scene)
    window.take("source", cutout)
    assert window.placed() == {"x": 64, "y": 48, "scale": 1, "rotate": 0}
    stage = window.all(".bl-stage").bounding_box()
    assert stage["width"] / stage["height"] == pytest.approx(128 / 96, rel=0.02)
    per_pixel = stage["width"] / 128
    window.page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    window.page.mouse.down()
    window.page.mouse.move(
        stage["x"] + stage["width"] / 2 + 20 * per_pixel, stage["y"] + stage["height"] / 2 - 10 * per_pixel, steps=4
    )
    window.page.mouse.up()
    assert window.placed()["x"] == pytest.approx(84, abs=0.5)
    assert window.placed()["y"] == pytest.approx(38, abs=0.5)
    window.all(".bl").focus()
    window.page.keyboard.press("ArrowLeft")
    window.page.keyboard.press("Shift+ArrowDown")
    assert window.placed()["x"] == pytest.approx(83, abs=0.5)
    assert window.placed()["y"] == pytest.approx(48, abs=0.5)
    window.all(".bl-turn").fill("90")
    placed = window.placed()
    assert placed["rotate"] == 90
    window.blend()
    name, shown = window.download("photo")
    _, mask = window.download("mask")
    assert name == "scene-auto.png"
    at = (round(placed["x"] - 12), round(placed["y"] - 16))
    assert np.array_equal(shown, np.asarray(inpaint.blend(cutout, scene, at=at, rotate=90)))
    assert np.array_equal(shown[mask == 0], np.asarray(Image.open(scene))[mask == 0])
    assert window.all(".compare").is_visible()
    window.all("[data-act=continue]").click()
    window.page.wait_for_function("document.querySelector('.about').textContent.startsWith('scene-auto.png')")
    assert window.all(".ed").is_visible()
    assert not window.all(".bl").is_visible()
    # Bundled samples are larger than what this server takes, and have no thumbnails.
    assert [text for text in window.said if "404" not in text] == []


def test_a_box_around_an_object_cuts_it_out_and_mistakes_are_told(window, scene, tmp_path):
    values = np.full((60, 80, 3), 90, np.uint8)
    values[20:40, 24:52] = [220, 30, 30]
    Image.fromarray(values).save(tmp_path / "plain.png")
    window.take("target", scene)
    window.all("#blend").click()
    window.page.wait_for_selector(".rs .wrong:not([hidden])")
    assert "open a target and a source first" in window.all(".rs .wrong").text_content()
    window.take("source", tmp_path / "plain.png")
    assert window.all(".bl-hint").is_visible()
    sheet = window.all(".bl-sheet").bounding_box()
    window.page.mouse.move(sheet["x"] + 0.15 * sheet["width"], sheet["y"] + 0.15 * sheet["height"])
    window.page.mouse.down()
    window.page.mouse.move(sheet["x"] + 0.8 * sheet["width"], sheet["y"] + 0.85 * sheet["height"], steps=4)
    window.page.mouse.up()
    window.page.wait_for_function("document.querySelector('.bl').dataset.cut")
    assert window.all(".bl-cut").is_visible()
    window.all("#blend-method input").first.click()
    window.page.locator("#blend-method [role=option]", has_text="paste").first.click()
    window.blend()
    _, mask = window.download("mask")
    assert 20 * 28 <= (mask > 0).sum() < 1.3 * 20 * 28
    (tmp_path / "text.png").write_bytes(b"no image")
    window.all("[data-pick=source]").evaluate(
        "button => { HTMLInputElement.prototype.click = () => 0; button.click() }"
    )
    window.page.set_input_files(".bl-file", tmp_path / "text.png")
    window.page.wait_for_selector(".bl-wrong")
    assert "is not an image" in window.all(".bl-about").text_content()


def test_an_outline_is_the_object(window, scene):
    window.take("target", scene)
    window.take("source", scene)
    window.all(".bl-mark [data-mark=lasso]").click()
    sheet = window.all(".bl-sheet").bounding_box()
    corners = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
    places = [(sheet["x"] + x * sheet["width"], sheet["y"] + y * sheet["height"]) for x, y in corners]
    window.page.mouse.move(*places[0])
    window.page.mouse.down()
    for place in places[1:]:
        window.page.mouse.move(*place, steps=4)
    window.drawn()
    inked = "() => document.querySelector('.bl-ink').getContext('2d').getImageData(0, 0, 9999, 9999).data.some(Boolean)"
    assert window.page.evaluate(inked)
    window.page.mouse.up()
    window.page.wait_for_function("document.querySelector('.bl').dataset.cut")
    assert not window.page.evaluate(inked)
    window.blend()
    _, mask = window.download("mask")
    share = (mask > 0).mean()
    assert 0.67**2 * 0.23 < share < 0.67**2 * 0.27  # the source is shown at two thirds of the target
