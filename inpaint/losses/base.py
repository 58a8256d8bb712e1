"""What every loss term is: a validated group of options that turns a prediction record into one unweighted number.

A prediction record is a mapping of named tensors that a model fills in: `image`, `mask`, `masked`, `raw`, `completed`,
often `coarse`, later `edges` and others; images are (B, C, H, W) on our [0, 1] scale, unclamped, `mask` is
(B, 1, H, W) with 1 = hole, and `hole_share` () is the mean of the mask over the whole global batch, so that a
normalization by area gives the same result on one device and on many.

Every loss is computed in at least float32, also inside autocast.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import torch
from pydantic import Field
from torch import Tensor, nn

from inpaint.options import Options

Record: TypeAlias = Mapping[str, Tensor]
Region = Literal["all", "hole", "known"]
Norm = Literal["l1", "l2"]


class DiscriminatorOutput(NamedTuple):
    """What a discriminator returns: logits (B, ...), higher = more real, and features before them, each (B, ...)."""

    logits: Tensor
    features: tuple[Tensor, ...] = ()


class Discriminator(nn.Module):
    """Base of all discriminators.

    `forward` takes the tensors that `inputs` names, in this order, and returns a `DiscriminatorOutput`. IMAGE stands
    for the image to be told real from fake; the other names are entries of the prediction record.
    """

    IMAGE: ClassVar[str] = "image"
    inputs: tuple[str, ...] = (IMAGE,)

    def discriminate(self, image: Tensor, record: Record) -> DiscriminatorOutput:
        """Return what the network says of an image (B, C, H, W), given the record of the same batch."""
        output: DiscriminatorOutput = self(*(image if name == self.IMAGE else record[name] for name in self.inputs))
        return output


class Term(Options):
    """Options that every loss has: its weight in the sum. With weight 0 the generator's side is left out."""

    weight: float = Field(ge=0)

    @property
    @abstractmethod
    def entries(self) -> frozenset[str]:
        """Names of the record's entries that the term reads, besides `mask` and `hole_share`."""


class RecordTerm(Term):
    """A loss computed from the record alone."""

    @abstractmethod
    def __call__(self, record: Record) -> Tensor:
        """Return the unweighted loss, a scalar."""


class DiscriminatorTerm(Term):
    """A loss on the output of a discriminator.

    of: the entry that is generated. real: the entry that it is compared with. discriminator: its role.
    """

    of: str
    real: str = "image"
    discriminator: str = "discriminator"

    @property
    def entries(self) -> frozenset[str]:
        """The generated and the real image."""
        return frozenset({self.of, self.real})


class AdversarialTerm(DiscriminatorTerm):
    """An adversarial loss: the generator's and the discriminator's side, each a function of logits of any shape.

    r1: weight of the R1 penalty in the discriminator's loss (see `losses/gradient_penalty.py`); it needs no other.
    r1_every: above 1 the penalty is a step of its own in one of so many iterations, with so many times its weight
    (StyleGAN2).
    r1_mask: what the squared gradient with respect to the mask counts in the penalty, for discriminators that read it.
    drift: weight of mean D(x)^2 over real images in the discriminator's loss, which keeps logits near 0 where nothing
    else does (progressive GANs, arXiv 1710.10196, appendix A.1: 0.001; "epsilon" of SC-FEGAN).
    """

    r1: float = Field(0.0, ge=0)
    r1_every: int = Field(1, ge=1)
    r1_mask: float = Field(0.0, ge=0)
    drift: float = Field(0.0, ge=0)

    @abstractmethod
    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the generator's loss given the logits of its images."""

    def generator_loss_around(self, fake: Tensor, record: Record) -> Tensor:
        """Return the same, told where the hole of its images is: `mask` and `hole_share` of the record.

        Terms to which all patches are alike, which is the default, do not read it.
        """
        return self.generator_loss(fake)

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss given the logits of real and of generated images."""

    def discriminator_loss_around(self, real: Tensor, fake: Tensor, mask: Tensor) -> Tensor:
        """Return the same, told where the hole of the generated images is: (B, 1, H, W), 1 = hole.

        Terms to which all patches are alike, which is the default, do not read it.
        """
        return self.discriminator_loss(real, fake)


class MatchingTerm(DiscriminatorTerm):
    """A generator's loss that compares a discriminator's outputs for generated and for real images."""

    @abstractmethod
    def __call__(self, fake: DiscriminatorOutput, real: DiscriminatorOutput) -> Tensor:
        """Return the unweighted loss, a scalar; nothing of `real` gets a gradient."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return the tensor in float32, or in float64 if it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def distance(difference: Tensor, norm: Norm) -> Tensor:
    """Return |difference| or its square, elementwise."""
    return difference.abs() if norm == "l1" else difference.square()
