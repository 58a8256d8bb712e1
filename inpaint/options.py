"""Option groups: immutable pydantic models whose mistakes become one line that names key, value and what is valid."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails

from inpaint.errors import ConfigError, UsageError, unknown
from inpaint.types import Capabilities, Plane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OptionsT = TypeVar("OptionsT", bound=BaseModel)
Schema: TypeAlias = Mapping[str, Any]


def _place(text: str) -> str:
    if not text:
        raise ValueError("an empty path; null stands for none")
    return os.path.expanduser(text)  # noqa: PTH111 - names such as "samples" stay as they are


Place: TypeAlias = Annotated[str, AfterValidator(_place)]
"""A path or name of the user's; shells leave the ~ of `data.root=~/photos` alone."""


class Options(BaseModel, frozen=True, extra="forbid"):
    """Base of all option groups: immutable, unknown keys refused."""


class ModelConfig(Options):
    """Base of the models' configurations: every architectural switch, with its default and the paper's value.

    Seven things may be said of a model's options. TRAINING: those that say how to train and not what the weights are,
    so that a training which starts from weights takes them from the caller and not from the weights. CONCERNS: for
    options that concern certain networks only, their roles; weights that hold none of them leave the option open.
    PLANES: all planes that some configuration of the model takes from the caller of a fill. SMALL: options of a network
    that computes in milliseconds, for tries and tests. FillOptions: what a caller of `inpaint.load` may choose for the
    network. RANKED_BY: the role of the discriminator whose mean logit of a completed image ranks several fills.
    LAST_PHASE: what a training is told, KEY=VALUE, to begin where all of its networks learn, as one from weights does.
    """

    TRAINING: ClassVar[frozenset[str]] = frozenset()
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {}
    PLANES: ClassVar[tuple[Plane, ...]] = ()
    SMALL: ClassVar[Mapping[str, Any]] = {}
    FillOptions: ClassVar[type[Options]] = Options
    RANKED_BY: ClassVar[str | None] = None
    LAST_PHASE: ClassVar[tuple[str, ...]] = ()

    def capabilities(self) -> Capabilities:
        """Return what a network of this configuration can do."""
        return Capabilities(trained=True)

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the planes that a training batch must hold; each names its maker."""
        return tuple(plane for plane in self.capabilities().planes if plane.make is not None)

    def derive(self, image: NDArray[np.float64], hole: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return planes (H, W) or (H, W, C) that a network reads beside an image and that are made of the image alone.

        Said here where a network has any, and not in its graph, so that they are the same without torch.

        Args:
            image: (H, W, 3) in [0, 1], 0 in the hole.
            hole: (H, W).
        """
        return {}

    def for_crop(self, side: int) -> Self:
        """Return the options with what is left to the side of the training crops, in pixels, decided."""
        return self


def validated(options: type[OptionsT], values: Mapping[str, Any], *, key: str = "") -> OptionsT:
    """Build an option group from plain values.

    Types are taken literally: "16" is no number, true is no 1. A number without a fractional part is an integer (1e6).

    Args:
        options: the class of the group.
        values: plain containers, as YAML and the command line give them.
        key: where the group stands in the configuration, for messages.

    Returns:
        The group, with every default.

    Raises:
        ConfigError: names the first offending key, its value and what would be valid.

    Example:
        >>> class Size(Options):
        ...     px: int
        >>> validated(Size, {"px": 1e3})
        Size(px=1000)
    """
    try:
        # JSON because pydantic's strict mode takes its lists for tuples, and text for paths.
        return options.model_validate_json(json.dumps(_plain(values, key)), strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, options, key=key)) from None


def chosen_of(name: str, options: type[OptionsT], given: Mapping[str, Any] | None = None) -> OptionsT:
    """Return the options of something by name, those that are given checked.

    Raises:
        UsageError: One of them is none of its options, or has a value that is not valid.
    """
    for key in given or {}:
        if key not in options.model_fields:
            raise UsageError(unknown(f"option of {name}", key, options.model_fields))
    return validated(options, given or {})


def explain(error: ValidationError, options: type[BaseModel], *, key: str = "") -> str:
    """Return the first mistake that pydantic found as one line.

    Args:
        error: what pydantic raised.
        options: the class of the group that it raised it for.
        key: where the group stands in the configuration.

    Returns:
        "KEY=VALUE: must be ...", or the message of a check of ours behind the key.
    """
    first = _first(error)
    keys, schema = _follow(_schema(options), first["loc"])
    where = dotted(key, *keys)
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"{where}={show(first['input'])}: {unknown('key', name, schema.get('properties', ()))}"
    if first["type"] == "missing":
        return f"{where} is missing and has no default"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        # The message of a check of ours: of one field, or of several together.
        return f"{where}: {message}" if where else message
    expected = describe(schema) if schema else message[0].lower() + message[1:].removeprefix("nput should be ")
    hint, given = "", first["input"]
    if "text" in expected.split(" or ") and isinstance(given, bool | int | float) and schema.get("type") != "array":
        hint = f"; as text it needs quotes: {typed(f'{where}={quoted(show(given))}')}"
    return f"{where}={show(given)}: must be {expected}{hint}"


def _first(error: ValidationError) -> ErrorDetails:
    """Return the first mistake; where a mapping may also be a value, the first inside the mapping that was given."""
    first, *others = error.errors()
    if isinstance(first["input"], Mapping) and first["loc"] and _is_mark(first["loc"][-1]):
        before = first["loc"][:-1]
        inside = [other for other in others if other["loc"][: len(before)] == before]
        return max([first, *inside], key=lambda each: len(each["loc"]))
    return first


def _is_mark(part: int | str) -> bool:
    """Tell whether a part of pydantic's location names a member of a union, function-after[...], and is no key."""
    return isinstance(part, str) and re.match(r"[a-z-]+\[", part) is not None


def dotted(*parts: object) -> str:
    """Join parts of a key with dots, leaving out empty ones."""
    return ".".join(str(part) for part in parts if part != "")


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested mapping with one key for each value; lists are values.

    Example:
        >>> flat({"data": {"size": 64, "masks": ["box"]}})
        {'data.size': 64, 'data.masks': ['box']}
    """
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return found


def differing(*configs: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the dotted keys under which configurations hold different values, sorted, with the value of each.

    A key that is missing is null.

    Example:
        >>> differing({"data": {"size": 64}, "seed": 0}, {"data": {"size": 128}, "seed": 0})
        {'data.size': [64, 128]}
    """
    every = [flat(config) for config in configs]
    found = {key: [each.get(key) for each in every] for key in sorted({key for each in every for key in each})}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def quoted(text: str) -> str:
    """Return text in quotes, so that the grammar of KEY=VALUE takes it as it stands."""
    return "'" + re.sub(r"(\\*)('|\Z)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), text) + "'"


def keyed(key: str, text: str) -> str:
    """Return KEY=VALUE for a text, in quotes where the grammar would take it for something else; ${ means itself."""
    text = text.replace("${", "\\${")
    words = re.fullmatch(r"[\w./~@+-]+", text, re.ASCII) and text.lower() not in ("null", "true", "false")
    return f"{key}={text}" if words and not _is_number(text) else f"{key}={quoted(text)}"


def typed(argument: str) -> str:
    """Return an argument as it is typed in a shell."""
    if re.fullmatch(r"[\w./~@+=:,-]+", argument, re.ASCII):
        return argument
    if re.search(r"[\0-\x1f\x7f]", argument):  # a command is one line
        return "$'" + re.sub(r"[\0-\x1f\x7f\\']", lambda match: f"\\x{ord(match[0]):02x}", argument) + "'"
    return shlex.quote(argument) if re.search(r'[$`"\\!]', argument) else f'"{argument}"'


def show(value: object) -> str:
    """Return a value as YAML would write it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def describe(schema: Schema) -> str:
    """Return in words what a JSON schema allows: "a positive integer", "one of auto, ddp"."""
    if "anyOf" in schema:
        choices = dict.fromkeys(describe(choice) for choice in schema["anyOf"])
        return " or ".join(choices)
    if "const" in schema:
        return show(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(str(choice) for choice in schema["enum"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _describe_number(schema, kind)
    if kind == "array":
        return _describe_list(schema)
    words = {"boolean": "true or false", "string": "text", "null": "null", "object": "a mapping"}
    return words.get(str(kind), "another kind of value")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _describe_number(schema: Schema, noun: str) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    bounds = [f"{word} {schema[key]}" for key, word in words.items() if key in schema]
    article = "an" if noun == "integer" else "a"
    positive = len(bounds) == 1 and schema.get("exclusiveMinimum") == 0
    text = f"a positive {noun}" if positive else f"{article} {noun} {' and '.join(bounds)}".strip()
    multiple = schema.get("multipleOf")
    return f"{text}, a multiple of {multiple}" if multiple else text


def _describe_list(schema: Schema) -> str:
    if "prefixItems" in schema:
        return f"a list of {len(schema['prefixItems'])}: " + ", ".join(describe(item) for item in schema["prefixItems"])
    items = schema.get("items")
    return f"a list, each {describe(items)}" if items else "a list"


def _schema(options: type[BaseModel]) -> Schema:
    try:
        root = options.model_json_schema()
    except (PydanticUserError, ValueError):
        return {}  # an option group with a type that JSON does not know
    whole: Schema = _inline(root, root.get("$defs", {}), depth=12)
    return whole


def _inline(schema: Any, definitions: Mapping[str, Any], depth: int) -> Any:
    """Replace references by what they refer to; a type that contains itself is cut off at `depth`."""
    if depth == 0:
        return {}
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            return _inline(definitions[str(schema["$ref"]).rpartition("/")[2]], definitions, depth - 1)
        return {name: _inline(part, definitions, depth) for name, part in schema.items() if name != "$defs"}
    if isinstance(schema, list):
        return [_inline(part, definitions, depth) for part in schema]
    return schema


def _follow(schema: Schema, location: Sequence[int | str]) -> tuple[list[str], Schema]:
    """Split pydantic's location into keys, and find the schema there; its marks of union members are no keys.

    For an unknown key the schema is that of the group that refused it.
    """
    keys: list[str] = []
    for part in location:
        if "anyOf" in schema and _is_mark(part):
            continue
        inner = _step(schema, part)
        if inner is not None:
            keys.append(str(part))
            schema = inner
        elif isinstance(part, str) and "properties" in schema:
            return [*keys, part], schema
    return keys, schema


def _step(schema: Schema, part: int | str) -> Schema | None:
    if part in schema.get("properties", {}):
        found: Schema = schema["properties"][part]
        return found
    if isinstance(part, int) and schema.get("type") == "array":
        places: list[Schema] = schema.get("prefixItems", [])
        inside: Schema = places[part] if part < len(places) else schema.get("items", {})
        return inside
    free_names = schema.get("additionalProperties")
    if isinstance(free_names, Mapping):
        return free_names
    for choice in schema.get("anyOf", ()):
        found_in_choice = _step(choice, part)
        if found_in_choice is not None:
            return found_in_choice
    return None


def _plain(value: Any, key: str) -> Any:
    """Return the value in the types of JSON, numbers without a fractional part as integers."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part, dotted(key, name)) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, dotted(key, number)) for number, part in enumerate(value)]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "ndim") and value.ndim == 0:  # a number of NumPy or torch
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{key}={value}: must be a finite number")
        return int(value) if value.is_integer() else value
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise ConfigError(
            f"{key}={value}: is no UTF-8 and cannot be kept in a configuration; give the path of a link to it"
        )
    return value if value is None or isinstance(value, bool | int | str) else str(value)
