"""Seeds of the random steps of a run: each is a function of (seed, purpose, number) alone."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

# Never 0 at the end of a key, because NumPy's seed sequences do not see trailing zeros.
WEIGHTS: Final = 1
INPUT: Final = 2
PERTURBATION: Final = 3
LANGEVIN: Final = 4
HOLD_OUT: Final = 5
RESTART: Final = 6


def derived_seed(seed: int, purpose: int, number: int = 0) -> int:
    """Return the seed of one random step, 0 to 2^63 - 1."""
    return int(np.random.SeedSequence((number, seed, purpose)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int, purpose: int, number: int = 0, *, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of one random step."""
    return torch.Generator(device).manual_seed(derived_seed(seed, purpose, number))
