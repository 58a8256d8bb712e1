"""From a network that draws at random to several fills of each image: encode once, decode every sample, score.

The counterpart of `feedforward` for networks whose capabilities are stochastic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inpaint import seeds
from inpaint.errors import InputError, WeightsError
from inpaint.fills.base import Painted
from inpaint.fills.checks import check_types
from inpaint.fills.request import ImageSeed, Request
from inpaint.models.base import Encoding, SamplingNetwork
from inpaint.models.feedforward import FeedForward, evaluating, slices
from inpaint.models.options import SamplingOptions
from inpaint.nn.padding import pad_to
from inpaint.types import Fill, Guidance

# Pixels decoded in one pass when the caller does not say: on a CPU activations should stay in its cache.
CPU_PIXELS = 256 * 256
ACCELERATOR_PIXELS = 64 * 256 * 256


class Sampling(FeedForward):
    """Fills with a network that draws at random.

    Every image has a generator of its own, so sample k of an image depends on its seed and k alone: the answer does not
    depend on `chunk` or on how a batch is split. Arguments as those of `FeedForward`.
    """

    Options = SamplingOptions
    network: SamplingNetwork

    def __init__(self, network: SamplingNetwork, *, options: SamplingOptions | None = None, **given: Any) -> None:
        chosen = options or SamplingOptions()
        super().__init__(network, options=chosen, **given)
        self.latent = chosen.latent
        self.capabilities = replace(
            self.capabilities, stochastic=self.latent == "drawn", scored=self._has_discriminator()
        )
        self.scores = chosen.scores
        if self.scores and not self.capabilities.scored:
            raise WeightsError(f"{self.name} cannot score its fills: its weights came without the discriminator for it")

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Encode chunk by chunk, decode every sample, and score where that is wanted."""
        image, hole, draws = request.image, request.hole, request.draws
        scored = self.capabilities.scored if self.scores is None and draws > 1 else bool(self.scores)
        chunk = self.chunk or self._suitable_chunk(image)
        for part in slices(len(image), chunk):
            with evaluating(self.network), torch.inference_mode():
                planes = {name: self._ready(plane[part]) for name, plane in request.guidance.items()}
                encoding = self.network.encode(self._ready(image[part]), self._ready(request.mask[part]), **planes)
            noise = [_Noise(seed) for seed in request.seeds[part]]
            for some in slices(len(noise) * draws, chunk):
                owners = [row // draws for row in range(len(noise) * draws)[some]]
                with evaluating(self.network), torch.inference_mode():
                    chosen = encoding.rows(torch.tensor(owners, device=self.device))
                    z = chosen.mu
                    if self.latent == "drawn":
                        z = z + chosen.sigma * torch.stack([noise[owner].like(z[0]) for owner in owners])
                    maps = self._cropped(self.network.decode(chosen, z), like=image)
                    if scored:
                        own = [part.start + owner for owner in owners]
                        completed = torch.where(hole[own], maps["raw"].clamp(0, 1), image[own])
                        maps["score"] = self._score(completed)
                yield maps

    def encode(self, image: Tensor, mask: Tensor, guidance: Guidance | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, (B, C, h, w) each, for a batch as `fill` takes it."""
        with evaluating(self.network), torch.no_grad():
            found = self._encoding(image, mask, guidance)
        return self.result_type(found.mu).to(image.device), self.result_type(found.sigma).to(image.device)

    def decode(self, image: Tensor, mask: Tensor, *, z: Tensor, guidance: Guidance | None = None) -> Fill:
        """Fill a batch from given latents z (B, C, h, w), of the shape that `encode` returns for the same batch.

        There is a score if `scores` is True. Raises InputError for latents of another shape.
        """
        check_types("tensor", image, mask, guidance, z=z)
        with evaluating(self.network), torch.no_grad():
            found = self._encoding(image, mask, guidance)
            image, hole = self.result_type(image), mask == 1
            if z.shape != found.mu.shape:
                raise InputError(f"z must have shape {tuple(found.mu.shape)} for this batch, got {tuple(z.shape)}")
            maps = self._cropped(self.network.decode(found, z.to(found.mu)), like=image)
            fill = self.composite(image, hole, maps)
            return replace(fill, score=self._score(fill.completed)) if self.scores else fill

    def _encoding(self, image: Tensor, mask: Tensor, guidance: Guidance | None) -> Encoding:
        """Return what the network finds in a batch that is checked first."""
        check_types("tensor", image, mask, guidance)
        self.check(image, mask, guidance)
        planes = {name: self._ready(plane) for name, plane in (guidance or {}).items()}
        return self.network.encode(self._ready(image), self._ready(mask), **planes)

    def _has_discriminator(self) -> bool:
        """Return whether there is a discriminator to rank fills by."""
        role = self.network.config.RANKED_BY
        return role is not None and self._discriminators is not None and self._discriminators.holds(role)

    def _suitable_chunk(self, image: Tensor) -> int:
        height, width = self._padded(image)
        most = CPU_PIXELS if self.device.type == "cpu" else ACCELERATOR_PIXELS
        return max(most // (height * width), 1)

    def _score(self, completed: Tensor) -> Tensor:
        """Return the mean logit of each completed image (B, 3, H, W), (B,)."""
        role = self.network.config.RANKED_BY
        # Mirrored to a size that the network itself accepts, for images smaller than a discriminator can take.
        logits = self.discriminate(role, pad_to(completed, *self._padded(completed)))
        return logits.flatten(1).mean(dim=1)


class _Noise:
    """Standard normal numbers of one image."""

    def __init__(self, seed: ImageSeed) -> None:
        # On the CPU and in float32, so that no device and no precision draws others.
        self._generator = torch.Generator().manual_seed(seeds.integer(seed.words, seeds.DRAW))

    def like(self, plane: Tensor) -> Tensor:
        """Return the next numbers of the shape, type and device of `plane`."""
        return torch.randn(plane.shape, generator=self._generator).to(plane)
