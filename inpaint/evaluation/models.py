"""The models that are compared: their labels, what tells one from another, and how a process gets them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint.errors import UsageError
from inpaint.evaluation.manifest import MASKED, ORIGINAL
from inpaint.registry.loading import described, load
from inpaint.registry.table import names
from inpaint.types import Capabilities, Inpainter
from inpaint.weights.places import HUB_PREFIX, weights_at
from inpaint.weights.runs import CHECKPOINT_SUFFIX, RunFolder, Which, runs_in

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


def expanded(specs: Sequence[str]) -> list[str]:
    """Return the models with each folder of runs, a sweep's for instance, replaced by its runs in their order."""
    return [run for spec in specs for run in _runs(spec)]


def label_models(specs: Sequence[str]) -> dict[str, str]:
    """Return a label for each model: a registered name itself, else the run folder's or file's name.

    Args:
        specs: What `inpaint.load` takes. Where two would share a label both keep what was given.

    Returns:
        {label: what was given}, in the order given.

    Raises:
        UsageError: A model is given twice.

    Example:
        >>> label_models(["telea", "checkpoints/my-run", "other/model.safetensors"])
        {'telea': 'telea', 'my-run': 'checkpoints/my-run', 'other': 'other/model.safetensors'}
        >>> list(label_models(["checkpoints/my-run", "checkpoints/my-run/best.ckpt"]))
        ['my-run', 'my-run-best']
    """
    twice = [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]
    if twice:
        raise UsageError(f"model {twice[0]} is given twice; name each once")
    short = [_short_name(spec) for spec in specs]
    # Those of pictures that are no fills belong to no model.
    unique = [name if short.count(name) == 1 and name not in (MASKED, ORIGINAL) else "" for name in short]
    return {name or spec: spec for name, spec in zip(unique, specs, strict=True)}


def identity(spec: str, options: Mapping[str, object] | None = None, *, weights: Which = "last") -> str:
    """Return what tells this model from others of the same name, to be recorded with its results.

    Args:
        spec: What `inpaint.load` takes.
        options: What it is loaded with.
        weights: Which of a run's.

    Returns:
        "sha256:..." of its weights' tensors and configuration, whatever file holds them, else what was given; and the
        options.

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


def _runs(spec: str) -> list[str]:
    if spec in names() or spec.startswith(HUB_PREFIX) or not Path(spec).is_dir() or RunFolder(spec).holds_run():
        return [spec]
    found = [str(path) for path in runs_in(spec) if RunFolder(path).holds_run()]
    return found or [spec]  # told by whoever loads it


def _short_name(spec: str) -> str:
    if spec in names() or spec.startswith(HUB_PREFIX):
        return spec.removeprefix(HUB_PREFIX)
    path = Path(spec).resolve()
    run = RunFolder.of(path)
    if path == run.weights:
        return run.path.name
    if path.suffix == CHECKPOINT_SUFFIX or path == run.best_weights:
        return f"{run.path.name}-{path.stem}"  # my-run-best
    return path.stem if path.is_file() else path.name


def _origin(spec: str, weights: Which) -> str:
    path = None if spec in names() or spec.startswith(HUB_PREFIX) else weights_at(spec, weights)
    if path is None or not path.is_file():
        return spec
    from inpaint.weights.files import load_weights

    tensors, metadata = load_weights(path)
    return f"sha256:{tensors_hash(tensors, [metadata.model, metadata.config])}"
