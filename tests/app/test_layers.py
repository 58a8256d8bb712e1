"""Layers for a fill to follow: drawn, sent, followed, kept with the result; shown for models that take them."""

import numpy as np
import pytest
from PIL import Image

import obedient
from app_server import served
from browsing import chromium, needs_chromium, windows_of
from inpaint.app.layers import Layers
from inpaint.images.photo import Photo, photo_of_array
from inpaint.images.planes import read_color, read_edges
from inpaint.images.strokes import Shape
from painting import PaintingWindow

SIZE = (96, 128)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    pytest.importorskip("gradio", reason="gradio is not installed")
    none = tmp_path_factory.mktemp("layers") / "none"
    options = ["--model", "obedient", "--model", "telea", "--models", str(none), "--device", "cpu"]
    with served(*options, program=(obedient.__file__,)) as found:
        yield found


@pytest.fixture
def windows(browser, address):
    with windows_of(browser, PaintingWindow, timeout_s=30) as window:

        def open_window(*, width=1280, height=850, scheme="light"):
            found = window(address, width=width, height=height, scheme=scheme)
            found.page.wait_for_selector(".ed .strip img")
            return found

        yield open_window


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "wall.png"
    pixels = np.full((*SIZE, 3), (40, 160, 90), np.uint8)
    pixels[:, 100:] = (200, 120, 30)
    Image.fromarray(pixels).save(path)
    return path


def layer(window, name):
    window.all(f"button[data-layer={name}]").click()


@needs_chromium
@pytest.mark.slow
def test_lines_and_colors_are_drawn_sent_followed_and_kept_with_the_result(windows, file):
    window = windows()
    window.open(file)
    window.draw("box", (0.1, 0.1), (0.7, 0.9))
    layer(window, "sketch")
    window.draw("brush", (0.15, 0.3), (0.65, 0.3))
    layer(window, "color")
    window.all("button[data-tool=pick]").click()
    window.page.mouse.click(*window.at(0.9, 0.5))
    window.draw("box", (0.2, 0.5), (0.6, 0.8))
    window.fill()
    (_, filled), (_, mask) = window.download("photo"), window.download("mask")
    layers = {}
    for plane in ("sketch", "color"):
        with window.page.expect_download() as waiting:
            window.all(f"a[data-plane={plane}]").click()
        assert waiting.value.suggested_filename == f"{plane}.png"
        layers[plane] = photo_of_array(np.asarray(Image.open(waiting.value.path())))
    lines, colors = read_edges(layers["sketch"], "sketch"), read_color(layers["color"], "color")
    assert 40 < lines.sum() < 400
    assert lines[27:31, 40].any()
    # What is picked is the color that is shown, in a lossy view.
    assert colors[60, 50].tolist() == pytest.approx([200 / 255, 120 / 255, 30 / 255, 1], abs=2.5 / 255)
    hole = mask > 0
    given = hole & (colors[..., 3] > 0)
    assert (filled[hole & lines] == 255).all()
    assert (filled[given & ~lines] == np.rint(255 * colors[given & ~lines][:, :3])).all()
    assert (np.abs(filled[hole & ~given & ~lines].astype(int) - 128) <= 1).all()
    assert np.array_equal(filled[~hole], np.asarray(Image.open(file))[~hole])
    assert window.said == []


@needs_chromium
@pytest.mark.slow
def test_each_layer_is_erased_and_cleared_by_itself_and_every_step_is_undone(windows, file):
    window = windows()
    window.open(file)
    window.draw("box", (0.1, 0.1), (0.5, 0.5))
    hole = window.inked()
    layer(window, "sketch")
    assert not window.all("button[data-tool=box]").is_visible()
    window.draw("brush", (0.6, 0.7), (0.9, 0.7))
    both = window.inked()
    assert both > hole + 30
    window.draw("eraser", (0.1, 0.3), (0.5, 0.3))
    assert window.inked() == both  # nothing of the hole
    window.all("[data-do=clear]").click()
    assert window.inked() == hole
    window.all("[data-do=undo]").click()
    assert window.inked() == both
    layer(window, "hole")
    window.all("[data-do=clear]").click()
    assert window.inked() == both - hole
    for expected in (both, both, hole):  # clearing, erasing, the line
        window.page.keyboard.press("Control+z")
        assert window.inked() == expected
    window.page.keyboard.press("Control+Shift+z")
    assert window.inked() == both


@needs_chromium
@pytest.mark.slow
def test_layers_are_shown_for_models_that_take_them_and_every_layer_has_its_own_brush(windows, file):
    window = windows()
    window.open(file)
    size = ".size input"
    usual = window.all(size).input_value()
    window.all(".ed").focus()
    window.page.keyboard.press("2")
    window.all("button[data-layer=sketch][aria-checked=true]").wait_for()
    assert int(window.all(size).input_value()) < int(usual)
    window.all("button[data-layer=color]").click()
    assert window.all(".tint").is_visible()
    window.all("button[data-layer=hole]").click()
    assert window.all(size).input_value() == usual
    assert not window.all(".tint").is_visible()
    window.page.locator("#models input").first.click()
    window.page.locator("#models [role=option]", has_text="mean").first.click()
    window.page.keyboard.press("Escape")
    assert window.all(".layers").is_visible()
    window.page.locator("#models button, #models .token-remove").first.click()
    window.page.wait_for_function("document.querySelector('.layers').hidden")
    assert not window.all("button[data-layer=sketch]").is_visible()


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_layers_fit_the_width_of_the_page(windows, file, width, scheme):
    window = windows(width=width, scheme=scheme)
    window.open(file)
    layer(window, "color")
    wide = window.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    for selector in (".layers", ".tint", ".hint"):
        box = window.all(selector).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


# Without a browser ---------------------------------------------------------------------------------------------------


def test_a_layer_is_the_file_that_it_is_kept_as(workspace):
    photo = Photo(pixels=np.zeros((20, 30, 3), np.uint8))
    shapes = (
        Shape("brush", ((3, 4), (25, 4)), width_px=3, layer="sketch"),
        Shape("box", ((5, 8), (20, 15)), layer="color", color="#c86432"),
        Shape("box", ((10, 8), (12, 15)), layer="color", erases=True),
        Shape("box", ((0, 0), (9, 9)), layer="depth"),
    )
    layers, inpainter = Layers(workspace, shapes, photo), obedient.Obedient()
    planes, files = layers.planes(inpainter), layers.files(inpainter)
    assert set(planes) == set(files) == {"sketch", "color"}
    assert files == layers.files(inpainter)
    kept = {name: photo_of_array(np.asarray(Image.open(path))) for name, path in files.items()}
    assert np.array_equal(read_edges(kept["sketch"], "sketch"), planes["sketch"])
    assert np.array_equal(read_color(kept["color"], "color"), planes["color"])
    assert planes["sketch"].sum() > 60
    assert planes["color"][9, 6].tolist() == pytest.approx([200 / 255, 100 / 255, 50 / 255, 1])
    assert not planes["color"][9, 11].any()
    assert not Layers(workspace, shapes[3:], photo).files(inpainter)
