"""The models that are compared: their labels, and the folders that stand for several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inpaint.errors import UsageError
from inpaint.evaluation.manifest import MASKED, ORIGINAL
from inpaint.registry.zoo import is_name
from inpaint.weights.places import HUB_PREFIX
from inpaint.weights.runs import CHECKPOINT_SUFFIX, RunFolder, runs_in


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


def _runs(spec: str) -> list[str]:
    if is_name(spec) or not Path(spec).is_dir() or RunFolder(spec).holds_run():
        return [spec]
    found = [str(path) for path in runs_in(spec) if RunFolder(path).holds_run()]
    return found or [spec]  # told by whoever loads it


def _short_name(spec: str) -> str:
    if is_name(spec):
        return spec.removeprefix(HUB_PREFIX)
    path = Path(spec).resolve()
    run = RunFolder.of(path)
    if path == run.weights:
        return run.path.name
    if path.suffix == CHECKPOINT_SUFFIX or path == run.best_weights:
        return f"{run.path.name}-{path.stem}"  # my-run-best
    return path.stem if path.is_file() else path.name
