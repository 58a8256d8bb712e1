"""Composites for models that harmonize: photos in which an object has other colors, and what it looked like before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import inpaint.evaluation.protocols as protocols
from inpaint.classical.color_transfer import Method, transferred
from inpaint.data.recoloring import Recoloring
from inpaint.errors import UsageError
from inpaint.evaluation.contaminated import parts_of
from inpaint.evaluation.subjects import Photos, Subject
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray
from inpaint.masks import HoleMask
from inpaint.registry.loadable import Loadable
from inpaint.types import Capabilities, Inpainter

VERSION = 1  # of how colors are changed
COMPOSITE = "composite"
"""The row of what is given, as it is."""
TRANSFERS: tuple[Method, ...] = ("reinhard", "covariance", "histogram")
"""Rows of what needs no training: color transfers from what lies around the object."""


class RecoloredPhotos(Photos):
    """Photos with other colors in the hole, as harmonizers are trained on; the same for every model.

    What the colors become is a function of the protocol's seed, the photo's name, the mask's label, and the other
    photos. None keeps its colors, as a share does in training.

    Args:
        data: See `Photos`.
        protocol: See `Photos`.
        count: See `Photos`.
    """

    def __init__(self, data: str, protocol: protocols.Protocol, *, count: int | None = None) -> None:
        super().__init__(data, protocol, count=count)
        self._recoloring = Recoloring(unchanged=0.0)

    def seen(self, label: str, index: int, subject: Subject, mask: HoleMask) -> Subject:
        """Return the composite, and the photo as its truth."""
        parts, rng = parts_of(self, f"evaluation recoloring {label}", label, index, subject.truth, mask)
        return Subject(self._recoloring.painted(parts, rng), subject.truth)

    def described(self) -> dict[str, Any]:
        """See `Subjects`."""
        return {**super().described(), "recoloring": {"version": VERSION, **self._recoloring.model_dump()}}


class Transferring(ArrayFill):
    """A harmonizer without training: a color transfer from a ring around the hole; method None changes nothing."""

    capabilities = Capabilities(recolors=True, thread_safe=True)

    def __init__(self, method: Method | None) -> None:
        self.name = method or COMPOSITE
        self._method = method

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """See `ArrayFill`."""
        if self._method is None:
            return image
        return np.asarray(transferred(image, hole, image, method=self._method), np.float64)


@dataclass(frozen=True, kw_only=True)
class LoadableTransfer(Loadable):
    """One that needs no file; spec: the name of its row."""

    def load(self, device: str) -> Inpainter:
        """See `Loadable`."""
        found: Any = Transferring(None if self.spec == COMPOSITE else self.spec)  # type: ignore[arg-type]
        return found  # type: ignore[no-any-return]

    @cached_property
    def capabilities(self) -> Capabilities:
        """See `Loadable`."""
        return Transferring.capabilities

    def identity(self) -> str:
        """See `Loadable`."""
        return f"color transfer {self.spec}, version {VERSION}"


def beside(models: Mapping[str, Inpainter | Loadable]) -> dict[str, Inpainter | Loadable]:
    """Return the composite as it is and the color transfers, and behind them the models, which must harmonize.

    Raises:
        UsageError: A model does not harmonize, or is called as one of them.
    """
    plain: dict[str, Inpainter | Loadable] = {name: LoadableTransfer(spec=name) for name in (COMPOSITE, *TRANSFERS)}
    for label, model in models.items():
        if not model.capabilities.recolors:
            raise UsageError(f"'{label}' does not harmonize: it paints anew what lies in the hole")
        if label in plain:
            raise UsageError(f"a model cannot be called '{label}' beside the row of that name")
    return {**plain, **models}
