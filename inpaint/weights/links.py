"""Which entries of a public program hold which tensors of ours: said once, read in both directions.

An importer reads its links, an export writes them, so that what one of them learns the other knows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from inpaint.errors import UsageError
from inpaint.weights.formats import Entries, folded, power_iteration, unit

Change: TypeAlias = Callable[[str, Tensor], Tensor]
"""From a name of ours and its tensor to the same in another form."""

DRIFT = 0.05  # how far a spectral norm may be from 1 where a program divides by it
SMALLEST = 1e-6  # share of the largest singular value below which a direction counts as lost


class Link(ABC):
    """Some tensors of ours, and the entries of a public program that hold the same."""

    @abstractmethod
    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Return our tensors by name; what does not fit is noted in the entries."""

    @abstractmethod
    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return their entries by name."""


def read(links: Iterable[Link], entries: Entries) -> dict[str, Tensor]:
    """Return our tensors by name, from the entries of one network of theirs."""
    return {name: value for link in links for name, value in link.read(entries).items()}


def write(links: Iterable[Link], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries of one network of theirs by name, in float32 wherever that loses nothing."""
    return {name: _narrow(value) for link in links for name, value in link.write(tensors).items()}


def _narrow(value: Tensor) -> Tensor:
    if value.dtype != torch.float64:
        return value
    single = value.float()
    return single if torch.equal(single.double(), value) else value


@dataclass(frozen=True)
class Same(Link):
    """One tensor under two names."""

    ours: str
    theirs: str
    shape: tuple[int, ...]

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Take the entry."""
        return {self.ours: entries.take(self.theirs, *self.shape)}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensor."""
        return {self.theirs: tensors[self.ours]}


@dataclass(frozen=True)
class Count(Link):
    """How many batches a batch norm has seen: of no use with a fixed momentum, and lacking in some files."""

    ours: str
    theirs: str

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Begin to count anew."""
        entries.ignore(self.theirs)
        return {self.ours: torch.zeros((), dtype=torch.int64)}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what was counted."""
        return {self.theirs: tensors[self.ours]}


@dataclass(frozen=True, eq=False)
class Constant(Link):
    """An entry that we compute without.

    value: makes what is written; None: nothing is. identity: it must be the identity, where a file holds it.
    """

    theirs: str
    value: Callable[[], Tensor] | None
    identity: bool = False

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Accept the entry, if it is there."""
        if self.identity:
            entries.ignore_identity(self.theirs)
        else:
            entries.ignore(self.theirs)
        return {}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the program begins with."""
        return {} if self.value is None else {self.theirs: self.value()}


@dataclass(frozen=True)
class Changed(Link):
    """Tensors that another link reads and that then take another form.

    there: from their form to ours. back: from ours to theirs.
    """

    link: Link
    there: Change
    back: Change

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Read, then change."""
        return {name: self.there(name, value) for name, value in self.link.read(entries).items()}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Change, then write."""
        return self.link.write(_Changing(tensors, self.back))


class _Changing(Mapping[str, Tensor]):
    """Tensors that are changed when they are asked for."""

    def __init__(self, tensors: Mapping[str, Tensor], change: Change) -> None:
        self._tensors, self._change = tensors, change

    def __getitem__(self, name: str) -> Tensor:
        return self._change(name, self._tensors[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@dataclass(frozen=True)
class Stacked(Link):
    """One tensor of ours whose rows are several of theirs, one after the other, all of one height.

    parts: links that read each of them under our name.
    """

    ours: str
    parts: tuple[Link, ...]

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Put the parts together."""
        return {self.ours: torch.cat([part.read(entries)[self.ours] for part in self.parts])}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take them apart."""
        rows = tensors[self.ours].chunk(len(self.parts))
        parts = zip(self.parts, rows, strict=True)
        return {name: value for part, some in parts for name, value in part.write({self.ours: some}).items()}


# Spectral norms ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Normalized(Link):
    """A layer with spectral norm: what is divided, and its left and right singular vectors.

    Args:
        ours: Name of our layer.
        weight, left, right: Names of their entries; None: the program stores no right vector.
        shape: Of the weight.
        rows: The axis of the weight that gives the rows of the matrix.
        column: Whether their left vector is a matrix of one column.
        lacking: Whether files may lack the right vector, which is then computed: those of a PyTorch before 1.0 do.
        iterates: Whether the program makes a power iteration in every pass, evaluation included, so that the vectors it
            computes with come from one more than those it stores.
        precise: Whether the vectors of such an iteration are kept in float64: rounding would show in a comparison.
    """

    ours: str
    weight: str
    left: str
    right: str | None
    shape: tuple[int, ...]
    rows: int = 0
    column: bool = False
    lacking: bool = False
    iterates: bool = False
    precise: bool = False

    @property
    def _names(self) -> tuple[str, str, str]:
        inner = f"{self.ours}.parametrizations.weight"
        return f"{inner}.original", f"{inner}.0._u", f"{inner}.0._v"

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.rows, 0).double().flatten(1)

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Take the weight and the vectors that the program's first pass computes with."""
        weight = entries.take(self.weight, *self.shape)
        height = self.shape[self.rows]
        u = entries.take(self.left, height, 1) if self.column else entries.take(self.left, height)
        if self.iterates:
            if self.right is not None:
                entries.ignore(self.right)  # the program computes it anew from the left one
            u, v = power_iteration(self._matrix(weight), u)
            if not self.precise:
                u, v = u.float(), v.float()
        elif self.right is None or (self.lacking and self.right not in entries.state):
            v = right_vector(weight, u, rows=self.rows)
        else:
            v = entries.take(self.right, weight.numel() // height)
        return dict(zip(self._names, (weight, u, v), strict=True))

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weight and the vectors; where the program iterates, those from before the iteration."""
        weight, u, v = (tensors[name] for name in self._names)
        if self.iterates:
            u = before_iteration(self._matrix(weight), v)
        written = {self.weight: weight, self.left: u.view(-1, 1) if self.column else u}
        return written if self.right is None else {**written, self.right: v}


@dataclass(frozen=True, kw_only=True)
class Divided(Link):
    """A layer that their program normalizes in every pass and that ours holds divided: (bar) / (spectral norm).

    ours: name of our tensor. bar, left, right: names of their entries. shape: of the weight.
    """

    ours: str
    bar: str
    left: str
    right: str
    shape: tuple[int, ...]

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Divide, in float64, kept so: rounding here would show in a comparison in float64."""
        entries.ignore(self.right)  # the program computes it anew from the left one
        return {self.ours: folded(entries.take(self.bar, *self.shape), entries.take(self.left, self.shape[0]))}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weight as it is, and a left vector from which one iteration estimates a norm of 1.

        Raises UsageError where none does, or where more iterations would lead far from there.
        """
        weight = tensors[self.ours]
        u = dividing_by_one(weight.double().flatten(1))
        if u is None:
            norm = float(torch.linalg.matrix_norm(weight.double().flatten(1), ord=2))
            raise UsageError(
                f"the program divides {self.bar.removesuffix('.weight_bar')} by its spectral norm, which must be 1 "
                f"(up to {DRIFT:.0%} more) for its images to be ours: it is {norm:.3g}"
            )
        return {self.bar: weight, self.left: u, self.right: unit(weight.double().flatten(1).T @ u)}


def right_vector(weight: Tensor, left: Tensor, *, rows: int = 0) -> Tensor:
    """Return v = unit(W^T u) as `left`'s type; rows: the axis of the weight that gives the rows of W."""
    return unit(weight.movedim(rows, 0).double().flatten(1).T @ left.double()).to(left.dtype)


def before_iteration(matrix: Tensor, v: Tensor) -> Tensor:
    """Return a left vector (M,) from which one power iteration finds the right one, float64.

    That is the u with unit(W^T u) = v where there is one, as after an import; else, after a training has moved the
    weights, the u that comes nearest.

    matrix: W (M, N), float64. v: (N,).
    """
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = values > SMALLEST * values.max()
    along = (right @ v.double())[kept] / values[kept]
    return unit(left[:, kept] @ along)


def dividing_by_one(matrix: Tensor) -> Tensor | None:
    """Return a left vector (M,) from which one power iteration estimates a spectral norm of 1, float64.

    None where there is none, or the largest singular value is far from 1.

    matrix: W (M, N), float64. With singular values a > 1 > b, the two vectors u of a and of b and u(t) = u_a + t u_b,
    the estimate is |W W^T u| / |W^T u|, which is 1 for t^2 = a^2 (a^2 - 1) / (b^2 (1 - b^2)).
    """
    left, values, _ = torch.linalg.svd(matrix, full_matrices=False)
    most = float(values[0])
    if not 1 - SMALLEST <= most <= 1 + DRIFT:
        return None
    if most <= 1:
        return unit(left[:, 0])
    below = ((values < 1) & (values > SMALLEST)).nonzero().flatten()
    if not len(below):
        return None
    a, b = values[0], values[below[0]]
    t = (a**2 * (a**2 - 1) / (b**2 * (1 - b**2))).sqrt()
    return unit(left[:, 0] + t * left[:, below[0]])
