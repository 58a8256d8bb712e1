"""`inpaint plot`: from run folders to a PNG."""

from __future__ import annotations

import pytest
from PIL import Image

from inpaint.cli.main import run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my-run").mkdir()
    (tmp_path / "my-run" / "metrics.csv").write_text("iteration,val/a,train/b\n1,2,3\n2,3,4\n")
    return tmp_path


def test_runs_become_an_image(folder, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert run(["plot", str(folder / "my-run"), "--keys", "val/*,train/b", "--output", str(folder / "c.png")]) == 0
    assert capsys.readouterr().out == f"2 panels: {folder / 'c.png'}\n"
    with Image.open(folder / "c.png") as image:
        assert image.format == "PNG"
        assert image.width > image.height


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "name at least one run"),
        (["nowhere"], 1, "'nowhere' is no training run: no such file or folder"),
        (["nowhere", "--output", "curves.jpg"], 2, "'curves.jpg' must end in .png"),
        (["my-run", "--keys", "loss"], 2, "unknown key 'loss'"),
    ],
)
def test_mistakes_get_one_line(folder, arguments, status, said, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert run(["plot", *arguments]) == status
    assert said in (line := capsys.readouterr().err)
    assert line.count("\n") == 1
    assert not (folder / "curves.png").exists()
