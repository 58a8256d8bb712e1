"""Films frame by frame: what is held to the frame before, passes, what goes on, and steadiness."""

from itertools import pairwise

import numpy as np
import pytest

from inpaint.errors import ConfigError, InputError
from inpaint.images.flow import write_flow
from inpaint.metrics.warping import warping_error
from inpaint.options import validated
from inpaint.style.film.guides import Guide, blended, guides
from inpaint.style.film.options import FilmOptions
from inpaint.style.film.run import Blended, paint_frames
from inpaint.types import Stylized


class Kept(dict):
    """Results in memory."""

    has = dict.__contains__
    read = dict.__getitem__
    write = dict.__setitem__


class Flickering:
    """Paints the negative, lighter in every second frame."""

    name = "flickering"

    def __init__(self):
        self.calls = 0

    def stylize(self, content, parts, *, seed=0, budget_s=None, progress=None):
        self.calls += 1
        return Stylized(image=(0.8 * (1 - content) + np.float32(0.1) * (self.calls % 2)).clip(0, 1))


def film(count=5):
    """A texture that moves 2 pixels to the left with every frame."""
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(60, 200, (6, 12, 3)), np.ones((8, 8, 1)))
    smooth = (wide + np.roll(wide, 3, 0) + np.roll(wide, 3, 1) + np.roll(wide, (3, 3), (0, 1))) / 4
    return {k + 1: smooth[:, 10 + 2 * k : 74 + 2 * k].astype(np.uint8) for k in range(count)}


def painted(options, count=5):
    frames, kept = film(count), [Kept() for _ in range(options.passes)]
    paint_frames(Blended(Flickering(), options.blend), frames.__getitem__, count, [], kept, options)
    return frames, kept[-1]


def flicker(frames, results):
    pairs = pairwise(frames)
    return np.mean([warping_error(frames[b], results[b], frames[a], results[a]) for a, b in pairs])


def test_blending_takes_flicker_away_and_more_passes_take_more():
    apart, once, twice = (
        flicker(*painted(FilmOptions(**options)))
        for options in ({"blend": 0, "temporal": 0}, {}, {"passes": 2, "earlier": (1, 2)})
    )
    assert once < 0.5 * apart
    assert twice < once


def test_frames_that_are_there_are_not_painted_again():
    frames, kept = film(4), Kept()
    told = []
    stylizer = Flickering()
    kept[1], kept[2] = frames[1], frames[2]
    paint_frames(
        Blended(stylizer, 0.5), frames.__getitem__, 4, [], [kept], FilmOptions(), told=lambda *done: told.append(done)
    )
    assert stylizer.calls == 2
    assert np.array_equal(kept[1], frames[1])
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_cut_is_not_blended_over():
    frames = film(2)
    frames[2] = 255 - frames[2][::-1]
    (guide,) = guides(2, [1], frames.__getitem__, frames.__getitem__, FilmOptions())
    assert guide.trust.mean() < 0.1


def test_a_farther_frame_counts_where_a_nearer_one_is_not_trusted():
    image = np.zeros((2, 2, 3), np.float32)
    near, far = np.array(((1.0, 0.0), (0.0, 0.0))), np.array(((0.0, 1.0), (0.0, 0.0)))
    held = [Guide(image + np.float32(0.4), near), Guide(image + np.float32(0.8), far)]
    found = blended(image, held, 0.5)[..., 0]
    assert np.allclose(found, ((0.2, 0.4), (0.0, 0.0)))


def test_flows_come_from_files_where_a_folder_is_named(tmp_path):
    frames = {1: np.zeros((20, 24, 3), np.uint8), 2: np.zeros((20, 24, 3), np.uint8)}
    frames[1][:, 10:12] = 200
    flow = np.broadcast_to(np.float32((-1, 0)), (20, 24, 2))
    write_flow(tmp_path / "backward_2_1.flo", flow)
    options = FilmOptions(flow=str(tmp_path), same_color=10.0)
    with pytest.raises(InputError, match=r"forward_1_2\.flo"):
        guides(2, [1], frames.__getitem__, frames.__getitem__, options)
    write_flow(tmp_path / "forward_1_2.flo", -flow)
    (guide,) = guides(2, [1], frames.__getitem__, frames.__getitem__, options)
    assert np.allclose(guide.image[5, 11:13], 200 / 255)
    assert guide.trust[5, 8:16].min() > 0.99


@pytest.mark.parametrize("earlier", [[], [0], [2, 1]])
def test_earlier_frames_must_rise_from_one(earlier):
    with pytest.raises(ConfigError, match="earlier"):
        validated(FilmOptions, {"earlier": earlier})
