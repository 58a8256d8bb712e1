"""Spectral normalization (Miyato et al. 2018) by PyTorch's own parametrization.

One power iteration per forward pass in training and none in evaluation, so that evaluating a network does not change
it; the left and right vectors are buffers, constants for the gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

Layer = TypeVar("Layer", bound=nn.Module)


def spectrally_normalized(layer: Layer) -> Layer:
    """Divide the layer's weight by its largest singular value from now on; returns the same layer.

    Initialize the weight before: the starting vectors are drawn from torch's global generator and iterated on it.
    """
    spectral_norm(layer, n_power_iterations=1, eps=1e-12)
    return layer


@contextmanager
def normalized_in_full_precision(layers: Iterable[nn.Module]) -> Iterator[None]:
    """Normalize the weights of all layers once, outside of autocast, and use them within the block.

    Autocast would run the power iteration in half precision and keep its error in the singular vectors.
    """
    with parametrize.cached():
        for layer in layers:
            with torch.autocast(next(layer.parameters()).device.type, enabled=False):
                _ = layer.weight
        yield
