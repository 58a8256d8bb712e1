"""WCT: an encoder, and at each of its levels features with the style's covariance, and a decoder (paper figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from inpaint.errors import UsageError
from inpaint.models.any_style import moments_of_styles, regions_of
from inpaint.models.styling import StyleInput, StyleNetwork
from inpaint.models.wct.config import Config, WctOptions
from inpaint.nn.random import drawing_from
from inpaint.style.coders import Decoder, Encoder
from inpaint.style.options import StyleOptions
from inpaint.style.restyling import Coder, restyled

TEXTURE_ROUNDS = 3  # from noise (paper section 4.4)


class Network(StyleNetwork):
    """The roles `encoder`, which is never trained, and `decoder_1` ..., one for each level."""

    exportable = False  # ONNX knows no eigenvectors

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config, seed=seed)
        with drawing_from(seed):
            self.encoder = Encoder(config.encoder, config.levels, width=config.encoder_width)
            for level in range(1, config.levels + 1):
                decoder = Decoder(config.encoder, level, encoder_width=config.encoder_width, width=config.decoder_width)
                self.add_module(f"decoder_{level}", decoder)

    def decoder(self, level: int) -> Decoder:
        """Return the decoder of a level."""
        return cast(Decoder, self.get_submodule(f"decoder_{level}"))

    def coder(self, level: int) -> Coder:
        """Return the encoder and the decoder of a level."""
        return Coder(self.encoder, self.decoder(level), level)

    def forward(self, images: Tensor, level: int) -> Tensor:
        """Return images (B, 3, H, W) in [0, 1] as the decoder of a level tells them from their features, not clamped.

        Sides are the next multiples of 2^(level - 1).
        """
        painted: Tensor = self.decoder(level)(self.encoder(images, [level])[level])
        return painted

    def stylize(self, content: Tensor, styles: Sequence[StyleInput], options: StyleOptions, *, seed: int) -> Tensor:
        """See `StyleNetwork`. Each level reads what the one before has painted.

        Raises:
            UsageError: There is no decoder of a level.
        """
        assert isinstance(options, WctOptions)
        there: int = self.config.levels
        levels = tuple(range(there, 0, -1)) if options.levels is None else options.levels
        if max(levels) > there:
            raise UsageError(f"levels={list(levels)}: this network has decoders of the levels 1 to {there}")
        image, rounds = content, options.rounds or 1
        if options.start == "noise":
            drawn = torch.rand(content.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
            image, rounds = drawn.to(content), options.rounds or TEXTURE_ROUNDS
        kind = options.transform
        wanted = {level: moments_of_styles(self.coder(level), styles, kind=kind) for level in set(levels)}
        for level in rounds * levels:
            regions = regions_of(self.coder(level), content, styles, wanted[level])
            image = restyled(self.coder(level), image, regions, kind=kind, strength=options.strength)
        return image

    def paint_graph(self, content: Tensor, **inputs: Tensor) -> Tensor:
        """Say that graphs cannot hold it: eigenvectors are found in float64 by a library of their own."""
        raise UsageError("wct cannot be exported: ONNX knows no eigenvectors")

    @classmethod
    def measured_inputs(cls, config: Any, image: Tensor, mask: Tensor) -> tuple[Any, ...]:
        """Return the image, and the coarsest level."""
        return image, config.levels
