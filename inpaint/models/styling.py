"""Networks that paint whole images in a style: their base, and the adapter from one to a `Stylizer`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.models.base import ModelNetwork
from inpaint.models.feedforward import evaluating
from inpaint.nn.padding import pad_to, padded_side
from inpaint.style.base import ArrayStylizer, Painted, Scene
from inpaint.style.options import StyleOptions
from inpaint.types import LearnedStyle, OneLine, StylePart
from inpaint.weights.graphs import GraphInput


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class StyleInput(OneLine):
    """A style as a network gets it: a picture, or one that it has learned.

    Args:
        weight: Its share where all styles go everywhere; those of a request sum to 1.
        image: (1, 3, h, w) in [0, 1]; None for a learned style.
        mask: (1, 1, h, w), 1 where the picture is looked at, 0 elsewhere; None: all of it.
        index: Of a learned style.
        share: (1, 1, H, W), its share of every pixel of the content, those of a request summing to 1; None where
            every style goes everywhere.
        inside: (1, 1, H, W), the mask by which it goes to some pixels alone; None: it goes to all of them.
    """

    weight: float = 1.0
    image: Tensor | None = None
    mask: Tensor | None = None
    index: int | None = None
    share: Tensor | None = None
    inside: Tensor | None = None


class StyleNetwork(ModelNetwork):
    """Base of the networks that stylize. `forward` is each network's own; training and adapters know what it takes.

    exportable: whether `paint_graph` can be written as a graph.
    """

    exportable: ClassVar[bool] = True

    @abstractmethod
    def stylize(self, content: Tensor, styles: Sequence[StyleInput], options: StyleOptions, *, seed: int) -> Tensor:
        """Paint one content in styles, as the options ask; their colors and scale are seen to by the adapter.

        Args:
            content: (1, 3, H, W) in [0, 1]; sides are multiples of `capabilities.multiple_px` and at least
                `minimum_px`, which holds for pictures of styles as well.
            styles: At least one.
            options: Of the configuration's `StyleOptions`.
            seed: For what is drawn at random.

        Returns:
            (1, 3, H, W) on our scale, not clamped.
        """

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return what an exported graph reads beside the content, in this order."""
        return ()

    @abstractmethod
    def paint_graph(self, content: Tensor, **inputs: Tensor) -> Tensor:
        """Paint a batch (B, 3, H, W) as an exported graph does; inputs: all of `graph_inputs`, by name."""


class NetworkStylizer(ArrayStylizer):
    """Stylizes with one pass through a network; takes it over (evaluation mode, no gradients).

    Args:
        network: What paints.
        options: Of its configuration's `StyleOptions`.
        name: Of the model.
        device: Where it computes; None: where the network is.
        dtype: How precisely; None: as the network is.
    """

    name: str  # type: ignore[misc]  # of the model, not of the class
    options: StyleOptions

    def __init__(
        self,
        network: StyleNetwork,
        options: StyleOptions,
        *,
        name: str,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.name = name
        self.network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)
        self.options = options
        self.learned = network.capabilities.styles
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype

    def paint(self, scene: Scene) -> Painted:
        """Paint as the network does, on a content mirrored to a size that it accepts."""
        height, width = scene.size
        content = self._ready(scene.content)
        parts: Sequence[StylePart | LearnedStyle] = scene.parts or scene.learned
        shares = self._shares(scene, parts)
        styles = [self._input(part, share) for part, share in zip(parts, shares, strict=True)]
        with evaluating(self.network), torch.inference_mode():
            raw = self.network.stylize(content, styles, self.options, seed=scene.seed)
        painted = raw[0, :, :height, :width].permute(1, 2, 0)
        precise = torch.float64 if self.dtype == torch.float64 else torch.float32
        return Painted(image=painted.to("cpu", precise).numpy())

    def _input(self, part: StylePart | LearnedStyle, share: Tensor | None) -> StyleInput:
        if isinstance(part, LearnedStyle):
            assert self.learned is not None
            assert part.name is not None  # the base has seen to it
            return StyleInput(weight=part.weight, index=self.learned.index(part.name), share=share)
        mask = None if part.style_mask is None else self._ready(part.style_mask[..., None].astype(np.float32))
        inside = None if part.content_mask is None else self._ready(part.content_mask[..., None])
        return StyleInput(weight=part.weight, image=self._ready(part.style), mask=mask, share=share, inside=inside)

    def _shares(self, scene: Scene, parts: Sequence[StylePart | LearnedStyle]) -> list[Tensor | None]:
        """Return each part's share of every pixel (1, 1, H, W), where no part goes by weight; None: everywhere."""
        if scene.everywhere:
            return [None for _ in parts]
        weights = np.array([part.weight for part in parts], np.float32)
        shares = np.where(scene.shares.sum(axis=0) > 0, scene.shares, weights[:, None, None])
        return [self._ready(share[..., None]) for share in shares]

    def _ready(self, array: NDArray[np.float32]) -> Tensor:
        """Return an array (H, W, C) as a batch of one (1, C, H, W), mirrored to a size that the network accepts."""
        x = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))[None].to(self.device, self.dtype)
        multiple, minimum = self.network.capabilities.multiple_px, self.network.minimum_px
        height, width = (padded_side(side, multiple=multiple, minimum=minimum) for side in x.shape[-2:])
        grown = pad_to(x, height, width)
        return grown.contiguous(memory_format=torch.channels_last) if grown.shape[1] == 3 else grown


def mixed(content: Tensor, raw: Tensor, strength: float) -> Tensor:
    """Return content and result, both (B, 3, H, W), mixed: what strength means to a network with learned styles."""
    return raw if strength == 1 else content + strength * (raw - content)
