"""Spectral normalization (Miyato et al. 2018) by PyTorch's own parametrization, for every model.

One power iteration per forward pass in training and none in evaluation, so that evaluating a network does not change
it; the left and right vectors are buffers, constants for the gradient. Programs that iterate in evaluation as well are
followed in their first pass: their importers make that one iteration and store its vectors. For filling, the quotient
is computed once (`remove_spectral_norm`).

Initialize a layer before it is normalized: afterwards `layer.weight` is a quotient made anew at every access, and what
is written into it is lost without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

Layer = TypeVar("Layer", bound=nn.Module)


def spectrally_normalized(layer: Layer, *, dim: int | None = None) -> Layer:
    """Divide the layer's weight by its largest singular value from now on.

    Args:
        layer: Its weight is initialized already: the first vectors are drawn from torch's global generator and iterated
            on it.
        dim: The axis of the weight that gives the rows of the matrix; None is torch's choice, the output channels: 1
            for transposed convolutions, else 0. Some programs take 0 everywhere.

    Returns:
        The same layer.
    """
    weight = layer.weight
    if isinstance(weight, Tensor) and weight.is_meta:
        rows = (1 if isinstance(layer, nn.ConvTranspose2d) else 0) if dim is None else dim
        parametrize.register_parametrization(layer, "weight", _VectorsAlone(weight, rows))
    else:
        spectral_norm(layer, n_power_iterations=1, eps=1e-12, dim=dim)
    return layer


class _VectorsAlone(nn.Module):
    """What a layer without memory, on the device "meta", holds in its state; PyTorch's own would iterate on nothing.

    Iterating there takes Python's way through every operator: seconds for a network of forty layers.
    """

    def __init__(self, weight: Tensor, rows: int) -> None:
        super().__init__()
        height = weight.shape[rows]
        self.register_buffer("_u", weight.new_empty(height))
        self.register_buffer("_v", weight.new_empty(weight.numel() // height))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight, which has no values either."""
        assert weight.is_meta, "a layer that was normalized on the device meta tells shapes alone: build it elsewhere"
        return weight


def stored_weight(layer: nn.Module) -> Tensor:
    """Return the weight that is trained and saved, not the quotient: what an initialization must have reached."""
    if parametrize.is_parametrized(layer, "weight"):
        original: Tensor = layer.parametrizations.weight.original  # type: ignore[union-attr, assignment]
        return original
    weight: Tensor = layer.weight  # type: ignore[assignment]
    return weight


def remove_spectral_norm(network: nn.Module) -> None:
    """Replace every normalized weight below `network` by its quotient, for good: for networks that train no more."""
    network.eval()  # in training mode the quotient would come from one more iteration
    for layer in list(network.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            with torch.no_grad():
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


@torch.no_grad()
def converge(network: nn.Module, iterations: int = 50) -> None:
    """Iterate the singular vectors below `network`, as must be done after its weights have been replaced by others."""
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            training = layer.training
            layer.train()
            for _ in range(iterations):
                _ = layer.weight
            layer.train(training)


@contextmanager
def normalized_in_full_precision(layers: Iterable[nn.Module]) -> Iterator[None]:
    """Normalize the weights of those layers that are normalized once, outside of autocast, for use within the block.

    Autocast would run the power iteration in half precision and keep its error in the singular vectors.
    """
    with parametrize.cached():
        for layer in layers:
            if parametrize.is_parametrized(layer, "weight"):  # not removed yet
                with torch.autocast(next(layer.parameters()).device.type, enabled=False):
                    _ = layer.weight
        yield
