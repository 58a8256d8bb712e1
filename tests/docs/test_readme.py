"""What the README asks a newcomer to paste works in a fresh clone."""

import numpy as np
from PIL import Image

from inpaint.cli.main import run
from pages import ROOT, blocks, commands

README = ROOT / "README.md"


def test_the_first_command_and_the_lines_of_python_fill_the_bundled_photo_alike(tmp_path, monkeypatch):
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    (command,) = [words for words in commands(README) if "docs/examples/photo.jpg" in words]
    assert run(command) == 0
    by_command = np.asarray(Image.open("filled.png"))
    (code,) = [block.text for block in blocks(README) if block.language == "python"]
    exec(compile(code, str(README), "exec"), {})
    by_python = np.asarray(Image.open("filled.png"))
    photo, mask = np.asarray(Image.open("docs/examples/photo.jpg")), np.asarray(Image.open("docs/examples/mask.png"))
    assert np.array_equal(by_command, by_python)
    assert np.array_equal(by_command[mask == 0], photo[mask == 0])
    assert (by_command[mask > 0] != photo[mask > 0]).mean() > 0.5


def test_the_readme_stays_short_enough_to_be_read():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150
