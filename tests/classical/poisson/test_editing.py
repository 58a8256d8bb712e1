import numpy as np
import pytest
from scipy import ndimage

from inpaint.classical.poisson import blended, membrane
from inpaint.errors import InputError, MaskError, UsageError

COMMON = ("outside_import", "outside_mixed", "outside_import_screened_0.05")
ALL = (*COMMON, "outside_average", "outside_monochrome", "outside_flatten", "outside_zero")
INSIDE = ("inside_import", "inside_mixed")
CASES = [
    *((kind, case) for case in ("nonconvex", "frame") for kind in (*ALL, *INSIDE)),
    *((kind, case) for case in ("components", "random") for kind in (*COMMON, *INSIDE)),
    *((kind, "whole") for kind in COMMON),
]


def pictures(height=20, width=27, channels=(3,), dtype=np.float64, seed=0):
    source, target = np.random.default_rng(seed).random((2, height, width, *channels))
    return source.astype(dtype), target.astype(dtype)


def brute_force(source, target, mask, differences, held=None):
    """Minimize the sum over pairs by dense least squares, pair by pair; differences(p, q) is the wanted f_p - f_q."""
    height, width = mask.shape
    number = -np.ones(mask.shape, int)
    number[mask] = np.arange(mask.sum())
    rows, wanted = [], []
    for y in range(height):
        for x in range(width):
            for there in ((y + 1, x), (y, x + 1)):
                if there[0] == height or there[1] == width or not (mask[y, x] or mask[there]):
                    continue
                row, value = np.zeros(mask.sum()), differences((y, x), there)
                for pixel, sign in (((y, x), 1), (there, -1)):
                    if mask[pixel]:
                        row[number[pixel]] += sign
                    else:
                        value -= sign * target[pixel]
                rows.append(row)
                wanted.append(value)
    for pixel, value in (held or {}).items():
        row = np.zeros(mask.sum())
        row[number[pixel]] = value[0]
        rows.append(row)
        wanted.append(value[0] * value[1])
    solution = target.copy()
    solution[mask] = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return solution


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_the_result_is_that_of_a_direct_solve_of_the_definition(parity, kind, case):
    boundary, mode, *screen = kind.split("_")
    name = f"{kind}_{case}"
    source, target, mask = parity["source"], parity["background"], parity[f"mask_{case}"]
    if mode == "zero":
        got = membrane(target, mask, dtype=np.float64)
    else:
        options = {"mode": mode, "boundary": boundary, "source_share": 0.3, "edges": parity["edges"]}
        options["screen"] = float(screen[1]) if screen else 0.0
        got = blended(source, target, mask, dtype=np.float64, **options)
        near = blended(source, target, mask, **options)
        assert np.abs(near - parity[name]).max() < 1e-3  # of 255
    assert np.abs(got - parity[name]).max() < 1e-9


def test_of_two_differences_of_one_size_mixed_takes_that_of_the_source(parity):
    got = blended(parity["tie_source"], parity["tie_background"], parity["tie_mask"], mode="mixed", dtype=np.float64)
    assert parity["tie_count"] > 0
    assert np.abs(got - parity["tie_mixed"]).max() < 1e-9


@pytest.mark.parametrize("mode", ["import", "mixed"])
def test_photos_in_bytes_are_rounded_and_clipped_at_the_end(parity, mode):
    source, target = parity["photo_source"], parity["photo_background"]
    mask = parity["photo_mask"] == 255
    before = source.copy(), target.copy(), mask.copy()
    got = blended(source, target, mask, mode=mode, dtype=np.float64)
    assert got.dtype == np.uint8
    assert np.array_equal(got, parity[f"photo_outside_{mode}_u8"])
    assert all(np.array_equal(*pair) for pair in zip(before, (source, target, mask), strict=True))


def test_a_tiny_mask_at_the_frame_agrees_with_dense_least_squares_over_its_pairs():
    source, target = pictures(5, 7, ())
    mask = np.zeros((5, 7), bool)
    mask[0:3, 0:4] = mask[2:4, 5:7] = True
    got = blended(source, target, mask, dtype=np.float64)
    want = brute_force(source, target, mask, lambda p, q: source[p] - source[q])
    assert np.abs(got - want).max() < 1e-12
    held = {tuple(pixel): (0.7**0.5, source[tuple(pixel)]) for pixel in np.argwhere(mask)}
    want = brute_force(source, target, mask, lambda p, q: source[p] - source[q], held)
    assert np.abs(blended(source, target, mask, screen=0.7, dtype=np.float64) - want).max() < 1e-12


@pytest.mark.parametrize("mode", ["import", "mixed", "average", "monochrome"])
@pytest.mark.parametrize("boundary", ["outside", "inside"])
def test_pixels_outside_the_mask_are_unchanged_bit_for_bit(mask, mode, boundary):
    held = ~mask if boundary == "outside" else ~ndimage.binary_erosion(mask, border_value=1)
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        source, target = ((250 * each).astype(dtype) for each in pictures(*mask.shape))
        got = blended(source, target, mask, mode=mode, boundary=boundary)
        assert got.dtype == dtype
        assert np.array_equal(got[held], target[held])
        assert held.all() or not np.array_equal(got, target)


@pytest.mark.parametrize("mode", ["import", "mixed", "average"])
def test_an_image_blended_into_itself_stays(mask, mode):
    _, target = pictures(*mask.shape)
    assert np.abs(blended(target, target, mask, mode=mode, dtype=np.float64) - target).max() < 1e-12


def test_a_constant_added_to_the_source_changes_nothing(mask):
    source, target = pictures(*mask.shape)
    plain, lifted = (blended(each, target, mask, dtype=np.float64) for each in (source, source + 3))
    assert np.abs(plain - lifted).max() < 1e-11


def test_gray_images_are_blended_as_each_channel_of_a_color_image(mask):
    source, target = pictures(*mask.shape, (2,))
    both = blended(source, target, mask)
    for channel in range(2):
        assert np.array_equal(blended(source[..., channel], target[..., channel], mask), both[..., channel])


def test_what_lies_away_from_the_mask_is_not_read():
    source, target = pictures()
    mask = np.zeros((20, 27), bool)
    mask[5:9, 6:14] = True
    want = blended(source, target, mask)
    source[:4] = source[10:] = np.nan
    assert np.array_equal(blended(source, target, mask), want)
    source[4, 8] = np.nan
    assert np.array_equal(blended(source, target, mask, boundary="inside")[6:8, 7:13] > -9, np.ones((2, 6, 3), bool))
    with pytest.raises(InputError, match="source or target is not finite at row 1, column 3"):
        blended(source, target, mask)


def test_a_membrane_does_not_read_its_hole_and_lies_within_the_values_around_it(mask):
    _, target = pictures(*mask.shape, dtype=np.float32)
    want = membrane(target, mask)
    assert want[mask].min() >= target[~mask].min()
    assert want[mask].max() <= target[~mask].max()
    target[mask] = np.nan
    assert np.array_equal(membrane(target, mask), want)


def test_a_membrane_continues_a_slope_exactly():
    y, x = np.mgrid[0:30, 0:40]
    slope = 0.1 + 0.01 * x - 0.02 * y
    mask = np.zeros((30, 40), bool)
    mask[4:20, 7:33] = True
    assert np.abs(membrane(slope, mask, dtype=np.float64) - slope).max() < 1e-12


def test_a_strong_screen_gives_the_source():
    source, target = pictures()
    mask = np.zeros((20, 27), bool)
    mask[3:, 5:20] = True
    got = blended(source, target, mask, screen=1e9, dtype=np.float64)
    assert np.abs(got[mask] - source[mask]).max() < 1e-6


def test_without_known_pixels_the_target_s_mean_stays():
    source, target = pictures()
    got = blended(source, target, np.ones((20, 27), bool), dtype=np.float64)
    assert np.abs(got.mean((0, 1)) - target.mean((0, 1))).max() < 1e-13
    assert np.abs((got - source).std((0, 1))).max() < 1e-13


def test_an_empty_mask_gives_a_copy():
    source, target = pictures()
    for mask in (np.zeros((20, 27)), np.eye(20, 27)):
        got = blended(source, target, mask, boundary="inside")
        assert np.array_equal(got, target)
        assert not np.shares_memory(got, target)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mode": "mix"}, UsageError, r"unknown mode 'mix' \(did you mean 'mixed'\?\)"),
        ({"boundary": "in"}, UsageError, "unknown boundary 'in'"),
        ({"method": "magic"}, UsageError, "unknown method 'magic'"),
        ({"method": "rectangle"}, InputError, "'rectangle' solves for full rectangles only"),
        ({"mode": "flatten"}, InputError, "'flatten' needs edges"),
        ({"source_share": 1.5}, InputError, r"source_share must lie in \[0, 1\], got 1.5"),
        ({"screen": -1}, InputError, "screen must be a number of at least 0, got -1"),
        ({"dtype": np.float16}, InputError, "dtype must be float32 or float64, got float16"),
        ({"dtype": "magic"}, InputError, "dtype must be float32 or float64, got 'magic'"),
        ({"source": np.zeros((20, 27))}, InputError, r"source must have the target's shape \(20, 27, 3\)"),
        ({"source": "photo.jpg"}, InputError, "source must be an array"),
        ({"mask": np.zeros((20, 20))}, MaskError, r"mask must be an array \(20, 27\) to match the target"),
        ({"mask": np.full((20, 27), 255)}, MaskError, "mask must be 0 or 1 everywhere, got 255"),
        ({"edges": np.full((20, 27), 2)}, MaskError, "edges must be 0 or 1 everywhere, got 2"),
    ],
)
def test_a_mistake_is_named(change, error, message):
    source, target = pictures()
    mask = np.eye(20, 27, dtype=bool)
    with pytest.raises(error, match=message):
        blended(**{"source": source, "target": target, "mask": mask, **change})


def test_a_membrane_without_anything_known_is_refused():
    with pytest.raises(MaskError, match="needs known pixels around it"):
        membrane(np.zeros((4, 5)), np.ones((4, 5)))
