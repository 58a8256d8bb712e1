"""Seeds of every random step: each is a function of (seed, purpose, indices) alone, so that nothing is remembered.

A random step takes its numbers from `generator(seed, PURPOSE, ...)`, or seeds torch with `integer(seed, PURPOSE, ...)`.
The words enter NumPy's `SeedSequence` in the order that each purpose names: a seed keeps the meaning that it had when
trainings with it were recorded. `SeedSequence` does not see trailing zeros, so no order ends in a word that may be 0
beside another order that lacks it, for steps of one kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

Entropy: TypeAlias = "int | Sequence[int]"
"""A seed: one number, or several that stand for one."""


@dataclass(frozen=True)
class Purpose:
    """What a random step is for.

    word: tells it from other purposes; None where the order of the words does. order: of (p)urpose, (i)ndices, (s)eed.
    bits: of `integer`.
    """

    word: int | None
    order: Literal["pis", "isp", "si"]
    bits: Literal[63, 64] = 63

    def words(self, seed: Entropy, indices: Sequence[int]) -> tuple[int, ...]:
        """Return the words of one step in their order."""
        own = () if self.word is None else (self.word,)
        part = {"p": own, "i": tuple(indices), "s": _as_words(seed)}
        return tuple(word for name in self.order for word in part[name])


def _as_words(seed: Entropy) -> tuple[int, ...]:
    return tuple(seed) if isinstance(seed, Sequence) else (int(seed),)


# Data; index: the sample, or the epoch of an order.
ORDER: Final = Purpose(1, "pis")
PIXELS: Final = Purpose(2, "pis")
MASK: Final = Purpose(3, "pis")
SKETCH: Final = Purpose(4, "pis")
VAL_MASK: Final = Purpose(5, "pis")
EDGES: Final = Purpose(6, "pis")
COLOR: Final = Purpose(8, "pis")
ANOTHER: Final = Purpose(9, "pis")
VAL_ANOTHER: Final = Purpose(10, "pis")
CONTAMINATION: Final = Purpose(11, "pis")
VAL_CONTAMINATION: Final = Purpose(12, "pis")
RECOLORING: Final = Purpose(13, "pis")
VAL_RECOLORING: Final = Purpose(14, "pis")
STYLE: Final = Purpose(15, "pis")
STYLES: Final = Purpose(16, "pis")
# Training; indices: iteration, rank.
ITERATION: Final = Purpose(None, "si", bits=64)
TEACHER: Final = Purpose(7, "pis")  # and a part of the batch
# Fitting one image; index: the iteration, or 0.
WEIGHTS: Final = Purpose(1, "isp")
INPUT: Final = Purpose(2, "isp")
PERTURBATION: Final = Purpose(3, "isp")
LANGEVIN: Final = Purpose(4, "isp")
HOLD_OUT: Final = Purpose(5, "isp")
RESTART: Final = Purpose(6, "isp")
# Fills; index: image of the batch, sample, part of a photo.
IMAGE: Final = Purpose(7, "isp")
SAMPLE: Final = Purpose(8, "isp")
PART: Final = Purpose(9, "isp")
DRAW: Final = Purpose(None, "si", bits=64)


def derive(seed: Entropy, purpose: Purpose, *indices: int) -> np.random.SeedSequence:
    """Return the seed sequence of one random step.

    Args:
        seed: What the caller gave, not negative.
        purpose: What the step is for.
        indices: Which of the steps of this purpose it is, such as iteration, rank, image or sample, not negative.

    Example:
        >>> first, second = (derive(0, MASK, sample).generate_state(1)[0] for sample in (0, 1))
        >>> bool(first == second), bool(first == derive(0, MASK, 0).generate_state(1)[0])
        (False, True)
    """
    return np.random.SeedSequence(purpose.words(seed, indices))


def generator(seed: Entropy, purpose: Purpose, *indices: int) -> np.random.Generator:
    """Return NumPy's generator of one random step."""
    return np.random.default_rng(derive(seed, purpose, *indices))


def integer(seed: Entropy, purpose: Purpose, *indices: int) -> int:
    """Return one random step's seed as a number, for generators other than NumPy's."""
    word = int(derive(seed, purpose, *indices).generate_state(1, np.uint64)[0])
    return word >> (64 - purpose.bits)


def named(text: str) -> int:
    """Return a word of 64 bits for a name, for purposes that a name tells apart."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
