"""`inpaint stylize` as a user calls it."""

import json

import numpy as np
import pytest
from PIL import Image

from inpaint.cli.main import run
from inpaint.images.film_writing import write_film

MASK = np.zeros((40, 56), bool)
MASK[5:30, 8:40] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(make_photo(40, 56)).save("photo.png", icc_profile=None)
    Image.fromarray(make_photo(20, 30, 1) // 3).save("dark.png")
    Image.fromarray(make_photo(30, 20, 2) // 2 + 120).save("light.png")
    Image.fromarray(MASK * np.uint8(255)).save("mask.png")
    Image.fromarray(~MASK * np.uint8(255)).save("rest.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_photo_gets_the_style_s_colors_and_the_trace_says_how(here, capsys):
    words = ["--content=photo.png", "--style=dark.png", "--output=new/out.png", "--model=colors", "--trace=t.json"]
    assert run(["stylize", *words]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["colors: 56 x 40 px", "wrote new/out.png"]
    assert err == ""
    assert np.allclose(pixels("new/out.png").mean((0, 1)), pixels("dark.png").mean((0, 1)), atol=3)
    request = json.loads((here / "t.json").read_text())["request"]
    assert request["styles"] == ["dark.png"]
    assert request["model"] == "colors"


def test_each_style_goes_where_its_mask_says_and_the_rest_stays_as_it_is(here):
    masks = ["--style=dark.png", "--content-mask=mask.png"]
    assert run(["stylize", "--content=photo.png", *masks, "--output=one.png", "--model=colors"]) == 0
    before, after = pixels("photo.png"), pixels("one.png")
    assert np.array_equal(after[~MASK], before[~MASK])
    assert np.allclose(after[MASK].mean(axis=0), pixels("dark.png").mean((0, 1)), atol=3)
    two = [*masks, "--style=light.png", "--content-mask=rest.png", "--style-mask=all", "--style-mask=all"]
    assert run(["stylize", "--content=photo.png", *two, "--output=two.png", "--model=colors"]) == 0
    assert np.array_equal(pixels("two.png")[MASK], after[MASK])
    assert pixels("two.png")[~MASK].mean() > before[~MASK].mean() + 20


def test_a_folder_keeps_its_names_and_what_fails_is_reported(here, capsys):
    (here / "photos" / "deep").mkdir(parents=True)
    Image.open("photo.png").save("photos/a.png")
    Image.open("photo.png").save("photos/deep/b.jpg", quality=95)
    (here / "photos" / "bad.png").write_bytes(b"none")
    words = ["stylize", "--content=photos", "--style=dark.png", "--output=done", "--model=colors"]
    assert run(words) == 1
    out, err = capsys.readouterr()
    assert out.strip() == "2 painted, 1 failed"
    assert "bad.png" in err
    assert pixels("done/a.png").shape == pixels("done/deep/b.jpg").shape == (40, 56, 3)
    assert run([*words, "--skip-existing"]) == 1
    assert "2 skipped" in capsys.readouterr().out


def test_a_smaller_size_to_work_at_gives_a_photo_of_the_same_size(here, capsys):
    words = ["--content=photo.png", "--style=dark.png", "--output=out.png", "--model=colors", "--size=28"]
    assert run(["stylize", *words]) == 0
    assert "colors: 28 x 20 px, enlarged to 56 x 40" in capsys.readouterr().out
    assert pixels("out.png").shape == (40, 56, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model=collars"], "collars"),
        (["--model=colors", "--transform=ot"], "transform"),
        (["--model=colors", "--option", "method=none"], "method=none"),
        (["--model=colors", "--budget=5s"], "--budget is for methods that take long"),
        (["--model=colors", "--style=light.png", "--weight=2"], "1 weights and 2 styles: give one for each"),
        (["--model=colors", "--style=light.png", "--content-mask=mask.png"], "1 content masks and 2 styles"),
        (["--model=colors", "--weight=0"], "weights must be above 0"),
        (["--model=colors", "--style-mask=photo.png"], "mask"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(here, capsys, words, message):
    assert run(["stylize", "--content=photo.png", "--style=dark.png", "--output=out.png", *words]) != 0
    out, err = capsys.readouterr()
    assert message in out + err
    assert "Traceback" not in err
    assert not (here / "out.png").exists()


def test_without_a_style_the_model_says_that_it_needs_one(here, capsys):
    assert run(["stylize", "--content=photo.png", "--output=out.png", "--model=colors"]) != 0
    assert "colors needs a style" in capsys.readouterr().err


def test_a_film_is_painted_frame_by_frame_and_options_of_photos_are_refused(here, capsys):
    frames = [pixels("photo.png"), pixels("photo.png")[:, ::-1], pixels("photo.png")]
    assert not write_film(here / "film.avi", frames, frames_per_s=5)
    words = [
        "stylize",
        "--content=film.avi",
        "--style=dark.png",
        "--output=out",
        "--model=colors",
        "--film",
        "blend=0",
        "--film",
        "temporal=0",
    ]
    assert run(words) == 0
    assert "3 frames, each painted by itself" in capsys.readouterr().out
    painted = sorted((here / "out").iterdir())
    assert [path.name for path in painted] == ["000001.png", "000002.png", "000003.png"]
    assert np.allclose(pixels(painted[1]).mean((0, 1)), pixels("dark.png").mean((0, 1)), atol=4)
    assert run([*words, "--trace=t.json"]) != 0
    assert "--trace is for photos" in capsys.readouterr().err
    assert (
        run(["stylize", "--content=photo.png", "--style=dark.png", "--output=o.png", "--model=colors", "--resume"]) != 0
    )
    assert "--resume is for films" in capsys.readouterr().err
