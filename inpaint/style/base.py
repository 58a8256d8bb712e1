"""What every method of style transfer shares: checks, the size and the colors of styles, and where no style goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint.classical.color_transfer import transfer
from inpaint.errors import InputError, MaskError, unknown
from inpaint.fills.checks import checked_seed, image_array
from inpaint.images.photo import BT709, luma
from inpaint.options import Options
from inpaint.style.options import StyleOptions
from inpaint.types import LearnedStyle, OneLine, ProgressCallback, StylePart, Stylized, shown

Image: TypeAlias = NDArray[np.float32]
Share: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Scene(OneLine):
    """What a method is given: checked, its styles in their size and colors.

    Args:
        content: (H, W, 3) in [0, 1].
        parts: As in `inpaint.types.Stylizer`, with weights that sum to 1; those of `learned` for networks that have
            learned their styles.
        shares: (n, H, W), which share of each pixel each part gets: weight times mask, summing to 1; all 0 where no
            part goes.
        learned: In place of `parts`, for networks that have learned their styles; every one has its name.
        seed: For what is drawn at random.
        budget_s: Seconds for methods that take long; None: the method's usual course.
        progress: To be told of the steps of a method that takes long, with previews (1, 3, H, W). When it raises
            StopFill, the best so far is to be returned.
    """

    content: Image
    parts: tuple[StylePart, ...]
    shares: Share
    learned: tuple[LearnedStyle, ...] = ()
    seed: int = 0
    budget_s: float | None = None
    progress: ProgressCallback | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the content."""
        return self.content.shape[0], self.content.shape[1]

    @property
    def everywhere(self) -> bool:
        """Whether every part goes to all of the content, mixed by weight alone."""
        parts: list[StylePart | LearnedStyle] = [*self.parts, *self.learned]
        return all(part.content_mask is None for part in parts)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Painted(OneLine):
    """What a method answers.

    Args:
        image: (H, W, 3) on the scale of [0, 1], clipped there.
        aux: As in `Stylized`.
        warnings: As in `Stylized`.
        details: As in `Stylized`.
    """

    image: NDArray[np.floating[Any]]
    aux: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class ArrayStylizer(ABC):
    """Base of all methods: a subclass says its name and writes `paint`.

    learned: names of the styles that a network has learned; None where styles are given with every content.
    """

    name: ClassVar[str]
    learned: tuple[str, ...] | None = None
    options: Options = StyleOptions()  # what the caller chose

    def stylize(
        self,
        content: NDArray[Any],
        parts: Sequence[StylePart | LearnedStyle],
        *,
        seed: int = 0,
        budget_s: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> Stylized:
        """See `inpaint.types.Stylizer`. Where no part goes, the content comes back."""
        content = image_array("content", content)
        checked = self._checked(parts, content)
        seed = checked_seed(seed)
        if budget_s is not None:
            budget_s = arguments.number("budget_s", budget_s)
        arguments.function("progress", progress)
        total, shares = _shares(checked, (content.shape[0], content.shape[1]))
        if not total.any():
            return Stylized(image=content.copy(), warnings=("the masks are empty: nothing was painted",))
        colors = self.options.colors if isinstance(self.options, StyleOptions) else "style"
        read = _gray(content) if colors == "luminance" else content
        scene = Scene(
            content=read,
            parts=tuple(self._prepared(part, content) for part in checked if isinstance(part, StylePart)),
            shares=shares,
            learned=tuple(part for part in checked if isinstance(part, LearnedStyle)),
            seed=seed,
            budget_s=budget_s,
            progress=progress,
        )
        painted = self.paint(scene)
        image = painted.image.clip(0, 1).astype(np.float32)
        if colors in ("keep", "luminance"):
            image = recolored(image, content)
        if (total < 1).any():
            share = total[..., None]
            image = np.where(share > 0, share * image + (1 - share) * content, content).astype(np.float32)
        return Stylized(image=image, aux=painted.aux, warnings=painted.warnings, details=painted.details)

    @abstractmethod
    def paint(self, scene: Scene) -> Painted:
        """Return the content in the styles of its parts; what it is where no part goes is not used."""

    def _checked(self, parts: object, content: Image) -> tuple[StylePart | LearnedStyle, ...]:
        """Return the parts checked, of the one kind that this method takes, with weights that sum to 1."""
        if not isinstance(parts, Sequence) or not all(isinstance(part, StylePart | LearnedStyle) for part in parts):
            raise InputError(f"parts must be a list of StylePart or LearnedStyle, got {shown(parts)}")
        if self.learned is None:
            if any(isinstance(part, LearnedStyle) for part in parts):
                raise InputError(f"{self.name} has learned no style that could be named: give pictures")
            if not parts:
                raise InputError(f"{self.name} needs a style, and none is given")
        elif any(isinstance(part, StylePart) for part in parts):
            raise InputError(f"{self.name} takes no pictures of styles, it has learned its own: {self._listed}")
        elif not parts:
            parts = [LearnedStyle()]
        return _checked_parts(
            [self._named(part) if isinstance(part, LearnedStyle) else part for part in parts], content
        )

    def _named(self, part: LearnedStyle) -> LearnedStyle:
        assert self.learned is not None
        if part.name is None:
            if len(self.learned) != 1:
                raise InputError(f"{self.name} has learned several styles, name one: {self._listed}")
            return replace(part, name=self.learned[0])
        if part.name not in self.learned:
            raise InputError(unknown(f"style of {self.name}", str(part.name), self.learned))
        return part

    @property
    def _listed(self) -> str:
        return ", ".join(self.learned or ())

    def _prepared(self, part: StylePart, content: Image) -> StylePart:
        """Return a part with its style in the size and the colors that the options ask for."""
        options = self.options
        if not isinstance(options, StyleOptions):
            return part
        if options.scale is not None:
            part = reduced(part, max(round(options.scale * max(content.shape[:2])), 1))
        if options.colors == "luminance":
            return replace(part, style=_toned(_gray(part.style), _gray(content)))
        return part if options.colors != "match" else replace(part, style=_matched(part.style, content))


def reduced(part: StylePart, longest_px: int) -> StylePart:
    """Return a part whose style has at most so many pixels on its longer side."""
    height, width = part.style.shape[:2]
    factor = longest_px / max(height, width)
    if factor >= 1:
        return part
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    style = np.asarray(cv2.resize(part.style, size, interpolation=cv2.INTER_AREA), np.float32)
    mask = part.style_mask
    if mask is not None:
        share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        mask = share >= min(0.5, float(share.max()))
    return replace(part, style=style, style_mask=mask)


def recolored(image: Image, content: Image) -> Image:
    """Return an image (H, W, 3) with its own luma and the content's differences of color from gray."""
    found: Image = (content + (luma(image, BT709) - luma(content, BT709))[..., None]).clip(0, 1).astype(np.float32)
    return found


def _gray(image: Image) -> Image:
    return np.repeat(luma(image, BT709)[..., None], 3, axis=2).astype(np.float32)


def _toned(gray: Image, content: Image) -> Image:
    """Return a gray style with the content's mean and deviation (Gatys et al. 2016b, section 5.1)."""
    spread = float(gray.std())
    scale = float(content.std()) / spread if spread > 1e-6 else 1.0
    found: Image = ((gray - gray.mean()) * scale + content.mean()).clip(0, 1).astype(np.float32)
    return found


def _matched(style: Image, content: Image) -> Image:
    """Return a style with the content's mean color and covariance (Gatys et al. 2016b, section 5.2)."""
    own, wanted = style.reshape(-1, 3).astype(np.float64), content.reshape(-1, 3).astype(np.float64)
    found: Image = transfer(own, wanted, method="covariance").clip(0, 1).astype(np.float32).reshape(style.shape)
    return found


def _shares(parts: Sequence[StylePart | LearnedStyle], size: tuple[int, int]) -> tuple[Share, Share]:
    """Return how much of each pixel is painted (H, W), and each part's share of that (n, H, W)."""
    masks = [np.ones(size, np.float32) if part.content_mask is None else part.content_mask for part in parts]
    weighted = np.stack([part.weight * mask for part, mask in zip(parts, masks, strict=True)])
    sums = weighted.sum(axis=0)
    total: Share = np.minimum(np.sum(masks, axis=0), 1).astype(np.float32)
    return total, np.divide(weighted, sums, out=np.zeros_like(weighted), where=sums > 0)


def _checked_parts(parts: Sequence[StylePart | LearnedStyle], content: Image) -> tuple[StylePart | LearnedStyle, ...]:
    weights = [arguments.number("weight", part.weight) for part in parts]
    if any(weight <= 0 for weight in weights):
        raise InputError(f"weights must be above 0, got {shown(weights)}")
    found = list[StylePart | LearnedStyle]()
    for part, weight in zip(parts, weights, strict=True):
        where, share = _content_mask(part.content_mask, content), weight / sum(weights)
        if isinstance(part, LearnedStyle):
            found.append(replace(part, content_mask=where, weight=share))
            continue
        style = image_array("style", part.style)
        mask = _style_mask(part.style_mask, style)
        found.append(StylePart(style=style, content_mask=where, style_mask=mask, weight=share))
    return tuple(found)


def _content_mask(mask: object, content: Image) -> Share | None:
    if mask is None:
        return None
    kinds = isinstance(mask, np.ndarray) and mask.shape == content.shape[:2] and mask.dtype.kind in "bf"
    if not kinds:
        raise MaskError(
            f"content_mask must be an array {content.shape[:2]} of floats in [0, 1] to match the content, "
            f"got {shown(mask)}"
        )
    assert isinstance(mask, np.ndarray)
    if not (np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
        raise MaskError(f"content_mask must lie in [0, 1], got values from {mask.min():g} to {mask.max():g}")
    return np.ascontiguousarray(mask, np.float32)


def _style_mask(mask: object, style: Image) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != style.shape[:2]:
        raise MaskError(f"style_mask must be a bool array {style.shape[:2]} to match the style, got {shown(mask)}")
    if not mask.any():
        raise MaskError("style_mask marks nothing of the style")
    return mask
