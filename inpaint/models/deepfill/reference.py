"""DeepFillv2 in the plain arithmetic of the papers' program: what tests and speed measurements compare with.

Features and gates by separate convolutions, upsampling by repeated pixels, attention with every patch built, sample by
sample. Slow on purpose and in the layout of its input; shares weights and configuration with a `Network`, and padding,
nothing else. `Port` differs in one thing, which public ports in PyTorch do better: features and gates come from one
convolution of twice the width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.deepfill.network import Network
from inpaint.nn.attention import sample_features, sample_mask
from inpaint.nn.gated import GatedConv2d
from inpaint.nn.padding import PaddedConv2d, pad, same_amount


class PlainConv(nn.Module):
    """A layer of the network with one convolution for the features and, if it is gated, another for the gates.

    joint: one convolution for both.
    """

    def __init__(self, layer: PaddedConv2d, *, joint: bool = False) -> None:
        super().__init__()
        self.layer = (layer.kernel_size[0], layer.stride[0], layer.dilation[0], layer.border)
        gated = isinstance(layer, GatedConv2d)
        self.activation = layer.activation if isinstance(layer, GatedConv2d) else "none"
        self.upsample = isinstance(layer, GatedConv2d) and layer.upsample
        self.gated = gated
        parts = 2 if gated and not joint else 1
        bias = layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias
        self.weights = nn.ParameterList([part.detach().clone() for part in layer.weight.contiguous().chunk(parts)])
        self.biases = nn.ParameterList([part.detach().clone() for part in bias.chunk(parts)])

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) as `GatedConv2d` or `PaddedConv2d` does."""
        kernel, stride, dilation, border = self.layer
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        if border == "same_tf":
            top, bottom = same_amount(x.shape[-2], kernel, stride=stride, dilation=dilation)
            left, right = same_amount(x.shape[-1], kernel, stride=stride, dilation=dilation)
        else:
            top = bottom = left = right = dilation * (kernel - 1) // 2
        if border in ("zero", "same_tf") and (top, left) == (bottom, right):
            border_in_convolution = (top, left)
        else:
            x, border_in_convolution = pad(x, (left, right, top, bottom), mode=border), (0, 0)
        convolved = [
            F.conv2d(x, weight, bias, stride, border_in_convolution, dilation)
            for weight, bias in zip(self.weights, self.biases, strict=True)
        ]
        if not self.gated:
            return convolved[0]
        feature, gate = convolved if len(convolved) == 2 else convolved[0].chunk(2, dim=1)
        if self.activation == "elu":
            feature = F.elu(feature)
        elif self.activation == "relu":
            feature = F.relu(feature)
        return feature * gate.sigmoid()


def attend(features: Tensor, grid: Tensor, known: Tensor, *, fuse: bool, drop: bool, inside: bool) -> Tensor:
    """Attend in one sample: features (1, C, 2h, 2w), grid (1, C, h, w), known (1, N, 1, 1), 1 or 0.

    Returns the sum of the pasted patches (1, C, 2h, 2w). drop: unknown keys take no part in the softmax. inside: 1e-4
    is added to each square of a key's norm, instead of clamping the norm.
    """
    channels, (h, w) = features.shape[1], grid.shape[-2:]
    values = F.unfold(features, 4, padding=1, stride=2)[0].T.reshape(h * w, channels, 4, 4)
    keys = F.unfold(grid, 3, padding=1)[0].T.reshape(h * w, channels, 3, 3)
    if inside:
        norms = (keys.square() + 1e-4).sum((1, 2, 3), keepdim=True).sqrt()
    else:
        norms = keys.square().sum((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-4)
    scores = F.conv2d(grid, keys / norms, padding=1)  # (1, N, h, w): key, query
    if fuse:
        identity = torch.eye(3, dtype=grid.dtype, device=grid.device)[None, None]
        scores = F.conv2d(scores.reshape(1, 1, h * w, h * w), identity, padding=1)
        scores = scores.view(1, h, w, h, w).permute(0, 2, 1, 4, 3)
        scores = F.conv2d(scores.reshape(1, 1, h * w, h * w), identity, padding=1)
        scores = scores.view(1, w, h, w, h).permute(0, 2, 1, 4, 3).reshape(1, h * w, h, w)
    logits = 10 * scores * known
    if drop:
        # Finite, so that a mask without any known key gives 0 and not NaN.
        logits = logits.masked_fill(known == 0, torch.finfo(logits.dtype).min)
    weights = logits.softmax(dim=1) * known
    return F.conv_transpose2d(weights, values, stride=2, padding=1)


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied."""

    joint = False  # whether one convolution computes features and gates

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        self.layers = nn.ModuleDict(
            {
                name: PlainConv(layer, joint=self.joint)
                for name, layer in network.generator.named_children()
                if isinstance(layer, PaddedConv2d)
            }
        )

    def _run(self, x: Tensor, prefix: str, first: int, last: int) -> Tensor:
        for number in range(first, last + 1):
            x = self.layers[f"{prefix}{number}"](x)
        return x

    def _attention(self, features: Tensor, mask: Tensor) -> Tensor:
        options = self.config.attention
        grid = sample_features(features, mode=options.sampling)
        small = sample_mask(mask, mode=options.mask_sampling)
        out = []
        for number in range(features.shape[0]):
            part = slice(number, number + 1)
            holes = F.unfold(small[part], 3, padding=1)  # (1, 9, N)
            known = (holes.mean(dim=1) == 0).to(features.dtype).view(1, -1, 1, 1)
            drop, inside = options.masked == "inf", options.norm_eps == "inside"
            pasted = attend(features[part], grid[part], known, fuse=options.fuse, drop=drop, inside=inside)
            if options.overlap == "count":
                ones = F.unfold(torch.ones_like(features[part, :1]), 4, padding=1, stride=2)
                pasted = pasted / F.fold(ones, features.shape[-2:], 4, padding=1, stride=2)
            else:
                pasted = pasted / 4
            out.append(pasted)
        return torch.cat(out)

    def forward(self, image: Tensor, mask: Tensor, *, sketch: Tensor | None = None) -> dict[str, Tensor]:
        """Fill the holes: {"raw", "coarse"} as `Network` does, for sides it accepts."""
        config = self.config
        pm1 = config.value_range == "pm1"
        x = torch.where(mask > 0.5, torch.zeros_like(image), image)
        x = x * 2 - 1 if pm1 else x
        ones = torch.ones_like(mask)
        planes = [torch.where(mask > 0.5, torch.full_like(x, config.hole_fill), x)]
        if config.sketch:
            planes.append(torch.zeros_like(mask) if sketch is None else torch.where(mask > 0.5, sketch, 0 * mask))
        planes += [ones, mask] if config.stage1_input == "image_ones_mask" else [mask]
        coarse = self._run(torch.cat(planes, dim=1), "conv", 1, 17).tanh()
        planes = [torch.where(mask > 0.5, coarse, x)]
        if config.stage2_input != "image":
            planes += [ones, mask] if config.stage2_input == "image_ones_mask" else [mask]
        pasted = torch.cat(planes, dim=1)
        convolved = self._run(pasted, "xconv", 1, 10)
        attended = self._attention(self._run(pasted, "pmconv", 1, 6), mask)
        both = torch.cat((convolved, self._run(attended, "pmconv", 9, 10)), dim=1)
        refined = self._run(both, "allconv", 11, 17).tanh()
        return {"raw": (refined + 1) / 2 if pm1 else refined, "coarse": (coarse + 1) / 2 if pm1 else coarse}


class Port(Reference):
    """The same as public ports in PyTorch compute it (nipponjo's, for one): what a user would otherwise run."""

    joint = True
