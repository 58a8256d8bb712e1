"""metrics.csv read as curves: what is complete, what runs are called, what smoothing does."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from inpaint.errors import RunError
from inpaint.weights.curves import read_curves, read_runs, smoothed


def run(folder, text="iteration,a\n1,2\n"):
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(text)
    return folder


def test_a_curve_has_the_iterations_at_which_its_number_was_logged(tmp_path):
    text = "iteration,train/loss_g,val/psnr_hole\n100,0.5,\n200,0.25,17.5\n300,nan,\n"
    curves = read_curves(run(tmp_path / "run", text) / "metrics.csv")
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, curve in curves.items():
        wanted = [(float(row["iteration"]), float(row[name])) for row in rows if row[name]]
        np.testing.assert_array_equal(np.stack([curve.iterations, curve.values], axis=1), wanted)
    assert list(curves) == ["train/loss_g", "val/psnr_hole"]


def test_a_line_that_is_being_written_and_a_damaged_one_are_left_out(tmp_path):
    curves = read_curves(run(tmp_path / "run", "iteration,a\n1,2\n2\nx,3\n3,4\n4,5") / "metrics.csv")
    assert curves["a"].iterations.tolist() == [1, 3]
    assert curves["a"].values.tolist() == [2, 4]


def test_what_is_infinite_breaks_a_curve_and_text_is_no_number(tmp_path):
    curves = read_curves(run(tmp_path / "run", "iteration,a,b\n1,inf,soon\n2,3,later\n") / "metrics.csv")
    assert np.isnan(curves["a"].values[0])
    assert list(curves) == ["a"]


def test_runs_are_called_by_their_folder_and_by_their_place_where_two_share_its_name(tmp_path):
    for name in ("sweep/0-lr=1", "sweep/1-lr=2", "one/last", "other/last"):
        run(tmp_path / name)
    places = [tmp_path / "sweep", tmp_path / "one" / "last", tmp_path / "other/last/metrics.csv", tmp_path / "sweep"]
    labels = [each.label for each in read_runs(places)]
    assert labels == ["0-lr=1", "1-lr=2", str(tmp_path / "one/last"), str(tmp_path / "other/last")]


@pytest.mark.parametrize(
    ("files", "place", "said"),
    [
        ({}, "none", "no such file or folder"),
        ({"run/config.yaml": ""}, "run", "neither it nor a folder in it holds metrics.csv"),
        ({"a.csv": "image,mask\n1,2\n"}, "a.csv", "its first column must be 'iteration'"),
        ({"run/metrics.csv": "iteration,a\n"}, "run", "holds no numbers"),
    ],
)
def test_a_place_that_is_no_run_is_named_with_the_reason(tmp_path, files, place, said):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(RunError, match=said) as caught:
        read_runs([tmp_path / place])
    assert str(tmp_path / place) in str(caught.value)


def test_smoothing_is_the_weighted_mean_of_what_came_before_and_passes_over_gaps():
    values = np.array([4.0, 1.0, np.nan, 7.0])
    weights = 0.6 ** np.arange(3)[::-1]
    got = smoothed(values, 0.6)
    assert got[3] == pytest.approx(np.average([4.0, 1.0, 7.0], weights=weights))
    assert got[0] == 4.0
    assert np.isnan(got[2])
    np.testing.assert_array_equal(smoothed(values, 0.0), values)
