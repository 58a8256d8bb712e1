"""The small programs beside the commands: merging two photos, removing an object."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from inpaint.images.edges import canny, gray_of
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network
from inpaint.weights.files import WeightsMetadata, save_weights

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two photos of different sizes and small weights of EdgeConnect."""
    folder = tmp_path_factory.mktemp("examples")
    Image.fromarray(data.astronaut()[:120, 150:310]).save(folder / "a.png")
    Image.fromarray(data.chelsea()[:200, 100:300]).save(folder / "b.png")
    config = Config(width=4, blocks=1)
    metadata = WeightsMetadata(
        model="edgeconnect", config=config.model_dump(mode="json"), roles=("edge_generator", "inpaint_generator")
    )
    save_weights(folder / "weights.safetensors", Network(config).state_dict(), metadata)
    return folder


def called(name, place, *arguments):
    result = CliRunner().invoke(script(name).command, [*map(str, arguments), "--device", "cpu"])
    return result.exit_code, result.output


def test_two_photos_are_merged_along_the_edges_of_both(place, tmp_path):
    files = ("--left", place / "a.png", "--right", place / "b.png", "--output", tmp_path / "out.png")
    status, said = called("merge_photos", place, "--model", place / "weights.safetensors", *files, "--middle", 0.5)
    assert (status, said) == (0, f"wrote {tmp_path / 'out.png'}\n")
    merged, left = np.asarray(Image.open(tmp_path / "out.png")), np.asarray(Image.open(place / "a.png"))
    assert merged.shape == left.shape == (120, 160, 3)
    assert np.array_equal(merged[:, :40], left[:, :40])
    assert not np.array_equal(merged[:, 40:80], left[:, 40:80])
    right = np.asarray(Image.open(place / "b.png").crop((0, 25, 200, 175)).resize((160, 120), Image.Resampling.BICUBIC))
    assert np.abs(merged[:, 120:].astype(int) - right[:, 120:]).mean() < 2


def test_the_edges_of_the_middle_come_from_the_side_that_they_stand_on():
    left, right = data.astronaut()[:120, 150:310], data.chelsea()[:120, 100:260]
    photo, mask, edges = script("merge_photos").merged(left, right, middle=0.5)
    assert mask.sum() == 120 * 80
    for part, one in ((slice(40, 80), left), (slice(80, 120), right)):
        expected = canny(gray_of(one), 2.0)[:, part]
        assert expected.sum() > 50
        assert np.array_equal(edges[:, part], expected)
        assert np.array_equal(photo[:, part], one[:, part])
    assert not edges[:, :40].any()


def test_what_lies_in_a_box_is_painted_anew_and_the_rest_stays(place, tmp_path, monkeypatch):
    arguments = ["--model", place / "weights.safetensors", "--image", place / "a.png", "--output", tmp_path / "out.png"]
    boxes = ["--box", "20,30,40,60", "--box", "100,10,20,10", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["remove_object.py", *map(str, arguments), *boxes])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / "remove_object.py"), run_name="__main__")
    assert not ended.value.code
    before, after = np.asarray(Image.open(place / "a.png")), np.asarray(Image.open(tmp_path / "out.png"))
    changed = (before != after).any(axis=2)
    rows, columns = np.nonzero(changed[:, :80])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 89, 20, 59)
    assert changed[10:20, 100:120].mean() > 0.9
    assert changed.sum() <= 60 * 40 + 10 * 20
