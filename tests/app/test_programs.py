"""Calls for programs: what they are given comes from outside, and a mistake is told and not raised through."""

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from inpaint.app.programs import Calls
from inpaint.app.serving import opened
from inpaint.app.settings import Settings

BOX = [{"kind": "box", "points": [[4, 4], [12, 12]]}]


@pytest.fixture(scope="module")
def fill(tmp_path_factory):
    """`fill(**given)` calls with an uploaded photo."""
    with opened(Settings(runs=tmp_path_factory.mktemp("runs"), device="cpu")) as server:
        server.uploads.mkdir(parents=True, exist_ok=True)
        file = server.uploads / "photo.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 31, 3), dtype=np.uint8)).save(file)
        calls = Calls(server)
        yield lambda **given: calls.fill({"path": str(file)}, **{"model": "telea", "shapes": BOX, **given})


def test_a_photo_is_filled_and_its_facts_are_answered(fill):
    (facts,) = fill()
    assert (facts["model"], facts["width"], facts["height"]) == ("telea", 31, 24)
    assert fill(grow=2.5, seed=3, samples=1, find=[], options=[])[0]["model"] == "telea"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"samples": "2"}, "samples must be an integer of at least 1, got '2'"),
        ({"samples": 0}, "samples must be an integer of at least 1, got 0"),
        ({"seed": "x"}, "seed must be an integer"),
        ({"seed": None}, "seed must be an integer"),
        ({"grow": [1]}, "grow must be a number"),
        ({"grow": "3"}, "grow must be a number"),
        ({"sensitivity": "much", "find": ["text"]}, "sensitivity must be a number"),
        ({"find": [3]}, "find must be text"),
        ({"model": 7}, "model must be text"),
        ({"model": None}, "model must be text"),
        ({"format": 7}, "format must be text"),
        ({"options": {"radius_px": 3}}, "options must be text"),
        ({"shapes": 3}, "shapes must be a list"),
        ({"objects": "box"}, "shapes must be a list"),
        ({"strategy": 3}, "strategy"),
        ({"mask": "photo.png"}, "mask must be {'path': PATH}"),
    ],
)
def test_values_of_another_kind_are_told_in_one_sentence(fill, given, said):
    with pytest.raises(gr.Error) as caught:
        fill(**given)
    assert said in str(caught.value)
    assert not caught.value.print_exception
