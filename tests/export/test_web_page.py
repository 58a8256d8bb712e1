"""The page without a server in a browser: it fills as ONNX Runtime does, keeps known pixels, and asks nobody."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browsing import chromium, needs_chromium, windows_of
from inpaint.cli.main import run
from inpaint.errors import InpaintError
from inpaint.export.web import MOST_PIXELS, write_page
from inpaint.export.web_runtime import BrowserRuntime, find_runtime
from painting import PaintingWindow
from standin_pipeline import run_pipeline, write_standin
from static_server import static_server

pytestmark = needs_chromium

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


class Window(PaintingWindow):
    """The page; what it gives to download is opaque."""

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element that is shown has a text in it."""
        self.page.wait_for_function(
            """([selector, text]) => { const found = document.querySelector(selector);
            return found?.checkVisibility() && found.textContent.includes(text); }""",
            arg=[selector, text],
        )

    def download(self, act: str) -> tuple[str, np.ndarray]:
        name, values = super().download(act)
        assert (values[..., 3:] == 255).all()
        return name, values[..., :3]


@pytest.fixture(scope="session")
def runtime() -> BrowserRuntime:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XDG_CACHE_HOME")  # the user's own cache, so that it is fetched once and not by every run
        try:
            return find_runtime()
        except InpaintError as error:
            pytest.skip(f"onnxruntime-web cannot be had: {error}")


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@dataclass(frozen=True)
class Site:
    """A page in a folder of a static server. graph: what it fills with."""

    address: str
    folder: Path
    graph: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory, runtime):
    place = tmp_path_factory.mktemp("served")
    graph = write_standin(place / "graph.onnx")
    write_page(place / "photos" / "fill", graph, runtime)
    with static_server(place) as address:
        yield Site(f"{address}photos/fill/", place / "photos" / "fill", graph)


@pytest.fixture
def windows(browser, site) -> Callable[..., Window]:
    with windows_of(browser, Window, timeout_s=60) as window:

        def open_window(
            address: str = site.address, *, width: int = 1280, height: int = 850, scheme: str = "light"
        ) -> Window:
            found = window(address, width=width, height=height, scheme=scheme)
            found.page.wait_for_selector(".ed .strip img", state="attached")
            return found

        yield open_window


@pytest.fixture
def window(windows):
    return windows()


@pytest.fixture
def file(tmp_path, make_photo):
    path = tmp_path / "wall.png"
    Image.fromarray(make_photo(96, 131)).save(path)
    return path


def named(name: str, image: Image.Image, kind: str = "PNG", **options) -> dict:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return {"name": name, "mimeType": f"image/{kind.lower()}", "buffer": buffer.getvalue()}


def levels_apart(first: np.ndarray, second: np.ndarray) -> int:
    assert first.shape == second.shape
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def test_a_fill_is_onnx_runtime_s_and_known_pixels_are_those_of_the_file(window, site, file):
    window.open(file)
    assert "wall.png · 131 × 96 · 8 bit" in window.all(".about").text_content()
    window.draw("box", (0.25, 0.25), (0.5, 0.5))
    window.draw("brush", (0.6, 0.2), (0.8, 0.7))
    window.fill()
    photo, (name, filled), (mask_name, mask) = (
        np.asarray(Image.open(file)),
        window.download("photo"),
        window.download("mask"),
    )
    assert (name, mask_name) == ("wall-telea.png", "wall-mask.png")
    hole = mask[..., 0] > 127
    assert hole[26:46, 36:62].all()
    assert 900 < np.count_nonzero(hole) < 4000
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(filled[~hole], photo[~hole])
    assert levels_apart(filled, run_pipeline(site.graph, photo, hole)) <= 1
    assert levels_apart(filled[hole], photo[hole]) > 10  # there was something to fill
    assert window.said == []
    assert [
        url for url in window.asked if not url.startswith((site.address, f"blob:{site.address[:17]}", "data:"))
    ] == []


@pytest.mark.slow
def test_fills_follow_one_another_and_the_slider_compares_each_with_what_it_began_from(window, site, file):
    window.open(file)
    window.draw("box", (0.1, 0.1), (0.3, 0.4))
    window.fill()
    first = window.download("photo")[1]
    window.all("[data-act=continue]").click()
    window.wait_for_text(".about", "wall-telea.png")
    assert window.inked() == 0
    window.draw("box", (0.6, 0.6), (0.9, 0.9))
    window.fill()
    (name, second), (_, mask) = window.download("photo"), window.download("mask")
    assert name == "wall-telea-telea.png"
    assert levels_apart(second, run_pipeline(site.graph, first, mask[..., 0] > 127)) <= 1
    assert np.array_equal(second[mask[..., 0] == 0], first[mask[..., 0] == 0])
    assert window.all(".history button").count() == 2
    cut = "getComputedStyle(document.querySelector('.compare')).getPropertyValue('--cut')"
    assert window.page.evaluate(cut) == "50%"
    window.all(".compare input").focus()
    window.page.keyboard.press("End")
    assert window.page.evaluate(cut) == "100%"
    window.all(".history button").nth(1).click()  # the first fill is still there
    assert np.array_equal(window.download("photo")[1], first)


def test_strokes_are_undone_and_a_fill_of_nothing_says_so(window, file):
    window.all("#fill").click()
    window.wait_for_text(".rs .wrong", "no photo is open")
    window.open(file)
    window.draw("brush", (0.2, 0.5), (0.8, 0.5))
    marked = window.inked()
    window.draw("eraser", (0.2, 0.5), (0.5, 0.5))
    assert 0 < window.inked() < marked
    for expected in (marked, 0):
        window.page.keyboard.press("Control+z")
        assert window.inked() == expected
    window.page.keyboard.press("Enter")
    window.wait_for_text(".rs .wrong", "nothing is marked")
    window.draw("box", (0.001, 0.001), (1.01, 1.01))
    window.page.keyboard.press("Enter")
    window.wait_for_text(".rs .wrong", "everything is marked")
    window.all("[data-do=clear]").click()
    assert window.inked() == 0


@pytest.mark.slow
def test_keys_of_tools_that_need_a_server_choose_nothing(window, file):
    window.open(file)
    window.all(".ed").focus()
    for key, tool in (("r", "box"), ("o", "box"), ("e", "eraser"), ("b", "brush")):
        window.page.keyboard.press(key)
        assert window.all(".board").get_attribute("data-tool") == tool


@pytest.mark.slow
def test_photos_are_upright_opaque_and_of_eight_bits(window, make_photo):
    upright = Image.fromarray(make_photo(40, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter to the right when shown
    window.open(named("turned.jpg", upright, "JPEG", quality=95, exif=exif))
    assert "turned.jpg · 40 × 64" in window.all(".about").text_content()
    clear = upright.convert("RGBA")
    clear.putalpha(Image.new("L", (64, 40), 255))
    clear.paste((9, 9, 9, 0), (0, 0, 20, 40))
    window.open(named("clear.png", clear))
    assert "its transparent parts are white here" in window.all(".about").text_content()
    window.draw("box", (0.5, 0.2), (0.8, 0.8))
    window.fill()
    (_, filled), (_, mask) = window.download("photo"), window.download("mask")
    expected = np.asarray(upright).copy()
    expected[:, :20] = 255
    assert np.array_equal(filled[mask[..., 0] == 0], expected[mask[..., 0] == 0])


@pytest.mark.slow
def test_files_that_cannot_be_used_are_told_where_the_user_looks(window):
    side = int(MOST_PIXELS**0.5) + 2
    files = [
        (
            {"name": "notes.png", "mimeType": "image/png", "buffer": b"hello, I am text"},
            "not an image that this browser",
        ),
        (named("wide.png", Image.new("1", (side, side))), "at most 24.0 are taken"),
        (named("tiny.png", Image.new("RGB", (30, 7))), "at least 8 a side"),
    ]
    for file, complaint in files:
        window.page.set_input_files(".ed .file", file)
        window.wait_for_text(".about.wrong", complaint)
        assert window.all(".ed").get_attribute("data-photo") is None


@pytest.mark.slow
def test_a_file_that_is_dropped_beside_the_canvas_and_one_that_is_pasted_are_opened(window):
    for number, event in enumerate(("drop", "paste")):
        window.page.evaluate(
            """async ([kind, name]) => {
              const canvas = new OffscreenCanvas(40, 30); canvas.getContext('2d').fillRect(0, 0, 40, 30);
              const data = new DataTransfer();
              data.items.add(new File([await canvas.convertToBlob()], name, { type: 'image/png' }));
              const about = { bubbles: true, cancelable: true };
              const event = kind === 'drop' ? new DragEvent('drop', { dataTransfer: data, ...about })
                : new ClipboardEvent('paste', { clipboardData: data, ...about });
              (kind === 'drop' ? document.querySelector('footer') : document.body).dispatchEvent(event); }""",
            [event, f"photo{number}.png"],
        )
        window.wait_for_text(".about", f"photo{number}.png")


@pytest.mark.slow
def test_a_sample_is_opened_by_a_click(window):
    window.all(".strip button[aria-label='Open flower.jpg']").click()
    window.page.wait_for_selector(".ed[data-photo]")
    assert "flower.jpg · 640 × 427" in window.all(".about").text_content()


@pytest.mark.slow
def test_neither_the_page_nor_its_worker_reaches_another_host(window, file, tmp_path):
    window.open(file)
    window.draw("box", (0.25, 0.25), (0.5, 0.5))
    window.fill()
    (tmp_path / "elsewhere").mkdir()
    ask = "address => fetch(address, { mode: 'no-cors' }).then(() => 'reached', error => error.name)"
    with static_server(tmp_path / "elsewhere") as elsewhere:
        worker = next(each for each in window.page.workers if each.url.startswith("blob:"))
        assert window.page.evaluate(ask, elsewhere) == "TypeError"
        assert worker.evaluate(ask, elsewhere) == "TypeError"
        inserted = """address => new Promise(done => { const script = document.createElement('script');
          script.onload = () => done('ran'); script.onerror = () => done('refused'); script.src = address;
          document.body.append(script); })"""
        assert window.page.evaluate(inserted, elsewhere + "x.js") == "refused"
    assert all("Content Security Policy" in text or "ERR_BLOCKED_BY_CSP" in text for text in window.said)
    assert len(window.said) >= 3


@pytest.mark.slow
def test_the_model_is_loaded_once_and_only_when_a_photo_is_opened(window, site, file):
    window.drawn()
    assert not [url for url in window.asked if "onnx" in url]
    for _ in range(2):
        window.open(file)
        window.draw("box", (0.25, 0.25), (0.5, 0.5))
        window.fill()
    loaded = [url.removeprefix(site.address).partition("?")[0] for url in window.asked if "onnx" in url]
    assert sorted(loaded) == [
        "model.onnx",
        "onnxruntime-web/ort-wasm-simd-threaded.wasm",
        "onnxruntime-web/ort.wasm.bundle.min.mjs",
    ]
    assert window.all("#fact-Loaded").text_content() == "yes"


@pytest.mark.slow
def test_stop_ends_what_is_at_work_and_the_next_fill_works(window, file):
    held = []
    window.page.context.route("**/model.onnx*", lambda route: held.append(route))  # answered never
    window.open(file)
    window.draw("box", (0.25, 0.25), (0.5, 0.5))
    window.all("#fill").click()
    window.wait_for_text(".rs .what", "Loading the model")
    assert window.all("#fill").is_disabled()
    window.all("#stop").click()
    window.page.wait_for_selector(".rs[data-state=idle]", state="attached")
    assert window.all("#stop").is_disabled()
    window.page.context.unroute("**/model.onnx*")
    window.fill()
    assert window.all(".history button").count() == 1
    assert len(held) == 1


@pytest.mark.slow
def test_a_file_that_is_missing_or_damaged_is_said_in_one_line_and_tried_again(window, file):
    window.page.context.route("**/model.onnx*", lambda route: route.fulfill(status=404))
    window.open(file)
    window.draw("box", (0.25, 0.25), (0.5, 0.5))
    window.all("#fill").click()
    window.wait_for_text(".rs .wrong", "model.onnx could not be loaded: the server answers 404")
    window.page.context.unroute("**/model.onnx*")
    window.page.context.route("**/model.onnx*", lambda route: route.fulfill(body="no graph"))
    window.all("#fill").click()
    window.wait_for_text(".rs .wrong", "protobuf")
    window.page.context.unroute("**/model.onnx*")
    window.page.context.route("**/*.mjs", lambda route: route.fulfill(status=404))
    window.all("#fill").click()
    window.wait_for_text(".rs .wrong", "a file of this page could not be loaded")
    window.page.context.unroute("**/*.mjs")
    window.fill()


@pytest.mark.slow
def test_a_page_that_is_isolated_from_others_fills_with_several_threads_and_alike(windows, site, file):
    with static_server(site.folder, ISOLATED) as address:
        window = windows(address)
        assert window.page.evaluate("crossOriginIsolated")
        window.open(file)
        window.draw("box", (0.25, 0.25), (0.5, 0.5))
        window.fill()
        (_, filled), (_, mask) = window.download("photo"), window.download("mask")
        assert levels_apart(filled, run_pipeline(site.graph, np.asarray(Image.open(file)), mask[..., 0] > 127)) <= 1
        assert window.said == []


@pytest.mark.slow
def test_opened_as_a_file_the_page_says_how_to_serve_it(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto((site.folder / "index.html").as_uri())
    page.wait_for_selector("#unserved", state="visible")
    assert "python -m http.server" in page.locator("#unserved").text_content()
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [pytest.param(1280, "light", marks=pytest.mark.slow), (400, "dark")])
def test_the_page_fits_its_width(windows, file, width, scheme):
    window = windows(width=width, scheme=scheme)
    assert window.all("#unserved").count() == 0
    window.open(file)
    window.draw("brush", (0.3, 0.3), (0.6, 0.6))
    assert window.all("#fill").bounding_box()["y"] < 850  # in sight without scrolling
    window.fill()
    assert window.page.evaluate("document.documentElement.scrollWidth") == width
    assert window.all(".compare").bounding_box()["width"] > 0.35 * width


@pytest.mark.slow
def test_every_control_has_a_name_for_screen_readers(window):
    unnamed = window.page.evaluate(
        """[...document.querySelectorAll('button, input, select, a')].filter(
        each => !(each.getAttribute('aria-label') || each.textContent.trim())).map(each => each.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.slow
def test_a_trained_network_fills_in_the_page_as_in_onnx_runtime(windows, run_of, runtime, tmp_path, file):
    (tmp_path / "runtime").mkdir()
    for name, data in runtime.files.items():
        (tmp_path / "runtime" / name).write_bytes(data)
    words = ["--model", str(run_of("deepfill")), "--web", str(tmp_path / "page")]
    assert run(["export", *words, "--runtime", str(tmp_path / "runtime")]) == 0
    with static_server(tmp_path / "page") as address:
        window = windows(address)
        window.open(file)
        window.draw("box", (0.3, 0.3), (0.6, 0.7))
        window.fill()
        (name, filled), (_, mask) = window.download("photo"), window.download("mask")
        assert window.said == []
    photo, hole = np.asarray(Image.open(file)), mask[..., 0] > 127
    assert name == "wall-deepfill.png"
    assert np.array_equal(filled[~hole], photo[~hole])
    assert levels_apart(filled, run_pipeline(tmp_path / "page" / "model.onnx", photo, hole)) <= 1
    assert levels_apart(filled[hole], photo[hole]) > 10
