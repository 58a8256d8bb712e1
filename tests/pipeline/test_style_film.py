"""Films in other styles: what is written, what an interrupted work goes on with, and flicker."""

import cv2
import numpy as np
import pytest

from inpaint.errors import UsageError
from inpaint.images.films import Film
from inpaint.metrics.warping import warping_error
from inpaint.pipeline.style_film import stylize_film
from inpaint.pipeline.style_sources import asked_styles
from inpaint.style.colors import Colors
from inpaint.style.film.options import FilmOptions

COUNT, HEIGHT, WIDTH = 5, 48, 64
STYLE = np.full((8, 8, 3), (200, 60, 20), np.uint8)


@pytest.fixture
def film(tmp_path):
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(np.kron(rng.integers(60, 200, (6, 12, 3)), np.ones((8, 8, 1))), (5, 5), 0)
    writer = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for number in range(COUNT):
        writer.write(wide[:, 2 * number : 2 * number + WIDTH].round().astype(np.uint8))
    writer.release()
    return tmp_path / "film.avi"


class Counted(Colors):
    """Color transfer whose calls are counted, lighter in every second; it stops when told to."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.calls, self.stop_at = 0, stop_at

    def stylize(self, content, parts, **options):
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        self.calls += 1
        found = super().stylize(content, parts, **options)
        return found.__class__(image=(found.image + np.float32(0.08) * (self.calls % 2)).clip(0, 1))


def test_a_film_comes_out_with_all_frames_in_the_style(film, tmp_path):
    told = []
    line = stylize_film(
        film, asked_styles([STYLE]), Counted(), tmp_path / "out.avi", told=lambda *done: told.append(done)
    )
    assert "5 frames, each held to those before" in line
    assert told[-1] == (COUNT, COUNT)
    painted = Film.open(tmp_path / "out.avi")
    assert (painted.count, painted.height, painted.width) == (COUNT, HEIGHT, WIDTH)
    (frame,) = painted.frames([2])
    assert np.abs(frame.mean(axis=(0, 1)) - STYLE[0, 0]).max() < 25
    assert not (tmp_path / "out.avi.frames").exists()


def test_held_frames_flicker_less(film, tmp_path):
    found = []
    for name, options in (("apart", FilmOptions(blend=0, temporal=0)), ("held", FilmOptions())):
        stylize_film(film, asked_styles([STYLE]), Counted(), tmp_path / f"{name}.avi", options=options)
        (before, frame), (then, now) = (Film.open(each).frames([2, 3]) for each in (film, tmp_path / f"{name}.avi"))
        found.append(warping_error(frame, now, before, then))
    assert found[1] < 0.6 * found[0]


def test_an_interrupted_work_goes_on_and_another_request_begins_anew(film, tmp_path):
    how = {"film": film, "asked": asked_styles([STYLE]), "output": tmp_path / "out.avi"}
    with pytest.raises(KeyboardInterrupt):
        stylize_film(stylizer=Counted(stop_at=3), **how)
    later = Counted(stop_at=0)
    with pytest.raises(KeyboardInterrupt):
        stylize_film(stylizer=later, seed=1, **how)  # other results are of no use
    with pytest.raises(KeyboardInterrupt):
        stylize_film(stylizer=Counted(stop_at=3), seed=1, **how)
    later = Counted()
    stylize_film(stylizer=later, seed=1, **how)
    assert later.calls == COUNT - 3


def test_frames_are_reduced_and_may_go_to_a_folder(film, tmp_path):
    stylize_film(film, asked_styles([STYLE]), Counted(), tmp_path / "frames", size_px=32)
    written = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert written == [f"{number:06d}.png" for number in range(1, COUNT + 1)]
    assert cv2.imread(str(tmp_path / "frames" / written[0])).shape == (24, 32, 3)


def test_outputs_that_do_not_fit_are_refused(film, tmp_path):
    with pytest.raises(UsageError, match="must be a film"):
        stylize_film(film, asked_styles([STYLE]), Counted(), tmp_path / "out.png")
