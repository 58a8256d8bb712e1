"""Removal against the truth: what a film gives to be filled, what is refused, and numbers that are known beforehand."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from PIL import Image

from inpaint.errors import InputError, MaskError
from inpaint.evaluation.fixed_camera import FixedCamera
from inpaint.evaluation.run import evaluate
from inpaint.evaluation.subjects import manifest_of
from tiny_film import HEIGHT, WIDTH, write_film


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "a.avi", shade=0.93, noise=2)


@pytest.fixture(scope="module")
def subjects(written):
    return FixedCamera(written.path, frames=6)


def test_the_truth_is_the_empty_scene_in_the_hole_and_the_frame_elsewhere(written, subjects):
    assert [subjects.name(index) for index in range(6)] == [f"frame-{5 + 10 * k:06d}" for k in range(6)]
    for index in range(6):
        subject = subjects.read(index)
        hole = subjects.mask("moving", index, HEIGHT, WIDTH) == 1
        assert hole[written.things[5 + 10 * index]].all()
        assert np.array_equal(subject.truth[~hole], subject.image[~hole])
        assert np.abs(subject.truth.astype(int) - written.empty)[hole].mean() < 8
        assert np.abs(subject.image.astype(int) - written.empty)[written.things[5 + 10 * index]].mean() > 50


def test_subjects_travel_to_processes_with_the_same_manifest(subjects):
    assert manifest_of(pickle.loads(pickle.dumps(subjects))).hash == manifest_of(subjects).hash


@pytest.mark.parametrize(
    "options", [{"frames": 5}, {"median_frames": 30}, {"shadows": True}, {"dilate_px": 3}, {"threshold": 4.0}], ids=str
)
def test_every_option_changes_the_manifest(written, subjects, options):
    assert manifest_of(FixedCamera(written.path, **{"frames": 6, **options})).hash != manifest_of(subjects).hash


def test_another_film_changes_the_manifest(tmp_path, subjects):
    other = write_film(tmp_path / "a.avi", shade=0.93, noise=2.5)
    assert manifest_of(FixedCamera(other.path, frames=6)).hash != manifest_of(subjects).hash


def test_masks_come_from_files_called_by_the_number_of_their_frame(written, tmp_path):
    for number in (3, 40):
        Image.fromarray(written.things[number].astype(np.uint8) * 255).save(tmp_path / f"frame-{number:06d}.png")
    subjects = FixedCamera(written.path, masks=tmp_path, dilate_px=0)
    assert [subjects.name(index) for index in range(len(subjects))] == ["frame-000003", "frame-000040"]
    assert subjects.labels == ("given",)
    assert np.array_equal(subjects.mask("given", 1, HEIGHT, WIDTH), written.things[40])
    Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / "frame-000099.png")
    with pytest.raises(MaskError, match="frame-000099\\.png' does not name its frame"):
        FixedCamera(written.path, masks=tmp_path)


@pytest.mark.parametrize("shift_px", [1.5, 12])
def test_a_camera_that_moves_is_told(tmp_path, shift_px):
    film = write_film(tmp_path / "a.avi", shift_px=shift_px)
    with pytest.raises(InputError, match="is not of a fixed camera"):
        FixedCamera(film.path)


def test_a_film_in_which_nothing_moves_or_with_too_few_frames_is_told(tmp_path):
    with pytest.raises(InputError, match="nothing moves"):
        FixedCamera(write_film(tmp_path / "a.avi", still=True).path)
    with pytest.raises(InputError, match="has 8 frames; at least 9"):
        FixedCamera(write_film(tmp_path / "b.avi", frames=8).path)


@pytest.fixture
def make_painter(make_gray_inpainter):
    """`make_painter(picture)` makes a fill that paints what it is told, whatever it sees."""

    class Painter(make_gray_inpainter):
        def paint(self, image, hole, context):
            return self.picture[: hole.shape[0], : hole.shape[1]].astype(np.float32) / 255

    def make(picture):
        painter = Painter()
        painter.picture = picture
        return painter

    return make


def test_whoever_paints_the_scene_is_right_and_what_is_not_known_does_not_count(
    subjects, make_painter, tmp_path, monkeypatch
):
    scene = subjects.scene.empty.copy()
    hole = subjects.mask("moving", 0, HEIGHT, WIDTH) == 1
    rows, columns = np.nonzero(hole)
    known = np.ones_like(hole)
    known[rows[0] : rows[0] + 4, columns.min() : columns.max() + 1] = False
    painted = np.where(known[..., None], scene, 255 - scene)  # wrong, but only where the truth is none
    monkeypatch.setattr(subjects, "_frames", subjects._frames[:1])
    monkeypatch.setattr(subjects, "scene", dataclasses.replace(subjects.scene, known=known))
    models = {"right": make_painter(painted), "off": make_painter(scene // 2)}
    result = evaluate(models, subjects=subjects, output=tmp_path / "out", measured=["l1_hole", "l1", "psnr"])
    right, off = (row.values for row in result.record.rows)
    assert right["l1_hole"] == right["l1"] == 0
    counted = hole & known
    expected = np.abs(scene // 2 - scene.astype(float))[counted].mean() / 255
    assert off["l1_hole"] == pytest.approx(expected, rel=1e-3)
    assert off["l1"] == pytest.approx(expected * counted.mean(), rel=1e-3)
