"""Masks as people make them: strokes, erased photos, labels, gray, and what is no mask."""

import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from inpaint.errors import MaskError, NotAMaskError, UsageError
from inpaint.images.mask_rules import parse_label
from inpaint.images.masks import hole_of, read_mask

HOLE = np.zeros((64, 80), bool)
HOLE[20:40, 30:50] = True
AREAS = HOLE.astype(np.uint8)  # three labels
AREAS[48:60, 5:30] = 2
WHITE = HOLE * np.uint8(255)


def draw_photo(height, width):
    y, x = np.mgrid[:height, :width]
    base = 130 + np.stack([60 * np.sin(x / 7), 60 * np.cos(y / 5), 50 * np.sin((x + y) / 9)], axis=-1)
    return (base + np.random.default_rng(0).normal(0, 4, base.shape)).round().astype(np.uint8)


PHOTO = draw_photo(64, 80)


def stroke(height=120, width=160, scale=8):
    """Coverage of an antialiased line, 0 to 1."""
    large = np.zeros((height * scale, width * scale), np.uint8)
    cv2.line(large, (80, 100), (1100, 700), 255, 10 * scale)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64) / 255


STROKE = stroke()
SOFT = (STROKE * 255).round().astype(np.uint8)


def on_transparent(color, coverage):
    values = np.zeros((*coverage.shape, 4), np.uint8)
    values[..., :3], values[..., 3] = color, (coverage * 255).round()
    return values


def on_black(color, coverage):
    return (coverage[..., None] * np.array(color)).round().astype(np.uint8)


def palette(labels, *colors):
    image = Image.fromarray(labels, "P")
    image.putpalette([level for color in colors for level in color])
    return image


def decided(tmp_path, image, name="m.png", label=None, **options):
    """Return the hole and what was said."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(tmp_path / name, **options)
    said = []
    hole = read_mask(tmp_path / name, label=label, say=lambda name, remarks: said.append("; ".join(remarks.values())))
    assert len(said) <= 1
    return hole, "".join(said)


def test_a_photo_with_its_hole_erased_is_transparent_where_the_hole_is(tmp_path):
    for photo in (PHOTO, PHOTO[..., :1].repeat(3, axis=2), PHOTO // 3):
        hole, said = decided(tmp_path, np.dstack([photo, 255 - WHITE]))
        assert np.array_equal(hole, HOLE)
        assert said == "the mask is a photo with its hole erased; transparent is the hole"
    hole, _ = decided(tmp_path, Image.fromarray(np.dstack([PHOTO[..., 0], 255 - WHITE]), "LA"))
    assert np.array_equal(hole, HOLE)


def test_a_soft_eraser_is_cut_at_half_and_a_photo_that_is_half_transparent_is_no_mask(tmp_path):
    photo = draw_photo(120, 160)
    hole, said = decided(tmp_path, np.dstack([photo, 255 - SOFT]))
    assert np.array_equal(hole, SOFT > 127)
    assert "--dilate 1 covers all of it" in said
    fading = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (120, 1))
    with pytest.raises(NotAMaskError, match="half transparent in places"):
        decided(tmp_path, np.dstack([photo, fading]))


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 0, 255), (255, 128, 0), (10, 200, 90), (0, 0, 0), (255, 255, 255)])
@pytest.mark.parametrize("opacity", [1.0, 0.4])
def test_a_stroke_of_one_color_and_any_opacity_on_transparent_is_the_hole(tmp_path, color, opacity):
    hole, said = decided(tmp_path, on_transparent(color, STROKE * opacity))
    assert np.mean(hole != (STROKE > 0.5)) < 1e-3
    assert "on transparent" in said


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 0, 255), (255, 128, 0), (128, 0, 0), (90, 90, 90), (255, 255, 255)])
def test_a_stroke_of_one_color_on_black_is_the_hole_in_any_file(tmp_path, color):
    values = on_black(color, STROKE)
    for image, name in (
        (values, "m.png"),
        (np.dstack([values, np.full((120, 160), 255, np.uint8)]), "m.png"),
        (Image.fromarray(values).quantize(64), "m.png"),
        (values, "m.bmp"),
        (values, "m.tif"),
    ):
        hole, said = decided(tmp_path, image, name)
        assert np.mean(hole != (STROKE > 0.5)) < 2e-3
        assert "covers all of it" in said


def test_strokes_of_several_strengths_are_cut_at_half_of_the_strongest(tmp_path):
    values = on_black((255, 0, 0), np.where(HOLE, 1.0, 0.0))
    values[50:60, 5:70] = (90, 0, 0)
    assert np.array_equal(decided(tmp_path, values)[0], HOLE)
    values[50:60, 5:70] = (140, 0, 0)
    assert np.array_equal(decided(tmp_path, values)[0], values[..., 0] > 127)


@pytest.mark.parametrize("kind", ["L", "I;16", "bool", "gray 60", "palette"])
def test_of_two_values_the_one_that_is_not_black_is_the_hole(tmp_path, kind):
    image = {
        "L": HOLE.astype(np.uint8),
        "I;16": HOLE * np.uint16(255),
        "bool": HOLE,
        "gray 60": HOLE * np.uint8(60),
        "palette": palette(HOLE.astype(np.uint8), (0, 0, 0), (128, 0, 0)),
    }[kind]
    hole, said = decided(tmp_path, image)
    assert np.array_equal(hole, HOLE)
    assert ("is the hole" in said) == (kind != "bool")


NUMBERS = ["int8", "int16", "int32", "uint32", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("top", [1, 100, 255])
def test_a_file_of_numbers_means_what_they_say(tmp_path, dtype, top):
    top = min(top, 127) if dtype == "int8" else top
    tifffile.imwrite(tmp_path / "m.tif", (HOLE * top).astype(dtype))
    said = []
    hole = read_mask(tmp_path / "m.tif", say=lambda name, remarks: said.append("; ".join(remarks.values())))
    assert np.array_equal(hole, HOLE)
    assert said == ([] if top == 255 else [f"two values, 0 and {top}; {top} is the hole"])


@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_of_several_areas_are_labels(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "m.tif", AREAS.astype(dtype))
    with pytest.raises(MaskError, match="labels are 0, 1, 2: name the hole"):
        read_mask(tmp_path / "m.tif")
    assert np.array_equal(read_mask(tmp_path / "m.tif", label=2), AREAS == 2)


@pytest.mark.parametrize(("dtype", "white"), [("uint32", 2**32 - 1), ("float32", 1), ("float64", 1)])
def test_a_soft_mask_of_long_numbers_is_cut_at_half_of_its_range(tmp_path, dtype, white):
    tifffile.imwrite(tmp_path / "m.tif", (STROKE * white).astype(dtype))
    assert np.mean(read_mask(tmp_path / "m.tif") != (STROKE > 0.5)) < 1e-3
    values = np.where(STROKE > 0.5, np.nan, 0) if dtype != "uint32" else -HOLE.astype(np.int32)
    tifffile.imwrite(tmp_path / "m.tif", values)
    if dtype == "uint32":
        with pytest.raises(MaskError, match="got -1 to 0"):
            read_mask(tmp_path / "m.tif")
    else:  # nothing is marked by what is no number
        assert not read_mask(tmp_path / "m.tif").any()


@pytest.mark.parametrize("values", [HOLE.astype(np.int32), HOLE * np.int32(255), HOLE.astype(np.float32)])
def test_numbers_of_a_pillow_image_in_memory_are_read_alike(values):
    assert np.array_equal(hole_of(Image.fromarray(values)), HOLE)
    with pytest.raises(MaskError, match="labels are 0, 1, 2"):
        hole_of(Image.fromarray(AREAS.astype(values.dtype)))


def test_of_two_values_that_are_neither_black_nor_transparent_one_must_be_named(tmp_path):
    with pytest.raises(MaskError, match="labels are 100, 200: name the hole, as by --label 200"):
        decided(tmp_path, np.where(HOLE, np.uint8(200), np.uint8(100)))
    assert np.array_equal(decided(tmp_path, np.where(HOLE, np.uint8(200), np.uint8(100)), label=200)[0], HOLE)
    colors = np.where(HOLE[..., None], (255, 0, 0), (255, 255, 255)).astype(np.uint8)
    with pytest.raises(MaskError, match="'#ff0000', '#ffffff'"):
        decided(tmp_path, colors)
    assert np.array_equal(decided(tmp_path, colors, label="#ff0000")[0], HOLE)


LABELS = {
    "bytes": AREAS,
    "with a border of 255": np.where(AREAS == 2, np.uint8(255), AREAS),
    "16 bit": AREAS.astype(np.uint16),
    "many": (np.kron(np.arange(20).reshape(4, 5), np.ones((16, 16))) * 7).astype(np.uint8),
    "palette": palette(AREAS, (0, 0, 0), (128, 0, 0), (0, 128, 0)),
    "palette of one hue": palette(AREAS, (0, 0, 0), (128, 0, 0), (64, 0, 0)),
    "gray palette": palette(AREAS, (0, 0, 0), (255, 255, 255), (128, 128, 128)),
    "colors": np.array([(0, 0, 0), (128, 64, 128), (220, 20, 60)], np.uint8)[AREAS],
    "colors on transparent": np.array([(0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255)], np.uint8)[AREAS],
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_refused_until_one_is_named(tmp_path, kind):
    with pytest.raises(MaskError, match="name the hole, as by --label"):
        decided(tmp_path, LABELS[kind])
    label = {"many": 7, "colors": "#804080", "colors on transparent": "#ff0000"}.get(kind, 1)
    expected = LABELS["many"] == 7 if kind == "many" else HOLE
    hole, said = decided(tmp_path, LABELS[kind], label=label)
    assert np.array_equal(hole, expected)
    assert said == f"label {label} is the hole"


def test_a_label_that_is_not_there_or_none_at_all_is_said(tmp_path):
    with pytest.raises(MaskError, match="nothing in it has the label 5; its labels are 0, 1, 2"):
        decided(tmp_path, AREAS, label=5)
    with pytest.raises(MaskError, match="it has colors, not numbers"):
        decided(tmp_path, LABELS["colors"], label=1)
    with pytest.raises(MaskError, match="nothing in it is transparent"):
        decided(tmp_path, AREAS, label="transparent")
    for wrong in ("red", "#ff00", "-1", "1.5", ""):
        with pytest.raises(UsageError, match="valid: an integer"):
            parse_label(wrong)
    assert np.array_equal(decided(tmp_path, LABELS["colors on transparent"], label="transparent")[0], AREAS == 0)


@pytest.mark.parametrize("values", [AREAS // 2 * np.uint8(128) + (AREAS == 1) * np.uint8(255), SOFT])
def test_gray_that_is_painted_is_no_label(tmp_path, values):
    assert np.array_equal(decided(tmp_path, values)[0], values > 127)


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("again", [False, True])
def test_hard_edges_of_jpeg_masks_raise_no_false_alarm(tmp_path, quality, again):
    blocks = np.kron(np.eye(8), np.ones((8, 8))) > 0
    for values in (WHITE, blocks * np.uint8(255), np.repeat(WHITE[..., None], 3, axis=2), np.zeros((64, 80), np.uint8)):
        stream = io.BytesIO()
        Image.fromarray(values).save(stream, "JPEG", quality=quality)
        (tmp_path / "m.jpg").write_bytes(stream.getvalue())
        image = Image.open(stream)
        hole, said = decided(tmp_path, image, "m.png") if again else decided(tmp_path, image, "n.jpg", quality=quality)
        assert np.array_equal(hole, (values if values.ndim == 2 else values[..., 0]) > 127)
        assert said == ""


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255), (100, 0, 0)])
def test_colored_strokes_survive_jpeg_with_coarse_colors(tmp_path, color):
    for quality in (75, 95):
        hole, said = decided(tmp_path, on_black(color, STROKE), "m.jpg", quality=quality, subsampling=2)
        assert np.mean(hole != (STROKE > 0.5)) < 3e-3
        assert "on black" in said


@pytest.mark.parametrize("quality", [40, 60, 90])
def test_a_gray_stroke_survives_jpeg_and_its_noise_on_black_is_no_hole(tmp_path, quality):
    hole, said = decided(tmp_path, (STROKE * 128).round().astype(np.uint8), "m.jpg", quality=quality)
    assert np.mean(hole != (STROKE > 0.5)) < 4e-3
    assert "on black" in said
    dark = np.random.default_rng(0).integers(0, 9, (64, 80)).astype(np.uint8)
    hole, said = decided(tmp_path, dark, "n.jpg", quality=quality)
    assert not hole.any()
    assert said == ""


def test_an_erased_photo_survives_a_format_that_compresses_alpha(tmp_path):
    values = np.dstack([draw_photo(120, 160), 255 - SOFT])
    hole, said = decided(tmp_path, values, "m.avif", quality=80)
    assert np.mean(hole != (SOFT > 127)) < 2e-3
    assert "a photo with its hole erased" in said


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_the_proposed_dilation_covers_a_soft_edge_and_no_more(tmp_path, radius):
    blurred = np.asarray(Image.fromarray(WHITE).filter(ImageFilter.BoxBlur(radius)))
    hole, said = decided(tmp_path, blurred)
    proposed = int(said.split("--dilate ")[1].split()[0])
    reach = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert reach[blurred > 0].max() <= proposed < reach[blurred > 0].max() + 1
    said = []
    read_mask(tmp_path / "m.png", dilate_px=proposed, say=lambda *remarks: said.append(remarks))
    assert not any("edge" in remarks for _, remarks in said)


NO_MASKS = {
    "photo": PHOTO,
    "gray photo": PHOTO[..., 1],
    "photo of 16 bit": PHOTO[..., 1].astype(np.uint16) * 257,
    "sepia": (PHOTO[..., :1] * np.array([1, 0.8, 0.6])).astype(np.uint8),
    "photo with a palette": Image.fromarray(PHOTO).quantize(200),
    "opaque photo": np.dstack([PHOTO, np.full((64, 80), 255, np.uint8)]),
}


@pytest.mark.parametrize("kind", NO_MASKS)
def test_a_photo_is_no_mask(tmp_path, kind):
    with pytest.raises(NotAMaskError, match="as a photo is; a mask is white on black"):
        decided(tmp_path, NO_MASKS[kind])


def test_white_on_black_needs_no_words(tmp_path):
    for image in (WHITE, HOLE, HOLE * np.uint16(65535), np.repeat(WHITE[..., None], 3, axis=2), np.zeros_like(WHITE)):
        assert decided(tmp_path, image)[1] == ""
