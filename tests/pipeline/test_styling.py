"""Photos of every kind in other styles: what of a file is kept."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inpaint
from inpaint.errors import InpaintError, MaskError
from inpaint.images.photo import Photo
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline.styling import StyleSource, stylize_photo
from inpaint.style.table import STYLIZERS

RNG = np.random.default_rng(0)
STYLE = Photo(pixels=RNG.integers(0, 90, (9, 12, 3), dtype=np.uint8))
COLORS = STYLIZERS.load("colors", scale=None)


def test_depth_alpha_further_channels_and_pages_are_kept():
    pixels = RNG.integers(0, 65536, (14, 10, 3), dtype=np.uint16)
    alpha = np.full((14, 10), 65535, np.uint16)
    alpha[:3] = 0
    page, extra = Photo(pixels=pixels[::-1].copy()), pixels[..., :1].copy()
    content = Photo(pixels=pixels, alpha=alpha, extra=extra, pages=(page,))
    found = stylize_photo(content, [StyleSource(photo=STYLE)], COLORS).photo
    assert found.pixels.dtype == np.uint16
    assert np.array_equal(found.alpha, alpha)
    assert np.array_equal(found.extra, extra)
    assert found.items == content.items
    for each in (found, found.pages[0]):
        assert abs(each.pixels.mean() / 257 - STYLE.pixels.mean()) < 3


def test_gray_photos_stay_gray():
    gray = np.repeat(RNG.integers(0, 256, (14, 10, 1), dtype=np.uint8), 3, axis=2)
    found = stylize_photo(Photo(pixels=gray, gray=True), [StyleSource(photo=STYLE)], COLORS).photo
    assert (found.pixels == found.pixels[..., :1]).all()


def test_transparent_parts_of_a_style_are_not_looked_at():
    pixels, alpha = STYLE.pixels.copy(), np.full(STYLE.pixels.shape[:2], 255, np.uint8)
    pixels[:4], alpha[:4] = 255, 0
    content = Photo(pixels=RNG.integers(0, 256, (14, 10, 3), dtype=np.uint8))
    seen = stylize_photo(content, [StyleSource(photo=Photo(pixels=pixels, alpha=alpha))], COLORS).photo
    assert abs(seen.pixels.mean() - STYLE.pixels[4:].mean()) < 3


@pytest.mark.parametrize("name", ["photo.png", "photo.tif", "photo.webp", "photo.bmp"])
def test_pixels_outside_of_the_masks_are_the_file_s_own(tmp_path, name):
    pixels, mask = RNG.integers(0, 256, (14, 10, 3), dtype=np.uint8), np.zeros((14, 10), bool)
    mask[4:9, 2:8] = True
    Image.fromarray(pixels).save(tmp_path / "in.png")
    content = read_photo(tmp_path / "in.png")
    found = stylize_photo(content, [StyleSource(photo=STYLE, content_mask=mask)], COLORS, size_px=7).photo
    write_photo(found, tmp_path / name, quality=100)
    after = read_photo(tmp_path / name).pixels
    assert np.array_equal(after[~mask], pixels[~mask])
    assert (after[mask] != pixels[mask]).any()


def test_masks_of_another_size_and_empty_ones_are_refused():
    content = Photo(pixels=np.zeros((14, 10, 3), np.uint8))
    for source, message in (
        (StyleSource(photo=STYLE, content_mask=np.ones((3, 3), bool)), "the content mask must have its size"),
        (StyleSource(photo=STYLE, style_mask=np.zeros((9, 12), bool)), "nothing of it is left"),
    ):
        with pytest.raises(MaskError, match=message):
            stylize_photo(content, [source], COLORS)


def test_the_call_for_notebooks_answers_in_the_kind_that_it_was_given(tmp_path):
    array = RNG.integers(0, 256, (14, 10, 3), dtype=np.uint8)
    whole = inpaint.stylize(array, STYLE.pixels, model="colors", output=tmp_path / "out.png")
    assert whole.dtype == np.uint8
    assert np.array_equal(read_photo(tmp_path / "out.png").pixels, whole)
    image = inpaint.stylize(Image.fromarray(array), [Image.fromarray(STYLE.pixels)], model="colors")
    assert np.array_equal(np.asarray(image), whole)
    half = inpaint.stylize(
        array, STYLE.pixels, model=Path("colors"), content_masks=np.arange(14)[:, None] * np.ones(10) < 7
    )
    assert np.array_equal(half[7:], array[7:])


def test_regions_are_painted_like_those_of_their_label():
    content, style = RNG.integers(0, 256, (20, 16, 3), dtype=np.uint8), np.zeros((10, 12, 3), np.uint8)
    style[:, :6], style[:, 6:] = (200, 20, 20), (20, 20, 200)
    above, left = np.arange(20)[:, None] * np.ones((1, 16)) < 10, np.arange(12)[None] * np.ones((10, 1)) < 6
    labels = {"content_labels": above.astype(np.uint8), "style_labels": left.astype(np.uint8)}
    found = inpaint.stylize(content, style, model="colors", **labels)
    assert np.abs(found[above].astype(int) - (200, 20, 20)).max() <= 1
    assert np.abs(found[~above].astype(int) - (20, 20, 200)).max() <= 1
    for change, message in (
        ({"style_labels": None}, "give both, or none"),
        ({"style_masks": left}, "in place of masks"),
        ({"content_labels": labels["content_labels"][:5]}, "the labels of the content must have its size 16x20"),
    ):
        with pytest.raises(InpaintError, match=message):
            inpaint.stylize(content, style, model="colors", **{**labels, **change})


def test_styles_and_the_feature_network_are_weighted_by_arguments_of_their_own():
    content, other = (RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(2))
    options = {"network": "vgg16", "weights": "random", "style_layers": ["relu1_1"], "content_layers": ["relu1_1"]}
    alike, first = (
        inpaint.stylize(
            content, [STYLE.pixels, other], model="gatys", style_weights=weights, iterations=2, seed=0, **options
        )
        for weights in (None, [3, 1])
    )
    assert (alike != first).any()
