"""Going through a film frame by frame: each result is kept when it is there, so that the work can go on later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inpaint.style.base import ArrayStylizer
from inpaint.style.film.guides import Frame, Guide, Reader, blended, guides
from inpaint.style.film.options import FilmOptions
from inpaint.types import LearnedStyle, OneLine, ProgressCallback, StylePart, Stylizer


class Results(Protocol):
    """Where the results of a pass are kept, by the number of their frame."""

    def has(self, number: int) -> bool:
        """Return whether a frame's result is there."""
        ...

    def read(self, number: int) -> Frame:
        """Return a result that is there."""
        ...

    def write(self, number: int, image: Frame) -> None:
        """Keep a result."""
        ...


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class FrameToPaint(OneLine):
    """A frame, and what is known of it.

    Args:
        content: (H, W, 3) in [0, 1].
        parts: Styles.
        held: What is known of other frames' results; empty for the first.
        own: What an earlier pass made of this frame.
        seed: For what is drawn at random; the same for all frames, so that noise does not flicker.
        progress: As of `Stylizer`.
    """

    content: NDArray[np.float32]
    parts: Sequence[StylePart | LearnedStyle]
    held: Sequence[Guide] = ()
    own: NDArray[np.float32] | None = None
    seed: int = 0
    progress: ProgressCallback | None = None

    def painted_by(self, stylizer: Stylizer | ArrayStylizer) -> NDArray[np.float32]:
        """Return the frame as a method paints it that knows nothing of others."""
        return stylizer.stylize(self.content, self.parts, seed=self.seed, progress=self.progress).image


class FramePainter(Protocol):
    """A method that paints a frame knowing others."""

    def paint(self, frame: FrameToPaint) -> NDArray[np.float32]:
        """Return the frame (H, W, 3) in its styles."""
        ...


@dataclass(frozen=True)
class Blended:
    """Any method: a frame is painted as if alone, then takes over a share of the one before where it is the same thing.

    Args:
        stylizer: The method.
        share: See `FilmOptions.blend`.
    """

    stylizer: Stylizer
    share: float

    def paint(self, frame: FrameToPaint) -> NDArray[np.float32]:
        """See `FramePainter`."""
        own = frame.painted_by(self.stylizer) if frame.own is None else frame.own
        return blended(own, frame.held, self.share)


def paint_frames(
    painter: FramePainter,
    contents: Reader,
    count: int,
    parts: Sequence[StylePart | LearnedStyle],
    passes: Sequence[Results],
    options: FilmOptions,
    *,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Paint all frames, in every pass those that have no result yet.

    Args:
        painter: The method.
        contents: Frames of the film, by number from 1.
        count: How many there are.
        parts: Styles.
        passes: Where the results of every pass are kept, `options.passes` of them; the last are the film's.
        options: How frames are held together.
        seed: Of all frames.
        progress: Told of the steps of a frame.
        told: Told how many frames of all passes are done.
    """
    for turn, results in enumerate(passes):
        order = range(1, count + 1) if turn % 2 == 0 else range(count, 0, -1)
        for place, number in enumerate(order):
            if not results.has(number):
                before = order[:place][::-1]  # the nearest first
                others = [before[back - 1] for back in options.earlier if back <= len(before)]
                known = [] if options.independent else guides(number, others, contents, results.read, options)
                own = None if turn == 0 else _floats(passes[turn - 1].read(number))
                content = _floats(contents(number))
                frame = FrameToPaint(content=content, parts=parts, held=known, own=own, seed=seed, progress=progress)
                image = painter.paint(frame)
                results.write(number, (255 * image).round().clip(0, 255).astype(np.uint8))
            told(turn * count + place + 1, len(passes) * count)


def _floats(frame: Frame) -> NDArray[np.float32]:
    return frame.astype(np.float32) / np.float32(255)
