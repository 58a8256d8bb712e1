"""Guided models are told the truth, the truth at a wrong place, or nothing; and are measured by what they were told."""

import numpy as np
import pytest

from inpaint.errors import UsageError
from inpaint.evaluation.guidance import Guiding, shifted
from inpaint.evaluation.measure import fill_and_measure
from inpaint.fills.array_fill import ArrayFill
from inpaint.metrics import measures
from inpaint.registry.table import planes as planes_of_models
from inpaint.types import Capabilities
from obedient import Obedient

FOLLOWED = ("line_distance", "line_recall_1px", "line_recall_2px", "color_distance")


class Deaf(ArrayFill):
    """Paints gray, whatever it is told."""

    name = "deaf"
    capabilities = Capabilities(smallest_px=1)

    def paint(self, image, hole, context):
        return np.full_like(image, 0.5)


@pytest.fixture
def scene():
    """A bright box on dark ground, and a hole around it."""
    photo = np.full((64, 80, 3), (30, 60, 40), np.uint8)
    photo[20:44, 25:60] = (220, 180, 200)
    mask = np.zeros((64, 80), np.uint8)
    mask[8:56, 12:70] = 1
    return photo, mask


def found(model, scene, how):
    return fill_and_measure(model, *scene, seed=0, wanted=measures(FOLLOWED).of_images, guiding=Guiding.parse(how))


def test_a_model_that_follows_is_near_to_what_it_is_told_wherever_that_is(scene):
    for how in ("true", "shifted:5"):
        values = found(Obedient(), scene, how).values
        assert values["line_recall_2px"] > 0.9
        assert values["line_distance"] < 2
    # Of white lines, which lie over the colors.
    assert found(Obedient(), scene, "true").values["color_distance"] < 0.12


def test_a_model_that_is_told_nothing_is_measured_by_what_could_have_been_drawn(scene):
    told, untold = (found(Obedient(), scene, how) for how in ("true", "none"))
    assert not np.array_equal(told.completed, untold.completed)
    assert untold.values == found(Deaf(), scene, "none").values == found(Deaf(), scene, "true").values
    assert untold.values["line_recall_1px"] < 0.2 < told.values["line_recall_1px"]
    assert untold.values["color_distance"] > told.values["color_distance"]


def test_planes_are_those_of_validation_in_the_hole_and_move_as_a_whole(scene):
    photo, mask = scene
    true = Guiding("true").given(Obedient().capabilities, photo, mask)
    moved = Guiding("shifted", 6).given(Obedient().capabilities, photo, mask)
    assert set(true) == {"sketch", "color"}
    for name, plane in true.items():
        assert plane.any()
        assert not plane[mask == 0].any()
        inner = np.s_[20:50, 25:60]
        assert np.array_equal(moved[name][inner], shifted(plane, 6)[inner])


@pytest.mark.parametrize("name", sorted(planes_of_models()))
def test_every_plane_that_a_model_takes_can_be_made_for_it(name, scene):
    plane = planes_of_models()[name]
    made = Guiding("true").given(Capabilities(planes=(plane,)), *scene)
    assert made[name].shape == (64, 80, plane.channels)


@pytest.mark.parametrize("text", ["false", "shifted:0", "shifted:-3", "shifted:x", ""])
def test_other_words_are_refused(text):
    with pytest.raises(UsageError, match="--guidance must be none, true, shifted or shifted:PIXELS"):
        Guiding.parse(text)


def test_what_models_are_told_is_written_as_it_was_given():
    assert [str(Guiding.parse(text)) for text in ("none", "true", "shifted", "shifted:3")] == [
        "none",
        "true",
        "shifted:8",
        "shifted:3",
    ]
