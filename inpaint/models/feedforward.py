"""From a network to a fill: pad, cast and paint, for any size and batch; what else a fill does is `inpaint.fills`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from inpaint.errors import UsageError
from inpaint.fills.arrays import concatenate
from inpaint.fills.base import Painted, TensorFill
from inpaint.fills.request import Request
from inpaint.losses.base import DiscriminatorOutput
from inpaint.models.base import InpaintNetwork, Rear
from inpaint.models.discriminators import StoredDiscriminators
from inpaint.models.options import FeedForwardOptions
from inpaint.nn.padding import pad_to, padded_side
from inpaint.types import FOUND


class FeedForward(TensorFill):
    """Fills with one pass through a deterministic network; takes the network over (evaluation mode, no gradients).

    Args:
        network: What paints.
        name: Of the model.
        device: Where it computes; None: where the network is.
        dtype: How precisely; None: as the network is. Results are float32, or float64 from a float64 network.
        options: See `FeedForwardOptions`.
        discriminators: Those that came with the network.
    """

    Options: type[FeedForwardOptions] = FeedForwardOptions
    options: FeedForwardOptions

    def __init__(
        self,
        network: InpaintNetwork,
        *,
        name: str,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        options: FeedForwardOptions | None = None,
        discriminators: StoredDiscriminators | None = None,
    ) -> None:
        self.name = name
        self.network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self.capabilities = network.capabilities
        if self.capabilities.pixel_bytes is not None:  # said of float32
            share = self.dtype.itemsize / torch.float32.itemsize
            self.capabilities = replace(self.capabilities, pixel_bytes=share * self.capabilities.pixel_bytes)
        self.options = options or self.Options()
        self.chunk = self.options.chunk
        self._discriminators = discriminators

    def details(self) -> Mapping[str, object]:
        """Return the model's name, its size, its arithmetic and where it computes."""
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        dtype = str(self.dtype).removeprefix("torch.")
        return {"name": self.name, "parameters": parameters, "dtype": dtype, "device": str(self.device)}

    def missing_to_fill(self) -> str | None:
        """Return what the network says."""
        return self.network.missing_to_fill()

    def result_type(self, x: Tensor) -> Tensor:
        """Return x in float32, or in float64 for a float64 network."""
        return x.to(torch.float64 if self.dtype == torch.float64 else torch.float32)

    def find_mask(self, image: Tensor) -> Tensor:
        """Return what a blind network finds in images (B, 3, H, W), chunk by chunk."""
        if not self.capabilities.blind:
            return super().find_mask(image)  # type: ignore[no-any-return]
        parts = []
        for part in slices(len(image), self.chunk or len(image)):
            with evaluating(self.network), torch.inference_mode():
                found = self.network.find_mask(self._ready(image[part]))
                parts.append(self._cropped({FOUND: found}, like=image)[FOUND])
        return concatenate(parts)  # type: ignore[no-any-return]

    def find_to_fill(self, image: Tensor) -> tuple[Tensor, object]:
        """Find as `find_mask`, and keep what the network has computed where the batch is one chunk."""
        if self.chunk is not None and len(image) > self.chunk:  # kept for all chunks it would fill the memory
            return self.find_mask(image), None
        with evaluating(self.network), torch.inference_mode():
            found, encoded = self.network.find_and_encode(self._ready(image))
            return self._cropped({FOUND: found}, like=image)[FOUND], encoded

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Paint chunk by chunk."""
        image, mask = request.image, request.mask
        batch = len(image)
        for part in slices(batch, self.chunk or batch):
            with evaluating(self.network), torch.inference_mode():
                # The hole is mirrored along with the image, so that what is copied from it stays hidden.
                planes = {name: self._ready(plane[part]) for name, plane in request.guidance.items()}
                derived = self.network.derive(image[part], mask[part])
                planes |= {name: self._ready(plane) for name, plane in derived.items()}
                read = self._ready(image[part]), self._ready(mask[part])
                if isinstance(request.encoded, tuple):
                    maps = self.network.paint_encoded(*read, request.encoded, **planes)
                else:
                    maps = self.network(*read, **planes)
                painted = self._cropped(maps, like=image)
            yield painted

    def features(self, image: Tensor, mask: Tensor, guidance: Mapping[str, Tensor] | None = None) -> Features:
        """Return the features of a batch half way through the network, where it is `refinable`; see `fill`."""
        with evaluating(self.network), torch.no_grad():
            known = image if self.capabilities.reads_hole else image.masked_fill(mask > 0, 0.0)
            planes = {name: self._ready(plane) for name, plane in (guidance or {}).items()}
            planes |= {name: self._ready(plane) for name, plane in self.network.derive(known, mask).items()}
            padded, hole = self._ready(known), self._ready(mask)
            values, paint = self.network.split(padded, hole, **planes)
        return Features(values, paint, image=padded, mask=hole, size=(image.shape[-2], image.shape[-1]))

    def discriminate(self, name: str, *inputs: Tensor) -> Tensor:
        """Return the logits that a discriminator gives, higher = more real.

        Args:
            name: Its role in the weights file, or its short name.
            inputs: What it reads, batch first, on our scale: the image (B, 3, H, W) in [0, 1], for some models mask or
                edges.

        Returns:
            Its map on the inputs' device, float32, or float64 from a float64 network.

        Raises:
            UsageError: The model does not know the name.
            WeightsError: The file does not hold it.
        """
        if self._discriminators is None:
            raise UsageError(f"{self.name} came without discriminators: load it from a weights file that holds them")
        discriminator = self._discriminators.named(name)
        with torch.no_grad():
            output: DiscriminatorOutput = discriminator(*(plane.to(self.device, self.dtype) for plane in inputs))
        return self.result_type(output.logits).to(inputs[0].device)

    def _ready(self, plane: Tensor) -> Tensor:
        """Return a plane (B, C, H, W) as the network takes it: there, in its type, of a size that it accepts."""
        return pad_to(plane.to(self.device, self.dtype), *self._padded(plane))

    def _padded(self, plane: Tensor) -> tuple[int, int]:
        multiple, minimum = self.capabilities.multiple_px, self.network.minimum_px
        height, width = (padded_side(side, multiple=multiple, minimum=minimum) for side in plane.shape[-2:])
        return height, width

    def _cropped(self, maps: dict[str, Tensor], *, like: Tensor) -> Painted:
        """Crop every map of the padded size to that of `like` (B, C, H, W), and bring all where `like` is."""
        (height, width), padded = like.shape[-2:], self._padded(like)
        return {
            name: self.result_type(plane[..., :height, :width] if tuple(plane.shape[-2:]) == padded else plane).to(
                like.device
            )
            for name, plane in maps.items()
        }


@dataclass(frozen=True, eq=False)
class Features:
    """What a network makes of a batch half way.

    values: the features. paint: from features to (B, 3, h, w). image, mask: what the network reads, padded to (h, w).
    size: of the batch without padding.
    """

    values: tuple[Tensor, ...]
    paint: Rear
    image: Tensor
    mask: Tensor
    size: tuple[int, int]

    def crop(self, painted: Tensor) -> Tensor:
        """Return what was painted without the padding."""
        return painted[..., : self.size[0], : self.size[1]]


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
