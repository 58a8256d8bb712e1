"""What every loss term is: a validated group of options that turns a prediction record into one unweighted number.

A prediction record is a mapping of named tensors that a model fills in: `image`, `mask`, `masked`, `raw`, `completed`,
often `coarse`, later `edges` and others; pictures are (B, C, H, W) on our [0, 1] scale, unclamped, `mask` is
(B, 1, H, W) with 1 = hole, and `hole_share` () is the mean of the mask over the whole global batch, so that a
normalization by area gives the same result on one device and on many.

Every loss is computed in at least float32, also inside autocast.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from inpaint.options import Options

Record: TypeAlias = Mapping[str, Tensor]
Region = Literal["all", "hole", "known"]
Norm = Literal["l1", "l2"]


class Term(Options):
    """Options that every loss has: how much it weighs in the sum. With weight 0 the generator's side is left out."""

    weight: float = Field(ge=0)

    @property
    @abstractmethod
    def entries(self) -> frozenset[str]:
        """Names of the record's entries that the term looks at, besides `mask` and `hole_share`."""


class PictureTerm(Term):
    """A loss computed from the record alone."""

    @abstractmethod
    def __call__(self, record: Record) -> Tensor:
        """Return the unweighted loss, a scalar."""


class Opinion(NamedTuple):
    """What a discriminator says: scores (B, ...), and the features on the way to them, each (B, ...)."""

    scores: Tensor
    features: tuple[Tensor, ...] = ()


class JudgedTerm(Term):
    """A loss on what a discriminator says.

    of: the painted picture. real: the entry that plays the true one. discriminator: the role of who judges.
    """

    of: str
    real: str = "image"
    discriminator: str = "discriminator"

    @property
    def entries(self) -> frozenset[str]:
        """The painted and the true picture."""
        return frozenset({self.of, self.real})


class AdversarialTerm(JudgedTerm):
    """A game between the generator and one discriminator, given by the two sides' losses on scores (any shape).

    r1: weight of the R1 penalty in the discriminator's loss (see `losses/penalties.py`); it needs no other.
    """

    r1: float = Field(0.0, ge=0)

    @abstractmethod
    def for_generator(self, fake: Tensor) -> Tensor:
        """Return the generator's loss given the scores of its pictures."""

    @abstractmethod
    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss given the scores of true pictures and of generated ones."""


class OpinionTerm(JudgedTerm):
    """A generator's loss that compares the opinions on painted and on true pictures."""

    @abstractmethod
    def __call__(self, fake: Opinion, real: Opinion) -> Tensor:
        """Return the unweighted loss, a scalar; nothing of `real` gets a gradient."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return the tensor in float32, or in float64 if it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def distance(difference: Tensor, norm: Norm) -> Tensor:
    """Return |difference| or its square, elementwise."""
    return difference.abs() if norm == "l1" else difference.square()
