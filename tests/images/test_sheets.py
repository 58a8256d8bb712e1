import numpy as np
import pytest

from inpaint.errors import InputError
from inpaint.images.sheets import contact_sheet


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(1, 255, (height, width, 3), dtype=np.uint8)


def find(sheet, part):
    """Return the top left corners at which `part` stands in `sheet`, pixel for pixel."""
    h, w = part.shape[:2]
    candidates = np.argwhere((sheet[: sheet.shape[0] - h + 1, : sheet.shape[1] - w + 1] == part[0, 0]).all(axis=-1))
    return [(y, x) for y, x in candidates if np.array_equal(sheet[y : y + h, x : x + w], part)]


def test_images_of_the_cell_size_appear_unchanged_and_in_order():
    first, second, third = noise(128, 128, 1), noise(128, 96, 2), noise(96, 128, 3)
    sheet = contact_sheet([[first, second], [third]], columns=["a", "b"], labels=["x", "y"], title="t")
    (a,), (b,), (c,) = find(sheet, first), find(sheet, second), find(sheet, third)
    assert a[0] == b[0]
    assert a[1] + 128 <= b[1]
    assert a[0] + 128 <= c[0]
    assert a[1] == c[1]


def test_a_small_image_is_enlarged_by_repeating_its_pixels():
    small = noise(32, 16)
    sheet = contact_sheet([[small]], cell=64)
    assert len(find(sheet, small.repeat(2, axis=0).repeat(2, axis=1))) == 1


def test_a_large_image_is_reduced_to_the_cell_and_keeps_its_aspect():
    flat = np.full((300, 600, 3), 90, np.uint8)
    sheet = contact_sheet([[flat]], cell=100)
    painted = np.argwhere((sheet == 90).all(axis=-1))
    assert (np.ptp(painted, axis=0) + 1).tolist() == [50, 100]


def test_the_background_is_white_and_texts_leave_ink_where_they_belong():
    gray = np.full((128, 128, 3), 128, np.uint8)
    plain = contact_sheet([[gray]])
    named = contact_sheet([[gray]], columns=["heading"], labels=["label"], title="title")
    assert (plain[0] == 255).all()
    assert named.shape[0] > plain.shape[0]
    assert named.shape[1] > plain.shape[1]
    (y, x) = np.argwhere((named == 128).all(axis=-1)).min(axis=0)
    assert (named[: y - 2] < 100).any()
    assert (named[y:, : x - 2] < 100).any()
    assert not (plain < 100).any()


def test_text_too_long_for_its_column_never_reaches_the_neighbor():
    white = np.full((128, 128, 3), 255, np.uint8)
    sheet = contact_sheet([[white, white]], columns=["w" * 200, ""])
    dark = np.argwhere((sheet < 100).all(axis=-1))
    assert dark[:, 1].min() >= 16
    assert dark[:, 1].max() < 16 + 128 + 1


def test_long_headings_wrap_and_make_room():
    cells = [[np.zeros((128, 128, 3), np.uint8)]]
    short = contact_sheet(cells, columns=["one"])
    long = contact_sheet(cells, columns=["several words that need more than one line"])
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > short.shape[0]


def test_the_callers_images_are_not_changed():
    original = noise(128, 128)
    kept = original.copy()
    contact_sheet([[original]])
    assert np.array_equal(original, kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": []}, "at least one image"),
        ({"rows": [[], []]}, "at least one image"),
        ({"rows": [[np.zeros((4, 4), np.uint8)]]}, r"uint8 of shape \(H, W, 3\), got uint8 of shape \(4, 4\)"),
        ({"rows": [[np.zeros((4, 4, 3))]]}, "got float64"),
        ({"rows": [[np.zeros((4, 4, 3), np.uint8)]], "columns": ["a", "b"]}, "2 column headings for 1 columns"),
        ({"rows": [[np.zeros((4, 4, 3), np.uint8)]], "labels": ["a", "b"]}, "2 row labels for 1 rows"),
        ({"rows": [[np.zeros((4, 4, 3), np.uint8)]], "cell": 0}, "cell must be at least 1"),
    ],
)
def test_a_sheet_that_cannot_be_made_says_why(arguments, message):
    rows = arguments.pop("rows")
    with pytest.raises(InputError, match=message):
        contact_sheet(rows, **arguments)
