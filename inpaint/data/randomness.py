"""Generators for the random steps of the data: each is a function of (purpose, seed, number) alone."""

from __future__ import annotations

from typing import Final

import numpy as np

# The purpose stands first and is never 0, because NumPy's seed sequences do not see trailing zeros.
ORDER: Final = 1
PIXELS: Final = 2
MASK: Final = 3
SKETCH: Final = 4
VAL_MASK: Final = 5
EDGES: Final = 6


def generator(purpose: int, seed: int, number: int) -> np.random.Generator:
    """Return the generator of one random step of sample `number`."""
    return np.random.default_rng((purpose, number, seed))
