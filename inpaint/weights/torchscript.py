"""Tensors of a TorchScript archive, by name, without running anything of the program in it.

Such an archive is a zip file: `data.pkl` describes the modules, `data/N` hold the numbers, and `code/` the program,
which stays unread. The description is a pickle, a program for a stack machine. It is executed here by a machine that
knows the few instructions PyTorch writes and that can make nothing but containers and tensors: names of classes and
functions in it are compared with a list and never looked up.
"""

from __future__ import annotations

import itertools
import math
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import torch
from torch import Tensor

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
TENSOR = ("torch._utils", "_rebuild_tensor_v2")
LISTS = "torch.jit._pickle"  # its functions give typed lists what they are given
DEEPEST = 100  # levels of modules; more is no network
LARGEST_VIEW = 2**24  # numbers of a tensor that repeats those that are stored
MOST = 1_000_000  # values in all of them; a few instructions can nest a list in itself without end


class ScriptError(ValueError):
    """The archive is damaged, or holds what PyTorch does not write."""


class Module(dict[str, Any]):
    """What an archive says of one module: its attributes by name."""


@dataclass(frozen=True)
class _Name:
    """A class or function that the archive names."""

    module: str
    name: str

    @property
    def of_program(self) -> bool:
        return self.module.partition(".")[0] == "__torch__"


class _Mark:
    """Where a tuple, a list or the entries of a dictionary begin on the stack."""


def script_tensors(file: IO[bytes]) -> dict[str, Tensor]:
    """Return the parameters and buffers of all modules by their dotted names, and other tensors that they hold.

    Raises:
        ScriptError: The archive is damaged, or its description does more than PyTorch's own.
    """
    try:
        archive = zipfile.ZipFile(file)
        root = _root(archive)
        if root is None:
            raise ScriptError("no TorchScript archive")
        if f"{root}byteorder" in archive.namelist() and _stored(archive, f"{root}byteorder").strip() != b"little":
            raise ScriptError("its numbers are stored with the largest byte first")
        content = _Machine(archive, root).run(_stored(archive, f"{root}data.pkl"))
    except ScriptError:
        raise
    except Exception as error:  # zipfile fails in every way there is, struct.error and UnicodeDecodeError among them
        raise ScriptError(f"damaged: {error or type(error).__name__}") from None
    return dict(_named(content, visits=itertools.count(1)))


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive. PyTorch compresses none, so that none can be larger than the archive itself."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ScriptError(f"{name} is compressed, as PyTorch never writes it")
    return archive.read(name)


def _root(archive: zipfile.ZipFile) -> str | None:
    """Return the folder in the archive that holds a program, None where there is none."""
    names = set(archive.namelist())
    for name in names:
        folder, slash, last = name.rpartition("/")
        if last == "data.pkl" and f"{folder}{slash}constants.pkl" in names:
            return f"{folder}{slash}"
    return None


def _named(value: Any, name: str = "", depth: int = 0, *, visits: Iterator[int]) -> Iterator[tuple[str, Tensor]]:
    """Yield tensors below a value with their dotted names."""
    if depth > DEEPEST:
        raise ScriptError(f"modules lie more than {DEEPEST} levels deep")
    if next(visits) > MOST:
        raise ScriptError(f"it holds more than {MOST} values")
    if isinstance(value, Tensor):
        yield name, value
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in inner:
        yield from _named(part, f"{name}.{key}" if name else str(key), depth + 1, visits=visits)


@dataclass
class _Machine:
    """Executes a description; see `pickletools` for its instructions."""

    archive: zipfile.ZipFile
    root: str
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, Tensor] = field(default_factory=dict)

    def run(self, program: bytes) -> Any:
        """Return what stands on the stack at the end."""
        for instruction, argument, _ in pickletools.genops(program):
            if instruction.name == "STOP":
                return self.stack.pop()
            self._do(instruction.name, argument)
        raise ScriptError("damaged: its description does not end")

    def _do(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "MARK":
                stack.append(_Mark())
            case "EMPTY_TUPLE" | "EMPTY_LIST" | "EMPTY_DICT":
                stack.append({"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}[name]())
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND" | "APPENDS":
                items = [stack.pop()] if name == "APPEND" else self._since_mark()
                _checked(stack[-1], list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self._since_mark()
                _checked(stack[-1], dict).update(zip(items[::2], items[1::2], strict=True))
            case "GLOBAL":
                stack.append(_Name(*argument.split(" ", 1)))
            case "NEWOBJ":
                _, kind = stack.pop(), _checked(stack.pop(), _Name)
                if not kind.of_program:
                    raise ScriptError(f"it makes a {kind.module}.{kind.name}")
                stack.append(Module())
            case "BUILD":
                state = stack.pop()
                # A module with a state of its own making keeps it under no name of ours.
                _checked(stack[-1], Module).update(state if isinstance(state, dict) else {"state": state})
            case "REDUCE":
                arguments = _checked(stack.pop(), tuple)
                stack.append(self._called(_checked(stack.pop(), _Name), arguments))
            case "BINPERSID":
                stack.append(self._storage(*_checked(stack.pop(), tuple)))
            case _:
                raise ScriptError(f"its description holds the instruction {name}")

    def _since_mark(self) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self.stack[-1], _Mark):
            items.append(self.stack.pop())
        self.stack.pop()
        return items[::-1]

    def _called(self, function: _Name, arguments: tuple[Any, ...]) -> Any:
        if (function.module, function.name) == TENSOR:
            storage, offset, shape, stride, *_ = arguments
            if math.prod(shape) > max(_checked(storage, Tensor).numel(), LARGEST_VIEW):
                raise ScriptError(f"damaged: a tensor of {shape} stands in {storage.numel()} numbers")
            return torch.as_strided(storage, shape, stride, offset)
        if (function.module, function.name) == ("collections", "OrderedDict") and not arguments:
            return {}
        if function.module == LISTS:
            return arguments[0]
        raise ScriptError(f"it calls {function.module}.{function.name}")

    def _storage(self, kind: Any, dtype: Any, key: Any, place: Any, count: Any) -> Tensor:
        """Return the numbers of one file of the archive."""
        named: _Name = _checked(dtype, _Name)
        if kind != "storage" or named.module != "torch" or named.name not in DTYPES:
            raise ScriptError(f"it holds numbers of the kind {named.module}.{named.name}")
        if key not in self.storages:
            found = DTYPES[named.name]
            content = bytearray(_stored(self.archive, f"{self.root}data/{key}"))
            if len(content) != _checked(count, int) * found.itemsize:
                raise ScriptError(f"damaged: data/{key} holds {len(content)} bytes, not {count * found.itemsize}")
            self.storages[key] = torch.frombuffer(content, dtype=found) if content else torch.zeros(0, dtype=found)
        return self.storages[key]


def _checked(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise ScriptError(f"damaged: a {type(value).__name__} stands where a {kind.__name__} must")
    return value
