"""What a caller may choose of how a photo is filled; cheap to import."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from inpaint.options import Options

StrategyName: TypeAlias = Literal["auto", "original", "resize", "crop", "tile"]
SeamName: TypeAlias = Literal["auto", "none", "feather", "color", "poisson", "multiband"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def bytes_of(text: str) -> int:
    """Return a size in bytes, of text as "3GB", "800 MB", "1.5G" or "100000"; a kilobyte has 1024 bytes.

    Raises ValueError for other text, and for nothing.

    Example:
        >>> bytes_of("1.5 GB")
        1610612736
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if found is None or not (size := int(float(found[1]) * _UNITS[found[2].upper()])):
        raise ValueError(f"must be an amount of memory such as 3GB or 800MB, got '{text}'")
    return size


def _memory(value: int | str | None) -> int | str | None:
    if value is not None:
        bytes_of(str(value))
    return value


Memory: TypeAlias = Annotated[int | str | None, AfterValidator(_memory)]
"""Bytes, or text as "3GB"."""


class StrategyOptions(Options):
    """How a photo is filled; names and defaults are IOPaint's where it has them."""

    strategy: StrategyName = "auto"
    # How the border of the hole is made good; auto: by poisson where a part was painted smaller and enlarged again.
    seam: SeamName = "auto"
    refine: bool = False  # optimize the network's features from coarse to fine (arXiv 2206.13644), where it offers them
    refine_iterations: int = Field(15, ge=1)  # passes at each size; public program 15
    refine_lr: float = Field(0.002, gt=0)  # public program 0.002
    # Shorter side of the coarsest of at most three sizes; null: twice the trained side, 512 for networks trained at 256
    # px (public program 512).
    refine_min_side: int | None = Field(None, ge=16)
    wrap: bool = False  # a 360-degree panorama: the right end of the photo continues at the left one
    # Most memory that filling may take; null: half of what is free where the fill computes.
    memory: Memory = None
    # Photos whose longer side is no more than this are never cut; null: as the fill was trained. IOPaint 800.
    crop_trigger_size: int | None = Field(None, ge=1)
    # Pixels around a hole that are cut out with it; null: as the fill says, 128 for networks trained at 256 px (IOPaint
    # 128), and half of the hole's side where that is more.
    crop_margin: int | None = Field(None, ge=0)
    resize_limit: int = Field(1280, ge=8)  # longer side that `resize` works at; IOPaint 1280
    tile_size: int | None = Field(None, ge=32)  # side of what a tile reads; null: twice the trained size, else 512
    tile_overlap: int | None = Field(None, ge=1)  # pixels over which tiles pass into each other; null: a tenth of it

    @property
    def memory_bytes(self) -> int | None:
        """The memory that was chosen, in bytes."""
        return None if self.memory is None else bytes_of(str(self.memory))
