"""`inpaint blend` as a user calls it."""

import json

import numpy as np
import pytest
from PIL import Image

from inpaint.blending.table import BLENDERS
from inpaint.cli.main import run
from inpaint.fills.table import MethodEntry
from inpaint.images import writing
from inpaint.system.signals import handlers_restored

MASK = np.zeros((12, 16), bool)
MASK[2:9, 3:12] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(make_photo(12, 16)).save("photo.png")
    Image.fromarray(np.dstack([make_photo(12, 16), MASK * np.uint8(255)])).save("object.png")
    Image.fromarray(MASK * np.uint8(255)).save("mask.png")
    Image.fromarray(make_photo(40, 56, 1)).save("scene.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def placed(x, y):
    found = np.zeros((40, 56), bool)
    found[y + 2 : y + 9, x + 3 : x + 12] = True
    return found


def test_the_object_goes_where_it_is_asked_for_and_the_rest_stays(here, capsys):
    words = ["--source=photo.png", "--mask=mask.png", "--target=scene.png", "--at=20,10", "--method=paste"]
    assert run(["blend", *words, "--output=new/out.png", "--save-mask=where.png", "--trace=trace.json"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["paste; the object has 9 x 7 px at 23,12", "wrote new/out.png"]
    assert err == ""
    before, after, where = pixels("scene.png"), pixels("new/out.png"), pixels("where.png") > 0
    assert np.array_equal(where, placed(20, 10))
    assert np.array_equal(after[~where], before[~where])
    assert np.array_equal(after[where], pixels("photo.png")[MASK])
    trace = json.loads((here / "trace.json").read_text())
    assert trace["request"] == {"method": "paste", "options": {}, "seed": 0, "at": "20,10", "scale": 1.0, "rotate": 0.0}
    assert trace["outside_share"] == 0


def test_without_a_mask_the_object_is_what_is_not_transparent_and_auto_says_what_it_took(here, capsys):
    assert run(["blend", "--source=object.png", "--target=scene.png", "--at=-6,-4", "--output=out.png"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("auto, ")
    assert "along the border" in first
    assert first.endswith("px at 0,0, 52 % of it outside of the target")
    assert (pixels("out.png") != pixels("scene.png")).any(axis=2)[6:].sum() == 0


def test_options_of_the_method_are_given_by_name(here):
    words = ["blend", "--source=object.png", "--target=scene.png", "--method=poisson"]
    for name, options in (("a", []), ("b", ["--option=mode=mixed"]), ("c", ["--option=strength=0.5"])):
        assert run([*words, *options, f"--output={name}.png"]) == 0
    assert not np.array_equal(pixels("a.png"), pixels("b.png"))
    assert not np.array_equal(pixels("a.png"), pixels("c.png"))


@pytest.fixture
def slow(monkeypatch):
    """A method that takes long: arguments of the command line that choose it."""
    entry = MethodEntry(
        options="slow_blender:SlowOptions", factory="slow_blender:Slow", summary="four steps", gradual=True
    )
    monkeypatch.setitem(BLENDERS, "slow", entry)
    words = ["--source=object.png", "--target=scene.png", "--at=20,10", "--method=slow", "--output=out.png"]
    return ["blend", *words, "--trace=trace.json"]


def test_a_method_that_takes_long_gets_its_budget_and_shows_what_it_has(here, slow, monkeypatch):
    seen = []
    write = writing.write_photo

    def watched(photo, path, **how):
        seen.append(int(photo.pixels[12, 23, 0]))
        write(photo, path, **how)

    monkeypatch.setattr(writing, "write_photo", watched)
    assert run([*slow, "--budget=1m", "--preview-every=3"]) == 0
    assert seen == [191, 255]
    assert json.loads((here / "trace.json").read_text())["details"] == {"steps": 4, "budget_s": 60}


def test_an_interrupted_method_writes_what_there_is(here, slow, capsys):
    with handlers_restored():
        assert run([*slow, "--option=interrupt_at=2"]) == 130
    assert "interrupted: the output holds what there was" in capsys.readouterr().err
    assert json.loads((here / "trace.json").read_text())["details"]["steps"] == 2
    before, after, where = pixels("scene.png"), pixels("out.png"), placed(20, 10)
    assert (after[where] == 128).all()
    assert np.array_equal(after[~where], before[~where])


BAD = {
    "--option mode=mixde": (2, "--option mode=mixde: must be one of import, mixed"),
    "--option mood=mixed": (2, "unknown option of the method poisson 'mood' (did you mean 'mode'?)"),
    "--option strength=2": (2, "strength=2: must be a number at least 0 and at most 1"),
    "--option mode": (2, "write NAME=VALUE"),
    "--at 3": (2, "--at 3: write x,y in pixels of the target"),
    "--at 900,0": (1, "the object lies wholly outside of the target: at x 903 to 912"),
    "--scale 0": (2, "scale must be above 0"),
    "--budget 5x": (2, "--budget 5x: must be a time"),
    "--budget 5s": (2, "--budget is for methods that take long"),
    "--output scene.png": (2, "would overwrite a file that is read"),
    "--output out.xyz": (2, "unknown suffix '.xyz'"),
    "--mask gone.png": (1, "cannot read 'gone.png': no such file"),
    "--save-mask m.jpg": (2, "would lose its exact edge"),
    "--box 1,2,3": (2, "the box '1,2,3' is none"),
    "--source photo.png": (2, "photo.png has no transparency"),
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_used_is_told_in_one_line_before_anything_is_written(words, here, capsys):
    given = ["--source=object.png", "--target=scene.png", "--method=poisson"]
    output = [] if words.startswith("--output") else ["--output=out.png"]
    status, message = BAD[words]
    assert run(["blend", *given, *output, *words.split()]) == status
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (here / "out.png").exists()


def test_every_method_can_be_chosen(capsys):
    assert run(["blend", "--help"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert all(name in page for name in BLENDERS)
