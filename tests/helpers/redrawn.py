"""Networks whose outputs depend visibly on all that they read."""

import torch
from torch import nn

from inpaint.nn.spectral import converge


def redraw(network: nn.Module, gain: float = 2.4, seed: int = 0) -> nn.Module:
    """Redraw all weights so that signals keep their size through the gates; a fresh network paints almost plain gray.

    gain / sqrt(fan_in) with gain 2.4 keeps the deviation of activation(a) * sigmoid(g) near that of its input; scales
    of norms are near half of it, since what follows a norm is mostly no gate but a ReLU.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            scale = gain / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
            of_norm = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(noise * scale + (0.5 if of_norm else 0))
    converge(network)
    return network
