import numpy as np
import pytest
from PIL import Image

from inpaint.errors import InputError, MaskError
from inpaint.images.masks import OncePerKind, dilate_hole, fit_to, hole_of, hush, read_mask
from inpaint.images.reading import read_photo, read_stored


def box(height=12, width=20):
    hole = np.zeros((height, width), bool)
    hole[3:7, 4:15] = True
    return hole


def saved(tmp_path, values, mode=None, name="m.png"):
    Image.fromarray(values).convert(mode or Image.fromarray(values).mode).save(tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "m.png"), ("1", "m.png"), ("RGB", "m.bmp"), ("P", "m.png"), ("L", "m.tif")]
)
def test_white_is_the_hole_in_every_kind_of_file(tmp_path, caplog, mode, name):
    path = saved(tmp_path, box() * np.uint8(255), mode, name)
    assert np.array_equal(read_mask(path), box())
    assert np.array_equal(read_mask(path, invert=True), ~box())
    assert [text for text in caplog.messages if "inverted" not in text] == []


def test_sixteen_bit_masks_are_read_at_their_depth(tmp_path, caplog):
    assert np.array_equal(read_mask(saved(tmp_path, box() * np.uint16(65535))), box())
    assert caplog.messages == []


def test_gray_is_cut_at_half_of_the_range_aloud(tmp_path, caplog):
    values = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    assert np.array_equal(read_mask(saved(tmp_path, values)), values >= 128)
    assert "gray; the brighter half of the range is the hole" in caplog.text


def test_of_the_values_zero_and_one_one_is_the_hole(tmp_path, caplog):
    assert np.array_equal(read_mask(saved(tmp_path, box().astype(np.uint8))), box())
    assert "two values, 0 and 1; 1 is the hole" in caplog.text


@pytest.mark.parametrize("color", [0, 255])
def test_one_color_on_transparent_is_the_hole_whichever_it_is(tmp_path, caplog, color):
    values = np.full((12, 20, 4), color, np.uint8)
    values[..., 3] = box() * 255
    assert np.array_equal(read_mask(saved(tmp_path, values)), box())
    assert f"{'white' if color else 'black'} is the hole" in caplog.text


def test_transparent_white_is_no_hole_and_constant_alpha_says_nothing(tmp_path):
    values = np.repeat((box() * np.uint8(255))[..., None], 4, axis=2)
    values[..., 3] = 255
    values[:5, :, 3] = 0
    expected = box()
    expected[:5] = False
    assert np.array_equal(read_mask(saved(tmp_path, values)), expected)
    values[..., 3] = 0
    assert np.array_equal(read_mask(saved(tmp_path, values)), box())


def test_a_mask_that_is_mostly_hole_looks_inverted(tmp_path, caplog):
    path = saved(tmp_path, ~box() * np.uint8(255))
    read_mask(path)
    assert "82 % of the mask is hole; it looks inverted" in caplog.text
    caplog.clear()
    read_mask(path, invert=True)
    assert caplog.messages == []


def test_a_rotated_mask_is_turned_as_the_photo_is(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(box() * np.uint8(255)).save(tmp_path / "m.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "m.png"), np.rot90(box(), -1))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *[(name, mode) for name in ("m.png", "m.bmp", "m.jpg", "m.webp") for mode in ("L", "RGB")],
        *[("m.png", mode) for mode in ("1", "P", "LA", "RGBA")],
    ],
)
def test_the_short_way_reads_what_the_long_way_reads(tmp_path, name, mode, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {} if name == "m.bmp" else {"exif": exif}
    Image.fromarray(box() * np.uint8(255)).convert(mode).save(tmp_path / name, **options)
    assert read_stored(tmp_path / name) is not None
    short, long = read_mask(tmp_path / name, say=hush), hole_of(read_photo(tmp_path / name), say=hush)
    assert np.array_equal(short, long)
    assert short.shape == ((20, 12) if orientation == 6 and name != "m.bmp" else (12, 20))


def test_what_the_short_way_cannot_hold_goes_the_long_way(tmp_path):
    assert read_stored(saved(tmp_path, box() * np.uint16(65535))) is None
    assert read_stored(saved(tmp_path, box() * np.uint8(255), name="m.tif")) is None
    Image.fromarray(box() * np.uint8(255)).save(tmp_path / "m.png", transparency=0)
    assert read_stored(tmp_path / "m.png") is None
    assert np.array_equal(read_mask(tmp_path / "m.png"), box())


def test_a_pillow_image_is_read_as_its_file_is(tmp_path):
    palette = Image.fromarray(box().astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    red = Image.fromarray(np.stack([box() * np.uint8(255)] + [np.zeros((12, 20), np.uint8)] * 2, axis=2))
    for image in (palette, red, red.convert("RGBA"), Image.fromarray(box()), Image.fromarray(box() * np.uint16(255))):
        image.save(tmp_path / "m.png")
        assert np.array_equal(hole_of(image), box())
        assert np.array_equal(read_mask(tmp_path / "m.png"), box())


def test_each_kind_of_remark_is_made_once_for_a_folder_of_masks(tmp_path, caplog):
    say = OncePerKind()
    for name in "abc":
        read_mask(saved(tmp_path, np.full((12, 20), 200, np.uint8), name=f"{name}.png"), say=say)
        read_mask(saved(tmp_path, box().astype(np.uint8), name=f"{name}2.png"), say=say)
    assert [text.split(": ")[0][-6:] for text in caplog.messages] == ["/a.png", "a2.png"]
    assert all("not said again of other masks" in text for text in caplog.messages)


def test_nothing_is_said_when_asked_to_be_quiet(tmp_path, caplog):
    path = saved(tmp_path, np.full((12, 20), 200, np.uint8))
    assert read_mask(path, say=hush).all()
    assert caplog.messages == []
    assert read_mask(path).all()
    assert len(caplog.messages) == 1


def test_a_damaged_mask_is_named_on_the_short_way_too(tmp_path):
    path = saved(tmp_path, np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"cannot read '.*m\.png': damaged or truncated"):
        read_mask(path)
    with pytest.raises(InputError, match="claims 64 x 64 pixels, more than the limit of 100"):
        read_mask(path, max_pixels=100)


def test_an_unreadable_mask_is_named(tmp_path):
    (tmp_path / "m.png").write_text("text")
    with pytest.raises(InputError, match=r"m\.png': its content is not an image"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_mask_of_another_scale_is_resized_to_whole_blocks(caplog, factor):
    large = np.repeat(np.repeat(box(), factor, axis=0), factor, axis=1)
    assert np.array_equal(fit_to(box(), *large.shape), large)
    assert np.array_equal(fit_to(large, *box().shape), box())
    assert f"the mask has 20 x 12 pixels; resized to {20 * factor} x {12 * factor}" in caplog.text


def test_the_right_size_passes_in_silence(caplog):
    hole = box()
    assert fit_to(hole, *hole.shape) is hole
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("mask", "photo"),
    [((500, 333), (1001, 667)), ((1001, 667), (500, 333)), ((333, 500), (667, 1001)), ((85, 128), (341, 512))],
)
def test_rounded_sides_are_the_same_shape(mask, photo):
    assert fit_to(np.ones(mask, bool), *photo).shape == photo


@pytest.mark.parametrize(
    ("mask", "photo"),
    [((20, 12), (12, 20)), ((24, 24), (25, 24)), ((2, 2), (3, 4)), ((512, 512), (512, 683)), ((1, 1), (40, 30))],
)
def test_another_shape_is_refused(mask, photo):
    text = f"the mask has {mask[1]} x {mask[0]} pixels, the photo {photo[1]} x {photo[0]}"
    with pytest.raises(MaskError, match=text):
        fit_to(np.ones(mask, bool), *photo)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_dilation_reaches_exactly_the_pixels_within_the_radius(radius):
    hole = np.zeros((15, 21), bool)
    hole[7, 4] = hole[3, 16] = True
    y, x = np.mgrid[0:15, 0:21]
    expected = ((y - 7) ** 2 + (x - 4) ** 2 <= radius**2) | ((y - 3) ** 2 + (x - 16) ** 2 <= radius**2)
    assert np.array_equal(dilate_hole(hole, radius), expected)


def test_dilation_by_the_approximate_distance_is_off_by_less_than_a_pixel():
    hole = np.zeros((41, 51), bool)
    hole[20, 30] = True
    y, x = np.mgrid[:41, :51]
    distance = np.hypot(y - 20, x - 30)
    grown = dilate_hole(hole, 9.0, chamfer=True)
    assert grown[distance <= 8.4].all()
    assert not grown[distance >= 9.6].any()
    assert not np.array_equal(grown, dilate_hole(hole, 9.0))


@pytest.mark.parametrize("chamfer", [False, True])
def test_nothing_grows_from_nothing(chamfer):
    assert not dilate_hole(np.zeros((5, 7), bool), 3, chamfer=chamfer).any()
    assert np.array_equal(dilate_hole(box(), 0), box())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_a_mask_that_is_cut_off_anywhere_is_one_line(tmp_path, suffix):
    values = np.zeros((24, 32), np.uint8)
    values[8:14, 10:18] = 255
    Image.fromarray(values).save(tmp_path / f"m{suffix}")
    data = (tmp_path / f"m{suffix}").read_bytes()
    for length in (1, 4, 12, 20, 25, 33, 40, len(data) // 2):
        (tmp_path / f"m{suffix}").write_bytes(data[:length])
        with pytest.raises(InputError, match=r"^cannot read '.*'"):
            read_mask(tmp_path / f"m{suffix}")
