"""Masks: which part of an image is the hole. `parse_mask("deepfill").draw(rng, height, width)` draws one."""

from inpaint.masks.base import HoleMask, Mask, content_of_files, hole_ratio
from inpaint.masks.parse import KINDS, PRESETS, MaskSpec, names, parse_mask

__all__ = ["KINDS", "PRESETS", "HoleMask", "Mask", "MaskSpec", "content_of_files", "hole_ratio", "names", "parse_mask"]
