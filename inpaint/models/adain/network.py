"""AdaIN: an encoder, the content's features with the style's mean and deviation, and a decoder (paper figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from inpaint.models.adain.config import AdainOptions, Config
from inpaint.models.any_style import moments_of_styles, regions_of
from inpaint.models.styling import StyleInput, StyleNetwork
from inpaint.nn.random import drawing_from
from inpaint.style.coders import Decoder, Encoder
from inpaint.style.options import StyleOptions
from inpaint.style.restyling import Coder, restyled
from inpaint.style.transforms import adain
from inpaint.weights.graphs import GraphInput


class Network(StyleNetwork):
    """Two roles: `encoder`, which is never trained, and `decoder`."""

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config, seed=seed)
        with drawing_from(seed):
            self.encoder = Encoder(config.encoder, config.level, width=config.encoder_width)
            self.decoder = Decoder(
                config.encoder, config.level, encoder_width=config.encoder_width, width=config.decoder_width
            )

    def features(self, images: Tensor) -> Tensor:
        """Return the features of images (B, 3, H, W) in [0, 1] that are given other statistics."""
        level: int = self.config.level
        found: Tensor = self.encoder(images, [level])[level]
        return found

    def forward(self, content: Tensor, style: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """Paint contents in styles.

        Args:
            content: (B, 3, H, W) in [0, 1].
            style: (B, 3, h, w), one for each.
            strength: From 0 to 1, or (B, 1, 1, 1).

        Returns:
            (B, 3, H, W) on our scale, not clamped; sides are the next multiples of `capabilities.multiple_px`.
        """
        return self.paint(self.features(content), self.features(style), strength)

    def paint(self, content: Tensor, style: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """Do the same from features; an encoder need not read twice what is painted several times."""
        share = torch.as_tensor(strength, dtype=content.dtype, device=content.device)
        painted: Tensor = self.decoder(torch.lerp(content, adain(content, style), share))
        return painted

    def stylize(self, content: Tensor, styles: Sequence[StyleInput], options: StyleOptions, *, seed: int) -> Tensor:
        """See `StyleNetwork`."""
        assert isinstance(options, AdainOptions)
        coder = Coder(self.encoder, self.decoder, self.config.level)
        wanted = moments_of_styles(coder, styles, kind=options.transform)
        regions = regions_of(coder, content, styles, wanted)
        return restyled(coder, content, regions, kind=options.transform, strength=options.strength)

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return the style, (B, 3, h, w), and from 0 to 1 how much of it shows, (B, 1)."""
        return GraphInput(name="style", channels=3, form="image"), GraphInput(
            name="strength", channels=1, form="vector"
        )

    def paint_graph(self, content: Tensor, **inputs: Tensor) -> Tensor:
        """See `StyleNetwork`."""
        return self(content, inputs["style"], inputs["strength"][..., None, None])  # type: ignore[no-any-return]

    @classmethod
    def measured_inputs(cls, config: Any, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the image, and itself upside down as the style."""
        return image, image.flip(2)
