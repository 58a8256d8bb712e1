"""VCNet in the plain arithmetic of the public programs: what tests and speed measurements compare with.

Torch's own convolutions with what they see beyond the border laid around first, pixels repeated before a 1 x 1
convolution reads them, and normalization by means and deviations that are summed up region by region, all in the layout
of the input. Shares weights and configuration with a `Network`, which are copied, and nothing else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.models.vcnet.network import Network

EPS = 1e-5
HALVING = ("down1", "down2")
DILATIONS = {"wide2": 2, "wide4": 4, "wide.0": 2, "wide.1": 2, "wide.2": 4, "wide.3": 4}


class Reference(nn.Module):
    """A `Network` computed plainly: the same images and masks from the same weights, which are copied."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.config = network.config
        values = {name: nn.Parameter(value.clone()) for name, value in network.state_dict().items()}
        self.values = nn.ParameterDict({name.replace(".", "/"): value for name, value in values.items()})
        self.eval()

    def forward(self, image: Tensor, mask: Tensor, *, find: bool = False) -> dict[str, Tensor]:
        """Paint as `Network` does: {"raw"}, and with find "mask_logits", too."""
        x = 2 * image - 1
        near = self._block("mask_network.wide2", self._downwards("mask_network", x))
        far = self._block("mask_network.wide4", near)
        y = self._paint(x, mask, far)
        y = y.tanh() if self.config.output == "tanh" else y.clamp(-1, 1)
        painted = {"raw": (y + 1) / 2}
        if not find:
            return painted
        if self.config.mask_branch == "shallow":
            m = F.elu(self._conv("mask_network.middle", near))
        else:
            m = self._block("mask_network.middle", far)
        m = self._block("mask_network.up2", self._block("mask_network.up1", m))
        return painted | {"mask_logits": self._conv("mask_network.head", F.elu(self._conv("mask_network.compress", m)))}

    def _downwards(self, front: str, x: Tensor) -> Tensor:
        for name in HALVING:
            x = self._block(f"{front}.{name}", x)
        return x

    def _paint(self, x: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        masks = (mask, mask[..., ::2, ::2], mask[..., ::4, ::4])
        places = {"stem": 0, "down1": 1, "keep1": 1, "down2": 2, "keep2": 2}
        places |= {f"wide.{number}": 2 for number in range(4)} | {"last": 2}
        for name, size in places.items():
            x = self._block(f"generator.{name}", x, masks[size])
        if self.config.bottleneck == "quarter":
            x = torch.cat((x, features), dim=1)
        for name, size in {"up1": 1, "keep3": 1, "up2": 0, "keep4": 0}.items():
            x = self._block(f"generator.{name}", x, masks[size])
        if self.config.bottleneck == "full":
            wide = F.interpolate(features, x.shape[-2:], mode="bilinear", align_corners=True)
            x = torch.cat((x, wide), dim=1)
            for number in range(2):
                x = F.elu(self._conv(f"generator.compress.{number}", x))
        return self._conv("generator.head", x)

    def _has(self, name: str) -> bool:
        return name.replace(".", "/") in self.values

    def _value(self, name: str) -> Tensor:
        value: Tensor = self.values[name.replace(".", "/")]
        return value

    def _conv(self, name: str, x: Tensor, *, stride: int = 1, dilation: int = 1) -> Tensor:
        """Convolve x (B, C, H, W) with zeros laid around it."""
        weight, bias = self._value(f"{name}.weight"), self._value(f"{name}.bias")
        reach = dilation * (weight.shape[-1] - 1)
        before, after = reach // 2, reach // 2
        if self.config.padding == "same_tf" and stride == 2:  # of an even side: one zero less in front
            before, after = (reach - 1) // 2, reach // 2
        return F.conv2d(F.pad(x, (before, after, before, after)), weight, bias, stride, 0, dilation)

    def _block(self, name: str, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute a residual block; mask: (B, 1, h, w) of the size that comes out, for those that normalize."""
        kind = name.partition(".")[2]
        stride, dilation = 2 if kind in HALVING else 1, DILATIONS.get(kind, 1)
        if kind.startswith("up"):
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        y = F.elu(self._conv(f"{name}.c1", x, stride=stride, dilation=dilation))
        y = self._conv(f"{name}.c2", y, dilation=dilation)
        if mask is not None:
            y = self._normalized(name, y, mask)
        if self._has(f"{name}.c3.weight"):
            y = y + F.conv2d(x, self._value(f"{name}.c3.weight"), self._value(f"{name}.c3.bias"), stride)
        elif self.config.shortcuts == "changed":
            y = y + x
        return F.elu(y)

    def _normalized(self, name: str, x: Tensor, hole: Tensor) -> Tensor:
        """Move the features of the hole to the statistics of what is known."""
        kind, known = self.config.normalization.statistics, 1 - hole
        mean_hole, variance_hole = self._moments(x, hole)
        mean_known, variance_known = self._moments(x, known)
        if kind != "authors":
            variance_known = variance_known + EPS
        covered = x if kind == "weighted" else x * hole
        moved = (covered - mean_hole) / (variance_hole + EPS).sqrt() * variance_known.sqrt() + mean_known
        r = self._share(name, x)
        return (r * moved + (1 - r) * (covered if kind == "authors" else x)) * hole + x * known

    def _moments(self, x: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance (B, C, 1, 1) of a region (B, 1, h, w)."""
        kind = self.config.normalization.statistics
        area = part.sum((2, 3), keepdim=True)
        area = area + EPS if kind == "xyfjason" else area.clamp_min(EPS)
        taken = x * (part.square() if kind == "xyfjason" else part)
        mean = taken.sum((2, 3), keepdim=True) / area
        apart = part * (x - mean).square() if kind == "weighted" else (taken - mean).square()
        return mean, apart.sum((2, 3), keepdim=True) / area

    def _share(self, name: str, x: Tensor) -> Tensor | float:
        """Return how much of what was moved is taken, (B, C, 1, 1) or one number."""
        balance = self.config.normalization.balance
        if balance != "excited":
            return float(balance)
        front = f"{name}.norm.excitation"
        pooled = x.mean((2, 3), keepdim=True)
        inner = F.conv2d(pooled, self._value(f"{front}.0.weight"), self._value(f"{front}.0.bias")).relu()
        return F.conv2d(inner, self._value(f"{front}.2.weight"), self._value(f"{front}.2.bias")).sigmoid()
