"""Learning from a teacher: any fill, whose answers the training puts into the prediction record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from inpaint.losses.base import Norm, Record, RecordTerm, Term, at_least_float32, distance

TEACHER = "teacher"
"""The entry that holds the teacher's completed images; teacher_NAME are the intermediates of its fill."""


def _is_teachers(entry: str) -> bool:
    return entry == TEACHER or entry.startswith(f"{TEACHER}_")


def needs_teacher(term: Term) -> bool:
    """Tell whether a loss, of whatever kind, compares with a teacher."""
    return any(map(_is_teachers, term.entries))


def of_teacher(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return those entries of a batch that a teacher has made."""
    return {name: value for name, value in batch.items() if _is_teachers(name)}


class Distillation(RecordTerm):
    """Sum over images of the mean distance between a student's and its teacher's fill, counted in the hole alone.

    MI-GAN (ICCV 2023) compares the colors of every resolution with those of a larger network; here the teacher may be
    any fill, which a training names as `teacher`. of: the student's images, of any sizes. against: fill, the teacher's
    completed image, reduced to each one's size by averaging; same, the teacher's own intermediate of that name, for a
    teacher of the student's kind. norm: mean absolute or mean squared difference; as in the program over all elements,
    those outside of the hole being 0. The mask of a size is that of the nearest pixels.
    """

    kind: Literal["distillation"] = "distillation"
    of: Annotated[tuple[str, ...], Field(min_length=1)] = ("raw",)
    against: Literal["fill", "same"] = "fill"
    norm: Norm = "l1"

    @property
    def entries(self) -> frozenset[str]:
        """The student's images and the teacher's."""
        return frozenset({*self.of, *(self._target(entry) for entry in self.of)})

    def _target(self, entry: str) -> str:
        return TEACHER if self.against == "fill" else f"{TEACHER}_{entry}"

    def __call__(self, record: Record) -> Tensor:
        """Return the sum over images."""
        return reduce(torch.add, (self._one(record, entry) for entry in self.of))

    def _one(self, record: Record, entry: str) -> Tensor:
        painted, wanted = at_least_float32(record[entry]), record[self._target(entry)].detach()
        size = (painted.shape[-2], painted.shape[-1])
        mask = record["mask"].to(painted.dtype)
        if wanted.shape[-2:] != size:
            wanted = F.interpolate(wanted, size, mode="area")
        if mask.shape[-2:] != size:
            mask = F.interpolate(mask, size, mode="nearest")
        return (distance(painted - wanted, self.norm) * mask).mean()
