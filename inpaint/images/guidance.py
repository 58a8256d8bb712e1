"""The planes by which a user guides a fill: lines to follow, edges, colors. Models that take them name them from here.

Kept apart from what makes and reads them, so that a model's configuration stays cheap to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inpaint.types import Plane

SKETCH: Final = Plane(
    name="sketch",
    make="inpaint.images.edges:Sketch",
    read="inpaint.images.planes:read_edges",
    scales="lines",
    summary="Lines to follow in the hole, white on black.",
)
EDGES: Final = Plane(
    name="edges",
    make="inpaint.images.edges:Edges",
    read="inpaint.images.planes:read_edges",
    scales="lines",
    summary="All edges of the hole, white on black, in place of those that the model completes itself.",
)
COLOR: Final = Plane(
    name="color",
    channels=4,
    make="inpaint.images.colors:ColorStrokes",
    read="inpaint.images.planes:read_color",
    scales="colors",
    summary="Colors to follow in the hole, as RGBA; transparent, or black without an alpha channel: none.",
)

DRAWN_BY_HAND: Final[Mapping[str, Any]] = {
    "sigma_px": (1.0, 3.0),
    "thin": True,
    "small_px": (8, 30),
    "jitter_px": (0.0, 3.0),
    "dropped": (0.0, 0.6),
    "given": 0.7,
}
"""Options of `Sketch` for models that are to follow drawings, not edges of photos: `replace(SKETCH, options=...)`.

Thin lines without small pieces, some moved a little, some missing, and in three samples of ten none at all.
"""

CONTAMINATED = Plane(name="contaminated", channels=3, make="inpaint.data.contamination:Contamination")
"""The photo with something else in the hole, which blind models learn from; a caller gives it as the image."""

STYLE = Plane(name="style", channels=3, make="inpaint.data.styles:StylePicture")
"""A picture in a style to learn, of a source of its own; cropped to a side of its own."""

STYLE_INDEX = Plane(name="style_index", make="inpaint.data.styles:StyleIndex")
"""The number of that style, (1, 1, 1), among the names that the model gives as the option `names`."""

COMPOSITE = Plane(name="composite", channels=3, make="inpaint.data.recoloring:Recoloring")
"""The photo with other colors in the hole, which harmonizers learn from; a caller gives it as the image."""
