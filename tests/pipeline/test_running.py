"""Folders in and out: who belongs to whom, and what happens when one of many fails."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inpaint
from inpaint.errors import InputError, UsageError
from inpaint.pipeline import JobOptions, plan_jobs, run_jobs


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def run(jobs, inpainter, **options):
    return list(run_jobs(jobs, inpainter, JobOptions(**options)))


def test_masks_are_found_by_stem_and_results_keep_folder_name_and_format(folders, gray_inpainter):
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    assert [job.masks[0].relative_to(folders / "masks").as_posix() for job in jobs] == ["a.png", "b.png", "sub/c.png"]
    outcomes = run(jobs, gray_inpainter)
    assert [outcome.status for outcome in outcomes] == ["filled"] * 3
    assert files(folders / "out") == ["a.jpg", "b.png", "sub/c.tif"]
    hole = np.asarray(Image.open(folders / "masks/b.png")) > 0
    before, after = (np.asarray(Image.open(folders / each / "b.png")) for each in ("photos", "out"))
    assert np.array_equal(after[~hole], before[~hole])
    assert (after[hole] == 128).all()


def test_one_mask_serves_all_photos_and_is_read_once(folders, gray_inpainter, monkeypatch):
    from inpaint.pipeline import running as room

    reads = []
    original = room.read_mask
    monkeypatch.setattr(room, "read_mask", lambda path, **options: reads.append(path) or original(path, **options))
    jobs = plan_jobs(folders / "photos", folders / "masks/a.png", folders / "out")
    assert {outcome.status for outcome in run(jobs, gray_inpainter)} == {"filled"}
    assert reads == [folders / "masks/a.png"]


def test_lama_names_in_one_folder_are_understood(tmp_path, make_photo, gray_inpainter):
    hole = np.zeros((40, 56), np.uint8)
    hole[5:9, 5:9] = 255
    for name in ("x.png", "y_mask.png"):
        Image.fromarray(make_photo(40, 56)).save(tmp_path / name)
    for name in ("x_mask001.png", "x_mask002.png", "y_mask_mask000.png"):
        Image.fromarray(hole).save(tmp_path / name)
    jobs = plan_jobs(tmp_path, tmp_path, tmp_path / "out")
    assert [(job.image.name, job.masks[0].name, job.output.name) for job in jobs] == [
        ("x.png", "x_mask001.png", "x_mask001.png"),
        ("x.png", "x_mask002.png", "x_mask002.png"),
        ("y_mask.png", "y_mask_mask000.png", "y_mask.png"),
    ]
    assert {outcome.status for outcome in run(jobs, gray_inpainter)} == {"filled"}


def test_results_inside_the_photo_folder_are_no_photos_the_next_time(folders, gray_inpainter):
    out = folders / "photos" / "out"
    run(plan_jobs(folders / "photos", folders / "masks", out), gray_inpainter)
    assert len(plan_jobs(folders / "photos", folders / "masks", out)) == 3


def test_photos_of_one_stem_keep_their_suffix_and_share_the_mask(folders, make_photo):
    Image.fromarray(make_photo(40, 56)).save(folders / "photos/a.png")
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    assert [job.output.name for job in jobs] == ["a.jpg", "a.png", "b.png", "c.tif"]
    assert jobs[0].masks == jobs[1].masks


def test_of_several_masks_of_one_name_the_png_is_used_aloud(folders, caplog):
    Image.open(folders / "masks/b.png").save(folders / "masks/b.bmp")
    Image.open(folders / "masks/b.png").save(folders / "masks/a.tif")
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    assert [job.masks[0].name for job in jobs] == ["a.png", "b.png", "c.png"]
    assert caplog.text.count("several masks have its name") == 2


@pytest.mark.parametrize(("output", "expected"), [("x.png", "x.png"), ("out", "out/a.jpg"), ("out.d/", "out.d/a.jpg")])
def test_one_photo_goes_to_the_file_or_into_the_folder(folders, output, expected):
    (job,) = plan_jobs(folders / "photos/a.jpg", folders / "masks", f"{folders}/{output}")
    assert job.output == folders / expected


def test_what_cannot_work_is_refused_before_anything_is_read(folders):
    photos, masks = folders / "photos", folders / "masks"
    with pytest.raises(UsageError, match="the output must be a folder, not the file"):
        plan_jobs(photos, masks, folders / "out.png")
    with pytest.raises(UsageError, match="would overwrite a file that is read"):
        plan_jobs(photos, masks, photos)
    with pytest.raises(UsageError, match="would overwrite a file that is read"):
        plan_jobs(photos / "b.png", masks / "b.png", masks / "b.png")
    with pytest.raises(UsageError, match=r"unknown suffix '\.gif'"):
        plan_jobs(photos / "b.png", masks, folders / "out.gif")
    with pytest.raises(InputError, match=r"cannot read '.*no\.png': no such file"):
        plan_jobs(folders / "no.png", masks, folders / "out")
    with pytest.raises(InputError, match=r"cannot read '.*no': no such file"):
        plan_jobs(photos, folders / "no", folders / "out")
    (folders / "empty").mkdir()
    with pytest.raises(InputError, match="no photo in"):
        plan_jobs(folders / "empty", masks, folders / "out")
    assert not (folders / "out").exists()


def test_a_bad_file_is_reported_and_the_rest_goes_on(folders, gray_inpainter):
    (folders / "photos/b.png").write_text("text")
    Image.new("RGB", (56, 40)).save(folders / "photos/lonely.png")
    Image.new("L", (10, 40), 255).save(folders / "masks/a.png")
    outcomes = run(plan_jobs(folders / "photos", folders / "masks", folders / "out"), gray_inpainter)
    assert [(outcome.job.image.name, outcome.status) for outcome in outcomes] == [
        ("a.jpg", "failed"),
        ("b.png", "failed"),
        ("lonely.png", "failed"),
        ("c.tif", "filled"),
    ]
    assert "another shape" in outcomes[0].reason
    assert "its content is not an image" in outcomes[1].reason
    assert "no mask lonely.* or lonely_mask*.*" in outcomes[2].reason
    assert files(folders / "out") == ["sub/c.tif"]


def test_a_defect_of_the_model_on_one_photo_does_not_end_the_others(folders, gray_inpainter):
    original = gray_inpainter.answer

    def sometimes(image, mask, **options):
        if gray_inpainter.calls == 0:
            gray_inpainter.calls += 1
            raise RuntimeError("a shape\nis wrong")
        return original(image, mask, **options)

    gray_inpainter.answer = sometimes
    outcomes = run(plan_jobs(folders / "photos", folders / "masks", folders / "out"), gray_inpainter)
    assert [outcome.status for outcome in outcomes] == ["failed", "filled", "filled"]
    assert outcomes[0].reason.endswith("a.jpg: RuntimeError: a shape is wrong")


def test_existing_results_are_kept_when_asked(folders, gray_inpainter):
    (folders / "out").mkdir()
    (folders / "out/b.png").write_bytes(b"mine")
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    outcomes = run(jobs, gray_inpainter, skip_existing=True)
    assert sorted(outcome.status for outcome in outcomes) == ["filled", "filled", "skipped"]
    assert (folders / "out/b.png").read_bytes() == b"mine"
    run(jobs, gray_inpainter)
    assert (folders / "out/b.png").read_bytes() != b"mine"


def test_without_a_hole_the_file_itself_is_copied(folders, gray_inpainter, caplog):
    Image.new("L", (56, 40), 0).save(folders / "masks/a.png")
    (job,) = plan_jobs(folders / "photos/a.jpg", folders / "masks", folders / "out.jpeg")
    assert run([job], gray_inpainter)[0].status == "without a hole"
    assert (folders / "out.jpeg").read_bytes() == (folders / "photos/a.jpg").read_bytes()
    assert gray_inpainter.calls == 0
    assert "the mask has no hole" in caplog.text
    (job,) = plan_jobs(folders / "photos/a.jpg", folders / "masks", folders / "out.png")
    run([job], gray_inpainter)
    with Image.open(folders / "out.png") as back, Image.open(folders / "photos/a.jpg") as source:
        assert back.format == "PNG"
        assert np.array_equal(np.asarray(back), np.asarray(source))


def test_the_next_photo_is_decoded_while_the_model_works(folders, gray_inpainter, monkeypatch):
    from inpaint.pipeline import running as room

    read = {name: threading.Event() for name in ("a.jpg", "b.png", "c.tif")}
    original = room.read_photo

    def remember(path, **options):
        photo = original(path, **options)
        read[Path(path).name].set()
        return photo

    monkeypatch.setattr(room, "read_photo", remember)
    fill, waits = gray_inpainter.answer, iter(("b.png", "c.tif"))

    def wait_for_next(image, mask, **options):
        assert all(read[name].wait(20) for name in [next(waits, None)] if name)
        return fill(image, mask, **options)

    gray_inpainter.answer = wait_for_next
    outcomes = run(plan_jobs(folders / "photos", folders / "masks", folders / "out"), gray_inpainter)
    assert {outcome.status for outcome in outcomes} == {"filled"}


def test_leaving_in_the_middle_keeps_what_is_finished_and_nothing_half(folders, gray_inpainter):
    fill = gray_inpainter.answer

    def interrupted(image, mask, **options):
        if gray_inpainter.calls == 1:
            raise KeyboardInterrupt
        return fill(image, mask, **options)

    gray_inpainter.answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(plan_jobs(folders / "photos", folders / "masks", folders / "out"), gray_inpainter)
    assert files(folders / "out") == ["a.jpg"]


@pytest.mark.parametrize("kind", ["sketch", "edges"])
def test_lines_are_matched_as_a_mask_is(folders, kind):
    (folders / "lines").mkdir()
    Image.open(folders / "masks/b.png").save(folders / "lines/b.png")
    Image.open(folders / "masks/a.png").save(folders / f"lines/a_{kind}.png")
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out", guidance={kind: folders / "lines"})
    found = [job.guidance[kind] for job in jobs]
    assert [path.name for path in found[:2]] == [f"a_{kind}.png", "b.png"]
    assert f"no {kind} c.*" in found[2]


def test_lines_are_refused_where_nothing_is_filled(folders):
    shown = {"guidance": {"sketch": folders / "masks"}, "save_mask": folders / "out"}
    with pytest.raises(UsageError, match="sketch: for a fill to follow, and without an output nothing is filled"):
        run(plan_jobs(folders / "photos", folders / "masks", None, **shown), None)
    assert not (folders / "out").exists()


def test_an_output_folder_around_the_photos_hides_none_of_them(folders):
    assert len(plan_jobs(folders / "photos", folders / "masks", folders)) == 3


@pytest.mark.parametrize("name", ["telea", "biharmonic", "patch"])
def test_photos_filled_at_the_same_time_are_the_same_files_with_outcomes_in_order(folders, name):
    (folders / "photos/aa.png").write_text("no image")
    fill = inpaint.load(name, device="cpu")
    found = {}
    for at_once in (1, 3, None):
        place = folders / f"out{at_once}"
        jobs = plan_jobs(folders / "photos", folders / "masks/a.png", place)
        outcomes = list(run_jobs(jobs, fill, JobOptions(seed=3), at_once=at_once))
        assert [outcome.job for outcome in outcomes] == jobs
        assert [outcome.status for outcome in outcomes] == ["filled", "failed", "filled", "filled"]
        found[at_once] = [(path, (place / path).read_bytes()) for path in files(place)]
    assert len(found[1]) == 3
    assert found[1] == found[3] == found[None]


def test_a_model_that_is_no_fill_for_thread_safe_is_not_run_several_times_at_once(folders, gray_inpainter):
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    with pytest.raises(UsageError, match="gray fills one photo at a time"):
        list(run_jobs(jobs, gray_inpainter, JobOptions(), at_once=2))
    seen = set()
    fill = gray_inpainter.answer
    gray_inpainter.answer = lambda *arguments, **options: seen.add(threading.get_ident()) or fill(*arguments, **options)
    assert {outcome.status for outcome in run_jobs(jobs, gray_inpainter, JobOptions())} == {"filled"}
    assert seen == {threading.get_ident()}


def test_leaving_fills_that_run_at_the_same_time_hurries_them_and_writes_no_more(folders, gray_inpainter):
    begun = threading.Barrier(3, timeout=60)  # two fills and this test
    Image.new("RGB", (56, 40)).save(folders / "photos" / "a.jpg")

    class Endless(type(gray_inpainter)):
        name = "endless"
        capabilities = replace(gray_inpainter.capabilities, thread_safe=True)

        def paint(self, image, hole, context):
            if image.any():  # which fill begins first is chance, so the first of the list is told by being black
                begun.wait()
                while True:
                    context.clock.report(0.5, preview=object())
                    time.sleep(0.001)
            return super().paint(image, hole, context)

    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    outcomes = run_jobs(jobs, Endless(), JobOptions(), at_once=2)
    assert jobs[0].image.name == "a.jpg"
    assert next(outcomes).status == "filled"
    begun.wait()
    outcomes.close()
    assert len(files(folders / "out")) == 1


def test_the_steps_of_photos_filled_at_the_same_time_are_told_together(folders, make_gray_inpainter):
    begun, told = threading.Barrier(3, timeout=60), []
    inpainter = make_gray_inpainter()
    inpainter.capabilities, inpainter.steps = replace(inpainter.capabilities, thread_safe=True), 10

    def paint(image, hole, context):
        context.clock.report(0.5)
        begun.wait()
        return np.full_like(image, 0.5)

    inpainter.paint = paint
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    listed = run_jobs(jobs, inpainter, JobOptions(), at_once=3, progress=lambda step, items: told.append((step, items)))
    assert [outcome.status for outcome in listed] == ["filled"] * 3
    assert [(step.done, step.total, items) for step, items in told[:3]] == [(5, 10, 1), (10, 20, 2), (15, 30, 3)]
    assert max(step.done / step.total for step, _ in told[3:]) == 1


@pytest.mark.parametrize(("free_bytes", "expected"), [(10**9, True), (1000, False), (None, True)])
def test_photos_are_filled_at_once_as_far_as_memory_reaches(
    folders, make_gray_inpainter, monkeypatch, free_bytes, expected
):
    from inpaint.pipeline import running as room

    monkeypatch.setattr(room, "available_memory_bytes", lambda: free_bytes)
    inpainter = make_gray_inpainter()
    inpainter.capabilities = replace(inpainter.capabilities, thread_safe=True)
    lock, now, most = threading.Lock(), 0, 0

    def paint(image, hole, context):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.2)
        with lock:
            now -= 1
        return np.full_like(image, 0.5)

    monkeypatch.setattr(inpainter, "paint", paint)
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    outcomes = list(run_jobs(jobs, inpainter, JobOptions(), at_once=3))
    assert [outcome.status for outcome in outcomes] == ["filled"] * 3
    assert (most > 1) == expected
