"""Checkpoints of the authors' PCT-Net program: its convolutional network (`PCTNet_CNN.pth`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch

from inpaint.models.pctnet.config import Config, Transform
from inpaint.models.pctnet.network import Network
from inpaint.models.pctnet.transform import ColorTransform
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Constant, Count, Link, Same, read, write

TITLE = "PCT-Net (rakutentech)"
UNUSED = "decoder.to_rgb"  # a layer that the program builds and never runs
IMPORTED: tuple[Transform, ...] = ("linear", "symmetric")
"""Of the transforms; the program's polynomial form takes red in place of green, and ours does not."""


def layer_names(config: Config) -> dict[str, str]:
    """Return {ours: theirs} of the layers, and of the kernel of the blur."""
    names = {"attention": "decoder.conv_attention", "numbers": "get_params"}
    for number in range(config.depth):
        block = f"block{number}" if number < 2 else f"blocks_connected.block{number}"
        names |= _double(f"down.{number}", f"encoder.{block}.convs")
    for number in range(config.depth - 1):
        ours, theirs = f"up.{number}", f"decoder.up_blocks.{number}"
        names |= _double(f"{ours}.convs", f"{theirs}.convs")
        names[f"{ours}.widen.conv"] = f"{theirs}.upconv.1.block.0"
        if number >= config.attention_from:
            ours, theirs = f"{ours}.attention", f"{theirs}.attention"
            names |= _pair(f"{ours}.learned", f"{theirs}.learning_block")
            names[f"{ours}.blur"] = f"{theirs}.mask_blurring.weight"
            for mine, gate in (("background", "background"), ("foreground", "foreground"), ("both", "mix")):
                names[f"{ours}.{mine}.narrow"] = f"{theirs}.{gate}_gate.attention_transform.0"
                names[f"{ours}.{mine}.widen"] = f"{theirs}.{gate}_gate.attention_transform.2"
    return names


def _double(ours: str, theirs: str) -> dict[str, str]:
    return _pair(ours, f"{theirs}.block")


def _pair(ours: str, theirs: str) -> dict[str, str]:
    """Return the names of two layers, each a convolution and perhaps batch norm."""
    parts = (("conv", 0), ("norm", 1))
    return {f"{ours}.{layer}.{part}": f"{theirs}.{layer}.block.{place}" for layer in range(2) for part, place in parts}


def links_of(config: Config) -> Iterator[Link]:
    """Yield what links a network of ours to theirs."""
    with torch.device("meta"):
        network = Network(config)
    names = layer_names(config)
    for name, value in network.generator.state_dict().items():
        layer, _, kind = name.rpartition(".")
        theirs = names[name] if name in names else f"{names[layer]}.{kind}"
        if kind == "num_batches_tracked":
            yield Count(f"generator.{name}", theirs)
        else:
            yield Same(f"generator.{name}", theirs, tuple(value.shape))
    yield Constant(f"{UNUSED}.weight", partial(torch.zeros, 3, config.width, 1, 1))
    yield Constant(f"{UNUSED}.bias", partial(torch.zeros, 3))


def _config(entries: State) -> Config:
    """Return the configuration that shapes and names tell; what they contradict is listed by the links."""
    usual = Config()
    depth = sum(name.endswith(".convs.block.0.block.0.weight") and name.startswith("encoder.") for name in entries)
    depth = max(depth, 2)
    width = _rows(entries, "encoder.block0.convs.block.0.block.0.weight", usual.width)
    deepest = _rows(entries, f"encoder.{_deepest(depth)}.convs.block.0.block.0.weight", usual.widest)
    return Config(
        transform=_transform(entries),
        width=width,
        widest=deepest if deepest < width * 2 ** (depth - 1) else max(usual.widest, deepest),
        depth=depth,
        norm_from=_first(depth, lambda n: _normed(entries, n)),
        attention_from=_first(depth - 1, lambda n: f"decoder.up_blocks.{n}.attention.mask_blurring.weight" in entries),
        attention_ratio=_ratio(entries, depth),
    )


def _deepest(depth: int) -> str:
    return f"block{depth - 1}" if depth <= 2 else f"blocks_connected.block{depth - 1}"


def _normed(entries: State, number: int) -> bool:
    block = f"block{number}" if number < 2 else f"blocks_connected.block{number}"
    return f"encoder.{block}.convs.block.0.block.1.running_mean" in entries


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """Return the first number below `count` for which something holds; `count` where it never does."""
    return next((number for number in range(count) if holds(number)), count)


def _ratio(entries: State, depth: int) -> float:
    for number in range(depth - 1):
        weight = entries.get(f"decoder.up_blocks.{number}.attention.learning_block.0.block.0.weight")
        if weight is not None and weight.ndim == 4 and weight.shape[1]:
            return weight.shape[0] / weight.shape[1]
    return Config().attention_ratio


def _transform(entries: State) -> Transform:
    """Return the transform that its count of numbers tells, of those with an offset."""
    count = _rows(entries, "get_params.weight", 0)
    found = (kind for kind in IMPORTED if ColorTransform(kind, offset=True).count == count)
    return next(found, Config().transform)


def _rows(entries: State, name: str, usual: int) -> int:
    value = entries.get(name)
    return usual if value is None or not value.ndim or not len(value) else len(value)


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    config = _config(source.entries)
    entries = Entries(source.entries)
    tensors = read(links_of(config), entries)
    entries.check(source.path, TITLE)
    return Converted(config=config, tensors=tensors)


def _write(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    return Written(files={"PCTNet_CNN.pth": write(links_of(config), network.tensors)}, notes=_told(config))


def _told(config: Config) -> tuple[str, ...]:
    """Return what the program must be told, since its files do not say it."""
    notes = []
    if config.working_px != Config().working_px:
        notes.append(f"the program resizes to {Config().working_px} px; this network reads {config.working_px} px")
    usual = {name: getattr(Config(), name) for name in ARCHITECTURE}
    changed = {name: value for name in ARCHITECTURE if (value := getattr(config, name)) != usual[name]}
    if changed:
        notes.append(f"the program must be told of {', '.join(f'{name}={value}' for name, value in changed.items())}")
    return tuple(notes)


ARCHITECTURE = ("transform", "width", "widest", "depth", "norm_from", "attention_from", "attention_ratio")


def _nearest(config: Config) -> Config:
    """Return what files of the program stand for."""
    transform: Transform = config.transform if config.transform in IMPORTED else "linear"
    return config.model_copy(update={"transform": transform, "offset": True, "clamp": True})


_NAMES = frozenset(link.theirs for link in links_of(Config(width=2)) if isinstance(link, Same))

FORMATS = (
    Format(
        origin="pctnet",
        title=TITLE,
        model="pctnet",
        license="not stated",
        source="https://github.com/rakutentech/PCT-Net-Image-Harmonization",
        networks={"generator": _NAMES},
        convert=_convert,
        writer=Writer(nearest=_nearest, write=_write),
    ),
)
