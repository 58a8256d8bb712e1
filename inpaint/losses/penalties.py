"""Penalties on a discriminator's gradient with respect to the image.

The gradient is that of the sum of an image's logits, so for a patch discriminator it grows with the overlap of the
patches, as in the public programs. Call them outside of autocast: a gradient of a gradient is beyond half precision.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return E[|grad D(x)|^2] / 2 over real images (Mescheder et al., arXiv 1801.04406, eq. 9, without gamma).

    Args:
        discriminator: From images (B, C, H, W) to logits (B, ...).
        real: Real images (B, C, H, W).

    Returns:
        A scalar that can be differentiated once more.
    """
    return 0.5 * _gradient(discriminator, real).square().flatten(1).sum(dim=1).mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, mask: Tensor | None = None
) -> Tensor:
    """Return E[(|grad D(u)| - 1)^2], u uniform between a real and a generated image (1704.00028, eq. 3).

    Args:
        discriminator: From images (B, C, H, W) to logits (B, ...).
        real: Real images (B, C, H, W).
        fake: Generated images (B, C, H, W).
        mask: Where the gradient counts, (B, 1, H, W); None = everywhere.

    Returns:
        A scalar that can be differentiated once more. A number per image is drawn from torch's global generator.
    """
    shares = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
    gradient = _gradient(discriminator, torch.lerp(real, fake, shares))
    if mask is not None:
        gradient = gradient * mask
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)  # (B,)
    return (norm - 1).square().mean()


def _gradient(discriminator: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    image = image.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(image).sum(), image, create_graph=True)
    return gradient
