"""The few types that every room above speaks: what a fill takes, what it returns, and who can do it.

Cheap to import: torch and NumPy appear only for the type checker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from typing_extensions import TypeVar

    Images = TypeVar("Images", default=Tensor)
else:
    from typing import TypeVar

    Images = TypeVar("Images")  # defaults come with Python 3.13, and typing_extensions takes a tenth of `--help`

Seed: TypeAlias = "int | Sequence[int]"
"""An integer s gives image i of the batch the seed (s, i); a sequence gives one seed per image."""

Guidance: TypeAlias = "Mapping[str, Tensor]"
"""What the caller asks to see in the hole: a plane (B, C, H, W) in [0, 1] by its name, see `Plane`."""

FOUND = "found"
"""The intermediate of a blind fill that found its hole itself: how sure it is of each pixel, (B, 1, H, W) in [0, 1]."""


class OneLine:
    """Base of dataclasses that hold images: their `repr` is one line, in which an array stands by type and shape.

    Such a dataclass is declared with repr=False, and with eq=False, since arrays have no single answer to ==.
    """

    def __repr__(self) -> str:
        values = {entry.name: vars(self)[entry.name] for entry in fields(self)}  # type: ignore[arg-type]
        told = (f"{name}={shown(value)}" for name, value in values.items() if _is_said(value))
        return f"{type(self).__name__}({', '.join(told)})"


def _is_said(value: Any) -> bool:
    """Return whether a value says something: None and what is empty do not."""
    return value is not None and not (isinstance(value, Mapping | tuple | list | str) and not value)


def shown(value: Any) -> str:
    """Return a value in a few words: arrays by type and shape, several records of one kind by their number."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {shown(part)}" for name, part in value.items()) + "}"
    if isinstance(value, tuple | list) and len(value) > 3:
        return f"{len(value)} of {type(value[0]).__name__}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(shown(part) for part in value) + ")"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = value.__name__ if hasattr(value, "__name__") else " ".join(repr(value).split())
    return text if len(text) <= 200 else f"{text[:197]}..."


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Something that a model reads beside image and mask: a sketch, edges, colors, a second photo.

    Args:
        name: What it is called in guidance, in a training batch, and as the option `--NAME`.
        channels: Of its tensor (B, C, H, W).
        make: "module:class" of the `images.planes.PlaneMaker` that makes it for a training sample; None where training
            does without.
        options: Of `make`, as the model wants them; the user's `data.planes.NAME` stands above them.
        read: "module:function" that turns a `Photo` into an array (H, W) or (H, W, C) in [0, 1]; None where the
            caller of a fill cannot give it.
        everywhere: Whether it is read outside the hole, too.
        scales: How it becomes smaller: "values" are averaged; "lines" stay lines, however thin; "colors" are averaged
            where the last channel says that they are given.
        summary: One line for the help of `--NAME`.
    """

    name: str
    channels: int = 1
    make: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    read: str | None = None
    everywhere: bool = False
    scales: Literal["values", "lines", "colors"] = "values"
    summary: str = ""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Fill(OneLine, Generic[Images]):
    """One answer for a batch of images; arrays (B, H, W, C) where arrays were given.

    Args:
        completed: (B, 3, H, W) in [0, 1], equal to the input outside the hole.
        raw: (B, 3, H, W), what the method painted everywhere, on our scale but never clamped.
        mask: (B, 1, H, W), 1 = hole; the caller's, or the model's own for blind models.
        aux: Named intermediates (coarse, edges, scale_1_2, ...).
        score: (B,) or None, higher = better.
        warnings: What the fill itself says against its answer, a sentence each; "image 1: ..." in a batch.
        strategy: What a strategy did, in one line; empty where the fill painted the whole images at once.
    """

    completed: Images
    raw: Images
    mask: Images
    aux: Mapping[str, Images] = field(default_factory=dict)
    score: Images | None = None
    warnings: tuple[str, ...] = ()
    strategy: str = ""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Progress(OneLine):
    """How far a fill has come: `done` of `total` steps, the estimated rest in seconds, a preview if there is one.

    A preview is an image (1, 3, H, W) in [0, 1].
    """

    done: int
    total: int
    remaining_s: float | None = None
    preview: Tensor | None = None


ProgressCallback: TypeAlias = Callable[[Progress], None]


class StopFill(Exception):  # noqa: N818 - a request, not an error
    """Raised by a progress callback: `fill` stops and returns its best so far."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What callers need to know about a fill before they use it.

    Args:
        trained: Needs weights.
        stochastic: Draws at random, so that several samples differ.
        planes: What it takes, or may be made to take, beside image and mask.
        blind: Finds its own mask where none is given, and reads the image inside the hole, too: what lies there is
            contaminated, not absent.
        recolors: Harmonizes: reads what lies in the hole, which is to stay, and changes its colors to go with the rest.
        stylizes: Paints whole images in a style and fills no hole: a `Stylizer`, no `Inpainter`.
        styles: Names of the styles that a model which stylizes has learned; None where it takes any style with every
            content.
        scored: Scores its fills, so that the best of several can be told.
        needs_known: Cannot invent an image from nothing: an all-hole mask is refused.
        gradual: Comes nearer to its answer with every step, and returns the last one's when it is asked to stop.
        refinable: Offers features that can be refined from coarse to fine.
        thread_safe: Keeps one core of the CPU busy and no state, so that several photos may be filled by one object at
            the same time.
        trained_px: Side of the images that it was trained on; None where there is no such side.
        smallest_px: Smallest side accepted (models pad inside, so it rarely exceeds 8).
        multiple_px: Multiple to which a model pads, of interest to whoever chooses sizes.
        context_px: Pixels around a hole that it wants to see; of a large photo only the holes with so much around them
            are read and painted. None: the whole photo, always.
        context_share: The same as a share of the longer side of the hole's bounding box, where that is more.
        pixel_bytes: Memory that filling takes per pixel in float32, beside the weights; None: not measured.
    """

    trained: bool = False
    stochastic: bool = False
    planes: tuple[Plane, ...] = ()
    blind: bool = False
    recolors: bool = False
    stylizes: bool = False
    styles: tuple[str, ...] | None = None
    scored: bool = False
    needs_known: bool = False
    gradual: bool = False
    refinable: bool = False
    thread_safe: bool = False
    trained_px: int | None = None
    smallest_px: int = 8
    multiple_px: int = 1
    context_px: int | None = None
    context_share: float = 0.0
    pixel_bytes: float | None = None

    @property
    def reads_hole(self) -> bool:
        """Whether it looks at what lies in the hole."""
        return self.blind or self.recolors

    @property
    def guidance(self) -> dict[str, Plane]:
        """The planes that a caller of a fill may give, by name."""
        return {plane.name: plane for plane in self.planes if plane.read is not None}


class Inpainter(Protocol):
    """Anything that fills holes: a feed-forward network, a per-image optimization, a classical method."""

    name: str
    capabilities: Capabilities

    def fill(
        self,
        image: Tensor,
        mask: Tensor | None,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill the holes of a batch.

        Args:
            image: (B, 3, H, W), RGB in [0, 1]; never read inside the hole, but by models that `reads_hole`.
            mask: (B, 1, H, W), 1 = hole; None only for blind models, which then find it: they paint by the map that
                they find, which the fill has as aux["found"], and the hole is what lies above 0.5 of it.
            guidance: Planes by name, among those of the capabilities.
            samples: How many fills of each image.
            seed: See `Seed`; results do not depend on how a batch is split.
            progress: Called with every step; may raise StopFill.

        Returns:
            Exactly `samples` fills.

        Raises:
            InputError: Shapes, sizes or guidance do not fit.
        """
        ...

    def fill_arrays(
        self,
        image: NDArray[Any],
        mask: NDArray[Any] | None,
        *,
        guidance: Mapping[str, NDArray[Any]] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill[NDArray[Any]]]:
        """Do the same on arrays: image (B, H, W, 3), mask (B, H, W, 1), planes (B, H, W, C), and so the answers."""
        ...

    def find_mask_arrays(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return where a blind model takes images (B, H, W, 3) for contaminated, (B, H, W, 1) from 0 to 1.

        Raises:
            MaskError: The model is not blind.
        """
        ...


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Blend(OneLine):
    """A source blended into a target.

    Args:
        completed: (H, W, 3) float32 in [0, 1], equal to the target outside the mask, bit for bit.
        mask: (H, W) bool, where the source went.
        aux: Named intermediates, (H, W) or (H, W, C).
        warnings: What the method itself says against its answer, a sentence each.
        details: What it tells of its work, in the types of JSON: iterations, seconds, the course of its losses.
    """

    completed: NDArray[np.float32]
    mask: NDArray[np.bool_]
    aux: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Blender(Protocol):
    """Anything that makes a part of one image belong to another: pasting, gradient domain, an optimization."""

    name: str

    def blend(
        self,
        source: NDArray[Any],
        target: NDArray[Any],
        mask: NDArray[np.bool_],
        *,
        seed: int = 0,
        budget_s: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> Blend:
        """Blend the source into the target where the mask says.

        Args:
            source: (H, W, 3) float32 in [0, 1], in the target's frame.
            target: (H, W, 3) float32 in [0, 1].
            mask: (H, W) bool, True where the source goes.
            seed: For methods that draw at random.
            budget_s: Seconds that a method which takes long may take; None: its usual course.
            progress: Called with every step of a method that takes long; may raise StopFill, and the best so far is
                returned.

        Raises:
            InputError: Shapes, types or values do not fit.
            MaskError: The mask does not fit the target.
        """
        ...


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class StylePart(OneLine):
    """A picture whose style is wanted, and where in the content.

    Args:
        style: (h, w, 3) float32 in [0, 1].
        content_mask: (H, W) float32 in [0, 1], how much of each pixel of the content gets it; None: all of all.
        style_mask: (h, w) bool, what of the picture is looked at; None: all of it.
        weight: Above 0; parts that go to the same pixels share them by weight times mask.
    """

    style: NDArray[np.float32]
    content_mask: NDArray[np.float32] | None = None
    style_mask: NDArray[np.bool_] | None = None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class LearnedStyle(OneLine):
    """A style that a network has learned, and where in the content.

    Args:
        name: As it was called in training; None for the only one of a network that has one.
        content_mask: As in `StylePart`.
        weight: As in `StylePart`.
    """

    name: str | None = None
    content_mask: NDArray[np.float32] | None = None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Stylized(OneLine):
    """A content in other styles.

    Args:
        image: (H, W, 3) float32 in [0, 1], equal to the content, bit for bit, where no part goes.
        aux: Named intermediates, (H, W) or (H, W, C).
        warnings: What the method itself says against its answer, a sentence each.
        details: What it tells of its work, in the types of JSON: iterations, seconds, the course of its losses.
    """

    image: NDArray[np.float32]
    aux: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Stylizer(Protocol):
    """Anything that paints a photo in the style of others: an optimization, a network, a color transfer.

    learned: names of the styles that a network has learned; None where styles are given with every content.
    """

    name: str
    learned: tuple[str, ...] | None

    def stylize(
        self,
        content: NDArray[Any],
        parts: Sequence[StylePart | LearnedStyle],
        *,
        seed: int = 0,
        budget_s: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> Stylized:
        """Paint the content in the styles of the parts.

        Args:
            content: (H, W, 3) float32 in [0, 1].
            parts: What style goes where: pictures, or for a network that has learned its styles these by name; none at
                all stands for its only one.
            seed: For methods that draw at random.
            budget_s: Seconds that a method which takes long may take; None: its usual course.
            progress: Called with every step of a method that takes long; may raise StopFill, and the best so far is
                returned.

        Raises:
            InputError: Shapes, types or values do not fit.
            MaskError: A mask does not fit its image.
        """
        ...
