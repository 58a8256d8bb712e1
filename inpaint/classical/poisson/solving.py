"""Which solver a mask gets."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from inpaint.classical.poisson.conjugate import ConjugateGradients
from inpaint.classical.poisson.direct import Direct
from inpaint.classical.poisson.grid import Mask, Plane, PlaneSolver, degree, is_singular
from inpaint.classical.poisson.rectangle import Rectangle
from inpaint.classical.poisson.workers import usual_threads
from inpaint.errors import InputError, UsageError
from inpaint.errors import unknown as unknown_name
from inpaint.images.regions import Region, components

Method: TypeAlias = Literal["auto", "direct", "rectangle", "multigrid"]

MOST_DIRECT = 100_000
"""Unknowns up to which "auto" factorizes: half a second."""
WORTH = 0.7
"""Of the box of a mask, what the boxes of its parts may hold so that they are solved each for itself."""


def solve(
    right: NDArray[np.floating[Any]],
    unknown: Mask,
    *,
    screen: float = 0.0,
    method: Method = "auto",
    tolerance: float | None = None,
) -> NDArray[np.floating[Any]]:
    """Solve Poisson's equation on the unknown pixels, with zero at the known ones.

    Args:
        right: The right side b, (C, H, W), float32 or float64; not read where known. The equations stand in
            `inpaint.classical.poisson.grid`.
        unknown: (H, W).
        screen: Added to the diagonal, at least 0.
        method: "rectangle", exact transforms for a full rectangle; "direct", a sparse factorization in float64;
            "multigrid", conjugate gradients with multigrid, linear in the pixels. "auto" takes the rectangle where the
            unknown pixels are one, the factorization up to 100,000 of them, and multigrid above, for far parts apart.
        tolerance: Of "multigrid": how large its last correction may be, relative to its first. Default: 1e-4 in
            float32, which is a hundredth of a gray level; 1e-13 in float64.

    Returns:
        h, (C, H, W), of the type of the right side, 0 where known. Where nothing is known and the screen is 0, the
        solution of mean zero for the right side less its mean.

    Raises:
        InputError: The method does not suit the mask.
        UsageError: There is no such method.
    """
    found = np.zeros_like(right)
    if unknown.any():
        solver = solver_for(unknown, right.dtype, screen=screen, method=method, tolerance=tolerance)
        for number, plane in enumerate(right):
            found[number] = solver.solve(np.where(unknown, plane, plane.dtype.type(0)))
    return found


def solver_for(
    unknown: Mask,
    dtype: DTypeLike,
    *,
    screen: float = 0.0,
    method: Method = "auto",
    tolerance: float | None = None,
) -> PlaneSolver:
    """Return what solves for the channels of an image; at least one pixel is unknown. See `solve`."""
    if method not in get_args(Method):
        raise UsageError(unknown_name("method", method, get_args(Method)))
    if method in ("auto", "rectangle") and Rectangle.fits(unknown):
        return Rectangle(unknown, screen)
    if method == "rectangle":
        raise InputError("method 'rectangle' solves for full rectangles only; 'auto' takes any mask")
    if is_singular(unknown, screen):
        raise InputError(f"method '{method}' needs a known pixel; 'auto' takes masks of the whole image")
    if method == "direct" or (method == "auto" and np.count_nonzero(unknown) <= MOST_DIRECT):
        return Direct(unknown, degree(unknown.shape) + screen)
    parts = Parts(unknown) if method == "auto" else None
    if parts is not None and parts.are_worth_it:
        parts.solvers = [solver_for(part, dtype, screen=screen, tolerance=tolerance) for _, part in parts.cut]
        return parts
    return ConjugateGradients(unknown, screen, np.dtype(dtype), tolerance=tolerance, threads=usual_threads())


class Parts:
    """Parts of a mask that share no neighbors, solved in boxes of their own; small ones together.

    cut: What cuts the box of a part out of a plane, and its unknown pixels there.
    """

    def __init__(self, unknown: Mask) -> None:
        labels, boxes = components(unknown)
        sizes = np.bincount(labels[unknown], minlength=len(boxes) + 1)
        rest = unknown.copy()
        self._shape = unknown.shape
        self.cut: list[tuple[tuple[slice, slice], Mask]] = []
        self.solvers: list[PlaneSolver] = []
        for label in np.flatnonzero(sizes > MOST_DIRECT).tolist():
            box = boxes[label - 1].grown(1, unknown.shape).slices
            part = unknown[box] & (labels[box] == label)
            rest[box] &= ~part
            self.cut.append((box, part))
        if rest.any():
            box = Region.around(rest).grown(1, unknown.shape).slices
            self.cut.append((box, rest[box]))

    @property
    def are_worth_it(self) -> bool:
        """Whether their boxes are so much smaller than the mask's that each for itself is faster."""
        area = sum(part.size for _, part in self.cut if np.count_nonzero(part) > MOST_DIRECT)
        return len(self.cut) > 1 and area < WORTH * self._shape[0] * self._shape[1]

    def solve(self, right: Plane) -> Plane:
        """See `PlaneSolver`."""
        found = np.zeros_like(right)
        for (box, part), solver in zip(self.cut, self.solvers, strict=True):
            found[box] += solver.solve(np.where(part, right[box], right.dtype.type(0)))
        return found
