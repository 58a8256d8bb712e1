"""For every patch of one set a similar patch of another: a parallel PatchMatch (Barnes et al. 2009), in NumPy.

A patch is named by the flat index of its center. Candidates come from the neighbors' matches and from random places
around the own match, as in the paper; instead of a scan from corner to corner, which cannot be vectorized, neighbors at
a distance are asked too, and blocks of targets are worked on one after the other, each seeing what the earlier ones
have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Indices: TypeAlias = npt.NDArray[np.intp]
Floats: TypeAlias = npt.NDArray[np.float32]

BLOCK = 2048  # targets worked on at once: their patches fit a core's cache
DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))


class Patches:
    """All patches of a plane, gathered by center without a table of them.

    values: (H, W, C) float32, contiguous; later changes to it are seen. side: odd, of the patches.
    """

    def __init__(self, values: Floats, side: int) -> None:
        height, width, channels = values.shape
        self.size = side * side * channels
        self._first = (side // 2) * (width + 1)  # from a patch's center to its first pixel
        # Not values.strides: an axis of length 1 may have any.
        value = values.itemsize
        self._view = np.lib.stride_tricks.as_strided(
            values,
            (height * width - (side - 1) * (width + 1), side, side * channels),
            (channels * value, width * channels * value, value),
            writeable=False,
        )

    def at(self, centers: Indices) -> Floats:
        """Return the patches around these centers (N, side * side * C); they must lie inside the plane."""
        found: Floats = self._view[centers - self._first].reshape(len(centers), self.size)
        return found


class Search:
    """The best source found so far for each target, (N,) by flat index of the center, and its cost, (N,).

    targets: centers (N,), ascending. legal: (H, W), True where a source may be centered. weights: (H, W), how much each
    pixel of a target counts. sources: (N,), to begin with. All patches lie inside the plane.
    """

    def __init__(
        self,
        values: Floats,
        weights: Floats,
        targets: Indices,
        legal: npt.NDArray[np.bool_],
        sources: Indices,
        *,
        side: int,
    ) -> None:
        self.targets = targets
        self.sources = sources
        self.costs = np.empty(len(sources), np.float32)
        self._blocks = [slice(first, first + BLOCK) for first in range(0, len(targets), BLOCK)]
        self._patches = Patches(values, side)
        self._weights = Patches(np.ascontiguousarray(weights[..., None]), side)
        self._channels = values.shape[-1]
        self._legal = legal.ravel()
        self._shape = legal.shape
        self._reach = side // 2
        self.number = np.full(legal.size, -1, np.int32)
        """Of the target centered at each pixel (H * W), -1 where there is none."""
        self.number[targets] = np.arange(len(targets))
        self.renew()

    def renew(self) -> None:
        """Compute the costs anew after the plane's values have changed."""
        for block in self._blocks:
            wanted, weight = self._wanted(self.targets[block])
            self.costs[block] = self._costs(wanted, weight, self.sources[block])

    def improve(self, rng: np.random.Generator, *, jumps: Sequence[int], radii: Sequence[int]) -> None:
        """Ask the neighbors at these distances in four directions, then random places within these radii."""
        _, width = self._shape
        for block in self._blocks:
            targets, sources, costs = self.targets[block], self.sources[block], self.costs[block]  # views
            wanted, weight = self._wanted(targets)
            for jump in jumps:
                for down, right in DIRECTIONS:
                    step = jump * (down * width + right)
                    # A step over the end of a row only asks a neighbor that is none: one more place to try.
                    neighbors = self.number.take(targets + step, mode="clip")
                    offered = np.where(neighbors >= 0, self.sources[neighbors] - step, sources)
                    self._take_better(wanted, weight, offered, sources, costs)
            rows, columns = np.divmod(sources, width)
            for radius in radii:
                moves = rng.integers(-radius, radius + 1, (2, len(targets)))
                self._take_better(wanted, weight, self._within(rows + moves[0], columns + moves[1]), sources, costs)

    def _within(self, rows: Indices, columns: Indices) -> Indices:
        height, width = self._shape
        reach = self._reach
        rows = np.clip(rows, reach, height - 1 - reach)
        found: Indices = rows * width + np.clip(columns, reach, width - 1 - reach)
        return found

    def _take_better(self, wanted: Floats, weight: Floats, offered: Indices, sources: Indices, costs: Floats) -> None:
        """Put the offered sources in the place of those that cost more; `sources` and `costs` change."""
        new = np.flatnonzero(self._legal.take(offered, mode="clip") & (offered != sources))
        if not len(new):
            return
        offered = offered[new]
        found = self._costs(wanted.take(new, axis=0), weight.take(new, axis=0), offered)
        better = found < costs[new]
        taken = new[better]
        sources[taken], costs[taken] = offered[better], found[better]

    def _wanted(self, targets: Indices) -> tuple[Floats, Floats]:
        """Return the targets' patches, and the roots of the weights of each value, whose squares add up to 1."""
        weight = self._weights.at(targets)  # (N, side * side)
        weight = np.sqrt(weight / weight.sum(axis=1, keepdims=True))
        shape = (*weight.shape, self._channels)
        return self._patches.at(targets), np.broadcast_to(weight[..., None], shape).reshape(len(targets), -1)

    def _costs(self, wanted: Floats, weight: Floats, sources: Indices) -> Floats:
        difference = self._patches.at(sources)
        difference -= wanted
        difference *= weight
        total: Floats = np.einsum("ij,ij->i", difference, difference)
        return total
