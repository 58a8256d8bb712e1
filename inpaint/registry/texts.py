"""Options of `inpaint.load` as text, NAME=VALUE: from the command line, or from the page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from inpaint.errors import UsageError, unknown
from inpaint.options import Options, describe
from inpaint.registry.loading import options_of
from inpaint.registry.stylizers import stylizer_options
from inpaint.types import Capabilities
from inpaint.weights.runs import Which


def command_to_use(capabilities: Capabilities, place: str) -> str:
    """Return the command that uses a trained network; place: its run folder or weights file."""
    place = shlex.quote(place)
    if not capabilities.stylizes:
        mask = "" if capabilities.blind else " --mask MASK"
        return f"inpaint infer --model {place} --image PHOTO{mask} --output RESULT.png"
    named = " --style NAME" if len(capabilities.styles or ()) > 1 else ""
    style = " --style PICTURE" if capabilities.styles is None else named
    return f"inpaint stylize --model {place} --content PHOTO{style} --output RESULT.png"


def for_models(
    models: Mapping[str, str], texts: Sequence[str], *, weights: Mapping[str, Which] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what each model is to be loaded with: every option goes to all the models that take it.

    Args:
        models: What `inpaint.load` takes, by label.
        texts: The options, each NAME=VALUE.
        weights: Which of its run's each model is loaded with, by label; the last where nothing is said.

    Raises:
        UsageError: An option is not NAME=VALUE, is given twice or taken by none of the models, or its value is of
            another kind.
    """
    values = _given(texts)
    taken = {
        label: options_of(model, weights=(weights or {}).get(label, "last")) if values else {}
        for label, model in models.items()
    }
    return _shared_out(models, values, taken)


def for_stylizers(
    models: Mapping[str, str], texts: Sequence[str], *, weights: Mapping[str, Which] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the same for models that stylize, their options checked.

    Raises:
        UsageError: As `for_models`; or a model does not stylize, or a value is not valid.
    """
    which = {label: (weights or {}).get(label, "last") for label in models}
    groups = {label: type(stylizer_options(model, weights=which[label])) for label, model in models.items()}
    taken = {
        label: {name: field.annotation for name, field in group.model_fields.items()} for label, group in groups.items()
    }
    found = _shared_out(models, _given(texts), taken)
    for label, model in models.items():
        stylizer_options(model, found[label], weights=which[label])
    return found


def _shared_out(
    models: Mapping[str, str], values: Mapping[str, str], taken: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return every value for all the models that take it; raises UsageError for one that none takes."""
    valid = {name for options in taken.values() for name in options}
    for name in values.keys() - valid:
        what = next(iter(models.values())) if len(models) == 1 else "any of these models"
        raise UsageError(unknown(f"option of {what}", name, valid))
    return {
        label: {name: _read(name, text, own[name]) for name, text in values.items() if name in own}
        for label, own in taken.items()
    }


def for_options(what: str, options: type[Options], texts: Sequence[str]) -> dict[str, Any]:
    """Return the values of an option group that are given as text, each NAME=VALUE.

    Args:
        what: Has the options, for messages: "the method poisson".
        options: The group; whether a value lies in its range is not checked here.
        texts: As they are given.

    Raises:
        UsageError: One is not NAME=VALUE, is given twice or unknown, or its value is of another kind.
    """
    values, fields = _given(texts), options.model_fields
    for name in values:
        if name not in fields:
            raise UsageError(unknown(f"option of {what}", name, fields) if fields else f"{what} has no options")
    return {name: _read(name, text, fields[name].annotation) for name, text in values.items()}


def _given(texts: Sequence[str]) -> dict[str, str]:
    """Return {name: value as text}; raises UsageError for what is not NAME=VALUE, and for a name given twice."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--option {text}: write NAME=VALUE, e.g. --option dtype=bfloat16")
        if name in values:
            raise UsageError(f"--option {name} is given twice: {values[name]} and {value}")
        values[name] = value
    return values


def _read(name: str, text: str, kind: Any) -> Any:
    """Return a value as YAML reads it, or the text itself where text is wanted, or the list that its commas make."""
    import yaml

    adapter = TypeAdapter(kind)
    for part in (text, None, f"[{text}]"):
        try:
            value = text if part is None else yaml.safe_load(part)
            # JSON because pydantic's strict mode takes its lists for tuples.
            return adapter.validate_json(json.dumps(value), strict=True)
        except (yaml.YAMLError, ValidationError, TypeError):
            continue
    raise UsageError(f"--option {name}={text}: must be {describe(adapter.json_schema())}")
