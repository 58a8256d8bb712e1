"""Train, compare and use image inpainting models.

    import inpaint
    filled = inpaint.fill("photo.jpg", "mask.png", model="patch")   # a path in, a PIL image or path out
    pasted = inpaint.blend("object.png", "scene.jpg", "mask.png")   # a part of one photo put into another
    painted = inpaint.stylize("photo.jpg", "painting.jpg")          # a photo in the style of another picture
    model = inpaint.load("checkpoints/my-run")                      # an Inpainter
    inpaint.list_models()                                           # the names, and what each can do

Importing this package does not import torch; that happens when a model is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from inpaint.errors import InpaintError
from inpaint.types import (
    Blend,
    Blender,
    Capabilities,
    Fill,
    Guidance,
    Inpainter,
    Plane,
    Progress,
    StopFill,
    StylePart,
    Stylized,
    Stylizer,
)

if TYPE_CHECKING:
    from inpaint.pipeline import blend, fill, stylize
    from inpaint.registry import list_models, load

__version__ = "0.1.0"
__all__ = [
    "Blend",
    "Blender",
    "Capabilities",
    "Fill",
    "Guidance",
    "InpaintError",
    "Inpainter",
    "Plane",
    "Progress",
    "StopFill",
    "StylePart",
    "Stylized",
    "Stylizer",
    "__version__",
    "blend",
    "fill",
    "list_models",
    "load",
    "stylize",
]

_LATE = {
    "blend": "inpaint.pipeline",
    "fill": "inpaint.pipeline",
    "list_models": "inpaint.registry",
    "load": "inpaint.registry",
    "stylize": "inpaint.pipeline",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'inpaint' has no attribute '{name}'")
