"""Blending methods by their names, or by the places of trained harmonizers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint.blending.options import BlendOptions
from inpaint.blending.table import BLENDERS
from inpaint.errors import UsageError, unknown
from inpaint.options import Options, chosen_of
from inpaint.registry.loading import described, load
from inpaint.types import Blender
from inpaint.weights.places import HUB_PREFIX

if TYPE_CHECKING:
    import torch


def method_options(method: str, given: Mapping[str, Any] | None = None) -> Options:
    """Return the options of a method or of a harmonizer, those that are given checked; this imports no torch.

    Raises:
        UsageError: There is no such method, harmonizer or option.
        WeightsError: What lies at a place cannot be used.
    """
    if method in BLENDERS:
        return BLENDERS.options(method, given)
    if not (method.startswith(HUB_PREFIX) or Path(method).exists()):
        raise UsageError(f"{unknown('method', method, BLENDERS)}; or the folder of a trained harmonizer")
    found = described(method)
    if found is not None and not found.capabilities.recolors:
        raise UsageError(f"'{method}' does not harmonize: a {found.name} paints anew what lies in the hole")
    return chosen_of("a harmonizer", BlendOptions, given)


def load_method(method: str, *, device: str | torch.device = "auto", **options: Any) -> Blender:
    """Return a method by its name, or a harmonizer by its place.

    Args:
        method: See `BLENDERS`; or a run folder or weights file of a model that harmonizes.
        device: Where it computes, if it does so with torch.
        options: Of the method.

    Raises:
        UsageError: As `method_options`, or there is no such device.
        WeightsError: Weights cannot be used.
    """
    if method in BLENDERS:
        return BLENDERS.load(method, device=device, **options)
    chosen = method_options(method, options)
    assert isinstance(chosen, BlendOptions)
    from inpaint.blending.harmonizing import Harmonizing

    found: Any = Harmonizing(load(method, device=device), chosen)  # its name is that of the class
    return found  # type: ignore[no-any-return]
