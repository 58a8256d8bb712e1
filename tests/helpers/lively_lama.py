"""Images for LaMa networks, and files as the public program writes them."""

import torch

from inpaint.models.lama.network import Network
from inpaint.models.lama.weights import (
    discriminator_layers,
    ffc_layers,
    interleaved_to_halves,
    regular_layers,
)
from lively import enlivened

SCALE = 0.7  # of batch norm, see `enlivened`


def sample(height=32, width=48, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    mask[-1, :, height // 3 :, : width // 2] = 1
    return image.to(dtype), mask.to(dtype)


def network_and_file(config):
    """Return a network, its discriminator and the entries of the file in which the public program would keep both."""
    network = enlivened(Network(config).double(), scale=SCALE)
    discriminator = enlivened(Network.discriminators(config)["discriminator"].double(), seed=1, scale=SCALE)
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
