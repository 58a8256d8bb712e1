import json

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint.cli.main import run
from inpaint.nn import vgg
from inpaint.nn.vgg import VGG

MASK = np.zeros((12, 16), bool)
MASK[2:9, 3:12] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(make_photo(12, 16)).save("photo.png")
    Image.fromarray(MASK * np.uint8(255)).save("mask.png")
    Image.fromarray(make_photo(40, 56, 1)).save("scene.png")
    return tmp_path


@pytest.fixture
def make_vgg(tmp_path, monkeypatch):
    """Writes a file of torchvision's layout that a narrow VGG-16 reads."""

    def write():
        monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))
        state = VGG("vgg16", weights="random").state_dict()
        torch.save({key.removeprefix("stages."): value for key, value in state.items()}, tmp_path / "vgg.pth")
        return tmp_path / "vgg.pth"

    return write


WORDS = ["benchmark", "blend", "--source=photo.png", "--target=scene.png", "--mask=mask.png", "--device=cpu"]


def test_every_method_and_result_gets_its_figures(here, capsys):
    options = ["--methods=paste,poisson:mode=mixed", "--result=scene.png", "--at=10,5", "--json=out.json"]
    assert run([*WORDS, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines[:3]] == ["paste", "poisson:mode=mixed", "scene.png"]
    paste, poisson, scene = json.loads((here / "out.json").read_text())["blends"]
    assert paste["fidelity"]["shift"] == 0
    assert paste["fidelity"]["seam"] > poisson["fidelity"]["seam"]
    assert [each["background"] for each in (paste, poisson, scene)] == [0, 0, 0]
    assert scene["seconds"] is None


def test_features_tell_style_and_content(here, capsys, monkeypatch, make_vgg):
    assert run([*WORDS, "--methods=paste", "--result=scene.png", "--at=10,5", f"--features={make_vgg()}"]) == 0
    paste, scene = capsys.readouterr().out.splitlines()
    assert ", content 0.00, " in paste
    assert ", style 0.0, " not in paste
    assert ", content 0.00" not in scene


def test_photos_are_made_square_where_that_is_asked_for(here, capsys):
    assert run([*WORDS, "--source-px=10", "--target-px=30", "--methods=paste"]) == 0
    assert "background 0.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods=poison"], "unknown method 'poison'"),
        (["--methods=poisson:mode=mixde"], "must be one of import, mixed"),
        (["--methods=poisson:strength=3"], "strength=3"),
        (["--result=photo.png", "--methods=paste"], "must have the target's size"),
    ],
)
def test_what_cannot_be_measured_is_told(words, message, here, capsys):
    assert run([*WORDS, *words]) > 0
    assert message in capsys.readouterr().err
