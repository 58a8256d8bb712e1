"""What importers of public checkpoints share: finding a network in a file and taking it apart entry by entry.

A model's `weights.py` lists its `FORMATS`; `inpaint.registry.conversion` chooses among them and writes the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import WeightsError, some
from inpaint.options import ModelConfig
from inpaint.weights.foreign import Part, State

RECOGNIZED = 0.5  # share of a format's names that a file must hold; the rest is then reported as missing


@dataclass(frozen=True, kw_only=True)
class Found:
    """One network in a foreign file.

    place: the keys and the prefix that lead to it; "" for the file itself. entries: its tensors, without the prefix
    that they all share. rest: tensors beside them that lack that prefix and are of no other such network. content: the
    whole file. share: which part of the names looked for it holds, 0 to 1.
    """

    path: Path
    place: str = ""
    entries: State
    rest: State
    content: Mapping[str, Any]
    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A checkpoint in our terms. tensors carry the prefix of their role; notes are for the user who imports."""

    config: ModelConfig
    tensors: dict[str, Tensor]
    iteration: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Written:
    """Networks of ours as their program would save them.

    files: content by the name that the program gives the file: tensors and plain values in plain containers. notes: for
    the user, what was left out and what the program must be told.
    """

    files: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Writer:
    """How networks of ours are written for a public program.

    nearest: the configuration that its files can express and that is nearest to a given one; what differs cannot be
    written. write: from networks of a configuration that can; raises UsageError for weights that cannot.
    folder: whether its networks lie in a file each. flat: the key under which a file holds tensors that its readers
    take as a safetensors file, too. archive: the file is an archive of NumPy's, whose content is tensors alone.
    """

    nearest: Callable[[Any], ModelConfig]
    write: Callable[[Converted], Written]
    folder: bool = False
    flat: str | None = None
    archive: bool = False


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of checkpoint of one public program ("origin").

    title, license, source: for people, and written beside the weights. model: registered name. networks: role of each
    input file and the names of its entries. optional: roles that may be left out. switches: what the file cannot tell
    and a caller may. convert: from the networks found and the switches given to ours; raises WeightsError that lists
    what does not fit. writer: the way back.

    Where roles share their names: shapes tell them apart (by role, some entries and the shapes they have there), else
    file_names do (by role, the pattern of the name that the program gives the file), else the caller does.
    """

    origin: str
    title: str
    model: str
    license: str
    source: str
    networks: Mapping[str, frozenset[str]]
    optional: frozenset[str] = frozenset()
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    file_names: Mapping[str, str] = field(default_factory=dict)
    switches: frozenset[str] = frozenset()
    convert: Callable[[Mapping[str, Found], frozenset[str]], Converted]
    writer: Writer | None = None

    def has_shapes_of(self, role: str, entries: State) -> bool:
        """Tell whether every entry whose shape marks this role has that shape; one that is absent tells nothing."""
        marks = self.shapes.get(role, {})
        return all(tuple(entries[name].shape) == shape for name, shape in marks.items() if name in entries)

    def has_name_of(self, role: str, path: Path) -> bool:
        """Tell whether the file is called as the program calls the file of this role."""
        return role in self.file_names and fnmatch(path.name, self.file_names[role])


def find(parts: Sequence[Part], names: frozenset[str], *, path: Path, content: Any) -> list[Found]:
    """Return the networks of a file that hold most of these names, none when no part holds enough of them.

    Several are what a file holds beside one another, such as a network and its average; copies of one count once.

    Args:
        parts: Of the file, see `foreign.state_dicts`. Their names may have any prefix: that of DataParallel (module.),
            of a whole training (generator.), several behind each other.
        names: Of the entries, without prefix.
        path, content: Of the file.
    """
    found: list[Found] = []
    for part in parts:
        counts = Counter(prefix for name in part.entries for prefix in _prefixes(name, names))
        likely = [prefix for prefix, count in counts.items() if count >= RECOGNIZED * len(names)]
        for prefix in likely:
            others = tuple(other for other in likely if other != prefix and len(other) >= len(prefix))
            own = {name: value for name, value in part.entries.items() if not name.startswith(others)}
            found.append(
                Found(
                    path=path,
                    place=".".join(filter(None, (part.place, prefix.rstrip(".")))),
                    entries={
                        name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)
                    },
                    rest={name: value for name, value in own.items() if not name.startswith((prefix, *likely))},
                    content=content if isinstance(content, Mapping) else {},
                    share=counts[prefix] / len(names),
                )
            )
    most = max((each.share for each in found), default=0.0)
    best: list[Found] = []
    for each in found:
        if each.share == most and not any(_same(each.entries, other.entries) for other in best):
            best.append(each)
    return best


def _prefixes(name: str, names: frozenset[str]) -> Iterator[str]:
    """Yield what stands before the known name with which an entry's name ends."""
    if name in names:
        yield ""
    for dot in (place for place, letter in enumerate(name, start=1) if letter == "."):
        if name[dot:] in names:
            yield name[:dot]


def _same(a: State, b: State) -> bool:
    """Return whether two networks are one, stored twice."""
    return a.keys() == b.keys() and all(_equal(value, b[name]) for name, value in a.items())


def _equal(a: Tensor, b: Tensor) -> bool:
    alike = (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
    return alike and (a.is_meta or torch.equal(a, b))


@dataclass
class Entries:
    """The entries of one foreign network, handed out one by one; remembers all that does not fit."""

    state: State
    asked: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    def take(self, name: str, *shape: int) -> Tensor:
        """Return the entry of that name, in float32 or float64; zeros in its place when it does not fit."""
        self.asked.add(name)
        found = self.state.get(name)
        if found is None:
            self.missing.append(name)
        elif tuple(found.shape) != shape:
            self.misshapen.append(f"{name} {tuple(found.shape)} instead of {shape}")
        elif not found.is_floating_point():
            self.unusable.append(f"{name} ({str(found.dtype).removeprefix('torch.')}, no floating-point numbers)")
        elif found.is_meta:
            self.unusable.append(f"{name} (without values)")
        else:
            exact = found if found.dtype == torch.float64 else found.float()
            if bool(exact.isfinite().all()):
                return exact
            self.unusable.append(f"{name} (not all finite numbers)")
        return torch.zeros(shape)

    def ignore(self, name: str) -> None:
        """Accept an entry without using it, whether it is there or not."""
        self.asked.add(name)

    def ignore_constant(self, name: str, value: Tensor) -> None:
        """Accept a constant that a program stores, if it is there and is what we compute with."""
        self.asked.add(name)
        found = self.state.get(name)
        if found is not None and not torch.equal(found.double(), value.double()):
            self.unusable.append(f"{name} (not the constant that the program computes with)")

    def ignore_identity(self, name: str) -> None:
        """Accept a constant that some versions of a program store, if it is the identity that we compute with."""
        self.asked.add(name)
        found = self.state.get(name)
        if found is not None and not torch.equal(
            found.double(), torch.eye(found.shape[-1], dtype=torch.float64).expand(found.shape)
        ):
            self.unusable.append(f"{name} (not the identity)")

    def problems(self) -> str:
        """Return what does not fit in words, "" when all does; entries that nobody asked for are extra."""
        extra = [name for name in self.state if name not in self.asked]
        kinds = (
            ("missing", self.missing),
            ("extra", extra),
            ("misshapen", self.misshapen),
            ("unusable", self.unusable),
        )
        return "; ".join(f"{len(names)} {kind}: {some(names)}" for kind, names in kinds if names)

    def check(self, path: Path, title: str) -> None:
        """Raise WeightsError that lists what does not fit, if anything."""
        if problems := self.problems():
            raise WeightsError(f"{path} looks like {title} but does not fit: {problems}")


def part(tensors: Mapping[str, Tensor], role: str) -> dict[str, Tensor]:
    """Return the tensors of one network without the prefix of its role."""
    return {name.removeprefix(f"{role}."): value for name, value in tensors.items() if name.startswith(f"{role}.")}


def iteration_of(value: Any) -> int | None:
    """Return how long a foreign checkpoint says it was trained, if it says so by a whole number, NumPy's as well."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value) if value >= 0 else None


def unit(vector: Tensor) -> Tensor:
    """Return x / (|x| + 1e-12)."""
    divided: Tensor = vector / (vector.norm() + 1e-12)
    return divided


def power_iteration(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Return (u', v) after one power iteration from the left vector u (out,), in float64.

    weight: (out, ...), a matrix of `out` rows once flattened. v = unit(W^T u), u' = unit(W v).
    """
    matrix = weight.double().flatten(1)
    v = unit(matrix.T @ u.double().flatten())
    return unit(matrix @ v), v


def folded(weight: Tensor, u: Tensor) -> Tensor:
    """Divide a weight by its spectral norm as estimated by one power iteration from u, in float64.

    This is what programs compute in their first pass after loading that iterate in every pass, evaluation included.
    """
    left, right = power_iteration(weight, u)
    sigma = left @ weight.double().flatten(1) @ right
    return weight.double() / sigma
