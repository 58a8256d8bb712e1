"""What the painting itself says of the weights: its noise, and how strong its brushwork is."""

from __future__ import annotations

import math

from torch import Tensor

LEVELS = {"weak": 1.0, "medium": 5.0, "strong": 10.0}
"""The paper's three groups of styles: Baroque, Renaissance; Post-Impressionism, abstract; Cubism, Expressionism."""
FAINT, COARSE = 3e-5, 1.3e-3
"""Texture of paintings that the authors' classifier calls the weakest and the strongest, see `measured_level`."""


def texture(painting: Tensor) -> float:
    """Return the median of (dx^2 + dy^2) / 2 over pixels and channels of a painting (3, H, W) in [0, 1].

    dx and dy are forward differences; the last row and column have none. The method's program calls it noise. The paper
    does not halve it, but its threshold is for halves.
    """
    right = painting[:, :-1, 1:] - painting[:, :-1, :-1]
    down = painting[:, 1:, :-1] - painting[:, :-1, :-1]
    return float(((right.square() + down.square()) / 2).median())


def smoothness_weight(noise: float) -> float:
    """Return the weight of the total variation, 0 to 10, for a style weight of 1: none where the painting is grainy.

    Example:
        >>> round(smoothness_weight(1e-4), 3), round(smoothness_weight(4e-3), 3)
        (10.0, 0.0)
    """
    return 10 / (1 + math.exp(min(1e4 * noise - 25, 700.0)))


def measured_level(painting: Tensor) -> float:
    """Return a style weight from 1 to 10 for a painting (3, H, W) in [0, 1] by its texture.

    The authors take it from a classifier of eighteen styles that they never published. Smooth paintings, such as the
    Baroque's, are those with a small weight there, and visible brushwork has a large one; so the logarithm of the
    texture is mapped from FAINT to COARSE to 1 to 10. The two are those of paintings, at 700 pixels, that the
    classifier gave 1.0 (Romanticism and Baroque) and 10.0 (Cubism): three examples, not a calibration. The texture of a
    painting depends on the size at which it is worked on.

    Example:
        >>> measured_level(Tensor([[[0, 0], [0, 0]]] * 3))
        1.0
    """
    share = math.log(max(texture(painting), FAINT) / FAINT) / math.log(COARSE / FAINT)
    return 1.0 + 9.0 * min(share, 1.0)
