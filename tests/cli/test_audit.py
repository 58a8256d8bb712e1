"""`inpaint audit`: a verdict as the exit status, one line for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from inpaint.cli.main import run
from thin_scripts import help_without_torch


@pytest.fixture
def test_folder(tmp_path, make_photo):
    folder = tmp_path / "test"
    folder.mkdir()
    Image.fromarray(make_photo(80, 96, 20)).save(folder / "new.png")
    return folder


def test_the_exit_status_says_whether_there_are_pairs(photo_folder, test_folder, tmp_path, capsys):
    words = ["audit", "--train", str(photo_folder), "--test", str(test_folder), "--output", str(tmp_path / "out")]
    assert run(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 test photo against 4 training photos: 0 pairs alike",
        f"wrote duplicates.csv to {tmp_path / 'out'}",
    ]
    Image.open(photo_folder / "a.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(test_folder / "old.png")
    assert run(words) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2 test photos against 4 training photos: 1 pair alike, 1 test photo in all",
        f"wrote duplicates.csv, duplicates.png to {tmp_path / 'out'}",
    ]
    assert run([*words, "--distance", "0"]) == 1  # mirrored without loss, it has every bit


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--train", "gone", "--test", "samples"], 1, "'gone' does not exist"),
        (["--train", "photos", "--test", "samples", "--distance", "300"], 2, "300 is not in the range"),
        (["--train", "photos"], 2, "--test"),
        (["--train", "-", "--test", "-"], 2, "standard input"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    photo_folder, tmp_path, monkeypatch, capsys, arguments, status, message
):
    monkeypatch.chdir(tmp_path)
    assert run(["audit", "--output", "out", *arguments]) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_the_script_equals_the_verb_and_help_does_not_need_torch():
    assert "--distance" in help_without_torch("audit")
