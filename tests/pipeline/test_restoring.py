"""One photo restored by itself: what comes in, what comes out, and that a fill is the same work."""

import json

import numpy as np
import pytest
import tifffile
import torch

from inpaint.dip.fill import DeepImagePrior
from inpaint.dip.options import DipOptions, FillOptions
from inpaint.dip.presets import TASKS
from inpaint.dip.restoring import Restored, restore
from inpaint.errors import InputError, MaskError, UsageError
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline import fill_photo
from inpaint.pipeline.restoring import restore_photo, write_trace, write_uncertainty
from inpaint.types import StopFill

QUICK = DipOptions(iterations=4, width=8)
HOLE = np.zeros((40, 56), bool)
HOLE[10:14, 15:40] = True


def tensor(pixels):
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255))


@pytest.fixture
def pixels(make_photo):
    return make_photo(40, 56)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_gives_what_its_tensors_give(pixels, make_photo, task):
    fills = task in ("inpaint", "restore")
    lit = make_photo(40, 56, 1) if task == "flash" else None
    found = restore_photo(pixels, task, mask=HOLE if fills else None, flash=lit, options=QUICK, device="cpu", seed=3)
    alone = restore(
        task,
        tensor(pixels),
        torch.from_numpy(HOLE).float()[None, None] if fills else None,
        flash=None if lit is None else tensor(lit),
        options=QUICK,
        seed=3,
    )
    assert torch.equal(found.restored.raw, alone.raw)
    painted = np.rint(255 * alone.image[0].permute(1, 2, 0).numpy().astype(np.float64)).astype(np.uint8)
    expected = np.where(HOLE[..., None], painted, pixels) if fills else painted
    assert np.array_equal(found.photo.pixels, expected)


def test_a_file_of_several_pages_is_refused_or_its_first_is_restored(pixels, make_photo, tmp_path, caplog):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (pixels, make_photo(40, 56, 1)):
            file.write(page, photometric="rgb", metadata=None)
    with pytest.raises(InputError, match="it has 2 pages; --first-page restores the first alone"):
        restore_photo(tmp_path / "a.tif", "inpaint", mask=HOLE, options=QUICK, device="cpu")
    found = restore_photo(tmp_path / "a.tif", "inpaint", mask=HOLE, options=QUICK, device="cpu", first_page=True)
    assert np.array_equal(found.photo.pixels[~HOLE], pixels[~HOLE])
    assert "has 2 pages or frames; the first is used" in caplog.text


def test_a_fill_of_the_same_seed_is_the_same_work(pixels):
    photo = photo_of_array(pixels)
    found = restore_photo(photo, "inpaint", mask=HOLE, options=QUICK, device="cpu", seed=4)
    filled = fill_photo(photo, HOLE, DeepImagePrior(FillOptions(iterations=4, width=8), device="cpu"), seed=4)
    assert np.array_equal(found.photo.pixels, filled.pixels)


def test_region_and_budget_follow_one_rule_for_both(monkeypatch, make_photo):
    """What reaches the restoration is recorded instead of done."""
    calls = []

    def record(task, image, mask, *, options, device, seed, flash=None, spent_s=0.0, callback=None):
        calls.append((task, options.budget_s(torch.device(device)), options.crop, int(mask.sum()), seed))
        return Restored(image=image, raw=image)

    monkeypatch.setattr("inpaint.dip.fill.restore", record)
    monkeypatch.setattr("inpaint.pipeline.restoring.restore", record)
    photo = photo_of_array(make_photo(40, 56))
    for budget in ("auto", "none", "5m", 7):
        restore_photo(photo, "inpaint", mask=HOLE, options=DipOptions(budget=budget), device="cpu", seed=2)
        fill_photo(photo, HOLE, DeepImagePrior(FillOptions(budget=budget), device="cpu"), seed=2)
    assert calls[0::2] == calls[1::2]
    assert [call[1] for call in calls[::2]] == [60.0, None, 300.0, 7.0]


def test_paths_arrays_and_photos_are_the_same(tmp_path, pixels):
    write_photo(photo_of_array(pixels), tmp_path / "photo.png")
    write_photo(photo_of_array(HOLE * np.uint8(255)), tmp_path / "mask.png")
    sources = [
        (pixels, HOLE),
        (photo_of_array(pixels), HOLE * np.uint8(255)),
        (tmp_path / "photo.png", tmp_path / "mask.png"),
    ]
    found = [restore_photo(one, "inpaint", mask=mask, options=QUICK, device="cpu").photo for one, mask in sources]
    assert all(np.array_equal(each.pixels, found[0].pixels) for each in found)
    assert found[2].path == tmp_path / "photo.png"
    inverted = restore_photo(pixels, "inpaint", mask=~HOLE, invert_mask=True, options=QUICK, device="cpu").photo
    assert np.array_equal(inverted.pixels, found[0].pixels)
    larger = restore_photo(pixels, "inpaint", mask=HOLE, dilate=2, options=QUICK, device="cpu").photo
    changed = (larger.pixels != pixels).any(axis=-1)
    assert changed[8:16].any(axis=0).sum() > 25
    assert not changed[:7].any()


def test_a_callback_gets_photos_on_the_way_and_may_stop(pixels):
    seen = []

    def callback(step, photo):
        seen.append(photo())
        if step.intermediate.done == 3:
            raise StopFill

    options = DipOptions(iterations=10_000, width=8)
    found = restore_photo(pixels, "inpaint", mask=HOLE, options=options, device="cpu", callback=callback)
    assert found.restored.reason == "interrupted"
    assert len(seen) == 3
    assert all(np.array_equal(photo.pixels[~HOLE], pixels[~HOLE]) for photo in (*seen, found.photo))


def test_what_is_spent_counts_and_few_iterations_are_warned_of(pixels, caplog):
    options = DipOptions(budget=1000.0, width=8)
    found = restore_photo(pixels, "inpaint", mask=HOLE, options=options, device="cpu", spent_s=999.9)
    assert found.restored.elapsed_s < 500
    assert found.restored.reason == "budget"
    assert "the budget had room for" in caplog.text


def test_without_a_hole_the_photo_comes_back(pixels, caplog):
    found = restore_photo(pixels, "inpaint", mask=np.zeros((40, 56), bool), options=QUICK, device="cpu")
    assert np.array_equal(found.photo.pixels, pixels)
    assert found.restored.parts == ()
    assert "image: the mask has no hole, so nothing is filled" in caplog.text


@pytest.mark.parametrize(
    ("task", "given", "error", "text"),
    [
        ("inpaint", {}, UsageError, "the task inpaint needs a mask"),
        ("denoise", {"mask": HOLE}, UsageError, "takes no mask"),
        ("inpaint", {"mask": np.ones((40, 56), bool)}, MaskError, "covers the whole photo, and the task inpaint works"),
        ("inpaint", {"mask": np.ones((56, 40), bool)}, MaskError, "the mask has 40 x 56 pixels, the photo 56 x 40"),
        ("inpaint", {"mask": HOLE, "dilate": -1}, InputError, "dilate must be an integer of at least 0, got -1"),
        ("super-resolve", {"max_pixels": 10_000}, InputError, "would have 224 x 160 pixels, more than .* 10,000"),
        ("denoise", {"device": "tpu"}, UsageError, "unknown device 'tpu'"),
    ],
)
def test_what_does_not_fit_is_refused(pixels, task, given, error, text):
    with pytest.raises(error, match=text):
        restore_photo(pixels, task, options=QUICK, **given)


def test_the_trace_is_plain_json(tmp_path, pixels):
    found = restore_photo(pixels, "inpaint", mask=HOLE, options=QUICK, device="cpu")
    write_trace(found.restored, tmp_path / "sub" / "trace.json", {"seed": 0})
    trace = json.loads((tmp_path / "sub" / "trace.json").read_text())
    assert trace["request"] == {"seed": 0}
    (part,) = trace["parts"]
    assert part["region"] == {"top": 0, "bottom": 40, "left": 0, "right": 56}
    assert (part["preset"], part["iterations"], part["divergences"]) == ("text", 4, 0)
    assert [row["iteration"] for row in part["trace"]] == [1, 4]


def test_the_map_of_uncertainty_is_white_where_the_deviation_is_largest(tmp_path, caplog):
    image = torch.zeros(1, 3, 4, 5)
    deviation = torch.arange(20.0).reshape(1, 1, 4, 5) / 100
    restored = Restored(image=image, raw=image, uncertainty=deviation)
    assert write_uncertainty(restored, tmp_path / "map.png") == pytest.approx(0.19)
    gray = read_photo(tmp_path / "map.png")
    assert np.array_equal(gray.pixels[..., 0], np.rint(np.arange(20) * 255 / 19).reshape(4, 5))
    fitted = Restored(image=image, raw=image, parts=(object(),))  # in too short a run
    assert write_uncertainty(fitted, tmp_path / "none.png") is None
    assert "too few samples" in caplog.text
    assert not (tmp_path / "none.png").exists()
