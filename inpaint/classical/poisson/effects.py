"""Edits of one image in the gradient domain: Perez, Gangnet and Blake, "Poisson Image Editing", 2003, section 4.

Images are (H, W, C) floats in [0, 1]; so are the results, which are not clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint.classical.poisson.editing import blended
from inpaint.classical.poisson.grid import PAIRS, Mask, Plane
from inpaint.classical.poisson.guidance import Field, right_side
from inpaint.classical.poisson.solving import solver_for
from inpaint.errors import InputError, MaskError
from inpaint.images.photo import BT601, luma
from inpaint.images.regions import Region
from inpaint.types import shown

Image = NDArray[Any]

DARKEST = 1 / 255
"""What `relit` takes black for: its logarithm has to be finite."""


def flattened(image: Image, mask: Mask, *, sigma_px: float = 1.0, edges: Mask | None = None) -> Image:
    """Return an image without its texture in a mask: differences between neighbors stay at edges alone.

    Args:
        image: (H, W, C).
        mask: (H, W) bool, where.
        sigma_px: Of the smoothing before Canny's detector: more leaves fewer edges.
        edges: (H, W) bool, those that stay, in place of Canny's.

    Raises:
        InputError: Shapes or types do not fit.
    """
    _check(image, mask)
    if edges is None:
        from inpaint.images.edges import canny

        gray = luma(image, BT601) if image.shape[2] == 3 else image.mean(axis=2, dtype=np.float64)
        edges = canny(gray, arguments.number("sigma_px", sigma_px))
    return blended(image, image, mask, mode="flatten", edges=edges, dtype=_working(image))


def relit(image: Image, mask: Mask, *, alpha: float = 0.2, beta: float = 0.2) -> Image:
    """Return an image with its light evened in a mask: in the logarithm, large differences shrink, small ones grow.

    The wanted difference is a^beta |g|^-beta g, for g the gradient of the logarithm and a the share `alpha` of the mean
    of |g| over the mask (Perez et al., eq. 16, after Fattal et al. 2002). |g| of two neighbors is the mean of theirs.

    Args:
        image: (H, W, C); below a level of 255 it counts as that.
        mask: (H, W) bool, where.
        alpha: Of the mean, where differences stay as they are: below, they grow.
        beta: How much; 0 changes nothing.

    Raises:
        InputError: Shapes or types do not fit.

    Example:
        >>> image = np.tile(np.array([0.1, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1])[None, :, None], (5, 1, 1))
        >>> mask = np.zeros((5, 7), bool)
        >>> mask[1:4, 2:5] = True
        >>> bool(relit(image, mask)[2, 3, 0] < 0.7)
        True
    """
    _check(image, mask)
    alpha, beta = arguments.number("alpha", alpha), arguments.number("beta", beta)
    result = np.array(image)
    if not mask.any() or beta == 0:
        return result
    near = Region.around(mask).grown(2, mask.shape).slices  # gradients at the border reach so far
    part, unknown = image[near], mask[near]
    solver = solver_for(unknown, _working(image))
    for channel in range(image.shape[2]):
        logarithm = np.log(np.maximum(part[..., channel], DARKEST)).astype(_working(image))
        size = _gradient(logarithm)
        middle = alpha * float(size[unknown].mean())

        def excess(axis: int, plane: Plane = logarithm, size: Plane = size, middle: float = middle) -> Plane:
            first, second = PAIRS[axis]
            between = (size[first] + size[second]) / 2
            gain = np.power(middle / np.where(between > 0, between, 1), beta)
            wanted: Plane = np.where(between > 0, gain - 1, 0).astype(plane.dtype) * np.diff(plane, axis=axis)
            return wanted

        found = solver.solve(right_side(Field(logarithm, excess), logarithm, unknown))
        if unknown.all():
            found -= found.mean()
        result[near][..., channel][unknown] = np.exp(logarithm + found)[unknown]
    return result


def recolored(image: Image, mask: Mask, gains: Sequence[float] = (1.5, 0.5, 0.5)) -> Image:
    """Return an image with another color in a mask: the differences of its channels times gains, the colors around.

    Args:
        image: (H, W, C).
        mask: (H, W) bool, roughly around what gets the color.
        gains: One for each channel; the default is the paper's example, which makes things red.

    Raises:
        InputError: Shapes or types do not fit.

    Example:
        >>> image, mask = np.full((4, 4, 3), 0.5), np.zeros((4, 4), bool)
        >>> image[1:3, 1:3] = mask[1:3, 1:3] = 1
        >>> recolored(image, mask)[1, 1].round(2)
        array([1.25, 0.75, 0.75])
    """
    _check(image, mask)
    factors = [arguments.number("gains", gain) for gain in gains]
    if len(factors) != image.shape[2]:
        raise InputError(f"gains must be {image.shape[2]} numbers, one for each channel, got {shown(gains)}")
    source = image * np.array(factors, image.dtype)
    return blended(source, image, mask, dtype=_working(image))


def decolored_around(image: Image, mask: Mask) -> Image:
    """Return an image that is gray but for what a mask holds, which fades into the gray.

    Args:
        image: (H, W, 3). All of it is changed, outside of the mask to its luma (BT.601).
        mask: (H, W) bool.

    Raises:
        InputError: Shapes or types do not fit.
    """
    _check(image, mask)
    if image.shape[2] != 3:
        raise InputError(f"an image with colors must be (H, W, 3), got {image.shape}")
    gray = np.repeat(luma(image, BT601)[..., None], 3, axis=2).astype(image.dtype)
    return blended(image, gray, mask, dtype=_working(image))


def tileable(image: Image) -> Image:
    """Return an image whose opposite borders are equal, so that copies of it side by side show no seam.

    Args:
        image: (H, W, C), at least 3 pixels a side. Its borders become the mean of both, what lies between keeps its
            differences.

    Raises:
        InputError: The image is smaller.

    Example:
        >>> image = np.random.default_rng(0).random((5, 6, 3))
        >>> tiled = tileable(image)
        >>> np.allclose(tiled[0], tiled[-1]), np.allclose(tiled[:, 0], tiled[:, -1])
        (True, True)
    """
    inner = np.zeros(image.shape[:2], bool)
    inner[1:-1, 1:-1] = True
    if min(image.shape[:2]) < 3:
        raise InputError(f"a tile needs at least 3 pixels a side, got {image.shape[1]} x {image.shape[0]}")
    _check(image, inner)
    target = np.array(image)
    target[[0, -1]] = (target[0] + target[-1]) / 2
    target[:, [0, -1]] = ((target[:, 0] + target[:, -1]) / 2)[:, None]
    return blended(image, target, inner, dtype=_working(image))


def _gradient(plane: Plane) -> Plane:
    """Return the length of the gradient at each pixel, from differences over two pixels; at the frame over one."""
    parts = [np.gradient(plane, axis=axis) if plane.shape[axis] > 1 else np.zeros_like(plane) for axis in (0, 1)]
    length: Plane = np.hypot(*parts)
    return length


def _working(image: Image) -> np.dtype[Any]:
    return np.dtype(np.float64 if image.dtype == np.float64 else np.float32)


def _check(image: object, mask: object) -> None:
    if not isinstance(image, np.ndarray) or image.dtype.kind != "f" or image.ndim != 3:
        raise InputError(f"image must be an array (H, W, C) of floats in [0, 1], got {shown(image)}")
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != image.shape[:2]:
        raise MaskError(f"mask must be a bool array {image.shape[:2]} to match the image, got {shown(mask)}")
