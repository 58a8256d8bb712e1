"""What the page does: opening within limits, masks, fills, formats, stopping; all without a browser."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

import inpaint
from inpaint.app.models import Offer
from inpaint.app.work import (
    Asked,
    Working,
    fill,
    hole_of,
    open_photo,
    safe_name,
    strategy_of,
    take_mask,
    write_cover,
)
from inpaint.app.workspaces import Result
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.fills.array_fill import ArrayFill
from inpaint.images.strokes import Shape
from inpaint.types import Capabilities, Plane

BOX = Shape("box", ((10, 10), (20, 18)))


def results_of(workspace, loaded, settings, **asked):
    given = {"models": ("telea",), "shapes": (BOX,), **asked}
    return [step for step in fill(workspace, Asked(**given), loaded, settings) if isinstance(step, Result)]


# Opening --------------------------------------------------------------------------------------------------------------


def test_a_photo_is_opened_with_a_picture_to_show(workspace, photo_file, settings):
    shown, notes = open_photo(workspace, photo_file, "../../a photo.png", settings)
    assert (shown.name, shown.width, shown.height, shown.depth) == ("a photo.png", 56, 40, "8 bit")
    assert workspace.photo is shown
    assert notes == []
    assert shown.file.is_relative_to(workspace.folder)
    with Image.open(shown.view) as view:
        assert view.size == (56, 40)


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"\x89PNG\r\n\x1a\n broken", b"GIF89a\1\0\1\0"])
def test_what_is_no_photo_is_refused_by_its_own_name_and_the_one_before_stays(opened, tmp_path, settings, content):
    before, bad = opened.photo, tmp_path / "bad.png"
    bad.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read 'bad\.png'") as caught:
        open_photo(opened, bad, "bad.png", settings)
    assert str(tmp_path) not in str(caught.value)
    assert opened.photo is before


def test_files_and_photos_beyond_the_limits_are_refused(workspace, photo_file, settings):
    size = photo_file.stat().st_size
    with pytest.raises(InputError, match=f"has {size:,} bytes; at most {size - 1:,} are taken"):
        open_photo(workspace, photo_file, "photo.png", replace(settings, max_bytes=size - 1))
    with pytest.raises(InputError, match="56 x 40 pixels, more than the limit of 2,239"):
        open_photo(workspace, photo_file, "photo.png", replace(settings, max_pixels=2239))
    open_photo(workspace, photo_file, "photo.png", replace(settings, max_pixels=2240, max_bytes=size))


def test_a_header_that_lies_about_its_size_is_refused_before_decoding(workspace, tmp_path, settings):
    bomb = tmp_path / "bomb.bmp"
    header = b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + (30000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    bomb.write_bytes(header)
    with pytest.raises(InputError, match="30000 x 30000 pixels, more than the limit"):
        open_photo(workspace, bomb, "bomb.bmp", settings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("a\0b\n.png", "a_b_.png"),
        ("", "photo"),
        ("...", "photo"),
        (".png", "png"),
        ("x" * 500 + ".tiff", "x" * 80 + ".tiff"),
        ("\u00e9" * 100 + ".png", "\u00e9" * 40 + ".png"),
    ],
)
def test_names_are_made_harmless(given, expected):
    assert safe_name(given) == expected


# Masks ----------------------------------------------------------------------------------------------------------------


def test_a_mask_file_becomes_a_shape_at_the_photos_size(opened, tmp_path, settings):
    mask = np.zeros((20, 28), np.uint8)
    mask[5:10, 5:10] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    name = take_mask(opened, tmp_path / "mask.png", "mask.png", settings)
    hole = hole_of(opened, Asked(models=("telea",), shapes=(Shape("mask", mask=name),)))
    assert np.array_equal(hole, np.kron(mask, np.ones((2, 2))) > 0)
    with Image.open(write_cover(opened, name)) as cover:
        assert cover.size == (56, 40)


def test_a_mask_of_another_shape_is_refused(opened, tmp_path, settings):
    Image.fromarray(np.eye(30, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="another shape") as caught:
        take_mask(opened, tmp_path / "mask.png", "mask.png", settings)
    assert str(opened.folder) not in str(caught.value)


def test_the_hole_grows(opened):
    asked = Asked(models=("telea",), shapes=(BOX,), grow_px=3)
    assert hole_of(opened, asked)[10:18, 7:23].all()
    for grow_px in (-1, 1000):
        with pytest.raises(UsageError, match="grows by 0 to 200 pixels"):
            hole_of(opened, replace(asked, grow_px=grow_px))


def test_masks_of_the_photo_before_are_gone(opened, photo_file, settings):
    name = opened.keep_mask(np.ones((40, 56), bool))
    open_photo(opened, photo_file, "again.png", settings)
    with pytest.raises(InputError, match="unknown mask"):
        hole_of(opened, Asked(models=("telea",), shapes=(Shape("mask", mask=name),)))


# Fills ----------------------------------------------------------------------------------------------------------------


def test_the_result_is_what_the_library_gives_and_the_mask_is_kept_with_it(opened, models, settings, photo_file):
    (result,) = results_of(opened, models, settings)
    with Image.open(result.mask) as image:
        mask = np.asarray(image)
    expected = np.asarray(inpaint.fill(str(photo_file), mask, model="telea"))
    with Image.open(result.file) as image:
        assert np.array_equal(np.asarray(image), expected)
    assert np.array_equal(mask > 0, hole_of(opened, Asked(models=("telea",), shapes=(BOX,))))
    assert result.name == "a-photo-telea.png"
    assert opened.results == [result]


def test_16_bit_with_transparency_comes_back_at_full_depth_with_known_pixels_bit_for_bit(
    workspace, tmp_path, models, settings
):
    values = np.random.default_rng(0).integers(0, 65536, (30, 44, 4), dtype=np.uint16)
    values[..., 3] = 65535
    tifffile.imwrite(tmp_path / "deep.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    shown, _ = open_photo(workspace, tmp_path / "deep.tif", "deep.tif", settings)
    assert shown.depth == "16 bit, with transparency"
    (result,) = results_of(workspace, models, settings)
    filled = tifffile.imread(result.file)
    hole = hole_of(workspace, Asked(models=("telea",), shapes=(BOX,)))
    assert (filled.dtype, filled.shape) == (np.uint16, values.shape)
    assert np.array_equal(filled[~hole], values[~hole])
    assert (filled[hole] != values[hole]).any()


def test_the_format_may_be_chosen(opened, models, settings):
    for format_, suffix in (("JPEG", ".jpg"), ("TIFF", ".tif"), ("WebP", ".webp")):
        (result,) = results_of(opened, models, settings, format=format_)
        assert result.file.suffix == suffix
        with Image.open(result.file) as image:
            assert image.format == format_.upper()
    with pytest.raises(UsageError, match="unknown format 'GIF'"):
        results_of(opened, models, settings, format="GIF")


def test_a_photo_keeps_the_format_of_its_content_whatever_its_name(workspace, tmp_path, make_photo, models, settings):
    Image.fromarray(make_photo(40, 56)).save(tmp_path / "named.png", "JPEG")
    open_photo(workspace, tmp_path / "named.png", "named.png", settings)
    (result,) = results_of(workspace, models, settings)
    assert result.name == "named-telea.jpg"


def test_options_of_models_strategies_and_seams_are_those_of_the_library(opened, models, settings, photo_file):
    strategy = strategy_of(strategy="original", seam="color", wrap=False)
    (result,) = results_of(opened, models, settings, options=("radius=9",), strategy=strategy)
    mask = np.asarray(Image.open(result.mask))
    expected = inpaint.fill(str(photo_file), mask, model="telea", radius=9, strategy="original", seam="color")
    assert np.array_equal(np.asarray(Image.open(result.file)), np.asarray(expected))
    assert "original" in result.strategy
    with pytest.raises(UsageError, match="strategy"):
        strategy_of(strategy="magic")


class Guided(ArrayFill):
    """Paints gray, and keeps the planes that it was given."""

    name = "guided"
    capabilities = Capabilities(planes=(Plane(name="sketch", read="inpaint.images.planes:read_edges"),))

    def __init__(self):
        self.given = []

    def paint_all(self, request):
        self.given.append({name: plane[0, 0] for name, plane in request.guidance.items()})
        return super().paint_all(request)

    def paint(self, image, hole, context):
        return np.full_like(image, 0.5)


class Loaded:
    """Models that are there already."""

    def __init__(self, **models):
        self.models = models

    def offer(self, label):
        return Offer(label, label, "", self.models[label].capabilities)

    def get(self, label, options=None, *, strategy=None):
        return self.models[label]


def test_lines_drawn_for_a_plane_reach_the_model_that_takes_it_and_no_other(opened, settings, make_gray_inpainter):
    guided = Guided()
    shapes = (BOX, Shape("brush", ((11, 14), (19, 14)), width_px=2, layer="sketch"))
    loaded = Loaded(guided=guided, gray=make_gray_inpainter())
    found = results_of(opened, loaded, settings, models=("guided", "gray"), shapes=shapes)
    assert [result.model for result in found] == ["guided", "gray"]
    ((name, plane),) = guided.given[0].items()
    assert name == "sketch"
    assert plane.any()
    results_of(opened, loaded, settings, models=("guided",), shapes=(BOX,))
    assert guided.given[1] == {}


def test_several_models_give_a_result_each_of_the_same_mask(opened, models, settings):
    found = results_of(opened, models, settings, models=("telea", "mean"))
    assert [result.model for result in found] == ["telea", "mean"]
    assert found[0].mask == found[1].mask


def test_another_photo_may_be_opened_while_a_fill_is_at_work(opened, photo_file, models, settings):
    before = opened.photo
    steps = fill(opened, Asked(models=("telea", "mean"), shapes=(BOX,)), models, settings)
    found = [next(steps)]
    open_photo(opened, photo_file, "other.jpg", settings)
    found += steps
    results = [step for step in found if isinstance(step, Result)]
    assert [result.name for result in results] == ["a-photo-telea.png", "a-photo-mean.png"]
    assert [result.before for result in results] == [before.view] * 2
    assert all(result.file.stat().st_size for result in results)


def test_old_results_go_with_their_files(opened, models, settings):
    settings = replace(settings, kept=2)
    first, *_ = results_of(opened, models, settings, models=("telea", "mean", "navier_stokes"))
    assert [result.model for result in opened.results] == ["mean", "navier_stokes"]
    assert not first.file.exists()
    assert first.mask.exists()  # the others' as well


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"shapes": ()}, "nothing is marked"),
        ({"models": ()}, "choose 1 to 4 models, not 0"),
        ({"models": ("telea", "mean", "patch", "dip", "biharmonic")}, "choose 1 to 4 models, not 5"),
        ({"models": ("nothing",)}, "unknown model 'nothing'"),
        ({"samples": 99}, "1 to 8 samples"),
        ({"samples": 2}, "telea paints one fill for each hole"),
        ({"options": ("radius",)}, "^radius: write NAME=VALUE"),
        ({"options": ("wide=3",)}, "unknown option of telea 'wide'"),
        ({"shapes": (Shape("box", ((0, 0), (60, 60))),)}, "covers the whole photo"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(opened, models, settings, asked, complaint):
    with pytest.raises(InpaintError, match=complaint) as caught:
        results_of(opened, models, settings, **asked)
    assert str(opened.folder) not in str(caught.value)
    assert opened.results == []


def test_without_a_photo_there_is_nothing_to_fill(workspace, models, settings):
    with pytest.raises(InpaintError, match="no photo is open"):
        results_of(workspace, models, settings)


def test_a_fill_that_comes_nearer_step_by_step_shows_previews_and_stops_with_what_it_has(opened, models, settings):
    options = ("iterations=100000", "budget=none", "width=8")
    seen, found, started = [], [], time.monotonic()
    for step in fill(opened, Asked(models=("dip", "mean"), shapes=(BOX,), options=options), models, settings):
        if isinstance(step, Result):
            found.append(step)
        elif isinstance(step, Working):
            seen.append(step)
            if step.preview:
                opened.stopping.set()
    assert time.monotonic() - started < 30
    assert [result.model for result in found] == ["dip"]  # the next one was not begun
    assert "stopped early: this is what there was" in found[0].notes
    assert any(step.preview and step.preview.startswith("data:image/jpeg;base64,") for step in seen)
    assert seen[-1].stoppable


def test_warnings_of_a_fill_stand_beside_its_result(workspace, tmp_path, models, settings):
    values = np.full((40, 56, 4), 200, np.uint8)
    values[:, :30, 3] = 0
    Image.fromarray(values).save(tmp_path / "erased.png")
    open_photo(workspace, tmp_path / "erased.png", "erased.png", settings)
    (result,) = results_of(workspace, models, settings)
    assert any("of the hole is transparent" in note for note in result.notes)
    assert not any(str(workspace.folder) in note for note in result.notes)
