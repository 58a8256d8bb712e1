"""Going on with a folder: what is left alone, and what is done anew."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from inpaint.pipeline import JobOptions, RunJournal, plan_jobs, run_jobs


@pytest.fixture
def go(folders, gray_inpainter):
    """Runs the folder and returns what became of each photo, by name."""

    def run(*, resume=True, by="gray", masks="masks", **options):
        jobs = plan_jobs(folders / "photos", folders / masks, folders / "out")
        chosen = JobOptions(**options)
        with RunJournal(folders / "out", asked=[by, chosen], resume=resume) as journal:
            outcomes = list(run_jobs(jobs, gray_inpainter, chosen, journal=journal))
        return {outcome.job.image.name: outcome.status for outcome in outcomes}

    return run


def lines(folders):
    return [json.loads(line) for line in (folders / "out/journal.jsonl").read_text().splitlines()]


ALL = {"a.jpg": "filled", "b.png": "filled", "c.tif": "filled"}
NONE = dict.fromkeys(ALL, "skipped")


def test_every_photo_has_a_line_that_says_what_became_of_it_and_why(folders, go):
    (folders / "photos/b.png").write_text("text")
    Image.new("L", (56, 40)).save(folders / "masks/a.png")
    go()
    assert [(line["output"], line["status"]) for line in lines(folders)] == [
        ("a.jpg", "without a hole"),
        ("b.png", "failed"),
        ("sub/c.tif", "filled"),
    ]
    assert "its content is not an image" in lines(folders)[1]["why"]


def test_what_is_done_is_left_alone_and_what_failed_is_tried_again(folders, go, make_photo):
    (folders / "photos/b.png").write_text("text")
    assert go() == {**ALL, "b.png": "failed"}
    before = (folders / "out/a.jpg").stat().st_mtime_ns
    assert go() == {**NONE, "b.png": "failed"}
    Image.fromarray(make_photo(40, 56)).save(folders / "photos/b.png")
    assert go() == {**NONE, "b.png": "filled"}
    assert go() == NONE
    assert (folders / "out/a.jpg").stat().st_mtime_ns == before
    assert go(resume=False) == ALL


def test_what_changed_is_done_anew(folders, go, make_photo):
    go()
    Image.fromarray(make_photo(40, 56, 9)).save(folders / "photos/b.png")
    assert go() == {**NONE, "b.png": "filled"}
    Image.fromarray(np.full((40, 56), 255, np.uint8) * (np.arange(56) < 9).astype(np.uint8)).save(
        folders / "masks/a.png"
    )
    assert go() == {**NONE, "a.jpg": "filled"}
    (folders / "out/sub/c.tif").unlink()
    assert go() == {**NONE, "c.tif": "filled"}
    assert go(dilate_px=1) == ALL
    assert go(dilate_px=1, by="another model") == ALL
    assert go(dilate_px=1) == ALL  # the other model's are there now
    assert go(dilate_px=1) == NONE


def test_files_that_are_only_touched_or_moved_are_the_same(folders, go):
    go()
    (folders / "photos/b.png").touch()
    (folders / "masks").rename(folders / "elsewhere")
    assert go(masks="elsewhere") == NONE


def test_a_photo_that_changes_while_it_is_filled_is_done_again(folders, go, gray_inpainter, make_photo):
    fill = gray_inpainter.answer

    def changed(image, mask, **options):
        if gray_inpainter.calls == 0:
            Image.fromarray(make_photo(40, 56, 7)).save(folders / "photos/a.jpg")
        return fill(image, mask, **options)

    gray_inpainter.answer = changed
    assert go() == ALL
    assert go() == {**NONE, "a.jpg": "filled"}
    assert go() == NONE


def test_a_kill_in_the_middle_costs_the_photo_at_work_and_leaves_nothing_half(folders, go):
    go()
    expected = (folders / "out/sub/c.tif").read_bytes()
    path = folders / "out/journal.jsonl"
    cut = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(cut[:2]) + cut[2][:20])
    (folders / "out/sub/c.tif").unlink()
    (folders / "out/sub/.c.tif.0123abcd.tmp").write_bytes(b"half")
    other = folders / "out/sub/.somebody.png.0123abcd.tmp"
    other.write_bytes(b"half of another program")
    assert go() == {**NONE, "c.tif": "filled"}
    assert (folders / "out/sub/c.tif").read_bytes() == expected
    assert sorted(each.name for each in (folders / "out/sub").iterdir()) == [other.name, "c.tif"]


def test_samples_and_their_number_are_part_of_what_is_asked_for(folders):
    (job,) = plan_jobs(folders / "photos/b.png", folders / "masks/b.png", folders / "out/")
    with RunJournal(folders / "out", asked="") as journal:
        asked = {journal._request(each) for each in (job, replace(job, samples=2), replace(job, samples=2, top=1))}
    assert len(asked) == 3
