"""A model by what loads it, and what tells it from others: for processes and journals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inpaint.registry.loading import described, load
from inpaint.registry.table import names
from inpaint.registry.zoo import weights_at
from inpaint.system.files import sha256_of
from inpaint.types import Capabilities, Inpainter
from inpaint.weights.graphs import is_graph
from inpaint.weights.places import HUB_PREFIX
from inpaint.weights.runs import Which

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Loadable:
    """A model by what loads it, so that every process has its own.

    spec: what `inpaint.load` takes. options: what it is loaded with. weights: which of a run's.
    """

    spec: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: Which = "last"

    def load(self, device: str) -> Inpainter:
        """Return the model on a device. Raises what `inpaint.load` raises."""
        return load(self.spec, device=device, weights=self.weights, **self.options)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What it can do, known before it is loaded. Raises what `inpaint.load` raises."""
        found = described(self.spec, weights=self.weights, **self.options)
        return self.load("cpu").capabilities if found is None else found.capabilities

    def identity(self) -> str:
        """See `identity`."""
        return identity(self.spec, self.options, weights=self.weights)


def identity(spec: str, options: Mapping[str, object] | None = None, *, weights: Which = "last") -> str:
    """Return what tells this model from others of the same name, to be recorded with its results.

    Args:
        spec: What `inpaint.load` takes.
        options: What it is loaded with.
        weights: Which of a run's.

    Returns:
        "sha256:..." of its weights' tensors and configuration, whatever file holds them, of the whole file for an ONNX
        file, else what was given; and the options.

    Raises:
        WeightsError: The weights cannot be read.
    """
    return " ".join([_origin(spec, weights), *(f"{name}={value}" for name, value in sorted((options or {}).items()))])


def tensors_hash(tensors: Mapping[str, Tensor], about: object = None) -> str:
    """Return sixteen hexadecimal digits over tensors by their names, and over plain values that belong to them."""
    import torch

    found = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]


def _origin(spec: str, weights: Which) -> str:
    path = None if spec in names() or spec.startswith(HUB_PREFIX) else weights_at(spec, weights)
    if path is None or not path.is_file():
        return spec
    if is_graph(path):
        return f"sha256:{sha256_of(path)[:16]}"
    from inpaint.weights.files import load_weights

    tensors, metadata = load_weights(path)
    return f"sha256:{tensors_hash(tensors, [metadata.model, metadata.config])}"
