import csv
import json
import logging
import os
import re
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from inpaint.errors import DataError, InpaintError, UsageError
from inpaint.evaluation import Loadable, evaluate
from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.protocols import named
from inpaint.evaluation.record import picture_path
from inpaint.metrics import MEASURES, ImageMeasure, SetMeasure
from inpaint.metrics.base import Extractor
from inpaint.types import Capabilities, Fill

MASKS = ["deepfill", "center"]


def read_rows(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def mask_hashes(folder):
    return {photo["key"]: photo["masks"] for photo in json.loads((folder / "manifest.json").read_text())["photos"]}


def fills_noted(folder):
    return (folder / "measured.jsonl").read_text().count("\n") - 1  # a line says of which manifest


@pytest.fixture
def models(make_gray_inpainter):
    return {"gray": make_gray_inpainter(0.5, "gray"), "dark": make_gray_inpainter(0.1, "dark")}


@pytest.fixture
def run(models, photo_folder, tmp_path):
    """Evaluate the two fakes on four photos at 24 x 24; keywords replace options."""

    def start(output="out", chosen=models, **options):
        options = {"data": str(photo_folder), "masks": MASKS, "size": 24, "pictures": 0, **options}
        return evaluate(chosen, output=tmp_path / output, **options)

    return start


def test_every_photo_mask_and_model_gets_one_line(run, tmp_path):
    result = run()
    rows = read_rows(tmp_path / "out")
    assert len({(row["image"], row["mask"], row["model"]) for row in rows}) == len(rows) == 4 * 2 * 2
    assert {row["image"] for row in rows} == {"a.png", "b.png", "c.png", "more/d.png"}
    assert not result.failures
    assert result.skipped == 0


def test_all_models_see_the_same_mask_and_every_photo_its_own(run, tmp_path):
    run()
    ratios = {(row["image"], row["mask"]): row["hole_ratio"] for row in read_rows(tmp_path / "out")}
    assert all(row["hole_ratio"] == ratios[row["image"], row["mask"]] for row in read_rows(tmp_path / "out"))
    hashes = mask_hashes(tmp_path / "out")
    assert len({hashes[image]["deepfill"] for image in ("a.png", "b.png", "c.png", "more/d.png")}) == 4


def test_masks_and_numbers_of_a_model_do_not_depend_on_what_is_evaluated_beside_it(run, models, tmp_path):
    run("both")
    run("alone", {"dark": models["dark"]}, masks=["deepfill"], count=2)
    alone = read_rows(tmp_path / "alone")
    assert len(alone) == 2
    assert all(row in read_rows(tmp_path / "both") for row in alone)


def test_another_seed_draws_other_masks(run, tmp_path):
    run("a", masks=["deepfill"])
    run("b", masks=["deepfill"], seed=1)
    first, second = (mask_hashes(tmp_path / name) for name in "ab")
    assert all(first[key]["deepfill"] != second[key]["deepfill"] for key in first)


def test_the_numbers_are_those_of_the_image_saved_as_8_bit(run, photo_folder, tmp_path):
    """Read the PNGs back and measure them with scikit-image: nothing but files in between."""
    run(size=None, masks=["center"], pictures=4)
    rows = {(row["image"], row["model"]): row for row in read_rows(tmp_path / "out")}
    for name in ("a.png", "b.png", "c.png", "more/d.png"):
        original = np.asarray(Image.open(photo_folder / name))
        path = picture_path(tmp_path / "out", image=name, mask="center", model="dark")
        completed = np.asarray(Image.open(path))
        assert completed.shape == original.shape
        hole = (completed != original).any(axis=-1)
        row = rows[name, "dark"]
        assert float(row["hole_ratio"]) == pytest.approx(hole.mean(), abs=0.01)
        inside = completed[hole].astype(float) - original[hole]
        assert float(row["psnr"]) == pytest.approx(peak_signal_noise_ratio(original, completed, data_range=255))
        # 0.1 is level 25.5, which no 8-bit file holds.
        assert set(np.unique(completed[hole])) <= {25, 26}
        lost = hole.sum() / (float(row["hole_ratio"]) * hole.size)  # pixels that were of the fill's color by chance
        assert float(row["l1_hole"]) == pytest.approx(np.abs(inside).mean() / 255 * lost, rel=1e-9)


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


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 1}, "protocol.seed was 0, is 1 now"),
        ({"size": 16}, "protocol.size was 24, is 16 now"),
        ({"masks": ["center"]}, "protocol.masks.deepfill was"),
        ({"count": 2}, "photo c.png is gone"),
        (
            {"masks": [], "size": None, "protocol": named("center_64")},
            'protocol.name was "unnamed", is "center_64" now',
        ),
    ],
)
def test_the_folder_of_another_manifest_is_refused_with_the_first_difference(run, tmp_path, change, text):
    run()
    lines = (tmp_path / "out" / "results.csv").read_bytes()
    with pytest.raises(UsageError, match="holds another evaluation") as error:
        run(**change)
    assert text in str(error.value)
    assert (tmp_path / "out" / "results.csv").read_bytes() == lines


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


def test_a_measure_that_cannot_be_had_is_named_and_the_others_run(run, monkeypatch, caplog, tmp_path):
    monkeypatch.setattr("inpaint.metrics.pixel.L1.missing", lambda self: "its weights are not here: place them")
    result = run(measured=["l1_hole", "psnr_hole"])
    assert "l1_hole is left out: its weights are not here" in caplog.text
    assert result.record.settings["unavailable"] == {"l1_hole": "its weights are not here: place them"}
    assert read_rows(tmp_path / "out")[0].keys() == {"image", "mask", "model", "psnr_hole"}
    with pytest.raises(UsageError, match="nothing to measure"):
        run(measured=["l1_hole"])


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


def test_several_processes_need_models_that_they_can_load(run):
    with pytest.raises(UsageError, match="give 'gray' as a Loadable"):
        run(processes=2)


def test_a_model_that_draws_is_measured_by_several_samples_where_they_are_asked_for(run, models):
    class Drawing(type(models["gray"])):
        capabilities = replace(models["gray"].capabilities, stochastic=True)
        asked: list = []  # noqa: RUF012 - shared on purpose

        def fill(self, image, mask, *, samples=1, **options):
            self.asked.append(samples)
            return super().fill(image, mask, samples=samples, **options)

    class Spread(ImageMeasure):
        name, title, better, low, high, needs = "spread", "spread", "higher", 0.0, 1.0, frozenset({"samples"})

        def values(self, compared):
            return compared.samples.std(dim=0).mean(dim=(1, 2, 3))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MEASURES, "spread", Spread)
        chosen = {"drawing": Drawing(), "gray": models["gray"]}
        record = run(chosen=chosen, measured=["l1", "spread"], masks=["center"], samples=3).record
    assert [set(row.values) for row in record.rows] == [{"l1", "spread"}, {"l1"}] * 4
    assert Drawing.asked.count(3) == 4


def test_the_steps_of_a_fill_at_work_are_told(run, models):
    class Long(type(models["gray"])):
        steps = 4

        def paint(self, image, hole, context):
            context.clock.report(0.25)
            return super().paint(image, hole, context)

    told = []
    run("steps", {"long": Long()}, inner=lambda step, items: told.append((step.done, step.total, items)))
    assert set(told) == {(1, 4, 1), (4, 4, 1)}


def test_another_photo_in_the_folder_is_another_manifest(run, photo_folder):
    run()
    (photo_folder / "c.png").rename(photo_folder / "cc.png")
    with pytest.raises(UsageError, match=r"photo c\.png is gone"):
        run()


def test_a_model_that_refuses_a_photo_is_reported_and_the_rest_goes_on(run, models, tmp_path, caplog):
    class Picky(type(models["gray"])):
        def fill(self, image, mask, **options):
            if self.calls >= 3:  # after a warm-up and two photos
                raise InpaintError("too dark\nfor me")
            return super().fill(image, mask, **options)

    with caplog.at_level(logging.WARNING, logger="inpaint.evaluation"):
        result = run(chosen={"picky": Picky(), "gray": models["gray"]}, masks=["center"])
    assert [failure.image for failure in result.failures] == ["c.png", "more/d.png"]
    assert result.failures[0].reason == "too dark for me"
    assert len(caplog.records) == len(result.failures)
    column = result.summary.column("center", "l1_hole").values()
    assert [(entry.n, entry.filled) for entry in column] == [(2, 2), (2, 4)]
    assert "Means are over what every model filled; filled were: picky 2, gray 4" in result.table
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["failures"][0]["model"] == "picky"


def test_a_model_that_fills_nothing_leaves_the_others_their_means(run, models):
    class Broken(type(models["gray"])):
        def fill(self, image, mask, **options):
            completed = torch.full_like(image, torch.nan)
            return [Fill(completed=completed, raw=completed, mask=mask)]

    result = run(chosen={"broken": Broken(), "gray": models["gray"]}, masks=["center"])
    assert {failure.reason for failure in result.failures} == {"answered with values that are not finite"}
    broken, gray = result.summary.column("center", "l1_hole").values()
    assert (broken.n, broken.mean) == (0, None)
    assert gray.n == 4
    assert re.search(r"\| broken +\| +– \| +– \| +– \| +– \|", result.table)


def test_a_model_that_runs_out_of_memory_is_reported(run, models):
    class Hungry(type(models["gray"])):
        def fill(self, image, mask, **options):
            raise torch.OutOfMemoryError("tried to allocate 1 TiB\ntrace")

    result = run(chosen={"hungry": Hungry()}, masks=["center"])
    assert {failure.reason for failure in result.failures} == {"out of memory: tried to allocate 1 TiB"}


def test_bad_files_are_skipped_counted_and_named(run, photo_folder, caplog):
    (photo_folder / "text.png").write_text("this is no image")
    truncated = (photo_folder / "a.png").read_bytes()[:900]
    (photo_folder / "torn.png").write_bytes(truncated)
    result = run(masks=["center"])
    assert result.skipped + len({failure.image for failure in result.failures}) == 2
    assert "text.png" in caplog.text
    assert "torn.png" in caplog.text
    assert {entry.n for entry in result.entries if entry.bucket == ALL} == {4}
    assert [failure.model for failure in result.failures] == [""] * len(result.failures)


def test_the_models_compute_only_what_is_asked_and_never_see_the_original_in_the_hole_scored_as_theirs(run, models):
    """A fill that returns the original scores perfectly: the comparison is with the original and nothing else."""

    class Oracle:
        name, capabilities = "oracle", models["gray"].capabilities

        def fill(self, image, mask, **options):
            return [Fill(completed=image, raw=image, mask=mask)]

    found = run(chosen={"oracle": Oracle()}, masks=["center"]).summary
    means = {name: found.column("center", name)["oracle"].mean for name in ("l1_hole", "psnr_hole", "ssim_hole")}
    assert means == {"l1_hole": 0, "psnr_hole": 100, "ssim_hole": pytest.approx(1)}


def test_the_summary_says_what_was_measured_and_is_strict_json(run, tmp_path):
    run(command="inpaint evaluate --model gray")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["command"] == "inpaint evaluate --model gray"
    assert summary["settings"]["count"] == 4
    assert list(summary["protocol"]["masks"]) == MASKS
    assert set(summary["manifest"]["hashes"]) == set(MASKS)
    assert summary["manifest"]["hash"] in (tmp_path / "out/table.md").read_text()
    assert summary["settings"]["versions"]["torch"]
    assert summary["settings"]["hardware"]["cores"] >= 1
    rows = [row for row in read_rows(tmp_path / "out") if (row["mask"], row["model"]) == ("deepfill", "gray")]
    values = [float(row["l1_hole"]) for row in rows]
    (shown,) = (
        each
        for each in summary["entries"]
        if (each["mask"], each["bucket"], each["model"], each["measure"]) == ("deepfill", ALL, "gray", "l1_hole")
    )
    assert shown["mean"] == pytest.approx(np.mean(values))
    assert (shown["low"], shown["high"]) == pytest.approx(stats.t.interval(0.95, 3, np.mean(values), stats.sem(values)))


def test_the_contact_sheet_shows_the_fills(run, tmp_path):
    result = run(masks=["center"], pictures=2)
    assert result.sheet == tmp_path / "out" / "sheet.png"
    sheet = np.asarray(Image.open(result.sheet))
    assert sheet.shape[1] > 4 * 128  # masked, gray, dark, original
    assert (sheet == 26).all(axis=-1).sum() + (sheet == 25).all(axis=-1).sum() > 1000  # the dark fill


def test_stochastic_models_get_a_seed_per_photo_that_does_not_depend_on_the_rest(run, models):
    class Seeded(type(models["gray"])):
        seeds: list = []  # noqa: RUF012 - shared on purpose

        def fill(self, image, mask, *, seed=0, **options):
            self.seeds.append(tuple(seed))
            return super().fill(image, mask, **options)

    run("a", {"seeded": Seeded()}, masks=["center"])
    first = list(dict.fromkeys(Seeded.seeds))
    assert len(first) == 4
    Seeded.seeds.clear()
    run("b", {"seeded": Seeded()}, masks=["half", "center"], count=2)
    assert list(dict.fromkeys(Seeded.seeds)) == first[:2]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"masks": []}, "masks must name at least one kind, each once; got none"),
        ({"masks": ["center", "center"]}, "each once; got center, center"),
        ({"masks": ["centr"]}, "unknown mask 'centr' (did you mean 'center'?)"),
        ({"size": 3}, "size must be an integer from 8 to 8192, got 3"),
        ({"count": 0}, "count must be an integer of at least 1, got 0"),
        ({"processes": 0}, "processes must be an integer of at least 1, got 0"),
        ({"measured": ["psnrr"]}, "unknown measure 'psnrr' (did you mean 'psnr'?)"),
        ({"chosen": {"masked": None}}, "a model cannot be called 'masked'"),
        ({"seed": -1}, "seed must be an integer from 0 to 2**64 - 1, got -1"),
        ({"seed": "3"}, "seed must be an integer from 0 to 2**64 - 1, got '3'"),
        ({"size": 32.5}, "size must be an integer from 8 to 8192, got 32.5"),
        ({"data": 3}, "data must be a path, got 3"),
        ({"masks": [3]}, "masks must be text, got 3"),
        ({"chosen": ["mean"]}, "models must be a mapping by name, got ('mean')"),
        ({"chosen": {"mean": "mean"}}, "the model 'mean' must be a loaded one, got str"),
        ({"progress": 3}, "progress must be a function, got 3"),
        ({"chosen": {}}, "name at least one model"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(run, tmp_path, options, text):
    with pytest.raises(InpaintError) as error:
        run(**options)
    assert text in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_photos_is_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no photos"):
        run(data=str(tmp_path / "empty"))


def test_a_damaged_journal_is_refused_and_left_alone(run, tmp_path):
    run()
    path = tmp_path / "out" / "measured.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], '{"what": 1}\n', *lines[4:]]))
    damaged = path.read_bytes()
    with pytest.raises(InpaintError, match=r"measured\.jsonl' is damaged at line 4"):
        run()
    assert path.read_bytes() == damaged


def test_a_folder_belongs_to_one_evaluation_at_a_time(run, tmp_path):
    def meanwhile(progress):
        if progress.done == 3:
            run(chosen={"other": object.__new__(type("Other", (), {"fill": None, "capabilities": Capabilities()}))})

    with pytest.raises(InpaintError, match="out' is in use by"):
        run(progress=meanwhile)
    assert not (tmp_path / "out/evaluation.lock").exists()
    assert run().failures == ()


def test_results_without_their_manifest_are_refused(run, tmp_path):
    run()
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(UsageError, match=r"holds an evaluation without its manifest\.json"):
        run()


def test_an_output_that_is_a_file_is_refused(run, tmp_path):
    Path(tmp_path / "out").write_text("")
    with pytest.raises(InpaintError, match="cannot use"):
        run()


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


def test_both_photos_of_one_name_in_two_shards_are_measured(run, photo_folder, tmp_path):
    for place, photo in (("one", "a.png"), ("two", "b.png")):
        (tmp_path / place).mkdir()
        with tarfile.open(tmp_path / place / "shard-0.tar", "w") as tar:
            tar.add(photo_folder / photo, "x.png")
    run(data=f"{tmp_path}/*/shard-*.tar")
    assert {row["image"] for row in read_rows(tmp_path / "out")} == {"one/shard-0.tar/x.png", "two/shard-0.tar/x.png"}


def test_a_damaged_mask_costs_its_fills_and_not_the_tables(run, tmp_path):
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 8), 255).save(tmp_path / "masks/a.png")
    (tmp_path / "masks/b.png").write_text("no image")
    result = run(masks=[f"folder:{tmp_path}/masks"], pictures=4)
    assert result.failures
    assert (tmp_path / "out/summary.json").exists()


def test_numbers_of_numpy_are_settings_like_plain_ones(run):
    plain = run("out", seed=3, count=2, processes=1)
    numbers = {"seed": np.int64(3), "count": np.uint8(2), "processes": np.int32(1), "size": np.int64(24)}
    assert run("out", **numbers).table == plain.table
