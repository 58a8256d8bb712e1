"""Every wrong input: one line that says what and why, the right exit status, no traceback, nothing half-written."""

import io
import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint.cli import infer
from inpaint.cli.main import run


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


def png(values):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """A good photo and mask, and one of every bad kind."""
    monkeypatch.chdir(tmp_path)
    photo = make_photo(40, 56)
    hole = np.zeros((40, 56), np.uint8)
    hole[10:20, 15:40] = 255
    contents = {
        "photo.png": png(photo),
        "mask.png": png(hole),
        "text.png": b"hello, this is no image\n",
        "truncated.png": png(photo)[:2000],
        "empty.png": b"",
        "dot.png": png(photo[:1, :1]),
        "narrow.png": png(photo[:, :7]),
        "narrow_mask.png": png(hole[:, 14:21]),
        "dot_mask.png": png(hole[10:11, 15:16]),
        "huge.png": png_claiming(20_000, 10_000),
        "white.png": png(np.full((40, 56), 255, np.uint8)),
        "portrait.png": png(hole.T.copy()),
        "a_file": b"",
        "tree.pt": b"not weights",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty_folder").mkdir()
    return tmp_path


BAD = {
    "missing photo": ({"image": "no.png"}, 1, "cannot read 'no.png': no such file"),
    "missing mask": ({"mask": "no.png"}, 1, "cannot read 'no.png': no such file"),
    "missing sketch": ({"sketch": "no.png"}, 1, "cannot read 'no.png': no such file"),
    "text named png": ({"image": "text.png"}, 1, "cannot read 'text.png': its content is not an image"),
    "text as mask": ({"mask": "text.png"}, 1, "cannot read 'text.png': its content is not an image"),
    "truncated": ({"image": "truncated.png"}, 1, "cannot read 'truncated.png': damaged or truncated"),
    "empty file": ({"image": "empty.png"}, 1, "cannot read 'empty.png': the file is empty"),
    "one pixel": ({"image": "dot.png", "mask": "dot_mask.png"}, 1, "dot.png: 1 x 1 pixels are too few; telea needs"),
    "seven wide": ({"image": "narrow.png", "mask": "narrow_mask.png"}, 1, "7 x 40 pixels are too few; telea needs"),
    "200 megapixels": ({"image": "huge.png"}, 1, "claims 20000 x 10000 pixels, more than the limit of 100,000,000"),
    "own limit": ({"max-pixels": "2000"}, 1, "claims 56 x 40 pixels, more than the limit of 2,000"),
    "other aspect": ({"mask": "portrait.png"}, 1, "portrait.png: the mask has 40 x 56 pixels, the photo 56 x 40"),
    "all hole": ({"mask": "white.png"}, 1, "the mask covers the whole photo, and telea works from known pixels"),
    "empty folder": ({"image": "empty_folder", "output": "out"}, 1, "no photo in empty_folder"),
    "output below a file": ({"output": "a_file/x.png"}, 1, "cannot write into 'a_file': a_file is not a folder"),
    "output a file as folder": ({"output": "a_file/"}, 1, "cannot write into 'a_file': a_file is not a folder"),
    "unknown suffix": ({"output": "x.gif"}, 2, "cannot write 'x.gif': unknown suffix '.gif'"),
    "folder into file": ({"image": "empty_folder", "output": "x.png"}, 2, "the output must be a folder"),
    "onto itself": ({"output": "photo.png"}, 2, "would overwrite a file that is read"),
    "unknown model": ({"model": "tela"}, 2, "unknown model 'tela' (did you mean 'telea'?)"),
    "untrained model": ({"model": "deepfill"}, 2, "'deepfill' needs weights"),
    "no weights": ({"model": "tree.pt"}, 1, "tree.pt"),
    "folder that is no run": ({"model": "empty_folder"}, 1, "not the folder of a run"),
    "unknown device": ({"device": "tpu"}, 2, "unknown device 'tpu'"),
    "unwanted edges": ({"edges": "mask.png"}, 2, "telea does not accept 'edges'; guidance it accepts: none"),
    "unwanted sketch": ({"sketch": "mask.png"}, 2, "telea does not accept 'sketch'; guidance it accepts: none"),
    "negative dilation": ({"dilate": "-1"}, 2, "Invalid value for '--dilate'"),
    "dilation in words": ({"dilate": "much"}, 2, "Invalid value for '--dilate': 'much' is not a valid integer"),
    "quality above 100": ({"quality": "101"}, 2, "Invalid value for '--quality'"),
    "unknown option": ({"mode": "x"}, 2, "No such option"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(here, capsys, case):
    changes, status, text = BAD[case]
    options = {"model": "telea", "image": "photo.png", "mask": "mask.png", "output": "out/filled.png", **changes}
    before = {path: path.read_bytes() if path.is_file() else None for path in here.rglob("*")}
    assert run(["infer", *(f"--{key}={value}" for key, value in options.items())]) == status
    out, err = capsys.readouterr()
    assert out == ""
    errors = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert text in errors[0]
    assert {path: path.read_bytes() if path.is_file() else None for path in here.rglob("*")} == before


def test_a_missing_option_is_named(here, capsys):
    assert run(["infer", "--model=telea"]) == 2
    assert capsys.readouterr().err == "error: Missing option '--image'.\n"


@pytest.mark.parametrize("changes", [{"output": "a_file/x.png"}, {"image": "no.png"}, {"output": "x.gif"}])
def test_the_model_is_not_loaded_for_a_request_that_cannot_end_well(here, monkeypatch, changes):
    loaded = []
    monkeypatch.setattr(infer, "load_model", lambda model, device, **_: loaded.append(model))
    options = {"model": "telea", "image": "photo.png", "mask": "mask.png", "output": "out.png", **changes}
    assert run(["infer", *(f"--{key}={value}" for key, value in options.items())]) != 0
    assert loaded == []


def test_a_write_that_fails_is_one_line_and_keeps_the_old_file(here, monkeypatch, capsys):
    (here / "out.png").write_bytes(b"old")

    def fill_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill_disk)
    arguments = ["infer", "--model=telea", "--image=photo.png", "--mask=mask.png", "--output=out.png"]
    assert run(arguments) == 1
    assert capsys.readouterr().err == "error: cannot write 'out.png': No space left on device\n"
    assert (here / "out.png").read_bytes() == b"old"
    assert not [path for path in here.iterdir() if path.name.endswith(".tmp")]


class Code:
    """Unpickled, makes a file."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("name", ["evil.safetensors", "evil.pt", "evil.ckpt", "run/model.safetensors"])
def test_a_pickle_that_would_run_code_is_one_line_and_runs_nothing(here, capsys, name):
    (here / "run").mkdir()
    (here / name).write_bytes(pickle.dumps({"generator": Code()}))
    model = "run" if name.startswith("run/") else name
    arguments = ["infer", f"--model={model}", "--image=photo.png", "--mask=mask.png", "--output=out.png"]
    assert run(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (here / "ran").exists()
    assert not (here / "out.png").exists()
    pickle.loads((here / name).read_bytes())  # it is real: this is what would have happened
    assert (here / "ran").is_dir()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, where not even root can make files")
def test_a_folder_that_takes_no_files_is_one_line(here, capsys):
    arguments = ["infer", "--model=telea", "--image=photo.png", "--mask=mask.png", "--output=/proc/filled.png"]
    assert run(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: cannot write ")
    assert err.count("\n") == 1


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_line(here, capsys):
    (here / "closed").mkdir(mode=0o500)
    arguments = ["infer", "--model=telea", "--image=photo.png", "--mask=mask.png", "--output=closed/filled.png"]
    assert run(arguments) == 1
    assert "Permission denied" in capsys.readouterr().err
