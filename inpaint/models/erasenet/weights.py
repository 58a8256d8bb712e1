"""Checkpoints of the authors' EraseNet program: the generator, as its training saves it, and the discriminator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from inpaint.models.erasenet.config import Config, DiscriminatorConfig
from inpaint.models.erasenet.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Count, Link, Normalized, Same, read, write

TITLE = "EraseNet (lcy0604)"
DISCRIMINATOR = "discriminator"
HINGE = (
    "the discriminator was trained with a hinge loss on its sigmoid: go on with losses.adversary.sigmoid=true, or let "
    "it learn from its logits anew"
)


def generator_layers() -> dict[str, str]:
    """Return {ours: theirs} of the generator's layers."""
    spectral = {
        **{f"enter.{number}": name for number, name in enumerate(("conv1", "conva", "convb"))},
        "bottom": "conv2",
        **{f"ups.{number}": f"deconv{number + 1}" for number in range(5)},
        **{f"mask_ups.{number}": f"mask_deconv_{letter}" for number, letter in enumerate("abcd")},
        **{f"mask_convs.{number}": f"mask_conv_{letter}" for number, letter in enumerate("abc")},
        "refine.at_full": "coarse_conva",
        **{f"refine.at_half.{number}": f"coarse_conv{letter}" for number, letter in enumerate("bc")},
        **{f"refine.at_quarter.{number}": f"coarse_conv{letter}" for number, letter in enumerate("def")},
        **{f"refine.dilated.{number}": f"astrous_net.{number}" for number in range(4)},
        **{f"refine.after.{number}": f"coarse_conv{letter}" for number, letter in enumerate("kl")},
        "refine.up1": "coarse_deconva",
        "refine.conv1": "coarse_convm",
        "refine.up2": "coarse_deconvb",
        "refine.conv2": "coarse_convn.0",
        "refine.head": "coarse_convn.1",
    }
    plain = {
        **{
            f"blocks.{block}.{ours}": f"res{block + 1}.{theirs}"
            for block in range(8)
            for ours, theirs in {
                "conv1": "conv1",
                "conv2": "conv2",
                "shortcut": "conv3",
                "norm": "batch_norm2d",
            }.items()
        },
        **{
            f"laterals.{lateral}.{part}": f"lateral_connection{lateral + 1}.{number}"
            for lateral in range(4)
            for number, part in enumerate(("narrow", "widen", "wide", "back"))
        },
        "image_1_4": "conv_o1",
        "image_1_2": "conv_o2",
        "mask_head": "mask_conv_d",
        "refine.skip1": "c1",
        "refine.skip2": "c2",
    }
    return {**plain, **{ours: f"{theirs}.conv2d" for ours, theirs in spectral.items()}}


def discriminator_layers(config: Config) -> dict[str, str]:
    """Return {ours: theirs} of the discriminator's layers."""
    stacks = {"whole": "globalDis", "hole": "localDis"}
    return {
        **{
            f"{ours}.{number}": f"{theirs}.{number}.conv2d"
            for ours, theirs in stacks.items()
            for number in range(config.discriminator.layers)
        },
        "last": "fusion.0",
    }


def links_of(state: Mapping[str, Tensor], layers: Mapping[str, str], role: str) -> Iterator[Link]:
    """Yield what links a network of ours, by the shapes of its state, to the entries of theirs."""
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        inner = layer.removesuffix(".parametrizations.weight")
        if kind == "num_batches_tracked":
            yield Count(f"{role}.{name}", f"{layers[layer]}.{kind}")
        elif kind == "original":
            theirs = layers[inner]
            yield Normalized(
                ours=f"{role}.{inner}",
                weight=f"{theirs}.weight_orig",
                left=f"{theirs}.weight_u",
                right=f"{theirs}.weight_v",
                shape=tuple(value.shape),
                rows=1 if "ups." in inner or ".up" in inner else 0,  # output channels of a transposed convolution
            )
        elif not layer.endswith(".parametrizations.weight.0"):
            yield Same(f"{role}.{name}", f"{layers[layer]}.{kind}", tuple(value.shape))


def generator_links(config: Config) -> list[Link]:
    """Return what links a generator of ours to theirs."""
    with torch.device("meta"):
        state = Network(config).generator.state_dict()
    return list(links_of(state, generator_layers(), "generator"))


def discriminator_links(config: Config) -> list[Link]:
    """Return what links a discriminator of ours to theirs."""
    with torch.device("meta"):
        state = Network.discriminators(config)[DISCRIMINATOR].state_dict()
    return list(links_of(state, discriminator_layers(config), DISCRIMINATOR))


def _written_names(links: list[Link]) -> frozenset[str]:
    names: set[str] = set()
    for link in links:
        if isinstance(link, Same):
            names.add(link.theirs)
        elif isinstance(link, Normalized):
            names |= {link.weight, link.left, str(link.right)}
    return frozenset(names)


def _rows(entries: State, name: str, usual: int) -> int:
    value = entries.get(name)
    return usual if value is None or not value.ndim or not len(value) else len(value)


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    usual = Config()
    width = _rows(source.entries, "conv1.conv2d.weight_orig", usual.width)
    planes = _rows(source.entries, "mask_conv_d.weight", 3)
    config = Config(width=width if width % 2 == 0 else usual.width, mask_planes=planes)
    entries = Entries(source.entries)
    tensors = read(generator_links(config), entries)
    entries.check(source.path, TITLE)
    notes: tuple[str, ...] = ()
    if DISCRIMINATOR in found:
        other = found[DISCRIMINATOR]
        first = _rows(other.entries, "globalDis.0.conv2d.weight_orig", usual.discriminator.width)
        count = sum(name.startswith("globalDis.") and name.endswith(".weight_orig") for name in other.entries)
        sized = DiscriminatorConfig(width=first, layers=max(count, 1))
        config = config.model_copy(update={DISCRIMINATOR: sized})
        entries = Entries(other.entries)
        tensors |= read(discriminator_links(config), entries)
        entries.check(other.path, TITLE)
        notes = (HINGE,)
    return Converted(config=config, tensors=tensors, notes=notes)


def _write(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    files = {"STE.pth": write(generator_links(config), network.tensors)}
    if any(name.startswith(f"{DISCRIMINATOR}.") for name in network.tensors):
        files["discriminator.pth"] = write(discriminator_links(config), network.tensors)
    usual = Config()
    told = []
    if config.width != usual.width:
        told.append(f"the program builds networks of {usual.width} channels; this one has {config.width}")
    if config.mask_planes != 3:
        told.append(f"the program builds three planes of masks; this network has {config.mask_planes}")
    return Written(files=files, notes=tuple(told))


def _nearest(config: Config) -> Config:
    """Return what files of the program stand for."""
    return Config(mask_planes=3)


_TINY = Config(width=2, discriminator=DiscriminatorConfig(width=1))  # has all names

FORMATS = (
    Format(
        origin="erasenet",
        title=TITLE,
        model="erasenet",
        license="MIT",
        source="https://github.com/lcy0604/EraseNet",
        networks={
            "generator": _written_names(generator_links(_TINY)),
            DISCRIMINATOR: _written_names(discriminator_links(_TINY)),
        },
        optional=frozenset({DISCRIMINATOR}),
        convert=_convert,
        writer=Writer(nearest=_nearest, write=_write, folder=True),
    ),
)
