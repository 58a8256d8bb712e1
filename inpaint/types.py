"""The few types that every room above speaks: what a fill takes, what it returns, and who can do it.

Cheap to import: torch appears only for the type checker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

GuidanceKind: TypeAlias = Literal["sketch", "edges", "color"]

Seed: TypeAlias = "int | Sequence[int]"
"""An integer s gives image i of the batch the seed (s, i); a sequence gives one seed per image."""


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """What a person asks to see in the hole. Read inside the hole only.

    sketch, edges: (B, 1, H, W), 1 = line. color: (B, 4, H, W), RGBA in [0, 1], alpha 0 = not given.
    """

    sketch: Tensor | None = None
    edges: Tensor | None = None
    color: Tensor | None = None

    def given(self) -> frozenset[GuidanceKind]:
        """Return the names of the planes that are not None."""
        names: tuple[GuidanceKind, ...] = ("sketch", "edges", "color")
        return frozenset(name for name in names if getattr(self, name) is not None)


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One answer for a batch of pictures.

    completed: (B, 3, H, W) in [0, 1], equal to the input outside the hole.
    raw: (B, 3, H, W), what the method painted everywhere, on our scale but never clamped.
    mask: (B, 1, H, W), 1 = hole; the caller's, or the model's own for blind models.
    aux: named intermediates (coarse, edges, scale_1_2, ...).
    score: (B,) or None, higher = better.
    """

    completed: Tensor
    raw: Tensor
    mask: Tensor
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    score: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a fill has come: `done` of `total` steps, the estimated rest in seconds, a preview if there is one."""

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

    smallest_px is the smallest side accepted (models pad inside, so it rarely exceeds 8); multiple_px the multiple to
    which the model pads, of interest to whoever chooses sizes; needs_known is False only for fills that can invent a
    picture from nothing; thread_safe is True for fills that keep one core of the CPU busy and no state, so that several
    pictures may be filled by one object at the same time.
    """

    trained: bool
    stochastic: bool = False
    guidance: frozenset[GuidanceKind] = frozenset()
    blind: bool = False
    needs_known: bool = False
    thread_safe: bool = False
    smallest_px: int = 8
    multiple_px: int = 1


class Inpainter(Protocol):
    """Anything that fills holes: a feed-forward network, a per-image optimization, a classical method."""

    name: str
    capabilities: Capabilities

    def fill(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill the holes of a batch.

        image: (B, 3, H, W), RGB in [0, 1]; never looked at inside the hole. mask: (B, 1, H, W), 1 = hole.
        Returns exactly `samples` fills. Raises InputError when shapes, sizes or guidance do not fit.
        """
        ...
