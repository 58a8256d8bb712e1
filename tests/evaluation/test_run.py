import json
import logging
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from evaluations import MASKS, read_rows
from inpaint.errors import DataError, InpaintError, UsageError
from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.protocols import named
from inpaint.evaluation.record import picture_path
from inpaint.metrics import MEASURES, ImageMeasure
from inpaint.types import Capabilities, Fill


def mask_hashes(folder):
    return {photo["key"]: photo["masks"] for photo in json.loads((folder / "manifest.json").read_text())["photos"]}


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


def test_a_measure_that_cannot_be_had_is_named_and_the_others_run(run, monkeypatch, caplog, tmp_path):
    monkeypatch.setattr("inpaint.metrics.pixel.L1.missing", lambda self: "its weights are not here: place them")
    result = run(measured=["l1_hole", "psnr_hole"])
    assert "l1_hole is left out: its weights are not here" in caplog.text
    assert result.record.settings["unavailable"] == {"l1_hole": "its weights are not here: place them"}
    assert read_rows(tmp_path / "out")[0].keys() == {"image", "mask", "model", "psnr_hole"}
    with pytest.raises(UsageError, match="nothing to measure"):
        run(measured=["l1_hole"])


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
    assert list(summary["protocol"]["masks"]) == list(MASKS)
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
