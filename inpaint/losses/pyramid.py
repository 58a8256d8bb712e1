"""One loss at several scales."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, PrivateAttr, model_validator
from torch import Tensor
from torch.nn import functional as F

from inpaint.errors import unknown
from inpaint.losses.base import PictureTerm, Record, at_least_float32
from inpaint.losses.pixel import L1, L2
from inpaint.losses.total_variation import TotalVariation

INNER: dict[str, type[L1 | L2 | TotalVariation]] = {"l1": L1, "l2": L2, "tv": TotalVariation}


class Pyramid(PictureTerm):
    """Sum of the same loss over pictures of several sizes, each compared with the truth at its size.

    of: the painted pictures, of any sizes. term: kind and options of the loss (l1, l2 or tv) without of, target and
    weight. target and mask are brought to each picture's size by `resize`: `aligned` is bilinear with aligned corners
    (Pluralistic, arXiv 1903.04227), which leaves a soft mask; `smooth` bilinear with antialiasing; `area` the mean.
    scales: factors by which every picture is looked at again, reduced by averaging; [1] = as it is.
    """

    kind: Literal["pyramid"] = "pyramid"
    of: Annotated[tuple[str, ...], Field(min_length=1)]
    term: dict[str, Any]
    target: str = "image"
    resize: Literal["aligned", "smooth", "area"] = "aligned"
    scales: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1,)
    _inner: PictureTerm = PrivateAttr()

    @model_validator(mode="after")
    def _inner_is_valid(self) -> Self:
        kind = self.term.get("kind")
        if kind not in INNER:
            raise ValueError(f"term.kind: {unknown('loss', str(kind), INNER)}")
        taken = sorted({"of", "target", "weight"} & self.term.keys())
        if taken:
            raise ValueError(f"term.{taken[0]} is given by the pyramid")
        options = {**self.term, "of": "painted", "weight": 1.0}
        fields = INNER[kind].model_fields
        wrong = sorted(options.keys() - fields.keys())
        if wrong:
            raise ValueError(f"term: {unknown('key', wrong[0], fields.keys() - {'of', 'target', 'weight'})}")
        if "target" in fields:
            options["target"] = "truth"
        self._inner = INNER[kind].model_validate(options)
        return self

    @property
    def entries(self) -> frozenset[str]:
        """The painted pictures and, unless it looks at these alone, the truth."""
        return frozenset({*self.of, *([self.target] if "truth" in self._inner.entries else [])})

    def __call__(self, record: Record) -> Tensor:
        """Return the sum over pictures and scales."""
        total: Tensor | None = None
        for entry in self.of:
            for factor in self.scales:
                part = self._inner(self._at(record, at_least_float32(record[entry]), factor))
                total = part if total is None else total + part
        assert total is not None
        return total

    def _at(self, record: Record, painted: Tensor, factor: int) -> dict[str, Tensor]:
        """Return the record that the inner loss reads, at the size of one picture."""
        if factor > 1:
            painted = F.avg_pool2d(painted, factor)  # its gradient is deterministic on every device
        size = (painted.shape[-2], painted.shape[-1])
        level = {"painted": painted, "mask": self._resized(record["mask"], size)}
        if "truth" in self._inner.entries:
            level["truth"] = self._resized(record[self.target], size)
        return {**level, "hole_share": record["hole_share"]}

    def _resized(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        if picture.shape[-2:] == size:
            return picture
        if self.resize == "area":
            return F.interpolate(picture, size, mode="area")
        if self.resize == "smooth":
            return F.interpolate(picture, size, mode="bilinear", align_corners=False, antialias=True)
        return F.interpolate(picture, size, mode="bilinear", align_corners=True)
