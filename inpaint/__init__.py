"""Train, compare and use image inpainting models.

    import inpaint
    filled = inpaint.fill("photo.jpg", "mask.png", model="patch")   # a path in, a PIL image or path out
    model = inpaint.load("checkpoints/my-run")                      # an Inpainter

Importing this package does not import torch; that happens when a model is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inpaint.errors import InpaintError
from inpaint.types import Capabilities, Fill, Guidance, Inpainter, Plane, Progress, StopFill

if TYPE_CHECKING:
    from inpaint.pipeline import fill
    from inpaint.registry.loading import load

__version__ = "0.1.0"
__all__ = [
    "Capabilities",
    "Fill",
    "Guidance",
    "InpaintError",
    "Inpainter",
    "Plane",
    "Progress",
    "StopFill",
    "__version__",
    "fill",
    "load",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    if name == "load":
        from inpaint.registry.loading import load

        return load
    if name == "fill":
        from inpaint.pipeline import fill

        return fill
    raise AttributeError(f"module 'inpaint' has no attribute '{name}'")
