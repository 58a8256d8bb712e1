import numpy as np
import pytest

from inpaint.evaluation.trainings import configurations_tables, course, courses_table, direction, sparkline
from inpaint.weights.curves import Curve, Run


def run(label="one", **curves):
    """A run whose curves have a value every hundred iterations."""
    made = {
        name.replace("__", "/"): Curve(100.0 * np.arange(1, len(values) + 1), np.array(values, dtype=float))
        for name, values in curves.items()
    }
    return Run(label, made)


def test_the_best_follows_the_direction_of_the_measure():
    made = run(val__psnr_hole=[10, 14, 13], val__l1_hole=[0.3, 0.1, 0.2], val__street__psnr=[1, 3, 2])
    psnr, l1 = course(made, "val/psnr_hole"), course(made, "val/l1_hole")
    assert (psnr.best, psnr.best_at, psnr.last, psnr.last_at) == (14, 200, 13, 300)
    assert (l1.best, l1.best_at, l1.last) == (0.1, 200, 0.2)
    assert course(made, "val/street/psnr").best == 3
    assert direction("train/loss_g") == "lower"
    assert course(run(lr__g=[1, 2]), "lr/g").best is None


def test_numbers_that_are_not_finite_are_passed_over():
    made = course(run(val__psnr_hole=[10, np.nan, 12, np.nan]), "val/psnr_hole")
    assert (made.best, made.last, made.last_at, len(made.spark)) == (12, 12, 300, 2)
    assert course(run(val__psnr_hole=[np.nan]), "val/psnr_hole") is None
    assert course(run(), "val/psnr_hole") is None


def test_a_curve_in_characters_goes_from_its_least_to_its_largest_value():
    assert sparkline(np.array([1.0, 2.0, 3.0])) == "▁▅█"
    assert sparkline(np.full(4, 2.0)) == "▁▁▁▁"
    long = sparkline(np.linspace(5, 1, 1000))
    assert len(long) == 16
    assert (long[0], long[-1]) == ("█", "▁")


def test_a_line_for_each_run_that_has_the_number():
    text = courses_table([run("a", val__psnr_hole=[1, 2]), run("b", train__loss=[1])], "val/psnr_hole")
    assert text.startswith("val/psnr_hole ↑\n\n| run | best |  at | last |  at |")
    assert [line.split("|")[1].strip() for line in text.splitlines()[2:]] == ["run", "---", "a"]
    assert courses_table([run("b")], "val/psnr_hole") is None


def test_only_keys_that_differ_stand_side_by_side():
    one = {"model": {"name": "pconv", "width": 32}, "seed": 0, "run": {"folder": "a"}, "resume": None}
    other = {"model": {"name": "pconv", "width": 64}, "seed": 0, "run": {"folder": "b"}, "resume": "auto"}
    (text,) = configurations_tables({"a": one, "b": other})
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert rows[0] == ["key", "a", "b"]
    assert rows[2:] == [["model.width", "32", "64"]]
    assert configurations_tables({"a": one, "b": {**one, "run": {"folder": "c"}}}) == []


def test_many_runs_stay_within_the_terminal():
    configs = {f"{n}-optimizers.generator.lr={n}": {"optimizers": {"generator": {"lr": n}}} for n in range(9)}
    found = configurations_tables(configs)
    assert len(found) > 1
    assert max(len(line) for part in found for line in part.splitlines()) <= 100


@pytest.mark.parametrize("value", ["x" * 90, ["deepfill", "lama_thick_256", "text", "box", "center"]])
def test_long_values_are_cut(value):
    (text,) = configurations_tables({"a": {"k": value}, "b": {"k": 1}})
    assert "…" in text
    assert max(map(len, text.splitlines())) < 60
