"""Holes without a mask file: `inpaint infer`, `inpaint restore` and `inpaint.fill` take the same marks."""

import numpy as np
import pytest
from PIL import Image

import inpaint
from inpaint.cli.main import run

BOX = np.zeros((40, 56), bool)
BOX[20:28, 10:26] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """photos/{a.jpg, sub/b.png} and mask.png, with relative paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/sub").mkdir(parents=True)
    for seed, name in enumerate(("a.jpg", "sub/b.png")):
        Image.fromarray(make_photo(40, 56, seed)).save(f"photos/{name}")
    mask = np.zeros((40, 56), np.uint8)
    mask[2:8, 3:9] = 255
    Image.fromarray(mask).save("mask.png")
    return tmp_path


def infer(*more, image="photos/sub/b.png"):
    return run(["infer", "--model=mean", f"--image={image}", *more])


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def changed(before, after):
    return (pixels(before) != pixels(after)).any(axis=2)


def test_a_box_is_filled_and_nothing_else(here, capsys):
    assert infer("--box=10,20,16,8", "--output=o.png") == 0
    out, err = capsys.readouterr()
    assert (out[:11], err) == ("wrote o.png", "")
    assert np.array_equal(changed("photos/sub/b.png", "o.png"), BOX)
    same = inpaint.fill(pixels("photos/sub/b.png"), box=(10, 20, 16, 8), model="mean")
    assert np.array_equal(same, pixels("o.png"))


def test_masks_boxes_and_polygons_are_united_grown_and_saved_as_a_mask_that_does_the_same(here, capsys):
    marks = ("--mask=mask.png", "--box=10,20,16,8", "--box=40,1,5,5", "--polygon=30,20 50,22 40,35", "--dilate=2")
    assert infer(*marks, "--output=o.png", "--save-mask=m/used.png", "--preview=over.jpg") == 0
    assert "o.png; m/used.png; over.jpg" in capsys.readouterr().out
    used = pixels("m/used.png") == 255
    assert BOX[used].sum() == BOX.sum()
    assert used[21, 32]
    assert used[0:10, 5].all()
    assert infer("--mask=m/used.png", "--output=again.png") == 0
    assert np.array_equal(pixels("o.png"), pixels("again.png"))
    assert pixels("over.jpg").shape == (40, 56, 3)
    array = pixels("photos/sub/b.png")
    polygon, boxes = [(30, 20), (50, 22), (40, 35)], [(10, 20, 16, 8), "40,1,5,5"]
    same = inpaint.fill(array, "mask.png", box=boxes, polygon=polygon, dilate=2, model="mean", save_mask="n.png")
    assert np.array_equal(same, pixels("o.png"))
    assert np.array_equal(pixels("n.png"), pixels("m/used.png"))


def test_a_folder_gets_a_folder_of_masks_that_is_found_again(here, capsys):
    assert infer("--box=10,20,16,8", "--output=out", "--save-mask=masks", "--preview=over", image="photos") == 0
    assert capsys.readouterr().out == "2 filled\n"
    for folder in ("masks", "over"):
        names = sorted(path.relative_to(here / folder).as_posix() for path in (here / folder).rglob("*.png"))
        assert names == ["a.png", "sub/b.png"]
    assert infer("--mask=masks", "--output=again", image="photos") == 0
    assert np.array_equal(pixels("out/a.jpg"), pixels("again/a.jpg"))


def test_without_an_output_the_hole_is_shown_and_no_model_is_needed(here, capsys):
    assert run(["infer", "--image=photos", "--box=10,20,16,8", "--preview=over"]) == 0
    assert capsys.readouterr().out == "2 marked\n"
    assert changed("photos/sub/b.png", "over/sub/b.png")[BOX].mean() > 0.99
    assert run(["infer", "--image=photos/a.jpg", "--box=10,20,16,8", "--save-mask=m.png"]) == 0
    assert capsys.readouterr().out == "wrote m.png\n"
    assert np.array_equal(pixels("m.png") == 255, BOX)


def test_a_larger_canvas_is_filled_around_the_photo(here):
    assert infer("--expand=4,0,7,2", "--output=o.png", "--save-mask=m.png") == 0
    larger = pixels("o.png")
    assert larger.shape == (42, 67, 3)
    assert np.array_equal(larger[:40, 4:60], pixels("photos/sub/b.png"))
    assert (pixels("m.png") == 0).sum() == 40 * 56
    array = pixels("photos/sub/b.png")
    assert np.array_equal(inpaint.fill(array, expand=(4, 0, 7, 2), model="mean"), larger)
    gray = inpaint.fill(array[..., 0], expand=(4, 0, 7, 2), model="mean")
    assert gray.shape == (42, 67)


def test_what_is_transparent_is_filled_and_shown(here):
    erased = np.dstack([pixels("photos/sub/b.png"), np.where(BOX, 0, 255).astype(np.uint8)])
    Image.fromarray(erased).save("e.png")
    assert infer("--mask=alpha", "--output=o.png", image="e.png") == 0
    whole = pixels("o.png")
    assert (whole[..., 3] == 255).all()
    assert np.array_equal((whole[..., :3] != erased[..., :3]).any(axis=2), BOX)
    assert np.array_equal(inpaint.fill(erased, "alpha", model="mean"), whole)


def test_what_was_painted_over_in_a_color_is_filled(here):
    painted = pixels("photos/sub/b.png").copy()
    painted[BOX] = (0, 255, 0)
    Image.fromarray(painted).save("p.png")
    assert infer("--mask-color=lime", "--output=o.png", "--save-mask=m.png", image="p.png") == 0
    hole = pixels("m.png") == 255
    assert hole[BOX].all()
    assert hole.sum() < BOX.sum() + 2 * 2 * (16 + 8) + 16 + 1
    assert (pixels("o.png")[BOX] != (0, 255, 0)).any(axis=1).all()


def test_restore_takes_the_same_marks(here, capsys):
    options = ("--task=inpaint", "--image=photos/sub/b.png", "--iterations=2", "--width=4", "--device=cpu")
    assert run(["restore", *options, "--box=10,20,16,8", "--output=o.png", "--preview=over.png"]) == 0
    assert np.array_equal(changed("photos/sub/b.png", "o.png"), BOX)
    assert pixels("over.png").shape == (40, 56, 3)
    denoise = ("--task=denoise", "--image=photos/sub/b.png", "--output=o.png")
    assert run(["restore", *denoise, "--preview=over.png"]) == 2
    assert "the task denoise has no hole that a mask or preview could show" in capsys.readouterr().err
    assert run(["restore", *denoise, "--box=1,2,3,4"]) == 2
    assert "the task denoise takes no mask" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output=o.png"], "nothing says what the hole is: --mask, --box, --polygon"),
        (["--box=1,2,3", "--output=o.png"], "the box '1,2,3' is none"),
        (["--box=1,2,3,4"], "--output is missing"),
        (["--box=1,2,3,4", "--invert-mask", "--output=o.png"], "invert_mask is for masks, and none is given"),
        (["--box=1,2,3,4", "--output=o.png", "--save-mask=m.jpg"], "would lose its exact edge"),
        (["--box=1,2,3,4", "--output=o.png", "--preview=o.png"], "must be different files"),
        (["--box=1,2,3,4", "--output=o.png", "--preview=-"], "is written beside the output"),
        (["--box=1,2,3,4", "--output=out", "--preview=x.gif"], "unknown suffix '.gif'"),
        (["--expand=0,0,0,0", "--output=o.png"], "does not say by what to expand"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(here, capsys, arguments, said):
    assert infer(*arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (here / "o.png").exists()


def test_a_model_is_asked_for_where_something_is_to_be_filled(here, capsys):
    assert run(["infer", "--image=photos", "--box=1,2,3,4", "--output=out"]) == 2
    assert "--model is missing" in capsys.readouterr().err


def test_a_box_outside_one_photo_of_a_folder_is_said_of_that_photo(here, capsys, make_photo):
    Image.fromarray(make_photo(30, 30)).save("photos/small.png")
    assert infer("--box=10,20,16,12", "--output=out", image="photos") == 1
    assert "photos/small.png: the box 10,20,16,12" in capsys.readouterr().err


def test_specks_are_found_and_filled_and_a_photo_without_any_is_copied(here, capsys):
    flat = np.full((80, 100, 3), 120, np.uint8)
    Image.fromarray(flat).save("clean.png")
    flat[40:42, 50:52] = 250
    Image.fromarray(flat).save("dusty.png")
    assert infer("--find=dust", "--output=o.png", image="dusty.png") == 0
    assert (pixels("o.png") == 120).all()
    capsys.readouterr()
    assert infer("--find=dust", "--sensitivity=0.2", "--output=c.png", image="clean.png") == 0
    out, err = capsys.readouterr()
    assert "c.png, a copy: nothing to fill" in out
    assert "clean.png: no dust found (--sensitivity 0.2)" in err
    assert (here / "c.png").read_bytes() == (here / "clean.png").read_bytes()
    assert infer("--box=1,2,3,4", "--sensitivity=0.2", "--output=o.png", image="clean.png") == 2
    assert "--sensitivity 0.2 is of --find, which is not given" in capsys.readouterr().err


def test_a_watermark_is_found_in_a_folder_and_not_in_one_photo(here, capsys, make_photo):
    (here / "marked").mkdir()
    for seed in range(7):
        photo = make_photo(60, 90, seed)
        photo[25:35, 30:60] = 255
        Image.fromarray(photo).save(f"marked/{seed}.png")
    assert infer("--find=watermark", "--output=out", "--save-mask=masks", image="marked") == 0
    assert (pixels("masks/3.png")[25:35, 30:60] == 255).mean() > 0.9
    assert infer("--find=watermark", "--output=o.png", image="marked/0.png") == 1
    assert "found in a folder of photos, not in one" in capsys.readouterr().err


def test_the_object_in_a_box_is_filled(here):
    photo = np.full((80, 100, 3), (60, 120, 60), np.uint8)
    photo[30:50, 40:60] = (220, 40, 40)
    Image.fromarray(photo).save("p.png")
    assert infer("--object=30,20,42,42", "--output=o.png", "--save-mask=m.png", image="p.png") == 0
    hole = pixels("m.png") == 255
    assert hole[30:50, 40:60].all()
    assert hole.sum() < 24 * 24 + 1
