"""`inpaint infer` by a model that finds the hole itself, and by others with what it found."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from blind import soiled, write_weights
from inpaint.cli.main import run
from inpaint.weights.files import load_weights, save_weights


@pytest.fixture
def work(tmp_path, monkeypatch, make_photo):
    """A folder with the run of a blind model, a photo with a red frame and where that is, and a clean photo."""
    monkeypatch.chdir(tmp_path)
    write_weights(monkeypatch, tmp_path / "run")
    photo, hole = soiled(make_photo(40, 56))
    Image.fromarray(photo).save("photo.png")
    Image.fromarray(soiled(make_photo(40, 56))[0] // 2).save("clean.png")
    return photo, hole


def infer(*options, image="photo.png"):
    return run(["infer", f"--image={image}", "--device=cpu", *options])


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_blind_model_needs_no_mask(work, capsys):
    photo, hole = work
    assert infer("--model=run", "--output=out.png", "--save-mask=mask.png", "--preview=over.png") == 0
    assert np.array_equal(pixels("mask.png")[..., 0] > 127, hole)
    assert np.array_equal(pixels("out.png")[~hole], photo[~hole])
    assert (pixels("out.png")[hole] != photo[hole]).any(axis=1).all()
    assert "wrote out.png" in capsys.readouterr().out


def test_what_was_found_gives_the_same_result_as_a_mask(work):
    assert infer("--model=run", "--output=out.png", "--save-mask=mask.png") == 0
    assert infer("--model=run", "--output=again.png", "--mask=mask.png") == 0
    assert np.array_equal(pixels("out.png"), pixels("again.png"))


def test_a_mask_that_is_given_is_not_added_to(work):
    photo, _ = work
    assert infer("--model=run", "--box=0,0,4,4", "--output=out.png") == 0
    assert np.array_equal(pixels("out.png")[8:], photo[8:])


def test_without_output_what_would_be_filled_is_shown(work):
    _, hole = work
    assert infer("--model=run", "--save-mask=mask.png") == 0
    assert np.array_equal(pixels("mask.png")[..., 0] > 127, hole)


def test_any_other_fill_takes_the_mask_of_a_blind_model(work):
    photo, hole = work
    assert infer("--model=telea", "--mask-from=run", "--output=out.png", "--save-mask=mask.png") == 0
    assert np.array_equal(pixels("mask.png")[..., 0] > 127, hole)
    assert np.array_equal(pixels("out.png")[~hole], photo[~hole])
    assert infer("--model=telea", "--mask=mask.png", "--output=again.png") == 0
    assert np.array_equal(pixels("out.png"), pixels("again.png"))


def test_a_hole_grows_and_joins_others(work):
    _, hole = work
    assert infer("--mask-from=run", "--box=0,0,3,3", "--dilate=1", "--save-mask=mask.png") == 0
    found = pixels("mask.png")[..., 0] > 127
    assert found[0:4, 0:4].any()
    assert np.count_nonzero(found) > np.count_nonzero(hole) + 9
    assert found[hole].all()


@pytest.mark.parametrize("how", [("--model=run",), ("--model=telea", "--mask-from=run")])
def test_where_nothing_is_found_it_is_said_and_the_photo_stays(work, how, capsys):
    assert infer(*how, "--output=out.png", image="clean.png") == 0
    assert capsys.readouterr().err == "warning: clean.png: tiny_blind found nothing (--sensitivity 0.5)\n"
    assert np.array_equal(pixels("out.png"), pixels("clean.png"))


def test_sensitivity_says_how_sure_the_model_must_be(work, make_photo):
    photo, _ = work
    Image.fromarray(np.where((photo == (255, 0, 0)).all(-1, keepdims=True), (140, 0, 0), photo).astype(np.uint8)).save(
        "faint.png"
    )  # a certainty of 0.81
    for sensitivity, found in ((0, False), (0.9, True)):
        assert infer("--mask-from=run", f"--sensitivity={sensitivity}", "--save-mask=mask.png", image="faint.png") == 0
        assert (pixels("mask.png") > 127).any() == found


@pytest.mark.parametrize("how", [("--model=run",), ("--model=telea", "--mask-from=run")])
def test_a_folder_is_worked_through_and_resumed(work, how, capsys, make_photo):
    Path("photos").mkdir()
    for number in range(3):
        Image.fromarray(soiled(make_photo(40, 56, number), left=8 + 4 * number)[0]).save(f"photos/{number}.png")
    assert infer(*how, "--output=out", "--save-mask=masks", image="photos") == 0
    assert "3 filled" in capsys.readouterr().out
    assert len({(pixels(f"masks/{number}.png") > 127).tobytes() for number in range(3)}) == 3
    Path("out/1.png").unlink()
    assert infer(*how, "--output=out", "--save-mask=masks", "--resume", image="photos") == 0
    assert "1 filled, 2 skipped" in capsys.readouterr().out
    assert infer(*how, "--sensitivity=0.9", "--output=out", "--save-mask=masks", "--resume", image="photos") == 0
    assert "3 filled" in capsys.readouterr().out
    lines = [json.loads(line) for line in Path("out/journal.jsonl").read_text().splitlines()]
    assert all(line["status"] == "filled" for line in lines if "status" in line)


def test_other_weights_of_the_finder_are_told_from_these(work, capsys, monkeypatch, tmp_path):
    Path("photos").mkdir()
    Path("photo.png").rename("photos/a.png")
    how = ("--model=telea", "--mask-from=run", "--output=out", "--resume")
    assert infer(*how, image="photos") == 0
    tensors, metadata = load_weights(tmp_path / "run" / "model.safetensors")
    tensors["finder.bias"] = torch.tensor([-14.0])
    save_weights(tmp_path / "run" / "model.safetensors", tensors, metadata)
    capsys.readouterr()
    assert infer(*how, image="photos") == 0
    assert "1 filled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            ("--model=telea", "--output=o.png"),
            "nothing says what the hole is: .*--expand, or a blind model",
        ),
        (("--save-mask=m.png",), "nothing says what the hole is"),
        (("--mask-from=telea", "--save-mask=m.png"), "'telea' finds no holes itself: a mask comes from a blind model"),
        (("--mask-from=nothing", "--save-mask=m.png"), "nothing"),
        (("--model=run", "--output=o.png", "--invert-mask"), "invert_mask is for masks, and none is given"),
        (("--model=run", "--mask=photo.png", "--sensitivity=0.2", "--output=o.png"), "--sensitivity 0.2 is of --find"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(work, options, error, capsys):
    assert infer(*options) == 2
    said = capsys.readouterr().err
    assert re.search(error, said), said
