"""What every loss term is: a validated group of options that turns a prediction record into one unweighted number.

A prediction record is a mapping of named tensors that a model fills in: `image`, `mask`, `masked`, `raw`, `completed`,
often `coarse`, later `edges` and others; pictures are (B, C, H, W) on our [0, 1] scale, unclamped, `mask` is
(B, 1, H, W) with 1 = hole, and `hole_share` () is the mean of the mask over the whole global batch, so that a
normalization by area gives the same result on one device and on many.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

from pydantic import Field
from torch import Tensor

from inpaint.options import Options

Record: TypeAlias = Mapping[str, Tensor]


class Term(Options):
    """Options that every loss has: which entry of the record it looks at and how much it weighs in the sum."""

    of: str
    weight: float = Field(ge=0)


class PictureTerm(Term):
    """A loss that compares an entry of the record with the truth, or judges it alone."""

    @abstractmethod
    def __call__(self, record: Record) -> Tensor:
        """Return the unweighted loss, a scalar."""


class AdversarialTerm(Term):
    """A game between the generator and one discriminator, given by the two sides' losses on scores (any shape)."""

    discriminator: str = "discriminator"

    @abstractmethod
    def for_generator(self, fake: Tensor) -> Tensor:
        """Return the generator's loss given the scores of its pictures."""

    @abstractmethod
    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss given the scores of true pictures and of generated ones."""
