import itertools

import numpy as np
import pytest

from inpaint.classical.poisson import conjugate, multigrid, phases, solve, solving, workers
from inpaint.classical.poisson.conjugate import ConjugateGradients
from inpaint.classical.poisson.direct import Direct
from inpaint.classical.poisson.grid import degree, neighbor_sum
from inpaint.classical.poisson.multigrid import Cycle
from inpaint.classical.poisson.rectangle import Rectangle
from inpaint.classical.poisson.workers import Workers
from inpaint.errors import InputError
from inpaint.system.environment import cores


def direct(unknown, screen=0.0):
    return Direct(unknown, degree(unknown.shape) + screen)


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
        assert np.abs(got - direct(unknown, screen).solve(right)).max() < 1e-12


def test_one_pixel_one_row_and_one_column_are_rectangles():
    for rows, columns in ((1, 1), (1, 8), (8, 1)):
        unknown = np.zeros((8, 8), bool)
        unknown[:rows, 8 - columns :] = True
        right = np.where(unknown, 1.0, 0.0)
        assert Rectangle.fits(unknown)
        assert np.abs(solve(right[None], unknown)[0] - direct(unknown).solve(right)).max() < 1e-12


def test_the_right_side_is_not_read_where_something_is_known(mask):
    right = np.random.default_rng(3).standard_normal((1, *mask.shape))
    want = solve(right, mask)
    assert np.array_equal(solve(np.where(mask, right, np.nan), mask), want)
    assert not want[:, ~mask].any()


def test_nothing_unknown_is_solved_by_zeros():
    assert not solve(np.ones((2, 4, 5)), np.zeros((4, 5), bool)).any()


@pytest.mark.parametrize("size", [(45, 61), (46, 60), (64, 33)])
@pytest.mark.parametrize("name", ["blob", "box", "corner", "ring", "noise", "dots", "all but one"])
@pytest.mark.parametrize("screen", [0.0, 0.05])
def test_multigrid_agrees_with_the_factorization(make_mask, name, size, screen, monkeypatch):
    monkeypatch.setattr(multigrid, "SMALLEST", 20)
    unknown = make_mask(name, *size)
    right = np.random.default_rng(4).standard_normal((2, *size)) * unknown
    want = solve(right, unknown, screen=screen, method="direct")
    for dtype, limit in ((np.float64, 1e-11), (np.float32, 2e-4)):
        got = solve(right.astype(dtype), unknown, screen=screen, method="multigrid")
        assert got.dtype == dtype
        assert np.abs(got - want).max() < limit * np.abs(want).max()
        assert not got[:, ~unknown].any()


@pytest.mark.parametrize("size", [(1, 300), (2, 200), (300, 3), (5, 5)])
def test_multigrid_solves_on_narrow_frames(size, monkeypatch):
    monkeypatch.setattr(multigrid, "SMALLEST", 4)
    unknown = np.ones(size, bool)
    unknown[-1, -1] = unknown[0, 2] = False
    right = np.random.default_rng(5).standard_normal((1, *size)) * unknown
    want = solve(right, unknown, method="direct")
    got = solve(right, unknown, method="multigrid")
    assert np.abs(got - want).max() < 1e-10 * np.abs(want).max()


def test_the_iterations_hardly_grow_with_the_size(make_mask):
    iterations = []
    for size in (64, 512):
        unknown = make_mask("blob", size, size)
        solver = ConjugateGradients(unknown, 0.0, np.dtype(np.float32), threads=1)
        solver.solve(unknown.astype(np.float32))
        iterations.append(solver.iterations)
    assert iterations[1] <= iterations[0] + 4
    assert iterations[1] <= 10


def test_the_cycle_is_symmetric(mask):
    cycle = Cycle(mask, 0.0, np.dtype(np.float64), Workers(1, np.dtype(np.float64)))
    level = cycle.levels[0]

    def run(plane):
        level.layout.split(plane, level.right)
        cycle.run()
        found = np.empty(mask.shape)
        level.layout.merge(level.solution, found)
        return found

    first, second = np.random.default_rng(6).standard_normal((2, *mask.shape)) * mask
    assert (run(first) * second).sum() == pytest.approx((first * run(second)).sum(), rel=1e-12)


@pytest.mark.parametrize("name", ["blob", "ring"])
def test_the_number_of_threads_changes_no_bit(make_mask, name, monkeypatch):
    unknown = make_mask(name, 301, 410)
    right = np.random.default_rng(7).standard_normal((301, 410)).astype(np.float32) * unknown
    monkeypatch.setattr(workers, "WORTH", 2)
    monkeypatch.setattr(phases, "LONGEST", 2048)
    found = [ConjugateGradients(unknown, 0.0, right.dtype, threads=count).solve(right) for count in (1, 2, 3)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize(("given", "count"), [("1", 1), ("0", 1), ("99999", None), ("2,1", None), ("", None)])
def test_omp_num_threads_is_heeded(given, count, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert workers.usual_threads() == (count or cores())


def test_parts_of_a_mask_are_solved_each_for_itself(monkeypatch):
    monkeypatch.setattr(solving, "MOST_DIRECT", 60)
    unknown = np.zeros((80, 90), bool)
    unknown[2:14, 3:12] = unknown[60:70, 70:90] = True  # two large ones, of which one is no rectangle
    unknown[7, 7] = False
    unknown[40, 10:12] = unknown[75, 5] = True
    right = np.random.default_rng(8).standard_normal((1, 80, 90)) * unknown
    solver = solving.solver_for(unknown, np.float64)
    assert sorted(type(each).__name__ for each in solver.solvers) == ["ConjugateGradients", "Direct", "Rectangle"]
    assert np.abs(solver.solve(right[0]) - solve(right, unknown, method="direct")[0]).max() < 1e-11


def test_parts_of_which_one_lies_around_the_other_are_solved(monkeypatch):
    monkeypatch.setattr(solving, "MOST_DIRECT", 60)
    unknown = np.zeros((120, 120), bool)
    unknown[10:40, 10:40] = True
    unknown[15:35, 15:35] = False
    unknown[20:30, 20:30] = unknown[100:, 100:] = True
    right = np.random.default_rng(9).standard_normal((1, 120, 120)) * unknown
    solver = solving.solver_for(unknown, np.float64)
    assert len(solver.solvers) == 3
    assert np.abs(solver.solve(right[0]) - solve(right, unknown, method="direct")[0]).max() < 1e-11


def test_one_part_is_solved_by_multigrid_when_it_is_large(make_mask, monkeypatch):
    monkeypatch.setattr(solving, "MOST_DIRECT", 60)
    assert isinstance(solving.solver_for(make_mask("corner", 45, 61), np.float32), ConjugateGradients)


@pytest.mark.parametrize("method", ["direct", "multigrid"])
def test_methods_that_need_something_known_say_so(method):
    everything = np.ones((6, 7), bool)
    with pytest.raises(InputError, match=f"method '{method}' needs a known pixel"):
        solve(np.ones((1, 6, 7)), everything, method=method)
    assert np.isfinite(solve(np.ones((1, 6, 7)), everything, screen=0.1, method=method)).all()


def test_what_has_not_converged_is_said(make_mask, monkeypatch, caplog):
    monkeypatch.setattr(conjugate, "MOST", 3)
    unknown = make_mask("blob", 45, 61)
    solve(unknown[None].astype(float), unknown, method="multigrid")
    assert "after 3 iterations still" in caplog.text
