"""From a network that draws at random to several fills of each picture: encode once, decode every sample, score.

The counterpart of `feedforward` for networks with `capabilities.stochastic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn

from inpaint.errors import InputError, UsageError, WeightsError, unknown
from inpaint.models.discriminators import Judges
from inpaint.models.feedforward import Clock, FeedForward, PaintingNetwork, evaluating, known_mean, slices
from inpaint.nn.padding import pad_to
from inpaint.types import Fill, Guidance, ProgressCallback, Seed

Latent: TypeAlias = Literal["drawn", "mean"]

# Pixels decoded in one pass when the caller does not say: on a CPU activations should stay in its cache.
CPU_PIXELS = 256 * 256
ACCELERATOR_PIXELS = 64 * 256 * 256


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What an encoder found in a batch: a normal distribution of latents, and what else decoding needs.

    mu, sigma: (B, C, h, w), mean and standard deviation. context: by name, batch first.
    """

    mu: Tensor
    sigma: Tensor
    context: Mapping[str, Tensor]

    def rows(self, numbers: Tensor) -> Encoding:
        """Return the encodings of these images of the batch, in this order; an image may come several times."""
        return Encoding(
            mu=self.mu[numbers],
            sigma=self.sigma[numbers],
            context={name: plane[numbers] for name, plane in self.context.items()},
        )


class SamplingNetwork(PaintingNetwork, Protocol):
    """What a network offers to be sampled.

    ranked_by: the role of the discriminator whose mean score of a completed picture ranks the samples, or None.
    """

    ranked_by: str | None

    def encode(self, image: Tensor, mask: Tensor) -> Encoding:
        """Read a batch: image (B, 3, H, W) in [0, 1], mask (B, 1, H, W)."""
        ...

    def decode(self, encoding: Encoding, z: Tensor) -> dict[str, Tensor]:
        """Paint from latents z (B, C, h, w): a mapping with "raw" (B, 3, H, W) on our scale, not clamped."""
        ...


class Sampling(FeedForward):
    """Fills with a network that draws at random.

    chunk: most pictures painted per pass, None = as suits the device and the size. latent: "drawn", or "mean" for the
    mean of the distribution: one fill, in which nothing is random. scores: whether a discriminator judges every
    completed picture; None = when there is more than one sample and the weights file holds the discriminator.
    The answer does not depend on `chunk` or on how a batch is split.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        chunk: int | None = None,
        judges: Judges | None = None,
        latent: Latent = "drawn",
        scores: bool | None = None,
    ) -> None:
        super().__init__(network, name=name, device=device, dtype=dtype, chunk=chunk, judges=judges)
        if latent not in get_args(Latent):
            raise UsageError(unknown("latent", str(latent), get_args(Latent)))
        self._sampled = cast(SamplingNetwork, network)
        self.latent: Latent = latent
        if latent == "mean":
            self.capabilities = replace(self.capabilities, stochastic=False)
        self.scores = scores
        if scores and not self.can_score:
            raise WeightsError(f"{name} cannot score its fills: its weights came without the discriminator for it")

    def fill(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill a batch `samples` times as `Inpainter.fill` says, in the order of drawing.

        Every image has a generator of its own, so sample k of an image depends on its seed and k alone. `progress`
        counts painted pictures, samples times images. When it asks to stop, pictures not reached get the mean color of
        what is known and the score -inf, and there are no intermediates.
        """
        self._check(image, mask, guidance=guidance, samples=samples, seed=seed)
        image, hole = image.to(self._exact), mask == 1
        batch, drawn = image.shape[0], samples if self.latent == "drawn" else 1
        clock = Clock(batch * drawn, progress)
        judged = self.can_score if self.scores is None and samples > 1 else bool(self.scores)
        chunk = self.chunk or self._suitable_chunk(image)
        rows: list[dict[str, Tensor]] = []  # one picture each: image 0 with all its samples, image 1 ...
        stopped = False
        with evaluating(self.network), torch.inference_mode():
            for part in slices(batch, chunk):
                encoding = self._sampled.encode(self._ready(image[part]), self._ready(mask[part]))
                noise = [_Noise(seed, number) for number in range(batch)[part]]
                for some in slices(len(noise) * drawn, chunk):
                    owners = [row // drawn for row in range(len(noise) * drawn)[some]]
                    chosen = encoding.rows(torch.tensor(owners, device=self.device))
                    z = chosen.mu
                    if self.latent == "drawn":
                        z = z + chosen.sigma * torch.stack([noise[owner].like(z[0]) for owner in owners])
                    maps = self._cropped(self._sampled.decode(chosen, z), like=image)
                    if judged:
                        own = [part.start + owner for owner in owners]
                        completed = torch.where(hole[own], maps["raw"].clamp(0, 1), image[own])
                        maps["score"] = self._score(completed)
                    rows += [{name: value[row] for name, value in maps.items()} for row in range(len(owners))]
                    stopped = clock.stops(len(rows))
                    if stopped:
                        break
                if stopped:
                    break
        rows = self._completed_rows(rows, image, hole, drawn, judged=judged)
        fills = []
        for sample in range(drawn):
            of_sample = rows[sample::drawn]
            rows[sample::drawn] = [{}] * len(of_sample)  # every picture lies in memory once
            maps = {name: _stacked([row[name] for row in of_sample]) for name in of_sample[0]}
            score = maps.pop("score", None)
            fills.append(self._filled(image, hole, maps, score))
        return fills if len(fills) == samples else fills * samples

    def encode(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the latents, (B, C, h, w) each, for a batch as `fill` takes it."""
        self._check(image, mask, guidance=None, samples=1, seed=0)
        with evaluating(self.network), torch.no_grad():
            found = self._sampled.encode(self._ready(image), self._ready(mask))
        return found.mu.to(image.device, self._exact), found.sigma.to(image.device, self._exact)

    def decode(self, image: Tensor, mask: Tensor, *, z: Tensor) -> Fill:
        """Fill a batch from given latents z (B, C, h, w), of the shape that `encode` returns for the same batch.

        There is a score if `scores` is True. Raises InputError for latents of another shape.
        """
        self._check(image, mask, guidance=None, samples=1, seed=0)
        image, hole = image.to(self._exact), mask == 1
        with evaluating(self.network), torch.no_grad():
            found = self._sampled.encode(self._ready(image), self._ready(mask))
            if z.shape != found.mu.shape:
                raise InputError(f"z must have shape {tuple(found.mu.shape)} for this batch, got {tuple(z.shape)}")
            maps = self._cropped(self._sampled.decode(found, z.to(found.mu)), like=image)
            filled = self._filled(image, hole, maps)
            if not self.scores:
                return filled
            return self._filled(image, hole, maps, self._score(filled.completed))

    def _suitable_chunk(self, image: Tensor) -> int:
        height, width = self._padded(image)
        most = CPU_PIXELS if self.device.type == "cpu" else ACCELERATOR_PIXELS
        return max(most // (height * width), 1)

    @property
    def can_score(self) -> bool:
        """Whether there is a discriminator to rank fills by."""
        role = self._sampled.ranked_by
        return role is not None and self._judges is not None and self._judges.holds(role)

    def _score(self, completed: Tensor) -> Tensor:
        """Return the mean score of each completed picture (B, 3, H, W), (B,)."""
        assert self._sampled.ranked_by is not None
        # Mirrored to a size that the network itself accepts, for pictures smaller than a discriminator can look at.
        scores = self.discriminate(self._sampled.ranked_by, pad_to(completed, *self._padded(completed)))
        return scores.flatten(1).mean(dim=1)

    def _completed_rows(
        self, rows: list[dict[str, Tensor]], image: Tensor, hole: Tensor, drawn: int, *, judged: bool
    ) -> list[dict[str, Tensor]]:
        """Append what stands for the pictures that were not reached; tensors that inference mode made are copied."""
        missing = image.shape[0] * drawn - len(rows)
        if missing == 0:
            return rows
        plain = known_mean(image, hole)
        rows = [{name: value for name, value in row.items() if name in ("raw", "score")} for row in rows]
        for number in range(len(rows), len(rows) + missing):
            row = {"raw": plain[number // drawn]}
            if judged:
                row["score"] = image.new_full((), -torch.inf)
            rows.append(row)
        return rows


def _stacked(rows: list[Tensor]) -> Tensor:
    """Return the rows as one batch; a single one is not copied."""
    return rows[0][None] if len(rows) == 1 else torch.stack(rows)


class _Noise:
    """Standard normal numbers of one image: (seed, number) of an integer seed, or the image's own seed."""

    def __init__(self, seed: Seed, number: int) -> None:
        entropy = (seed, number) if isinstance(seed, int) else seed[number]
        state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
        # On the CPU and in float32, so that no device and no precision draws others.
        self._generator = torch.Generator().manual_seed(int(state))

    def like(self, plane: Tensor) -> Tensor:
        """Return the next numbers of the shape, type and device of `plane`."""
        return torch.randn(plane.shape, generator=self._generator).to(plane)
