"""Options of the data: where photos come from, what is cut out of them, which masks are drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from inpaint.masks import parse_mask
from inpaint.options import Options, Place


class ValSet(Options):
    """One of several validation sets; a place alone stands for `{root: PLACE}`."""

    root: Place | None = None  # as data.val: null holds photos of data.root out
    masks: Any = None  # null: as data.val_masks

    @model_validator(mode="before")
    @classmethod
    def _of_a_place(cls, given: Any) -> Any:
        return {"root": given} if given is None or isinstance(given, str) else given

    @field_validator("masks")
    @classmethod
    def _known_masks(cls, spec: Any) -> Any:
        return _checked(spec)


class DataConfig(Options):
    """Everything about the data except the batch size, the number of iterations and the seed, which are the loop's.

    The pixel sizes and the flip follow the paper's training on Places2 where it states them: crops of 256, taken at
    native resolution after enlarging photos whose shorter side is below 256 (the official code never flips: `flip=0`).
    """

    root: Place | None = None  # a folder, a list file, tar shards, or "samples" for the bundled photos
    # The same kinds; null holds out a seeded 5 % of root (8 to 200 photos). Several sets: {NAME: PLACE, ...}.
    val: Place | dict[str, ValSet] | None = None
    val_seed: int = Field(0, ge=0, lt=2**63)  # of the split and the validation masks, so that all runs share them
    size: int = Field(256, ge=8)  # side of the square crop, px
    crop: Literal["random", "resize"] = "random"  # resize: the shorter side becomes `size` first, up or down
    flip: float = Field(0.5, ge=0, le=1)  # share of horizontally flipped samples
    color_jitter: float = Field(0.0, ge=0, le=1)  # random brightness, contrast, saturation, hue; helps small sets
    min_px: int = Field(16, ge=1)  # photos whose shorter side is below are skipped
    # Pictures of styles, for models that learn from a second source; the same kinds as root.
    styles: Place | None = None
    val_styles: Place | None = None  # pictures that validation takes in their place, which nothing is learned from
    style_size: int | None = Field(None, ge=8)  # side of their square crops, px; null: `size`
    masks: Any = "deepfill"
    val_masks: Any = None  # null: as `masks`
    workers: int | None = Field(None, ge=0)  # loader processes per training process; null: up to 8, by the CPU cores
    window: int = Field(16, ge=1)  # shards that are shuffled into each other at a time
    # Options of the planes that a model reads beside image and mask, by plane: {sketch: {source: file}}.
    planes: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("masks", "val_masks")
    @classmethod
    def _known_masks(cls, spec: Any) -> Any:
        return _checked(spec)

    @field_validator("val")
    @classmethod
    def _named_sets(cls, sets: Any) -> Any:
        if isinstance(sets, dict):
            if not sets:
                raise ValueError("{} names no set; null holds photos of data.root out")
            for name in sets:
                if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
                    raise ValueError(f"'{name}' is no name of a set: letters, digits, _ . + - are valid")
        return sets

    @property
    def val_sets(self) -> Mapping[str, ValSet]:
        """The validation sets by name, with their masks; a single one has the name ""."""
        sets = self.val if isinstance(self.val, dict) else {"": ValSet(root=self.val)}
        usual = self.usual_val_masks
        return {
            name: ValSet(root=one.root, masks=usual if one.masks is None else one.masks) for name, one in sets.items()
        }

    @property
    def style_px(self) -> int:
        """The side of the crops of styles."""
        return self.size if self.style_size is None else self.style_size

    @property
    def usual_val_masks(self) -> Any:
        """The masks of validation sets that have none of their own."""
        return self.masks if self.val_masks is None else self.val_masks


def _checked(spec: Any) -> Any:
    """Return a kind of masks that can be drawn."""
    if spec is not None:
        parse_mask(spec)
    return spec
