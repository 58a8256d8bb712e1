"""The network: from a photo and weights of styles to a photo in their mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.models.image_transform import ConditionalNorm, ImageTransform
from inpaint.models.multistyle.config import Config
from inpaint.models.styling import StyleInput, StyleNetwork, mixed
from inpaint.nn.random import drawing_from
from inpaint.nn.vgg import normalized
from inpaint.style.options import StyleOptions
from inpaint.weights.graphs import GraphInput

WEIGHTS = "style_weights"
DEVIATION = 0.01  # of the first weights; the program's
TABLES = (".gamma", ".beta")  # one row for each style


class Network(StyleNetwork):
    """One role, `generator`, whose `convolutions` all styles share, and whose `norms` have a row for each.

    Mixtures are of the rows: between styles by weights that sum to 1, or of each pixel by weights of its own.
    """

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config, seed=seed)
        self.count = len(config.learned or ())
        with drawing_from(seed):
            self.generator = ImageTransform(
                partial(ConditionalNorm, styles=self.count, affine=config.affine),
                width=config.width,
                blocks=config.blocks,
                last_norm=True,
                bias=config.bias,
            )
            for layer in self.generator.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.normal_(layer.weight, std=DEVIATION)
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor, weights: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            image: (B, 3, H, W) in [0, 1], of any size.
            weights: Of the styles, (B, N), or of each pixel, (B, N, H, W); they sum to 1.

        Returns:
            (B, 3, H, W) in [0, 1].
        """
        read = normalized(image) if self.config.values == "imagenet" else image
        return self.generator(read, weights).sigmoid()  # type: ignore[no-any-return]

    def stylize(self, content: Tensor, styles: Sequence[StyleInput], options: StyleOptions, *, seed: int) -> Tensor:
        """See `StyleNetwork`."""
        whole = [torch.full_like(content[:, :1, :1, :1], style.weight) for style in styles]
        parts = [each if style.share is None else style.share for each, style in zip(whole, styles, strict=True)]
        height, width = max(part.shape[-2] for part in parts), max(part.shape[-1] for part in parts)
        weights = content.new_zeros(1, self.count, height, width)
        for style, part in zip(styles, parts, strict=True):
            assert style.index is not None
            weights[:, style.index] += part[:, 0]
        painted = self(content, weights if any(style.share is not None for style in styles) else weights[..., 0, 0])
        return mixed(content, painted, options.strength)

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return the weights of the styles, (B, N), which sum to 1."""
        return (GraphInput(name=WEIGHTS, channels=self.count, form="vector"),)

    def paint_graph(self, content: Tensor, **inputs: Tensor) -> Tensor:
        """See `StyleNetwork`."""
        return self(content, inputs[WEIGHTS])  # type: ignore[no-any-return]

    def adapted(self, role: str, state: dict[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
        """Give every style the row that it has there by its name, and new ones the mean of all rows."""
        there = Config.model_validate(config).learned or ()
        wanted = self.config.learned or ()
        if there == wanted:
            return state
        return {name: _rows(value, there, wanted) if name.endswith(TABLES) else value for name, value in state.items()}

    @property
    def minimum_px(self) -> int:
        """Smallest side: features at a quarter of the size have two places, and there is enough to mirror."""
        return 8

    @classmethod
    def measured_inputs(cls, config: Any, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the image, and all weight for its first style."""
        weights = image.new_zeros(len(image), len(config.learned))
        weights[:, 0] = 1
        return image, weights


def _rows(table: Tensor, there: Sequence[str], wanted: Sequence[str]) -> Tensor:
    mean = table.mean(dim=0)
    return torch.stack([table[there.index(name)] if name in there else mean for name in wanted])
