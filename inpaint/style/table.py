"""The table of methods that need no training. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

from inpaint.fills.table import MethodEntry, Methods
from inpaint.types import Stylizer

STYLIZERS: Methods[Stylizer] = Methods(
    "style model",
    colors=MethodEntry(
        options="inpaint.style.options:ColorsOptions",
        factory="inpaint.style.colors:Colors",
        summary="the style's colors alone, by their statistics: the floor for comparisons",
    ),
    photo_fast=MethodEntry(
        options="inpaint.style.photo.options:FastOptions",
        factory="inpaint.style.photo.fast:FastPhoto",
        summary="a photo stays a photo: colors by regions and smooth local maps, without a network",
    ),
    photo=MethodEntry(
        options="inpaint.style.photo.options:PhotoOptions",
        factory="inpaint.style.photo.method:Photo",
        summary="a photo stays a photo: the style's features by regions, optimized, and smooth local maps",
        on_device=True,
        gradual=True,
    ),
    gatys=MethodEntry(
        options="inpaint.style.gatys.options:GatysOptions",
        factory="inpaint.style.gatys.method:Gatys",
        summary="optimization: the content's features, the statistics of the style's features; minutes",
        on_device=True,
        gradual=True,
    ),
)
