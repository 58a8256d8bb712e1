"""Checkpoints of public programs, turned into folders that `load` and `init=` take as they take a run.

Cheap to import: torch and the models come when a file is read.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import inpaint.arguments as arguments
from inpaint.errors import UsageError, WeightsError, some, unknown
from inpaint.registry import table
from inpaint.system.files import missing, sha256_of
from inpaint.types import Capabilities
from inpaint.weights.places import existing_file, index_file

if TYPE_CHECKING:
    from inpaint.weights.formats import Converted, Format, Found

ORIGINS: Mapping[str, tuple[str, ...]] = {
    "advimman": ("lama",),
    "aotgan": ("aotgan",),
    "csqiangwen": ("deepfill",),
    "erasenet": ("erasenet",),
    "irasin": ("wct",),
    "jiahuiyu": ("deepfill",),
    "knazeri": ("edgeconnect",),
    "magenta": ("multistyle",),
    "migan": ("migan",),
    "mmagic": ("deepfill", "pconv", "aotgan", "glcic"),
    "naoto0804": ("pconv", "adain"),
    "lyndonzheng": ("pluralistic",),
    "nipponjo": ("deepfill",),
    "otenim": ("glcic",),
    "pctnet": ("pctnet",),
    "pytorch_examples": ("johnson",),
    "ryanwongsa": ("multistyle",),
    "scfegan": ("scfegan",),
    "vcnet": ("vcnet",),
    "vcnet_xyf": ("vcnet",),
}
"""Which models' `weights.py` hold the formats of a public program; what a file holds is told by its entries."""

SWITCHES: Mapping[str, str] = {
    "bgr": "the network was trained on images in BGR",
    "fuse": "the attention adds the scores of neighboring pairs, as the official program does",
}
"""What some files cannot tell and the caller may."""

AVERAGED = re.compile(r"(?:^|[._])(?:ema|avg|averaged?|shadow|swa)(?:$|[._])")
"""How programs call the average of a network, which fills better than the network itself."""

Match: TypeAlias = "tuple[Format, str, list[Found]]"
"""A format, a role, and the networks of a file that have the same entries."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """What an import has written.

    capabilities: of what was imported. roles: the networks in it. lacking: the discriminators that a training of this
    model has and the files had not. parameters: of what fills or stylizes. notes: one line each, what was left out and
    why.
    """

    folder: Path
    title: str
    model: str
    capabilities: Capabilities
    license: str
    sha256: str
    roles: tuple[str, ...]
    lacking: tuple[str, ...]
    parameters: int
    notes: tuple[str, ...]


def import_weights(
    origin: str,
    inputs: Sequence[str],
    output: str | Path,
    *,
    switches: frozenset[str] = frozenset(),
    entry: str | None = None,
) -> Import:
    """Read checkpoint files of a public program and write a folder with model.safetensors and config.yaml.

    inputs: FILE or ROLE=FILE, each of another network; the role may be left out, since the entries tell it. output: a
    folder that holds no run yet. switches: names of SWITCHES, where the format leaves them open. entry: which network
    to take where a file holds one several times, such as "model_ema"; None: the average, with a note.
    Raises UsageError for wrong names, WeightsError for files that are damaged, hold code, belong to another program or
    do not fit, InpaintError when the folder cannot be written. Nothing is written then.
    """
    if arguments.text("origin", origin) not in ORIGINS:
        raise UsageError(unknown("origin", origin, ORIGINS))
    switches = frozenset(arguments.texts("switches", switches))
    entry = None if entry is None else arguments.text("entry", entry)
    folder = _free_folder(Path(arguments.path("output", output)))
    inputs = arguments.texts("inputs", inputs)
    for text in inputs:  # said at once: torch, which reads them, takes seconds
        if text.endswith("=") and missing(text):
            raise UsageError(f"--input {text}: names no file")
        if "=" not in text:
            existing_file(index_file(Path(text)))
    chosen, found, notes = _recognized(origin, inputs, entry)
    for switch in sorted(switches - chosen.switches):
        raise UsageError(f"--{switch} does not apply to {chosen.title}: its files leave no doubt")
    converted = chosen.convert(found, switches)
    parameters, discriminators = _check_fit(chosen, converted)
    sha256 = _hashes(found)
    _write(folder, chosen, converted, found, sha256, switches)
    roles = _roles(converted)
    return Import(
        folder=folder,
        title=chosen.title,
        model=chosen.model,
        capabilities=converted.config.capabilities(),
        license=chosen.license,
        sha256=sha256,
        roles=roles,
        lacking=tuple(role for role in discriminators if role not in roles),
        parameters=parameters,
        notes=(*notes, *converted.notes),
    )


def formats() -> list[Format]:
    """Return every format of every origin."""
    models = dict.fromkeys(model for models in ORIGINS.values() for model in models)
    return [entry for model in models for entry in import_module(f"{table.model_entry(model).package}.weights").FORMATS]


# Recognizing ---------------------------------------------------------------------------------------------------------


def _recognized(
    origin: str, inputs: Sequence[str], wanted_entry: str | None
) -> tuple[Format, dict[str, Found], tuple[str, ...]]:
    """Read all files and return the one format that they belong to, their networks by role, and what was chosen."""
    from inpaint.weights.foreign import load_foreign

    if not inputs:
        raise UsageError("no --input: give the checkpoint file, or ROLE=FILE for each of several")
    known = formats()
    roles = sorted({role for entry in known if entry.origin == origin for role in entry.networks})
    chosen: Format | None = None
    networks: dict[str, Found] = {}
    notes: list[str] = []
    for text in inputs:
        wanted, path = split_input(text, roles)
        path = index_file(path)
        entry, role, choice = _recognize(origin, load_foreign(path), path, known, wanted)
        found = _taken(choice, wanted_entry)
        if len(choice) > 1 and wanted_entry is None:
            others = " and ".join(other.place or "the file itself" for other in choice if other is not found)
            notes.append(
                f"{path.name} holds this network {len(choice)} times: {found.place or 'the file itself'} was taken, "
                f"{others} not; --entry chooses another"
            )
        if chosen is not None and entry is not chosen:
            raise WeightsError(
                f"{path} is of {entry.title}, the file before it of {chosen.title}: import one at a time"
            )
        if role in networks:
            raise UsageError(f"{networks[role].path} and {path} both hold the {role} of {entry.title}: give one")
        chosen = entry
        networks[role] = found
    assert chosen is not None
    if missing := sorted(chosen.networks.keys() - chosen.optional - networks.keys()):
        raise UsageError(f"{chosen.title} consists of several files: give --input {missing[0]}=FILE as well")
    return chosen, networks, tuple(notes)


def _taken(choice: Sequence[Found], wanted: str | None) -> Found:
    """Return the network of that place, else the one that is called an average, else the first.

    Raises UsageError for a place that there is not, WeightsError for a network without values.
    """
    if wanted is not None and wanted not in [found.place for found in choice]:
        places = [found.place for found in choice]
        raise UsageError(f"--entry {wanted}: {choice[0].path} holds the network as {', '.join(places) or 'itself'}")
    named = [found for found in choice if found.place == wanted]
    averaged = [found for found in choice if AVERAGED.search(found.place)]
    taken = (named or averaged or choice)[0]
    if empty := [name for name, value in taken.entries.items() if value.is_meta]:
        raise WeightsError(
            f"{taken.path}: {some(empty, 3)} {'has' if len(empty) == 1 else 'have'} a shape and no values (tensors on "
            "the device meta): save the checkpoint again from a model whose weights are loaded"
        )
    return taken


def split_input(text: str, roles: Sequence[str]) -> tuple[str | None, Path]:
    """Split ROLE=FILE; a file name may itself hold "=". Raises UsageError for a role that is none of `roles`."""
    role, equals, rest = text.partition("=")
    if not equals or Path(text).exists():
        return None, Path(text)
    if role in roles:
        return role, Path(rest)
    if role.isidentifier():
        raise UsageError(f"--input {text}: {unknown('role', role, roles)}")
    return None, Path(text)


def _recognize(origin: str, content: Any, path: Path, known: Sequence[Format], wanted: str | None) -> Match:
    """Return format and role of one file, and its networks of that kind; raises WeightsError for another origin's.

    wanted: the role that the caller says it has. It decides where the entries leave a choice, and must agree with them.
    """
    from inpaint.weights.foreign import state_dicts
    from inpaint.weights.formats import find

    parts = list(state_dicts(content))
    seen: list[Match] = []
    for entry in known:
        for role, names in entry.networks.items():
            if networks := find(parts, names, path=path, content=content):
                seen.append((entry, role, networks))
    ours = [match for match in seen if match[0].origin == origin]
    if ours:
        return _told_apart(ours, path, wanted)
    if seen:
        other = max(seen, key=lambda match: match[2][0].share)[0]
        raise WeightsError(f"{path} looks like {other.title}, not {origin}: use --origin {other.origin}")
    entries = [name for part in parts for name in part.entries]
    holds = f"its {len(entries)} entries begin with {some(entries, 3)}" if entries else "it holds no named tensors"
    raise WeightsError(f"{path} looks like none of the programs we know ({', '.join(sorted(ORIGINS))}): {holds}")


def _told_apart(seen: Sequence[Match], path: Path, wanted: str | None) -> Match:
    """Return the match that names and shapes of the entries tell, else the caller's word, else the file's name."""
    most = max(networks[0].share for _, _, networks in seen)
    alike = [match for match in seen if match[2][0].share == most]
    alike = [match for match in alike if match[0].has_shapes_of(match[1], match[2][0].entries)] or alike
    if wanted is not None:
        chosen = [match for match in alike if match[1] == wanted]
        if not chosen:
            held = " or the ".join(role for _, role, _ in alike)
            raise WeightsError(
                f"--input {wanted}={path}: the file holds the {held} of {alike[0][0].title}, not the {wanted}"
            )
        return chosen[0]
    if len(alike) > 1:
        alike = [match for match in alike if match[0].has_name_of(match[1], path)] or alike
    if len(alike) > 1:
        roles = [role for _, role, _ in alike]
        raise UsageError(
            f"{path} may be the {' or the '.join(roles)} of {alike[0][0].title}: say which, "
            f"e.g. --input {roles[0]}={path}"
        )
    return alike[0]


# Checking and writing ------------------------------------------------------------------------------------------------


def _roles(converted: Converted) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.partition(".")[0] for name in converted.tensors))


def _check_fit(entry: Format, converted: Converted) -> tuple[int, tuple[str, ...]]:
    """Load everything into our networks once, so that what is written can be used.

    Returns the number of parameters of what fills, and the discriminators that a training would have.
    """
    from inpaint.weights.files import load_into

    kind = table.network_class(entry.model)
    network, discriminators = kind(converted.config), kind.discriminators(converted.config)
    for role, part in {**dict(network.named_children()), **discriminators}.items():
        prefix = f"{role}."
        state = {name.removeprefix(prefix): t for name, t in converted.tensors.items() if name.startswith(prefix)}
        if state or role not in discriminators:
            load_into(part, state, source=entry.title)
    return sum(parameter.numel() for parameter in network.parameters()), tuple(discriminators)


def _free_folder(folder: Path) -> Path:
    from inpaint.weights.runs import RunFolder

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder} is a file: name a folder")
    if RunFolder(folder).holds_run():
        raise UsageError(f"--output {folder} already holds a run or an import: name another folder")
    return folder


def _hashes(found: Mapping[str, Found]) -> str:
    """Return the SHA-256 of the file, or "role:hash, ..." of several."""
    each: dict[str, str] = {}
    for role, network in sorted(found.items()):
        try:
            each[role] = sha256_of(network.path)
        except OSError as error:
            raise WeightsError(f"cannot read {network.path}: {error.strerror or error}") from None
    return ", ".join(f"{role}:{digest}" if len(each) > 1 else digest for role, digest in each.items())


def _write(
    folder: Path,
    entry: Format,
    converted: Converted,
    found: Mapping[str, Found],
    sha256: str,
    switches: frozenset[str],
) -> None:
    """Write both files or none."""
    from inpaint.system.locks import FolderLock, HeldError
    from inpaint.weights.files import WeightsMetadata, save_weights
    from inpaint.weights.runs import RunFolder

    # A name may hold bytes that are no text; metadata and configuration are text.
    names = [os.fsencode(network.path.name) for network in found.values()]
    files = ", ".join(name.decode("utf-8", "backslashreplace") for name in names)
    metadata = WeightsMetadata(
        model=entry.model,
        config=converted.config.model_dump(mode="json"),
        roles=_roles(converted),
        iteration=converted.iteration,
        license=entry.license,
        source=f"{entry.title}, {entry.source}: {files}",
        source_sha256=sha256,
    )
    head = [
        f"Imported from {metadata.source}",
        f"License: {metadata.license}",
        f"SHA-256: {sha256}",
        *([f"Switches: {', '.join(sorted(switches))}"] if switches else []),
        f"Fine-tune: inpaint train model={entry.model} init=THIS_FOLDER data.root=PHOTOS",
    ]
    run = RunFolder(folder)
    lock = FolderLock(run.lock)
    try:
        lock.acquire()
    except HeldError as held:
        raise WeightsError(f"'{folder}' is {held}: a training runs there; name another folder") from None
    except OSError as error:
        raise WeightsError(f"cannot use '{folder}': {error.strerror or error}") from None
    try:
        run.create({"model": {"name": entry.model, **metadata.config}}, head="\n".join(head))
        save_weights(run.weights, converted.tensors, metadata)
    except BaseException:
        # Ctrl-C as well: a folder with a configuration alone would look like a run.
        for path in (run.weights, run.config_yaml):
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    finally:
        lock.release()  # and a folder that was made for nothing goes
