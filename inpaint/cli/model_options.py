"""`--option NAME=VALUE`: what `inpaint.load` takes for a model, from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from inpaint.errors import UsageError, unknown

HELP = "What inpaint.load takes for this model (latent=mean, dtype=bfloat16, ...); repeat for several."


def given(texts: Sequence[str]) -> dict[str, str]:
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


def for_models(models: Sequence[str], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what each model is to be loaded with: every option goes to all the models that take it.

    Raises UsageError for an option that none of them takes, and for a value of another kind.
    """
    if not values:
        return [{} for _ in models]
    from inpaint.registry.loading import options_of

    taken = [options_of(model) for model in models]
    for name in values:
        if not any(name in options for options in taken):
            what = models[0] if len(models) == 1 else "any of these models"
            raise UsageError(unknown(f"option of {what}", name, {each for options in taken for each in options}))
    return [{name: _read(name, text, own[name]) for name, text in values.items() if name in own} for own in taken]


def _read(name: str, text: str, kind: Any) -> Any:
    """Return a value as YAML reads it, or the text itself where text is wanted."""
    import yaml
    from pydantic import TypeAdapter, ValidationError

    from inpaint.options import describe

    adapter = TypeAdapter(kind)
    try:
        readings = [yaml.safe_load(text), text]
    except yaml.YAMLError:
        readings = [text]
    for value in readings:
        try:
            return adapter.validate_python(value, strict=True)
        except ValidationError:
            continue
    raise UsageError(f"--option {name}={text}: must be {describe(adapter.json_schema())}")


option = click.option("--option", "option", multiple=True, metavar="NAME=VALUE", help=HELP)
