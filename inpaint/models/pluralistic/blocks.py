"""The blocks that Pluralistic is built of, each in the cheapest form of its arithmetic.

Two identities are used throughout. A 3 x 3 convolution followed by the mean over cells of 2 x 2 is one 4 x 4
convolution of stride 2; a 1 x 1 convolution and such a mean may change places. Both are exact, in training as well.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.nn.inference import Prepared, block_bytes
from inpaint.nn.plain import HasPlainForm

SLOPE = 0.1  # of every leaky ReLU but those in the attention's block
ATTENTION_SLOPE = 0.01

# Most bytes of attention weights at a time, where they are computed in parts. A part stays in a CPU's cache.
CPU_MAP_BYTES = 4 * 2**20  # for each thread
ACCELERATOR_MAP_BYTES = 512 * 2**20


def pooling_kernel(weight: Tensor) -> Tensor:
    """Return the (O, I, 4, 4) kernel of stride 2 that does what (O, I, 3, 3) and a mean over 2 x 2 cells do."""
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))
    shifts = [F.pad(wide, (left, 1 - left, top, 1 - top)) for top in (0, 1) for left in (0, 1)]
    return (sum(shifts[1:], shifts[0]) / 4).to(weight.dtype)


class PoolingConv2d(nn.Conv2d, Prepared):
    """A 3 x 3 convolution and the mean over cells of 2 x 2: (B, I, H, W) -> (B, O, H // 2, W // 2)."""

    prepared = ("kernel",)

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)
        self.kernel: Tensor | None
        self.register_buffer("kernel", None, persistent=False)

    def prepare_for_inference(self) -> None:
        """Compute the kernel of both steps once."""
        self.kernel = pooling_kernel(self.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and average."""
        kernel = pooling_kernel(self.weight) if self.kernel is None else self.kernel
        return F.conv2d(x, kernel, self.bias, stride=2, padding=1)


class StartBlock(nn.Module):
    """The first block, from an image, which halves the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = PoolingConv2d(outputs, outputs)
        self.bypass = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, H/2, W/2)."""
        inner: Tensor = self.conv2(F.leaky_relu_(self.conv1(x), SLOPE))
        shortcut: Tensor = self.bypass(F.avg_pool2d(x, 2))
        return inner + shortcut


class ResBlock(nn.Module):
    """A residual block that begins with the activation; with `down` it halves the size."""

    def __init__(
        self, inputs: int, outputs: int, hidden: int | None = None, *, down: bool = False, slope: float = SLOPE
    ) -> None:
        super().__init__()
        hidden = outputs if hidden is None else hidden
        self.conv1 = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.conv2 = PoolingConv2d(hidden, outputs) if down else nn.Conv2d(hidden, outputs, 3, padding=1)
        self.bypass = nn.Conv2d(inputs, outputs, 1)
        self.down = down
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, H, W), or half of the size."""
        inner: Tensor = self.conv1(F.leaky_relu(x, self.slope))
        inner = self.conv2(F.leaky_relu_(inner, self.slope))
        shortcut: Tensor = self.bypass(F.avg_pool2d(x, 2) if self.down else x)
        return inner + shortcut


class InstanceNorm(nn.Module):
    """Instance normalization with scale and shift and the leaky ReLU behind it; statistics in at least float32."""

    eps = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (B, C, H, W) over its places and apply the activation; the dtype stays."""
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        # Several times as fast as torch.var_mean in channels_last layout, and as exact.
        centered = exact - exact.mean(dim=(2, 3), keepdim=True)
        variance = centered.square().mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
        scale = self.weight.view(1, -1, 1, 1) * torch.rsqrt(variance + self.eps)
        if torch.is_grad_enabled() and centered.requires_grad:
            shifted = torch.addcmul(self.bias.view(1, -1, 1, 1), centered, scale)
        else:
            shifted = centered.mul_(scale).add_(self.bias.view(1, -1, 1, 1))  # fresh memory would cost more
        return F.leaky_relu_(shifted, SLOPE).to(x.dtype)


class UpBlock(Prepared):
    """A residual block that doubles the size; its two transposed convolutions are one on their inputs together."""

    prepared = ("kernel",)

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = InstanceNorm(inputs)
        self.conv1 = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.norm2 = InstanceNorm(hidden)
        self.conv2 = nn.ConvTranspose2d(hidden, outputs, 3, stride=2, padding=1, output_padding=1)
        self.bypass = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.kernel: Tensor | None
        self.register_buffer("kernel", None, persistent=False)

    def prepare_for_inference(self) -> None:
        """Join both kernels once."""
        self.kernel = self._joined().detach()

    def _joined(self) -> Tensor:
        return torch.cat((self.conv2.weight, self.bypass.weight))  # (hidden + inputs, outputs, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        inner = self.norm2(self.conv1(self.norm1(x)))
        kernel = self._joined() if self.kernel is None else self.kernel
        assert self.conv2.bias is not None
        assert self.bypass.bias is not None
        both = torch.cat((inner, x.to(inner.dtype)), dim=1)
        return F.conv_transpose2d(
            both, kernel, self.conv2.bias + self.bypass.bias, stride=2, padding=1, output_padding=1
        )


class OutputBlock(nn.Module):
    """From features to an image in (-1, 1)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, H, W), sides of at least 2, to (B, 3, H, W)."""
        edged = F.pad(x, (1, 1, 1, 1), mode="reflect")
        image: Tensor = self.conv1(F.leaky_relu_(edged, SLOPE))
        return image.tanh()


def attend(query: Tensor, values: Tensor, *, plain: bool = False) -> Tensor:
    """Return softmax(Q Q^T) V for every image, in at least float32: key and query are the same, nothing is scaled.

    query: (B, n, c). values: (B, n, C), all that is to be mixed by the same weights. plain: in one piece, whatever the
    size. Returns (B, n, C).
    """
    with torch.autocast(query.device.type, enabled=False):
        exact = torch.promote_types(query.dtype, torch.float32)
        query, values = query.to(exact), values.to(exact)
        if plain:
            return (query @ query.transpose(1, 2)).softmax(dim=-1) @ values
        if query.is_cuda:
            return F.scaled_dot_product_attention(query[:, None], query[:, None], values[:, None], scale=1.0)[:, 0]
        batch, count, _ = query.shape
        rows = max(block_bytes(CPU_MAP_BYTES) // (batch * count * query.element_size()), 1)
        if torch.is_grad_enabled() and query.requires_grad:
            rows = max(ACCELERATOR_MAP_BYTES // (batch * count * query.element_size()), rows)
        keys = query.transpose(1, 2)  # (B, c, n)
        parts = [(part @ keys).softmax(dim=-1) @ values for part in torch.split(query, rows, dim=1)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _places(x: Tensor) -> Tensor:
    """Return (B, n, C) of (B, C, H, W)."""
    return x.flatten(2).transpose(1, 2)


class SelfAttention(nn.Module):
    """Attention of features to themselves, added with a learned weight; the discriminators' (section 3.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // 4, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same size: gamma * attended + x."""
        mixed = attend(_places(self.query_conv(x)), _places(x)).transpose(1, 2).reshape(x.shape)
        added: Tensor = self.gamma * mixed + x
        return added.to(x.dtype)


class ShortLongAttention(HasPlainForm):
    """Short+long term attention (section 3.3): the decoder's features mix among themselves and with the encoder's.

    With A the attention of the decoder's features x to themselves, and e the encoder's features of the same size:
    s = gamma * A x + x; l = alpha * (1 - m) * A e + m * e, m = 1 where the image is known; then a residual block
    of both. A is needed once, for x and e together.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // 4, 1)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.alpha = nn.Parameter(torch.zeros(1))
        self.model = ResBlock(2 * channels, channels, slope=ATTENTION_SLOPE)

    def forward(self, x: Tensor, encoded: Tensor, known: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same size; encoded (B, C, H, W), known (B, 1, H, W) between 0 and 1."""
        both = torch.cat((x, encoded.to(x.dtype)), dim=1)  # (B, 2C, H, W)
        attended = attend(_places(self.query_conv(x)), _places(both), plain=self.plain)
        mixed = attended.transpose(1, 2).reshape(both.shape)
        short, long = mixed.chunk(2, dim=1)
        short = self.gamma * short + x
        long = self.alpha * (1 - known) * long + known * encoded
        out: Tensor = self.model(torch.cat((short, long), dim=1).to(x.dtype))
        return out
