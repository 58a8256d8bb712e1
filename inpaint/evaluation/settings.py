"""What an evaluation's numbers depend on, kept beside them so that no folder ever mixes two evaluations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError, UsageError
from inpaint.system.files import atomic_write

SETTINGS_NAME = "settings.json"
RESULTS_NAME = "results.csv"


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
        _write(path, wanted)
        return
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
        raise UsageError(
            f"'{folder}' holds an evaluation with other settings: {difference}; {hint}choose another folder"
        )
    if kept != wanted["models"]:
        _write(path, wanted)


def _write(path: Path, settings: Mapping[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def differences(found: Any, wanted: Any, key: str = "") -> Iterator[str]:
    """Yield "KEY was A, is B now" for every place in which two JSON values differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in dict.fromkeys((*found, *wanted)):
            inner = f"{key}.{name}" if key else str(name)
            if name not in wanted:
                yield f"{inner} was {_short(found[name])}, is missing now"
            elif name not in found:
                yield f"{inner} is {_short(wanted[name])} now, was missing"
            else:
                yield from differences(found[name], wanted[name], inner)
    elif found != wanted or type(found) is not type(wanted):
        yield f"{key} was {_short(found)}, is {_short(wanted)} now"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
