"""Films in the style of pictures: how much they flicker, and films that were made beforehand beside models."""

import csv
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from inpaint.cli.evaluate import command
from inpaint.errors import InputError, UsageError
from inpaint.evaluation import evaluate
from inpaint.evaluation.styled import Stylizing
from inpaint.evaluation.styled_film import StyledFilm
from inpaint.images.film_writing import write_film
from inpaint.metrics.warping import warping_error
from inpaint.types import Stylized

COUNT, HEIGHT, WIDTH = 4, 48, 64


def frames():
    """A texture that moves 2 pixels to the left with every frame."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(np.kron(rng.integers(60, 200, (6, 12, 3)), np.ones((8, 8, 1))), (5, 5), 0)
    return [wide[:, 2 * k : 2 * k + WIDTH].round().astype(np.uint8) for k in range(COUNT)]


@pytest.fixture
def film(tmp_path):
    write_film(tmp_path / "film.mkv", frames(), frames_per_s=10)  # this format loses nothing
    return tmp_path / "film.mkv"


@pytest.fixture
def style(tmp_path):
    Image.new("RGB", (32, 32), (200, 60, 20)).save(tmp_path / "red.png")
    return tmp_path / "red.png"


class Negative:
    """The negative, brighter where a frame's first pixel is even."""

    name, learned = "negative", None

    def __init__(self):
        self.calls = 0

    def stylize(self, content, parts, **options):
        self.calls += 1
        return Stylized(image=0.8 * (1 - content) + np.float32(20 / 255) * (round(255 * content[0, 0, 0]) % 2))


def negative(frame):
    return (0.8 * (255.0 - frame) + 20 * (frame[0, 0, 0] % 2)).round().astype(np.uint8)


def expected(paint):
    """What warping errors of a film are to be, of the second frame on."""
    pairs = pairwise(frames())
    return [warping_error(frame, paint(frame), before, paint(before)) for before, frame in pairs]


def run(film, style, tmp_path, *words):
    given = ["--data", film, "--styles", style, "--device", "cpu", "--output", tmp_path / "out", *words]
    done = CliRunner().invoke(command, [str(word) for word in given], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return list(csv.DictReader((tmp_path / "out/results.csv").read_text().splitlines()))


def errors(rows, model):
    return [row["warping_error"] for row in rows if row["model"] == model]


def test_a_film_is_measured_by_its_flicker_and_the_film_itself_is_the_floor(film, style, tmp_path):
    models = {"content": Stylizing(None), "negative": Stylizing(Negative())}
    how = {"output": tmp_path / "out", "measured": ["warping_error"], "subjects": StyledFilm(str(film), str(style))}
    found = evaluate(models, **how).record
    values = {name: [row.values.get("warping_error") for row in found.rows if row.model == name] for name in models}
    assert values["content"] == [None, *(pytest.approx(each) for each in expected(lambda frame: frame))]
    assert values["negative"] == [None, *(pytest.approx(each) for each in expected(negative))]
    assert [row.image for row in found.rows][::2] == [f"frame-{k:06d}" for k in range(1, COUNT + 1)]


def test_an_interrupted_evaluation_goes_on_with_the_frame_before_painted_again(film, style, tmp_path):
    def measured(folder, model, progress=None):
        how = {"output": tmp_path / folder, "subjects": StyledFilm(str(film), str(style)), "progress": progress}
        found = evaluate({"it": Stylizing(model)}, **how, measured=["warping_error"]).record
        return [row.values.get("warping_error") for row in found.rows]

    def stop(step):
        if step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured("parts", Negative(), stop)
    later = Negative()
    assert measured("parts", later) == measured("whole", Negative())
    assert later.calls == 1 + 1 + 2  # to warm up, the frame before, and what was missing


def test_films_that_were_made_of_it_stand_beside_models_and_so_do_frames_in_a_folder(film, style, tmp_path):
    write_film(tmp_path / "made.mkv", [negative(frame) for frame in frames()], frames_per_s=10)
    words = ["--measures", "ssim,warping_error", "--model", tmp_path / "made.mkv", "--model", "colors"]
    rows = run(film, style, tmp_path, *words)
    first, *others = errors(rows, "made")
    assert first == ""
    assert [float(each) for each in others] == pytest.approx(expected(negative))
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(frames()):
        Image.fromarray(frame).save(folder / f"{number}.png")
    (tmp_path / "out").rename(tmp_path / "first")
    again = run(folder, style, tmp_path, *words, "--in-order")
    assert errors(again, "made") == errors(rows, "made")
    assert errors(again, "content") == errors(rows, "content")


def test_what_cannot_be_compared_is_refused_in_one_line(film, style, tmp_path):
    made, short = tmp_path / "made.mkv", tmp_path / "short.mkv"
    write_film(made, [frame[:40] for frame in frames()], frames_per_s=10)
    write_film(short, frames()[1:], frames_per_s=10)
    for place in (made, short):
        with pytest.raises(InputError, match="compared frame by frame"):
            run(film, style, tmp_path, "--model", place)
    with pytest.raises(UsageError, match="name the one that it was made of"):
        run("samples", style, tmp_path, "--model", made)
    Image.new("RGB", (32, 32)).save(tmp_path / "black.png")
    two = tmp_path / "styles.txt"
    two.write_text("red.png\nblack.png\n")
    with pytest.raises(UsageError, match="'made' is a film of one style"):
        run(film, two, tmp_path, "--model", made, "--size", "32")
    done = CliRunner().invoke(
        command, ["--model", "mean", "--data", "samples", "--output", "x", "--in-order"], standalone_mode=False
    )
    assert isinstance(done.exception, UsageError)
    assert "--in-order is for films" in str(done.exception)
    with pytest.raises(InputError, match="cannot read"):
        run(Path("nowhere.mp4"), style, tmp_path, "--model", "colors")
