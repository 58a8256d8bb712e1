"""What a network computes once instead of in every pass, when it trains no more."""

from __future__ import annotations

from abc import abstractmethod

from torch import nn

from inpaint.nn.spectral import fold


class Prepared(nn.Module):
    """Base of layers that can compute something once, for networks that train no more."""

    @abstractmethod
    def prepare_for_inference(self) -> None:
        """Compute it."""


def prepare_for_inference(network: nn.Module) -> None:
    """Divide spectral norms out, then prepare every layer below the network that can be."""
    fold(network)
    for module in list(network.modules()):
        if isinstance(module, Prepared):
            module.prepare_for_inference()
