"""Several fills of one photo: asked for, ranked, numbered and laid out."""

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint.cli import infer
from inpaint.cli.main import run
from inpaint.errors import UsageError
from inpaint.fills.base import TensorFill
from inpaint.images.reading import read_photo
from inpaint.pipeline import JobOptions, check_samples, fill_photo_often, plan_jobs, run_jobs
from inpaint.types import Capabilities, Fill

HOLE = np.zeros((40, 56), bool)
HOLE[10:20, 15:40] = True
SCORES = (0.2, 0.9, 0.5, 0.7)


class Grays(TensorFill):
    """Sample k is one gray, number k of the list; scored."""

    name = "grays"
    paint_all = None

    def __init__(self, scored=True):
        self.capabilities = Capabilities(trained=True, stochastic=True, scored=scored, smallest_px=1)
        self.asked = []

    def answer(self, image, mask, *, guidance=None, samples=1, seed=0, progress=None):
        self.asked.append((samples, seed))
        fills = []
        for number in range(samples):
            raw = torch.full_like(image, (40 + 40 * number) / 255)
            score = torch.tensor([SCORES[number]]) if self.capabilities.scored else None
            fills.append(Fill(completed=torch.where(mask == 1, raw, image), raw=raw, mask=mask, score=score))
        return fills


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """photos/{a.png, b.jpg} and a mask for both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(make_photo(40, 56, 0)).save("photos/a.png")
    Image.fromarray(make_photo(40, 56, 1)).save("photos/b.jpg")
    Image.fromarray(HOLE * np.uint8(255)).save("mask.png")
    return tmp_path


@pytest.fixture
def command(monkeypatch):
    """`command(inpainter, *arguments)` runs `inpaint infer` with that model."""

    def go(inpainter, *arguments):
        monkeypatch.setattr(infer, "load_model", lambda model, device, **_: inpainter)
        return run(["infer", "--model=grays", "--mask=mask.png", *arguments])

    return go


def gray_of(path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return pixels[HOLE].mean()


def files(folder):
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "journal.jsonl"]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def test_the_best_fills_come_first_and_known_pixels_stay(here, command, capsys):
    inpainter = Grays()
    status = command(inpainter, "--image=photos/a.png", "--output=out/a.png", "--samples=4", "--top=3", "--seed=7")
    assert (status, capsys.readouterr().out) == (0, "wrote out/a_1.png to a_3.png and a_sheet.png (auto, 56 x 40 px)\n")
    assert inpainter.asked == [(4, 7)]
    assert files(here / "out") == ["a_1.png", "a_2.png", "a_3.png", "a_sheet.png"]
    # Samples 2, 4 and 3 of the list.
    assert [gray_of(f"out/a_{number}.png") for number in (1, 2, 3)] == [80, 160, 120]
    before = np.asarray(Image.open("photos/a.png"))
    assert all(np.array_equal(np.asarray(Image.open(f"out/a_{n}.png"))[~HOLE], before[~HOLE]) for n in (1, 2, 3))


def test_the_sheet_shows_the_hole_and_then_the_fills_in_their_order(here, command):
    command(Grays(), "--image=photos/a.png", "--output=out/", "--samples=4")
    sheet = np.asarray(Image.open("out/a_sheet.png"))
    assert sheet.dtype == np.uint8
    row = sheet[sheet.shape[0] - 16 - 256 * 40 // 56 + round(256 * 15 / 56)]  # through the middle of the holes
    flat = [value for value in (128, 80, 160, 120, 40) if (row == value).all(axis=1).sum() > 60]
    assert flat == [128, 80, 160, 120, 40]
    places = [np.flatnonzero((row == value).all(axis=1)).mean() for value in flat]
    assert places == sorted(places)


def test_without_scores_fills_are_numbered_as_drawn_and_top_is_refused(here, command, capsys):
    assert command(Grays(scored=False), "--image=photos/a.png", "--output=out/", "--samples=3") == 0
    assert [gray_of(f"out/a_{number}.png") for number in (1, 2, 3)] == [40, 80, 120]
    capsys.readouterr()
    assert command(Grays(scored=False), "--image=photos/a.png", "--output=no/", "--samples=3", "--top=2") == 2
    assert "--top 2 needs scores to choose by, and grays has none to give" in capsys.readouterr().err
    assert not (here / "no").exists()


def test_folders_are_sampled_photo_by_photo_and_what_exists_is_skipped(here, command, capsys):
    arguments = ("--image=photos", "--output=out", "--samples=2", "--skip-existing")
    assert command(Grays(), *arguments) == 0
    assert files(here / "out") == ["a_1.png", "a_2.png", "a_sheet.png", "b_1.jpg", "b_2.jpg", "b_sheet.png"]
    (here / "out/b_2.jpg").unlink()
    capsys.readouterr()
    assert command(Grays(), *arguments) == 0
    assert capsys.readouterr().out == "1 filled, 1 skipped\n"


def test_results_that_would_meet_are_refused_before_anything_is_filled(here):
    Image.fromarray(np.zeros((40, 56, 3), np.uint8)).save("photos/a_1.png")
    with pytest.raises(UsageError, match="would overwrite a file that is read"):
        plan_jobs("photos", "mask.png", "photos", samples=2)
    (here / "photos/a_1_sheet.png").write_bytes(b"")  # no mask of its own is needed to be refused
    jobs = plan_jobs("photos/a.png", "mask.png", "out/x.png", samples=12)
    assert [path.name for path in jobs[0].outputs][:2] == ["x_01.png", "x_02.png"]


def test_a_photo_without_a_hole_is_copied_to_every_place(here):
    Image.fromarray(np.zeros((40, 56), np.uint8)).save("mask.png")
    jobs = plan_jobs("photos/a.png", "mask.png", "out/", samples=2)
    (outcome,) = run_jobs(jobs, Grays(), JobOptions())
    assert outcome.status == "without a hole"
    assert all((here / f"out/a_{number}.png").read_bytes() == (here / "photos/a.png").read_bytes() for number in (1, 2))


def test_fills_of_one_photo_carry_number_and_score(here):
    samples = fill_photo_often(read_photo("photos/a.png"), HOLE, Grays(), samples=2)
    assert [(sample.number, sample.score) for sample in samples] == [(1, pytest.approx(0.2)), (2, pytest.approx(0.9))]


@pytest.mark.parametrize(
    ("samples", "top", "message"),
    [
        (2, None, "gray paints one fill for each hole: --samples 2 needs a model that draws at random"),
        (2, 3, "--top 3 of --samples 2: ask for at least as many samples"),
    ],
)
def test_what_a_fill_cannot_do_is_refused(gray_inpainter, samples, top, message):
    with pytest.raises(UsageError, match=message):
        check_samples(Grays() if top else gray_inpainter, samples, top)


def test_a_sample_is_shown_in_one_line(here):
    sample = fill_photo_often(read_photo("photos/a.png"), HOLE, Grays(), seed=3)[0]
    assert repr(sample).startswith("Sample(photo=Photo(pixels=uint8 (40, 56, 3)")
    assert "\n" not in repr(sample)
