"""The page of an evaluation: what its record and its summary put on it."""

from __future__ import annotations

from dataclasses import replace

from evaluations import record, write
from inpaint.evaluation.outcomes import outcome
from inpaint.evaluation.outputs import write_outputs
from inpaint.evaluation.page import report_of
from inpaint.evaluation.record import MASKED, ORIGINAL, Failure, Record

GAINS = {"telea": 0.0, "mine": 1.0}


def test_the_hash_and_every_mean_stand_on_the_page(tmp_path):
    made = record(GAINS, masks=("thick", "text"))
    report = report_of(outcome(made))
    assert made.manifest.hash in [fact.text for fact in report.facts if fact.code]
    assert (report.models, report.masks) == (("telea", "mine"), ("thick", "text"))
    at = {(e.mask, e.bucket, e.model, e.measure): e.mean for e in report.entries}
    values = [row.values["psnr_hole"] for row in made.rows if (row.mask, row.model) == ("text", "mine")]
    assert abs(at["text", "all", "mine", "psnr_hole"] - sum(values) / len(values)) < 1e-9
    assert {each.measure for each in report.entries} <= {column.name for column in report.measures}


def test_photos_are_shown_with_their_numbers_and_the_pictures_that_are_kept(tmp_path):
    write(record(GAINS), tmp_path / "out", pictures=3)
    read = Record.read(tmp_path / "out")
    report = report_of(outcome(read))
    assert [each.image for each in report.examples] == ["p00.png", "p01.png", "p02.png"]
    first, row = report.examples[0], read.rows[1]
    assert set(first.pictures) == {MASKED, ORIGINAL, *GAINS}
    assert first.values[row.model] == {**row.values, "seconds": row.seconds}
    assert first.ratio == row.values["hole_ratio"]
    assert "Pictures of 3 photos are kept and shown, of 20 that were measured." in report.notes


def test_without_any_picture_all_numbers_are_shown_and_failures_are_told():
    failure = Failure(image="p03.png", mask="thick", model="mine", reason="out of memory")
    report = report_of(outcome(replace(record(GAINS), failures=(failure,))))
    assert len(report.examples) == 20
    assert "mine gave nothing for 1, first p03.png: out of memory" in report.notes


def test_a_finished_evaluation_gets_its_page(tmp_path):
    made = record(GAINS)
    settings = {**made.settings, "data": "photos", "processes": 1, "command": "inpaint evaluate", "skipped_files": 0}
    write(replace(made, settings=settings), tmp_path / "out", pictures=1)
    write_outputs(tmp_path / "out")
    assert made.manifest.hash in (tmp_path / "out" / "index.html").read_text()
