"""Masks and folders as people have them: what `inpaint infer` and `inpaint.fill` fill, say and count."""

import os

import numpy as np
import pytest
from PIL import Image

import inpaint
from inpaint.cli.main import run
from inpaint.errors import NotAMaskError

HOLE = np.zeros((40, 56), bool)
HOLE[10:20, 15:40] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """photos/{a.jpg, b.png}, mask.png and second.png, with relative paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("a.jpg", "b.png")):
        Image.fromarray(make_photo(40, 56, seed)).save(f"photos/{name}")
    Image.fromarray(HOLE * np.uint8(255)).save("mask.png")
    Image.fromarray(np.roll(HOLE, 15, axis=0) * np.uint8(255)).save("second.png")
    return tmp_path


def infer(*more, image="photos", mask="mask.png", output="out", model="mean"):
    return run(["infer", f"--model={model}", f"--image={image}", f"--mask={mask}", f"--output={output}", *more])


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def changed(before, after):
    return (pixels(before) != pixels(after)).any(axis=2)


def test_the_rule_is_said_in_one_line_and_a_label_takes_its_place(here, capsys):
    labels = HOLE.astype(np.uint8)
    labels[30:38, 5:50] = 2
    Image.fromarray(labels).save("labels.png")
    assert infer(image="photos/b.png", mask="labels.png", output="o.png") == 1
    assert "labels are 0, 1, 2: name the hole, as by --label 1" in capsys.readouterr().err
    assert infer("--label", "1", image="photos/b.png", mask="labels.png", output="o.png") == 0
    assert capsys.readouterr().err == "warning: labels.png: label 1 is the hole\n"
    assert np.array_equal(changed("photos/b.png", "o.png"), HOLE)
    assert infer("--label=red", image="photos/b.png", mask="labels.png", output="o.png") != 0
    assert "the label 'red' is none" in capsys.readouterr().err


def test_several_masks_are_united(here, capsys):
    assert infer("--mask=second.png", image="photos/b.png", output="o.png") == 0
    assert np.array_equal(changed("photos/b.png", "o.png"), HOLE | np.roll(HOLE, 15, axis=0))
    photo = pixels("photos/b.png")
    both = inpaint.fill(photo, ["mask.png", np.roll(HOLE, 15, axis=0)], model="mean")
    assert np.array_equal(both, pixels("o.png"))


def test_swapped_image_and_mask_are_pointed_out(here, capsys):
    assert infer(image="mask.png", mask="photos/b.png", output="o.png") == 1
    assert "no mask but an image of many colors" in (said := capsys.readouterr().err)
    assert "mask.png looks like the mask: were image and mask swapped?" in said
    with pytest.raises(NotAMaskError, match="swapped"):
        inpaint.fill("mask.png", pixels("photos/b.png"), model="mean")
    assert infer(image="photos/a.jpg", mask="photos/b.png", output="o.png") == 1
    assert "swapped" not in capsys.readouterr().err


def test_photos_without_a_hole_are_counted_as_such(here, capsys):
    (here / "masks").mkdir()
    Image.fromarray(np.zeros((40, 56), np.uint8)).save("masks/a.png")
    Image.fromarray(HOLE * np.uint8(255)).save("masks/b.png")
    assert infer(mask="masks") == 0
    assert capsys.readouterr().out == "1 filled, 1 without a hole\n"
    assert infer(image="photos/a.jpg", mask="masks/a.png", output="o.jpg") == 0
    assert capsys.readouterr().out == "wrote o.jpg, a copy: nothing to fill\n"


def test_files_that_are_no_photos_and_masks_without_photos_are_named(here, capsys):
    (here / "photos/notes.txt").touch()
    (here / "photos/film.mov").touch()
    (here / "masks").mkdir()
    for name in "abc":
        Image.fromarray(HOLE * np.uint8(255)).save(f"masks/{name}.png")
    (here / "masks/readme.md").touch()
    assert infer(mask="masks") == 0
    said = capsys.readouterr().err
    assert "photos: left out, since they are no photos that can be read: 1 .mov (film.mov), 1 .txt (notes.txt)" in said
    assert "masks: left out, since they are no photos that can be read: 1 .md (readme.md)" in said
    assert "masks: 1 without a photo of its name: c.png" in said


@pytest.mark.parametrize("place", ["beside", "below", "named"])
def test_masks_among_the_photos_are_not_filled(here, capsys, place):
    names = {"beside": "photos/a.png", "below": "photos/masks/a.png", "named": "photos/a_mask.png"}
    (here / "photos/b.png").unlink()
    (here / "photos/masks").mkdir()
    Image.fromarray(HOLE * np.uint8(255)).save(names[place])
    assert infer(mask="photos/masks" if place == "below" else "photos") == 0
    assert sorted(path.name for path in (here / "out").rglob("*") if path.is_file()) == ["a.jpg", "journal.jsonl"]


def test_sketches_among_the_photos_are_not_filled(here):
    from inpaint.pipeline import plan_jobs

    Image.fromarray(HOLE).save("photos/a_sketch.png")
    Image.fromarray(HOLE).save("photos/b_sketch.png")
    jobs = plan_jobs("photos", "mask.png", "out", guidance={"sketch": "photos"})
    assert [(job.image.name, job.guidance["sketch"].name) for job in jobs] == [
        ("a.jpg", "a_sketch.png"),
        ("b.png", "b_sketch.png"),
    ]


def test_every_message_of_a_folder_names_its_photo(here, capsys, make_photo):
    Image.fromarray(make_photo(50, 56)).save("photos/other.png")
    Image.fromarray(make_photo(80, 112)).save("photos/twice.png")
    Image.fromarray(make_photo(40, 4)).save("photos/narrow.png")
    (here / "photos/text.png").write_text("no image")
    assert infer() == 1
    said = capsys.readouterr().err.splitlines()
    for name, words in {
        "other": "another shape",
        "twice": "resized",
        "narrow": "another shape",
        "text": "not a",
    }.items():
        assert any(f"photos/{name}.png" in line and words in line for line in said), name


@pytest.mark.parametrize("option", ["--output", "--mask", "--image", "--model"])
@pytest.mark.parametrize("joined", [True, False])
def test_empty_values_are_refused(here, capsys, option, joined):
    arguments = {"--model": "mean", "--image": "photos/b.png", "--mask": "mask.png", "--output": "o.png", option: ""}
    words = [word for pair in arguments.items() for word in (["=".join(pair)] if joined else pair)]
    assert run(["infer", *words]) == 2
    what = option if joined else "it"
    assert capsys.readouterr().err == f"error: {option} is given an empty value: name something, or leave {what} out\n"
    assert not (here / "o.png").exists()


@pytest.mark.parametrize("model", ["telea", "navier_stokes", "biharmonic", "mean", "patch"])
def test_invisible_colors_do_not_show_in_the_fill_and_opaque_shows_the_hole(here, capsys, model):
    values = np.zeros((40, 56, 4), np.uint8)
    values[:, :30] = (240, 150, 40, 255)
    results = []
    for hidden in ((0, 0, 0), (255, 0, 255)):
        values[:, 30:, :3] = hidden
        Image.fromarray(values).save("sticker.png")
        assert infer(image="sticker.png", output="o.png", model=model) == 0
        after = pixels("o.png")
        assert np.abs(after[HOLE & (values[..., 3] == 255)][:, :3].astype(int) - (240, 150, 40)).max() <= 2
        assert np.array_equal(after[~HOLE], values[~HOLE])
        assert np.array_equal(after[..., 3], values[..., 3])
        results.append(after[HOLE])
        assert "--opaque shows it" in capsys.readouterr().err
        assert infer("--opaque", image="sticker.png", output="o.png", model=model) == 0
        after = pixels("o.png")
        assert (after[HOLE][:, 3] == 255).all()
        assert np.array_equal(after[~HOLE], values[~HOLE])
        assert capsys.readouterr().err == ""
    assert np.array_equal(*results)


def test_an_erased_photo_is_its_own_mask(here, make_photo):
    photo = np.dstack([make_photo(40, 56), 255 - HOLE * np.uint8(255)])
    Image.fromarray(photo).save("erased.png")
    assert infer("--opaque", image="erased.png", mask="erased.png", output="o.png") == 0
    after = pixels("o.png")
    assert np.array_equal(after[~HOLE], photo[~HOLE])
    assert (after[..., 3] == 255).all()
    array = inpaint.fill(photo, "erased.png", model="mean", opaque=True)
    assert np.array_equal(array, after)


def test_restoring_reads_masks_and_hides_invisible_colors_as_filling_does(here, capsys, make_photo):
    values = np.dstack([make_photo(40, 56), np.full((40, 56), 255, np.uint8)])
    values[:, 45:, 3] = 0
    red = np.stack([HOLE * np.uint8(255), np.zeros((40, 56), np.uint8), np.zeros((40, 56), np.uint8)], axis=2)
    Image.fromarray(red).save("red.png")
    results = []
    for hidden in (0, 255):
        values[:, 45:, :3] = hidden
        Image.fromarray(values).save("photo.png")
        words = ["restore", "--task=inpaint", "--image=photo.png", "--output=o.png", "--iterations=2", "--width=4"]
        assert run([*words, "--mask=red.png", "--mask=second.png", "--opaque"]) == 0
        assert "red.png: red on black; red is the hole" in capsys.readouterr().err
        results.append(pixels("o.png"))
    hole = HOLE | np.roll(HOLE, 15, axis=0)
    assert np.array_equal(results[0][hole], results[1][hole])
    assert np.array_equal(results[1][~hole], values[~hole])


def test_names_that_no_system_takes_are_one_line(here, capsys):
    for words in ({"image": "x" * 300}, {"mask": "x" * 300}, {"output": f"{'x' * 300}/o.png"}, {"model": "x" * 300}):
        assert infer(**{"image": "photos/b.png", **words}) != 0
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert os.strerror(36) in line or "unknown model" in line or "its name has 300 bytes" in line


def test_edges_that_training_reads_are_no_photos(here, capsys):
    Image.fromarray(HOLE * np.uint8(255)).save("photos/b_edge.png")
    Image.fromarray(HOLE * np.uint8(255)).save("photos/other_edge.png")
    assert infer(mask="mask.png") == 0
    out, err = capsys.readouterr()
    assert out == "3 filled\n"
    assert "photos: 1 left out, by their names edges of photos there: b_edge.png" in err


def test_masks_among_the_photos_are_no_photos_wherever_the_mask_lies(here, capsys):
    Image.fromarray(HOLE * np.uint8(255)).save("photos/b_mask001.png")
    assert infer(mask="mask.png") == 0
    out, err = capsys.readouterr()
    assert out == "2 filled\n"
    assert "photos: 1 left out, by their names masks of photos there: b_mask001.png" in err
