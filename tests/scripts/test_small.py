"""The script that trains, measures, exports and fills with the small model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

from inpaint.data.sources import sample_files

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "small.py"


@pytest.fixture
def small():
    spec = importlib.util.spec_from_file_location("small", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_bundled_photo_is_both_learned_from_and_measured_on(small, tmp_path):
    seen, held_out = (Path(place).read_text().splitlines() for place in small.bundled(tmp_path))
    assert len(held_out) == len(small.HELD_OUT)
    assert sorted(seen + held_out) == sorted(map(str, sample_files()))


def test_photos_to_learn_from_need_others_to_measure_on(small, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        small.main(["--data", str(tmp_path), "--output", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "--data and --held-out go together" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_whole_way_ends_with_a_photo_filled_by_the_exported_file(small, tmp_path, capsys):
    narrow = ["model.width=4", "model.blocks=1", "max_iterations=2", "validation.every=2"]
    small.main(["--output", str(tmp_path), *narrow], standalone_mode=False)
    said = capsys.readouterr().out
    assert [line.split()[2] for line in said.splitlines() if line.startswith("$ ")] == [
        *("train", "evaluate", "export", "infer")
    ]
    assert (tmp_path / "results" / "index.html").is_file()
    with Image.open(tmp_path / "filled.png") as filled, Image.open(small.PHOTO) as photo:
        assert filled.size == photo.size
