"""What is minimized: a weighted sum of losses on the features of one network and on the colors themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from inpaint.nn.comparing import compared
from inpaint.nn.spaces import Space
from inpaint.nn.vgg import VGG
from inpaint.optimize.base import Evaluation, StepInfo
from inpaint.optimize.known import Known
from inpaint.style.gatys.terms import Weighted


class StyleObjective:
    """The colors of an image.

    Args:
        network: Frozen.
        space: Of the colors.
        losses: What is weighed.
        start: (1, 3, H, W) in the space.
        inside: (1, 1, H, W) bool, where colors move; None: everywhere.
        clamp: Whether colors are cut to [0, 1] before each evaluation, as some programs do behind the optimizer's back.
    """

    def __init__(
        self,
        network: VGG,
        space: Space,
        losses: Sequence[Weighted],
        *,
        start: Tensor,
        inside: Tensor | None = None,
        clamp: bool = False,
    ) -> None:
        self.network = network
        self.space = space
        self.losses = losses
        self.colors = start.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        self.inside = inside
        self.clamp = clamp
        self.evaluations = 0
        self.last: dict[str, Tensor] = {}
        """Each loss, unweighted, as it was evaluated last."""
        self._known: Known | None = None

    def parameters(self) -> list[Tensor]:
        """Return the colors."""
        return [self.colors]

    def evaluate(self, step: StepInfo) -> Evaluation:
        """Compute all losses; colors that were evaluated last are not evaluated again."""
        if self.clamp:
            with torch.no_grad():
                self.colors.clamp_(0, 1)
        if self._known is None or not self._known.about(self.colors):
            self._known = None  # of a large image, two of them are much
            self._known = self._evaluated()
        known = self._known
        return Evaluation(loss=known.answer(self.colors), image=self.space.back(known.values))

    def values(self, colors: Tensor | None = None) -> dict[str, float]:
        """Return each loss, unweighted, of the present colors, or others."""
        with torch.no_grad():
            found = self._values(self.colors if colors is None else colors, self.losses)
        return {loss.name: float(value) for loss, value in zip(self.losses, found, strict=True)}

    def _evaluated(self) -> Known:
        self.evaluations += 1
        colors = self.colors.detach().clone().requires_grad_()
        total = torch.zeros((), dtype=torch.float64, device=colors.device)
        gradient = torch.zeros_like(colors)
        values = dict[str, Tensor]()
        # What a loss on colors keeps for its gradient is as large as the image, several times: one after the other.
        for losses in self._groups():
            with torch.enable_grad():
                found = self._values(colors, losses)
                parts = [loss.part(value) for loss, value in zip(losses, found, strict=True)]
                # Wide, since a search along a direction compares sums that differ by little.
                part = torch.stack([each.double() for each in parts]).sum()
                gradient += torch.autograd.grad(part, colors)[0]
            total += part.detach()
            values |= {loss.name: value.detach() for loss, value in zip(losses, found, strict=True)}
            del found, parts, part
        self.last = {loss.name: values[loss.name] for loss in self.losses}
        if self.inside is not None:
            gradient *= self.inside
        return Known(colors.detach(), total, gradient)

    def _groups(self) -> list[list[Weighted]]:
        """Return those losses together that the network's one run is for, and every other by itself."""
        by_features = [loss for loss in self.losses if loss.color is None]
        by_color = [[loss] for loss in self.losses if loss.color is not None]
        return [by_features, *by_color] if by_features else by_color

    def _values(self, colors: Tensor, losses: Sequence[Weighted]) -> list[Tensor]:
        """Return the unweighted losses in their order; the network runs once."""
        comparisons = [loss.comparison for loss in losses if loss.comparison is not None]
        found: Iterator[Tensor] = iter(())
        if comparisons:
            found = iter(compared(self.network, shown_to(self.network, self.space, colors), comparisons))
        return [next(found) if loss.color is None else loss.color(colors) for loss in losses]


def shown_to(network: VGG, space: Space, colors: Tensor) -> Tensor:
    """Return colors (1, 3, H, W) of a space as a network wants them, in its precision."""
    return space.shown(colors, network.name).to(next(network.parameters()).dtype)
