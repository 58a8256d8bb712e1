import json

import pytest

from evaluations import record, write
from inpaint.errors import InpaintError, RunError, UsageError
from inpaint.evaluation.comparing import compare


def training(folder, lr=0.1, numbers=(10, 12)):
    folder.mkdir(parents=True)
    rows = [f"{100 * (n + 1)},{value}" for n, value in enumerate(numbers)]
    (folder / "metrics.csv").write_text("\n".join(["iteration,val/psnr_hole", *rows]) + "\n")
    (folder / "config.yaml").write_text(f"seed: 0\nlr: {lr}\nrun: {{folder: {folder}}}\n")
    return folder


def test_runs_of_a_sweep_show_their_figures_and_the_keys_that_differ(tmp_path):
    for n in (2, 10):
        training(tmp_path / f"{n}-lr={n}", lr=n)
    found = compare([str(tmp_path)])
    assert [run.label for run in found.runs] == ["2-lr=2", "10-lr=10"]
    text = found.text()
    assert "| 2-lr=2   |" in text
    assert [line.split("|")[1:4] for line in text.partition("## Configurations")[2].split("\n")[2:] if line] == [
        [" key ", " 2-lr=2 ", " 10-lr=10 "],
        [" --- ", " -----: ", " -------: "],
        [" lr  ", "      2 ", "       10 "],
    ]
    with pytest.raises(UsageError, match="unknown key 'val/psrn'"):
        found.text(["val/psrn"])


def test_evaluations_of_one_manifest_are_one_table_and_those_of_another_are_not(tmp_path):
    write(record({"x": 0.0}, photos=9), tmp_path / "one")
    write(record({"y": 1.0}, photos=9), tmp_path / "two")
    write(record({"z": 1.0}, photos=8), tmp_path / "three")
    found = compare([str(tmp_path / name) for name in ("one", "two", "three")])
    assert [each.record.models for each in found.outcomes] == [("x", "y"), ("z",)]
    (line,) = found.refused
    assert line in found.text()
    assert "photo p08.png is gone" in line
    hashes = [each.record.manifest.hash for each in found.outcomes]
    assert all(each in line for each in hashes)
    first = found.text().partition(hashes[1])[0]
    assert hashes[0] in first
    assert "| z " not in first


def test_a_run_brings_the_evaluations_that_lie_in_it(tmp_path):
    run = training(tmp_path / "my-run")
    write(record({"my-run": 0.0}, photos=7), run / "evaluation")
    found = compare([str(run), str(run)])
    assert [each.label for each in found.runs] == ["my-run"]
    assert [each.record.models for each in found.outcomes] == [("my-run",)]


def test_files_are_those_of_an_evaluation_and_of_several_manifests_each_has_its_folder(tmp_path):
    write(record({"x": 0.0, "y": 1.0}, photos=9), tmp_path / "one", pictures=2)
    write(record({"z": 1.0}, photos=8), tmp_path / "two")
    training(tmp_path / "run")
    alone = compare([str(tmp_path / "one"), str(tmp_path / "run")])
    assert alone.write(tmp_path / "out") == ["summary.csv", "summary.json", "table.md", "index.html"]
    assert (tmp_path / "out" / "table.md").read_text() == alone.text()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["manifest"]["hash"] == alone.outcomes[0].record.manifest.hash
    assert {each["model"] for each in summary["entries"]} == {"x", "y"}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "p00.png" in page
    assert "val/psnr_hole" in page
    both = compare([str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "run")])
    written = both.write(tmp_path / "both")
    hashes = [each.record.manifest.hash for each in both.outcomes]
    assert {f"{each}/summary.csv" for each in hashes} | {"index.html", "table.md"} <= set(written)
    assert all((tmp_path / "both" / name).is_file() for name in written)


def test_a_baseline_is_compared_with_where_it_was_measured(tmp_path):
    write(record({"x": 0.0, "y": 2.0, "z": 4.0}, photos=20), tmp_path / "one")
    write(record({"y": 1.0}, photos=8), tmp_path / "two")
    found = compare([str(tmp_path / "one"), str(tmp_path / "two")], against="x")
    assert {each.against for each in found.outcomes[0].summary.differences} == {"x"}
    assert found.outcomes[1].summary.differences == ()
    with pytest.raises(UsageError, match="no evaluation holds the model 'w' to compare with: they measured x, y, z"):
        compare([str(tmp_path / "one")], against="w")


def test_what_is_neither_a_run_nor_an_evaluation_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    for place, line in (("nowhere", "there is no such folder"), ("empty", "is no run and no evaluation")):
        with pytest.raises(RunError, match=line):
            compare([str(tmp_path / place)])
    with pytest.raises(UsageError, match="nothing to compare"):
        compare([])
    with pytest.raises(UsageError, match="there is no evaluation among them"):
        compare([str(training(tmp_path / "run"))], against="x")


def test_a_changed_manifest_is_refused(tmp_path):
    folder = write(record({"x": 0.0}, photos=4), tmp_path / "one")
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"p00.png"', '"p99.png"'))
    with pytest.raises(InpaintError, match="was changed: its hash is"):
        compare([str(folder)])
