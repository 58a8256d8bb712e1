"""CONTRIBUTING promises that a model is three files, one entry and one YAML; this follows it to the letter."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

import inpaint.models
from inpaint.cli.main import run
from inpaint.registry import table as registry
from inpaint.types import Capabilities

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def files_of(text):
    """Give each fenced block to the last path named before it."""
    files, prose = {}, ""
    for number, part in enumerate(text.split("```")):
        if number % 2:
            named = re.findall(r"`((?:inpaint|configs)/[\w/]+\.(?:py|yaml))`", prose)
            if named:
                files.setdefault(named[-1], part.split("\n", 1)[1])
        else:
            prose = part
    return files


@pytest.fixture
def hourglass(tmp_path, monkeypatch):
    """Write the files of the walk-through, and return the folder of its YAML."""
    files = files_of(TEXT)
    assert len([name for name in files if name.startswith("inpaint/models/hourglass/")]) == 3
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "inpaint/models/hourglass/__init__.py").touch()
    monkeypatch.setattr(inpaint.models, "__path__", [*inpaint.models.__path__, str(tmp_path / "inpaint/models")])
    entry = re.search(r'```python\n("hourglass": ModelEntry\(.*?\),)\n```', TEXT, re.DOTALL)
    added = eval(f"{{{entry.group(1)}}}", {"ModelEntry": registry.ModelEntry, "Capabilities": Capabilities})
    monkeypatch.setattr(registry, "MODELS", {**registry.MODELS, **added})
    return tmp_path / "configs"


def test_the_model_of_contributing_trains_resumes_and_fills(hourglass, tmp_path, photo_folder, capsys):
    folder = tmp_path / "run"
    options = [
        *("train", "--config-dir", str(hourglass), "model=hourglass", "model.width=4", f"data.root={photo_folder}"),
        *("data.size=32", "data.workers=0", "batch_size=2", "save_every=2", "validation.every=2", "resume=auto"),
        *(f"run.folder={folder}", "trainer.accelerator=cpu", "log_every=1"),
    ]
    assert run([*options, "max_iterations=2"]) == 0, capsys.readouterr().err
    assert run([*options, "max_iterations=4"]) == 0, capsys.readouterr().err
    assert torch.load(folder / "last.ckpt", weights_only=True)["iteration"] == 4

    photo = photo_folder / "a.png"
    with Image.open(photo) as opened:
        size = opened.size
    mask = Image.new("L", size)
    mask.paste(255, (8, 8, 20, 20))
    mask.save(tmp_path / "mask.png")
    output = tmp_path / "filled.png"
    assert (
        run(
            [
                "infer",
                "--model",
                str(folder),
                "--image",
                str(photo),
                "--mask",
                str(tmp_path / "mask.png"),
                "--output",
                str(output),
                "--device",
                "cpu",
            ]
        )
        == 0
    ), capsys.readouterr().err
    with Image.open(output) as filled:
        assert filled.size == size
