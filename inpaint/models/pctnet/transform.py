"""The color transform of PCT-Net: y = M f(x) + b with numbers of its own for every pixel (paper section 3.2).

The authors' polynomial form takes the red channel twice, in place of green (`x[:, 0:1]`); here it takes each once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from inpaint.models.pctnet.config import Transform

MATRICES: dict[Transform, tuple[tuple[int, ...], ...]] = {
    "linear": ((0, 1, 2), (3, 4, 5), (6, 7, 8)),
    "symmetric": ((0, 3, 5), (3, 1, 4), (5, 4, 2)),
    "polynomial": tuple(tuple(range(9 * row, 9 * row + 9)) for row in range(3)),
}
"""Which of the predicted numbers stand in each row of the matrix; those of the offset come behind them all."""


class ColorTransform:
    """A kind of color transform.

    Args:
        kind: Of the matrix.
        offset: Whether three numbers are added to its result.
    """

    def __init__(self, kind: Transform, *, offset: bool) -> None:
        self.kind = kind
        self.rows = MATRICES[kind]
        self._inside = 1 + max(max(row) for row in self.rows)
        self.offset = offset

    @property
    def count(self) -> int:
        """How many numbers are predicted for a pixel."""
        return self._inside + 3 * self.offset

    def __call__(self, x: Tensor, numbers: Callable[[list[int]], Tensor]) -> Tensor:
        """Transform colors x (B, 3, H, W).

        Args:
            x: Normalized colors.
            numbers: Returns some of the predicted numbers (B, n, H, W); asked for those of one color at a time, so that
                no more of them lie in memory at the image's size.

        Returns:
            (B, 3, H, W) in [0, 1], not clamped.
        """
        found = []
        terms = self._terms(x)
        for color, row in enumerate(self.rows):
            own = numbers([*row, self._inside + color] if self.offset else list(row))
            y = (own[:, : len(row)] * terms).sum(dim=1)
            found.append(y + own[:, len(row)] if self.offset else y)
        return torch.stack(found, dim=1)

    def _terms(self, x: Tensor) -> Tensor:
        """Return what the matrix multiplies, (B, 3 or 9, H, W)."""
        if self.kind != "polynomial":
            return x
        r, g, b = x.unbind(dim=1)
        return torch.stack((r, g, b, r * g, r * b, g * b, r * r, g * g, b * b), dim=1)

    def identity(self, mean: Sequence[float], std: Sequence[float]) -> Tensor:
        """Return the numbers that turn (color - mean) / std into the color; without an offset, into color - mean."""
        numbers = torch.zeros(self.count)
        for color, row in enumerate(self.rows):
            numbers[row[color]] = std[color]
            if self.offset:
                numbers[self._inside + color] = mean[color]
        return numbers
