"""Groups of photos by the size of their hole."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from inpaint.errors import InputError

ALL = "all"
"""The group of all photos, whatever their hole."""
TENTHS = tuple(tenth / 10 for tenth in range(11))
"""Edges of the usual buckets, shares of the image."""


def bucket(ratio: float, edges: Sequence[float] = TENTHS) -> str | None:
    """Return the bucket of a hole, after Liu et al. (2018), section 4.2: above the lower edge, up to the upper one.

    Args:
        ratio: Share of hole pixels, in [0, 1].
        edges: Rising, at least two. An image without a hole lies in the first bucket where the first edge is 0.

    Returns:
        Its label, or None for a hole outside all of them.

    Raises:
        InputError: The ratio is no share, or the edges do not rise.

    Example:
        >>> bucket(0.1), bucket(0.101), bucket(0.005, [0.01, 0.1, 0.2])
        ('0-10 %', '10-20 %', None)
    """
    if not 0 <= ratio <= 1:
        raise InputError(f"a hole ratio must be from 0 to 1, got {ratio}")
    if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
        raise InputError(f"edges of buckets must rise, and be at least two; got {', '.join(map(str, edges)) or 'none'}")
    # Shares are quotients of whole numbers: a last digit lost in a mean must not move one across an edge.
    number = bisect_left([round(edge, 9) for edge in edges], round(ratio, 9))
    if number == 0 and ratio <= 0 == edges[0]:
        number = 1
    return label(edges[number - 1], edges[number]) if 0 < number < len(edges) else None


def labels(edges: Sequence[float] = TENTHS) -> list[str]:
    """Return the labels of all buckets between the edges, from small holes to large ones."""
    return [label(low, high) for low, high in pairwise(edges)]


def label(low: float, high: float) -> str:
    """Return how the bucket between two edges is called, "10-20 %"."""
    return f"{100 * low:.4g}-{100 * high:.4g} %"
