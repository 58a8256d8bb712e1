"""Weight files, foreign formats and run folders.

What a file of ours holds is read and written by four names, which are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint.weights.files import WeightsMetadata, load_weights, read_metadata, save_weights

__all__ = ["WeightsMetadata", "load_weights", "read_metadata", "save_weights"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("inpaint.weights.files"), name)
    raise AttributeError(f"module 'inpaint.weights' has no attribute '{name}'")
