"""The two lines of the page, run in an environment that has nothing yet."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_graphs import write_network

ROOT = Path(__file__).parents[2]
NO_INDEX = ("No matching distribution", "Temporary failure", "Could not find a version", "hatchling", "Max retries")


def installing_lines() -> list[str]:
    """Return the commands of the page's section, without what is a comment."""
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    section = page.partition("## Without PyTorch")[2].partition("\n## ")[0]
    block = re.search(r"```\n(.*?)```", section, re.DOTALL)
    return [line.partition("#")[0].strip() for line in block[1].splitlines()]


def test_two_lines_install_what_fills_without_torch():
    first, second = installing_lines()
    assert first == "pip install --no-deps ."
    assert second.startswith("pip install ")
    assert not {"torch", "torchvision", "pytorch-lightning", "albumentations", "wandb"} & set(second.split())


@pytest.mark.slow
def test_a_fresh_environment_of_these_lines_fills_a_photo(tmp_path):
    place = tmp_path / "environment"
    venv.create(place, with_pip=True)
    programs = place / ("Scripts" if sys.platform == "win32" else "bin")
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for line in installing_lines():
        command = [str(programs / "python"), "-m", *line.split()]
        done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
        if done.returncode and any(word in done.stderr for word in NO_INDEX):
            pytest.skip("there is no package index")
        assert done.returncode == 0, done.stderr
    hole = np.zeros((60, 90), np.uint8)
    hole[20:40, 30:60] = 255
    Image.fromarray(np.full((60, 90, 3), 77, np.uint8)).save(tmp_path / "photo.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    model = write_network(tmp_path / "model.onnx")
    asked = ["--image=photo.png", "--mask=mask.png", "--output=filled.png", "--option=threads=1"]
    command = [str(programs / "inpaint"), "infer", f"--model={model}", *asked]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (np.asarray(Image.open(tmp_path / "filled.png")) == 77).all()
