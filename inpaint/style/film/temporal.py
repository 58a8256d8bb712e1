"""Losses that hold a frame to what earlier frames have become, moved by the flow.

Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos" (GCPR 2016, arXiv 1604.08610), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.images.flow import Trust
from inpaint.optimize.layer_terms import LayerTerm, Pull


@dataclass(frozen=True, eq=False)
class Temporal(LayerTerm):
    """Mean over pixels and channels of trust times the squared difference to a warped frame.

    Args:
        target: (3, H, W).
        trust: (H, W) in [0, 1].
        norm: Squares, or Huber's function of the root of the trust times the difference.
        through: Whether the gradient is that of the value; the authors' program forgets a factor, the trust's root.
    """

    target: Tensor
    trust: Tensor
    norm: Literal["l2", "huber"] = "l2"
    through: bool = True

    def pull(self, features: Tensor) -> Pull:
        """Compare colors (3, H, W)."""
        root = self.trust.sqrt()
        off = root * (features - self.target)
        if self.norm == "l2":
            value, gradient = off.square().mean(), 2 * off / off.numel()
        else:
            value, gradient = F.smooth_l1_loss(off, torch.zeros_like(off)), off.clamp(-1, 1) / off.numel()
        return Pull(value, gradient * root if self.through else gradient)


def long_term(trusts: Sequence[Trust], *, exact: bool = False) -> list[Trust]:
    """Return the weights of several earlier frames, the nearest first: each counts where no nearer one can be trusted.

    Args:
        trusts: (H, W) in [0, 1], the nearest frame's first.
        exact: As the authors' program, which takes away what is left of nearer weights; the paper takes away the
            weights themselves.
    """
    found: list[Trust] = []
    taken = np.zeros_like(trusts[0])
    for each in trusts:
        found.append((each - taken).clip(0, 1))
        taken = taken + (found[-1] if exact else each)
    return found
