"""Checkpoints of both public VCNet programs: which of their entries is which of our tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.models.vcnet.config import Config, DiscriminatorConfig, NormalizationConfig
from inpaint.models.vcnet.network import Network
from inpaint.options import ModelConfig
from inpaint.weights.foreign import State, tensors_of
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, part
from inpaint.weights.links import Change, Changed, Link, Normalized, Same, read, write
from inpaint.weights.tensorflow import from_kernel, to_kernel

AUTHORS = Config(
    mask_branch="shallow",
    shortcuts="origin",
    bottleneck="full",
    probability="clip",
    output="clip",
    padding="same_tf",
    normalization=NormalizationConfig(balance=0.5, statistics="authors"),
    discriminator=DiscriminatorConfig(head="flat"),
    composite="grown",
)
XYFJASON = Config(
    normalization=NormalizationConfig(reduction=16, statistics="xyfjason"),
    discriminator=DiscriminatorConfig(
        whole=(1, 2, 2, 4, 8), patch=(1, 2, 2, 4, 8), spectral=True, head="flat", patch_end="features"
    ),
    detached=True,
)
CRITICS = ("discriminator", "patch_discriminator")
SCOPE = "blind_inpaint_net"
AUTHORS_TITLE, XYFJASON_TITLE = "VCNet (the authors' program)", "VCNet (xyfJASON)"


# Which layer is which ------------------------------------------------------------------------------------------------


def authors_layers() -> dict[str, str]:
    """Return {our layer: scope of its variables} of the authors' networks; blocks have c1, c2 and c3 below both."""
    mask = {"down1": "conv2", "down2": "conv3", "wide2": "conv4_atrous", "wide4": "conv5_atrous", "middle": "conv8"}
    mask |= {"up1": "deconv9", "up2": "deconv10", "compress": "compress_conv", "head": "output"}
    paint = {"stem": "conv1", "down1": "conv2", "keep1": "conv21", "down2": "conv3", "keep2": "conv31"}
    paint |= {f"wide.{number}": f"conv{number + 4}_atrous" for number in range(4)}
    paint |= {"last": "conv8", "up1": "deconv9", "keep3": "deconv91", "up2": "deconv10", "keep4": "deconv101"}
    paint |= {"compress.0": "compress_conv1", "compress.1": "compress_conv2", "head": "output"}
    return {
        **{f"mask_network.{ours}": f"{SCOPE}/mask_{theirs}" for ours, theirs in mask.items()},
        **{f"generator.{ours}": f"{SCOPE}/cmp_{theirs}" for ours, theirs in paint.items()},
    }


def authors_critic_layers() -> dict[str, str]:
    """Return the same of the critics."""
    layers = {f"discriminator.layers.{n}": f"discriminator/disc_global/conv{n + 1}" for n in range(4)}
    layers |= {f"patch_discriminator.layers.{n}": f"discriminator/discriminator_local/conv{n + 1}" for n in range(4)}
    layers["patch_discriminator.head"] = "discriminator/discriminator_local/conv5"
    return {**layers, "discriminator.head": "discriminator/dout_global_fc"}


def xyfjason_layers() -> dict[str, str]:
    """Return {our layer: theirs, behind the key of its state dict} of the re-implementation's networks."""
    mask = ("down1", "down2", "wide2", "wide4", "middle", "up1", "up2")
    paint = ("stem", "down1", "keep1", "down2", "keep2", *(f"wide.{number}" for number in range(4)), "last")
    paint = (*paint, "up1", "keep3", "up2", "keep4")
    return {
        **{f"mask_network.{ours}": f"mpn/rb{number}" for number, ours in enumerate(mask, start=1)},
        "mask_network.compress": "mpn/conv1.conv",
        "mask_network.head": "mpn/conv2.conv",
        **{f"generator.{ours}": f"rin/pcb{number}" for number, ours in enumerate(paint, start=1)},
        "generator.head": "rin/conv1",
    }


WITHIN = {"c1": "conv1", "c2": "conv2", "c3": "projection", "norm.excitation": "pcn.se.excitation"}
"""What lies in a block, and what the re-implementation calls it."""


def _split(name: str, layers: Mapping[str, str]) -> tuple[str, str]:
    """Return the layer of theirs that one of our tensors lies in, and the rest of our name."""
    layer = max((ours for ours in layers if name.startswith(f"{ours}.")), key=len)
    return layers[layer], name.removeprefix(f"{layer}.")


# From their entries to ours, and back --------------------------------------------------------------------------------


def _shapes(modules: Mapping[str, nn.Module]) -> dict[str, tuple[int, ...]]:
    found = dict[str, tuple[int, ...]]()
    for role, module in modules.items():
        found |= {f"{role}.{name}": tuple(value.shape) for name, value in module.state_dict().items()}
    return found


@lru_cache(maxsize=8)  # asked for several times in an import, and building networks takes longer than all else
def _network_shapes(config: Config) -> Mapping[str, tuple[int, ...]]:
    with torch.device("meta"):
        return _shapes(dict(Network(config).named_children()))


@lru_cache(maxsize=8)
def _critic_shapes(config: Config) -> Mapping[str, tuple[int, ...]]:
    with torch.device("meta"):
        return _shapes(Network.discriminators(config))


def authors_links(config: Config) -> Iterator[Link]:
    """Yield what links both networks to the authors' variables."""
    yield from _variables(_network_shapes(config), authors_layers())


def authors_critic_links(config: Config) -> Iterator[Link]:
    """Yield what links the critics to the authors' variables."""
    yield from _variables(_critic_shapes(config), authors_critic_layers())


def _variables(shapes: Mapping[str, tuple[int, ...]], layers: Mapping[str, str]) -> Iterator[Link]:
    for name, shape in shapes.items():
        layer, rest = _split(name, layers)
        *block, kind = rest.split(".")
        variable = "/".join((layer, *block, "kernel" if kind == "weight" else "bias"))
        if kind == "bias":
            yield Same(name, variable, shape)
        elif layer.endswith("_fc"):  # a matrix: rows for every place and channel, channels last
            outputs, channels, height, width = shape
            there, back = _of_dense(height, width, channels)
            yield Changed(Same(name, variable, (height * width * channels, outputs)), there, back)
        else:
            outputs, inputs, height, width = shape
            yield Changed(Same(name, variable, (height, width, inputs, outputs)), from_kernel, to_kernel)


def _of_dense(height: int, width: int, channels: int) -> tuple[Change, Change]:
    """Return what turns a dense layer's matrix into the kernel of a convolution of that size, and back."""

    def there(name: str, matrix: Tensor) -> Tensor:
        return from_kernel(name, matrix.view(height, width, channels, -1))

    def back(name: str, kernel: Tensor) -> Tensor:
        return to_kernel(name, kernel).reshape(height * width * channels, -1)

    return there, back


def xyfjason_links(config: Config) -> Iterator[Link]:
    """Yield what links both networks to the re-implementation's tensors, whose names begin with `mpn/` and `rin/`.

    Its mask is 1 where an image is clean: the logits change their sign.
    """
    layers = xyfjason_layers()
    for name, shape in _network_shapes(config).items():
        layer, rest = _split(name, layers)
        for ours, theirs in WITHIN.items():
            rest = f"{theirs}{rest.removeprefix(ours)}" if rest.startswith(f"{ours}.") else rest
        link = Same(name, f"{layer}.{rest}", shape)
        yield Changed(link, _negated, _negated) if name.startswith("mask_network.head.") else link


def _negated(name: str, value: Tensor) -> Tensor:
    # Without values there is nothing to negate, and for arithmetic there PyTorch imports its compiler, for seconds.
    return value if value.is_meta else -value


def xyfjason_critic_links(config: Config) -> Iterator[Link]:
    """Yield what links the critics to the re-implementation's tensors."""
    for role, theirs in zip(CRITICS, ("disc", "pdisc"), strict=True):
        shapes = {name: shape for name, shape in _critic_shapes(config).items() if name.startswith(f"{role}.")}
        for number in range(5):
            ours, layer = f"{role}.layers.{number}", f"{theirs}/disc.{2 * number}"
            yield Same(f"{ours}.bias", f"{layer}.bias", shapes[f"{ours}.bias"])
            yield Normalized(
                ours=ours,
                weight=f"{layer}.weight_orig",
                left=f"{layer}.weight_u",
                right=f"{layer}.weight_v",
                shape=shapes[f"{ours}.parametrizations.weight.original"],
            )
        if role == "discriminator":
            for kind in ("weight", "bias"):
                yield Same(f"{role}.head.{kind}", f"{theirs}/fc.0.{kind}", shapes[f"{role}.head.{kind}"])


# The programs --------------------------------------------------------------------------------------------------------


def _names(shapes: Mapping[str, tuple[int, ...]], links: Iterator[Link]) -> frozenset[str]:
    """Return what their entries are called."""
    with torch.device("meta"):
        return frozenset(write(links, {name: torch.empty(shape) for name, shape in shapes.items()}))


def _of_width(base: Config, width: int) -> Config:
    return base.model_copy(update={"width": max(width, 1)})


def _rows(entries: State, name: str, axis: int) -> int:
    """Return the size of an entry along an axis; the usual width where it has none, so that its lack is told."""
    value = entries.get(name)
    return Config().width if value is None or value.ndim != 4 else value.shape[axis]


def _from_authors(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    config = _of_width(AUTHORS, _rows(source.entries, f"{SCOPE}/cmp_conv1/c1/kernel", 3))
    entries = Entries({name: value for name, value in source.entries.items() if name in AUTHORS_NAMES})
    tensors = read(authors_links(config), entries)
    entries.check(source.path, AUTHORS_TITLE)
    # A checkpoint of the training holds everything; else the critics are a file of their own.
    other = found.get("discriminator", source)
    state = {name: value for name, value in other.entries.items() if name in AUTHORS_CRITICS}
    strangers = len(source.entries.keys() - AUTHORS_NAMES - AUTHORS_CRITICS)
    notes = [f"{strangers} further variables of the checkpoint are left out"] if strangers else []
    if state:
        more, sized, note = _authors_critics(state, config)
        tensors, config, notes = tensors | more, sized, notes + note
    return Converted(config=config, tensors=tensors, notes=tuple(notes))


def _authors_critics(state: State, config: Config) -> tuple[dict[str, Tensor], Config, list[str]]:
    """Return the critics, the configuration with their size, and why they are left out where they do not fit."""
    width = _rows(state, "discriminator/disc_global/conv1/kernel", 3)
    dense, per_place = state.get("discriminator/dout_global_fc/kernel"), width * config.discriminator.whole[-1]
    places = 0 if dense is None else len(dense) // per_place
    side = math.isqrt(places)
    if side * side != places:
        return {}, config, [f"critics that see {places} places are left out: of what height and width is not told"]
    side *= 2 ** len(config.discriminator.whole)
    sized = config.discriminator.model_copy(update={"width": width, "size": (side, side)})
    config = config.model_copy(update={"discriminator": sized})
    entries = Entries(state)
    tensors = read(authors_critic_links(config), entries) if side else {}
    if problems := entries.problems():
        return {}, config, [f"the file's critics do not fit this model's and are left out: {problems}"]
    return tensors, config, []


def _to_authors(network: Converted) -> Written:
    config = _expected(network.config)
    content = write(authors_links(config), network.tensors)
    if all(part(network.tensors, role) for role in CRITICS):
        content |= write(authors_critic_links(config), network.tensors)
    return Written(files={"vcnet.npz": content})


def _from_xyfjason(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    state = _beside_each_other(source.content)
    config = _of_width(XYFJASON, _rows(state, "rin/pcb1.conv1.weight", 0))
    entries = Entries({name: value for name, value in state.items() if name.startswith(("mpn/", "rin/"))})
    tensors = read(xyfjason_links(config), entries)
    entries.check(source.path, XYFJASON_TITLE)
    critics = {name: value for name, value in state.items() if name.startswith(("disc/", "pdisc/"))}
    if not critics:
        return Converted(config=config, tensors=tensors)
    whole = critics.get("disc/fc.0.weight")
    side = 256 if whole is None or whole.ndim != 4 else 32 * whole.shape[-1]
    sized = config.discriminator.model_copy(
        update={"width": _rows(critics, "disc/disc.0.weight_orig", 0), "size": (side, side)}
    )
    with_critics = config.model_copy(update={"discriminator": sized})
    entries = Entries(critics)
    more = read(xyfjason_critic_links(with_critics), entries)
    if problems := entries.problems():
        notes = (f"the file's critics do not fit this model's and are left out: {problems}",)
        return Converted(config=config, tensors=tensors, notes=notes)
    notes = ("the patch critic learned from clean patches: the program gives it the mask the other way around",)
    return Converted(config=with_critics, tensors=tensors | more, notes=notes)


def _beside_each_other(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of all state dicts of a file, each name behind the key of its own."""
    return {
        f"{key}/{name}": value
        for key in ("mpn", "rin", "disc", "pdisc")
        if isinstance(content.get(key), Mapping)
        for name, value in tensors_of(content[key]).items()
    }


def _to_xyfjason(network: Converted) -> Written:
    config = _expected(network.config)
    flat = write(xyfjason_links(config), network.tensors)
    if all(part(network.tensors, role) for role in CRITICS):
        flat |= write(xyfjason_critic_links(config), network.tensors)
    content: dict[str, dict[str, Tensor]] = {}
    for name, value in flat.items():
        key, _, inner = name.partition("/")
        content.setdefault(key, {})[inner] = value
    return Written(files={"model.pt": content})


def _expected(config: ModelConfig) -> Config:
    assert isinstance(config, Config)
    return config


def _nearest(config: Config, base: Config) -> Config:
    """Return what a program's files stand for: any width and, of the critics, any width and size."""
    free = {"width": config.discriminator.width, "size": config.discriminator.size}
    return base.model_copy(update={"width": config.width, "discriminator": base.discriminator.model_copy(update=free)})


def _nearest_of_authors(config: Config) -> Config:
    return _nearest(config, AUTHORS)


def _nearest_of_xyfjason(config: Config) -> Config:
    return _nearest(config, XYFJASON)


# What is offered -----------------------------------------------------------------------------------------------------

AUTHORS_NAMES = _names(_network_shapes(AUTHORS), authors_links(AUTHORS))
AUTHORS_CRITICS = _names(_critic_shapes(AUTHORS), authors_critic_links(AUTHORS))
XYFJASON_NAMES = frozenset(
    name.removeprefix("rin/")
    for name in _names(_network_shapes(XYFJASON), xyfjason_links(XYFJASON))
    if name.startswith("rin/")
)

FORMATS = (
    Format(
        origin="vcnet",
        title=AUTHORS_TITLE,
        model="vcnet",
        license="MIT",
        source="https://github.com/shepnerd/blindinpainting_vcnet",
        networks={"generator": AUTHORS_NAMES, "discriminator": AUTHORS_CRITICS},
        optional=frozenset({"discriminator"}),
        # A checkpoint of everything counts as the networks': what holds a mask's bias is no file of critics alone.
        shapes={"discriminator": {f"{SCOPE}/mask_output/bias": ()}},
        convert=_from_authors,
        writer=Writer(nearest=_nearest_of_authors, write=_to_authors, archive=True),
    ),
    Format(
        origin="vcnet_xyf",
        title=XYFJASON_TITLE,
        model="vcnet",
        license="none stated",
        source="https://github.com/xyfJASON/VCNet-pytorch",
        networks={"generator": XYFJASON_NAMES},
        convert=_from_xyfjason,
        writer=Writer(nearest=_nearest_of_xyfjason, write=_to_xyfjason),
    ),
)
