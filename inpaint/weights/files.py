"""Weights on disk: safetensors with our metadata. What a file says of itself is read without torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from inpaint.errors import WeightsError, some
from inpaint.system.files import atomic_write, open_file
from inpaint.weights.graphs import is_graph
from inpaint.weights.places import existing_file, pretended

if TYPE_CHECKING:
    from torch import Tensor, nn

TRAINING_FORMAT = "inpaint-training-1"  # what last.ckpt and best.ckpt of a run call themselves
METADATA_KEY = "inpaint"  # safetensors metadata maps strings to strings; ours is one JSON object


def _version() -> str:
    from inpaint import __version__  # only now: the package's face shows what loads these files

    return __version__


@dataclass(frozen=True, kw_only=True)
class WeightsMetadata:
    """What a weights file says about itself.

    model: name in the registry. config: the model's configuration, plain JSON. roles: the networks in the file; every
    tensor's name begins with its role and a dot. iteration: how long it was trained, if known. trained_px: side of the
    crops that it was trained on last, where that is known; else the architecture's own holds. license, source,
    source_sha256: of the file it was imported from. version: of this package when it was written.
    """

    model: str
    config: Mapping[str, Any]
    roles: tuple[str, ...]
    iteration: int | None = None
    trained_px: int | None = None
    license: str | None = None
    source: str | None = None
    source_sha256: str | None = None
    version: str = field(default_factory=_version)


def save_weights(path: str | PathLike[str], tensors: Mapping[str, Tensor], metadata: WeightsMetadata) -> None:
    """Write tensors and metadata as safetensors, atomically: equal ones give equal bytes.

    Tensors that share memory are written separately. Raises InpaintError when the file cannot be written.
    """
    save_tensors(path, tensors, {"format": "pt", METADATA_KEY: json.dumps(asdict(metadata))})


def save_tensors(path: str | PathLike[str], tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> None:
    """Write tensors as safetensors, atomically, with any metadata: for the readers of other programs.

    Tensors that share memory are written separately. Raises InpaintError when the file cannot be written.
    """
    from safetensors.torch import save_file

    # A dense copy each: safetensors refuses views, shared memory and other memory layouts.
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    try:
        with atomic_write(path) as temporary:
            save_file(plain, temporary, metadata=dict(said))
            _order_metadata(temporary)
    except SafetensorError as error:
        raise WeightsError(f"cannot write '{path}': {error}") from error  # disk full and the like, no OSError here


def _order_metadata(path: Path) -> None:
    """Put the metadata of a safetensors file in the order of their names, which the library shuffles every time."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length
        # As long as before, since the tensors begin right behind it; the format ends a header with spaces.
        file.seek(8)
        file.write(text.ljust(length))


def read_metadata(path: str | PathLike[str]) -> WeightsMetadata:
    """Return the metadata of a weights file, or of the checkpoint of a run, without reading its tensors.

    Only the checkpoint of a run takes torch.

    Raises WeightsError when the file is missing, damaged, no safetensors, or not written by this package.
    """
    if _is_pickle(path):
        return _of_checkpoint(path)[1]
    with _opened(path, "numpy") as file:
        return _metadata(path, file.metadata())


def load_weights(
    path: str | PathLike[str], *, without: tuple[str, ...] = (), only: str = ""
) -> tuple[dict[str, Tensor], WeightsMetadata]:
    """Return tensors (on the CPU) and metadata of a weights file; raises WeightsError as `read_metadata` does.

    The checkpoint of a run (last.ckpt, best.ckpt) is such a file, too: it holds the averaged networks and every
    discriminator.

    without, only: beginnings of names that are left in the file, or that alone are read.
    """
    if _is_pickle(path):
        tensors, metadata = _of_checkpoint(path)
        chosen = {n: value for n, value in tensors.items() if n.startswith(only) and not n.startswith(without)}
        return chosen, metadata
    with _opened(path, "pt") as file:
        metadata = _metadata(path, file.metadata())
        names = [name for name in file.keys() if name.startswith(only) and not name.startswith(without)]  # noqa: SIM118
        return {name: file.get_tensor(name) for name in names}, metadata


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str | PathLike[str]) -> None:
    """Copy tensors into a network, all of them and nothing else.

    Raises WeightsError that lists missing, extra and misshapen entries; the network is unchanged then.
    """
    own = network.state_dict()
    misshapen = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    complaints = [
        f"{len(names)} {what} ({some(names, 4)})"
        for what, names in (
            ("missing", [name for name in own if name not in tensors]),
            ("extra", [name for name in tensors if name not in own]),
            ("misshapen", misshapen),
        )
        if names
    ]
    if complaints:
        raise WeightsError(f"weights of {source} do not fit this architecture: {'; '.join(complaints)}")
    network.load_state_dict(dict(tensors))


def _opened(path: str | PathLike[str], framework: str) -> Any:
    """Open a safetensors file; framework: of the tensors that are got of it."""
    path = existing_file(path)
    try:
        return _safe_open(path, framework)
    except (SafetensorError, OSError, ValueError) as error:
        is_onnx = "it is an ONNX file, which fills, and holds no weights to go on with" if is_graph(path) else ""
        reason = pretended(path) or is_onnx or str(error)
        raise WeightsError(f"{path} is damaged or not in the safetensors format: {reason}") from None


def _is_pickle(path: str | PathLike[str]) -> bool:
    """Tell whether a file is PyTorch's and not safetensors, by its first bytes."""
    path = existing_file(path)
    try:
        with open_file(path) as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from None
    # A safetensors file begins with the length of its header, which may look like a pickle; the header is JSON.
    return start.startswith((b"PK\x03\x04", b"\x80")) and start[8:] != b"{"


def _of_checkpoint(path: str | PathLike[str]) -> tuple[dict[str, Tensor], WeightsMetadata]:
    """Return what the checkpoint of a run holds to fill and to train on with: averaged networks, discriminators."""
    from inpaint.weights.foreign import load_foreign

    try:
        state = load_foreign(path, mmap=True)
    except WeightsError as error:
        raise WeightsError(f"{path} is a PyTorch pickle, not safetensors, and cannot be opened: {error}") from None
    if not isinstance(state, dict) or state.get("format") != TRAINING_FORMAT:
        raise WeightsError(
            f"{path} is a PyTorch pickle, not safetensors, and no checkpoint of a run; `inpaint import-weights --help` "
            "shows which programs' checkpoints can be turned into weights for here"
        )
    try:
        average: Mapping[str, Tensor] | None = state["average"]
        tensors = {**(state["network"] if average is None else average), **state["discriminators"]}
        said = {
            "model": state["model"],
            "config": state["config"],
            "roles": tuple(dict.fromkeys(name.partition(".")[0] for name in tensors)),
            "iteration": int(state["iteration"]),
            "trained_px": state.get("trained_px"),
            "license": state.get("license"),
        }
        metadata = TypeAdapter(WeightsMetadata).validate_python(said)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise WeightsError(f"{path} is a damaged checkpoint of a run") from None
    return tensors, metadata


def _safe_open(path: Path, framework: str) -> Any:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        # safetensors takes paths of UTF-8 only; a link to any other file has one.
        with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
            link = Path(folder) / "weights"
            link.symlink_to(path.resolve())
            return safe_open(link, framework=framework)
    return safe_open(path, framework=framework)


def _metadata(path: str | PathLike[str], entries: Mapping[str, str] | None) -> WeightsMetadata:
    if not entries or METADATA_KEY not in entries:
        raise WeightsError(
            f"{path} does not say which model it holds: it was not written by inpaint (no '{METADATA_KEY}' metadata)"
        )
    try:
        # Entries that a later version may have added are ignored.
        return TypeAdapter(WeightsMetadata).validate_json(entries[METADATA_KEY])
    except ValidationError:
        raise WeightsError(f"{path} has damaged metadata") from None
