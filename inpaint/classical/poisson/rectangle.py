"""The system on a full rectangle, solved exactly by fast sine and cosine transforms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft  # type: ignore[import-untyped]

from inpaint.classical.poisson.grid import Mask, Plane
from inpaint.images.regions import Region


@dataclass(frozen=True)
class Axis:
    """The eigenvectors of one axis: sines between known ends, cosines between two ends of the frame.

    count: unknowns along it. free: whether the first and the last of them lie at the frame. With one free end the
    unknowns are mirrored there, which makes them an odd sequence between two known ends.
    """

    count: int
    free: tuple[bool, bool]

    @property
    def mirrored(self) -> bool:
        """Whether one end is free and the other is not."""
        return self.free[0] != self.free[1]

    def eigenvalues(self) -> NDArray[np.float64]:
        """Return those of the one-dimensional system, without screen."""
        if all(self.free):
            return 2 - 2 * np.cos(np.pi * np.arange(self.count) / self.count)
        count = self.count * (2 if self.mirrored else 1)
        return 2 - 2 * np.cos(np.pi * np.arange(1, count + 1) / (count + 1))

    def forward(self, values: Plane, axis: int) -> Plane:
        """Return the coefficients of values along an axis."""
        if all(self.free):
            return fft.dct(values, 2, axis=axis, norm="ortho")  # type: ignore[no-any-return]
        if self.mirrored:
            values = np.concatenate([values, np.flip(values, axis)][:: 1 if self.free[1] else -1], axis)
        return fft.dst(values, 1, axis=axis, norm="ortho")  # type: ignore[no-any-return]

    def backward(self, coefficients: Plane, axis: int) -> Plane:
        """Return the values of coefficients along an axis."""
        if all(self.free):
            return fft.idct(coefficients, 2, axis=axis, norm="ortho")  # type: ignore[no-any-return]
        values = fft.dst(coefficients, 1, axis=axis, norm="ortho")
        if self.mirrored:
            own = slice(self.count) if self.free[1] else slice(self.count, None)
            values = values[own] if axis == 0 else values[:, own]
        return values  # type: ignore[no-any-return]


class Rectangle:
    """Solves where the unknown pixels are a full rectangle. Where nothing is known the solution's mean is zero."""

    def __init__(self, unknown: Mask, screen: float = 0.0) -> None:
        self._box = Region.around(unknown)
        height, width = unknown.shape
        self._rows = Axis(self._box.size[0], (self._box.top == 0, self._box.bottom == height))
        self._columns = Axis(self._box.size[1], (self._box.left == 0, self._box.right == width))
        self._screen = screen

    @staticmethod
    def fits(unknown: Mask) -> bool:
        """Return whether the unknown pixels are a full rectangle."""
        return bool(unknown[Region.around(unknown).slices].all())

    def solve(self, right: Plane) -> Plane:
        """See `PlaneSolver`."""
        rows, columns = self._rows, self._columns
        coefficients = columns.forward(rows.forward(right[self._box.slices], 0), 1)
        across = columns.eigenvalues()
        for number, down in enumerate(rows.eigenvalues()):  # row by row, for no second plane in float64
            values = down + across + self._screen
            coefficients[number] /= np.where(values > 0, values, np.inf)
        found = np.zeros_like(right)
        found[self._box.slices] = rows.backward(columns.backward(coefficients, 1), 0)
        return found
