"""The table of methods that need no training. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from inpaint.errors import UsageError, unknown
from inpaint.options import Options, validated
from inpaint.system.devices import resolve_device
from inpaint.types import Stylizer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class StylizerEntry:
    """A method of style transfer; its fields are those of `inpaint.blending.table.BlenderEntry`."""

    options: str
    factory: str
    summary: str
    on_device: bool = False
    gradual: bool = False


STYLIZERS: Mapping[str, StylizerEntry] = {
    "colors": StylizerEntry(
        options="inpaint.style.options:ColorsOptions",
        factory="inpaint.style.colors:Colors",
        summary="the style's colors alone, by their statistics: the floor for comparisons",
    ),
    "photo_fast": StylizerEntry(
        options="inpaint.style.photo.options:FastOptions",
        factory="inpaint.style.photo.fast:FastPhoto",
        summary="a photo stays a photo: colors by regions and smooth local maps, without a network",
    ),
    "photo": StylizerEntry(
        options="inpaint.style.photo.options:PhotoOptions",
        factory="inpaint.style.photo.method:Photo",
        summary="a photo stays a photo: the style's features by regions, optimized, and smooth local maps",
        on_device=True,
        gradual=True,
    ),
    "gatys": StylizerEntry(
        options="inpaint.style.gatys.options:GatysOptions",
        factory="inpaint.style.gatys.method:Gatys",
        summary="optimization: the content's features, the statistics of the style's features; minutes",
        on_device=True,
        gradual=True,
    ),
}


def stylizer_entry(name: str) -> StylizerEntry:
    """Return the entry of a method; raises UsageError for another name."""
    if name not in STYLIZERS:
        raise UsageError(unknown("style model", name, STYLIZERS))
    return STYLIZERS[name]


def stylizer_options(name: str, given: Mapping[str, Any] | None = None) -> Options:
    """Return the options of a method, those that are given checked; this imports no torch.

    Raises:
        UsageError: There is no such method or option, or a value that is not valid.
    """
    options: type[Options] = resolve_name(stylizer_entry(name).options)
    for key in given or {}:
        if key not in options.model_fields:
            raise UsageError(unknown(f"option of {name}", key, options.model_fields))
    return validated(options, given or {})


def load_stylizer(name: str, *, device: str | torch.device = "auto", **options: Any) -> Stylizer:
    """Return a method by name.

    Args:
        name: See `STYLIZERS`.
        device: Where a method computes that does so with torch; "auto" is the first accelerator, else the CPU.
        options: Of the method.

    Raises:
        UsageError: There is no such method, option or device.

    Example:
        >>> load_stylizer("colors").name
        'colors'
    """
    entry = stylizer_entry(name)
    chosen = stylizer_options(name, options)
    placed = {"device": resolve_device(device)} if entry.on_device else {}
    found: Stylizer = resolve_name(entry.factory)(chosen, **placed)
    return found
