"""Checkpoints of public partial-convolution programs: which of their layers is which of ours, and how each differs.

Both programs have the paper's U-Net. naoto0804 leaves the window's size out of the ratio (sum W x / sum m, as the
paper's first version), which lies in its weights: divided by channels * kernel * kernel they are ours, exactly. mmagic
works in BGR: its weights are permuted. Both store the kernels of ones with which they convolve masks, left out here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from inpaint.models.pconv.config import LEVELS_AT_256, MOST_LEVELS, Config
from inpaint.models.pconv.network import Network
from inpaint.weights.formats import Converted, Entries, Format, Found, iteration_of

NAOTO0804 = Config(value_range="imagenet", first_bias=False)
MMAGIC = Config(value_range="pm1", channel_order="bgr", first_bias=True)

Prefix: TypeAlias = Callable[[str, int], str]
SIDES = ("encoder", "decoder")
NORM = ("weight", "bias", "running_mean", "running_var")


def naoto0804_prefix(side: str, level: int) -> str:
    """Return how naoto0804 calls a layer; level from 1."""
    return f"{side[:3]}_{level}"


def mmagic_prefix(side: str, level: int) -> str:
    """Return how mmagic calls a layer below its `generator.`; level from 1."""
    return f"{side}.{side[:3]}{level}"


def naoto0804_names() -> frozenset[str]:
    """Return the entries of a network of seven levels, apart from the kernels of ones."""
    return _names(naoto0804_prefix, "conv.input_conv") | {"dec_1.conv.input_conv.bias"}


def mmagic_names() -> frozenset[str]:
    """Return the entries of a network of seven levels, apart from the kernels of ones."""
    return _names(mmagic_prefix, "conv") | {"encoder.enc1.conv.bias", "decoder.dec1.conv.bias"}


def _names(prefix: Prefix, conv: str) -> frozenset[str]:
    """Return the weights of all convolutions, and the batch norms, which the first level lacks."""
    layers = _layers(LEVELS_AT_256)
    norms = {f"{prefix(*layer)}.bn.{name}" for layer in layers if layer[1] > 1 for name in NORM}
    return frozenset(norms | {f"{prefix(*layer)}.{conv}.weight" for layer in layers})


def _layers(levels: int) -> list[tuple[str, int]]:
    return [(side, level) for side in SIDES for level in range(1, levels + 1)]


# From their tensors to ours ------------------------------------------------------------------------------------------


def _sized(config: Config, entries: Entries, first: str, deepest: str) -> Config:
    """Return the configuration with the width and the levels of a file.

    first: name of the first layer's weight. deepest: a pattern whose group is the number of a level.
    """
    weight = entries.state.get(first)
    width = config.width if weight is None or weight.ndim != 4 else weight.shape[0]
    numbers = [int(match[1]) for name in entries.state if (match := re.match(deepest, name))]
    levels = max([number for number in numbers if number <= MOST_LEVELS], default=LEVELS_AT_256)
    return config.model_copy(update={"width": width, "levels": max(levels, 2)})


def _network(entries: Entries, config: Config, prefix: Prefix, conv: str) -> dict[str, Tensor]:
    """Take every layer; prefix: as `naoto0804_prefix`; conv: what follows it in the names of weight and bias."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Network(config).state_dict().items()}
    tensors = {}
    for name, shape in shapes.items():
        _, side, number, part, kind = name.split(".")
        theirs = prefix(side, int(number) + 1)
        if kind == "num_batches_tracked":
            entries.ignore(f"{theirs}.bn.{kind}")
            tensors[name] = torch.zeros(shape, dtype=torch.int64)
        else:
            tensors[name] = entries.take(f"{theirs}.{conv if part == 'conv' else 'bn'}.{kind}", *shape)
    return tensors


def _from_naoto0804(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    entries = Entries(source.entries)
    config = _sized(NAOTO0804, entries, "enc_1.conv.input_conv.weight", r"enc_(\d+)\.")
    tensors = _network(entries, config, naoto0804_prefix, "conv.input_conv")
    for layer in _layers(config.depth):
        entries.ignore(f"{naoto0804_prefix(*layer)}.conv.mask_conv.weight")
    entries.check(source.path, "naoto0804")
    for name, value in tensors.items():
        if name.endswith("conv.weight"):
            # In float64 and kept so: rounding here would show in a comparison in float64.
            tensors[name] = value.double() / value[0].numel()
    return Converted(config=config, tensors=tensors, iteration=iteration_of(source.content.get("n_iter")))


def _from_mmagic(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    # The file of a whole training also holds the VGG-16 of its losses.
    strangers = {name: value for name, value in source.rest.items() if not name.startswith("loss_percep.")}
    entries = Entries({**source.entries, **strangers})
    config = _sized(MMAGIC, entries, "encoder.enc1.conv.weight", r"encoder\.enc(\d+)\.")
    tensors = _network(entries, config, mmagic_prefix, "conv")
    for layer in _layers(config.depth):
        entries.ignore(f"{mmagic_prefix(*layer)}.conv.weight_mask_updater")
    entries.check(source.path, "mmagic")
    meta = source.content.get("meta")
    return Converted(
        config=config,
        tensors=_in_rgb(tensors),
        iteration=iteration_of(meta.get("iter")) if isinstance(meta, Mapping) else None,
    )


def _in_rgb(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn a network that works in BGR into one that works in RGB: what reads the image, and what paints it."""
    first, last = "generator.encoder.0.conv.weight", "generator.decoder.0.conv.weight"
    turned = {**tensors, first: tensors[first].flip(1)}
    turned[last] = torch.cat((tensors[last][:, :-3], tensors[last][:, -3:].flip(1)), dim=1).flip(0)
    turned["generator.decoder.0.conv.bias"] = tensors["generator.decoder.0.conv.bias"].flip(0)
    return turned


# What is offered -----------------------------------------------------------------------------------------------------

FORMATS = (
    Format(
        origin="naoto0804",
        title="naoto0804",
        model="pconv",
        license="none stated",
        source="https://github.com/naoto0804/pytorch-inpainting-with-partial-conv",
        networks={"generator": naoto0804_names()},
        convert=_from_naoto0804,
    ),
    Format(
        origin="mmagic",
        title="mmagic (PConv)",
        model="pconv",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={"generator": mmagic_names()},
        convert=_from_mmagic,
    ),
)
