"""The page in a browser: what it shows, how it is used by mouse and keyboard, and that it asks nobody for anything."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from browsing import Opened, chromium, needs_chromium, windows_of
from inpaint.evaluation.report import Report, write_report
from made_report import MASKS, MEANS, MODELS, ODD_NAME, made_report, values

pytestmark = needs_chromium
PHOTOS = 300


class Window(Opened):
    """The page in a window."""

    def choose(self, label: str, option: str, within: str = "body") -> None:
        self.page.locator(within).get_by_label(label, exact=True).select_option(label=option)

    def names(self) -> list[str]:
        """Return the names of the first photos, in order."""
        return self.all(".card .name").all_text_contents()

    def show_pictures(self) -> None:
        """Scroll to the pictures, since cards far from the window are not built."""
        self.page.evaluate("document.getElementById('pictures').scrollIntoView({behavior: 'instant'})")
        self.drawn()


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(folder / "index.html", made_report(folder, photos=PHOTOS))
    return folder / "index.html"


@pytest.fixture
def opened(browser, file):
    with windows_of(browser, Window, timeout_s=10) as window:

        def open_page(*, width: int = 1280, scheme: str = "light", file: Path = file) -> Window:
            found = window(file.as_uri(), width=width, height=800, scheme=scheme)
            found.page.wait_for_function("document.documentElement.dataset.ready")
            return found

        yield open_page


@pytest.fixture
def page(opened):
    return opened()


@pytest.fixture
def gallery(page):
    page.show_pictures()
    return page


def photos_by(key, *, descending=False, mask="thick"):
    """Return the names of the photos as Python sorts them; equal ones stay in order."""
    names = [ODD_NAME if index == PHOTOS - 1 else f"{index:04d}.jpg" for index in range(PHOTOS)]
    order = sorted(range(PHOTOS), key=lambda index: (-key(index) if descending else key(index), index))
    return [names[index] for index in order]


def of(index, model):
    return values(model, index, 0.0)["psnr_hole"]


# Opening --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (400, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(400, "light", marks=pytest.mark.slow),
    ],
)
def test_the_page_opens_without_an_error_asks_for_nothing_and_fits_its_width(opened, width, scheme):
    shown = opened(width=width, scheme=scheme)
    shown.show_pictures()
    assert [url for url in shown.asked if not url.startswith("data:")] == [shown.page.url]
    assert shown.said == []
    assert shown.page.evaluate("document.documentElement.scrollWidth") == width
    assert shown.page.evaluate("window.broken") is None


def test_trainings_alone_make_a_page_of_their_curves(opened, tmp_path):
    runs = made_report(tmp_path, photos=1).runs
    report = Report(title="Trainings", measures=(), masks=(), models=(), entries=(), runs=runs)
    write_report(tmp_path / "index.html", report)
    shown = opened(file=tmp_path / "index.html")
    assert shown.all("section:visible").count() == 1
    assert shown.all("#curves .chart").count() == 2
    assert shown.said == []


def test_names_are_shown_as_text(page):
    page.show_pictures()
    page.all("input[type=search]").fill("script")
    assert page.names() == [ODD_NAME] * 2
    assert page.all("#summary tbody th").nth(1).text_content() == "my <b>run</b>"


def test_only_the_cards_near_the_window_are_built(page):
    page.show_pictures()
    assert 2 < page.all(".card").count() < 20
    page.page.evaluate("window.scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
    page.page.wait_for_selector(f".card[aria-posinset='{2 * PHOTOS}']")
    assert page.all(".card").count() < 20
    assert page.all(".card").last.get_attribute("aria-setsize") == str(2 * PHOTOS)


def test_every_picture_and_control_has_a_name_for_screen_readers(page):
    page.show_pictures()
    unnamed = page.page.evaluate(
        """() => [...document.querySelectorAll("img, button, select, input, svg[role=img]")]
            .filter(e => !(e.alt || e.ariaLabel || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_text_stands_out_from_its_ground(opened, scheme):
    shown = opened(scheme=scheme)
    style = "getComputedStyle(document.documentElement).getPropertyValue"
    color = partial(_color, shown.page, style)
    pairs = [("text", "ground"), ("soft", "ground"), ("soft", "paper"), ("soft", "sunk"), ("accent", "paper")]
    pairs += [("good", "paper"), ("good", "good-tint"), ("soft", "tint")]
    for front, back in pairs:
        assert _contrast(color(front), color(back)) >= 4.5, (front, back)  # WCAG 2.2, 1.4.3
    for index in range(8):
        assert _contrast(color(f"m{index}"), color("paper")) >= 3, index  # 1.4.11


def _color(page, style, name):
    text = page.evaluate(f"{style}.call(getComputedStyle(document.documentElement), '--{name}')").strip()
    return [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _contrast(front, back):
    linear = lambda c: c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4  # noqa: E731
    light = [sum(w * linear(c) for w, c in zip((0.2126, 0.7152, 0.0722), one, strict=True)) for one in (front, back)]
    return (max(light) + 0.05) / (min(light) + 0.05)


# Summary --------------------------------------------------------------------------------------------------------------


def test_the_summary_is_sorted_by_the_column_that_is_pressed_and_turned_by_the_next_press(page):
    rows, best_first = page.all("#summary tbody th"), sorted(MODELS, key=MEANS.get, reverse=True)
    assert rows.all_text_contents() == best_first
    page.all("[data-column=l1_hole]").click()  # here too large an L1 goes with a large PSNR
    assert rows.all_text_contents() == best_first[::-1]
    assert page.all("th[aria-sort=ascending]").text_content().startswith("L1 % ↓")
    page.all("[data-column=l1_hole]").press("Enter")
    assert rows.all_text_contents() == best_first
    assert page.page.evaluate("document.activeElement.dataset.column") == "l1_hole"
    page.all("[data-column=model]").click()
    assert rows.all_text_contents() == sorted(MODELS)


@pytest.mark.slow
def test_the_measure_that_is_chosen_comes_first_in_the_summary(page):
    assert page.all("#summary thead th").nth(1).text_content().startswith("PSNR dB ↑")
    page.choose("Measure", "l1_hole: L1 % ↓", "#summary")
    assert page.all("#summary thead th").nth(1).text_content().startswith("L1 % ↓")
    assert page.all("#summary tbody tr").first.locator("td").first.text_content() == "1.50" + "1.35 – 1.65"
    assert page.all("#pictures").get_by_label("Measure", exact=True).input_value() == "1"


@pytest.mark.slow
def test_a_measure_of_sets_is_chosen_in_the_summary_alone(page):
    page.show_pictures()
    page.choose("Measure", "fid: FID ↓", "#summary")
    assert page.all("#summary tbody tr").first.locator("td").first.text_content() == "15.0"
    for part in ("#buckets", "#pictures"):
        field = page.all(part).get_by_label("Measure", exact=True)
        assert field.input_value() == "0"
        assert "fid: FID ↓" not in field.locator("option").all_text_contents()
    assert page.all(".card").first.locator(".number.best").text_content() == "30.00"


@pytest.mark.slow
def test_one_measure_is_shown_over_all_masks_side_by_side(page):
    page.choose("Masks", "all, side by side", "#summary")
    assert [text[:5].strip() for text in page.all("#summary thead th").all_text_contents()] == [
        "Model",
        MASKS[0],
        "95 %",
        MASKS[1],
    ]


def test_charts_of_buckets_and_curves_are_drawn_and_described(page):
    labels = [one.get_attribute("aria-label") for one in page.all(".chart svg[role=img]").all()]
    assert [label.split(".")[0] for label in labels] == [*MASKS, "val/psnr_hole", "train/loss_g"]
    assert "telea 21.50 at 20-30 %" in labels[0]
    page.all("#curves input[type=range]").fill("0.9")
    assert page.all("#curves .chart").nth(1).locator("path.pale").count() == 1
    assert page.all("#curves .chart").nth(0).locator("path.pale").count() == 0  # validation stays as it is


@pytest.mark.slow
def test_a_wide_interval_of_few_photos_is_cut_off_and_does_not_flatten_the_lines(opened, tmp_path):
    report = made_report(tmp_path, photos=1)
    wide = [replace(e, low=-500.0, high=500.0) if e.bucket == "0-10 %" else e for e in report.entries]
    heights = []
    for entries in (report.entries, tuple(wide)):
        write_report(tmp_path / "index.html", replace(report, entries=entries))
        chart = opened(file=tmp_path / "index.html").all("#buckets svg[role=img]").first
        path = chart.locator("path").first.get_attribute("d"), chart.locator("path").nth(1).get_attribute("d")
        ys = [float(number) for text in path for number in re.findall(r" ([\d.]+)", text)]
        heights.append(max(ys) - min(ys))
        for whisker in chart.locator(".whisker").all():
            assert 0 <= float(whisker.get_attribute("y2")) < float(whisker.get_attribute("y1")) <= 290
    assert heights[1] > heights[0] / 3


# Pictures -------------------------------------------------------------------------------------------------------------


def test_pictures_are_filtered_by_name_mask_and_bucket(gallery):
    gallery.all("input[type=search]").fill("002")
    gallery.choose("Masks", "text", "#pictures")
    gallery.choose("Hole", "10-20 %", "#pictures")
    assert gallery.names() == [f"{index:04d}.jpg" for index in range(20, 30) if index % 3 == 1]
    assert gallery.all(".count").text_content().startswith(f"3 of {2 * PHOTOS} ")
    gallery.all("input[type=search]").fill("nobody")
    assert gallery.all(".card").count() == 0
    gallery.all("#pictures").get_by_role("button", name="Show all").click()
    assert gallery.all(".count").text_content().startswith(f"{2 * PHOTOS} ")


ORDERS = {  # what is sorted by, and whether the largest come first
    "psnr_hole of telea": (lambda i: of(i, "telea"), True),
    "psnr_hole: telea − mean": (lambda i: of(i, "telea") - of(i, "mean"), True),
    "psnr_hole: |telea − mean|": (lambda i: abs(of(i, "telea") - of(i, "mean")), True),
    "size of the hole": (lambda i: i % 3, False),
}


def test_pictures_are_sorted_by_values_and_by_the_difference_of_two_models(gallery):
    gallery.choose("Masks", "thick", "#pictures")
    gallery.choose("Model B", "mean")
    turn = gallery.all("#pictures").get_by_role("button", name="Reverse the order")
    for order, (key, descending) in ORDERS.items():
        gallery.choose("Sort by", order)
        first = gallery.names()
        assert len(first) > 3
        assert first == photos_by(key, descending=descending)[: len(first)], order
        turn.click()
        assert gallery.names()[0] == photos_by(key, descending=not descending)[0], order
        turn.click()


@pytest.mark.slow
def test_photos_without_a_value_come_last_either_way(gallery):
    gallery.all("input[type=search]").fill("000")
    gallery.choose("Hole", "0-10 %", "#pictures")  # photos 0, 3, 6 and 9
    gallery.choose("Masks", "thick", "#pictures")
    gallery.choose("Model A", "my <b>run</b>")
    gallery.choose("Sort by", "psnr_hole of my <b>run</b>")
    last = gallery.all(".card .name").last
    assert last.text_content() == "0003.jpg"
    gallery.all("#pictures").get_by_role("button", name="Reverse the order").click()
    assert last.text_content() == "0003.jpg"


def test_each_fill_has_its_number_and_the_best_one_is_marked(gallery):
    card = gallery.all(".card").first
    card.scroll_into_view_if_needed()
    assert card.locator(".number").all_text_contents() == ["", "10.00", "30.00", "20.00", ""]
    assert card.locator(".number.best").all_text_contents() == ["30.00"]


def test_pointing_at_a_fill_shows_the_original_in_its_place(gallery):
    card = gallery.all(".card").first
    fill, original = card.locator("[data-picture=telea]"), card.locator("[data-picture=original] img")
    before = fill.locator("img").get_attribute("src")
    fill.hover()
    assert fill.locator("img").get_attribute("src") == original.get_attribute("src") != before
    original.hover()
    assert fill.locator("img").get_attribute("src") == before


@pytest.mark.slow
def test_the_keyboard_swaps_a_fill_with_the_original(gallery):
    fill = gallery.all(".card").first.locator("[data-picture=mean]")
    before = fill.locator("img").get_attribute("src")
    fill.press("o")
    assert fill.locator("img").get_attribute("src") != before
    assert fill.locator(".swapped").text_content() == "original"
    fill.press("o")
    assert fill.locator("img").get_attribute("src") == before


def test_tab_leads_from_card_to_card_beyond_those_that_were_built(gallery):
    gallery.all(".card").first.locator(".tile").first.focus()
    for _ in range(12 * 5):
        gallery.page.keyboard.press("Tab")
    gallery.drawn()
    place = gallery.page.evaluate("document.activeElement.closest('.card').ariaPosInSet")
    assert int(place) == 13


# The slider -----------------------------------------------------------------------------------------------------------


def test_the_slider_is_opened_moved_and_closed_by_the_keyboard(gallery):
    fill = gallery.all(".card").first.locator("[data-picture=telea]")
    fill.press("Enter")
    viewer = gallery.all("#viewer")
    assert viewer.get_by_label("Left", exact=True).input_value() == "2"
    over = viewer.locator("img.over")
    assert over.evaluate("e => e.style.clipPath") == "inset(0px 50% 0px 0px)"
    for _ in range(4):
        gallery.page.keyboard.press("ArrowRight")
    assert over.evaluate("e => e.style.clipPath") == "inset(0px 48% 0px 0px)"
    gallery.page.keyboard.press("PageDown")
    assert "text" in viewer.locator("header p").text_content()
    gallery.page.keyboard.press("Escape")
    assert not viewer.is_visible()
    assert fill.evaluate("e => e === document.activeElement")


@pytest.mark.slow
def test_dragging_over_the_picture_moves_the_slider(gallery):
    gallery.all(".card").first.locator("[data-picture=telea]").click()
    box = gallery.all("#viewer .stack").bounding_box()
    gallery.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    gallery.page.mouse.down()
    gallery.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    gallery.page.mouse.up()
    assert float(gallery.all("#viewer .slider").input_value()) == pytest.approx(25, abs=0.5)


def test_the_viewer_shows_full_files_of_the_folder_and_the_small_picture_where_one_is_gone(opened, tmp_path):
    write_report(tmp_path / "index.html", made_report(tmp_path, photos=2, side=300))
    (tmp_path / "pictures" / "telea 1.png").unlink()
    shown = opened(file=tmp_path / "index.html", width=400)
    shown.show_pictures()
    shown.all(".card").first.locator("[data-picture=telea]").click()
    viewer = shown.all("#viewer")
    shown.page.wait_for_function("document.querySelector('#viewer img.over').naturalWidth > 0")
    assert viewer.locator("img.over").get_attribute("src").startswith("data:image/webp")
    right = viewer.locator("img:not(.over)")
    assert right.evaluate("e => e.decode().then(() => e.naturalWidth)") == 300
    assert right.get_attribute("src") == "pictures/original%201.png"
    viewer.get_by_label("Right", exact=True).select_option(label="mean")
    assert "mean" in viewer.locator("img:not(.over)").get_attribute("alt")
    assert all(url.startswith((tmp_path.as_uri(), "data:")) for url in shown.asked)
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 400


@pytest.mark.slow
def test_the_best_numbers_of_a_photo_stand_out_beside_the_slider(gallery):
    gallery.all(".card").first.locator("[data-picture=original]").click()
    assert gallery.all("#viewer td.best").all_text_contents() == ["30.00", "3.33"]
    assert gallery.all("#viewer").get_by_label("Left", exact=True).input_value() == str(MODELS.index("telea") + 1)
