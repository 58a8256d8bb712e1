import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluations import record
from inpaint.errors import UsageError
from inpaint.evaluation.buckets import ALL, bucket
from inpaint.evaluation.record import SetRow
from inpaint.evaluation.summary import estimate, summarize


def without(made, *keys):
    """The record without the rows of some (image, model)."""
    return replace(made, rows=tuple(row for row in made.rows if (row.image, row.model) not in keys))


def test_the_interval_is_student_s():
    values = np.random.default_rng(0).normal(3, 2, 9)
    assert estimate(values)[1:] == pytest.approx(stats.t.interval(0.95, 8, values.mean(), stats.sem(values)))
    assert estimate(np.array([])) == (None, None, None)
    assert estimate(np.array([2.0])) == (2.0, None, None)
    assert estimate(np.array([2.0, 2.0])) == (2.0, 2.0, 2.0)


def test_there_is_a_mean_for_every_mask_bucket_model_and_measure():
    made = record({"x": 0.0, "y": 1.0}, masks=("thick", "thin"))
    found = summarize(made)
    for row_mask in ("thick", "thin"):
        for model in ("x", "y"):
            rows = [row for row in made.rows if (row.mask, row.model) == (row_mask, model)]
            entry = found.column(row_mask, "psnr_hole")[model]
            assert entry.mean == pytest.approx(np.mean([row.values["psnr_hole"] for row in rows]))
            assert (entry.n, entry.filled, entry.bucket) == (20, 20, ALL)
            for name in found.buckets:
                inside = [row.values["l1"] for row in rows if bucket(row.values["hole_ratio"]) == name]
                column = found.column(row_mask, "l1", name)
                assert (column[model].n if column else 0) == len(inside)
                if inside:
                    assert column[model].mean == pytest.approx(np.mean(inside))
    assert found.buckets == ("0-10 %", "10-20 %", "20-30 %", "30-40 %")
    assert found.column("thick", "seconds")["x"].mean == 0.25


def test_a_model_is_not_rewarded_for_leaving_out_hard_photos():
    made = record({"brave": 0.0, "picky": 0.0}, photos=8)
    hard = min(made.rows, key=lambda row: row.values["psnr_hole"]).image
    found = summarize(without(made, (hard, "picky"))).column("thick", "psnr_hole")
    assert (found["brave"].n, found["picky"].n) == (7, 7)
    assert (found["brave"].filled, found["picky"].filled) == (8, 7)
    assert found["brave"].mean == pytest.approx(found["picky"].mean)


def test_a_model_that_filled_nothing_has_no_mean_and_keeps_no_photo_from_the_others():
    made = record({"x": 0.0, "never": 0.0}, photos=6)
    found = summarize(without(made, *((key, "never") for key in made.manifest.keys))).column("thick", "psnr_hole")
    assert (found["x"].n, found["x"].mark, found["never"].n, found["never"].mean, found["never"].mark) == (
        6,
        "best",
        0,
        None,
        "",
    )


def test_marks_tell_the_best_and_what_is_not_shown_to_differ_from_it():
    found = summarize(record({"poor": -3.0, "good": 1.0, "same": 1.001}, photos=30))
    marks = {model: entry.mark for model, entry in found.column("thick", "psnr_hole").items()}
    assert marks["poor"] == ""
    assert sorted((marks["good"], marks["same"])) == ["best", "open"]
    assert {entry.mark for entry in found.column("thick", "hole_ratio").values()} == {""}


def test_every_model_is_compared_with_the_best_or_with_the_one_that_is_named():
    made = record({"poor": -3.0, "middle": 0.0, "good": 3.0}, photos=30)
    found = summarize(made)
    assert [(each.model, each.against, each.verdict) for each in found.compared("thick", "psnr_hole")] == [
        ("poor", "good", "worse"),
        ("middle", "good", "worse"),
    ]
    named = summarize(made, against="middle")
    assert [(each.model, each.verdict) for each in named.compared("thick", "l1_hole")] == [
        ("poor", "worse"),
        ("good", "better"),
    ]
    assert named.column("thick", "psnr_hole")["good"].mark == "best"
    with pytest.raises(UsageError, match="unknown model to compare with 'x'"):
        summarize(made, against="x")


def test_measures_of_sets_stand_with_their_own_count_and_no_interval():
    made = record({"x": 0.0, "y": 0.0}, photos=6)
    row = SetRow(measure="fid", mask="thick", model="x", value=12.5, n=5)
    found = summarize(replace(made, sets=(row, replace(row, model="y", value=None, n=1)))).column("thick", "fid")
    assert (found["x"].mean, found["x"].n, found["x"].low) == (12.5, 5, None)
    assert (found["y"].mean, found["y"].n) == (None, 1)


def test_without_hole_ratios_there_are_no_buckets():
    found = summarize(record({"x": 0.0}, names=("psnr_hole",)))
    assert found.buckets == ()
    assert {entry.bucket for entry in found.entries} == {ALL}


def test_numbers_come_back_from_the_csv_exactly_and_the_json_has_all_of_them():
    found = summarize(record({"x": 0.0, "y": 1.0}, photos=7))
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert [float(row["mean"]) for row in rows] == [entry.mean for entry in found.entries]
    assert [row["mark"] for row in rows] == [entry.mark for entry in found.entries]
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert len(plain["differences"]) == len(found.differences)
    assert plain["differences"][0]["p_holm"] == found.differences[0].p_holm
