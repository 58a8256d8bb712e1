"""Checkpoints of networks of many styles: the authors' program (magenta) and a port (ryanwongsa)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from inpaint.models.multistyle.config import Config
from inpaint.models.multistyle.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Changed, Link, Same, read, write
from inpaint.weights.tensorflow import from_kernel, to_kernel

Names = Callable[[str], str]
"""From the name of a tensor of the generator to theirs."""

MAGENTA, PORT = "image_stylization (magenta)", "Real-time multi-style transfer (ryanwongsa)"
AUTHORS = Config()
PORTED = Config(blocks=4, bias=True, affine=True, values="imagenet")
FREE = ("width", "styles")


# Names ---------------------------------------------------------------------------------------------------------------


def magenta_name(name: str) -> str:
    """Return what the authors' program calls a variable."""
    _, step, kind = name.split(".")
    scope = f"transformer/{_scope(step)}"
    return f"{scope}/weights" if kind == "weight" else f"{scope}/InstanceNorm/{kind}"


def _scope(step: str) -> str:
    block = re.fullmatch(r"block(\d+)_(\d)", step)
    if block:
        return f"residual/residual{block[1]}/conv{block[2]}"
    expanding = {"up1": "expand/conv1/conv", "up2": "expand/conv2/conv", "out": "expand/conv3/conv"}
    return expanding.get(step) or f"contract/{step}"


def port_name(name: str) -> str:
    """Return what the port calls an entry."""
    group, step, *rest = name.split(".")
    block = re.fullmatch(r"block(\d+)_(\d)", step)
    others = {"up1": "upsample1.conv", "up2": "upsample2.conv", "out": "conv_4"}
    layer = f"res_block{block[1]}.res_conv{block[2]}" if block else others.get(step) or step.replace("conv", "conv_")
    if group == "convolutions":
        return f"{layer}.conv.{rest[0]}"
    return f"{layer}.instnorm.{rest[1]}" if rest[0] == "shared" else f"{layer}.{rest[0]}"


def links_of(config: Config, named: Names, *, kernels: bool) -> Iterator[Link]:
    """Yield what links a network of ours to theirs; kernels: whether convolutions lie as TensorFlow keeps them."""
    with torch.device("meta"):
        state = Network(config).generator.state_dict()
    for name, value in state.items():
        ours, theirs = f"generator.{name}", named(name)
        if kernels and value.ndim == 4:
            count, read_from, high, wide = value.shape
            yield Changed(Same(ours, theirs, (high, wide, read_from, count)), from_kernel, to_kernel)
        else:
            yield Same(ours, theirs, tuple(value.shape))


# Both ways ------------------------------------------------------------------------------------------------------------


def _config(usual: Config, entries: State, block: str, table: str) -> Config:
    """Return the configuration that shapes and names tell.

    block: pattern of an entry that each block has once. table: the first layer's rows of styles.
    """
    rows = entries.get(table)
    count, width = (2, usual.width) if rows is None or rows.ndim != 2 else tuple(rows.shape)
    blocks = sum(re.fullmatch(block, name) is not None for name in entries)
    styles = tuple(f"style_{number}" for number in range(max(count, 1)))
    return usual.model_copy(update={"width": max(width, 1), "blocks": max(blocks, 1), "styles": styles})


def _from_magenta(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    known = {name: value for name, value in source.entries.items() if OF_MAGENTA.fullmatch(name)}
    pattern = r"transformer/residual/residual\d+/conv1/weights"
    config = _config(AUTHORS, known, pattern, "transformer/contract/conv1/InstanceNorm/beta")
    entries = Entries(known)
    tensors = read(links_of(config, magenta_name, kernels=True), entries)
    entries.check(source.path, MAGENTA)
    others = len(source.entries) - len(known)
    notes = (f"{others} further variables of the checkpoint are left out",) if others else ()
    return Converted(config=config, tensors=tensors, notes=notes)


def _from_port(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    config = _config(PORTED, source.entries, r"res_block\d+\.res_conv1\.conv\.weight", "conv_1.gamma")
    entries = Entries(source.entries)
    tensors = read(links_of(config, port_name, kernels=False), entries)
    entries.check(source.path, PORT)
    return Converted(config=config, tensors=tensors)


def _write(network: Converted, *, usual: Config, named: Names, kernels: bool, file: str) -> Written:
    config = network.config
    assert isinstance(config, Config)
    notes = [f"styles are known by number there: {', '.join(config.learned or ())}"]
    if config.width != usual.width:
        notes.append(f"the program must be told of width={config.width}")
    return Written(files={file: write(links_of(config, named, kernels=kernels), network.tensors)}, notes=tuple(notes))


def _nearest(config: Config, *, usual: Config) -> Config:
    """Return what files of a program stand for."""
    return usual.model_copy(update={name: getattr(config, name) for name in (*FREE, "style_coefficients")})


def _names(usual: Config, named: Names) -> frozenset[str]:
    with torch.device("meta"):
        state: Mapping[str, Tensor] = Network(usual.model_copy(update={"width": 1})).generator.state_dict()
    return frozenset(named(name) for name in state)


# Of what trains there are variables of the same names with one more part, such as .../weights/Adam.
OF_MAGENTA = re.compile(r"transformer/.+/(?:weights|gamma|beta)")

FORMATS = (
    Format(
        origin="magenta",
        title=MAGENTA,
        model="multistyle",
        license="Apache-2.0",
        source="https://github.com/magenta/magenta/tree/main/magenta/models/image_stylization",
        networks={"generator": _names(AUTHORS, magenta_name)},
        convert=_from_magenta,
        writer=Writer(
            nearest=partial(_nearest, usual=AUTHORS),
            write=partial(_write, usual=AUTHORS, named=magenta_name, kernels=True, file="multistyle.npz"),
            archive=True,
        ),
    ),
    Format(
        origin="ryanwongsa",
        title=PORT,
        model="multistyle",
        license="not stated",
        source="https://github.com/ryanwongsa/Real-time-multi-style-transfer",
        networks={"generator": _names(PORTED, port_name)},
        convert=_from_port,
        writer=Writer(
            nearest=partial(_nearest, usual=PORTED),
            write=partial(_write, usual=PORTED, named=port_name, kernels=False, file="pastichemodel.pth"),
        ),
    ),
)
