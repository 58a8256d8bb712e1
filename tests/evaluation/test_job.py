import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluations import MASKS, read_rows
from inpaint.errors import InpaintError, UsageError
from inpaint.evaluation import Loadable
from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.record import picture_path
from inpaint.metrics import MEASURES, SetMeasure
from inpaint.metrics.base import Extractor


def fills_noted(folder):
    return (folder / "measured.jsonl").read_text().count("\n") - 1  # a line says of which manifest


def test_an_interrupted_evaluation_goes_on_and_ends_as_an_uninterrupted_one(run, models, tmp_path):
    run("whole")

    def interrupt(progress):
        if progress.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("parts", progress=interrupt)
    assert fills_noted(tmp_path / "parts") == 7
    assert not (tmp_path / "parts" / "results.csv").exists()
    for model in models.values():
        model.calls = 0
    seen = []
    run("parts", progress=seen.append)
    assert (seen[0].done, seen[0].total, seen[-1].done) == (7, 16, 16)
    assert sum(model.calls for model in models.values()) == 9 + 2  # what was left, and a warm-up each
    assert (tmp_path / "parts/results.csv").read_bytes() == (tmp_path / "whole/results.csv").read_bytes()


def test_a_finished_evaluation_is_not_done_again(run, models, tmp_path):
    first = run()
    lines = (tmp_path / "out" / "results.csv").read_bytes()
    for model in models.values():
        model.calls = 0
    again = run()
    assert sum(model.calls for model in models.values()) == 0
    assert (tmp_path / "out" / "results.csv").read_bytes() == lines
    assert again.table == first.table


@pytest.mark.parametrize("cut", [1, 40, 10**9])
def test_a_torn_last_line_is_dropped_and_done_again(run, tmp_path, cut):
    run()
    path = tmp_path / "out" / "measured.jsonl"
    before = (tmp_path / "out/results.csv").read_bytes()
    lines = path.read_bytes()
    path.write_bytes(lines[:-1][: -min(cut, len(lines) - 60)])
    run()
    assert (tmp_path / "out/results.csv").read_bytes() == before
    assert path.read_bytes().count(b"\n") == lines.count(b"\n")


def test_a_model_that_was_trained_further_is_measured_anew_and_the_earlier_one_remembered(run, models, tmp_path):
    gray, dark = models["gray"], models["dark"]
    run(chosen={"mine": gray}, identities={"mine": "one"})
    first = (tmp_path / "out/results.csv").read_bytes()
    run(chosen={"mine": dark}, identities={"mine": "two"})
    assert dark.calls == 8 + 1  # a warm-up
    assert (tmp_path / "out/results.csv").read_bytes() != first
    gray.calls = 0
    run(chosen={"mine": gray}, identities={"mine": "one"})
    assert gray.calls == 0
    assert (tmp_path / "out/results.csv").read_bytes() == first


def test_pictures_are_those_of_the_model_that_has_the_label_now(run, models, tmp_path):
    path = picture_path(tmp_path / "out", image="a.png", mask="center", model="mine")
    options = {"masks": ["center"], "pictures": 1}
    seen = []
    for name in ("gray", "dark", "gray"):
        run(chosen={"mine": models[name]}, identities={"mine": name}, **options)
        seen.append(path.read_bytes())
    assert seen[0] == seen[2] != seen[1]


def test_further_measures_are_measured_beside_those_that_are_done(run, models, tmp_path):
    run("grown", measured=["psnr_hole"])
    run("grown", measured=["psnr_hole", "ssim", "l1_raw"])
    run("at once", measured=["psnr_hole", "ssim", "l1_raw"])
    whole = (tmp_path / "at once/results.csv").read_bytes()
    assert whole.startswith(b"image,mask,model,psnr_hole,ssim,l1_raw\n")
    assert (tmp_path / "grown/results.csv").read_bytes() == whole
    for model in models.values():
        model.calls = 0
    run("grown", measured=["ssim", "psnr_hole"])
    assert sum(model.calls for model in models.values()) == 0


class MeanColor(Extractor):
    """Three features."""

    name, dimensions = "mean color", 3

    def features(self, images):
        return images.double().mean(dim=(2, 3)).numpy()


class Colors(SetMeasure):
    """The distance of mean colors."""

    name, title, better, low, high = "colors", "colors", "lower", 0.0, 255.0
    least, advised, why = 3, 4, "so it is"

    def of_sets(self, sets):
        return float(np.abs(sets.painted.mean(axis=0) - sets.originals.mean(axis=0)).mean())


def test_measures_of_sets_compare_what_every_model_filled_and_say_nothing_of_too_few(
    run, monkeypatch, photo_folder, tmp_path
):
    monkeypatch.setitem(MEASURES, "colors", partial(Colors, MeanColor()))
    masks = ["center"]
    record = run(masks=masks, measured=["psnr", "colors"], pictures=4).record
    assert [(row.model, row.n) for row in record.sets] == [("gray", 4), ("dark", 4)]

    def mean(model):
        paths = [record.picture(key, "center", model) for key in record.manifest.keys]
        return np.mean([np.asarray(Image.open(path)).reshape(-1, 3).mean(axis=0) for path in paths], axis=0)

    for row in record.sets:
        assert row.value == pytest.approx(np.abs(mean(row.model) - mean("original")).mean(), rel=1e-12)
    few = run("few", masks=masks, measured=["psnr", "colors"], count=2)
    assert [(row.value, row.n) for row in few.record.sets] == [(None, 2), (None, 2)]
    assert "colors needs at least 3 images, got 2: so it is." in " ".join(few.table.split())


def test_a_further_model_is_measured_beside_those_that_are_done(run, models, make_gray_inpainter, tmp_path):
    run("grown")
    more = {**models, "light": make_gray_inpainter(0.9, "light")}
    for model in more.values():
        model.calls = 0
    result = run("grown", more)
    assert [model.calls for model in more.values()] == [0, 0, 4 * 2 + 1]  # a warm-up
    assert [(e.mask, e.model) for e in result.entries if (e.measure, e.bucket) == ("l1_hole", ALL)] == [
        (m, label) for m in MASKS for label in more
    ]
    run("at once", more)
    assert (tmp_path / "grown/results.csv").read_bytes() == (tmp_path / "at once/results.csv").read_bytes()
    run("grown")
    assert {row["model"] for row in read_rows(tmp_path / "grown")} == {"gray", "dark"}


def loadable(*names):
    return {name: Loadable(spec=name) for name in names}


@pytest.mark.slow
def test_two_runs_and_two_processes_give_the_same_bytes(run, tmp_path):
    told = []
    for name, processes in (("one", 1), ("again", 1), ("two", 2)):
        result = run(name, loadable("mean", "telea"), pictures=2, processes=processes, inner=lambda *_: told.append(1))
        assert result.failures == ()
    files = ("results.csv", "sets.csv", "failures.csv", "manifest.json")
    for file in files:
        assert len({(tmp_path / name / file).read_bytes() for name in ("one", "again", "two")}) == 1
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name / "pictures").iterdir()} for name in ("one", "two"))
    assert one == two
    assert len(one) == 2 * (1 + 2 * 3)


@pytest.mark.slow
def test_an_evaluation_that_was_killed_ends_with_the_same_bytes(run, photo_folder, make_photo, tmp_path):
    for number in range(60):
        Image.fromarray(make_photo(100, 100, number)).save(photo_folder / f"n{number:02}.png")
    whole = run("whole", loadable("telea"), size=None)
    command = [sys.executable, "-m", "inpaint", "evaluate", "--model", "telea", "--data", str(photo_folder)]
    command += ["--masks", ",".join(MASKS), "--output", str(tmp_path / "parts"), "--device", "cpu", "--processes", "2"]
    process = subprocess.Popen([*command, "--pictures", "0"], stderr=subprocess.PIPE, text=True)
    journal, deadline = tmp_path / "parts/measured.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("\n") > 6):
        time.sleep(0.005)
    workers = children(process.pid)
    process.kill()
    process.communicate(timeout=60)
    assert 5 < fills_noted(tmp_path / "parts") < len(whole.record.rows)
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.02)
    assert len(workers) >= 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)  # none outlives who started it
    run("parts", loadable("telea"), size=None)
    assert (tmp_path / "parts/results.csv").read_bytes() == (tmp_path / "whole/results.csv").read_bytes()


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_damaged_journal_is_refused_and_left_alone(run, tmp_path):
    run()
    path = tmp_path / "out" / "measured.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], '{"what": 1}\n', *lines[4:]]))
    damaged = path.read_bytes()
    with pytest.raises(InpaintError, match=r"measured\.jsonl' is damaged at line 4"):
        run()
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("change", ["photo", "mask"])
def test_rows_of_changed_files_are_never_mixed(change, run, models, photo_folder, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()

    def draw(side):
        Image.fromarray(np.pad(np.full((side, side), 255, np.uint8), (0, 40 - side))).save(masks / "m.bmp")

    draw(12)
    kind = f"folder:{masks}"
    run(chosen={"gray": models["gray"]}, masks=[kind])
    if change == "photo":  # of the same size, in every sense
        photo = photo_folder / "a.png"
        content = photo.read_bytes()
        os.utime(photo, (0, 0))
        pixels = np.asarray(Image.open(photo)).copy()
        pixels[:, :] = pixels[::-1, ::-1]
        Image.fromarray(pixels).save(photo)
        photo.write_bytes(photo.read_bytes().ljust(len(content), b"\0"))
    else:
        draw(24)
    before = (tmp_path / "out" / "results.csv").read_bytes()
    said = r"photo a\.png has changed" if change == "photo" else r"protocol\.masks\.folder:masks\.files was"
    with pytest.raises(UsageError, match=said):
        run(masks=[kind])
    assert (tmp_path / "out" / "results.csv").read_bytes() == before


def test_files_that_were_touched_and_not_changed_go_on(run, models, photo_folder):
    run(chosen={"gray": models["gray"]})
    for photo in photo_folder.rglob("*.png"):
        os.utime(photo, (0, 0))
    run()
    assert models["gray"].calls == 4 * 2 + 1  # measured once, and the warm-up
