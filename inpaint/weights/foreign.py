"""Other programs' files: opened without running their code, and what lies in them brought into one form."""

from __future__ import annotations

import argparse
import pathlib
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import WeightsError
from inpaint.system.files import open_file
from inpaint.weights import tensorflow
from inpaint.weights.places import existing_file, pretended
from inpaint.weights.torchscript import ScriptError, script_tensors

State: TypeAlias = Mapping[str, Tensor]

# What checkpoints hold beside tensors, and what does nothing but store: NumPy's numbers and arrays, under the names of
# NumPy 1 and 2, options of the command line, and paths, which become those of no system.
_ARRAY_FUNCTIONS = {
    "scalar": np.float64(0).__reduce__()[0],
    "_reconstruct": np.zeros(0).__reduce__()[0],
}


def _plain_dict(factory: object = None) -> dict[Any, Any]:
    """Return what a defaultdict is without its factory."""
    return {}


_HARMLESS: list[Any] = [
    *(
        (function, f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name, function in _ARRAY_FUNCTIONS.items()
    ),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in "?bhilqBHILQefdgFDSU"),
    argparse.Namespace,
    (_plain_dict, "collections.defaultdict"),
    *(list, dict, tuple, int, float, str, slice, range),
    *(
        (pure, f"{module}.{name}")
        for module in ("pathlib", "pathlib._local")
        for name, pure in (
            ("PosixPath", pathlib.PurePosixPath),
            ("PurePosixPath", pathlib.PurePosixPath),
            ("WindowsPath", pathlib.PureWindowsPath),
            ("PureWindowsPath", pathlib.PureWindowsPath),
        )
    ),
]

# What torch.compile, FSDP and activation checkpointing put between the parts of a name.
_WRAPPERS = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")


def load_foreign(path: str | PathLike[str], *, mmap: bool = False) -> Any:
    """Read another program's PyTorch checkpoint: tensors in plain containers, on the CPU.

    Of a TorchScript archive the tensors are read by name, and the program is not run. Of a checkpoint of TensorFlow or
    an archive of NumPy's it returns the arrays by name.

    mmap: leave the tensors in the file until they are used, where its format allows that.

    Only such content is accepted; a file that would run code while it is read is refused with a WeightsError, as are
    missing and damaged files.
    """
    path = existing_file(path)
    if tensorflow.is_checkpoint(path):
        return tensorflow.read_checkpoint(path)
    if tensorflow.is_archive(path):
        return tensorflow.read_archive(path)
    try:
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals(_HARMLESS),
            torch.sparse.check_sparse_tensor_invariants(True),  # type: ignore[no-untyped-call]
        ):
            warnings.simplefilter("ignore")  # torch's advice on pickle protocols
            if not path.is_file():
                return torch.load(open_file(path), map_location="cpu", weights_only=True)
            mapped = mmap and zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
        if asked or "unsupported global" in str(error).lower() or _asks_for_code(path):
            what = f" ({asked[1]})" if asked else ""
            raise WeightsError(
                f"{path} holds code, not only weights, and is not opened: reading it could run that code{what}; where "
                "it is trusted, save the network's state_dict() alone"
            ) from None
        raise _damaged(path, error) from None
    # A parser of a foreign format fails in every way there is, assertions and struct.error among them.
    except Exception as error:
        if "TorchScript" in str(error):
            return _script(path)
        raise _damaged(path, error) from None


def _script(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a TorchScript archive by name; its program is not run."""
    try:
        with open_file(path) as file:
            found = script_tensors(file)
    except ScriptError as error:
        raise WeightsError(f"{path} is a TorchScript archive, and its tensors cannot be read: {error}") from None
    if not found:
        raise WeightsError(
            f"{path} is a TorchScript archive whose modules hold no tensors: a frozen program keeps them without names"
        )
    return found


def _damaged(path: Path, error: Exception) -> WeightsError:
    said = str(error).strip().partition("\n")[0][:200] or type(error).__name__
    if "weights_only" in said:  # torch's advice to run what is in the file; the reason, if any, stands behind it
        found = re.search(r"WeightsUnpickler error: (.+)", str(error))
        said = found[1][:200] if found else "of no format that can be read without running its code"
    reason = pretended(path) or said
    return WeightsError(f"{path} is damaged or no PyTorch checkpoint: {reason}")


def _asks_for_code(path: Path) -> bool:
    """Say whether a bare pickle names functions or classes; torch stops at newer pickles before it gets there."""
    with suppress(ValueError, OSError), open_file(path) as file:
        return any(operation.name in ("GLOBAL", "STACK_GLOBAL") for operation, _, _ in pickletools.genops(file))
    return False


@dataclass(frozen=True)
class Part:
    """A mapping of tensors by name in a foreign file.

    place: the keys that lead to it, joined by dots; "" for the file itself. entries: dense tensors, without what
    wrappers put between the parts of a name; those that hold no values are tensors on the device "meta".
    """

    place: str
    entries: State


def state_dicts(content: Any) -> Iterator[Part]:
    """Yield every mapping of a file that holds tensors by name: the file itself and what is nested in it, once each."""
    waiting, seen = [("", content)], set[int]()
    while waiting:
        place, value = waiting.pop(0)
        if id(value) in seen:
            continue  # a checkpoint may hold itself
        seen.add(id(value))
        if isinstance(value, list | tuple):
            value = {str(number): part for number, part in enumerate(value)}
        if not isinstance(value, Mapping):
            continue
        if entries := tensors_of(value):
            yield Part(place, entries)
        inner = [(str(key), part) for key, part in value.items() if isinstance(part, Mapping | list | tuple)]
        # What lies in a mapping comes before what follows it.
        waiting[:0] = [(f"{place}.{key}" if place else key, part) for key, part in inner]


def tensors_of(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return the tensors of a mapping, and its NumPy arrays as such, by their names without wrappers' parts."""
    found = {}
    for name, value in state.items():
        tensor = _dense(value) if isinstance(name, str) else None
        if tensor is not None:
            found[_WRAPPERS.sub("", name)] = tensor
    return found


def _dense(value: Any) -> Tensor | None:
    """Return a tensor whose values lie one by one; None for what is none and cannot be made one."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "buif":
        return torch.from_numpy(np.array(value, order="C"))
    if not isinstance(value, Tensor) or value.is_nested:
        return None
    tensor = value.detach()
    if tensor.is_meta:
        return tensor
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    return tensor if tensor.layout == torch.strided else tensor.to_dense()
