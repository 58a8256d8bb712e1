from pathlib import Path

import numpy as np
import pytest

from inpaint.evaluation.manifest import Manifest
from inpaint.evaluation.record import Record, Row
from inpaint.evaluation.summary import estimate, markdown, summarize
from inpaint.metrics import USUAL, measures

MEASURES = measures().of_images


def row(image, model, value, mask="center"):
    return Row(image=image, mask=mask, model=model, values=dict.fromkeys(USUAL, value), seconds=value / 10)


def record(rows, masks=("center",), models=("x",)):
    protocol = {"name": "p", "version": 1, "size": 8, "seed": 0, "masks": dict.fromkeys(masks)}
    return Record(
        folder=Path(),
        manifest=Manifest(protocol, ()),
        models=models,
        measures=MEASURES,
        rows=tuple(rows),
        sets=(),
        failures=(),
        settings={},
    )


def test_the_interval_covers_the_true_mean_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    found = [estimate(rng.normal(3.0, 2.0, 5).tolist()) for _ in range(2000)]
    covered = np.mean([value["low"] <= 3.0 <= value["high"] for value in found])
    assert covered == pytest.approx(0.95, abs=0.015)  # three standard errors of 2000 draws


def test_estimates_of_no_and_one_value_have_no_interval():
    assert estimate([]) == {"mean": None, "standard_error": None, "low": None, "high": None}
    assert estimate([2.0]) == {"mean": 2.0, "standard_error": None, "low": None, "high": None}
    assert estimate([2.0, 2.0]) == {"mean": 2.0, "standard_error": 0.0, "low": 2.0, "high": 2.0}


def test_a_model_is_not_rewarded_for_leaving_out_hard_photos():
    rows = [row("easy", "picky", 0.1), row("easy", "brave", 0.1), row("hard", "brave", 0.9)]
    picky, brave = summarize(record(rows, models=("picky", "brave")))
    assert picky["metrics"]["l1_hole"]["mean"] == brave["metrics"]["l1_hole"]["mean"] == 0.1
    assert (brave["n"], brave["filled"]) == (1, 2)


def test_the_table_has_a_row_per_model_groups_columns_by_mask_and_marks_the_best():
    rows = [row(i, m, v, k) for i in "ab" for k in ("center", "half") for m, v in (("x", 0.25), ("y", 0.5))]
    text = markdown(summarize(record(rows, ("center", "half"), ("x", "y"))), MEASURES, title="Title.")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert text.startswith("Title.\n\n|")
    assert {len(line) for line in cells} == {9}
    assert [cell.split(":")[0] for cell in cells[0][1:]] == ["center"] * 4 + ["half"] * 4
    assert cells[2][:5] == ["x", "**25.00 ± 0.00**", "0.25 ± 0.00", "0.250 ± 0.000", "0.025"]
    assert cells[3][:5] == ["y", "50.00 ± 0.00", "**0.50 ± 0.00**", "**0.500 ± 0.000**", "0.05"]
    assert "center: 2 photos, hole 25.0 % on average." in text


def test_a_single_model_is_not_marked_as_the_best():
    assert "**" not in markdown(summarize(record([row("a", "x", 0.5)])), MEASURES, title="")


def test_means_of_a_measure_are_over_the_photos_of_which_it_says_something():
    rows = [row("a", "x", 0.5), Row(image="b", mask="center", model="x", values={"l1": 0.1}, seconds=1.0)]
    (entry,) = summarize(record(rows))
    assert entry["n"] == 2
    assert entry["metrics"]["psnr"]["mean"] == 0.5
    assert entry["metrics"]["l1"]["mean"] == pytest.approx(0.3)
