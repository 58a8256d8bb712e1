"""Blind models as what says where the hole is: for themselves, for other fills, and over workers."""

import logging
import os
import threading

import numpy as np
import pytest
from PIL import Image

import inpaint
from blind import soiled, tiny_blind, write_weights
from inpaint.errors import InputError, UsageError
from inpaint.images.photo import photo_of_array
from inpaint.pipeline import JobOptions, Marks, marks_of, plan_jobs, run_jobs
from inpaint.pipeline.finders import FoundBy, find_hole, found_by
from inpaint.pipeline.workers import Worker, run_spread
from inpaint.registry.loadable import Loadable


@pytest.fixture
def photo_and_hole(make_photo):
    return soiled(make_photo(40, 56))


@pytest.fixture
def blind_run(tmp_path, monkeypatch):
    return write_weights(monkeypatch, tmp_path / "run")


def test_a_notebook_fills_without_a_mask(photo_and_hole, blind_run):
    photo, hole = photo_and_hole
    for model in (tiny_blind(), blind_run, os.fspath(blind_run)):
        filled = inpaint.fill(photo, None, model=model, device="cpu")
        assert np.array_equal(filled[~hole], photo[~hole])
        assert (filled[hole] != photo[hole]).any(axis=1).all()


def test_a_notebook_gives_the_found_mask_to_another_fill(photo_and_hole, blind_run, tmp_path):
    photo, hole = photo_and_hole
    expected = inpaint.fill(photo, hole, model="telea")
    for finder in (tiny_blind(), blind_run):
        found = inpaint.fill(photo, model="telea", mask_from=finder, save_mask=tmp_path / "mask.png", device="cpu")
        assert np.array_equal(found, expected)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")) > 127, hole)


def test_where_nothing_is_found_the_photo_comes_back_and_it_is_said(make_photo, caplog):
    photo, hole = soiled(make_photo(40, 56))
    clean = np.where(hole[..., None], np.uint8(20), photo)
    assert np.array_equal(inpaint.fill(clean, model=tiny_blind()), clean)
    assert "tiny_blind found nothing (--sensitivity 0.5)" in caplog.text


def test_a_fill_that_is_not_blind_still_asks_for_a_mask(photo_and_hole):
    with pytest.raises(UsageError, match="no mask is given, nor anything else that says what the hole is"):
        inpaint.fill(photo_and_hole[0], model="telea")


@pytest.mark.parametrize("wrong", ["telea", "inpainter"])
def test_a_mask_comes_from_blind_models_alone(photo_and_hole, wrong, gray_inpainter):
    finder = gray_inpainter if wrong == "inpainter" else wrong
    with pytest.raises(UsageError, match="finds no holes itself: a mask comes from a blind model"):
        inpaint.fill(photo_and_hole[0], model="telea", mask_from=finder)
    with pytest.raises(UsageError, match="no model 'cleaner': a mask comes from a blind model") as refused:
        inpaint.fill(photo_and_hole[0], model="telea", mask_from="cleaner")
    assert "vcnet" in str(refused.value)
    assert "telea" not in str(refused.value)
    with pytest.raises(InputError, match="a mask comes from a name, a path or a loaded model, got 5"):
        inpaint.fill(photo_and_hole[0], model="telea", mask_from=5)


def test_what_is_wholly_transparent_is_not_read(photo_and_hole):
    photo, hole = photo_and_hole
    alpha = np.where(hole, 0, 255).astype(np.uint8)
    shown = photo_of_array(np.dstack([photo, alpha]))
    assert not find_hole(tiny_blind(), shown).any()
    assert np.array_equal(find_hole(tiny_blind(), photo_of_array(photo)), hole)
    other = photo_of_array(np.dstack([np.where(hole[..., None], np.uint8(7), photo), alpha]))
    one, two = (
        inpaint.fill(np.dstack([each.pixels, alpha]), box=(0, 0, 30, 30), model=tiny_blind(), opaque=True)
        for each in (shown, other)
    )
    assert np.array_equal(one[:30, :30], two[:30, :30])


def test_a_photo_that_is_too_small_is_refused(make_photo):
    with pytest.raises(InputError, match="7 x 40 pixels are too few; tiny_blind needs at least 8 a side"):
        find_hole(tiny_blind(), photo_of_array(make_photo(40, 7)))


def folder_of(tmp_path, make_photo):
    (tmp_path / "photos").mkdir()
    for number in range(4):
        photo, _ = soiled(make_photo(40, 56, number), left=6 + 5 * number)
        Image.fromarray(photo // (4 if number == 2 else 1)).save(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("itself", [True, False])
def test_workers_find_and_fill_as_one_process_does(tmp_path, make_photo, blind_run, itself, caplog):
    photos, blind = folder_of(tmp_path, make_photo), Loadable(spec=os.fspath(blind_run))
    model = blind if itself else Loadable(spec="telea")
    marks = Marks(sources=(FoundBy(),)) if itself else marks_of(mask_from=blind)
    options = JobOptions(marks=marks)
    one = list(run_jobs(plan_jobs(photos, (), tmp_path / "one"), model.load("cpu"), options, device="cpu"))
    said = [record.getMessage() for record in caplog.records]
    caplog.clear()

    def backwards(task, numbers):
        workers = [Worker(task, "cpu"), Worker(task, "cpu")]
        for number in reversed(numbers):
            yield workers[number % 2].work(number)

    two = list(run_spread(plan_jobs(photos, (), tmp_path / "two"), model, options, backwards))
    assert [each.status for each in one] == ["filled", "filled", "without a hole", "filled"]
    assert [each.status for each in two] == [each.status for each in one]
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert sorted(said) == sorted(record.getMessage() for record in caplog.records)


def test_a_finder_works_on_one_photo_at_a_time(tmp_path, make_photo, caplog):
    class Watching(type(tiny_blind())):
        at_once, most, lock = 0, 0, threading.Lock()

        def find_mask(self, image):
            with self.lock:
                type(self).at_once += 1
                type(self).most = max(type(self).most, type(self).at_once)
            threading.Event().wait(0.02)
            try:
                return super().find_mask(image)
            finally:
                with self.lock:
                    type(self).at_once -= 1

    finder = Watching(tiny_blind().network, name="watching")
    caplog.set_level(logging.ERROR)
    jobs = plan_jobs(folder_of(tmp_path, make_photo), (), tmp_path / "out")
    options = JobOptions(marks=marks_of(mask_from=finder))
    statuses = [each.status for each in run_jobs(jobs, inpaint.load("telea"), options, at_once=4)]
    assert statuses == ["filled", "filled", "without a hole", "filled"]
    assert Watching.most == 1


def test_a_finder_is_told_from_others_by_its_weights(blind_run):
    assert found_by(blind_run) == found_by(os.fspath(blind_run))
    assert found_by(blind_run).identity.startswith("sha256:")
    assert found_by(blind_run) != found_by(blind_run, sensitivity=0.6)
