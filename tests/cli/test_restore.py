"""`inpaint restore` as a user calls it: every task, every wrong input, interruptions, traces."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from inpaint.cli import course, restore
from inpaint.cli.main import run
from inpaint.dip.presets import TASKS
from inpaint.system import environment
from interrupting import heed_interrupts, status_of

HOLE = np.zeros((40, 56), bool)
HOLE[10:14, 15:40] = True
QUICK = ["--iterations=5", "--width=8", "--device=cpu"]


def save(path, values):
    Image.fromarray(values).save(path)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    save("photo.png", make_photo(40, 56))
    save("lit.png", make_photo(40, 56, 1))
    save("mask.png", HOLE * np.uint8(255))
    save("keep.png", ~HOLE * np.uint8(255))
    save("black.png", np.zeros((40, 56), np.uint8))
    save("white.png", np.full((40, 56), 255, np.uint8))
    save("portrait.png", np.zeros((56, 40), np.uint8))
    save("narrow.png", make_photo(40, 7))
    save("small_lit.png", make_photo(20, 28))
    (tmp_path / "text.png").write_bytes(b"no image")
    return tmp_path


def test_the_tasks_are_those_of_the_library():
    assert tuple(restore.TASKS) == TASKS


@pytest.mark.parametrize("mask", ["--mask=mask.png", "--mask=keep.png --invert-mask"])
def test_known_pixels_stay_and_the_hole_is_painted(here, capsys, mask):
    arguments = ["--task=inpaint", "--image=photo.png", *mask.split(), "--output=new/out.png", *QUICK]
    assert run(["restore", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("text: 56 x 40 px, 8 channels, 5 scales, 5 iterations in ")
    assert out.splitlines()[1] == "wrote new/out.png"
    assert err.startswith(
        "warning: photo.png: it was asked for 5 of the 6,001 iterations of the preset text; a budget of "
    )
    before, after = pixels("photo.png"), pixels("new/out.png")
    assert np.array_equal(after[~HOLE], before[~HOLE])
    assert not np.array_equal(after[HOLE], before[HOLE])


@pytest.mark.parametrize(
    ("task", "more", "shape"),
    [
        ("restore", ["--mask=mask.png"], (40, 56, 3)),
        ("denoise", [], (40, 56, 3)),
        ("denoise", ["--preset=jpeg", "--stop=window"], (40, 56, 3)),
        ("super-resolve", ["--scale=2", "--lobes=3"], (80, 112, 3)),
        ("flash", ["--flash=lit.png"], (40, 56, 3)),
        ("denoise", ["--network=decoder", "--tv=0.001", "--runs=2"], (40, 56, 3)),
        ("denoise", ["--exact"], (40, 56, 3)),
    ],
)
def test_every_task_writes_an_image_of_its_size(here, task, more, shape):
    assert run(["restore", f"--task={task}", "--image=photo.png", "--output=out.png", *more, *QUICK]) == 0
    assert pixels("out.png").shape == shape


def test_alpha_and_depth_are_kept(here, make_photo):
    alpha = np.tile(np.arange(56, dtype=np.uint8), (40, 1))
    save("rgba.png", np.dstack((make_photo(40, 56), alpha)))
    assert run(["restore", "--task=denoise", "--image=rgba.png", "--output=out.png", *QUICK]) == 0
    assert np.array_equal(pixels("out.png")[..., 3], alpha)
    arguments = ["--task=super-resolve", "--scale=2", "--image=rgba.png", "--output=large.png"]
    assert run(["restore", *arguments, *QUICK]) == 0
    assert pixels("large.png").shape == (80, 112, 4)
    save("gray16.png", (np.arange(40 * 56).reshape(40, 56) * 25).astype(np.uint16))
    assert run(["restore", "--task=denoise", "--image=gray16.png", "--output=gray.png", *QUICK]) == 0
    assert pixels("gray.png").dtype == np.uint16


def test_a_hole_is_restored_as_infer_fills_it_with_the_same_seed(here):
    common = ["--image=photo.png", "--mask=mask.png", "--device=cpu", "--seed=5", "--dilate=1"]
    assert run(["restore", "--task=inpaint", "--output=one.png", "--iterations=5", "--width=8", *common]) == 0
    options = ["--option=iterations=5", "--option=width=8"]
    assert run(["infer", "--model=dip", "--output=other.png", *options, *common]) == 0
    assert np.array_equal(pixels("one.png"), pixels("other.png"))
    assert not np.array_equal(pixels("one.png"), pixels("photo.png"))


def test_a_trace_tells_the_course_and_previews_are_written(here, monkeypatch):
    from inpaint.images import writing

    written, write = [], writing.write_photo
    monkeypatch.setattr("inpaint.images.writing.write_photo", lambda *a, **k: (written.append(a[1]), write(*a, **k)))
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=mask.png", "--output=out.png", "--trace=sub/t.json"]
    assert run(["restore", *arguments, "--preview-every=2", "--seed=3", *QUICK]) == 0
    assert len(written) == 3  # after iterations 2 and 4, and at the end
    trace = json.loads((here / "sub/t.json").read_text())
    assert (trace["request"]["task"], trace["request"]["seed"]) == ("inpaint", 3)
    part = trace["parts"][0]
    assert (part["preset"], part["iterations"], part["reason"]) == ("text", 5, "finished")
    rows = part["trace"]
    assert [row["iteration"] for row in rows] == [1, 5]
    assert rows[-1]["loss"] > 0


def test_the_map_of_uncertainty_is_a_gray_image(here, capsys):
    arguments = ["--task=denoise", "--image=photo.png", "--output=out.png", "--uncertainty=map.png"]
    assert run(["restore", *arguments, "--iterations=210", "--width=4", "--device=cpu"]) == 0
    assert "wrote map.png: white is a deviation of 0." in capsys.readouterr().out
    assert pixels("map.png").shape == (40, 56)
    assert pixels("map.png").max() == 255


def test_a_run_too_short_for_a_map_of_uncertainty_says_so(here, capsys):
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=mask.png", "--output=out.png", "--uncertainty=map.png"]
    assert run(["restore", *arguments, *QUICK]) == 0
    assert "warning: map.png: too few samples for a map of uncertainty: it is not written\n" in capsys.readouterr().err
    assert not (here / "map.png").exists()


def test_a_budget_for_a_few_iterations_warns(here, capsys):
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=mask.png", "--output=out.png", "--budget=0.1s"]
    assert run(["restore", *arguments, "--device=cpu"]) == 0
    assert "warning: photo.png: the budget had room for " in capsys.readouterr().err


def test_without_a_hole_what_was_asked_for_is_written_all_the_same(here, capsys):
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=black.png", "--output=out.png"]
    assert run(["restore", *arguments, "--uncertainty=deep/map.png", "--trace=deep/t.json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote deep/map.png: white is a deviation of 0.0000",
        "wrote out.png",
    ]
    assert json.loads((here / "deep/t.json").read_text())["parts"] == []
    assert pixels("deep/map.png").shape == (40, 56)
    assert not pixels("deep/map.png").any()


def test_a_hole_in_one_color_has_a_map_without_doubt(here):
    save("plain.png", np.full((40, 56, 3), 90, np.uint8))
    arguments = ["--task=inpaint", "--image=plain.png", "--mask=mask.png", "--output=out.png", "--uncertainty=map.png"]
    assert run(["restore", *arguments]) == 0
    assert not pixels("map.png").any()


def test_a_transparent_hole_is_warned_of(here, capsys, make_photo):
    save("erased.png", np.dstack((make_photo(40, 56), np.where(HOLE, 0, 255).astype(np.uint8))))
    arguments = ["--task=inpaint", "--image=erased.png", "--mask=mask.png", "--output=out.png"]
    assert run(["restore", *arguments, *QUICK]) == 0
    assert "transparent" in capsys.readouterr().err


def test_without_a_hole_the_photo_is_written_as_it_is(here, capsys):
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=black.png", "--output=out.png"]
    assert run(["restore", *arguments]) == 0
    assert capsys.readouterr().err == "warning: photo.png: the mask has no hole, so nothing is filled\n"
    assert np.array_equal(pixels("out.png"), pixels("photo.png"))


BAD = {
    "missing photo": ({"image": "no.png"}, 1, "cannot read 'no.png': no such file"),
    "text named png": ({"image": "text.png"}, 1, "its content is not an image"),
    "no mask": ({"mask": None}, 2, "the task inpaint needs a mask: which pixels are missing"),
    "no mask for restore": ({"task": "restore", "mask": None}, 2, "the task restore needs a mask"),
    "mask for denoising": ({"task": "denoise"}, 2, "the task denoise takes no mask"),
    "no flash": ({"task": "flash", "mask": None}, 2, "the task flash needs a flash image"),
    "unwanted flash": ({"flash": "lit.png"}, 2, "the task inpaint takes no flash image"),
    "flash of another size": (
        {"task": "flash", "mask": None, "flash": "small_lit.png"},
        1,
        "the image with flash has 28 x 20 pixels, the one without 56 x 40",
    ),
    "all hole": ({"mask": "white.png"}, 1, "the mask covers the whole photo"),
    "other aspect": ({"mask": "portrait.png"}, 1, "portrait.png: the mask has 40 x 56 pixels, the photo 56 x 40"),
    "seven wide": ({"task": "denoise", "image": "narrow.png", "mask": None}, 1, "needs at least 8 a side"),
    "unknown task": ({"task": "sharpen"}, 2, "'sharpen' is not one of"),
    "unknown preset": ({"preset": "vaze"}, 2, "unknown preset 'vaze' (did you mean 'vase'?)"),
    "preset of another task": ({"preset": "jpeg"}, 2, "the preset 'jpeg' is for denoise; for inpaint: vase, text"),
    "no time": ({"budget": "soon"}, 2, "budget: must be a time like 60s, 5m or 1h, or none; got 'soon'"),
    "unknown scale": ({"scale": "3"}, 2, "'3' is not one of '2', '4', '8'"),
    "unknown device": ({"device": "tpu"}, 2, "unknown device 'tpu'"),
    "unknown suffix": ({"output": "x.gif"}, 2, "unknown suffix '.gif'"),
    "onto itself": ({"output": "photo.png"}, 2, "would overwrite a file that is read"),
    "trace onto the output": ({"trace": "out.png"}, 2, "must be different files"),
    "result too large": (
        {"task": "super-resolve", "mask": None, "scale": "8", "max-pixels": "100000"},
        1,
        "the result would have 448 x 320 pixels, more than the limit of 100,000",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(here, capsys, case):
    changes, status, text = BAD[case]
    options = {"task": "inpaint", "image": "photo.png", "mask": "mask.png", "output": "out.png", "iterations": "3"}
    options |= changes
    before = sorted(path.name for path in here.rglob("*"))
    assert run(["restore", *(f"--{key}={value}" for key, value in options.items() if value is not None)]) == status
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert (out, len(errors)) == ("", 1)
    assert errors[0].startswith("error: ")
    assert text in errors[0]
    assert sorted(path.name for path in here.rglob("*")) == before


SIGNALS = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@SIGNALS
def test_a_signal_writes_what_there_is(here, monkeypatch, capsys, number, status):
    write, written = course.Course.write, []

    def interrupted(work, photo):
        write(work, photo)
        written.append(photo)
        if len(written) == 1:
            signal.raise_signal(number)

    monkeypatch.setattr(course.Course, "write", interrupted)
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=mask.png", "--output=out.png", "--preview-every=2"]
    assert status_of(["restore", *arguments, "--iterations=1000", "--width=8", "--device=cpu"]) == status
    out, err = capsys.readouterr()
    assert "2 iterations in" in out
    assert "(interrupted)" in out
    assert err.endswith("interrupted: the output holds what there was\n")
    assert len(written) == 2
    assert np.array_equal(pixels("out.png")[~HOLE], pixels("photo.png")[~HOLE])


@pytest.mark.slow
@SIGNALS
def test_a_process_that_gets_a_signal_writes_what_there_is(here, number, status):
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=mask.png", "--output=out.png", "--preview-every=1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "inpaint", "restore", *arguments, "--iterations=1000000", "--width=8", "--device=cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        deadline = time.monotonic() + 120
        while not (here / "out.png").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status, err
    assert "(interrupted)" in out
    assert err.endswith("interrupted: the output holds what there was\n")
    assert np.array_equal(pixels("out.png")[~HOLE], pixels("photo.png")[~HOLE])


def test_a_budget_ends_the_restoring(here, monkeypatch, capsys):
    arguments = ["--task=inpaint", "--image=photo.png", "--mask=mask.png", "--output=out.png", "--device=cpu"]
    monkeypatch.setattr(environment, "process_age_s", lambda: 0.2)  # not that of the tests
    assert run(["restore", *arguments, "--budget=2s"]) == 0
    assert "(budget)" in capsys.readouterr().out
