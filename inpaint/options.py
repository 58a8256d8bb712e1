"""Option groups: immutable pydantic models whose mistakes become one line that names key, value and what is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from inpaint.errors import ConfigError, unknown

OptionsT = TypeVar("OptionsT", bound=BaseModel)


class Options(BaseModel, frozen=True, extra="forbid"):
    """Base of all option groups: immutable, unknown keys refused."""


def validated(options: type[OptionsT], values: Mapping[str, Any], *, key: str = "") -> OptionsT:
    """Build an option group from plain values; `key` is where the group stands in the configuration.

    Raises ConfigError naming the first offending key, its value and what would be valid.
    """
    try:
        return options.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(explain(error, options, key=key)) from None


def explain(error: ValidationError, options: type[BaseModel], *, key: str = "") -> str:
    """Return the first mistake that pydantic found as one line."""
    first = error.errors()[0]
    where = ".".join([*([key] if key else []), *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        group = _group_at(options, first["loc"][:-1])
        valid = group.model_fields if group else ()
        return f"{where}={first['input']!r}: {unknown('key', str(first['loc'][-1]), valid)}"
    if first["type"] == "missing":
        return f"{where} is missing and has no default"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and not first["loc"]:
        return f"{key}: {message}" if key else message
    return f"{where}={first['input']!r}: {message[0].lower()}{message[1:]}"


def _group_at(options: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel] | None:
    """Follow a location through nested option groups; None where it leaves them (lists, mappings of free names)."""
    group: type[BaseModel] | None = options
    for part in location:
        field = group.model_fields.get(str(part)) if group else None
        kind = field.annotation if field else None
        group = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return group
