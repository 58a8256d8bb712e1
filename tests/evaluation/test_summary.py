import numpy as np
import pytest

from inpaint.evaluation.results import Results, Row
from inpaint.evaluation.settings import differences
from inpaint.evaluation.summary import estimate, markdown, summarize
from inpaint.metrics import USUAL


def row(image, model, value, mask="center"):
    metrics = dict.fromkeys(USUAL, value)
    return Row(image=image, mask=mask, model=model, metrics=metrics, seconds=value / 10, mask_hash="0" * 12)


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
    picky, brave = summarize(rows, masks=["center"], models=["picky", "brave"])
    assert picky["metrics"]["l1_hole"]["mean"] == brave["metrics"]["l1_hole"]["mean"] == 0.1
    assert (brave["n"], brave["filled"]) == (1, 2)


def test_the_table_has_a_row_per_model_groups_columns_by_mask_and_marks_the_best():
    rows = [row(i, m, v, k) for i in "ab" for k in ("center", "half") for m, v in (("x", 0.25), ("y", 0.5))]
    text = markdown(summarize(rows, masks=["center", "half"], models=["x", "y"]), title="Title.")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert text.startswith("Title.\n\n|")
    assert {len(line) for line in cells} == {9}
    assert [cell.split(":")[0] for cell in cells[0][1:]] == ["center"] * 4 + ["half"] * 4
    assert cells[2][:5] == ["x", "**25.00 ± 0.00**", "0.25 ± 0.00", "0.250 ± 0.000", "0.025"]
    assert cells[3][:5] == ["y", "50.00 ± 0.00", "**0.50 ± 0.00**", "**0.500 ± 0.000**", "0.05"]
    assert "center: 2 photos, hole 25.0 % on average." in text


def test_a_single_model_is_not_marked_as_the_best():
    assert "**" not in markdown(summarize([row("a", "x", 0.5)], masks=["center"], models=["x"]), title="")


def test_rows_come_back_from_the_file_exactly(tmp_path):
    written = [row('odd, "name"\nä\udcff.png', "x", 1 / 3), row("b", "x", 1e-17)]
    with Results(tmp_path / "r.csv") as results:
        for each in written:
            results.append(each)
    with Results(tmp_path / "r.csv") as results:
        assert results.rows == written
        assert written[0].key in results
        assert ("b", "half", "x") not in results


def test_differences_name_the_key_and_both_values():
    found = {"a": 1, "b": {"c": "x", "d": 2}, "e": None}
    assert list(differences(found, found)) == []
    assert list(differences(found, {"a": 1, "b": {"c": "y"}, "e": 0, "f": 1})) == [
        'b.c was "x", is "y" now',
        "b.d was 2, is missing now",
        "e was null, is 0 now",
        "f is 1 now, was missing",
    ]
