"""Photos in the styles of pictures: what models that stylize are given, and the rows that stand beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import inpaint.evaluation.protocols as protocols
from inpaint.data.opening import report_skipped
from inpaint.data.styles import names_of, open_styles
from inpaint.errors import DataError, InputError, UsageError, some
from inpaint.evaluation.manifest import picture_hash
from inpaint.evaluation.record import CONTENT, STYLES
from inpaint.evaluation.subjects import Photos, Rgb, Subject
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray
from inpaint.masks import HoleMask
from inpaint.registry.loadable import Loadable
from inpaint.registry.stylizers import learned_styles, load_stylizer
from inpaint.style.table import STYLIZERS
from inpaint.types import Capabilities, Inpainter, LearnedStyle, Progress, StylePart, Stylizer

VERSION = 1  # of how pictures are prepared
COLORS = "colors"
"""The row of color transfer alone, a method that needs no training."""


class StyledPhotos(Photos):
    """Photos, each in the style of every picture; a label is the name of a style.

    Args:
        data: See `Photos`.
        styles: A picture, or where they are: a folder, list file, tar shards or "samples".
        size: Side of the square that is cut from photos and styles alike; None: native size.
        seed: What models draw by.
        count: See `Photos`.

    Raises:
        DataError: There are no photos or styles, or one of the styles cannot be read.
    """

    def __init__(
        self, data: str, styles: str, *, size: int | None = None, seed: int = 0, count: int | None = None
    ) -> None:
        super().__init__(data, protocols.Protocol(name=STYLES, size=size, seed=seed, drawings={}), count=count)
        self._pictures = open_styles(styles, min_px=protocols.SMALLEST_PX)
        report_skipped(styles, self._pictures)
        self.skipped += len(self._pictures.skipped)
        self._places = {name: index for index, name in enumerate(names_of(self._pictures))}
        self._kept: dict[str, Rgb] = {}

    @property
    def labels(self) -> Sequence[str]:
        """See `Subjects`."""
        return tuple(self._places)

    def mask(self, label: str, index: int, height: int, width: int) -> HoleMask:
        """Return all of the photo: all of it is painted."""
        return np.ones((height, width), np.uint8)

    def seen(self, label: str, index: int, subject: Subject, mask: HoleMask) -> Subject:
        """Return the photo with the style that is wanted."""
        return Subject(subject.image, subject.truth, style=self.style(label))

    def style(self, label: str) -> Rgb:
        """See `Styled`."""
        if label in self._kept:
            return self._kept[label]
        found = self._prepared(self._pictures.read(self._places[label]))
        if self.protocol.size is not None:  # of one size, they are asked for again with every photo
            self._kept[label] = found
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def described(self) -> dict[str, Any]:
        """See `Subjects`."""
        try:
            masks = {label: {"picture": picture_hash(self.style(label))} for label in self.labels}
        except InputError as error:
            raise DataError(f"a style cannot be read: {error}") from None
        return {**super().described(), "masks": masks, STYLES: {"version": VERSION}}


class Stylizing(ArrayFill):
    """A model that stylizes as one that fills, its hole all of the photo; None paints nothing.

    Args:
        stylizer: What paints.
        gradual: Whether it comes nearer to its answer with every step.
    """

    steps = 100

    def __init__(self, stylizer: Stylizer | None, *, gradual: bool = False) -> None:
        self.name = CONTENT if stylizer is None else stylizer.name
        self.capabilities = _capabilities(gradual=gradual)
        self._stylizer = stylizer
        self._style: tuple[Rgb, str] | None = None

    def in_style(self, style: Rgb, label: str, index: int) -> Inpainter:
        """See `InStyle`. A network that has learned its styles gets the one of this name."""
        found: Any = Stylizing(self._stylizer, gradual=self.capabilities.gradual)
        found._style = style, label
        return found  # type: ignore[no-any-return]

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """See `ArrayFill`."""
        if self._stylizer is None:
            return image
        if self._style is None:
            raise InputError(f"{self.name} needs a style: evaluate it on styled photos")
        picture, label = self._style

        def report(step: Progress) -> None:
            context.report(step.done / max(step.total, 1))

        painted = self._stylizer.stylize(
            image.astype(np.float32),
            [LearnedStyle(name=label) if self._stylizer.learned is not None else _part(picture)],
            seed=context.seed.integer(),
            progress=report,
        )
        return painted.image.astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class LoadableStylizer(Loadable):
    """A model that stylizes, by what `inpaint.registry.stylizers` takes; or `CONTENT`."""

    def load(self, device: str) -> Inpainter:
        """See `Loadable`."""
        made = None
        if self.spec != CONTENT:
            of_run = {} if self.spec in STYLIZERS else {"weights": self.weights}
            made = load_stylizer(self.spec, device=device, **of_run, **self.options)
        found: Any = Stylizing(made, gradual=self._gradual)
        return found  # type: ignore[no-any-return]

    @cached_property
    def capabilities(self) -> Capabilities:
        """See `Loadable`."""
        return _capabilities(gradual=self._gradual)

    def identity(self) -> str:
        """See `Loadable`."""
        if self.spec == CONTENT or self.spec in STYLIZERS:
            options = (f"{name}={value}" for name, value in sorted(self.options.items()))
            return " ".join([f"stylizer {self.spec}", *options])
        return super().identity()

    @property
    def _gradual(self) -> bool:
        return self.spec in STYLIZERS and STYLIZERS[self.spec].gradual


def beside(models: Mapping[str, Loadable], styles: Sequence[str]) -> dict[str, Inpainter | Loadable]:
    """Return the photos as they are, the color transfer, and behind them the models.

    Args:
        models: By label; one that is the color transfer itself, with options, takes the place of that row.
        styles: The labels of the styles.

    Raises:
        UsageError: A model is called as the row of the photos, or has learned its styles and lacks one of these.
    """
    if CONTENT in models or (COLORS in models and models[COLORS].spec != COLORS):
        name = CONTENT if CONTENT in models else COLORS
        raise UsageError(f"a model cannot be called '{name}' beside the row of that name")
    for label, model in models.items():
        learned = learned_styles(model.spec, weights=model.weights) if isinstance(model, LoadableStylizer) else None
        lacking = [style for style in styles if learned is not None and style not in learned]
        if lacking:
            raise UsageError(
                f"'{label}' has learned {some(learned or ())} and takes no other style, such as '{lacking[0]}': give "
                "--styles pictures of these names"
            )
    return {CONTENT: LoadableStylizer(spec=CONTENT), COLORS: LoadableStylizer(spec=COLORS), **models}


def _capabilities(*, gradual: bool) -> Capabilities:
    return Capabilities(recolors=True, gradual=gradual)  # reads what lies in the hole, which is all of the photo


def _part(picture: Rgb) -> StylePart:
    return StylePart(style=picture.astype(np.float32) / np.float32(255))
