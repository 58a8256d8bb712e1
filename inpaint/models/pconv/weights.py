"""Checkpoints of public partial-convolution programs: which of their layers is which of ours, and how each differs.

Both programs have the paper's U-Net. naoto0804 leaves the window's size out of the ratio (sum W x / sum m, as the
paper's first version), which lies in its weights: divided by channels * kernel * kernel they are ours, exactly. mmagic
works in BGR: its weights are permuted. Both store the kernels of ones with which they convolve masks, left out here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from inpaint.models.pconv.config import LEVELS_AT_256, MOST_LEVELS, Config
from inpaint.models.pconv.network import Network
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, iteration_of
from inpaint.weights.links import Changed, Constant, Count, Link, Same, read, write

FEWEST_LEVELS = 4  # with fewer, a file holds too few names to be known by them

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


# From their tensors to ours, and back --------------------------------------------------------------------------------


def _sized(config: Config, entries: Entries, first: str, deepest: str) -> Config:
    """Return the configuration with the width and the levels of a file.

    first: name of the first layer's weight. deepest: a pattern whose group is the number of a level.
    """
    weight = entries.state.get(first)
    width = config.width if weight is None or weight.ndim != 4 else weight.shape[0]
    numbers = [int(match[1]) for name in entries.state if (match := re.match(deepest, name))]
    levels = max([number for number in numbers if number <= MOST_LEVELS], default=LEVELS_AT_256)
    return config.model_copy(update={"width": width, "levels": max(levels, 2)})


def _links(config: Config, prefix: Prefix, conv: str, ones: str) -> Iterator[Link]:
    """Yield one link for each tensor, and one for each kernel of ones.

    prefix: as `naoto0804_prefix`. conv, ones: what follows it in the names of weight and bias, and of the kernel.
    """
    with torch.device("meta"):
        network = Network(config)
    for name, value in network.state_dict().items():
        shape = tuple(value.shape)
        _, side, number, part, kind = name.split(".")
        layer = prefix(side, int(number) + 1)
        theirs = f"{layer}.{conv if part == 'conv' else 'bn'}.{kind}"
        yield Count(name, theirs) if kind == "num_batches_tracked" else Same(name, theirs, shape)
        if part == "conv" and kind == "weight":
            yield Constant(f"{layer}.{ones}", partial(torch.ones, shape))


def naoto0804_links(config: Config) -> Iterator[Link]:
    """Yield what links our network to naoto0804's entries, whose weights are multiplied by the size of the window."""
    for link in _links(config, naoto0804_prefix, "conv.input_conv", "conv.mask_conv.weight"):
        divided = isinstance(link, Same) and link.ours.endswith("conv.weight")
        yield Changed(link, _divided, _multiplied) if divided else link


def _divided(name: str, value: Tensor) -> Tensor:
    # In float64 and kept so: rounding here would show in a comparison in float64.
    return value.double() / value[0].numel()


def _multiplied(name: str, value: Tensor) -> Tensor:
    """Return what divided gives the value again: in float32 where that does."""
    exact = value.double() * value[0].numel()
    rounded = exact.float().double()
    return torch.where(_divided(name, rounded) == value, rounded, exact)


def mmagic_links(config: Config) -> Iterator[Link]:
    """Yield what links our network to mmagic's entries, which work in BGR."""
    for link in _links(config, mmagic_prefix, "conv", "conv.weight_mask_updater"):
        yield Changed(link, _reordered, _reordered) if isinstance(link, Same) else link


def _reordered(name: str, value: Tensor) -> Tensor:
    """Turn a tensor of a network that works in BGR into one for RGB, or the other way around."""
    match name:
        case "generator.encoder.0.conv.weight":
            return value.flip(1)
        case "generator.decoder.0.conv.weight":  # reads the image beside features, and paints
            return torch.cat((value[:, :-3], value[:, -3:].flip(1)), dim=1).flip(0)
        case "generator.decoder.0.conv.bias":
            return value.flip(0)
    return value


def _from_naoto0804(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    entries = Entries(source.entries)
    config = _sized(NAOTO0804, entries, "enc_1.conv.input_conv.weight", r"enc_(\d+)\.")
    tensors = read(naoto0804_links(config), entries)
    entries.check(source.path, "naoto0804")
    return Converted(config=config, tensors=tensors, iteration=iteration_of(source.content.get("n_iter")))


def _to_naoto0804(network: Converted) -> Written:
    content: dict[str, Any] = {"model": write(naoto0804_links(_expected(network)), network.tensors)}
    if network.iteration is not None:
        content["n_iter"] = network.iteration
    return Written(files={"model.pth": content})


def _from_mmagic(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    # The file of a whole training also holds the VGG-16 of its losses.
    strangers = {name: value for name, value in source.rest.items() if not name.startswith("loss_percep.")}
    entries = Entries({**source.entries, **strangers})
    config = _sized(MMAGIC, entries, "encoder.enc1.conv.weight", r"encoder\.enc(\d+)\.")
    tensors = read(mmagic_links(config), entries)
    entries.check(source.path, "mmagic")
    meta = source.content.get("meta")
    return Converted(
        config=config,
        tensors=tensors,
        iteration=iteration_of(meta.get("iter")) if isinstance(meta, Mapping) else None,
    )


def _to_mmagic(network: Converted) -> Written:
    entries = write(mmagic_links(_expected(network)), network.tensors)
    state = {f"generator.{name}": value for name, value in entries.items()}
    meta = {} if network.iteration is None else {"iter": network.iteration}
    return Written(files={"pconv.pth": {"meta": meta, "state_dict": state}})


def _nearest(base: Config, config: Config) -> Config:
    """Return what a program's files stand for, with the depth that it may choose and what is for the record only."""
    levels = config.levels if config.levels == "auto" else max(config.levels, FEWEST_LEVELS)
    return base.model_copy(update={"levels": levels, "channel_order": config.channel_order})


def _expected(network: Converted) -> Config:
    assert isinstance(network.config, Config)
    return network.config


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
        writer=Writer(nearest=partial(_nearest, NAOTO0804), write=_to_naoto0804),
    ),
    Format(
        origin="mmagic",
        title="mmagic (PConv)",
        model="pconv",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={"generator": mmagic_names()},
        convert=_from_mmagic,
        writer=Writer(nearest=partial(_nearest, MMAGIC), write=_to_mmagic),
    ),
)
