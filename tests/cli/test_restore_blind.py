"""`inpaint restore --task blind`: what is found to be damaged is filled, with a trained model and without."""

import numpy as np
import pytest
from PIL import Image

from blind import soiled, write_weights
from inpaint.cli.main import run

QUICK = ("--iterations=5", "--width=8", "--device=cpu", "--output=out.png", "--save-mask=mask.png")


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    photo, hole = soiled(make_photo(40, 56))
    Image.fromarray(photo).save("photo.png")
    write_weights(monkeypatch, tmp_path / "run")
    return photo, hole


def restore(*options, image="photo.png"):
    return run(["restore", "--task=blind", f"--image={image}", *QUICK, *options])


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_blind_model_says_what_is_restored(here, capsys):
    photo, hole = here
    assert restore("--mask-from=run") == 0
    assert np.array_equal(pixels("mask.png")[..., 0] > 127, hole)
    assert np.array_equal(pixels("out.png")[~hole], photo[~hole])
    assert "looking for" not in capsys.readouterr().err


def test_without_a_model_the_finders_look_and_it_is_said_which_and_how_to_choose(here, capsys, monkeypatch):
    scan = np.full((200, 240, 3), 120, np.uint8)
    scan[20:180, 100:102] = 250
    Image.fromarray(scan).save("scan.png")
    monkeypatch.setattr("inpaint.finding.table.is_available", lambda name: name != "text")
    assert restore(image="scan.png") == 0
    said = capsys.readouterr().err
    assert said.startswith(
        "looking for scratches, dust without a trained model (text needs the extra text); --find NAME chooses, "
        "--mask-from RUN lets a blind model look\n"
    )
    found = pixels("mask.png")[..., 0] > 127
    assert found[60:140, 100:102].all()
    assert np.array_equal(pixels("out.png")[~found], scan[~found])


def test_what_is_to_be_found_can_be_named(here, capsys):
    assert restore("--find=dust") == 0
    assert "looking for" not in capsys.readouterr().err


def test_a_mask_is_refused(here, capsys):
    assert restore("--mask=photo.png") == 2
    assert "the task blind finds its hole itself: with a mask the task is inpaint" in capsys.readouterr().err
