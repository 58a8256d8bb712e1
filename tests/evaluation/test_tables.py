import re
from dataclasses import replace

import pytest

from evaluations import record
from inpaint.evaluation.summary import summarize
from inpaint.evaluation.tables import WIDTH, heading, markdown, number, shown_measures, table, wrapped
from inpaint.metrics import measures


def of(made, **options):
    found = summarize(made, **options)
    return markdown(
        found, measures=made.measures, masks=made.manifest.labels, models=made.models, title="What was measured."
    )


def cells(text, first):
    """The cells of the first line of a table that begins with a cell."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_kind_of_mask_has_a_table_with_models_in_rows():
    text = of(record({"x": -3.0, "y": 0.0}, masks=("thick", "thin"), photos=30))
    assert re.findall(r"^### (.*)", text, re.MULTILINE) == ["thick", "thin"]
    assert cells(text, "model") == ["model", "L1 %, hole ↓", "PSNR dB, hole ↑", "s/photo"]
    assert re.fullmatch(r"\*\*\d+\.\d\d ± \d\.\d\d\*\*", cells(text, "y")[2])
    assert "*" not in cells(text, "x")[2]
    assert "In summary.csv besides: l1, psnr, hole_ratio." in text


def test_the_best_is_bold_only_when_it_is_shown_to_be_better_than_every_other():
    text = of(record({"poor": -3.0, "good": 1.0, "same": 1.001}, photos=30))
    assert cells(text, "good")[2].startswith("≈ ")
    assert cells(text, "same")[2].startswith("≈ ")
    assert cells(text, "poor")[2][0].isdigit()
    assert "**" not in re.sub(r"\*\*Bold\*\*", "", text)


def test_a_single_model_is_not_marked_and_has_no_differences():
    text = of(record({"x": 0.0}))
    assert "**" not in text.partition("- ±")[0]
    assert "Differences" not in text


def test_differences_say_what_each_model_is_compared_with():
    text = of(record({"poor": -3.0, "good": 1.0}, photos=30))
    block = text.partition("Differences, 30 photos; p corrected for 4 comparisons.")[2]
    assert cells(block, "PSNR dB, hole ↑")[1:3] == ["good", "(best)"]
    line = next(line for line in block.splitlines() if "| poor " in line)
    assert "< 0.0001" in line
    assert line.rstrip(" |").endswith("worse")
    assert "(named)" in of(record({"poor": -3.0, "good": 1.0}, photos=30), against="poor")


def test_few_photos_are_said_to_be_too_few():
    text = of(record({"x": 0.0, "y": 5.0}, photos=4))
    assert "too few" in text
    assert "worse" not in text.partition("- ±")[0]


def test_photos_that_one_measure_has_no_value_of_count_all_the_same():
    made = record({"x": 0.0}, photos=9, names=("l1_hole", "psnr_hole"))
    first, *others = made.rows
    others = [replace(row, values={"l1_hole": row.values["l1_hole"]}) for row in others]
    assert "\n9 photos." in of(replace(made, rows=(first, *others)))


def test_what_was_filled_is_said_where_models_left_photos_out():
    made = record({"x": 0.0, "y": 1.0}, photos=9)
    made = replace(made, rows=tuple(row for row in made.rows if row.key[::2] != ("p03.png", "y")))
    text = of(made)
    assert "8 photos, hole" in text
    assert "filled were: x 9, y 8." in text
    assert "Up to 1 photos are left out" in text
    assert "Nothing was filled." in of(replace(made, rows=()))


def test_no_line_is_wider_than_a_terminal_with_many_measures_and_long_names():
    names = [f"{family}_hole{raw}" for family in ("l1", "psnr", "ssim") for raw in ("", "_raw")]
    made = record({f"a-run-of-some-length-{n}": float(n) for n in range(5)}, photos=12)
    values = dict.fromkeys((*names, "hole_ratio"), 0.5)
    rows = tuple(replace(row, values={**values, "hole_ratio": row.values["hole_ratio"]}) for row in made.rows)
    text = of(replace(made, rows=rows, measures=measures([*names, "hole_ratio"]).of_images))
    assert max(map(len, text.splitlines())) <= WIDTH + 10  # the differences' names take what they need
    assert sum(line.startswith("| model ") for line in text.splitlines()) >= 3


def test_columns_that_do_not_fit_follow_in_a_further_table():
    found = wrapped(["m", "a"], [["first", "1" * 30], ["second", "2" * 30], ["third", "3" * 30]], width=80)
    assert [part.splitlines()[0].split("|")[2].strip() for part in found] == ["first", "third"]
    assert all(len(line) <= 80 for part in found for line in part.splitlines())


def test_bars_inside_of_cells_end_no_cell():
    assert table([["a"], ["x|y"]]).splitlines()[0] == "| a   | x\\|y |"


@pytest.mark.parametrize(
    ("name", "head", "value", "text"),
    [
        ("psnr_hole", "PSNR dB, hole ↑", 17.456, "17.46"),
        ("l1", "L1 % ↓", 0.1234, "12.34"),
        ("ssim_hole_raw", "SSIM, hole, raw ↑", -0.0001, "0.000"),
        ("hole_ratio", "hole %", 0.25, "25.0"),
    ],
)
def test_a_measure_says_how_its_numbers_are_shown(name, head, value, text):
    (measure,) = measures([name]).of_images
    assert (heading(measure), number(measure, value)) == (head, text)
    assert number(measure, None) == "–"


def test_the_hole_s_measure_stands_for_that_of_the_whole_image():
    found = measures(["psnr", "psnr_hole", "l1", "psnr_raw", "hole_ratio"]).of_images
    assert [measure.name for measure in shown_measures(found)] == ["psnr_hole", "l1", "psnr_raw"]
