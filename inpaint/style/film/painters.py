"""How a method paints frames that know of each other."""

from __future__ import annotations

from inpaint.style.film.options import FilmOptions
from inpaint.style.film.run import Blended, FramePainter
from inpaint.types import Stylizer


def frame_painter(stylizer: Stylizer, options: FilmOptions) -> FramePainter:
    """Return what paints the frames of a film by a method."""
    return Blended(stylizer, options.blend)
