"""One loss at several scales."""

from __future__ import annotations

from functools import reduce
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, PositiveInt, PrivateAttr, model_validator
from torch import Tensor
from torch.nn import functional as F

from inpaint.errors import unknown
from inpaint.losses.base import Record, RecordTerm, at_least_float32
from inpaint.losses.pixel import L1, L2, TotalVariation

INNER: dict[str, type[L1 | L2 | TotalVariation]] = {"l1": L1, "l2": L2, "tv": TotalVariation}


class Pyramid(RecordTerm):
    """Sum of the same loss over images of several sizes, each compared with the real one at its size.

    of: the generated images, of any sizes. term: kind and options of the loss (l1, l2 or tv) without of, target and
    weight. target and mask are brought to each image's size by `resize`: `aligned` is bilinear with aligned corners
    (Pluralistic, arXiv 1903.04227), which leaves a soft mask; `smooth` bilinear with antialiasing; `area` the mean;
    `nearest` one pixel of several, as in EraseNet.
    scales: factors by which every image is compared again, reduced by averaging; [1] = as it is.
    """

    kind: Literal["pyramid"] = "pyramid"
    of: Annotated[tuple[str, ...], Field(min_length=1)]
    term: dict[str, Any]
    target: str = "image"
    resize: Literal["aligned", "smooth", "area", "nearest"] = "aligned"
    scales: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1,)
    _inner: RecordTerm = PrivateAttr()

    @model_validator(mode="after")
    def _inner_is_valid(self) -> Self:
        kind = self.term.get("kind")
        if kind not in INNER:
            raise ValueError(f"term.kind: {unknown('loss', str(kind), INNER)}")
        taken = sorted({"of", "target", "weight"} & self.term.keys())
        if taken:
            raise ValueError(f"term.{taken[0]} is given by the pyramid")
        options = {**self.term, "of": "generated", "weight": 1.0}
        fields = INNER[kind].model_fields
        wrong = sorted(options.keys() - fields.keys())
        if wrong:
            raise ValueError(f"term: {unknown('key', wrong[0], fields.keys() - {'of', 'target', 'weight'})}")
        if "target" in fields:
            options["target"] = "real"
        self._inner = INNER[kind].model_validate(options)
        return self

    @property
    def entries(self) -> frozenset[str]:
        """The generated images and, unless the loss reads these alone, the real one."""
        return frozenset({*self.of, *([self.target] if "real" in self._inner.entries else [])})

    def __call__(self, record: Record) -> Tensor:
        """Return the sum over images and scales."""
        parts = (
            self._inner(self._at(record, at_least_float32(record[entry]), factor))
            for entry in self.of
            for factor in self.scales
        )
        return reduce(torch.add, parts)

    def _at(self, record: Record, generated: Tensor, factor: int) -> dict[str, Tensor]:
        """Return the record that the inner loss reads, at the size of one image."""
        if factor > 1:
            generated = F.avg_pool2d(generated, factor)  # its gradient is deterministic on every device
        size = (generated.shape[-2], generated.shape[-1])
        level = {"generated": generated, "mask": self._resized(record["mask"], size)}
        if "real" in self._inner.entries:
            level["real"] = self._resized(record[self.target], size)
        return {**level, "hole_share": record["hole_share"]}

    def _resized(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        if image.shape[-2:] == size:
            return image
        if self.resize in ("area", "nearest"):
            return F.interpolate(image, size, mode=self.resize)
        if self.resize == "smooth":
            return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
        return F.interpolate(image, size, mode="bilinear", align_corners=True)
