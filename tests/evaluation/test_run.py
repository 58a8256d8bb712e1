import csv
import json
import logging
import os
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from inpaint.errors import DataError, InpaintError, UsageError
from inpaint.evaluation import evaluate
from inpaint.types import Fill

MASKS = ["deepfill", "center"]
TIMING = "seconds"


def read_rows(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_timing(folder):
    return [{name: cell for name, cell in row.items() if name != TIMING} for row in read_rows(folder)]


@pytest.fixture
def models(make_gray_inpainter):
    return {"gray": make_gray_inpainter(0.5, "gray"), "dark": make_gray_inpainter(0.1, "dark")}


@pytest.fixture
def run(models, photo_folder, tmp_path):
    """Evaluate the two fakes on four photos at 24 x 24; keywords replace options."""

    def start(output="out", chosen=models, **options):
        options = {"data": str(photo_folder), "masks": MASKS, "size": 24, "shown": 0, **options}
        return evaluate(chosen, output=tmp_path / output, **options)

    return start


def test_every_photo_mask_and_model_gets_one_line(run, tmp_path):
    result = run()
    rows = read_rows(tmp_path / "out")
    assert len({(row["image"], row["mask"], row["model"]) for row in rows}) == len(rows) == 4 * 2 * 2
    assert {row["image"] for row in rows} == {"a.png", "b.png", "c.png", "more/d.png"}
    assert result.failures == []
    assert result.skipped == 0


def test_all_models_see_the_same_mask_and_every_photo_its_own(run, tmp_path):
    run()
    rows = read_rows(tmp_path / "out")
    hashes = {(row["image"], row["mask"]): row["mask_hash"] for row in rows}
    assert all(row["mask_hash"] == hashes[row["image"], row["mask"]] for row in rows)
    assert len({hashes[image, "deepfill"] for image in ("a.png", "b.png", "c.png", "more/d.png")}) == 4


def test_masks_and_numbers_of_a_model_do_not_depend_on_what_is_evaluated_beside_it(run, models, tmp_path):
    run("both")
    run("alone", {"dark": models["dark"]}, masks=["deepfill"], count=2)
    alone = without_timing(tmp_path / "alone")
    assert len(alone) == 2
    assert all(row in without_timing(tmp_path / "both") for row in alone)


def test_another_seed_draws_other_masks(run, tmp_path):
    run("a", masks=["deepfill"])
    run("b", masks=["deepfill"], seed=1)
    first, second = (read_rows(tmp_path / name) for name in "ab")
    assert all(a["mask_hash"] != b["mask_hash"] for a, b in zip(first, second, strict=True))


def test_the_numbers_are_those_of_the_image_saved_as_8_bit(run, photo_folder, tmp_path):
    """Read the PNGs back and measure them with scikit-image: nothing but files in between."""
    run(size=None, masks=["center"], shown=4)
    rows = {(row["image"], row["model"]): row for row in read_rows(tmp_path / "out")}
    for index, name in enumerate(("a.png", "b.png", "c.png", "more/d.png")):
        original = np.asarray(Image.open(photo_folder / name))
        completed = np.asarray(Image.open(tmp_path / "out" / "pictures" / f"{index:04d}+center+dark.png"))
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
    assert len(read_rows(tmp_path / "parts")) == 7
    assert not (tmp_path / "parts" / "summary.json").exists()
    for model in models.values():
        model.calls = 0
    seen = []
    run("parts", progress=seen.append)
    assert (seen[0].done, seen[0].total, seen[-1].done) == (7, 16, 16)
    assert sum(model.calls for model in models.values()) == 9 + 2  # what was left, and a warm-up each
    assert without_timing(tmp_path / "parts") == without_timing(tmp_path / "whole")


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
    path = tmp_path / "out" / "results.csv"
    before = without_timing(tmp_path / "out")
    lines = path.read_bytes()
    path.write_bytes(lines[:-1][: -min(cut, len(lines) - 10)])
    run()
    assert without_timing(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 1}, "seed was 0, is 1 now"),
        ({"size": 16}, "size was 24, is 16 now"),
        ({"masks": ["center"]}, "masks was"),
        ({"count": 2}, "photographs.count was 4, is 2 now"),
        ({"device": "cuda (A)"}, 'device was "cpu", is "cuda (A)" now'),
        ({"identities": {"gray": "sha256:1"}}, 'models.gray was "", is "sha256:1" now'),
    ],
)
def test_other_settings_in_the_same_folder_are_refused_by_name(run, tmp_path, change, text):
    run()
    lines = (tmp_path / "out" / "results.csv").read_bytes()
    with pytest.raises(UsageError, match="other settings") as error:
        run(**change)
    assert text in str(error.value)
    assert (tmp_path / "out" / "results.csv").read_bytes() == lines


def test_a_further_model_is_measured_beside_those_that_are_done(run, models, make_gray_inpainter, tmp_path):
    run("grown")
    more = {**models, "light": make_gray_inpainter(0.9, "light")}
    for model in more.values():
        model.calls = 0
    result = run("grown", more)
    assert [model.calls for model in more.values()] == [0, 0, 4 * 2 + 1]  # a warm-up
    assert [(entry["mask"], entry["model"]) for entry in result.entries] == [
        (m, label) for m in MASKS for label in more
    ]
    run("at once", more)
    for key in ("image", "mask", "model", "l1_hole", "mask_hash"):
        assert sorted(row[key] for row in read_rows(tmp_path / "grown")) == sorted(
            row[key] for row in read_rows(tmp_path / "at once")
        )
    with pytest.raises(UsageError, match=r"models\.light was .* is missing now; name all its models"):
        run("grown")


def test_fills_at_the_same_time_give_the_same_file_in_the_same_order(run, models, tmp_path):
    class Slow(type(models["gray"])):
        capabilities = replace(models["gray"].capabilities, thread_safe=True)

        def fill(self, image, mask, **options):
            time.sleep(0.002 * (int(image.sum() * 1000) % 5))
            return super().fill(image, mask, **options)

    class Broken(Slow):
        def fill(self, image, mask, **options):
            raise InpaintError("no")

    mixed = {"slow": Slow(0.3, "slow"), "gray": models["gray"], "broken": Broken(), "other": Slow(0.7, "other")}
    one, three = run("one", mixed, shown=2), run("three", mixed, shown=2, jobs=3)
    assert without_timing(tmp_path / "one") == without_timing(tmp_path / "three")
    assert one.failures == three.failures
    assert len(one.failures) == 4 * 2
    assert "3 fills at a time" in three.table
    with pytest.raises(UsageError, match="jobs is 3 now, was missing"):
        run("one", mixed, jobs=3)


def test_the_steps_of_a_fill_at_work_are_told(run, models):
    class Long(type(models["gray"])):
        steps = 4

        def paint(self, image, hole, context):
            context.clock.report(0.25)
            return super().paint(image, hole, context)

    told = []
    run("steps", {"long": Long()}, inner=lambda step, items: told.append((step.done, step.total, items)))
    assert set(told) == {(1, 4, 1), (4, 4, 1)}


def test_another_photo_in_the_folder_is_another_setting(run, photo_folder):
    run()
    (photo_folder / "c.png").rename(photo_folder / "cc.png")
    with pytest.raises(UsageError, match=r"photographs\.fingerprint"):
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
    assert {entry["n"] for entry in result.entries} == {2}
    assert [entry["filled"] for entry in result.entries] == [2, 4]
    assert "means are over what every model filled; filled were: picky 2, gray 4" in result.table
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["failures"][0]["model"] == "picky"


def test_a_model_that_fills_nothing_leaves_the_others_their_means(run, models):
    class Broken(type(models["gray"])):
        def fill(self, image, mask, **options):
            completed = torch.full_like(image, torch.nan)
            return [Fill(completed=completed, raw=completed, mask=mask)]

    result = run(chosen={"broken": Broken(), "gray": models["gray"]}, masks=["center"])
    assert {failure.reason for failure in result.failures} == {"answered with values that are not finite"}
    broken, gray = result.entries
    assert (broken["n"], broken["metrics"]["l1_hole"]["mean"]) == (0, None)
    assert gray["n"] == 4
    assert "| broken | – | – | – | – |" in result.table


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
    assert {entry["n"] for entry in result.entries} == {4}


def test_the_models_compute_only_what_is_asked_and_never_see_the_original_in_the_hole_scored_as_theirs(run, models):
    """A fill that returns the original scores perfectly: the comparison is with the original and nothing else."""

    class Oracle:
        name, capabilities = "oracle", models["gray"].capabilities

        def fill(self, image, mask, **options):
            return [Fill(completed=image, raw=image, mask=mask)]

    (entry,) = run(chosen={"oracle": Oracle()}, masks=["center"]).entries
    assert entry["metrics"]["l1_hole"]["mean"] == 0
    assert entry["metrics"]["psnr_hole"]["mean"] == 100
    assert entry["metrics"]["ssim_hole"]["mean"] == pytest.approx(1)


def test_the_summary_says_what_was_measured_and_is_strict_json(run, tmp_path):
    run(command="inpaint evaluate --model gray")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["command"] == "inpaint evaluate --model gray"
    assert summary["settings"]["photographs"]["count"] == 4
    assert summary["settings"]["masks"] == MASKS
    assert set(summary["masks_hash"]) == set(MASKS)
    assert summary["versions"]["torch"]
    assert summary["hardware"]["cores"] >= 1
    assert len(summary["results"]) == 4
    rows = [row for row in read_rows(tmp_path / "out") if (row["mask"], row["model"]) == ("deepfill", "gray")]
    values = [float(row["l1_hole"]) for row in rows]
    shown = summary["results"][0]["metrics"]["l1_hole"]
    assert shown["mean"] == pytest.approx(np.mean(values))
    assert shown["standard_error"] == pytest.approx(np.std(values, ddof=1) / 2)


def test_the_contact_sheet_shows_the_fills(run, tmp_path):
    result = run(masks=["center"], shown=2)
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
        ({"jobs": 0}, "jobs must be an integer of at least 1, got 0"),
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


def test_a_damaged_results_file_is_refused_and_left_alone(run, tmp_path):
    run()
    path = tmp_path / "out" / "results.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "a.png,center,gray,what\n", *lines[4:]]))
    damaged = path.read_bytes()
    with pytest.raises(InpaintError, match=r"results\.csv' is damaged at line 4"):
        run()
    assert path.read_bytes() == damaged


def test_a_results_file_without_its_settings_is_refused(run, tmp_path):
    run()
    (tmp_path / "out" / "settings.json").unlink()
    with pytest.raises(UsageError, match=r"results\.csv without its settings\.json"):
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
    with pytest.raises(UsageError, match="photos have changed" if change == "photo" else "masks' files have changed"):
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
    result = run(masks=[f"folder:{tmp_path}/masks"], shown=4)
    assert result.failures
    assert (tmp_path / "out/summary.json").exists()


def test_numbers_of_numpy_are_settings_like_plain_ones(run):
    plain = run("out", seed=3, count=2, jobs=1)
    assert run("out", seed=np.int64(3), count=np.uint8(2), jobs=np.int32(1), size=np.int64(24)).table == plain.table
