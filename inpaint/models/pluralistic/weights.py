"""The official program's checkpoints: `latest_net_E.pth`, `latest_net_G.pth`, and its discriminators' where given.

In its files every convolution of a block occurs twice, as an attribute (`conv1`) and as a place in a sequence
(`model.1`); both are the same tensors. Spectral norms are stored with the vectors from before a pass: the program
iterates in every pass, so the import makes one iteration, and our first pass equals its first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from inpaint.models.pluralistic.blocks import (
    InstanceNorm,
    OutputBlock,
    ResBlock,
    SelfAttention,
    ShortLongAttention,
    StartBlock,
    UpBlock,
)
from inpaint.models.pluralistic.config import Config
from inpaint.models.pluralistic.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Link, Normalized, Same, read, write

CONFIG = Config(initialization="default")
TITLE = "lyndonzheng"
# Where the sequences of a block hold its layers.
PLACES: Mapping[type[nn.Module], Mapping[str, str]] = {
    StartBlock: {"conv1": "model.0", "conv2": "model.2", "bypass": "shortcut.1"},
    ResBlock: {"conv1": "model.1", "conv2": "model.3", "bypass": "shortcut.0"},
    UpBlock: {"norm1": "model.0", "conv1": "model.2", "norm2": "model.3", "conv2": "model.5", "bypass": "shortcut.0"},
    OutputBlock: {"conv1": "model.2"},
}
NORMALIZED = ("weight_bar", "weight_u", "weight_v", "bias")  # what a spectrally normalized layer stores
# The discriminators' attention has layers that it never uses.
UNUSED = ("attn2.alpha", "attn2.model.")
FILES = {"encoder": "E", "generator": "G", "discriminator": "D", "discriminator_rec": "D_rec"}


@cache
def networks() -> dict[str, nn.Module]:
    """Return our networks by role, of which only the structure counts."""
    return {**dict(Network(CONFIG).named_children()), **Network.discriminators(CONFIG)}


def layer_names(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return {our layer: their names of it}; only layers that have weights of their own."""
    places = {
        f"{name}.{layer}": f"{name}.{place}"
        for name, block in network.named_modules()
        for layer, place in PLACES.get(type(block), {}).items()
    }
    names: dict[str, tuple[str, ...]] = {}
    for name, module in network.named_modules():
        if isinstance(module, InstanceNorm):
            names[name] = (places[name],)
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            names[name] = (name, places[name]) if name in places else (name,)
    return names


def entry_names(network: nn.Module) -> frozenset[str]:
    """Return the names of all entries of their file, duplicates included."""
    entries = {name for name, _ in network.named_parameters() if name.endswith(("gamma", "alpha"))}
    for ours, theirs in layer_names(network).items():
        for name in theirs:
            if parametrize.is_parametrized(network.get_submodule(ours), "weight"):
                entries |= {f"{name}.module.{kind}" for kind in NORMALIZED}
            else:
                entries |= {f"{name}.weight", f"{name}.bias"}
    return frozenset(entries)


def links(role: str, network: nn.Module) -> Iterator[Link]:
    """Yield what links a network of ours to the entries of theirs, each under its first name."""
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name, shape in own.items():
        if name.endswith(("gamma", "alpha")):
            yield Same(f"{role}.{name}", name, shape)
    for ours, (theirs, *_) in layer_names(network).items():
        prefix = f"{role}.{ours}"
        if not parametrize.is_parametrized(network.get_submodule(ours), "weight"):
            for kind in ("weight", "bias"):
                yield Same(f"{prefix}.{kind}", f"{theirs}.{kind}", own[f"{ours}.{kind}"])
            continue
        yield Same(f"{prefix}.bias", f"{theirs}.module.bias", own[f"{ours}.bias"])
        yield Normalized(
            ours=prefix,
            weight=f"{theirs}.module.weight_bar",
            left=f"{theirs}.module.weight_u",
            right=f"{theirs}.module.weight_v",
            shape=own[f"{ours}.parametrizations.weight.original"],
            iterates=True,
            precise=True,
        )


def _converted(role: str, network: nn.Module, found: Found) -> dict[str, Tensor]:
    """Return our tensors of one network, with the prefix of its role; raises WeightsError that lists what is wrong."""
    state = {name: value for name, value in found.entries.items() if not name.startswith(UNUSED)}
    state, unequal = _once(state, network)
    entries = Entries(state)
    entries.unusable += unequal
    tensors = read(links(role, network), entries)
    entries.check(found.path, f"the {role} of {TITLE}")
    return tensors


def _once(state: State, network: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """Return the entries under one name each, and those whose duplicate differs from them."""
    once, unequal = dict(state), list[str]()
    second = {other: theirs for theirs, *others in layer_names(network).values() for other in others}
    for other, theirs in second.items():
        for name in [name for name in state if name.startswith(f"{other}.")]:
            chosen = f"{theirs}{name.removeprefix(other)}"
            duplicate = once.pop(name)
            if chosen in state and not torch.equal(state[chosen], duplicate):
                unequal.append(f"{name} (differs from {chosen}, the same tensor in this program)")
            once.setdefault(chosen, duplicate)
    return once, unequal


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    built, tensors = networks(), dict[str, Tensor]()
    for role, source in found.items():
        tensors |= _converted(role, built[role], source)
    return Converted(config=CONFIG, tensors=tensors)


def _unused(network: nn.Module) -> dict[str, Tensor]:
    """Return the entries of the layers that a discriminator's attention never uses, with plain values."""
    attention = next(module for name, module in network.named_modules() if name == "attn2")
    assert isinstance(attention, SelfAttention)
    holder = nn.Module()
    holder.attn2 = ShortLongAttention(attention.query_conv.in_channels)
    entries = {"attn2.alpha": torch.zeros(1)}
    for layer, names in layer_names(holder).items():
        if not layer.startswith("attn2.model."):
            continue
        weight = holder.get_submodule(layer).weight
        assert isinstance(weight, Tensor)
        ones = torch.ones(weight.shape)  # whose singular vectors are known
        rows, columns = len(ones), ones[0].numel()
        values = {
            "weight_bar": ones,
            "weight_u": torch.full((rows,), rows**-0.5),
            "weight_v": torch.full((columns,), columns**-0.5),
            "bias": torch.zeros(rows),
        }
        entries |= {f"{name}.module.{kind}": value for name in names for kind, value in values.items()}
    return entries


def _twice(entries: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return the entries under all of their names."""
    every = dict(entries)
    for first, *others in layer_names(network).values():
        for name in [name for name in entries if name.startswith(f"{first}.")]:
            every |= {f"{other}{name.removeprefix(first)}": entries[name] for other in others}
    return every


def _written(network: Converted) -> Written:
    files = {}
    for role, ours in networks().items():
        if not any(name.startswith(f"{role}.") for name in network.tensors):
            continue
        entries = _twice(write(links(role, ours), network.tensors), ours)
        if role.startswith("discriminator"):
            entries |= _unused(ours)
        files[f"latest_net_{FILES[role]}.pth"] = {f"module.{name}": value for name, value in entries.items()}
    return Written(files=files)


def _nearest(config: Config) -> Config:
    """Return what the program's files stand for, with how ours was trained."""
    return CONFIG.model_copy(update={name: getattr(config, name) for name in Config.TRAINING})


def _formats() -> tuple[Format, ...]:
    built = networks()
    return (
        Format(
            origin="lyndonzheng",
            title=TITLE,
            model="pluralistic",
            license="CC BY-NC 4.0, non-commercial",
            source="https://github.com/lyndonzheng/Pluralistic-Inpainting",
            networks={role: entry_names(network) for role, network in built.items()},
            optional=frozenset(built) - {"encoder", "generator"},
            file_names={
                "encoder": "*_net_E.pth",
                "generator": "*_net_G.pth",
                "discriminator": "*_net_D.pth",
                "discriminator_rec": "*_net_D_rec.pth",
            },
            convert=_convert,
            writer=Writer(nearest=_nearest, write=_written, folder=True),
        ),
    )


FORMATS = _formats()
