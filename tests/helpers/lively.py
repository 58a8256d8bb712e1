"""Networks that paint visibly, whatever their kind."""

import torch
from torch import nn


def enlivened(network, seed=0, *, scale=1.0):
    """Redraw weights and statistics, so that every one of them shows in the output and signals keep their size.

    scale: mean of the scales of batch norm; deep residual networks keep their signals' size with less than 1.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                kernel = module.weight[:, 0] if isinstance(module, nn.ConvTranspose2d) else module.weight[0]
                module.weight.copy_(1.4 * draw(module.weight.shape) / kernel.numel() ** 0.5)
                if module.bias is not None:
                    module.bias.copy_(0.3 * draw(module.bias.shape))
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(scale + 0.2 * draw(module.weight.shape))
                module.bias.copy_(0.2 * draw(module.bias.shape))
                module.running_mean.copy_(0.2 * draw(module.bias.shape))
                module.running_var.copy_(draw(module.bias.shape).square() + 0.5)
    return network
