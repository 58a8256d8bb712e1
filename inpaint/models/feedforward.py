"""From a network to a fill: pad, cast, paint, composite, for any size and batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, cast

import torch
from torch import Tensor, nn

from inpaint.classical.mean import mean_color
from inpaint.errors import UsageError
from inpaint.fills.checks import check_fill
from inpaint.losses.base import Opinion
from inpaint.models.discriminators import Judges
from inpaint.nn.padding import pad_to, padded_side
from inpaint.nn.spectral import fold
from inpaint.types import Capabilities, Fill, Guidance, Progress, ProgressCallback, Seed, StopFill


class PaintingNetwork(Protocol):
    """What a network offers to be used for filling, besides being an `nn.Module`.

    Called with image (B, 3, H, W) in [0, 1], mask (B, 1, H, W) and the accepted guidance by name, it returns "raw" and
    named intermediates. It accepts sides that are multiples of `capabilities.multiple_px` and at least `minimum_px`.

    It may have three things more. `missing_to_fill`, a sentence or None: why it cannot fill, for networks of which a
    part is still to be trained. `configure(*, ...)`: what a caller of `inpaint.load` may choose, as keywords with
    defaults. `derive(image, mask)`: planes (B, C, H, W) that it reads beside the picture and that must be computed from
    the picture as it came, before it is padded and brought into the network's type; they are passed by name.
    """

    capabilities: Capabilities
    minimum_px: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Paint: a mapping with "raw" (B, 3, H, W) on our scale, not clamped."""
        ...


def prepare_for_inference(network: nn.Module) -> None:
    """Let every layer that can, compute once what it would compute in each pass; for networks that train no more.

    Spectral norms are divided out, then every layer's own `prepare_for_inference` is called, if it has one.
    """
    fold(network)
    for module in list(network.modules()):
        prepare = getattr(module, "prepare_for_inference", None)
        if prepare is not None:
            prepare()


class FeedForward:
    """Fills with one pass through a deterministic network; takes the network over (evaluation mode, no gradients).

    device, dtype: where and how precisely it computes (default: as the network is). chunk: most images per pass,
    None = the whole batch at once; the answer does not depend on it. judges: discriminators that came with the network.
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
    ) -> None:
        if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
            raise UsageError(f"chunk must be an integer of at least 1 or None, got {chunk!r}")
        self.name = name
        self.network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)
        self._paint = cast(PaintingNetwork, network)
        self.capabilities = self._paint.capabilities
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.chunk = chunk
        self._judges = judges

    @classmethod
    def of(cls, name: str, network: nn.Module, *, device: torch.device | str | None = None) -> Self:
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
        Raises UsageError when the network cannot fill yet.
        """
        self._check(image, mask, guidance=guidance, samples=samples, seed=seed)
        image, hole = image.to(self._exact), mask == 1
        batch = image.shape[0]
        clock, painted = Clock(batch, progress), list[dict[str, Tensor]]()
        with evaluating(self.network), torch.inference_mode():
            for part in slices(batch, self.chunk or batch):
                painted.append(self._part(image, mask, guidance, part))
                if clock.stops(min(part.stop, batch)):
                    break
        if clock.done < batch:
            painted = [{"raw": part["raw"]} for part in painted]
            painted.append({"raw": known_mean(image[clock.done :], hole[clock.done :])})
        maps = {key: torch.cat([part[key] for part in painted]) for key in painted[0]}
        return [self._filled(image, hole, maps)] * samples

    def discriminate(self, name: str, *inputs: Tensor) -> Tensor:
        """Return the scores that a discriminator gives, higher = more real.

        name: its role in the weights file, or its short name. inputs: what it looks at, batch first, on our scale: the
        picture (B, 3, H, W) in [0, 1], for some models mask or edges. Returns its map on the inputs' device, float32,
        or float64 from a float64 network.
        Raises UsageError for a name that the model does not know, WeightsError when the file does not hold it.
        """
        if self._judges is None:
            raise UsageError(f"{self.name} came without discriminators: load it from a weights file that holds them")
        judge = self._judges.named(name)
        with torch.no_grad():
            said: Tensor | Opinion = judge(*(plane.to(self.device, self.dtype) for plane in inputs))
        scores = said.scores if isinstance(said, Opinion) else said
        return scores.to(inputs[0].device, self._exact)

    @property
    def _exact(self) -> torch.dtype:
        """The type of results."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    def _check(self, image: Tensor, mask: Tensor, *, guidance: Guidance | None, samples: int, seed: Seed) -> None:
        missing: str | None = getattr(self.network, "missing_to_fill", None)
        if missing is not None:
            raise UsageError(f"{self.name} cannot fill: {missing}")
        check_fill(
            image, mask, guidance=guidance, samples=samples, seed=seed, capabilities=self.capabilities, name=self.name
        )

    def _part(self, image: Tensor, mask: Tensor, guidance: Guidance | None, part: slice) -> dict[str, Tensor]:
        """Paint some images of the batch; every map of the padded size is cropped back."""
        # The hole is mirrored along with the picture, so that what is copied from it stays hidden.
        planes = {kind: self._ready(getattr(guidance, kind)[part]) for kind in guidance.given()} if guidance else {}
        derive = getattr(self.network, "derive", None)
        if derive is not None:
            planes |= {name: self._ready(plane) for name, plane in derive(image[part], mask[part]).items()}
        return self._cropped(self._paint(self._ready(image[part]), self._ready(mask[part]), **planes), like=image)

    def _ready(self, plane: Tensor) -> Tensor:
        """Return a plane (B, C, H, W) as the network takes it: there, in its type, of a size that it accepts."""
        return pad_to(plane.to(self.device, self.dtype), *self._padded(plane))

    def _padded(self, plane: Tensor) -> tuple[int, int]:
        height, width = plane.shape[-2:]
        multiple, minimum = self.capabilities.multiple_px, self._paint.minimum_px
        return (
            padded_side(height, multiple=multiple, minimum=minimum),
            padded_side(width, multiple=multiple, minimum=minimum),
        )

    def _cropped(self, maps: dict[str, Tensor], *, like: Tensor) -> dict[str, Tensor]:
        """Crop every map of the padded size to that of `like` (B, C, H, W), and bring all where `like` is."""
        (height, width), padded = like.shape[-2:], self._padded(like)
        return {
            key: (value[..., :height, :width] if tuple(value.shape[-2:]) == padded else value).to(
                like.device, self._exact
            )
            for key, value in maps.items()
        }

    def _filled(self, image: Tensor, hole: Tensor, maps: dict[str, Tensor], score: Tensor | None = None) -> Fill:
        """Return the fill of what was painted; image (B, 3, H, W) in the results' type, hole (B, 1, H, W) bool."""
        raw = maps["raw"]
        completed = torch.where(hole, raw.clamp(0, 1), image)
        aux = {key: value for key, value in maps.items() if key != "raw"}
        return Fill(completed=completed, raw=raw, mask=hole.to(self._exact), aux=aux, score=score)


class Clock:
    """Tells the caller of a fill how far it is, and whether the caller asked to stop."""

    def __init__(self, total: int, progress: ProgressCallback | None) -> None:
        self.done = 0
        self._total = total
        self._progress = progress
        self._started = time.monotonic()

    def stops(self, done: int) -> bool:
        """Report that `done` steps of the total are done; say whether the caller wants no more."""
        self.done = done
        if self._progress is None:
            return False
        elapsed_s = time.monotonic() - self._started
        try:
            self._progress(Progress(done=done, total=self._total, remaining_s=elapsed_s / done * (self._total - done)))
        except StopFill:
            return True
        return False


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Keep evaluation mode for the block, whatever the owner of a shared network has set meanwhile."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def slices(total: int, chunk: int) -> Iterator[slice]:
    """Cut a range into parts of `chunk`; the last may reach beyond the end, as slices may."""
    for start in range(0, total, chunk):
        yield slice(start, start + chunk)


def known_mean(image: Tensor, hole: Tensor) -> Tensor:
    """Return pictures of the mean known color of each image, (B, 3, H, W); mid gray where nothing is known."""
    nothing_known = hole.all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)  # (B, 1, 1, 1)
    return torch.where(nothing_known, 0.5, mean_color(image, hole)).expand_as(image)
