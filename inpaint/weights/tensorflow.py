"""Variables of TensorFlow's checkpoints: read by TensorFlow where it is installed, else from an archive of NumPy's.

A checkpoint is several files, NAME.index, NAME.meta and NAME.data-00000-of-00001; `NAME`, which is none of them, is
what TensorFlow calls it. An archive holds the same variables, an array each:

    reader = tensorflow.train.load_checkpoint("NAME")
    numpy.savez("NAME.npz", **{key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()})
"""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import MissingDependencyError, WeightsError
from inpaint.system.files import open_file
from inpaint.weights.places import INDEX

COMMAND = (
    'python -c "import numpy, sys, tensorflow; r = tensorflow.train.load_checkpoint(sys.argv[1]); '
    'numpy.savez(sys.argv[2], **{k: r.get_tensor(k) for k in r.get_variable_to_shape_map()})"'
)


def is_checkpoint(path: Path) -> bool:
    """Return whether a file is the index of a checkpoint, by its name."""
    return path.suffix == INDEX


def read_checkpoint(index: Path) -> dict[str, NDArray[Any]]:
    """Return the variables of a checkpoint by name.

    Raises:
        MissingDependencyError: TensorFlow is not installed; the message says how to do without it here.
        WeightsError: TensorFlow cannot read the checkpoint.
    """
    checkpoint = str(index).removesuffix(INDEX)
    try:
        tensorflow = import_module("tensorflow")
    except ImportError:
        raise MissingDependencyError(
            f"{index} is a checkpoint of TensorFlow, which is not installed here; where it is, make an archive that "
            f"needs none: {COMMAND} {shlex.quote(checkpoint)} {shlex.quote(checkpoint)}.npz"
        ) from None
    try:
        reader = tensorflow.train.load_checkpoint(checkpoint)
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except Exception as error:  # of TensorFlow's own kinds
        said = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise WeightsError(f"{index} is damaged or no checkpoint of TensorFlow: {said}") from None


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive of NumPy's, by what it holds."""
    with suppress(OSError, zipfile.BadZipFile, UnicodeDecodeError), open_file(path) as file:  # of a damaged name
        if file.read(2) == b"PK":
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                return bool(names) and all(name.endswith(".npy") for name in names)
    return False


def read_archive(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name; raises WeightsError for what holds code or is damaged."""
    try:
        with open_file(path) as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise WeightsError(f"{path} holds Python objects, not only arrays, and is not opened") from None
        raise WeightsError(f"{path} is damaged: {error}") from None
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise WeightsError(f"{path} is damaged: {str(error).strip() or type(error).__name__}") from None


def write_archive(file: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays into an archive that `read_archive` and NumPy read."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asarray(array, order="C"), allow_pickle=False)


def from_kernel(name: str, kernel: Tensor) -> Tensor:
    """Turn a kernel (kh, kw, in, out) into PyTorch's weight (out, in, kh, kw).

    That of a transposed convolution, (kh, kw, out, in), becomes (in, out, kh, kw), which is PyTorch's, too.
    """
    return kernel.permute(3, 2, 0, 1).contiguous()


def to_kernel(name: str, weight: Tensor) -> Tensor:
    """Turn PyTorch's weight into a kernel: the way back from `from_kernel`."""
    return weight.permute(2, 3, 1, 0).contiguous()


def from_variables(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the variables of convolutions as PyTorch calls and keeps them.

    SCOPE/kernel, SCOPE/bias and SCOPE/kernel_sn/u (1, out), the left vector of a spectral norm, become SCOPE.weight,
    SCOPE.bias and SCOPE.weight_u (out, 1); other variables stay.
    """
    found = {}
    for name, value in variables.items():
        scope, _, kind = name.partition("/kernel_sn/") if "/kernel_sn/" in name else name.rpartition("/")
        if kind == "kernel" and value.ndim == 4:
            found[f"{scope}.weight"] = from_kernel(name, value)
        elif kind == "u":
            found[f"{scope}.weight_u"] = value.reshape(-1, 1)
        else:
            found[f"{scope}.{kind}" if scope else name] = value
    return found


def as_variables(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as TensorFlow calls and keeps them: the way back from `from_variables`."""
    found = {}
    for name, value in tensors.items():
        scope, _, kind = name.rpartition(".")
        if kind == "weight":
            found[f"{scope}/kernel"] = to_kernel(name, value)
        elif kind == "weight_u":
            found[f"{scope}/kernel_sn/u"] = value.reshape(1, -1)
        else:
            found[f"{scope}/{kind}"] = value
    return found
