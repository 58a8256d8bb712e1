"""A fill that paints what it is told, and `inpaint` with it: python obedient.py app ..."""

from __future__ import annotations

import sys
from typing import ClassVar

import numpy as np

from inpaint.fills.arrays import as_array
from inpaint.fills.base import BaseFill
from inpaint.images.guidance import COLOR, SKETCH
from inpaint.options import Options
from inpaint.types import Capabilities


class ObedientOptions(Options):
    """None."""

    capabilities: ClassVar = Capabilities(planes=(SKETCH, COLOR))


class Obedient(BaseFill):
    """Paints given colors, white lines over them, else gray; remembers the sizes that it saw.

    Planes that are not given say nothing. Given ones must hold nothing but lines, and colors with an alpha of 0 or 1.
    """

    name = "obedient"
    capabilities = ObedientOptions.capabilities
    own = staticmethod(as_array)

    def __init__(self, options=None, **capabilities):
        if capabilities:
            self.capabilities = Capabilities(**{"planes": (SKETCH, COLOR), **capabilities})
        self.seen = []

    def paint_all(self, request):
        sheet = request.image[:, :1]
        nothing = {SKETCH.name: np.zeros_like(sheet), COLOR.name: np.zeros_like(sheet).repeat(4, axis=1)}
        planes = {**nothing, **request.guidance}
        for image, sketch, color in zip(request.image, planes[SKETCH.name], planes[COLOR.name], strict=True):
            self.seen.append(image.shape[1:])
            assert set(np.unique(color[3])) <= {0, 1}
            assert set(np.unique(sketch)) <= {0, 1}
            raw = np.where(color[3] > 0, color[:3], 0.5)
            yield {"raw": np.where(sketch > 0, 1.0, raw).astype(image.dtype)[None]}


if __name__ == "__main__":
    from inpaint.cli.main import main
    from inpaint.registry import table

    about = {"options": "obedient:ObedientOptions", "factory": "obedient:Obedient", "summary": "paints what it is told"}
    table.FILLS["obedient"] = table.MethodEntry(**about)
    sys.exit(main())
