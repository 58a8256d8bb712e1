"""The table of methods. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from inpaint.errors import UsageError, unknown
from inpaint.options import Options, validated
from inpaint.system.devices import resolve_device
from inpaint.types import Blender

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class BlenderEntry:
    """A blending method.

    Args:
        options: "module:class" of its options, in a file that does not import torch.
        factory: "module:class" of the method, called with its options; and with the device if `on_device`.
        summary: One line.
        on_device: Whether it computes with torch.
        gradual: Whether it comes nearer to its answer with every step: it takes a budget, tells of its steps, and gives
            its best so far when it is asked to stop.
    """

    options: str
    factory: str
    summary: str
    on_device: bool = False
    gradual: bool = False


BLENDERS: Mapping[str, BlenderEntry] = {
    "paste": BlenderEntry(
        options="inpaint.blending.options:PasteOptions",
        factory="inpaint.blending.paste:Paste",
        summary="the source's own colors in the mask: the floor for comparisons",
    ),
    "feather": BlenderEntry(
        options="inpaint.blending.options:FeatherOptions",
        factory="inpaint.blending.soft:Feather",
        summary="pasted, with a soft rim inside the mask",
    ),
    "multiband": BlenderEntry(
        options="inpaint.blending.options:MultibandOptions",
        factory="inpaint.blending.soft:Multiband",
        summary="each band of frequencies over its own width (Burt and Adelson 1983)",
    ),
    "poisson": BlenderEntry(
        options="inpaint.blending.options:PoissonOptions",
        factory="inpaint.blending.poisson:Poisson",
        summary="the source's differences, the target's colors at the border (Perez et al. 2003)",
    ),
    "deep": BlenderEntry(
        options="inpaint.blending.deep.options:DeepOptions",
        factory="inpaint.blending.deep.method:Deep",
        summary="the source's gradients and content, the target's style by features of VGG (Zhang et al. 2019)",
        on_device=True,
        gradual=True,
    ),
    "painterly": BlenderEntry(
        options="inpaint.blending.painterly.options:PainterlyOptions",
        factory="inpaint.blending.painterly.method:Painterly",
        summary="the object painted over in the manner of the painting that it is put into (Luan et al. 2018)",
        on_device=True,
        gradual=True,
    ),
    "auto": BlenderEntry(
        options="inpaint.blending.options:AutoOptions",
        factory="inpaint.blending.auto:Auto",
        summary="poisson; multiband where the border crosses objects; paste where nothing of the target is left",
    ),
}

DEFAULT = "auto"
"""What blends where no method is named."""


def blender_entry(name: str) -> BlenderEntry:
    """Return the entry of a method; raises UsageError for another name."""
    if name not in BLENDERS:
        raise UsageError(unknown("method", name, BLENDERS))
    return BLENDERS[name]


def blender_options(name: str, given: Mapping[str, Any] | None = None) -> Options:
    """Return the options of a method, those that are given checked; this imports no torch.

    Raises:
        UsageError: There is no such method or option, or a value that is not valid.
    """
    options: type[Options] = resolve_name(blender_entry(name).options)
    for key in given or {}:
        if key not in options.model_fields:
            raise UsageError(unknown(f"option of the method {name}", key, options.model_fields))
    return validated(options, given or {})


def load_blender(name: str, *, device: str | torch.device = "auto", **options: Any) -> Blender:
    """Return a method by name.

    Args:
        name: See `BLENDERS`.
        device: Where a method computes that does so with torch; "auto" is the first accelerator, else the CPU.
        options: Of the method.

    Raises:
        UsageError: There is no such method, option or device.

    Example:
        >>> load_blender("paste").name
        'paste'
    """
    entry = blender_entry(name)
    chosen = blender_options(name, options)
    placed = {"device": resolve_device(device)} if entry.on_device else {}
    found: Blender = resolve_name(entry.factory)(chosen, **placed)
    return found
