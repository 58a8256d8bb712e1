"""The grammar of what stands on the command line of `inpaint train`: KEY=VALUE, ~KEY, and the several values of -m.

A value is read from left to right: [a, b], {a: b}, 'text', "text", or a bare word, which is null, true, false, a number
or text. What this grammar has other uses for in bare text, such as commas, is escaped by a backslash or quoted; a value
that it cannot read at all (umlauts, parentheses) is taken as it stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from inpaint.errors import ConfigError
from inpaint.options import quoted

_LINE = re.compile(r"(~|\+{0,2})([\w$][\w$./-]*)(@[^=]*)?(?:=(.*))?", re.DOTALL)
_SPECIAL = r"[\\()\[\]{}:=, \t]"  # what a backslash escapes in bare text
_INTERPOLATION = r"\$\{[^}]+\}"
_BARE = rf"(?:[ \t]*(?:{_INTERPOLATION}|\\{_SPECIAL}|[\w/\\+.$%*@?|:-]))+"
_BARE_KEY = rf"(?:[ \t]*(?:\\{_SPECIAL}|[\w/\\+.$%*@?|-]))+"
_QUOTED = r"(['\"])((?:\\\\)*|.*?[^\\](?:\\\\)*)\1"  # to the first quote that no backslash escapes
_FUNCTION = re.compile(r"[ \t]*([a-zA-Z_][\w-]*)[ \t]*\((.*)\)", re.ASCII | re.DOTALL)
_WHOLE = r"(?:0|[1-9](?:_?[0-9])*)"
_POINT = rf"(?:{_WHOLE}\.|{_WHOLE}?\.[0-9](?:_?[0-9])*)"
_INT = re.compile(rf"[+-]?{_WHOLE}")
_FLOAT = re.compile(rf"[+-]?(?:{_POINT}|(?:{_WHOLE}|{_POINT})[eE][+-]?[0-9](?:_?[0-9])*)")
_WORDS = {"null": None, "true": True, "false": False}

_LIST = "use a,b,c or range(start,stop,step)"
_ALONE = "write the value alone (16, 1e-4, true), in quotes where it is text"
_REFUSED = {
    "interval": f"an interval cannot be enumerated; {_LIST}",
    "sort": "write the values in their order: a,b,c",
    "shuffle": "write the values in the order in which they are to run: a,b,c",
    "tag": f"values have no tags here; {_LIST}",
    "extend_list": "write the whole list: [a,b,c]",
    **dict.fromkeys(("int", "float", "str", "bool", "json_str"), _ALONE),
}

Chooser: TypeAlias = Callable[[Sequence[str]], list[str]]


class Quoted(str):
    """Text that stood in quotes: never a number, a choice of several values, or null."""


@dataclass(frozen=True)
class Override:
    """One argument of the command line.

    deletes: ~KEY. has_value: whether there is a "=". value: of plain containers. sweep: the several values of -m, or
    what chooses them among the names of the key's group; None for one value.
    """

    line: str
    key: str
    deletes: bool
    has_value: bool
    value: Any
    sweep: list[Any] | Chooser | None

    def jobs(self, names: Sequence[str]) -> list[str]:
        """Return one argument for each value.

        Args:
            names: the choices of the group that the key names, if it does; what a pattern chooses from.

        Returns:
            The arguments, this one alone where it holds one value.

        Raises:
            ConfigError: no value is left.
        """
        if self.sweep is None:
            return [self.line]
        values = self.sweep(names) if callable(self.sweep) else self.sweep
        if not values:
            raise ConfigError(f"'{self.line}' stands for no value at all")
        front = self.line[: self.line.index("=")]
        return [f"{front}={written(value)}" for value in values]


def parse(line: str) -> Override:
    """Read one argument.

    Args:
        line: KEY=VALUE, ~KEY or ~KEY=VALUE; + and ++ before a key change nothing.

    Returns:
        What it says.

    Raises:
        ConfigError: it is none of these, or asks for what only Hydra understands.

    Example:
        >>> parse("optimizers.generator.betas=[0.5, 0.999]").value
        [0.5, 0.999]
        >>> parse("seed=range(0,3)").jobs([])
        ['seed=0', 'seed=1', 'seed=2']
    """
    match = _LINE.fullmatch(line)
    if match is None or (match[4] is None and match[1] != "~"):
        raise ConfigError(_unreadable(line))
    mark, key, package, text = match.groups()
    if package is not None:
        raise ConfigError(f"'{line}': a chosen file always lands at the root; write {key}=NAME, without {package}")
    blank = None if text is None else ""
    value, sweep = _value(line, text) if text and text.strip(" \t") else (blank, None)
    return Override(line, key, mark == "~", text is not None, _plain(value), sweep)


def _value(line: str, text: str) -> tuple[Any, list[Any] | Chooser | None]:
    """Return the one value, and None or the several that it stands for."""
    function = _FUNCTION.fullmatch(text)
    if function is not None and function[1] in _REFUSED:
        raise ConfigError(f"'{line}': {_REFUSED[function[1]]}")
    try:
        if function is not None and function[1] in _SWEEPS:
            arguments = _Reader(function[2]).arguments()
            named = {name: value for name, value in arguments if name}
            return None, _SWEEPS[function[1]](*[value for name, value in arguments if not name], **named)
        values = _Reader(text).values()
    except (ValueError, TypeError):
        # Names of folders hold what the grammar has other uses for (umlauts, brackets): take them as they stand.
        called = re.match(r"[ \t]*(\w+)[ \t]*\(", text)
        if text.lstrip()[:1] in tuple("[{'\"") or "\n" in text or (called and called[1] in {*_SWEEPS, *_REFUSED}):
            raise ConfigError(_unreadable(line)) from None
        return Quoted(text), None
    return values[0], values if len(values) > 1 else None


def _unreadable(line: str) -> str:
    shown = " ".join(line.splitlines())
    return f"cannot read '{shown}': write KEY=VALUE, e.g. data.size=128 (`inpaint train --help` shows more)"


class _Reader:
    """Reads values out of a text; raises ValueError at what the grammar does not know."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def values(self) -> list[Any]:
        """Return everything that stands there, separated by commas."""
        found = [self._value()]
        while self._take(","):
            found.append(self._value())
        self._expect(r"\Z")
        return found

    def arguments(self) -> list[tuple[str, Any]]:
        """Return what stands between the parentheses of a function: (NAME or "", value)."""
        return self._items(r"\Z", self._argument)

    def _argument(self) -> tuple[str, Any]:
        name = self._take(r"(\w+)[ \t]*=")
        return name[1] if name else "", self._value()

    def _value(self) -> Any:
        if self._take(r"\["):
            return self._items(r"\]", self._value)
        if self._take(r"\{"):
            return dict(self._items(r"\}", self._pair))
        return self._text(_BARE)

    def _items(self, close: str, read: Callable[[], Any]) -> list[Any]:
        found = list[Any]()
        while not self._take(close):
            if found:
                self._expect(",")
            found.append(read())
        return found

    def _pair(self) -> tuple[Any, Any]:
        key = self._text(_BARE_KEY)
        self._expect(":")
        return key, self._value()

    def _text(self, bare: str) -> Any:
        if match := self._take(_QUOTED):
            return Quoted(_without_escapes(match[2], match[1]))
        return _scalar(self._expect(f"({bare})")[1])

    def _take(self, pattern: str) -> re.Match[str] | None:
        """Go on behind a pattern and the blanks around it, if it comes next."""
        match = re.compile(rf"[ \t]*(?:{pattern})", re.ASCII | re.DOTALL).match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match

    def _expect(self, pattern: str) -> re.Match[str]:
        match = self._take(pattern)
        if match is None:
            raise ValueError(self.text[self.at :])
        return match


def _scalar(word: str) -> Any:
    """Return what a bare word stands for. A number that is not finite is a word: no option takes one."""
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if _INT.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word) and math.isfinite(float(word)):
        return float(word)
    return re.sub(rf"{_INTERPOLATION}|\\({_SPECIAL})", lambda match: match[1] or match[0], word)


def _without_escapes(text: str, quote: str) -> str:
    """Halve the backslashes before a quote and at the end; all others mean themselves."""
    return re.sub(rf"(\\+)({quote}|\Z)", lambda match: "\\" * (len(match[1]) // 2) + match[2], text)


def _plain(value: Any) -> Any:
    """Return a value of Python's own types, which OmegaConf insists on."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    return str(value) if isinstance(value, Quoted) else value


def written(value: Any) -> str:
    """Return a value of plain containers as the grammar reads it again."""
    if isinstance(value, Quoted):
        return quoted(value)
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{written(key)}:{written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, str):
        return re.sub(_SPECIAL, r"\\\g<0>", value)
    return "null" if value is None else str(value)


# The functions of -m --------------------------------------------------------------------------------------------------


def _choice(*values: Any) -> list[Any]:
    if not values:
        raise ValueError
    return list(values)


def _range(start: float, stop: float | None = None, step: float = 1) -> list[Any]:
    if stop is None:
        start, stop = 0, start
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return list(range(start, stop, step))
    if step == 0 or not all(isinstance(value, int | float) for value in (start, stop, step)):
        raise ValueError
    at, end, by = Decimal(start), Decimal(stop), Decimal(step)
    found = list[Any]()
    while at < end if by > 0 else at > end:
        found.append(float(at))
        at += by
    return found


def _glob(include: Any, exclude: Any = ()) -> Chooser:
    wanted, unwanted = ([one] if isinstance(one, str) else [str(each) for each in one] for one in (include, exclude))

    def fits(name: str, patterns: list[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return lambda names: [name for name in names if fits(name, wanted) and not fits(name, unwanted)]


_SWEEPS: dict[str, Callable[..., Any]] = {"choice": _choice, "range": _range, "glob": _glob}
