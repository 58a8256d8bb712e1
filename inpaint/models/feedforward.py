"""From a network to a fill: pad, cast, paint, composite, for any size and batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from inpaint.classical.mean import mean_color
from inpaint.errors import UsageError
from inpaint.inputs import check_fill
from inpaint.nn.padding import pad_to, padded_side
from inpaint.types import Fill, Guidance, Progress, ProgressCallback, Seed, StopFill, Traits


class PaintingNetwork(Protocol):
    """What a network offers to be used for filling, besides being an `nn.Module`.

    Called with image (B, 3, H, W) in [0, 1], mask (B, 1, H, W) and the accepted guidance by name, it returns "raw" and
    named intermediates. It accepts sides that are multiples of `traits.multiple_px` and at least `minimum_px`.
    """

    traits: Traits
    minimum_px: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Paint: a mapping with "raw" (B, 3, H, W) on our scale, not clamped."""
        ...


def prepare_for_inference(network: nn.Module) -> None:
    """Let every layer that can, compute once what it would compute in each pass; for networks that train no more."""
    for module in network.modules():
        prepare = getattr(module, "prepare_for_inference", None)
        if prepare is not None:
            prepare()


class FeedForward:
    """Fills with one pass through a deterministic network; takes the network over (evaluation mode, no gradients).

    device, dtype: where and how precisely it computes (default: as the network is). chunk: most images per pass,
    None = the whole batch at once; the answer does not depend on it.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        chunk: int | None = None,
    ) -> None:
        if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
            raise UsageError(f"chunk must be an integer of at least 1 or None, got {chunk!r}")
        self.name = name
        self.network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)
        self._paint = cast(PaintingNetwork, network)
        self.traits = self._paint.traits
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.chunk = chunk

    @classmethod
    def of(cls, name: str, network: nn.Module, *, device: torch.device | str | None = None) -> FeedForward:
        """Fill with a network that is under way, whole batches at once."""
        return cls(network, name=name, device=device)

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
        """Fill a batch as `Inpainter.fill` says; all samples are the same fill, since nothing is drawn.

        Results lie on the image's device, float32, or float64 from a float64 network. `progress` counts images. When it
        asks to stop, holes not reached yet get the mean color of what is known, and there are no intermediates.
        """
        check_fill(image, mask, guidance=guidance, samples=samples, seed=seed, traits=self.traits, name=self.name)
        exact = torch.float64 if self.dtype == torch.float64 else torch.float32
        image, hole = image.to(exact), mask == 1
        batch = image.shape[0]
        started, painted = time.monotonic(), list[dict[str, Tensor]]()
        done = 0
        with _evaluating(self.network), torch.inference_mode():
            for part in _slices(batch, self.chunk or batch):
                painted.append(self._part(image, mask, guidance, part, dtype=exact))
                done = min(part.stop, batch)
                if progress is not None:
                    elapsed_s = time.monotonic() - started
                    try:
                        progress(Progress(done=done, total=batch, remaining_s=elapsed_s / done * (batch - done)))
                    except StopFill:
                        break
        if done < batch:
            painted = [{"raw": part["raw"]} for part in painted]
            painted.append({"raw": _known_mean(image[done:], hole[done:])})
        maps = {key: torch.cat([part[key] for part in painted]) for key in painted[0]}
        raw = maps.pop("raw")
        completed = torch.where(hole, raw.clamp(0, 1), image)
        return [Fill(completed=completed, raw=raw, mask=hole.to(exact), aux=maps)] * samples

    def _part(
        self, image: Tensor, mask: Tensor, guidance: Guidance | None, part: slice, *, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Paint some images of the batch; every map of the padded size is cropped back."""
        height, width = image.shape[-2:]
        multiple, minimum = self.traits.multiple_px, self._paint.minimum_px
        padded = (
            padded_side(height, multiple=multiple, minimum=minimum),
            padded_side(width, multiple=multiple, minimum=minimum),
        )

        def ready(plane: Tensor) -> Tensor:
            return pad_to(plane[part].to(self.device, self.dtype), *padded)

        # The hole is mirrored along with the picture, so that what is copied from it stays hidden.
        planes = {kind: ready(getattr(guidance, kind)) for kind in guidance.given()} if guidance else {}
        output = self._paint(ready(image), ready(mask), **planes)
        return {
            key: (value[..., :height, :width] if tuple(value.shape[-2:]) == padded else value).to(image.device, dtype)
            for key, value in output.items()
        }


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Keep evaluation mode for the block, whatever the owner of a shared network has set meanwhile."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _slices(total: int, chunk: int) -> Iterator[slice]:
    for start in range(0, total, chunk):
        yield slice(start, start + chunk)


def _known_mean(image: Tensor, hole: Tensor) -> Tensor:
    """Return pictures of the mean known color of each image, (B, 3, H, W); mid gray where nothing is known."""
    nothing_known = hole.all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)  # (B, 1, 1, 1)
    return torch.where(nothing_known, 0.5, mean_color(image, hole)).expand_as(image)
