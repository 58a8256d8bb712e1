import numpy as np
import pytest

from inpaint.errors import InputError, MaskError
from inpaint.style.base import ArrayStylizer, Painted
from inpaint.style.colors import Colors
from inpaint.style.options import ColorsOptions, StyleOptions
from inpaint.types import StylePart

RNG = np.random.default_rng(0)
CONTENT = RNG.random((6, 9, 3), dtype=np.float32)
STYLE = (RNG.random((30, 18, 3), dtype=np.float32) * np.float32(0.5)).astype(np.float32)


class Red(ArrayStylizer):
    name = "red"

    def __init__(self, **options):
        self.options = StyleOptions(**options)

    def paint(self, scene):
        self.scene = scene
        return Painted(image=np.broadcast_to([2.0, 0.0, 0.0], scene.content.shape), details={"steps": 1})


def test_pixels_where_no_part_goes_are_the_content_s_bit_for_bit():
    mask = np.zeros((6, 9), np.float32)
    mask[2:4], mask[4] = 1, 0.5
    found = Red().stylize(CONTENT, [StylePart(style=STYLE, content_mask=mask)]).image
    assert found[mask == 0].tobytes() == CONTENT[mask == 0].tobytes()
    assert np.array_equal(found[mask == 1], np.broadcast_to(np.float32([1, 0, 0]), (18, 3)))
    assert np.allclose(found[4], 0.5 * CONTENT[4] + [0.5, 0, 0], atol=1e-6)


def test_parts_share_a_pixel_by_weight_times_mask():
    left = np.zeros((6, 9), np.float32)
    left[:, :4] = 1
    red = Red()
    red.stylize(CONTENT, [StylePart(style=STYLE, weight=3), StylePart(style=STYLE, content_mask=left, weight=1)])
    assert np.allclose(red.scene.shares[:, 0, 0], [0.75, 0.25])
    assert np.allclose(red.scene.shares[:, 0, 8], [1, 0])
    assert [part.weight for part in red.scene.parts] == [0.75, 0.25]


def test_a_style_is_reduced_to_its_share_of_the_content_and_never_enlarged():
    mask = np.zeros((30, 18), bool)
    mask[0, 0] = True
    for scale, shape in ((1.0, (9, 5)), (2.0, (18, 11)), (10.0, (30, 18)), (None, (30, 18))):
        red = Red(scale=scale)
        red.stylize(CONTENT, [StylePart(style=STYLE, style_mask=mask)])
        part = red.scene.parts[0]
        assert part.style.shape[:2] == part.style_mask.shape == shape
        assert part.style_mask.any()


@pytest.mark.parametrize("colors", ["keep", "luminance"])
def test_the_content_s_colors_stay_where_lightness_alone_is_painted(colors):
    class Same(Red):
        def paint(self, scene):
            return Painted(image=scene.content)

    found = Same(colors=colors).stylize(CONTENT, [StylePart(style=STYLE)]).image
    assert np.allclose(found, CONTENT, atol=1e-6)


def test_matched_styles_have_the_content_s_mean_and_covariance():
    gray = np.float32(0.4) + np.float32(0.2) * CONTENT
    red = Red(colors="match", scale=None)
    red.stylize(gray, [StylePart(style=STYLE)])
    own, wanted = red.scene.parts[0].style.reshape(-1, 3), gray.reshape(-1, 3)
    assert np.allclose(own.mean(axis=0), wanted.mean(axis=0), atol=1e-3)
    assert np.allclose(np.cov(own.T, bias=True), np.cov(wanted.T, bias=True), atol=1e-3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"style": STYLE[..., 0]}, InputError, r"style must be an array \(H, W, 3\)"),
        ({"weight": 0}, InputError, "weights must be above 0"),
        ({"content_mask": np.ones((6, 8), np.float32)}, MaskError, r"content_mask must be an array \(6, 9\)"),
        ({"content_mask": np.full((6, 9), 2.0)}, MaskError, r"content_mask must lie in \[0, 1\]"),
        ({"style_mask": np.ones((6, 9), bool)}, MaskError, r"style_mask must be a bool array \(30, 18\)"),
        ({"style_mask": np.zeros((30, 18), bool)}, MaskError, "style_mask marks nothing"),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_one_line(change, error, message):
    with pytest.raises(error, match=message):
        Red().stylize(CONTENT, [StylePart(**{"style": STYLE, **change})])


def test_no_style_and_no_place_for_one():
    with pytest.raises(InputError, match="red needs a style"):
        Red().stylize(CONTENT, [])
    empty = Red().stylize(CONTENT, [StylePart(style=STYLE, content_mask=np.zeros((6, 9), np.float32))])
    assert empty.image.tobytes() == CONTENT.tobytes()
    assert "nothing was painted" in empty.warnings[0]


def test_color_transfer_gives_each_part_the_covariance_of_its_style():
    mask = np.zeros((6, 9), np.float32)
    mask[:3] = 1
    found = Colors(ColorsOptions(scale=None)).stylize(CONTENT, [StylePart(style=STYLE, content_mask=mask)]).image
    inside = found[:3].reshape(-1, 3)
    assert np.allclose(inside.mean(axis=0), STYLE.reshape(-1, 3).mean(axis=0), atol=0.02)
    assert found[3:].tobytes() == CONTENT[3:].tobytes()
    kept = Colors(ColorsOptions(strength=0)).stylize(CONTENT, [StylePart(style=STYLE)]).image
    assert np.allclose(kept, CONTENT, atol=1e-6)
