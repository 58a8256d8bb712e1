"""Which solver a mask gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint.classical.poisson.direct import Direct
from inpaint.classical.poisson.grid import Mask, PlaneSolver
from inpaint.classical.poisson.rectangle import Rectangle
from inpaint.errors import InputError, UsageError
from inpaint.errors import unknown as unknown_name

Method: TypeAlias = Literal["auto", "direct", "rectangle"]

SOLVERS: Mapping[str, Callable[[Mask, float], PlaneSolver]] = {"direct": Direct, "rectangle": Rectangle}


def solve(
    right: NDArray[np.floating[Any]], unknown: Mask, *, screen: float = 0.0, method: Method = "auto"
) -> NDArray[np.floating[Any]]:
    """Solve Poisson's equation on the unknown pixels, with zero at the known ones.

    Args:
        right: The right side b, (C, H, W), float32 or float64; not read where known. The equations stand in
            `inpaint.classical.poisson.grid`.
        unknown: (H, W).
        screen: Added to the diagonal, at least 0.
        method: "auto" takes "rectangle", exact transforms, where the unknown pixels are one, else "direct".

    Returns:
        h, (C, H, W), of the type of the right side, 0 where known. Where nothing is known and the screen is 0, the
        solution of mean zero for the right side less its mean.
    """
    found = np.zeros_like(right)
    if unknown.any():
        solver = solver_for(unknown, screen=screen, method=method)
        for number, plane in enumerate(right):
            found[number] = solver.solve(np.where(unknown, plane, 0))
    return found


def solver_for(unknown: Mask, *, screen: float = 0.0, method: Method = "auto") -> PlaneSolver:
    """Return what solves for the channels of an image; at least one pixel is unknown.

    Raises:
        InputError: The method does not suit the mask.
        UsageError: There is no such method.
    """
    if method == "auto":
        method = "rectangle" if Rectangle.fits(unknown) else "direct"
    if method not in SOLVERS:
        raise UsageError(unknown_name("method", method, ["auto", *SOLVERS]))
    if method == "rectangle" and not Rectangle.fits(unknown):
        raise InputError("method 'rectangle' solves for full rectangles only; 'auto' takes any mask")
    return SOLVERS[method](unknown, screen)
