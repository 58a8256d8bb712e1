"""What both passes minimize: losses on several layers of one network and on the pixels, inside the mask.

Two arithmetics. `exact`, the program's: every loss adds its gradient to the one that comes from deeper layers, and the
layer's mask multiplies the sum; in the second pass each gradient has the norm of its weight in every evaluation. What
is followed is no gradient of anything. Ours is a weighted sum of the losses, each divided once by what it is for an
image without features. So weights mean the same for every network, size and pass, and a search along a direction finds
less of the very sum whose gradient it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import torch
from torch import Tensor

from inpaint.blending.painterly.layers import Layers
from inpaint.blending.painterly.terms import LayerTerm, Pull
from inpaint.optimize.base import Evaluation, StepInfo

TINY = 1e-12
PIXELS = "pixels"
"""The layer of losses on the colors themselves."""


@dataclass(frozen=True, eq=False)
class Weighted:
    """A loss in its place.

    Args:
        name: For records.
        layer: Its features, or PIXELS.
        term: The loss.
        weight: A factor; the norm of its gradient in the exact arithmetic's second pass.
        mask: Multiplies gradients that pass the loss, and its own; only read by the exact arithmetic.
        told: Factor of its value in the loss that is told; only read by the exact arithmetic.
    """

    name: str
    layer: str
    term: LayerTerm
    weight: float
    mask: Tensor | None = None
    told: float = 1.0


@dataclass
class PaintObjective:
    """The colors of a part of the image, in the network's space; only those in the mask move.

    Args:
        layers: The network.
        losses: In the order in which a layer's come.
        start: (1, 3, H, W).
        mask: (H, W), times which the colors' gradient is taken.
        exact: See the module.
        normalized: Whether weights are norms of gradients; only read by the exact arithmetic.
    """

    layers: Layers
    losses: Sequence[Weighted]
    start: Tensor
    mask: Tensor
    _: KW_ONLY
    exact: bool = False
    normalized: bool = False
    scales: dict[str, float] = field(default_factory=dict, init=False)
    """Of each loss, from its value to its part of the sum."""
    evaluations: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.colors = self.start.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        for loss in self.losses:
            self.scales[loss.name] = loss.weight
        if not self.exact:
            nothing, start = (self.pulls(self.colors.detach(), blank=blank) for blank in (True, False))
            for loss in self.losses:
                unit = float(nothing[loss.name].value) or float(start[loss.name].value)
                self.scales[loss.name] = loss.weight / max(unit, TINY)

    def parameters(self) -> list[Tensor]:
        """Return the colors."""
        return [self.colors]

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Compute all losses."""
        self.evaluations += 1
        pulls: dict[str, Pull] = {}
        colors = _Joined.apply(self.colors, None, self.mask)
        last = self._look(colors, pulls)
        parts = [pulls[loss.name].value * self._factor(loss) * (loss.told if self.exact else 1) for loss in self.losses]
        # Wide, since a search along a direction compares sums that differ by little.
        value = torch.stack(parts).double().sum()
        return Evaluation(loss=_Begun.apply(value, last), image=self.layers.space.back(self.colors.detach()))

    def values(self, colors: Tensor | None = None) -> dict[str, float]:
        """Return each loss, unweighted, of the present colors, or others."""
        return {name: float(pull.value) for name, pull in self.pulls(colors).items()}

    def pulls(self, colors: Tensor | None = None, *, blank: bool = False) -> dict[str, Pull]:
        """Return what each loss says of the present colors, or others; or of features that are all 0."""
        pulls: dict[str, Pull] = {}
        with torch.no_grad():
            self._look(self.colors if colors is None else colors, pulls, blank=blank)
        return pulls

    def _look(self, colors: Tensor, pulls: dict[str, Pull], *, blank: bool = False) -> Tensor:
        """Compare on all layers, and return the features of the last, whose gradients hold those of all losses."""
        wanted = {loss.layer for loss in self.losses} - {PIXELS}
        last = self._compare(PIXELS, colors, pulls, gain=1.0 - blank)

        def visit(name: str, features: Tensor) -> Tensor:
            nonlocal last
            last = self._compare(name, features, pulls, gain=self.layers.gain * (1 - blank))
            return last

        self.layers.walk(last, wanted, visit)
        return last

    def _compare(self, layer: str, features: Tensor, pulls: dict[str, Pull], *, gain: float) -> Tensor:
        with torch.no_grad():
            seen = features.detach()[0] * gain
            for loss in self.losses:
                if loss.layer == layer:
                    pulls[loss.name] = loss.term.pull(seen)
        for loss in self.losses:
            if loss.layer == layer:
                gradient = self._scaled(loss, pulls[loss.name])
                features = _Joined.apply(features, gain * gradient[None], loss.mask if self.exact else None)
        return features

    def _factor(self, loss: Weighted) -> float:
        return loss.weight if self.exact else self.scales[loss.name]

    def _scaled(self, loss: Weighted, pull: Pull) -> Tensor:
        if self.exact and self.normalized:
            return pull.gradient * (loss.weight / (_norm(pull) + 1e-8))
        return pull.gradient * self._factor(loss)


def _norm(pull: Pull) -> float:
    return float(pull.gradient.norm())


class _Joined(torch.autograd.Function):
    """Features as they are; backward a loss's gradient joins the one that passes, and a mask multiplies the sum."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, gradient: Tensor | None, mask: Tensor | None) -> Tensor:
        ctx.gradient, ctx.mask = gradient, mask
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None, None]:
        total = passing[0] if ctx.gradient is None else passing[0] + ctx.gradient
        total = total if ctx.mask is None else total * ctx.mask
        return total, None, None


class _Begun(torch.autograd.Function):
    """A value; backward features get no gradient of their own from it, since losses have joined theirs already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, last: Tensor) -> Tensor:
        ctx.like = last
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *passing: Tensor) -> tuple[None, Tensor]:
        return None, torch.zeros_like(ctx.like)
