"""The page as a file: what is inside, and that nothing outside can get in or is asked for."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image

from inpaint.evaluation.report import write_report
from inpaint.evaluation.report.writing import POINTS
from made_report import COLORS, MASKS, MODELS, ODD_NAME, made_report

PAGE = Path(__file__).parents[3] / "inpaint" / "evaluation" / "report" / "page"


class Parts(HTMLParser):
    """The texts of scripts and styles, the title, and the attributes of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), ""))

    def handle_endtag(self, tag):
        self.found.append((f"/{tag}", {}, ""))

    def handle_data(self, data):
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The folder, the text of the page, its elements, and its data."""
    folder = tmp_path_factory.mktemp("page")
    write_report(folder / "index.html", made_report(folder))
    text = (folder / "index.html").read_text(encoding="utf-8")
    elements = Parts(text).found
    (data,) = (json.loads(text) for tag, attributes, text in elements if attributes.get("id") == "data")
    return folder, text, elements, data


def test_names_come_back_as_they_are_whatever_they_hold(page):
    *_, data = page
    assert data["photos"][-1] == ODD_NAME
    assert data["models"] == list(MODELS)
    assert data["title"] == "Three models & <two> masks"


def test_no_text_ends_the_script_or_begins_another(page):
    _, text, elements, _ = page
    assert [tag for tag, *_ in elements].count("script") == 2
    assert text.count("</script>") == 2
    assert text.isascii() or all(char.isprintable() or char in "\n\t" for char in text)


def test_the_policy_allows_this_script_and_this_style_alone_and_pictures_of_the_folder(page):
    _, _, elements, _ = page
    (policy,) = (a["content"] for tag, a, _ in elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == "data: 'self' file:"
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        text = [text for name, a, text in elements if name == tag and a.get("type") != "application/json"][-1]
        assert rules.pop(kind) == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert not rules


def test_nothing_is_fetched_from_anywhere(page):
    _, text, elements, _ = page
    sources = [a[name] for _, a, _ in elements for name in ("src", "href") if a.get(name)]
    assert [one for one in sources if not one.startswith(("#", "data:"))] == []
    assert set(re.findall(r"https?://[\w./]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|@import|url\(|\beval\(|innerHTML", text)


def test_full_pictures_are_found_from_the_page_by_their_encoded_address(page):
    folder, *_, data = page
    for address in data["examples"][0][6][:3]:
        assert (folder / unquote_to_bytes(address).decode()).is_file()
    assert " " not in "".join(data["examples"][0][6])


def test_small_pictures_show_the_files_and_what_is_missing_has_none(page):
    *_, data = page
    small = [*data["examples"][0][5], data["originals"][0][0]]
    for text, name in zip(small, ("masked", *MODELS, "original"), strict=True):
        if name not in COLORS:
            assert text is None
            continue
        image = Image.open(io.BytesIO(base64.b64decode(text)))
        assert (image.format, image.size) == ("WEBP", (24, 24))
        assert np.abs(np.asarray(image.convert("RGB")).mean(axis=(0, 1)) - COLORS[name]).max() < 6


def test_numbers_keep_six_digits_and_what_was_not_measured_is_null(page):
    *_, data = page
    photo, mask, ratio, bucket, values, *_ = data["examples"][2 * 3]  # photo 3, the first mask
    assert (photo, mask, ratio, bucket) == (3, 0, 0.05, 0)
    assert values == [[10.06, 0.0994036, None], [29.85, 0.0335008, None], [None, None, None]]


def test_models_a_and_b_are_the_two_best(page):
    *_, data = page
    assert data["start"] == {"measure": 0, "a": MODELS.index("telea"), "b": MODELS.index("my <b>run</b>")}


def test_long_curves_are_averaged_in_groups(page):
    *_, data = page
    (panel,) = (panel for panel in data["panels"] if panel["name"] == "train/loss_g")
    ((run, xs, ys),) = panel["lines"]
    steps = np.arange(1, 1201)
    assert run == 0
    assert len(xs) <= POINTS
    assert xs == steps[2::3].tolist()
    np.testing.assert_allclose(ys, (1 / steps).reshape(-1, 3).mean(axis=1), rtol=1e-5)
    assert panel["log"]


def test_smaller_pictures_are_taken_when_the_budget_asks_for_it(tmp_path):
    report = made_report(tmp_path, photos=2, side=200)
    sizes = {}
    for budget in (10**9, 1):
        write_report(tmp_path / "index.html", report, budget_bytes=budget)
        text = (tmp_path / "index.html").read_text(encoding="utf-8")
        (data,) = (json.loads(text) for _, a, text in Parts(text).found if a.get("id") == "data")
        image = Image.open(io.BytesIO(base64.b64decode(data["originals"][0][0])))
        sizes[budget] = image.size
    assert sizes[10**9] == (200, 200)  # never larger than the file
    assert sizes[1] == (64, 64)


def test_a_page_without_pictures_curves_and_buckets_is_written_all_the_same(tmp_path):
    report = made_report(tmp_path, photos=0)
    write_report(tmp_path / "index.html", report)
    assert len(MASKS) == 2
    assert (tmp_path / "index.html").stat().st_size < 100_000


def test_the_parts_of_the_page_are_files_of_their_own():
    assert {path.suffix for path in PAGE.iterdir()} == {".html", ".css", ".js"}
