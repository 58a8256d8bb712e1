"""Runs as the files of public programs: the way back from every import.

Importing what is written gives equal tensors; singular vectors that a program stores from before a power iteration
come back equal up to rounding.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint.errors import UsageError, WeightsError, WriteError, unknown
from inpaint.export.formats import Request, check_apart
from inpaint.options import ModelConfig, differing, show, validated
from inpaint.registry import conversion, table
from inpaint.registry.loading import weights_of
from inpaint.system.files import atomic_write
from inpaint.weights.runs import Which

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint.weights.files import WeightsMetadata
    from inpaint.weights.formats import Format

log = logging.getLogger("inpaint.export")

FLAT_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class OriginFiles:
    """What was written.

    files: in the order in which the program lists its networks. origin, title: whose they are. roles: the networks in
    them. license: of the weights. notes: one line each, what was left out and what the program must be told.
    """

    files: tuple[Path, ...]
    origin: str
    title: str
    roles: tuple[str, ...]
    license: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Fit:
    """A format and what a run has that it cannot hold: dotted options, with the value of the run and the format's."""

    entry: Format
    differences: Mapping[str, list[Any]]

    def refusal(self) -> str:
        """Say in words what cannot be held."""
        options = (f"model.{key}={show(run)} (it has {show(own)})" for key, (run, own) in self.differences.items())
        return f"{self.entry.title} cannot hold {', '.join(options)}"


def export_origin(
    place: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    origin: str | None = None,
    weights: Which = "last",
) -> OriginFiles:
    """Write the networks of a run in the files of a public program that `import-weights` can read.

    Args:
        place: The folder of a run or import, or a weights file. The checkpoint of a run (last.ckpt) also holds its
            discriminators.
        output: A file; a folder for programs with a file for each network, which must not hold anything yet. In a
            folder that is there a single file gets the program's name for it. A file that ends in .safetensors holds
            the tensors alone, where the program's readers take that.
        origin: The program; None: the only one that can hold this run.
        weights: Which of a run's.

    Returns:
        What was written.

    Raises:
        UsageError: There is no such program for this model, it cannot hold the run (the message names the option), or
            the file is one of the run itself.
        WeightsError: The weights cannot be read, or lack a network that the program needs.
        WriteError: The files cannot be written. Nothing is left of them then.
    """
    from inpaint.weights.files import load_weights
    from inpaint.weights.formats import Converted

    if (text := os.fspath(place)) in table.FILLS:
        raise UsageError(f"'{text}' has no weights that could be written: give the folder of a run or of an import")
    tensors, metadata = load_weights(weights_of(text, weights))
    config = validated(table.config_class(metadata.model), metadata.config)
    entry, tensors, notes = _chosen(metadata.model, config, tensors, origin)
    assert entry.writer is not None
    written = entry.writer.write(Converted(config=config, tensors=tensors, iteration=metadata.iteration))
    target = Path(output)
    if entry.writer.folder:
        files = _write_folder(target, written.files, entry, metadata)
    else:
        ((name, content),) = written.files.items()
        file = target / name if target.is_dir() else target
        check_apart(text, file)
        files = (_write_file(file, content, entry, metadata),)
    return OriginFiles(
        files=files,
        origin=entry.origin,
        title=entry.title,
        roles=tuple(dict.fromkeys(name.partition(".")[0] for name in tensors)),
        license=metadata.license,
        notes=(*notes, *written.notes),
    )


def export(request: Request) -> None:
    """Write the files of a request, and say what they cannot hold; raises what `export_origin` raises."""
    if request.options:
        raise UsageError(f"{', '.join(request.options)}: no option of ours stands in a public program's files")
    done = export_origin(request.model, request.output, origin=request.origin, weights=request.weights)
    for note in done.notes:
        log.warning("%s: %s", done.title, note)


def origins_of(model: str) -> tuple[str, ...]:
    """Return the programs in whose files networks of a model can be written."""
    return tuple(dict.fromkeys(entry.origin for entry in _formats_of(model)))


# Choosing ------------------------------------------------------------------------------------------------------------


def _formats_of(model: str) -> list[Format]:
    return [entry for entry in conversion.formats() if entry.model == model and entry.writer is not None]


def _chosen(
    model: str, config: ModelConfig, tensors: Mapping[str, Tensor], origin: str | None
) -> tuple[Format, dict[str, Tensor], tuple[str, ...]]:
    """Return the format to write, the tensors that it can hold, and what is to be said."""
    known = _formats_of(model)
    if not known:
        raise UsageError(f"no public program's files are known that hold networks of the model '{model}'")
    if origin is not None and origin not in origins_of(model):
        raise UsageError(unknown(f"origin of {model}", origin, origins_of(model)))
    kept, notes = dict(tensors), tuple[str, ...]()
    fits = _fits(known, config, kept, origin)
    if not any(not fit.differences for fit in fits):
        # A discriminator that the program does not know may stay behind: nobody fills with it.
        network = set(dict(table.network_class(model)(config).named_children()))
        kept = {name: value for name, value in tensors.items() if name.partition(".")[0] in network}
        refusal = _nearest_of_each(fits)[0].refusal()
        fits, notes = _fits(known, config, kept, origin), (f"no discriminator is written: {refusal}",)
    possible = [fit.entry for fit in fits if not fit.differences]
    if not possible:
        raise UsageError("; ".join(fit.refusal() for fit in _nearest_of_each(fits)))
    if len({entry.origin for entry in possible}) > 1:
        names = ", ".join(entry.origin for entry in possible)
        raise UsageError(f"several programs can hold this run ({names}): choose one with --origin")
    entry = possible[0]
    held = {name.partition(".")[0] for name in kept}
    if lacking := sorted(entry.networks.keys() - entry.optional - held):
        raise WeightsError(f"{entry.title} needs {' and '.join(lacking)}, which these weights do not hold")
    return entry, kept, notes


def _fits(
    known: Sequence[Format], config: ModelConfig, tensors: Mapping[str, Tensor], origin: str | None
) -> list[_Fit]:
    held = {name.partition(".")[0] for name in tensors}
    idle = {option for option, roles in config.CONCERNS.items() if not roles & held}
    fits = []
    for entry in known:
        if origin is None or entry.origin == origin:
            assert entry.writer is not None
            nearest = entry.writer.nearest(config)
            pairs = differing(config.model_dump(mode="json"), nearest.model_dump(mode="json"))
            free = config.TRAINING | idle
            fits.append(_Fit(entry, {key: pair for key, pair in pairs.items() if key.partition(".")[0] not in free}))
    return fits


def _nearest_of_each(fits: Sequence[_Fit]) -> list[_Fit]:
    """Return the fit of each program that has the fewest differences, the nearest program first."""
    ordered = sorted(fits, key=lambda fit: len(fit.differences))
    return list({fit.entry.origin: fit for fit in reversed(ordered)}.values())[::-1]


# Writing -------------------------------------------------------------------------------------------------------------


def _write_file(path: Path, content: Mapping[str, Any], entry: Format, metadata: WeightsMetadata) -> Path:
    assert entry.writer is not None
    if entry.writer.archive:
        _save_archive(path, content)
    elif path.suffix.lower() != FLAT_SUFFIX:
        _save(path, content, metadata)
    elif entry.writer.flat is None:
        raise UsageError(f"--output {path}: {entry.title} reads no safetensors; name a file that ends in .pth")
    else:
        from inpaint.weights.files import save_tensors

        said = {f"inpaint.{key}": text for key, text in _said(metadata).items()}
        save_tensors(path, content[entry.writer.flat], {"format": "pt", **said})
    return path


def _write_folder(
    folder: Path, files: Mapping[str, Mapping[str, Any]], entry: Format, metadata: WeightsMetadata
) -> tuple[Path, ...]:
    """Write all files or none."""
    assert entry.writer is not None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds files already" if folder.is_dir() else "is a file"
        raise UsageError(f"--output {folder} {what}: this program has a file for each network; name a new folder")
    temporary = folder.with_name(f".{folder.name[:40]}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir()
        for name, content in files.items():
            if entry.writer.archive:
                _save_archive(temporary / name, content)
            else:
                _save(temporary / name, content, metadata)
        with suppress(FileNotFoundError):
            folder.rmdir()
        temporary.rename(folder)
    except OSError as error:
        raise WriteError(f"cannot write '{folder}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # after Ctrl-C as well
    return tuple(folder / name for name in files)


def _save(path: Path, content: Mapping[str, Any], metadata: WeightsMetadata) -> None:
    """Write a PyTorch file; beside networks in containers of their own there is room for what the weights are."""
    import torch

    container = not any(isinstance(value, torch.Tensor) for value in content.values())
    with atomic_write(path) as temporary:
        torch.save({**content, "inpaint": _said(metadata)} if container else dict(content), temporary)


def _save_archive(path: Path, content: Mapping[str, Tensor]) -> None:
    """Write tensors as an archive of NumPy's; a name that ends in .safetensors or .pth would say something else."""
    from inpaint.weights.tensorflow import write_archive

    if path.suffix.lower() in (FLAT_SUFFIX, ".pth", ".pt", ".ckpt"):
        raise UsageError(f"--output {path}: what is written is an archive of NumPy's; name a file that ends in .npz")
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        write_archive(file, {name: value.numpy() for name, value in content.items()})


def _said(metadata: WeightsMetadata) -> dict[str, str]:
    """Return what is to be known of the weights, as text."""
    return {key: value for key, value in asdict(metadata).items() if isinstance(value, str)}
