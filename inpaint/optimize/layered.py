"""An objective of losses on several layers of one network and on the pixels, inside a mask.

Two arithmetics. `exact`, that of public programs: every loss adds its gradient to the one that comes from deeper
layers, and the layer's mask multiplies the sum; or each gradient has the norm of its weight in every evaluation. What
is followed need not be the gradient of anything. Ours is a weighted sum of the losses, each divided once by what it is
for an image without features. So weights mean the same for every network and size, and a search along a direction finds
less of the very sum whose gradient it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import torch
from torch import Tensor

from inpaint.nn.vgg_layers import Layers
from inpaint.optimize.base import Evaluation, StepInfo
from inpaint.optimize.known import Known
from inpaint.optimize.layer_terms import LayerTerm, Pull

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
        weight: A factor; the norm of its gradient where the exact arithmetic is `normalized`.
        mask: Multiplies gradients that pass the loss, and its own; only read by the exact arithmetic.
        told: Factor of its value in the loss that is told; only read by the exact arithmetic.
        unit: What our arithmetic divides its value by; None: what it is for an image without features.
    """

    name: str
    layer: str
    term: LayerTerm
    weight: float
    mask: Tensor | None = None
    told: float = 1.0
    unit: float | None = None


@dataclass
class LayeredObjective:
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
    _known: Known | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.colors = self.start.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        for loss in self.losses:
            self.scales[loss.name] = loss.weight
        if not self.exact:
            nothing, start = (self.pulls(self.colors.detach(), blank=blank) for blank in (True, False))
            for loss in self.losses:
                unit = loss.unit or float(nothing[loss.name].value) or float(start[loss.name].value)
                self.scales[loss.name] = loss.weight / max(unit, TINY)

    def parameters(self) -> list[Tensor]:
        """Return the colors."""
        return [self.colors]

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Compute all losses.

        A line search ends where the next iteration begins: what was computed last is not computed again.
        """
        if self._known is None or not self._known.about(self.colors):
            self._known = self._evaluated()
        known = self._known
        return Evaluation(loss=known.answer(self.colors), image=self.layers.space.back(known.values))

    def _evaluated(self) -> Known:
        self.evaluations += 1
        pulls: dict[str, Pull] = {}
        colors = self.colors.detach().clone().requires_grad_()
        with torch.enable_grad():
            last = self._look(colors, pulls)
            (gradient,) = torch.autograd.grad(last, colors, torch.zeros_like(last))
        parts = [pulls[loss.name].value * self._factor(loss) * (loss.told if self.exact else 1) for loss in self.losses]
        # Wide, since a search along a direction compares sums that differ by little.
        value = torch.stack(parts).double().sum()
        return Known(colors.detach(), value, gradient * self.mask)

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
        last = self._compare(PIXELS, colors, pulls, gain=0.0 if blank else 1.0)

        def visit(name: str, features: Tensor) -> Tensor:
            nonlocal last
            last = self._compare(name, features, pulls, gain=0.0 if blank else self.layers.gain)
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
    def forward(ctx: Any, features: Tensor, gradient: Tensor, mask: Tensor | None) -> Tensor:
        ctx.gradient, ctx.mask = gradient, mask
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *passing: Tensor) -> tuple[Tensor, None, None]:
        total = passing[0] + ctx.gradient
        return total if ctx.mask is None else total * ctx.mask, None, None
