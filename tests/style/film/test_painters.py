"""Which way a film is held together, and that the temporal loss does it where a method optimizes."""

import numpy as np
import pytest

from inpaint.nn.vgg import VGG
from inpaint.style.colors import Colors
from inpaint.style.film.guides import Guide
from inpaint.style.film.options import FilmOptions
from inpaint.style.film.painters import HeldGatys, frame_painter
from inpaint.style.film.run import Blended, FrameToPaint
from inpaint.style.gatys.method import Gatys
from inpaint.style.gatys.options import GatysOptions
from inpaint.types import StylePart

RNG = np.random.default_rng(0)
CONTENT = RNG.random((24, 32, 3), dtype=np.float32)
PARTS = [StylePart(style=RNG.random((20, 20, 3), dtype=np.float32))]


@pytest.fixture(scope="module")
def method():
    options = GatysOptions(
        network="vgg16",
        weights="random",
        content_layers=("relu2_1",),
        style_layers=("relu1_1", "relu2_1"),
        iterations=16,
        min_px=32,
    )
    return Gatys(options)


def test_optimization_is_held_by_a_loss_and_everything_else_is_blended(method):
    assert isinstance(frame_painter(method, FilmOptions()), HeldGatys)
    assert isinstance(frame_painter(Colors(), FilmOptions()), Blended)
    exact = Gatys(GatysOptions(exact="jcjohnson", weights="random"))
    assert isinstance(frame_painter(exact, FilmOptions()), Blended)


def painted(method, weight, held, own=None):
    painter = frame_painter(method, FilmOptions(temporal=weight))
    return painter.paint(FrameToPaint(content=CONTENT, parts=PARTS, held=held, own=own))


def test_a_frame_stays_at_the_one_before_where_it_is_trusted(method):
    before = np.full_like(CONTENT, 0.5)
    trust = np.zeros((24, 32))
    trust[:, :16] = 1
    held = [Guide(before, trust)]
    free, strong = (np.abs(painted(method, weight, held) - before) for weight in (1e-6, 100.0))
    assert strong[:, :14].mean() < 0.2 * free[:, :14].mean()
    assert strong[:, 18:].mean() > 0.5 * free[:, 18:].mean()


def test_a_frame_begins_with_the_one_before_where_it_is_trusted_and_anew_elsewhere(method):
    still = Gatys(method.options.model_copy(update={"optimizer": "adam", "iterations": 1, "lr": 1e-9}))
    trust = np.zeros((24, 32))
    trust[:, :16] = 1
    begun = painted(still, 1.0, [Guide(np.full_like(CONTENT, 0.5), trust)])
    assert np.allclose(begun[:, :16], 0.5, atol=1e-3)
    assert np.allclose(begun[:, 16:], CONTENT[:, 16:], atol=1e-3)


def test_without_weight_frames_know_nothing_of_each_other(method):
    held = [Guide(np.zeros_like(CONTENT), np.ones((24, 32)))]
    assert np.array_equal(painted(method, 0.0, held), painted(method, 1.0, []))


def test_after_a_cut_the_film_begins_anew(method):
    held = [Guide(np.zeros_like(CONTENT), np.full((24, 32), 0.01))]
    assert np.array_equal(painted(method, 1.0, held), painted(method, 1.0, []))


def test_a_later_pass_goes_on_from_the_frame_s_own_result(method):
    own = np.full_like(CONTENT, 0.25)
    held = [Guide(own, np.ones((24, 32)))]
    assert np.abs(painted(method, 1000.0, held, own) - own).max() < 0.02


def test_the_network_is_loaded_once(method, monkeypatch):
    painter = HeldGatys(method, 1.0)
    monkeypatch.setattr(VGG, "__init__", None)  # another network would fail
    painter.paint(FrameToPaint(content=CONTENT, parts=PARTS, held=[Guide(CONTENT, np.ones((24, 32)))]))
    assert painter.next.network is method.network
