"""`inpaint edit` as a user calls it, and every task of it on photos."""

import numpy as np
import pytest
from PIL import Image

from inpaint.cli import edit
from inpaint.cli.main import run
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline.editing import TASKS

MASK = np.zeros((40, 56), bool)
MASK[10:30, 15:40] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    values = make_photo(40, 56)
    Image.fromarray(values).save("photo.png")
    write_photo(photo_of_array(values.astype(np.uint16) * 257), "deep.tif")
    Image.fromarray(MASK * np.uint8(255)).save("mask.png")
    Image.fromarray(np.zeros((40, 56), np.uint8)).save("black.png")
    return tmp_path


def test_the_tasks_are_those_of_the_library():
    assert list(TASKS) == edit.TASKS


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["photo.png", "deep.tif"])
def test_every_task_keeps_size_and_depth_and_what_it_does_not_change(task, name, here, capsys):
    mask = [] if TASKS[task].mask == "none" else ["--mask=mask.png"]
    output = f"new/out{name[-4:]}"
    assert run(["edit", f"--task={task}", f"--image={name}", *mask, f"--output={output}"]) == 0
    assert capsys.readouterr().out == f"wrote {output}\n"
    before, after = read_photo(name).pixels, read_photo(output).pixels
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert not np.array_equal(after, before)
    if not TASKS[task].everywhere:
        assert np.array_equal(after[~MASK], before[~MASK])


def test_boxes_say_where_and_options_how(here):
    words = ["edit", "--task=recolor", "--image=photo.png", "--box=15,10,25,20"]
    for name, options in (("a", []), ("b", ["--option=red=3"])):
        assert run([*words, f"--output={name}.png", *options]) == 0
    red = [read_photo(f"{name}.png").pixels[MASK][:, 0].astype(int).std() for name in "ab"]
    assert red[1] > red[0]


BAD = {
    "--task recolor": (2, "the task recolor needs a mask"),
    "--task tile --mask mask.png": (2, "takes no mask"),
    "--task flatten --mask black.png": (1, "the mask is empty"),
    "--task flatten --option sigma=0": (2, "sigma=0"),
    "--task flatten --option red=1": (2, "unknown option of the task flatten 'red'"),
    "--task tile --option red=1": (2, "the task tile has no options"),
    "--task flatten --image gone.png": (1, "cannot read 'gone.png'"),
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_done_is_told_in_one_line(words, here, capsys):
    status, message = BAD[words]
    assert run(["edit", "--image=photo.png", "--output=out.png", *words.split()]) == status
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
