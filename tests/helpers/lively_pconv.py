"""Partial-convolution networks that paint visibly, and images for them."""

import torch
from torch import nn


def enlivened(network, seed=0):
    """Redraw weights and statistics, so that every one of them shows in the output and signals keep their size."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(1.4 * draw(module.weight.shape) / module.weight[0].numel() ** 0.5)
                if module.bias is not None:
                    module.bias.copy_(0.3 * draw(module.bias.shape))
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(1 + 0.2 * draw(module.weight.shape))
                module.bias.copy_(0.2 * draw(module.bias.shape))
                module.running_mean.copy_(0.2 * draw(module.bias.shape))
                module.running_var.copy_(draw(module.bias.shape).square() + 0.5)
    return network


def sample(height=32, width=48, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = (torch.rand(batch, 1, height, width, generator=generator) < 0.3).double()
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    return image.to(dtype), mask.to(dtype)
