"""What a frame is told of those around it: their results, moved to it by the flow, and how far to trust them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.images.flow import Flow, Trust, flow_between, read_flow, sharply_warped, trust, warped
from inpaint.style.film.options import FilmOptions
from inpaint.style.film.temporal import long_term

Frame = NDArray[np.uint8]
Reader = Callable[[int], Frame]
"""Given the number of a frame, from 1, returns it, (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Guide:
    """A result of another frame as the present one would show it.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        trust: (H, W) in [0, 1].
    """

    image: NDArray[np.float32]
    trust: Trust


def guides(number: int, others: Sequence[int], contents: Reader, results: Reader, options: FilmOptions) -> list[Guide]:
    """Return what other frames say of a frame.

    Args:
        number: Of the frame, from 1.
        others: Numbers of frames that have results, the nearest first.
        contents: Frames of the film.
        results: What has become of them.
        options: How flows come, and how far colors may differ.
    """
    if not others:
        return []
    present = contents(number)
    images, trusts = list[NDArray[np.float32]](), list[Trust]()
    for other in others:
        flow, back = flows(number, other, contents, options.flow)
        shown = warped(contents(other), flow)
        off = np.square((present - shown) / 255).mean(axis=2)
        trusts.append(trust(flow, back) * np.exp(-off / (2 * options.same_color**2)))
        images.append(sharply_warped(results(other), flow) / np.float32(255))
    return [Guide(image, weight) for image, weight in zip(images, long_term(trusts), strict=True)]


def flows(number: int, other: int, contents: Reader, folder: str | None) -> tuple[Flow, Flow]:
    """Return the flow from a frame to another, and back.

    Raises:
        InputError: A file of the folder cannot be read.
    """
    if folder is None:
        return flow_between(contents(number), contents(other)), flow_between(contents(other), contents(number))
    return _read(folder, number, other), _read(folder, other, number)


def _read(folder: str, first: int, second: int) -> Flow:
    direction = "forward" if first < second else "backward"
    return read_flow(Path(folder) / f"{direction}_{first}_{second}.flo")


def blended(image: NDArray[Any], held: Sequence[Guide], share: float) -> NDArray[np.float32]:
    """Return an image (H, W, 3) that takes over a share of what guides show, as far as they are trusted."""
    found = np.asarray(image, np.float64)
    change = np.zeros_like(found)
    for guide in held:
        change += guide.trust[..., None] * (guide.image - found)
    return (found + share * change).clip(0, 1).astype(np.float32)
