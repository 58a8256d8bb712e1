"""A part of one photo in another: the target outside of the object, whatever holds it."""

import numpy as np
import pytest
from PIL import Image, ImageCms

import inpaint
from holding import HEIGHT, THINGS, WIDTH
from inpaint.blending.placing import Placement
from inpaint.blending.table import BLENDERS
from inpaint.errors import InputError, MaskError, UsageError
from inpaint.images.photo import photo_of_array
from inpaint.images.profiles import in_profile_of
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline.blending import blend_photos, object_in_source, object_of
from inpaint.system.extras import is_installed
from inpaint.types import Blend, Progress, StopFill

MASK = np.zeros((10, 12), bool)
MASK[2:8, 2:9] = True
AT = (15, 9)
PLACED = np.zeros((HEIGHT, WIDTH), bool)
PLACED[11:17, 17:24] = True
LOSSLESS = {".png", ".tif", ".bmp"}


@pytest.fixture
def cutout(make_photo):
    """An object on transparent ground, under which a color lies that is nobody's."""
    alpha = MASK * np.uint8(255)
    return np.dstack([np.where(MASK[..., None], make_photo(10, 12, 5), np.uint8(255)), alpha])


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.name)
def test_whatever_the_target_s_file_holds_stays_and_so_do_its_pixels(thing, tmp_path, cutout, caplog):
    place, result = tmp_path / f"a{thing.suffix}", tmp_path / f"out{thing.suffix}"
    thing.make(place)
    target = read_photo(place, first_page=False)
    if (target.height, target.width) != (HEIGHT, WIDTH):
        pytest.skip("a photo that stands on its side in its file")
    found = blend_photos(photo_of_array(cutout), target, BLENDERS.load("poisson"), placement=Placement(at=AT)).photo
    for before, after in ((target.pixels, found.pixels), (target.alpha, found.alpha), (target.extra, found.extra)):
        assert (before is None) == (after is None)
        if before is not None:
            assert before.dtype == after.dtype
            assert before[~PLACED].tobytes() == after[~PLACED].tobytes()
    assert not np.array_equal(found.pixels, target.pixels)
    caplog.clear()
    write_photo(found, result)
    assert thing.kept(result) or (thing.word and thing.word in caplog.text)  # as after a fill
    if thing.suffix in LOSSLESS:
        again = read_photo(result, first_page=False)
        assert again.pixels[~PLACED].tobytes() == target.pixels[~PLACED].tobytes()
        assert len(again.pages) == len(target.pages)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".jpg", ".avif", ".heic"])
def test_files_of_every_format_are_blended_at_their_size(suffix, tmp_path, cutout, make_photo):
    if suffix == ".heic" and not is_installed("formats"):
        pytest.skip("HEIC needs the extra formats")
    quality = 100 if suffix == ".webp" else None
    scene = make_photo(HEIGHT, WIDTH)
    write_photo(photo_of_array(scene), tmp_path / f"scene{suffix}", quality=quality)
    Image.fromarray(cutout).save(tmp_path / "object.png")
    target, output = tmp_path / f"scene{suffix}", tmp_path / "new" / f"out{suffix}"
    shown = inpaint.blend(tmp_path / "object.png", target, method="paste", at=AT, output=output, quality=quality)
    before, after = read_photo(target).pixels, read_photo(output).pixels
    assert after.shape == scene.shape
    assert np.array_equal(np.asarray(shown)[~PLACED], before[~PLACED])
    assert np.array_equal(np.asarray(shown)[PLACED], cutout[..., :3][MASK])
    if suffix in (*LOSSLESS, ".webp"):
        assert np.array_equal(after[~PLACED], before[~PLACED])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_an_array_comes_back_as_it_was_given(dtype, channels, cutout):
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    shape = (HEIGHT, WIDTH, channels) if channels else (HEIGHT, WIDTH)
    target = (np.random.default_rng(0).random(shape) * white).astype(dtype)
    found = inpaint.blend(cutout, target, method="paste", at=AT)
    assert (found.dtype, found.shape) == (target.dtype, target.shape)
    assert found[~PLACED].tobytes() == target[~PLACED].tobytes()
    if channels in (3, 4):
        colors = found[PLACED][:, :3] / white
        assert np.abs(colors - cutout[..., :3][MASK] / 255).max() < 1e-4
    if channels in (2, 4):
        assert np.array_equal(found[..., -1], target[..., -1])


def test_the_object_becomes_opaque_where_that_is_asked_for(cutout, caplog):
    target = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    target[..., 3] = 0
    hidden = inpaint.blend(cutout, target, at=AT)
    assert (hidden[..., 3] == 0).all()
    assert "100 % of the object lies where the target is transparent" in caplog.text
    shown = inpaint.blend(cutout, target, at=AT, opaque=True)
    assert np.array_equal(shown[..., 3], PLACED * np.uint8(255))


def test_what_lies_under_transparent_pixels_is_not_seen(cutout, make_photo):
    target, other = make_photo(HEIGHT, WIDTH), cutout.copy()
    other[~MASK, :3] = [7, 99, 180]
    for method in ("poisson", "multiband", "feather"):
        how = {"method": method, "at": AT, "scale": 1.3, "rotate": 20}
        assert np.array_equal(inpaint.blend(cutout, target, **how), inpaint.blend(other, target, **how))


def test_masks_boxes_and_transparency_say_what_the_object_is(tmp_path, cutout, make_photo):
    photo, target = make_photo(10, 12), make_photo(HEIGHT, WIDTH, 1)
    expected = inpaint.blend(photo, target, MASK, at=AT, method="paste")
    assert np.array_equal(expected[PLACED], photo[MASK])
    Image.fromarray(MASK * np.uint8(255)).save(tmp_path / "mask.png")
    left, right = MASK.copy(), MASK.copy()
    left[:, 6:] = right[:, :6] = False
    for mask, more in (
        (tmp_path / "mask.png", {}),
        ([left, right], {}),
        (~MASK, {"invert_mask": True}),
        (Image.fromarray(MASK * np.uint8(7)), {"label": 7}),
    ):
        assert np.array_equal(inpaint.blend(photo, target, mask, at=AT, method="paste", **more), expected)
    assert np.array_equal(
        inpaint.blend(np.dstack([photo, MASK * np.uint8(255)]), target, at=AT, method="paste"), expected
    )
    scene = np.full((40, 40, 3), 30, np.uint8)
    scene[12:24, 14:28] = [220, 40, 40]
    found = object_in_source(photo_of_array(scene), box=(8, 6, 26, 24))
    assert found[12:24, 14:28].all()
    assert found.sum() < 1.5 * 12 * 14


def test_where_the_object_lies_is_written(tmp_path, cutout, make_photo):
    place = tmp_path / "new"
    inpaint.blend(cutout, make_photo(HEIGHT, WIDTH), at=AT, save_mask=place / "mask.png", preview=place / "preview.jpg")
    assert np.array_equal(read_photo(place / "mask.png").pixels[..., 0] > 127, PLACED)
    with Image.open(place / "preview.jpg") as shown:
        assert shown.size == (WIDTH, HEIGHT)


class Slow:
    """Goes through three steps and tells of them."""

    name = "slow"

    def blend(self, source, target, mask, *, seed=0, budget_s=None, progress=None):
        import torch

        done = 0
        for done in (1, 2, 3):
            preview = torch.from_numpy(source).permute(2, 0, 1)[None]
            try:
                progress(Progress(done=done, total=3, preview=preview))
            except StopFill:
                break
        completed = np.where(mask[..., None], source, target)
        return Blend(completed=completed, mask=mask, warnings=("slow work",), details={"steps": done})


def test_steps_are_told_with_the_photo_so_far_and_can_be_stopped(cutout, make_photo, caplog):
    target, seen = photo_of_array(make_photo(HEIGHT, WIDTH)), []

    def callback(step, photo):
        seen.append((step.done, photo().pixels))
        if step.done == 2:
            raise StopFill

    found = blend_photos(photo_of_array(cutout), target, Slow(), placement=Placement(at=AT), callback=callback)
    assert [done for done, _ in seen] == [1, 2]
    assert found.blend.details == {"steps": 2}
    assert np.array_equal(seen[0][1][~PLACED], target.pixels[~PLACED])
    assert np.array_equal(seen[0][1][PLACED], cutout[..., :3][MASK])
    assert "image: slow work" in caplog.text


def test_colors_of_another_profile_are_converted_and_equal_ones_stay(make_photo):
    photo = photo_of_array(make_photo(6, 8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    same = in_profile_of(photo, photo_of_array(make_photo(6, 8), icc=srgb))
    assert np.array_equal(same, photo.array())
    assert np.array_equal(in_profile_of(photo, photo_of_array(make_photo(6, 8), icc=b"broken")), photo.array())
    assert np.array_equal(in_profile_of(photo, photo_of_array(make_photo(6, 8), icc=lab)), photo.array())


@pytest.mark.parametrize(
    "options",
    [
        {"method": "paste"},
        {"method": "feather", "width": 3},
        {"method": "multiband"},
        {"method": "paste", "colors": "reinhard"},
        {"method": "paste", "colors": "histogram", "colors_of": "whole"},
    ],
)
@pytest.mark.parametrize("at", [(50, 40), (-4, -3), (85, 50)])
def test_of_a_large_target_a_window_alone_is_computed_with_the_same_result(options, at, cutout, make_photo):
    target = make_photo(60, 100)
    for more in ({}, {"scale": 1.7}, {"scale": 0.6}, {"rotate": 33}):
        how = {"at": at, **options, **more}
        found = inpaint.blend(cutout, target, **how)
        method = BLENDERS.load(options["method"], **{key: options[key] for key in options if key != "method"})
        method.reads_px = lambda size: None
        placed = {"at": at, **more}
        whole = blend_photos(photo_of_array(cutout), photo_of_array(target), method, placement=Placement(**placed))
        assert whole.window.size == (60, 100)
        # Interpolation rounds coordinates, which are others in a window.
        assert np.abs(found.astype(int) - whole.photo.pixels).max() <= (1 if "scale" in more or "rotate" in more else 0)


def test_the_window_of_poisson_is_the_object_s_box(cutout, make_photo):
    target = photo_of_array(make_photo(60, 100))
    found = blend_photos(photo_of_array(cutout), target, BLENDERS.load("poisson"), placement=Placement(at=(50, 40)))
    assert max(found.window.size) < 14
    assert found.mask.sum() == MASK.sum()
    method = BLENDERS.load("poisson")
    method.reads_px = lambda size: None
    whole = blend_photos(photo_of_array(cutout), target, method, placement=Placement(at=(50, 40)))
    assert np.abs(found.photo.pixels.astype(int) - whole.photo.pixels).max() <= 1


def test_colors_are_those_that_the_target_s_profile_says(make_photo):
    """A profile with red and blue swapped says of (r, g, b) what sRGB says of (b, g, r)."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"none").replace(b"bXYZ", b"rXYZ").replace(b"none", b"bXYZ")
    photo = photo_of_array(make_photo(6, 8))
    found = in_profile_of(photo, photo_of_array(make_photo(6, 8), icc=swapped))
    assert np.abs(found - photo.array()[..., ::-1]).max() < 3 / 255
    deep = photo_of_array(photo.pixels.astype(np.uint16) * 257 + 100)
    finer = in_profile_of(deep, photo_of_array(make_photo(6, 8), icc=swapped))
    assert np.abs(finer - deep.array()[..., ::-1]).max() < 3 / 255
    assert len(np.unique(finer - found)) > 1
    back = in_profile_of(photo_of_array(make_photo(6, 8), icc=swapped), photo)
    assert np.abs(back - photo.array()[..., ::-1]).max() < 3 / 255


BAD = {
    "nothing says the object": ({"source": np.zeros((10, 12, 3), np.uint8)}, UsageError, "has no transparency"),
    "nothing is transparent": ({"source": np.full((10, 12, 4), 255, np.uint8)}, UsageError, "not transparent anywhere"),
    "all is transparent": ({"source": np.zeros((10, 12, 4), np.uint8)}, MaskError, "everything is transparent"),
    "an empty mask": ({"mask": np.zeros((10, 12), bool)}, MaskError, "no object to blend"),
    "a mask of another shape": ({"mask": np.ones((10, 30), bool)}, InputError, "mask"),
    "outside": ({"at": (90, 90)}, MaskError, "wholly outside"),
    "no point": ({"at": "1,2"}, InputError, "at must be x and y"),
    "no whole numbers": ({"at": (1.5, 2)}, InputError, "at must be"),
    "no scale": ({"scale": 0}, UsageError, "scale must be above 0"),
    "no method": ({"method": "poison"}, UsageError, "unknown method 'poison'"),
    "a class": ({"method": Slow}, InputError, "a loaded method"),
    "options of a loaded one": ({"method": Slow(), "width": 3}, UsageError, "already loaded"),
    "an unknown option": ({"method": "poisson", "mood": "mixed"}, UsageError, "unknown option of poisson"),
    "a bad value": ({"method": "poisson", "mode": "mixde"}, UsageError, "mode"),
    "label without mask": ({"label": 3}, UsageError, "label is for masks"),
    "a target that is none": ({"target": 3}, InputError, "target must be a path"),
    "a suffix": ({"output": "out.xyz"}, UsageError, "suffix"),
    "a mask with loss": ({"save_mask": "mask.jpg"}, UsageError, "exact edge"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_told_in_one_line(case, cutout, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, error, message = BAD[case]
    given = {"source": cutout, "target": np.zeros((HEIGHT, WIDTH, 3), np.uint8), **change}
    with pytest.raises(error, match=message) as raised:
        inpaint.blend(given.pop("source"), given.pop("target"), given.pop("mask", None), **given)
    assert "\n" not in str(raised.value)


def test_a_mask_and_transparency_together_leave_what_both_say():
    alpha = np.zeros((10, 12), np.uint8)
    alpha[:, :6] = 255
    photo = photo_of_array(np.dstack([np.zeros((10, 12, 3), np.uint8), alpha]))
    assert np.array_equal(object_of(photo, MASK), MASK & (alpha > 0))
