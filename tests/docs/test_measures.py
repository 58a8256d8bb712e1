"""The table of measures on the page of evaluation is what the measures say of themselves."""

import re
from typing import NamedTuple

import pytest
import torch

from inpaint.metrics import MEASURES, ImageMeasure, lpips
from pages import DOCS

SUFFIXES = {"whole": "", "hole": "_hole", "set": ""}
NEEDS = {"samples": "several fills", "found": "a blind model"}


class Entry(NamedTuple):
    """What the table says of one measure in one form."""

    better: str
    low: float
    high: float
    needs: str
    px: int


def listed():
    """Return what the table says by name, its rows of several families taken apart."""
    page = (DOCS / "evaluating.md").read_text(encoding="utf-8")
    table = page[page.index("| measure | what it is |") :].partition("\n\n")[0]
    found = {}
    for row in table.splitlines()[2:]:
        names, _, forms, better, reach, needs = (cell.strip() for cell in row.strip("|").split("|"))
        families = re.findall(r"`(\w+)`", names)
        forms = forms.split(", ")
        px = re.search(r"((?:\d+, )*\d+) px", needs)
        low, high = map(float, reach.split(" to "))
        for place, family in enumerate(families):
            regions = [SUFFIXES[form] for form in forms if form in SUFFIXES]
            for form in (region + raw for region in regions for raw in ("", "_raw")[: 1 + ("raw" in forms)]):
                found[family + form] = Entry(
                    better=_one_of(better, place) or "neither",
                    low=low,
                    high=high,
                    needs=needs,
                    px=int(_one_of(px[1], place)) if px else 1,
                )
    return found


def _one_of(cell, place):
    parts = [part.strip() for part in cell.split(",")]
    return parts[place if len(parts) > 1 else 0]


LISTED = listed()


def test_all_measures_are_in_the_table_and_nothing_else():
    assert sorted(LISTED) == sorted(MEASURES)


@pytest.mark.parametrize("name", MEASURES)
def test_the_table_says_what_a_measure_says(name):
    measure, entry = MEASURES[name](), LISTED[name]
    assert entry.better == measure.better
    assert (entry.low, entry.high) == pytest.approx((measure.low, measure.high), abs=1e-4)
    assert entry.px == measure.smallest_px
    for need, words in NEEDS.items():
        assert (words in entry.needs) == (need in measure.needs)


@pytest.mark.parametrize("name", [name for name, make in MEASURES.items() if isinstance(make(), ImageMeasure)])
def test_the_table_says_which_measures_of_images_need_weights(name, monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    lpips._load.cache_clear()
    assert ("weights" in LISTED[name].needs) == (MEASURES[name]().missing() is not None)
