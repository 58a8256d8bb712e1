"""`inpaint shards`: one line for every mistake, nothing half-written, and shards that training reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from inpaint.cli.main import run
from inpaint.data.opening import open_source
from thin_scripts import help_without_torch

pytest.importorskip("webdataset", reason="the extra `shards` is not installed")


def test_a_folder_becomes_shards_and_the_last_line_says_where(photo_folder, tmp_path, capsys):
    (photo_folder / "text.png").write_text("no image")
    output = tmp_path / "deep" / "shards"
    assert run(["shards", "--input", str(photo_folder), "--output", str(output), "--count", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"4 photos in 2 shards: {output}"
    assert sorted(path.name for path in output.iterdir()) == [
        "shard-000000.tar",
        "shard-000000.tar.index",
        "shard-000001.tar",
        "shard-000001.tar.index",
    ]
    assert len(open_source(str(output), min_px=16)) == 4


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--input", "gone"], 1, "'gone' does not exist"),
        (["--input", "empty"], 1, "'empty' holds no photos"),
        (["--input", "photos", "--count", "0"], 2, "0 is not in the range"),
        (["--input", "photos", "--size", "3"], 2, "--size"),
        ([], 2, "--input"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    photo_folder, tmp_path, monkeypatch, capsys, arguments, status, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert run(["shards", "--output", "out", *arguments]) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_an_output_that_cannot_be_a_folder_is_one_line(photo_folder, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        assert run(["shards", "--input", str(photo_folder), "--output", str(output)]) in (1, 2)
        error = capsys.readouterr().err
        assert "file" in error
        assert error.count("\n") == 1


def test_the_script_equals_the_verb_and_help_does_not_need_torch():
    assert "--shard-size-bytes" in help_without_torch("shards")
