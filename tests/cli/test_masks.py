"""`inpaint masks`: the sheet and the folder, and one line for every mistake."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inpaint.cli.main import run
from inpaint.masks import parse_mask


def test_the_sheet_shows_what_was_asked_for(tmp_path, capsys):
    output = tmp_path / "sheet.png"
    assert run(["masks", "--output", str(output), "--kind", "brush,center", "--kind", "half", "--size", "32"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"3 kinds, 6 masks each: {output}"
    sheet = np.asarray(Image.open(output))
    assert sheet.dtype == np.uint8
    # Six center boxes of half the side, 48 x 48 of 96 x 96, stand side by side in black.
    white_runs = (sheet[:, :, 0] == 255).astype(np.int8)
    middle = white_runs[sheet.shape[0] // 2 + 20]
    starts = np.flatnonzero(np.diff(middle) == 1)
    assert len(starts) >= 6


def test_all_kinds_fit_on_one_sheet(tmp_path, capsys):
    output = tmp_path / "sheet.jpg"
    assert run(["masks", "--output", str(output), "--size", "16", "--count", "2"]) == 0
    assert "kinds, 2 masks each" in capsys.readouterr().out
    with Image.open(output) as sheet:
        assert sheet.format == "JPEG"
        assert min(sheet.size) > 700


def test_a_folder_of_masks_is_white_in_the_hole_and_the_same_again(tmp_path, capsys):
    for name in ("first", "second"):
        arguments = ["masks", "--folder", str(tmp_path / name), "--kind", "box", "--count", "3", "--size", "24"]
        assert run([*arguments, "--seed", "5"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"3 masks: {tmp_path / 'first'}"
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == ["000000.png", "000001.png", "000002.png"]
    for number, name in enumerate(files):
        written = np.asarray(Image.open(tmp_path / "first" / name))
        expected = parse_mask("box").draw(np.random.default_rng((5, number)), 24, 24)
        assert np.array_equal(written, expected * 255)
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert parse_mask(f"folder:{tmp_path / 'first'}").draw(np.random.default_rng(0), 24, 24).any()


def test_a_sheet_that_cannot_be_written_is_not_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("inpaint.masks.sheet.mask_sheet", lambda *arguments, **options: pytest.fail("drawn"))
    assert run(["masks", "--output", str(tmp_path / "nodir" / "x.png")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: cannot write '{tmp_path}/nodir/x.png': '{tmp_path}/nodir' is not a folder\n"


def test_nothing_but_the_result_is_printed_where_there_is_no_terminal(tmp_path, capsys):
    arguments = ["masks", "--folder", str(tmp_path / "one"), "--kind", "box", "--count", "1", "--size", "16"]
    assert run(arguments) == 0
    assert capsys.readouterr() == (f"1 mask: {tmp_path / 'one'}\n", "")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "give either --output SHEET.png or --folder FOLDER"),
        (["--output", "sheet.png", "--folder", "masks"], 2, "give either"),
        (["--output", "sheet.tga"], 2, "unknown suffix '.tga'; valid: .avif, .bmp, .heic"),
        (["--output", "sheet.png", "--kind", "bruhs"], 2, "unknown mask 'bruhs' (did you mean 'brush'?)"),
        (["--output", "sheet.png", "--kind", "folder:gone"], 1, "'gone' is not a folder"),
        (["--output", "nowhere/sheet.png", "--kind", "center", "--size", "8"], 1, "cannot write 'nowhere/sheet.png'"),
        (["--output", "sheet.png", "--size", "4"], 2, "--size"),
        (["--folder", "masks"], 2, "--folder takes exactly one --kind, got 0"),
        (["--folder", "full", "--kind", "box"], 1, "folder 'full' is not empty"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert run(["masks", *arguments]) == status
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("error")]) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full"]
