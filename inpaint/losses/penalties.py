"""Penalties on a discriminator's gradient with respect to the picture.

The gradient is that of the sum of a picture's scores, so for a patch discriminator it grows with the overlap of the
patches, as in the public programs. Call them outside of autocast: a gradient of a gradient is beyond half precision.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def r1_penalty(judge: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return E[|grad D(x)|^2] / 2 over true pictures (Mescheder et al., arXiv 1801.04406, eq. 9, without gamma)."""
    return 0.5 * _gradient(judge, real).square().flatten(1).sum(dim=1).mean()


def gradient_penalty(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, mask: Tensor | None = None
) -> Tensor:
    """Return E[(|grad D(u)| - 1)^2], u uniform between a true and a painted picture (1704.00028, eq. 3).

    mask (B, 1, H, W): where the gradient counts; None = everywhere. Draws a number per picture from torch's generator.
    """
    shares = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
    gradient = _gradient(judge, torch.lerp(real, fake, shares))
    if mask is not None:
        gradient = gradient * mask
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)  # (B,)
    return (norm - 1).square().mean()


def _gradient(judge: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    picture = picture.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(judge(picture).sum(), picture, create_graph=True)
    return gradient
