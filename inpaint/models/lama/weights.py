"""Checkpoints of the authors' LaMa program (advimman): Lightning files and TorchScript archives of its generators.

The program stores no architecture beside the weights; shapes tell it. What else a file holds, such as the networks of
its losses and measures, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from inpaint.models.lama.config import Config, DiscriminatorConfig
from inpaint.models.lama.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, iteration_of
from inpaint.weights.links import Changed, Count, Link, Same, read, write

COUNT = "num_batches_tracked"
DISCRIMINATOR = "discriminator"
LAST = 5  # the discriminator's last layer


def interleaved_to_halves(channels: int) -> Tensor:
    """Return where each of [all real; all imaginary] stands among planes that alternate, for so many planes."""
    return torch.arange(channels).view(-1, 2).T.flatten()


# Names: (ours, theirs) without the kind ("weight", ...) at the end ----------------------------------------------------


def ffc_layers(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the layers of a generator with Fourier convolutions."""
    for number, ours in enumerate(("stem", "down1", "down2"), start=1):
        yield f"{ours}.conv", f"model.{number}.ffc.convl2l"
        yield f"{ours}.norm", f"model.{number}.bn_l"
    yield from _fourier_conv("down3", "model.4", config, spectral=False)
    for block in range(config.blocks):
        for conv in ("conv1", "conv2"):
            yield from _fourier_conv(f"blocks.{block}.{conv}", f"model.{5 + block}.{conv}", config, spectral=True)
    yield from _decoder(config.blocks + 6)


def _fourier_conv(ours: str, theirs: str, config: Config, *, spectral: bool) -> Iterator[tuple[str, str]]:
    yield f"{ours}.local_to_local", f"{theirs}.ffc.convl2l"
    yield f"{ours}.local_to_global", f"{theirs}.ffc.convl2g"
    yield f"{ours}.local_norm", f"{theirs}.bn_l"
    yield f"{ours}.global_norm", f"{theirs}.bn_g"
    if not spectral:
        return
    yield f"{ours}.global_to_local", f"{theirs}.ffc.convg2l"
    inner = f"{theirs}.ffc.convg2g"
    yield f"{ours}.spectral.reduce.conv", f"{inner}.conv1.0"
    yield f"{ours}.spectral.reduce.norm", f"{inner}.conv1.1"
    units = {"unit": "fu", **({"local_unit.unit": "lfu"} if config.local_unit else {})}
    for unit, name in units.items():
        yield f"{ours}.spectral.{unit}.mix.conv", f"{inner}.{name}.conv_layer"
        yield f"{ours}.spectral.{unit}.mix.norm", f"{inner}.{name}.bn"
    yield f"{ours}.spectral.expand", f"{inner}.conv2"


def regular_layers(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the layers of a generator with ordinary convolutions."""
    for number, ours in enumerate(("stem", "down1", "down2", "down3")):
        yield f"{ours}.conv", f"model.{1 + 3 * number}"
        yield f"{ours}.norm", f"model.{2 + 3 * number}"
    for block in range(config.blocks):
        for number, conv in ((1, "conv1"), (5, "conv2")):
            yield f"blocks.{block}.{conv}.conv", f"model.{13 + block}.conv_block.{number}"
            yield f"blocks.{block}.{conv}.norm", f"model.{13 + block}.conv_block.{number + 1}"
    yield from _decoder(config.blocks + 13)


def _decoder(first: int) -> Iterator[tuple[str, str]]:
    for number, ours in enumerate(("up1", "up2", "up3")):
        yield f"{ours}.conv", f"model.{first + 3 * number}"
        yield f"{ours}.norm", f"model.{first + 3 * number + 1}"
    yield "head", f"model.{first + 10}"


def discriminator_layers() -> Iterator[tuple[str, str]]:
    """Yield the layers of the discriminator."""
    yield "first", "model0.0"
    for number in range(LAST - 1):
        yield f"layers.{number}.conv", f"model{number + 1}.0"
        yield f"layers.{number}.norm", f"model{number + 1}.1"
    yield "last", f"model{LAST}.0"


FFC_MARKS = frozenset(
    f"{theirs}.weight" for _, theirs in ffc_layers(Config(blocks=1)) if theirs.split(".")[1] in "12345"
)
REGULAR_MARKS = frozenset(
    f"{theirs}.weight"
    for _, theirs in regular_layers(Config(kind="regular", blocks=1))
    if int(theirs.split(".")[1]) < 14
)
"""Names that generators of each kind have whatever their number of blocks."""


# From their tensors to ours, and back --------------------------------------------------------------------------------


def ffc_config(entries: State) -> Config:
    """Return the configuration that the shapes of a generator with Fourier convolutions tell."""
    local, beyond = (
        _rows(entries, f"model.5.conv1.{norm}.weight", default) for norm, default in (("bn_l", 1), ("bn_g", 3))
    )
    return Config(
        width=_rows(entries, "model.1.ffc.convl2l.weight", 64),
        blocks=_blocks(entries, ".conv1.bn_l.weight"),
        global_share=beyond / (local + beyond),
        local_unit=any(".lfu." in name for name in entries),
    )


def regular_config(entries: State) -> Config:
    """Return the configuration that the shapes of a generator with ordinary convolutions tell."""
    width = _rows(entries, "model.1.weight", 64)
    return Config(kind="regular", width=width, blocks=_blocks(entries, ".conv_block.1.weight"))


def _rows(entries: State, name: str, default: int) -> int:
    value = entries.get(name)
    return default if value is None or not value.ndim or not len(value) else len(value)


def _blocks(entries: State, ending: str) -> int:
    return max(sum(name.endswith(ending) for name in entries), 1)


def generator_links(config: Config) -> Iterator[Link]:
    """Yield what links a generator of ours to the entries of theirs."""
    with torch.device("meta"):
        network = Network(config).generator
    layers = ffc_layers(config) if config.kind == "ffc" else regular_layers(config)
    return _links("generator", network, dict(layers))


def discriminator_links(config: Config) -> Iterator[Link]:
    """Yield what links a discriminator of ours to the entries of theirs."""
    with torch.device("meta"):
        network = Network.discriminators(config)[DISCRIMINATOR]
    return _links(DISCRIMINATOR, network, dict(discriminator_layers()))


def _links(role: str, network: torch.nn.Module, layers: Mapping[str, str]) -> Iterator[Link]:
    """Yield one link for each tensor of a network; layers: ours to theirs."""
    for name, value in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        ours, theirs = f"{role}.{name}", f"{layers[layer]}.{kind}"
        link = Count(ours, theirs) if kind == COUNT else Same(ours, theirs, tuple(value.shape))
        yield Changed(link, _in_halves, _interleaved) if ".mix." in name and kind != COUNT else link


def _in_halves(name: str, value: Tensor) -> Tensor:
    return _in_order(value, interleaved_to_halves(len(value)))


def _interleaved(name: str, value: Tensor) -> Tensor:
    return _in_order(value, interleaved_to_halves(len(value)).argsort())


def _in_order(value: Tensor, order: Tensor) -> Tensor:
    return value[order][:, order] if value.ndim == 4 else value[order]


def _from_ffc(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    return _converted(source, ffc_config(source.entries))


def _from_regular(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    return _converted(source, regular_config(source.entries))


def _converted(source: Found, config: Config) -> Converted:
    entries = Entries(source.entries)
    tensors = read(generator_links(config), entries)
    entries.check(source.path, "LaMa (advimman)")
    discriminator, config, notes = _discriminator(source, config)
    return Converted(
        config=config,
        tensors=tensors | discriminator,
        iteration=iteration_of(source.content.get("global_step")),
        notes=notes,
    )


def _discriminator(source: Found, config: Config) -> tuple[dict[str, Tensor], Config, tuple[str, ...]]:
    """Return the discriminator beside a generator; nothing with a note when it does not fit."""
    first = f"{DISCRIMINATOR}.model0.0.weight"
    wrapped = next((name.removesuffix(first) for name in source.rest if name.endswith(first)), None)
    if wrapped is None:
        return {}, config, ()
    prefix = f"{wrapped}{DISCRIMINATOR}."
    state = {name.removeprefix(prefix): value for name, value in source.rest.items() if name.startswith(prefix)}
    config = config.model_copy(update={DISCRIMINATOR: DiscriminatorConfig(width=_rows(state, "model0.0.weight", 64))})
    entries = Entries(state)
    tensors = read(discriminator_links(config), entries)
    if problems := entries.problems():
        note = f"the file's discriminator does not fit this model's and is left out: {problems}"
        return {}, config.model_copy(update={DISCRIMINATOR: DiscriminatorConfig()}), (note,)
    return tensors, config, ()


def _written(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    entries = write(generator_links(config), network.tensors)
    state = {f"generator.{name}": value for name, value in entries.items()}
    if any(name.startswith(f"{DISCRIMINATOR}.") for name in network.tensors):
        entries = write(discriminator_links(config), network.tensors)
        state |= {f"{DISCRIMINATOR}.{name}": value for name, value in entries.items()}
    content: dict[str, Any] = {"state_dict": state}
    if network.iteration is not None:
        content["global_step"] = network.iteration
    return Written(files={"best.ckpt": content})


def _nearest(config: Config, *, kind: Literal["ffc", "regular"]) -> Config:
    """Return the same with what the program's options cannot change; its discriminator has five layers."""
    layers = DiscriminatorConfig.model_fields["layers"].default
    discriminator = config.discriminator.model_copy(update={"layers": layers})
    return config.model_copy(update={"kind": kind, DISCRIMINATOR: discriminator})


# What is offered -----------------------------------------------------------------------------------------------------

LICENSE = "Apache-2.0 (code); none stated for the weights"
SOURCE = "https://github.com/advimman/lama"

FORMATS = (
    Format(
        origin="advimman",
        title="LaMa (advimman)",
        model="lama",
        license=LICENSE,
        source=SOURCE,
        networks={"generator": FFC_MARKS},
        convert=_from_ffc,
        writer=Writer(nearest=partial(_nearest, kind="ffc"), write=_written, flat="state_dict"),
    ),
    Format(
        origin="advimman",
        title="LaMa (advimman), regular",
        model="lama",
        license=LICENSE,
        source=SOURCE,
        networks={"generator": REGULAR_MARKS},
        convert=_from_regular,
        writer=Writer(nearest=partial(_nearest, kind="regular"), write=_written, flat="state_dict"),
    ),
)
