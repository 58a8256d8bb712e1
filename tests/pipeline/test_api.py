"""`inpaint.fill` and `fill_photo` on images in memory and single files."""

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import inpaint
from inpaint.errors import InpaintError, InputError, MaskError, UsageError
from inpaint.fills.base import TensorFill
from inpaint.images.guidance import COLOR, SKETCH
from inpaint.images.photo import Photo
from inpaint.pipeline import fill_photo
from inpaint.types import Capabilities, Fill, Plane


class Recorder(TensorFill):
    """Fills with gray and remembers what it was given."""

    name = "recorder"
    paint_all = None

    def __init__(self, *, value=0.5, error=None, takes=(), **capabilities):
        planes = tuple(Plane(name=name, read="inpaint.images.planes:read_edges") for name in takes)
        self.capabilities = Capabilities(planes=planes, **capabilities)
        self.value, self.error, self.calls = value, error, []

    def answer(self, image, mask, *, guidance=None, samples=1, seed=0, progress=None):
        self.calls.append((image, mask, guidance, seed))
        if self.error is not None:
            raise self.error
        raw = torch.full_like(image, self.value)
        return [Fill(completed=torch.where(mask == 1, raw, image), raw=raw, mask=mask)] * samples


def box(height=40, width=56):
    hole = np.zeros((height, width), bool)
    hole[10:20, 15:40] = True
    return hole


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


ARRAYS = {
    "gray": ((40, 56), np.uint8),
    "gray with axis": ((40, 56, 1), np.uint8),
    "gray and alpha": ((40, 56, 2), np.uint16),
    "rgb": ((40, 56, 3), np.uint8),
    "rgb 16": ((40, 56, 3), np.uint16),
    "rgba": ((40, 56, 4), np.uint8),
    "float32": ((40, 56, 3), np.float32),
    "float64": ((40, 56, 4), np.float64),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_comes_back_as_the_same_kind_with_its_known_values(kind):
    shape, dtype = ARRAYS[kind]
    values = np.random.default_rng(0).random(shape)
    white = 1 if dtype in (np.float32, np.float64) else np.iinfo(dtype).max
    image = (values * white).astype(dtype)
    before = image.copy()
    filled = inpaint.fill(image, box(), model=Recorder(value=0.25))
    assert (filled.shape, filled.dtype) == (image.shape, image.dtype)
    assert np.array_equal(filled[~box()], image[~box()])
    colors = filled if filled.ndim == 2 else filled[..., : {1: 1, 2: 1, 3: 3, 4: 3}[shape[2]]]
    assert np.abs(colors[box()].astype(float) / white - 0.25).max() <= 0.5 / white + 1e-7
    if len(shape) == 3 and shape[2] in (2, 4):
        assert np.array_equal(filled[..., -1], image[..., -1])
    assert np.array_equal(image, before)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_pillow_image_comes_back_in_its_mode(photo, mode):
    image = Image.fromarray(photo).convert(mode)
    filled = inpaint.fill(image, Image.fromarray(box()), model=Recorder())
    assert (filled.mode, filled.size) == (mode, image.size)
    assert np.array_equal(np.asarray(filled)[~box()], np.asarray(image)[~box()])
    assert (np.asarray(filled.convert("RGB"))[box()] == 128).all()


def test_a_deep_gray_pillow_image_keeps_its_bits():
    values = np.random.default_rng(0).integers(0, 65536, (40, 56)).astype(np.uint16)
    filled = inpaint.fill(Image.fromarray(values), box(), model=Recorder())
    assert filled.mode == "I;16"
    assert np.array_equal(np.asarray(filled)[~box()], values[~box()])


def test_a_pillow_image_stays_as_it_lies_and_its_file_is_turned(photo, tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG", exif=exif)
    image = Image.open(buffer)
    filled = inpaint.fill(image, box(), model=Recorder(), output=tmp_path / "a.png")
    assert np.array_equal(np.asarray(filled)[~box()], photo[~box()])
    assert filled.getexif()[0x112] == 6
    assert np.array_equal(np.asarray(opened(tmp_path / "a.png")), np.rot90(np.asarray(filled), -1))
    assert opened(tmp_path / "a.png").getexif().get(0x112, 1) == 1


def test_paths_give_a_pillow_image_and_write_at_full_depth(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (40, 56, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    Image.fromarray(box()).save(tmp_path / "m.png")
    filled = inpaint.fill(tmp_path / "a.png", str(tmp_path / "m.png"), model="telea", output=tmp_path / "new/out.png")
    assert isinstance(filled, Image.Image)
    assert (filled.mode, filled.size) == ("RGB", (56, 40))
    written = cv2.imread(str(tmp_path / "new/out.png"), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    assert np.array_equal(written[~box()], values[~box()])
    assert not np.array_equal(written[box()], values[box()])


@pytest.mark.parametrize(
    "mask",
    [
        box(),
        box()[..., None],
        box().astype(np.uint8),
        box().astype(np.int64),
        box() * np.uint8(255),
        box() * 255,
        box() * np.uint16(65535),
        box().astype(np.float64),
        Image.fromarray(box() * np.uint8(255)).convert("RGB"),
    ],
    ids=lambda mask: f"{getattr(mask, 'dtype', 'pil')}-{getattr(mask, 'shape', '')}",
)
def test_every_way_to_say_hole_means_the_same(photo, mask, caplog):
    model = Recorder()
    inpaint.fill(photo, mask, model=model)
    assert np.array_equal(model.calls[0][1][0, 0].numpy() == 1, box())
    assert caplog.messages == []
    inpaint.fill(photo, mask, model=model, invert_mask=True)
    assert np.array_equal(model.calls[1][1][0, 0].numpy() == 0, box())


def test_the_model_gets_float_planes_the_grown_hole_and_the_seed(photo):
    model = Recorder()
    hole = np.zeros((40, 56), bool)
    hole[20, 30] = True
    inpaint.fill(photo, hole, model=model, dilate=2, seed=7)
    image, mask, guidance, seed = model.calls[0]
    assert image.shape == (1, 3, 40, 56)
    assert image.dtype == mask.dtype == torch.float32
    assert np.allclose(image[0].permute(1, 2, 0).numpy() * 255, photo, atol=1e-4)
    assert mask.sum() == 13  # pixels within distance 2 of one
    assert (guidance, seed) == ({}, 7)


@pytest.mark.parametrize("kind", ["sketch", "edges"])
def test_lines_reach_models_that_accept_them_and_no_other(photo, kind):
    lines = np.zeros((40, 56), np.uint8)
    lines[12] = 255
    model = Recorder(takes=[kind])
    inpaint.fill(photo, box(), model=model, guidance={kind: lines})
    guidance = model.calls[0][2]
    assert guidance.keys() == {kind}
    assert np.array_equal(guidance[kind][0, 0].numpy(), lines / 255)
    with pytest.raises(UsageError, match=f"recorder does not accept '{kind}'; guidance it accepts: none"):
        inpaint.fill(photo, box(), model=Recorder(), guidance={kind: lines})


def test_no_hole_gives_the_photo_back_with_a_warning_and_without_the_model(photo, caplog):
    model = Recorder()
    assert np.array_equal(inpaint.fill(photo, np.zeros((40, 56), bool), model=model), photo)
    assert model.calls == []
    assert "the mask has no hole, so nothing is filled" in caplog.text


def test_all_hole_is_refused_by_fills_that_need_known_pixels(photo):
    whole = np.ones((40, 56), bool)
    with pytest.raises(MaskError, match="the mask covers the whole photo, and recorder works from known pixels"):
        inpaint.fill(photo, whole, model=Recorder(needs_known=True))


def test_all_hole_is_pointed_out_where_it_can_be_filled(photo, caplog):
    assert (inpaint.fill(photo, np.ones((40, 56), bool), model=Recorder()) == 128).all()
    assert "the mask covers the whole photo, so recorder has nothing to go by" in caplog.text


def test_a_transparent_hole_is_pointed_out(photo, caplog):
    alpha = np.full((40, 56, 1), 255, np.uint8)
    alpha[:15] = 0
    inpaint.fill(np.concatenate([photo, alpha], axis=2), box(), model=Recorder())
    assert "50 % of the hole is transparent and stays so" in caplog.text


@pytest.mark.parametrize(("height", "width", "smallest"), [(1, 1, 1), (7, 30, 1), (30, 7, 8), (15, 40, 16)])
def test_too_small_photos_are_refused_with_their_size(height, width, smallest):
    image = np.zeros((height, width, 3), np.uint8)
    text = f"{width} x {height} pixels are too few; recorder needs at least {max(8, smallest)} a side"
    with pytest.raises(InputError, match=text):
        inpaint.fill(image, np.eye(height, width, dtype=bool), model=Recorder(smallest_px=smallest))


def test_a_fill_out_of_memory_or_not_finite_is_one_line(photo):
    with pytest.raises(InpaintError, match="not enough memory to fill 56 x 40 pixels with recorder"):
        inpaint.fill(photo, box(), model=Recorder(error=torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(InpaintError, match="recorder painted values that are not finite"):
        inpaint.fill(photo, box(), model=Recorder(value=float("nan")))


def test_planes_of_another_size_are_refused_by_the_single_step(photo):
    with pytest.raises(MaskError, match="the mask must have the photo's size"):
        fill_photo(Photo(pixels=photo), box(39, 56), Recorder())
    with pytest.raises(MaskError, match="the sketch must have the photo's size"):
        fill_photo(Photo(pixels=photo), box(), Recorder(takes=["sketch"]), guidance={"sketch": box(40, 55)})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"image": torch.zeros(1, 3, 40, 56)}, "image must be a path, a Pillow image or a NumPy array, got Tensor"),
        ({"image": np.zeros((40, 56, 5), np.uint8)}, r"\(H, W\) or \(H, W, 1 to 4\), got \(40, 56, 5\)"),
        ({"image": np.zeros((40, 56, 3), np.int32)}, "pixels must be uint8, uint16, float32 or float64, got int32"),
        ({"mask": np.full((40, 56), 200.5)}, r"a floating-point mask must lie in \[0, 1\]"),
        ({"mask": np.full((40, 56), -1)}, "mask must lie in 0..255"),
        ({"mask": None}, "no mask is given, nor anything else that says what the hole is"),
        ({"mask": 3}, "mask must be a path, a Pillow image or a NumPy array, got int"),
        ({"box": (1, 2, 3)}, r"the box \(1, 2, 3\) is none: write x,y,width,height"),
        ({"polygon": [(1, 2), (3, 4)]}, "the polygon .* is none: write at least three corners"),
        ({"mask_color": "reddish"}, "the color 'reddish' is none"),
        ({"expand": (1, 2, 3, -4)}, "does not say by what to expand"),
        ({"save_mask": "m.jpg"}, "the mask 'm.jpg' would lose its exact edge"),
        ({"preview": "over.gif"}, "unknown suffix '.gif'"),
        ({"mask": np.ones((56, 40), bool)}, "another shape, not only another scale"),
        ({"dilate": -1}, "dilate must be an integer of at least 0, got -1"),
        ({"model": "tela"}, "unknown model 'tela'"),
        ({"model": Recorder(), "radius": 3}, "radius: options of a model that is already loaded"),
        ({"model": Recorder}, "model must be a name, a path or a loaded model, got Recorder"),
        ({"output": "out.gif"}, "unknown suffix '.gif'"),
        ({"output": 3}, "output must be a path, got 3"),
        ({"dilate": 2.5}, "dilate must be an integer of at least 0, got 2.5"),
        ({"seed": "3"}, r"seed must be an integer from 0 to 2\*\*64 - 1, got '3'"),
        ({"quality": 101}, "quality must be an integer from 1 to 100, got 101"),
        ({"max_pixels": 0}, "max_pixels must be an integer of at least 1, got 0"),
        ({"opaque": 1}, "opaque must be True or False, got 1"),
        ({"invert_mask": None}, "invert_mask must be True or False, got None"),
        ({"first_page": "yes"}, "first_page must be True or False, got 'yes'"),
        ({"guidance": "sketch.png"}, "guidance must be a mapping by name, got 'sketch.png'"),
        ({"progress": 3}, "progress must be a function, got 3"),
        ({"image": "a\0.png"}, "cannot read 'a"),
        ({"mask": "x" * 5000}, "File name too long"),
        ({"model": "x" * 5000}, "unknown model 'xxx"),
    ],
)
def test_wrong_arguments_say_what_is_valid(photo, change, text):
    arguments = {"image": photo, "mask": box(), "model": "telea", **change}
    with pytest.raises(InpaintError, match=text):
        inpaint.fill(arguments.pop("image"), arguments.pop("mask"), **arguments)


def test_numbers_of_numpy_are_taken_for_plain_ones(photo):
    model = Recorder()
    hole = np.zeros((40, 56), bool)
    hole[20, 30] = True
    given = {"dilate": np.int64(2), "seed": np.uint8(7), "max_pixels": np.int32(9999), "opaque": np.True_}
    inpaint.fill(photo, hole, model=model, quality=np.int64(90), **given)
    _, mask, _, seed = model.calls[0]
    assert (int(mask.sum()), seed, type(seed)) == (13, 7, int)


def test_a_pillow_image_that_cannot_be_decoded_is_one_line(photo):
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    for bad in (Image.open(io.BytesIO(buffer.getvalue()[:900])), Image.open(buffer)):
        bad.fp.close() if len(bad.fp.getvalue()) > 900 else None
        with pytest.raises(InputError, match="the Pillow image given as image cannot be decoded: "):
            inpaint.fill(bad, box(), model=Recorder())
        with pytest.raises(InputError, match="the Pillow image given as mask cannot be decoded: "):
            inpaint.fill(photo, bad, model=Recorder())


def test_an_unwritable_output_is_found_before_the_model_works(photo, tmp_path):
    (tmp_path / "file").write_text("")
    model = Recorder()
    with pytest.raises(InpaintError, match="file is not a folder"):
        inpaint.fill(photo, box(), model=model, output=tmp_path / "file/out.png")
    assert model.calls == []


def test_registered_fills_take_their_options(photo):
    near = inpaint.fill(photo, box(), model="telea", radius=1)
    far = inpaint.fill(photo, box(), model="telea", radius=9)
    assert not np.array_equal(near, far)
    assert np.array_equal(near[~box()], far[~box()])


@pytest.mark.parametrize("kind", [np.uint8, np.float32, "file", "pillow"])
def test_colors_reach_the_model_as_they_were_given(photo, kind, tmp_path):
    model = Recorder()
    model.capabilities = Capabilities(planes=(COLOR,))
    colors = np.zeros((40, 56, 4), np.uint8)
    colors[12:16, 20:30] = (200, 100, 50, 255)
    given = colors
    if kind == np.float32:
        given = (colors / 255).astype(np.float32)
    elif kind in ("file", "pillow"):
        given = Image.fromarray(colors)
        if kind == "file":
            given.save(tmp_path / "colors.png")
            given = tmp_path / "colors.png"
    inpaint.fill(photo, box(), model=model, guidance={"color": given})
    plane = model.calls[0][2]["color"][0].permute(1, 2, 0).numpy()
    assert plane == pytest.approx(colors / 255, abs=1e-4)


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_thin_lines_of_a_larger_drawing_stay_whole_at_the_size_of_the_photo(photo, offset, caplog):
    model = Recorder()
    model.capabilities = Capabilities(planes=(SKETCH, COLOR))
    lines, colors = np.zeros((120, 168), np.uint8), np.zeros((120, 168, 4), np.uint8)
    lines[36 + offset] = 255
    colors[:, 60:66] = (200, 100, 50, 255)
    inpaint.fill(photo, box(), model=model, guidance={"sketch": lines, "color": colors})
    guidance = {name: plane[0].numpy() for name, plane in model.calls[0][2].items()}
    assert np.array_equal(np.flatnonzero(guidance["sketch"][0].all(axis=1)), [12])
    assert guidance["sketch"].sum() == 56
    assert np.array_equal(np.flatnonzero(guidance["color"][3].all(axis=0)), [20, 21])
    assert guidance["color"][:3, 0, 20] == pytest.approx(np.array([200, 100, 50]) / 255, abs=1e-4)
    assert "sketch has 168 x 120 pixels; resized to 56 x 40" in caplog.text


def test_it_is_said_when_nothing_that_was_drawn_lies_in_the_hole(photo, caplog):
    model, lines = Recorder(takes=["sketch"]), np.zeros((40, 56), np.uint8)
    lines[30] = 255
    inpaint.fill(photo, box(), model=model, guidance={"sketch": lines})
    assert "nothing of the sketch lies in the hole" in caplog.text
    caplog.clear()
    inpaint.fill(photo, box(), model=model, guidance={"sketch": np.roll(lines, -15, axis=0)})
    assert "nothing of the sketch" not in caplog.text
