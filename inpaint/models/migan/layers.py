"""The layers of MI-GAN: kernels that are sums of several in training, and the separable convolution made of two."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.batch_norm import learns
from inpaint.nn.inference import Prepared, exporting
from inpaint.nn.resample import double, halve

SLOPE, GAIN, LARGEST = 0.2, 2**0.5, 256.0
EPSILON = 1e-8
GROUP = 4  # images of a batch that are compared with each other

Size: TypeAlias = Literal["same", "half", "double"]


def activate(y: Tensor, gain: float = 1.0) -> Tensor:
    """Return leaky ReLU times sqrt 2 and the gain, its size at most 256 times the gain."""
    return (F.leaky_relu(y, SLOPE) * (GAIN * gain)).clamp(-LARGEST * gain, LARGEST * gain)


def unit_length(weight: Tensor) -> Tensor:
    """Return w / sqrt(sum of w^2 + 1e-8), the sum for each output; weight (O, I, k, k)."""
    return weight * (weight.square().sum(dim=(1, 2, 3), keepdim=True) + EPSILON).rsqrt()


class Kernel(nn.Module):
    """The kernel of a convolution, (O, I, k, k).

    tensors: how many it is the sum of in training, after which each output is brought to length 1 (section 3.2); None
    for one that is used as it is.
    """

    def __init__(self, outputs: int, inputs: int, side: int, *, tensors: int | None) -> None:
        super().__init__()
        self.tensors = tensors
        # One below the other: what is not (O, I, k, k) has no channels_last.
        drawn = torch.randn((tensors or 1) * outputs, inputs, side, side)
        self.weight = nn.Parameter(drawn if tensors else unit_length(drawn))

    def forward(self) -> Tensor:
        """Return the kernel."""
        if not self.tensors:
            return self.weight
        # Squares of many small numbers are too much for half precision.
        exact = self.weight.to(torch.promote_types(self.weight.dtype, torch.float32))
        summed = exact.view(self.tensors, -1, *exact.shape[1:]).sum(0)
        return unit_length(summed / self.tensors**0.5).to(self.weight.dtype)


class Pointwise(Prepared):
    """A convolution of single places without activation, from x (B, I, H, W) to (B, O, H, W)."""

    prepared = ("kernel_ready",)

    def __init__(self, inputs: int, outputs: int, *, tensors: int | None, bias: bool = True) -> None:
        super().__init__()
        self.kernel = Kernel(outputs, inputs, 1, tensors=tensors)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.kernel_ready: Tensor | None
        self.register_buffer("kernel_ready", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        kernel = self.kernel() if self.kernel_ready is None or learns(self) else self.kernel_ready
        return F.conv2d(x, kernel, self.bias)

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Sum up the kernel."""
        self.kernel_ready = _channels_last(self.kernel())


class SeparableConv(Prepared):
    """A 3 x 3 convolution of each channel, an activation, a convolution across channels, another activation.

    Args:
        inputs, outputs: Channels.
        tensors: See `Kernel`.
        size: half: the size is halved before the channels are mixed; double: it is doubled after that.
        noise_px: Side of the noise that is added before the last activation; None for none. In training it is random;
            otherwise that of the layer, repeated where an image is larger than it.
        gain: Of both activations.
    """

    prepared = ("depth_ready", "shift_ready", "mix_ready", "noise_ready")

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        tensors: int | None,
        size: Size = "same",
        noise_px: int | None = None,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.size, self.gain = size, gain
        self.depth = Kernel(inputs, 1, 3, tensors=tensors)
        self.bias = nn.Parameter(torch.zeros(inputs))
        self.mix = Kernel(outputs, inputs, 1, tensors=tensors)
        self.noise: Tensor | None
        self.noise_strength: nn.Parameter | None
        if noise_px is None:
            self.noise, self.noise_strength = None, None
        else:
            self.register_buffer("noise", torch.randn(noise_px, noise_px))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self.depth_ready: Tensor | None
        self.shift_ready: Tensor | None
        self.mix_ready: Tensor | None
        self.noise_ready: Tensor | None
        for name in self.prepared:
            self.register_buffer(name, None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, H', W')."""
        if self.depth_ready is None or learns(self):
            y = activate(F.conv2d(x, self.depth(), self.bias, padding=1, groups=int(x.shape[1])), self.gain)
            y = F.conv2d(halve(y) if self.size == "half" else y, self.mix())
            y = double(y) if self.size == "double" else y
            return activate(self._with_noise(y), self.gain)
        assert self.mix_ready is not None
        y = F.conv2d(x, self.depth_ready, self.shift_ready, padding=1, groups=int(x.shape[1]))
        y = self._limited(y)
        y = F.conv2d(halve(y) if self.size == "half" else y, self.mix_ready)
        y = double(y) if self.size == "double" else y
        if self.noise_ready is not None:
            noise = repeated(self.noise_ready, y)
            y = y + noise if torch.is_grad_enabled() or exporting() else y.add_(noise)
        return self._limited(y)

    def _limited(self, y: Tensor) -> Tensor:
        """Return the activation of what its gains are part of already; y is not needed any more."""
        largest = LARGEST * self.gain
        if torch.is_grad_enabled() or exporting():
            return F.leaky_relu(y, SLOPE).clamp(-largest, largest)
        return F.leaky_relu_(y, SLOPE).clamp_(-largest, largest)

    def _with_noise(self, y: Tensor) -> Tensor:
        if self.noise is None:
            return y
        assert self.noise_strength is not None
        drawn = torch.randn_like(y[:, :1]) if self.training else repeated(self.noise, y)
        return y + self.noise_strength * drawn

    @torch.no_grad()
    def prepare_for_inference(self) -> None:
        """Sum up the kernels, and put the gains of the activations into what comes before them."""
        # Leaky ReLU of a multiple is that multiple of it.
        gain = GAIN * self.gain
        self.depth_ready, self.shift_ready = _channels_last(gain * self.depth()), gain * self.bias
        self.mix_ready = _channels_last(gain * self.mix())
        self.noise_ready = None
        if self.noise is not None and self.noise_strength is not None and self.noise_strength != 0:
            self.noise_ready = gain * self.noise_strength * self.noise


def repeated(noise: Tensor, like: Tensor) -> Tensor:
    """Return noise (R, R) for features (B, C, H, W): (H, W), from the upper left corner on, again where it ends."""
    height, width = like.shape[-2:]
    if not exporting() and (height, width) == noise.shape:
        return noise
    side = noise.shape[0]
    rows, columns = (torch.arange(count, device=noise.device) % side for count in (height, width))
    return noise[rows][:, columns]


def _channels_last(kernel: Tensor) -> Tensor:
    return kernel.contiguous(memory_format=torch.channels_last)


def deviation_plane(x: Tensor) -> Tensor:
    """Return one plane (B, 1, H, W) that says how much the images of a batch differ (StyleGAN2, minibatch deviation).

    The deviation among four images, or as many as divide the batch, the mean over channels and places.
    """
    batch, _, height, width = x.shape
    group = max(number for number in range(1, GROUP + 1) if batch % number == 0)
    apart = x.reshape(group, batch // group, *x.shape[1:])  # image i beside i + B / group, ...
    variance = (apart - apart.mean(0)).square().mean(0)
    deviation: Tensor = (variance + EPSILON).sqrt().mean(dim=(1, 2, 3))  # (B / group,)
    return deviation.repeat(group).view(batch, 1, 1, 1).expand(batch, 1, height, width)
