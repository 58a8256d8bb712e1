"""Layers of SC-FEGAN: gated convolutions with local response normalization, and gated transposed convolutions.

Both are gated convolutions of one weight for features and gates, see `inpaint.nn.gated`. The deepest maps have few
places, and what costs there is reading the weights: kernel places that meet nothing but the zeros beyond the border are
left out, and without gradients the rest is one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn import winograd
from inpaint.nn.gated import SLOPE, Activation, GatedConv2d, gated
from inpaint.nn.inference import Prepared
from inpaint.nn.padding import same_amount
from inpaint.nn.plain import HasPlainForm
from inpaint.nn.response_norm import ResponseNorm

FEW = 64  # places, below which a product of matrices is faster than a convolution on a CPU
MANY = 1024  # places, from which tiles (`inpaint.nn.winograd`) are faster
ODD = (4, 2, 0)  # kernel places that odd rows of a doubled map see, from the row before theirs on
EVEN = (3, 1)  # those of even rows


class ResponseGatedConv2d(GatedConv2d):
    """y = leaky_relu(norm(conv(x))) * sigmoid(conv_g(x)), zeros beyond the border as TensorFlow's SAME places them.

    norm: whether the features are normalized; without it the activation may be another one.
    """

    def __init__(
        self,
        in_channels: int,
        features: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        norm: bool = True,
        activation: Activation = "leaky_relu",
    ) -> None:
        super().__init__(
            in_channels,
            features,
            kernel,
            stride=stride,
            dilation=dilation,
            padding="same_tf",
            activation=activation,
        )
        self.norm = ResponseNorm(features) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, in_channels, H, W) to (B, features, ceil(H / stride), ceil(W / stride))."""
        return super().forward(x) if self.plain else self._of_seen_places(x)

    def _of_seen_places(self, x: Tensor) -> Tensor:
        """Compute with those places of the kernel alone that meet a pixel somewhere."""
        kernel, stride, dilation = self.kernel_size[0], self.stride[0], self.dilation[0]
        (top, rows), (left, columns) = (
            seen_places(side, kernel, stride=stride, dilation=dilation) for side in x.shape[-2:]
        )
        places = len(x) * -(-x.shape[-2] // stride) * -(-x.shape[-1] // stride)
        alone = rows.stop - rows.start == columns.stop - columns.start == 1
        product = x.is_cpu and not torch.is_grad_enabled() and places <= FEW and (dilation == 1 or alone)
        if not product and (rows, columns) == (slice(0, kernel), slice(0, kernel)):
            return super().forward(x)
        weight = self.weight[:, :, rows, columns]
        bottom, right = (
            (-(-side // stride) - 1) * stride + dilation * (part.stop - part.start - 1) + 1 - side - before
            for side, part, before in zip(x.shape[-2:], (rows, columns), (top, left), strict=True)
        )
        padded = F.pad(x, (left, right, top, bottom))
        if product:
            return self.gate(as_product(padded, weight, self.bias, stride))
        return self.gate(F.conv2d(padded, weight, self.bias, stride, 0, dilation))

    def gate(self, both: Tensor) -> Tensor:
        """Return what the layer makes of features and gates [a; g], (B, 2 features, H, W)."""
        if self.norm is None:
            return super().gate(both)
        feature, gate = both.chunk(2, dim=1)
        return F.leaky_relu(self.norm(feature), SLOPE) * gate.sigmoid()


def seen_places(side: int, kernel: int, *, stride: int, dilation: int) -> tuple[int, slice]:
    """Return which places of a kernel meet a pixel along a side, and how many zeros then come before the side.

    Example:
        >>> seen_places(4, 3, stride=1, dilation=4), seen_places(2, 3, stride=2, dilation=1)
        ((0, slice(1, 2, None)), (0, slice(0, 2, None)))
    """
    before, _ = same_amount(side, kernel, stride=stride, dilation=dilation)
    steps = -(-side // stride)
    met = []
    for place in range(kernel):
        start = place * dilation - before  # of the pixels that it meets, one in each step
        first = -(min(start, 0) // stride)  # step of the first of them that is not in front of the side
        if first < steps and start + first * stride < side:
            met.append(place)
    return before - met[0] * dilation, slice(met[0], met[-1] + 1)


def as_product(padded: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Return a convolution of few places as one product of matrices.

    Args:
        padded: (B, I, H, W), zeros included.
        weight: (O, I, h, w); in channels_last it is read once, where it lies.
        bias: (O,).
        stride: Step between outputs.

    Returns:
        (B, O, ...), channels last in memory.
    """
    height, width = weight.shape[-2:]
    patches = padded.permute(0, 2, 3, 1).unfold(1, height, stride).unfold(2, width, stride)  # (B, H', W', I, h, w)
    batch, rows, columns = patches.shape[:3]
    patches = patches.permute(0, 1, 2, 4, 5, 3).reshape(batch * rows * columns, -1)
    both = F.linear(patches, weight.permute(0, 2, 3, 1).reshape(len(weight), -1), bias)
    return both.view(batch, rows, columns, -1).permute(0, 3, 1, 2)


class Merge(ResponseGatedConv2d, Prepared):
    """The same for several maps, one after the other along the channels, kernel 3 and stride 1."""

    prepared = ("factors",)

    def __init__(
        self, in_channels: int, features: int, *, norm: bool = True, activation: Activation = "leaky_relu"
    ) -> None:
        super().__init__(in_channels, features, norm=norm, activation=activation)
        self.ready = False
        self.factors: Tensor | None
        self.register_buffer("factors", None, persistent=False)

    def prepare_for_inference(self) -> None:
        """Forget the factors of earlier weights; they take four times the memory and come where they are used."""
        self.ready, self.factors = True, None

    def train(self, mode: bool = True) -> Self:
        """Compute as it is again when training begins."""
        self.ready = self.ready and not mode
        return super().train(mode)

    def forward(self, *parts: Tensor) -> Tensor:
        """Map the parts (B, C, H, W) to (B, features, H, W)."""
        places = parts[0].shape[-2] * parts[0].shape[-1]
        if self.plain or not self.ready or self.norm is None or places < MANY or not winograd.pays_for(parts[0]):
            return super().forward(torch.cat(parts, dim=1))
        if self.factors is None:
            with torch.inference_mode(False), torch.no_grad():
                self.factors = winograd.transformed_kernels(self.weight)
        assert self.bias is not None
        return self.gate(winograd.convolved(parts, self.factors, self.bias, mirrored=False))


class GatedUp(nn.ConvTranspose2d, Prepared, HasPlainForm):
    """Gated transposed convolution, kernel 5, stride 2: twice the size, as TensorFlow's SAME.

    Prepared for inference each phase of the output, even or odd rows and columns, is a small convolution.

    Args:
        in_channels: Channels that come in.
        features: Channels that go out.
        gate: own: leaky_relu(a) * sigmoid(g) for [a; g] from one weight (in_channels, 2 features, 5, 5); activated:
            t * sigmoid(t) for t = leaky_relu(a), weight (in_channels, features, 5, 5).
    """

    prepared = ("even_even", "even_odd", "odd_even", "odd_odd")

    def __init__(self, in_channels: int, features: int, *, gate: Literal["own", "activated"]) -> None:
        super().__init__(in_channels, 2 * features if gate == "own" else features, 5, stride=2, padding=1)
        self.own = gate == "own"
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def prepare_for_inference(self) -> None:
        """Compute the kernels of the phases once."""
        weight = self.weight.detach().transpose(0, 1)
        kernels = (weight[:, :, rows][:, :, :, columns] for rows in (EVEN, ODD) for columns in (EVEN, ODD))
        for name, kernel in zip(self.prepared, kernels, strict=True):
            setattr(self, name, kernel.contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Map x (B, in_channels, H, W) to (B, features, 2 H, 2 W)."""
        phases = [getattr(self, name) for name in self.prepared]
        if self.plain or torch.is_grad_enabled() or phases[0] is None:
            # The whole result is 2 H + 3 long; TensorFlow drops 1 place in front and 2 behind.
            both = F.conv_transpose2d(x, self.weight, self.bias, 2, padding=1)[..., :-1, :-1]
        else:
            both = self._of_phases(x, phases)
        if self.own:
            return gated(both, activation="leaky_relu", plain=self.plain)
        activated = F.leaky_relu(both, SLOPE)
        return activated * activated.sigmoid()

    def _of_phases(self, x: Tensor, phases: Sequence[Tensor]) -> Tensor:
        batch, _, height, width = x.shape
        size = (batch, self.out_channels, 2 * height, 2 * width)
        both = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        few = x.is_cpu and batch * height * width <= FEW
        for number, kernel in enumerate(phases):
            row, column = divmod(number, 2)
            if few:
                phase = as_product(F.pad(x, (1, column, 1, row)), kernel, self.bias, 1)
            else:
                phase = F.conv2d(x, kernel, self.bias, padding=1)[:, :, :height, :width]
            both[:, :, row::2, column::2] = phase
        return both


def initialize_(module: nn.Module, *, deviation: float = 0.02) -> None:
    """Draw initial weights, as the authors' program: uniform (Glorot) for convolutions, normal for transposed ones.

    Features and gates are convolutions of their own there. Biases are 0. Draws from torch's global generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, deviation)
        elif isinstance(layer, nn.Conv2d):
            with torch.no_grad():
                for half in layer.weight.chunk(2):
                    nn.init.xavier_uniform_(half)
        else:
            continue
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
