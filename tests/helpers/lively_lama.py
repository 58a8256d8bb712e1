"""LaMa networks that paint visibly, images for them, and files as the public program writes them."""

import torch
from torch import nn

from inpaint.models.lama.network import Network
from inpaint.models.lama.weights import (
    discriminator_layers,
    ffc_layers,
    interleaved_to_halves,
    regular_layers,
)

NORMS = (nn.BatchNorm2d,)


def enlivened(network, seed=0):
    """Redraw weights and statistics, so that every one of them shows in the output and signals keep their size."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                inputs = (
                    module.weight[:, 0].numel() if isinstance(module, nn.ConvTranspose2d) else module.weight[0].numel()
                )
                module.weight.copy_(1.4 * draw(module.weight.shape) / inputs**0.5)
                if module.bias is not None:
                    module.bias.copy_(0.3 * draw(module.bias.shape))
            elif isinstance(module, NORMS):
                module.weight.copy_(0.7 + 0.2 * draw(module.weight.shape))
                module.bias.copy_(0.2 * draw(module.bias.shape))
                module.running_mean.copy_(0.2 * draw(module.bias.shape))
                module.running_var.copy_(draw(module.bias.shape).square() + 0.5)
    return network


def sample(height=32, width=48, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    mask[-1, :, height // 3 :, : width // 2] = 1
    return image.to(dtype), mask.to(dtype)


def network_and_file(config):
    """Return a network, its discriminator and the entries of the file in which the public program would keep both."""
    network = enlivened(Network(config).double())
    discriminator = enlivened(Network.discriminators(config)["discriminator"].double(), seed=1)
    layers = dict((ffc_layers if config.kind == "ffc" else regular_layers)(config))
    file = {}
    for name, value in network.generator.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if ".mix." in name and value.ndim:
            back = interleaved_to_halves(len(value)).argsort()
            value = value[back][:, back] if value.ndim == 4 else value[back]
        file[f"generator.{layers[layer]}.{kind}"] = value
    layers = dict(discriminator_layers())
    for name, value in discriminator.state_dict().items():
        layer, _, kind = name.rpartition(".")
        file[f"discriminator.{layers[layer]}.{kind}"] = value
    return network.eval(), discriminator.eval(), file
