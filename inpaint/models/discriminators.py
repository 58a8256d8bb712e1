"""Networks from a weights file, ready for use; discriminators that lie beside one are built when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from inpaint.errors import UsageError, WeightsError, unknown
from inpaint.models.base import InpaintNetwork
from inpaint.nn.inference import prepare_for_inference
from inpaint.options import ModelConfig
from inpaint.weights.files import load_into, load_weights, read_metadata

Network = TypeVar("Network", bound=nn.Module)


def prepared(network: Network, tensors: Mapping[str, Tensor], *, dtype: torch.dtype, source: Path) -> Network:
    """Load tensors into a network and prepare it for use without training, in a type.

    Raises WeightsError when they do not fit.
    """
    # Some files hold more digits than float32; half precision is for the pass, not for what is computed once.
    network.to(dtype if dtype == torch.float64 else torch.float32)
    load_into(network, tensors, source=source)
    prepare_for_inference(network)
    return network.to(dtype).to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class StoredDiscriminators:
    """The discriminators of a model, as far as its weights file holds them.

    Args:
        path: The weights file.
        network: The model's network, which knows how to build them.
        config: Its configuration.
        dtype: That they compute in.
        device: Where they compute.
    """

    path: Path
    network: type[InpaintNetwork]
    config: ModelConfig
    dtype: torch.dtype
    device: torch.device
    _loaded: dict[str, nn.Module] = field(default_factory=dict, init=False)

    def role(self, name: str) -> str:
        """Return the role that a short name stands for."""
        return self.network.discriminator_names.get(name, name)

    def holds(self, name: str) -> bool:
        """Return whether the file holds the discriminator of that role or short name."""
        return self.role(name) in read_metadata(self.path).roles

    def named(self, name: str) -> nn.Module:
        """Return the discriminator of that role or short name.

        Raises:
            UsageError: The model has none of that name.
            WeightsError: The file does not hold it.
        """
        role = self.role(name)
        if role not in self._loaded:
            built = self.network.discriminators(self.config)
            if not built:
                raise UsageError(f"no discriminator '{name}': this model is trained without any")
            if role not in built:
                raise UsageError(unknown("discriminator", name, {*self.network.discriminator_names, *built}))
            if not self.holds(role):
                there = ", ".join(sorted(built.keys() & read_metadata(self.path).roles)) or "none"
                raise WeightsError(f"{self.path} does not hold the discriminator '{name}'; it holds: {there}")
            tensors = load_weights(self.path, only=f"{role}.")[0]
            state = {key.removeprefix(f"{role}."): value for key, value in tensors.items()}
            network = prepared(built[role], state, dtype=self.dtype, source=self.path)
            self._loaded[role] = network.eval().requires_grad_(False).to(self.device)
        return self._loaded[role]
