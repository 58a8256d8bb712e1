"""The formats that a network is exported to, and what each does. Nothing is imported before a format is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeAlias

from inpaint.errors import InputError, UsageError, WriteError
from inpaint.system.files import missing
from inpaint.weights.graphs import Interface, Precision
from inpaint.weights.runs import RunFolder, Which


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be exported, and how.

    Args:
        model: Folder of a run or an import, or a weights file.
        output: The file to write.
        weights: Which of a run's.
        options: What `inpaint.load` takes for this model.
        pipeline: Whether the file reads and writes photos of any size as bytes.
        interface: Of a pipeline.
        precision: Of weights and arithmetic.
        origin: For the format of that name: the public program; None: the only one that can hold the run.
    """

    model: str
    output: Path
    weights: Which = "last"
    options: Mapping[str, Any] = field(default_factory=dict)
    pipeline: bool = False
    interface: Interface = "inpaint"
    precision: Precision = "float32"
    origin: str | None = None


Measured: TypeAlias = "Mapping[str, float]"
"""The largest difference from the network, which computes in float64 for that, by what was compared."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One format.

    Args:
        summary: One line for the help.
        export: "module:function" that writes the file of a `Request` and returns nothing.
        verify: "module:function" that measures the file of a `Request`, returning `Measured`; None where there is none.
        suffix: That file names usually have.
        pipelines: Whether it holds pipelines, too.
        precisions: What it may compute in.
        folders: Whether it may write several files, into a folder.
    """

    summary: str
    export: str
    verify: str | None = None
    suffix: str
    pipelines: bool = False
    precisions: tuple[Precision, ...] = ("float32",)
    folders: bool = False


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        summary="a graph for ONNX Runtime and other programs",
        export="inpaint.export.onnx_writing:export",
        verify="inpaint.export.verification:verify_graph",
        suffix=".onnx",
        pipelines=True,
        precisions=("float32", "float16", "int8"),
    ),
    "pt2": Format(
        summary="a program of torch.export",
        export="inpaint.export.program:export",
        verify="inpaint.export.program:verify",
        suffix=".pt2",
    ),
    "torchscript": Format(
        summary="a program for PyTorch alone: image and mask in, the filled image out",
        export="inpaint.export.torchscript:export",
        verify="inpaint.export.torchscript:verify",
        suffix=".pt",
    ),
    "origin": Format(
        summary="the files of the public program that such a network can be imported from",
        export="inpaint.export.origin:export",
        suffix=".pth",
        folders=True,
    ),
}


def export(name: str, request: Request) -> None:
    """Write the file of a request.

    Args:
        name: A key of FORMATS.
        request: What is wanted.

    Raises:
        UsageError: The format does not know what is wanted, the model has nothing to export, or the file to write is
            one of its own.
        WeightsError: Weights that cannot be used.
        MissingDependencyError: A package for the format is not installed.
        InpaintError: The file cannot be written.
    """
    check(name, request)
    check_apart(request.model, request.output)
    write: Callable[[Request], None] = resolve_name(FORMATS[name].export)
    try:
        request.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write '{request.output}': {error.strerror or error}") from None
    write(request)


def verify(name: str, request: Request) -> Measured:
    """Measure the file of a request against the network that it was made from, at several sizes and batches.

    The network computes in float64: what differs is what the file rounds.

    Args:
        name: A key of FORMATS.
        request: Its output is the file.

    Raises:
        UsageError: The format cannot be measured.
        InputError: The file is not there.
        WeightsError: The file or the weights cannot be used.
    """
    check(name, request)
    place = FORMATS[name].verify
    if place is None:
        raise UsageError(f"files of the format {name} cannot be measured here")
    if reason := missing(request.output):
        raise InputError(f"cannot read '{request.output}': {reason}")
    measure: Callable[[Request], Measured] = resolve_name(place)
    return measure(request)


def check(name: str, request: Request) -> None:
    """Raise UsageError for what a format does not know."""
    chosen = FORMATS[name]
    if request.pipeline and not chosen.pipelines:
        others = ", ".join(other for other, each in FORMATS.items() if each.pipelines)
        raise UsageError(f"--pipeline: the format {name} holds networks alone; formats with pipelines: {others}")
    if request.interface != "inpaint" and not request.pipeline:
        raise UsageError(f"--interface {request.interface} is that of a pipeline: add --pipeline")
    if request.origin is not None and name != "origin":
        raise UsageError(f"--origin {request.origin}: the format {name} is no public program's; add --format origin")
    if request.precision not in chosen.precisions:
        raise UsageError(f"--precision {request.precision}: the format {name} knows {', '.join(chosen.precisions)}")


def check_apart(model: str, output: Path) -> None:
    """Raise UsageError where a file would take the place of the weights that are exported, or of others of their run.

    Args:
        model: As of a `Request`.
        output: A file.
    """
    place = Path(model)
    if missing(place) or missing(output):
        return  # a name, or nothing that would be lost
    run = RunFolder(place) if place.is_dir() else RunFolder.of(place)
    own = [each for each in (run.weights, run.best_weights, run.last, run.best, run.config_yaml) if each.exists()]
    if place.is_file() and place not in own:
        own = [place]
    if any(each.samefile(output) for each in own):
        raise UsageError(f"the output '{output}' is a file of the model that is exported; choose another output")
