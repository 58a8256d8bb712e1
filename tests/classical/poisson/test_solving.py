import itertools

import numpy as np
import pytest

from inpaint.classical.poisson import solve
from inpaint.classical.poisson.direct import Direct
from inpaint.classical.poisson.grid import neighbor_sum
from inpaint.classical.poisson.rectangle import Rectangle


def dense_solution(right, unknown, screen):
    """Solve the equations of one channel, written pixel by pixel."""
    height, width = unknown.shape
    pixels = [tuple(pixel) for pixel in np.argwhere(unknown)]
    number = {pixel: row for row, pixel in enumerate(pixels)}
    matrix = np.zeros((len(pixels), len(pixels)))
    for (y, x), row in number.items():
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [(a, b) for a, b in around if 0 <= a < height and 0 <= b < width]
        matrix[row, row] = len(inside) + screen
        for pixel in inside:
            if pixel in number:
                matrix[row, number[pixel]] = -1
    found = np.zeros(unknown.shape)
    found[unknown] = np.linalg.solve(matrix, right[unknown])
    return found


@pytest.mark.parametrize("screen", [0.0, 0.3])
def test_the_direct_solver_agrees_with_a_dense_one(make_mask, screen):
    for name in ("blob", "box", "corner", "noise", "all but one"):
        unknown = make_mask(name, 13, 17)
        right = np.random.default_rng(0).standard_normal((2, 13, 17)) * unknown
        got = solve(right, unknown, screen=screen, method="direct")
        for own, plane in zip(got, right, strict=True):
            assert np.abs(own - dense_solution(plane, unknown, screen)).max() < 1e-12


@pytest.mark.parametrize("sides", list(itertools.product([0, 1], repeat=4)))
@pytest.mark.parametrize("screen", [0.0, 0.3])
def test_a_rectangle_is_solved_exactly_whichever_sides_are_the_frame(sides, screen):
    top, bottom, left, right_side = sides
    unknown = np.zeros((9, 12), bool)
    unknown[top : 9 - bottom, left : 12 - right_side] = True
    right = np.random.default_rng(1).standard_normal((9, 12)) * unknown
    free = not any(sides) and not screen
    if free:
        right -= right.mean()
    got = Rectangle(unknown, screen).solve(right)
    if free:
        assert abs(got.mean()) < 1e-14
        assert np.abs(4 * got - neighbor_sum(np.pad(got, 1, "edge"))[1:-1, 1:-1] - right).max() < 1e-12
    else:
        assert np.abs(got - Direct(unknown, screen).solve(right)).max() < 1e-12


def test_one_pixel_one_row_and_one_column_are_rectangles():
    for rows, columns in ((1, 1), (1, 8), (8, 1)):
        unknown = np.zeros((8, 8), bool)
        unknown[:rows, 8 - columns :] = True
        right = np.where(unknown, 1.0, 0.0)
        assert Rectangle.fits(unknown)
        assert np.abs(solve(right[None], unknown)[0] - Direct(unknown).solve(right)).max() < 1e-12


def test_the_right_side_is_not_read_where_something_is_known(mask):
    right = np.random.default_rng(3).standard_normal((1, *mask.shape))
    want = solve(right, mask)
    assert np.array_equal(solve(np.where(mask, right, np.nan), mask), want)
    assert not want[:, ~mask].any()


def test_nothing_unknown_is_solved_by_zeros():
    assert not solve(np.ones((2, 4, 5)), np.zeros((4, 5), bool)).any()
