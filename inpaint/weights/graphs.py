"""What an ONNX file says of itself: the metadata that our export writes, and the signature of any graph.

Neither onnx nor onnxruntime is needed: an ONNX file is a protocol buffer, whose outer fields are read one by one while
the graph's nodes and tensors are skipped, so that a file of any size is described in milliseconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias, cast

from pydantic import TypeAdapter, ValidationError

from inpaint.errors import WeightsError
from inpaint.system.files import open_file
from inpaint.types import Capabilities, Plane
from inpaint.weights.places import existing_file, pretended

GRAPH_SUFFIX = ".onnx"
GRAPH_FORMAT = "1"
"""Of the metadata; a later one is refused."""

LARGEST_PX = 2**16
"""No side, multiple or number of channels that a file says may be larger."""

NOISE = "noise"
"""The input of a graph that draws at random: standard normal numbers."""

GraphKind: TypeAlias = Literal["network", "pipeline"]
Interface: TypeAlias = Literal["inpaint", "migan"]
Precision: TypeAlias = Literal["float32", "float16", "int8"]

_PREFIX = "inpaint."
_JSON = ("config", "capabilities", "inputs")  # entries that hold JSON; the others are text or numbers
_OPTIONAL = ("interface", "license", "source", "weights_sha256")  # left out where there is nothing to say
_FOREIGN_NAMES = {"torch_version": "torch.version"}  # entries without our prefix


def _version() -> str:
    from inpaint import __version__  # only now: the package's face shows what loads these files

    return __version__


@dataclass(frozen=True, kw_only=True)
class GraphInput:
    """An input of a network graph beside image and mask, or beside the content, float32.

    scale: how many pixels of a side one place of a plane stands for. form: plane, (B, channels, H / scale, W / scale);
    vector, (B, channels); image, (B, channels, h, w) of a size of its own.
    """

    name: str
    channels: int
    scale: int = 1
    form: Literal["plane", "vector", "image"] = "plane"


@dataclass(frozen=True, kw_only=True)
class GraphMetadata:
    """What an ONNX file of ours says of itself, in the `metadata_props` of its model.

    Args:
        graph: "network" reads floating point of padded sizes, "pipeline" bytes of a photo of any size.
        model: Registered name.
        config: The model's configuration, plain JSON.
        capabilities: Of the network. Planes come back by name and channels alone: what reads one from a file is code,
            and is never taken from a file.
        inputs: Beside image and mask, in the order of the graph.
        interface: Of a pipeline: what its mask means. "inpaint": above 127 = hole; "migan": 255 = known.
        minimum_px: Smallest side that the network accepts.
        precision: Of weights and arithmetic.
        license, source: Of the weights.
        weights_sha256: Of the weights file that was exported.
        version, torch_version: Of this package and of PyTorch when it was written.
    """

    graph: GraphKind
    model: str
    config: Mapping[str, Any]
    capabilities: Capabilities
    inputs: tuple[GraphInput, ...] = ()
    interface: Interface | None = None
    minimum_px: int = 1
    precision: Precision = "float32"
    license: str | None = None
    source: str | None = None
    weights_sha256: str | None = None
    version: str = field(default_factory=_version)
    torch_version: str = ""

    @property
    def known_is_white(self) -> bool:
        """Whether white in the mask of a pipeline means known, and not hole."""
        return self.interface == "migan"

    def impossible_numbers(self) -> str:
        """Return which sizes no network can have, in words; empty when all are possible."""
        able = self.capabilities
        sizes = {"minimum_px": self.minimum_px, "multiple_px": able.multiple_px, "smallest_px": able.smallest_px}
        sizes |= {"trained_px": 1 if able.trained_px is None else able.trained_px}
        sizes |= {"context_px": 1 + (able.context_px or 0)}
        sizes |= {f"channels of {plane.name}": plane.channels for plane in able.planes}
        for each in self.inputs:
            sizes |= {f"channels of {each.name}": each.channels, f"scale of {each.name}": each.scale}
        wrong = [f"{name} is {value}" for name, value in sizes.items() if not 1 <= value <= LARGEST_PX]
        share, bytes_ = able.context_share, able.pixel_bytes
        wrong += [f"context_share is {share}"] * (not 0 <= share < math.inf)
        wrong += [f"pixel_bytes is {bytes_}"] * (bytes_ is not None and not 0 <= bytes_ < math.inf)
        return ", ".join(wrong)

    def entries(self) -> dict[str, str]:
        """Return it as the strings that `metadata_props` holds."""
        said: dict[str, Any] = {"format": GRAPH_FORMAT}
        said |= {each.name: vars(self)[each.name] for each in fields(self)}
        said["inputs"] = [asdict(each) for each in self.inputs]
        said["capabilities"] = {**asdict(self.capabilities), "planes": _told_planes(self.capabilities)}
        return {
            _FOREIGN_NAMES.get(name, _PREFIX + name): json.dumps(value) if name in _JSON else str(value)
            for name, value in said.items()
            if value is not None
        }

    @classmethod
    def of(cls, entries: Mapping[str, str], *, path: str | PathLike[str]) -> GraphMetadata:
        """Return what the entries say; those that a later version may have added are ignored.

        Args:
            entries: Of `metadata_props`.
            path: Of the file, for messages.

        Raises:
            WeightsError: Entries are missing or damaged, or of a later format.
        """
        names = {each.name: _FOREIGN_NAMES.get(each.name, _PREFIX + each.name) for each in fields(cls)}
        found_format = entries.get(f"{_PREFIX}format")
        if found_format is None:
            raise WeightsError(
                f"{path} does not say what it holds: its metadata has no '{_PREFIX}format' (`inpaint export` writes it)"
            )
        if found_format != GRAPH_FORMAT:
            raise WeightsError(
                f"{path} was written by a later version: its format is {found_format}, not {GRAPH_FORMAT}"
            )
        lacking = [entry for name, entry in names.items() if name not in _OPTIONAL and entry not in entries]
        if lacking:
            raise WeightsError(f"{path} has damaged metadata: {', '.join(lacking)} missing")
        try:
            said = {
                name: json.loads(entries[entry]) if name in _JSON else entries[entry]
                for name, entry in names.items()
                if entry in entries
            }
            found: GraphMetadata = TypeAdapter(cls).validate_python(said)
        except (ValidationError, ValueError, RecursionError):
            raise WeightsError(f"{path} has damaged metadata") from None
        if found.graph == "pipeline" and found.interface is None:
            raise WeightsError(f"{path} has damaged metadata: {_PREFIX}interface missing")
        if impossible := found.impossible_numbers():
            raise WeightsError(f"{path} has damaged metadata: {impossible}")
        planes = tuple(
            Plane(name=plane.name, channels=plane.channels, everywhere=plane.everywhere)
            for plane in found.capabilities.planes
        )
        return replace(found, capabilities=replace(found.capabilities, planes=planes))


def _told_planes(capabilities: Capabilities) -> list[dict[str, Any]]:
    return [
        {"name": plane.name, "channels": plane.channels, "everywhere": plane.everywhere}
        for plane in capabilities.planes
    ]


@dataclass(frozen=True, kw_only=True)
class GraphFile:
    """An ONNX file as its outer fields describe it.

    entries: its metadata. inputs, outputs: names of the graph's, with their types as ONNX writes them ("uint8").
    """

    entries: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def is_graph(path: str | PathLike[str]) -> bool:
    """Return whether a file is an ONNX file, by its ending or by what it holds; False for one that is not there."""
    if Path(path).suffix.lower() == GRAPH_SUFFIX:
        return True
    try:
        with open_file(path) as file:
            # The version of the format comes first, then the producer's name, as every exporter writes them.
            if file.read(1) != b"\x08":
                return False
            file.seek(0)
            return _read(cast(BinaryIO, file)) is not None
    except (OSError, _DamagedError):
        return False


def read_graph(path: str | PathLike[str]) -> GraphFile:
    """Return what the outer fields of an ONNX file say.

    Raises:
        WeightsError: The file is missing, damaged, or none of ONNX.
    """
    place = existing_file(path)
    try:
        with open_file(place) as file:
            found = _read(cast(BinaryIO, file))
    except OSError as error:
        raise WeightsError(f"cannot read {place}: {error.strerror}") from None
    except _DamagedError as error:
        raise WeightsError(f"{place} is damaged or no ONNX file: {pretended(place) or error}") from None
    if found is None:
        raise WeightsError(f"{place} is damaged or no ONNX file: {pretended(place) or 'it holds no graph'}")
    return found


# The wire format of protocol buffers: a key (number of a field and kind of its value), then the value -----------------


class _DamagedError(ValueError):
    """What was read is no protocol buffer, or ends too early."""


_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST = 2**24  # of a text or a description that is read; weights are skipped
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


def _read(file: BinaryIO) -> GraphFile | None:
    """Return what a ModelProto says; None where it has no graph."""
    entries: dict[str, str] = {}
    sides: dict[int, dict[str, str]] = {}
    for number, kind, start, stop in _fields(file, 0, file.seek(0, 2)):
        if number == 7 and kind == _BYTES:  # graph
            sides = {11: {}, 12: {}}
            for inner, inner_kind, inner_start, inner_stop in _fields(file, start, stop):
                if inner in sides and inner_kind == _BYTES:  # input, output
                    name, type_name = _value(file, inner_start, inner_stop)
                    sides[inner][name] = type_name
        elif number == 14 and kind == _BYTES:  # metadata_props
            texts = {inner: _text(file, s, e) for inner, k, s, e in _fields(file, start, stop) if k == _BYTES}
            entries[texts.get(1, "")] = texts.get(2, "")
    return GraphFile(entries=entries, inputs=sides[11], outputs=sides[12]) if sides else None


def _value(file: BinaryIO, start: int, stop: int) -> tuple[str, str]:
    """Return name and type of a ValueInfoProto; what is no tensor has the type "other"."""
    name, type_name = "", "other"
    for number, kind, begin, end in _fields(file, start, stop):
        if number == 1 and kind == _BYTES:
            name = _text(file, begin, end)
        elif number == 2 and kind == _BYTES:  # type
            for inner, inner_kind, tensor, tensor_end in _fields(file, begin, end):
                if inner == 1 and inner_kind == _BYTES:  # tensor_type
                    element = [value for n, k, value, _ in _fields(file, tensor, tensor_end) if (n, k) == (1, _VARINT)]
                    type_name = _TYPES.get(element[0], "other") if element else "other"
    return name, type_name


def _fields(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, kind, start, end) of every field; of an integer its value stands in place of the start."""
    place = start
    while place < stop:
        file.seek(place)
        key = _varint(file)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise _DamagedError("a field without a number")
        if kind == _VARINT:
            value = _varint(file)
            place = file.tell()
            begin, end = value, place
        elif kind in (_BYTES, _EIGHT_BYTES, _FOUR_BYTES):
            length = _varint(file) if kind == _BYTES else 8 if kind == _EIGHT_BYTES else 4
            begin = file.tell()
            end = place = begin + length
        else:
            raise _DamagedError(f"a field of the unknown kind {kind}")
        if place > stop:
            raise _DamagedError("it ends too early")
        yield number, kind, begin, end


def _varint(file: BinaryIO) -> int:
    """Return the integer that begins here: seven bits in every byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise _DamagedError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _DamagedError("an integer without an end")


def _text(file: BinaryIO, start: int, stop: int) -> str:
    if stop - start > _LONGEST:
        raise _DamagedError("a text of an impossible length")
    file.seek(start)
    try:
        return file.read(stop - start).decode()
    except UnicodeDecodeError:
        raise _DamagedError("a text that is no UTF-8") from None
