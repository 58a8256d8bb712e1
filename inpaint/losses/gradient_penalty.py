"""Penalties on the gradient of a discriminator with respect to its images.

The gradient is that of the sum of an image's logits, so for a patch discriminator it grows with the overlap of the
patches, as in the public programs. Call penalties outside of autocast: a gradient of a gradient is beyond half
precision.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def r1_penalty(
    discriminator: Callable[..., Tensor], real: Tensor, mask: Tensor | None = None, *, mask_weight: float = 1.0
) -> Tensor:
    """Return E[|grad D(x)|^2] / 2 over real images (Mescheder et al., arXiv 1801.04406, eq. 9, without gamma).

    Args:
        discriminator: From images (B, C, H, W), and masks where these are given, to logits (B, ...).
        real: Real images (B, C, H, W).
        mask: (B, 1, H, W), for discriminators that read it, where its gradient counts, too.
        mask_weight: What the squared gradient with respect to the mask counts beside that with respect to the image.

    Returns:
        A scalar that can be differentiated once more.
    """
    planes = (real,) if mask is None else (real, mask)
    weights = (1.0, mask_weight)
    squares = (
        weight * gradient.square().flatten(1).sum(dim=1)
        for weight, gradient in zip(weights, _gradients(discriminator, *planes), strict=False)
    )
    return 0.5 * sum(squares, real.new_zeros(len(real))).mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    mask: Tensor | None = None,
    slope: float = 1.0,
) -> Tensor:
    """Return E[(|grad D(u)| / slope - 1)^2], u uniform between a real and a generated image (1704.00028, eq. 3).

    Args:
        discriminator: From images (B, C, H, W) to logits (B, ...).
        real: Real images (B, C, H, W).
        fake: Generated images (B, C, H, W).
        mask: Where the gradient counts, (B, 1, H, W); None = everywhere.
        slope: The length that the gradient should have.

    Returns:
        A scalar that can be differentiated once more. A number per image is drawn from torch's global generator.
    """
    shares = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
    (gradient,) = _gradients(discriminator, torch.lerp(real, fake, shares))
    if mask is not None:
        gradient = gradient * mask
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)  # (B,)
    return (norm / slope - 1).square().mean()


def _gradients(discriminator: Callable[..., Tensor], *planes: Tensor) -> tuple[Tensor, ...]:
    leaves = [plane.detach().requires_grad_() for plane in planes]
    return torch.autograd.grad(discriminator(*leaves).sum(), leaves, create_graph=True)
