"""Checkpoints of the authors' AOT-GAN program (researchmm) and of mmagic's port, which is the same network.

The authors' program keeps generator and discriminator in a file each, mmagic both in one. Neither stores the dilation
rates: they are taken for powers of two, as published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inpaint.models.aotgan.config import Config, DiscriminatorConfig
from inpaint.models.aotgan.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, iteration_of
from inpaint.weights.links import Link, Normalized, Same, read, write

TITLE = "AOT-GAN (researchmm)"
DISCRIMINATOR = "discriminator"
LABELS = (
    "the discriminator gives 0 for real and 1 for painted, as its program trains it: go on with "
    "losses.adversary.origin=true, or let it learn our labels anew"
)


# Names: {ours: theirs} without the kind ("weight", ...) at the end ----------------------------------------------------


def researchmm_layers(config: Config) -> dict[str, str]:
    """Return the layers of the authors' generator."""
    return {
        **{ours: f"encoder.{number}" for ours, number in (("stem", 1), ("down1", 3), ("down2", 5))},
        **_block_layers(config, "middle", ""),
        "up1.conv": "decoder.0.conv",
        "up2.conv": "decoder.2.conv",
        "head": "decoder.4",
    }


def mmagic_layers(config: Config) -> dict[str, str]:
    """Return the layers of mmagic's generator, below its `generator.`."""
    return {
        **{ours: f"encoder.encoder.{number}.conv" for number, ours in enumerate(("stem", "down1", "down2"), start=1)},
        **_block_layers(config, "dilation_neck.model", ".conv"),
        **{ours: f"decoder.decoder.{number}.conv" for number, ours in enumerate(("up1.conv", "up2.conv", "head"))},
    }


def _block_layers(config: Config, front: str, end: str) -> dict[str, str]:
    layers = dict[str, str]()
    for block in range(config.blocks):
        ours, theirs = f"blocks.{block}", f"{front}.{block}"
        for branch in range(len(config.rates)):
            within = f"block{branch:02}.1" if not end else f"blocks.{branch}.1"
            layers[f"{ours}.branches.{branch}"] = f"{theirs}.{within}{end}"
        layers |= {f"{ours}.{part}": f"{theirs}.{part}.1{end}" for part in ("fuse", "gate")}
    return layers


def _names(layers: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{theirs}.{kind}" for theirs in layers.values() for kind in ("weight", "bias"))


RESEARCHMM_DISCRIMINATOR = tuple(f"conv.{number}" for number in (0, 2, 4, 6, 8))
MMAGIC_DISCRIMINATOR = (*(f"model.{number}.conv" for number in range(4)), "model.4")
DISCRIMINATOR_NAMES = frozenset(
    {f"{layer}.weight_{part}" for layer in RESEARCHMM_DISCRIMINATOR[:-1] for part in ("orig", "u", "v")}
    | {f"{RESEARCHMM_DISCRIMINATOR[-1]}.{kind}" for kind in ("weight", "bias")}
)


# From their tensors to ours ------------------------------------------------------------------------------------------


def _config(entries: State, first: str, block: str, branch: str) -> Config:
    """Return the configuration that shapes and names of a generator tell.

    first: its first layer. block, branch: patterns of the entries that each block, and each branch of one, has once.
    """
    blocks = sum(re.fullmatch(block, name) is not None for name in entries)
    branches = sum(re.fullmatch(branch, name) is not None for name in entries)
    width = _rows(entries, f"{first}.weight")
    shares = branches > 0 and (4 * width) % branches == 0  # else what does not fit is listed
    rates = tuple(2**number for number in range(branches)) if shares else Config().rates
    return Config(width=width, blocks=max(blocks, 1), rates=rates)


def _rows(entries: State, name: str) -> int:
    value = entries.get(name)
    return Config().width if value is None or not value.ndim or not len(value) else len(value)


def generator_links(config: Config, layers: Mapping[str, str]) -> Iterator[Link]:
    """Yield what links a generator of ours to the entries of theirs."""
    with torch.device("meta"):
        state = Network(config).generator.state_dict()
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        yield Same(f"generator.{name}", f"{layers[layer]}.{kind}", tuple(value.shape))


def discriminator_links(config: Config, layers: Sequence[str]) -> Iterator[Link]:
    """Yield what links a discriminator of ours to the entries of theirs; layers: their names."""
    *normalized, last = layers
    state = Network.discriminators(config)[DISCRIMINATOR].state_dict()
    for number, layer in enumerate(normalized):
        yield Normalized(
            ours=f"{DISCRIMINATOR}.layers.{number}",
            weight=f"{layer}.weight_orig",
            left=f"{layer}.weight_u",
            right=f"{layer}.weight_v",
            shape=tuple(state[f"layers.{number}.parametrizations.weight.original"].shape),
        )
    for kind in ("weight", "bias"):
        yield Same(f"{DISCRIMINATOR}.last.{kind}", f"{last}.{kind}", tuple(state[f"last.{kind}"].shape))


def _generator(source: Found, config: Config, layers: Mapping[str, str], title: str) -> dict[str, Tensor]:
    entries = Entries(source.entries)
    tensors = read(generator_links(config, layers), entries)
    entries.check(source.path, title)
    return tensors


def _discriminator(state: State, layers: Sequence[str], config: Config) -> tuple[dict[str, Tensor], Config, Entries]:
    """Return a discriminator, the configuration with its width, and what of it does not fit; layers: their names."""
    width = _rows(state, f"{layers[0]}.weight_orig")
    config = config.model_copy(update={DISCRIMINATOR: DiscriminatorConfig(width=width)})
    entries = Entries(state)
    return read(discriminator_links(config, layers), entries), config, entries


def _from_researchmm(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    config = _config(source.entries, "encoder.1", r"middle\.\d+\.gate\.1\.weight", r"middle\.0\.block\d\d\.1\.weight")
    tensors = _generator(source, config, researchmm_layers(config), TITLE)
    notes: tuple[str, ...] = ()
    if DISCRIMINATOR in found:
        other = found[DISCRIMINATOR]
        more, config, entries = _discriminator(other.entries, RESEARCHMM_DISCRIMINATOR, config)
        entries.check(other.path, TITLE)
        tensors, notes = tensors | more, (LABELS,)
    return Converted(config=config, tensors=tensors, iteration=_iteration_in(source.path), notes=notes)


def _iteration_in(path: Path) -> int | None:
    """Return the iteration that the program writes into the names of its files."""
    named = re.fullmatch(r"G(\d{7})\.pt", path.name)
    return None if named is None else int(named[1])


def _from_mmagic(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    neck = r"dilation_neck\.model\.{}\.weight"
    config = _config(
        source.entries,
        "encoder.encoder.1.conv",
        neck.format(r"\d+\.gate\.1\.conv"),
        neck.format(r"0\.blocks\.\d+\.1\.conv"),
    )
    tensors, notes = _generator(source, config, mmagic_layers(config), "mmagic (AOT-GAN)"), list[str]()
    # The file of a whole training also holds the VGG of its losses.
    state = {name.removeprefix("disc."): value for name, value in source.rest.items() if name.startswith("disc.")}
    if state:
        more, sized, entries = _discriminator(state, MMAGIC_DISCRIMINATOR, config)
        if problems := entries.problems():
            notes.append(f"the file's discriminator does not fit this model's and is left out: {problems}")
        else:
            tensors, config = tensors | more, sized
            notes.append(LABELS)
    meta = source.content.get("meta")
    return Converted(
        config=config,
        tensors=tensors,
        iteration=iteration_of(meta.get("iter")) if isinstance(meta, Mapping) else None,
        notes=tuple(notes),
    )


# And back ------------------------------------------------------------------------------------------------------------


def _in_researchmm(network: Converted) -> Written:
    config, number = network.config, f"{network.iteration or 0:07}.pt"
    assert isinstance(config, Config)
    files = {f"G{number}": write(generator_links(config, researchmm_layers(config)), network.tensors)}
    if _holds_discriminator(network):
        files[f"D{number}"] = write(discriminator_links(config, RESEARCHMM_DISCRIMINATOR), network.tensors)
    return Written(files=files, notes=_told(config))


def _in_mmagic(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    entries = write(generator_links(config, mmagic_layers(config)), network.tensors)
    state = {f"generator.{name}": value for name, value in entries.items()}
    if _holds_discriminator(network):
        entries = write(discriminator_links(config, MMAGIC_DISCRIMINATOR), network.tensors)
        state |= {f"disc.{name}": value for name, value in entries.items()}
    content: dict[str, Any] = {"state_dict": state}
    if network.iteration is not None:
        content["meta"] = {"iter": network.iteration}
    return Written(files={"AOT-GAN.pth": content}, notes=_told(config))


def _holds_discriminator(network: Converted) -> bool:
    return any(name.startswith(f"{DISCRIMINATOR}.") for name in network.tensors)


def _told(config: Config) -> tuple[str, ...]:
    """Return what the programs do not see from their files."""
    usual = Config()
    if (config.blocks, config.rates) == (usual.blocks, usual.rates):
        return ()
    rates = "+".join(str(rate) for rate in config.rates)
    return (f"the program must be told of {config.blocks} blocks with the rates {rates}",)


def _nearest(config: Config) -> Config:
    """Return what files of the programs stand for: their widths, and rates that are powers of two."""
    branches = len(config.rates)
    usable = (4 * Config().width) % branches == 0
    rates = tuple(2**number for number in range(branches)) if usable else Config().rates
    return Config(blocks=config.blocks, rates=rates)


# What is offered -----------------------------------------------------------------------------------------------------

FORMATS = (
    Format(
        origin="aotgan",
        title=TITLE,
        model="aotgan",
        license="Apache-2.0",
        source="https://github.com/researchmm/AOT-GAN-for-Inpainting",
        networks={"generator": _names(researchmm_layers(Config(blocks=1))), DISCRIMINATOR: DISCRIMINATOR_NAMES},
        optional=frozenset({DISCRIMINATOR}),
        convert=_from_researchmm,
        writer=Writer(nearest=_nearest, write=_in_researchmm, folder=True),
    ),
    Format(
        origin="mmagic",
        title="mmagic (AOT-GAN)",
        model="aotgan",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={"generator": _names(mmagic_layers(Config(blocks=1)))},
        convert=_from_mmagic,
        writer=Writer(nearest=_nearest, write=_in_mmagic),
    ),
)
