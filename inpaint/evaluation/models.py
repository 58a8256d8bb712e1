"""Which models are compared: under what labels, and what tells one from another of the same label."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from inpaint.errors import InpaintError, UsageError
from inpaint.registry.table import names
from inpaint.weights.places import HUB_PREFIX
from inpaint.weights.runs import WEIGHTS_NAME


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
    """
    twice = [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]
    if twice:
        raise UsageError(f"model {twice[0]} is given twice; name each once")
    short = [_short_name(spec) for spec in specs]
    return {name if short.count(name) == 1 else spec: spec for name, spec in zip(short, specs, strict=True)}


def identity(spec: str, options: Mapping[str, object] | None = None) -> str:
    """Return what tells this model from others of the same name, to be recorded with its results.

    Args:
        spec: What `inpaint.load` takes.
        options: What it is loaded with.

    Returns:
        "sha256:..." of its weights, else what was given; and the options.
    """
    return " ".join([_origin(spec), *(f"{name}={value}" for name, value in sorted((options or {}).items()))])


def _short_name(spec: str) -> str:
    if spec in names() or spec.startswith(HUB_PREFIX):
        return spec.removeprefix(HUB_PREFIX)
    path = Path(spec).resolve()
    if path.name == WEIGHTS_NAME:
        return path.parent.name
    return path.stem if path.is_file() else path.name


def _origin(spec: str) -> str:
    path = Path(spec)
    if path.is_dir():
        path /= WEIGHTS_NAME
    if spec in names() or not path.is_file():
        return spec
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise InpaintError(f"cannot read '{path}': {error.strerror or error}") from None
