"""Masks: which part of an image is the hole. `parse_mask("deepfill").draw(rng, height, width)` draws one."""

from inpaint.masks.base import HoleMask, Mask, content_of_files, hole_ratio, with_both
from inpaint.masks.folder import Folder, Paired
from inpaint.masks.parse import KINDS, PRESETS, MaskSpec, names, parse_mask, split_specs

__all__ = [
    "KINDS",
    "PRESETS",
    "Folder",
    "HoleMask",
    "Mask",
    "MaskSpec",
    "Paired",
    "content_of_files",
    "hole_ratio",
    "names",
    "parse_mask",
    "split_specs",
    "with_both",
]
