"""PCT-Net in the plain arithmetic of the public program: what tests and speed measurements compare with.

Every batch norm is computed behind its convolution, the numbers of the transform are all enlarged at once, and each
pixel's matrix is multiplied with its colors by itself. Shares weights with a `Network`, which are copied, and nothing
else. Only the linear transform with an offset, which the program publishes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import UsageError
from inpaint.models.pctnet.network import MEAN, STD, Network

EPS = 1e-5  # of batch norms


class Reference(nn.Module):
    """A `Network` computed plainly: the same images from the same weights, which are copied.

    Raises:
        UsageError: The network's transform is another one.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        config = network.config
        if config.transform != "linear" or not config.offset or not config.clamp:
            raise UsageError("the plain arithmetic is that of the published transform: linear, with offset and clamp")
        self.config = config
        state = {name: value.detach().clone() for name, value in network.generator.state_dict().items()}
        # Dots have a meaning of their own in names of parameters.
        self.state = nn.ParameterDict(
            {
                name.replace(".", "/"): nn.Parameter(value, requires_grad=value.is_floating_point())
                for name, value in state.items()
                if value.is_floating_point()
            }
        )
        self.eval()

    def _get(self, name: str) -> Tensor | None:
        key = name.replace(".", "/")
        found: Tensor | None = self.state.get(key)
        return found

    def _layer(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._get(f"{name}.conv.weight"), self._get(f"{name}.conv.bias")
        assert weight is not None
        y = F.conv2d(x, weight, bias, padding=1)
        scale, shift = self._get(f"{name}.norm.weight"), self._get(f"{name}.norm.bias")
        mean, variance = self._get(f"{name}.norm.running_mean"), self._get(f"{name}.norm.running_var")
        if mean is not None and variance is not None:
            y = F.batch_norm(y, mean.detach(), variance.detach(), scale, shift, training=False, eps=EPS)
        return F.relu(y)

    def _gate(self, name: str, x: Tensor) -> Tensor:
        pooled = torch.cat((F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)), dim=1).flatten(1)
        for number, part in enumerate(("narrow", "widen")):
            weight = self._get(f"{name}.{part}.weight")
            assert weight is not None
            pooled = F.linear(pooled, weight, self._get(f"{name}.{part}.bias"))
            pooled = pooled.sigmoid() if number else pooled.relu()
        return x * pooled[:, :, None, None]

    def _attention(self, name: str, x: Tensor, mask: Tensor) -> Tensor:
        kernel = self._get(f"{name}.blur")
        assert kernel is not None
        small = F.interpolate(mask, x.shape[-2:], mode="bilinear", align_corners=True)
        inside = F.conv2d(small, kernel, padding=3)
        learned = self._layer(
            f"{name}.learned.1", self._layer(f"{name}.learned.0", self._gate(f"{name}.foreground", x))
        )
        return inside * (learned + self._gate(f"{name}.both", x)) + (1 - inside) * self._gate(f"{name}.background", x)

    def _predict(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        depth, x, skips = self.config.depth, torch.cat((image, mask), dim=1), list[Tensor]()
        for number in range(depth):
            if number:
                x = F.max_pool2d(x, 2)
            for each in range(2):
                x = self._layer(f"down.{number}.{each}", x)
            skips.insert(0, x)
        for number in range(depth - 1):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = torch.cat((skips[number + 1], self._layer(f"up.{number}.widen", x)), dim=1)
            if number >= self.config.attention_from:
                x = self._attention(f"up.{number}.attention", x, mask)
            for each in range(2):
                x = self._layer(f"up.{number}.convs.{each}", x)
        weights = [self._get(f"{name}.{kind}") for name in ("numbers", "attention") for kind in ("weight", "bias")]
        assert weights[0] is not None
        assert weights[2] is not None
        numbers, attention = F.conv2d(x, weights[0], weights[1]), F.conv2d(x, weights[2], weights[3])
        return numbers, torch.sigmoid(3 * attention)

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return what a `Network` does."""
        mean, std = (image.new_tensor(values)[None, :, None, None] for values in (MEAN, STD))
        size, small = image.shape[-2:], (self.config.working_px, self.config.working_px)
        x = (image - mean) / std
        numbers, attention = self._predict(
            F.interpolate(x, small, mode="bilinear"), F.interpolate(mask, small, mode="bilinear")
        )
        numbers, attention = (F.interpolate(each, size, mode="bicubic") for each in (numbers, attention))
        matrix = numbers[:, :9].movedim(1, -1).reshape(len(image), *size, 3, 3)
        colors = (matrix @ x.movedim(1, -1)[..., None])[..., 0] + numbers[:, 9:].movedim(1, -1)
        colors = (colors.movedim(-1, 1).clamp(0, 1) - mean) / std
        mixed = attention * colors + (1 - attention) * x
        return {"raw": mixed * std + mean}
