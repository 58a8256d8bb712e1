"""The matting Laplacian: how far an image is from being, in every small window, an affine function of another's colors.

Levin, Lischinski and Weiss, "A Closed Form Solution to Natural Image Matting" (CVPR 2006). It is applied by sums over
windows in time and memory linear in the pixels; no matrix is built. Everything is float64: in float32 the inverse
covariances of smooth windows, and so the products, are wrong by several times their size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint.errors import InputError


class MattingLaplacian:
    """The symmetric, positive semi-definite matrix M of an image, as what it does to planes of numbers.

    v^T M v is the sum over all windows that lie inside the frame of the squared residuals of fitting v by an affine
    function of the image's colors, whose slopes cost eps times their squares.

    Args:
        image: (C, H, W) in [0, 1].
        radius_px: A window has 2 r + 1 pixels a side.
        eps: What slopes cost. The larger, the smoother v has to be where the image hardly varies.

    Raises:
        InputError: The image is smaller than a window.
    """

    def __init__(self, image: Tensor, *, radius_px: int = 1, eps: float = 1e-7) -> None:
        side = 2 * radius_px + 1
        if image.ndim != 3 or min(image.shape[-2:]) < side:
            raise InputError(
                f"the image must be (C, H, W) with sides of at least {side} pixels, got {tuple(image.shape)}"
            )
        wide = image.detach().to(_device(image.device)).to(torch.float64)
        # Covariances do not depend on where colors begin; near 0 they lose fewer digits.
        self.image = wide - wide.mean(dim=(1, 2), keepdim=True)
        self.radius_px = radius_px
        self.pixels = side * side
        channels = len(wide)
        self.means = self._sums(self.image) / self.pixels  # (C, h, w)
        products = self._sums(self.image[:, None] * self.image[None]) / self.pixels
        covariance = products - self.means[:, None] * self.means[None]  # (C, C, h, w)
        ridge = (eps / self.pixels) * torch.eye(channels, dtype=torch.float64, device=wide.device)
        self.inverse = torch.linalg.inv(covariance.permute(2, 3, 0, 1) + ridge).permute(2, 3, 0, 1)
        self.windows = self._spread(torch.ones_like(self.means[0]))  # (H, W), in how many a pixel lies

    def product(self, values: Tensor) -> Tensor:
        """Return M v of planes (..., H, W), shaped like them, float64."""
        v = values.detach().to(self.image)[..., None, :, :]  # (..., 1, H, W)
        mean = self._sums(v) / self.pixels
        joint = self._sums(self.image * v) / self.pixels - self.means * mean  # (..., C, h, w)
        slope = (self.inverse * joint[..., None, :, :, :]).sum(dim=-3)
        offset = mean[..., 0, :, :] - (slope * self.means).sum(dim=-3)
        fitted = (self.image * self._spread(slope)).sum(dim=-3) + self._spread(offset)
        return self.windows * v[..., 0, :, :] - fitted

    def energies(self, values: Tensor) -> Tensor:
        """Return v^T M v of planes (..., H, W), one number for each."""
        return (values.detach().to(self.image) * self.product(values)).sum(dim=(-2, -1))

    def diagonal(self) -> Tensor:
        """Return the matrix's diagonal, (H, W)."""
        towards = (self.inverse * self.means).sum(dim=1)  # Sigma^-1 mu, (C, h, w)
        squares = (self._spread(self.inverse) * self.image * self.image[:, None]).sum(dim=(0, 1))
        crossed = 2 * (self._spread(towards) * self.image).sum(dim=0)
        constant = self._spread((towards * self.means).sum(dim=0))
        return self.windows - (self.windows + squares - crossed + constant) / self.pixels

    def _sums(self, planes: Tensor) -> Tensor:
        """Return sums (..., h, w) over all windows that lie inside of planes (..., H, W)."""
        side = 2 * self.radius_px + 1
        height, width = planes.shape[-2] - side + 1, planes.shape[-1] - side + 1
        rows = planes[..., :height, :].clone()
        for k in range(1, side):
            rows += planes[..., k : k + height, :]
        found = rows[..., :width].clone()
        for k in range(1, side):
            found += rows[..., k : k + width]
        return found

    def _spread(self, planes: Tensor) -> Tensor:
        """Return the sum (..., H, W) over the windows in which a pixel lies; the transpose of `_sums`."""
        reach = 2 * self.radius_px
        return self._sums(F.pad(planes, (reach, reach, reach, reach)))


def _device(device: torch.device) -> torch.device:
    return torch.device("cpu") if device.type == "mps" else device  # which has no float64
