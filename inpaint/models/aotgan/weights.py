"""Checkpoints of the authors' AOT-GAN program (researchmm) and of mmagic's port, which is the same network.

The authors' program keeps generator and discriminator in a file each, mmagic both in one. Neither stores the dilation
rates: they are taken for powers of two, as published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from inpaint.models.aotgan.config import Config, DiscriminatorConfig
from inpaint.models.aotgan.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, iteration_of

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


def _generator(source: Found, config: Config, layers: Mapping[str, str], title: str) -> dict[str, Tensor]:
    entries = Entries(source.entries)
    with torch.device("meta"):
        state = Network(config).generator.state_dict()
    tensors = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        tensors[f"generator.{name}"] = entries.take(f"{layers[layer]}.{kind}", *value.shape)
    entries.check(source.path, title)
    return tensors


def _discriminator(state: State, layers: Sequence[str], config: Config) -> tuple[dict[str, Tensor], Config, Entries]:
    """Return a discriminator, the configuration with its width, and what of it does not fit; layers: their names."""
    entries = Entries(state)
    *normalized, last = layers
    width = _rows(state, f"{normalized[0]}.weight_orig")
    config = config.model_copy(update={DISCRIMINATOR: DiscriminatorConfig(width=width)})
    shapes = {n: tuple(v.shape) for n, v in Network.discriminators(config)[DISCRIMINATOR].state_dict().items()}
    names = {f"last.{kind}": f"{last}.{kind}" for kind in ("weight", "bias")}
    for number, layer in enumerate(normalized):
        ours, theirs = f"layers.{number}.parametrizations.weight", f"{layer}.weight"
        names |= {f"{ours}.original": f"{theirs}_orig", f"{ours}.0._u": f"{theirs}_u", f"{ours}.0._v": f"{theirs}_v"}
    tensors = {f"{DISCRIMINATOR}.{ours}": entries.take(theirs, *shapes[ours]) for ours, theirs in names.items()}
    return tensors, config, entries


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
    ),
    Format(
        origin="mmagic",
        title="mmagic (AOT-GAN)",
        model="aotgan",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={"generator": _names(mmagic_layers(Config(blocks=1)))},
        convert=_from_mmagic,
    ),
)
