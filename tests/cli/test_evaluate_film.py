"""`inpaint evaluate --fixed-camera`: a table, the scene beside it, and one line for every mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint.cli.main import run
from tiny_film import HEIGHT, WIDTH, write_film

MODELS = ["--model", "mean", "--model", "telea"]


def test_a_film_gives_a_table_and_the_scene(tmp_path, capsys):
    film = write_film(tmp_path / "a.avi", frames=40)
    words = ["evaluate", *MODELS, "--fixed-camera", str(film.path), "--frames", "2", "--output", str(tmp_path / "out")]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "| telea |" in shown.out
    assert "fixed_camera" in shown.out
    assert "scene: median of 40 of 40 frames; still pixels" in shown.err
    with Image.open(tmp_path / "out" / "scene.png") as scene:
        assert np.abs(np.asarray(scene).astype(int) - film.empty).mean() < 6
    with Image.open(tmp_path / "out" / "scene_unknown.png") as unknown:
        assert unknown.size == (WIDTH, HEIGHT)
    lines = (tmp_path / "out" / "results.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        [frame, "moving", model] for frame in ("frame-000010", "frame-000030") for model in ("mean", "telea")
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--fixed-camera", "gone.avi"], 1, "gone.avi': no such file"),
        (["--fixed-camera", "text.avi"], 1, "is no film that can be read"),
        (["--fixed-camera", "text.avi", "--data", "samples"], 2, "leave out --data"),
        (["--fixed-camera", "text.avi", "--masks", "center"], 2, "leave out --data"),
        (["--data", "samples", "--masks", "center", "--shadows"], 2, "--shadows is for films"),
        (["--data", "samples", "--masks", "center", "--dilate", "3"], 2, "--dilate is for films"),
        (["--fixed-camera", "text.avi", "--frame-masks", "masks", "--shadows"], 2, "--shadows says how holes"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    Path("text.avi").write_text("no film")
    assert run(["evaluate", *MODELS, "--output", "out", *arguments]) == status
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not Path("out").exists()
