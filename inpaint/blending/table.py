"""The table of methods. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

from inpaint.fills.table import MethodEntry, Methods
from inpaint.types import Blender

BLENDERS: Methods[Blender] = Methods(
    "method",
    paste=MethodEntry(
        options="inpaint.blending.options:PasteOptions",
        factory="inpaint.blending.paste:Paste",
        summary="the source's own colors in the mask: the floor for comparisons",
    ),
    feather=MethodEntry(
        options="inpaint.blending.options:FeatherOptions",
        factory="inpaint.blending.soft:Feather",
        summary="pasted, with a soft rim inside the mask",
    ),
    multiband=MethodEntry(
        options="inpaint.blending.options:MultibandOptions",
        factory="inpaint.blending.soft:Multiband",
        summary="each band of frequencies over its own width (Burt and Adelson 1983)",
    ),
    poisson=MethodEntry(
        options="inpaint.blending.options:PoissonOptions",
        factory="inpaint.blending.poisson:Poisson",
        summary="the source's differences, the target's colors at the border (Perez et al. 2003)",
    ),
    deep=MethodEntry(
        options="inpaint.blending.deep.options:DeepOptions",
        factory="inpaint.blending.deep.method:Deep",
        summary="the source's gradients and content, the target's style by features of VGG (Zhang et al. 2019)",
        on_device=True,
        gradual=True,
    ),
    painterly=MethodEntry(
        options="inpaint.blending.painterly.options:PainterlyOptions",
        factory="inpaint.blending.painterly.method:Painterly",
        summary="the object painted over in the manner of the painting that it is put into (Luan et al. 2018)",
        on_device=True,
        gradual=True,
    ),
    auto=MethodEntry(
        options="inpaint.blending.options:AutoOptions",
        factory="inpaint.blending.auto:Auto",
        summary="poisson; multiband where the border crosses objects; paste where nothing of the target is left",
    ),
)

DEFAULT = "auto"
"""What blends where no method is named."""
