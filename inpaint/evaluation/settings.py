"""What an evaluation's numbers depend on, kept beside them so that no folder ever mixes two evaluations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError, UsageError
from inpaint.masks import Mask, Paired, parse_mask
from inpaint.options import show
from inpaint.registry.table import names
from inpaint.system.files import write_text
from inpaint.weights.places import HUB_PREFIX, weights_at
from inpaint.weights.runs import CHECKPOINT_SUFFIX, RunFolder, Which

SETTINGS_NAME = "settings.json"
RESULTS_NAME = "results.csv"

# What a difference of two hashes means.
_CHANGED = {
    "photographs.fingerprint": "the photos have changed under their names, or others have come: ",
    "mask_files.": "the masks' files have changed: ",
    "version": "an earlier version measured it and did not note what the files held: ",
}


def open_evaluation(folder: Path, settings: Mapping[str, Any]) -> None:
    """Open `folder` for an evaluation with these settings: new, or going on with the same ones and further models.

    Raises:
        UsageError: The folder holds an evaluation with other settings; names the first difference.
        InpaintError: It cannot be used.
    """
    wanted = json.loads(json.dumps(settings))
    path = folder / SETTINGS_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else None
    except OSError as error:
        raise InpaintError(f"cannot use '{folder}': {error.strerror or error}") from None
    if text is None:
        if (folder / RESULTS_NAME).exists():
            raise UsageError(f"'{folder}' holds a {RESULTS_NAME} without its {SETTINGS_NAME}: choose another folder")
    else:
        try:
            found = json.loads(text)
        except ValueError:
            raise InpaintError(f"'{path}' is no JSON: choose another folder or remove this one") from None
        # Rows of further models are simply further rows: masks do not depend on who is measured.
        earlier = found.get("models", {}) if isinstance(found, dict) else {}
        kept = {label: each for label, each in wanted["models"].items() if label in earlier}
        difference = next(differences(found, {**wanted, "models": kept}), None)
        if difference:
            hint = "name all its models, and further ones, or " if difference.startswith("models.") else ""
            said = next((text for key, text in _CHANGED.items() if difference.startswith(key)), "")
            raise UsageError(
                f"'{folder}' holds an evaluation with other settings: {said}{difference}; {hint}choose another folder"
            )
        if kept == wanted["models"]:
            return
    write_text(path, json.dumps(wanted, indent=2) + "\n")


def parsed_masks(specs: Sequence[str]) -> dict[str, Mask]:
    """Return the masks of an evaluation by what describes them.

    Raises:
        UsageError: There are none, one is named twice, or one is for trainings only.
    """
    if not specs or len(set(specs)) != len(specs):
        raise UsageError(f"masks must name at least one kind, each once; got {', '.join(specs) or 'none'}")
    masks = {spec: parse_mask(spec) for spec in specs}
    if paired := [spec for spec, mask in masks.items() if isinstance(mask, Paired)]:
        raise UsageError(f"masks '{paired[0]}': these are for trainings; folder:PATH draws from the same files")
    return masks


def differences(found: Any, wanted: Any, key: str = "") -> Iterator[str]:
    """Yield "KEY was A, is B now" for every place in which two JSON values differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in dict.fromkeys((*found, *wanted)):
            inner = f"{key}.{name}" if key else str(name)
            if name not in wanted:
                yield f"{inner} was {show(found[name])}, is missing now"
            elif name not in found:
                yield f"{inner} is {show(wanted[name])} now, was missing"
            else:
                yield from differences(found[name], wanted[name], inner)
    elif found != wanted or type(found) is not type(wanted):
        yield f"{key} was {show(found)}, is {show(wanted)} now"


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
    return {name if short.count(name) == 1 else spec: spec for name, spec in zip(short, specs, strict=True)}


def identity(spec: str, options: Mapping[str, object] | None = None, *, weights: Which = "last") -> str:
    """Return what tells this model from others of the same name, to be recorded with its results.

    Args:
        spec: What `inpaint.load` takes.
        options: What it is loaded with.
        weights: Which of a run's.

    Returns:
        "sha256:..." of its weights, else what was given; and the options.
    """
    return " ".join([_origin(spec, weights), *(f"{name}={value}" for name, value in sorted((options or {}).items()))])


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
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise InpaintError(f"cannot read '{path}': {error.strerror or error}") from None
