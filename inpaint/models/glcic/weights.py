"""Checkpoints of two public GLCIC programs: otenim's port and mmagic.

otenim keeps the state dicts of both networks as they are, in files without an ending; the color that it puts into holes
stands in config.json, which its training writes into the folder above. mmagic keeps both networks in one file, and its
holes are gray. The sides that a discriminator reads are told by the inputs of its fully connected layers.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from inpaint.models.glcic.config import Config, DiscriminatorConfig
from inpaint.models.glcic.network import RATES, Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, iteration_of
from inpaint.weights.links import Changed, Count, Link, Same, read, write

OTENIM, MMAGIC = "GLCIC (otenim)", "mmagic (Global&Local)"
GENERATOR, DISCRIMINATOR = "generator", "discriminator"
COUNT = "num_batches_tracked"
OF_NORM = ("weight", "bias", "running_mean", "running_var")
ENCODER, DECODER = 6, 6  # layers of ours in each; the head is one more

Layers: TypeAlias = Mapping[str, str]
"""Names of layers, ours to theirs, without the kind ("weight", ...) at the end."""


# Names ---------------------------------------------------------------------------------------------------------------


def otenim_layers() -> Layers:
    """Return the layers of otenim's completion network, which are numbered."""
    named = [f"{part}.{n}" for part, count in _PARTS for n in range(count)]
    found = {"head": "conv17"}
    for number, ours in enumerate(named, start=1):
        doubling = number in (13, 15)
        found |= {f"{ours}.conv": f"{'deconv' if doubling else 'conv'}{number}", f"{ours}.norm": f"bn{number}"}
    return found


def mmagic_layers() -> Layers:
    """Return the layers of mmagic's completion network, below its `generator.`."""
    found = {"head": "decoder.dec7.conv"}
    theirs = {"encoder": "encoder.enc{}", "dilated": "dilation_neck.dilation_convs.{}", "decoder": "decoder.dec{}"}
    for part, count in _PARTS:
        for n in range(count):
            layer = theirs[part].format(n if part == "dilated" else n + 1)
            found |= {f"{part}.{n}.conv": f"{layer}.conv", f"{part}.{n}.norm": f"{layer}.bn"}
    return found


_PARTS = (("encoder", ENCODER), ("dilated", len(RATES)), ("decoder", DECODER))


def otenim_discriminator(options: DiscriminatorConfig) -> Layers:
    """Return the layers of otenim's discriminator."""
    found = {"last": "linear1"}
    for ours, theirs, convs in (
        ("local", "model_ld", options.local_convs),
        ("whole", "model_gd", options.global_convs),
    ):
        for n in range(convs):
            found[f"{ours}.convs.{n}.conv"] = f"{theirs}.conv{n + 1}"
            found[f"{ours}.convs.{n}.norm"] = f"{theirs}.bn{n + 1}"
        found[f"{ours}.linear"] = f"{theirs}.linear{convs + 1}"
    return found


def mmagic_discriminator(options: DiscriminatorConfig) -> Layers:
    """Return the layers of mmagic's discriminator, below its `disc.`."""
    found = {"last": "fc"}
    for ours, theirs, convs in (
        ("local", "local_disc", options.local_convs),
        ("whole", "global_disc", options.global_convs),
    ):
        for n in range(convs):
            found[f"{ours}.convs.{n}.conv"] = f"{theirs}.conv{n + 1}.conv"
            found[f"{ours}.convs.{n}.norm"] = f"{theirs}.conv{n + 1}.bn"
        found[f"{ours}.linear"] = f"{theirs}.fc.linear"
    return found


def _names(layers: Layers, *, bias: bool) -> frozenset[str]:
    """Return the entries of a network whose convolutions before a norm have a bias or not."""
    found = set[str]()
    for ours, theirs in layers.items():
        of_conv = ("weight", "bias") if bias or not ours.endswith(".conv") else ("weight",)
        found |= {f"{theirs}.{kind}" for kind in (OF_NORM if ours.endswith(".norm") else of_conv)}
    return frozenset(found)


# Links ---------------------------------------------------------------------------------------------------------------


def generator_links(config: Config, layers: Layers) -> Iterator[Link]:
    """Yield what links a completion network of ours to the entries of theirs."""
    with torch.device("meta"):
        network = Network(config).generator
    return _links(GENERATOR, network, layers)


def discriminator_links(config: Config, layers: Layers, *, whole_first: bool) -> Iterator[Link]:
    """Yield what links a discriminator of ours to the entries of theirs.

    whole_first: in their last layer the features of the whole image come before those of the window.
    """
    with torch.device("meta"):
        network = Network.discriminators(config)[DISCRIMINATOR]
    for link in _links(DISCRIMINATOR, network, layers):
        swapped = whole_first and isinstance(link, Same) and link.ours == f"{DISCRIMINATOR}.last.weight"
        yield Changed(link, _halves_swapped, _halves_swapped) if swapped else link


def _links(role: str, network: torch.nn.Module, layers: Layers) -> Iterator[Link]:
    for name, value in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        ours, theirs = f"{role}.{name}", f"{layers[layer]}.{kind}"
        yield Count(ours, theirs) if kind == COUNT else Same(ours, theirs, tuple(value.shape))


def _halves_swapped(name: str, value: Tensor) -> Tensor:
    first, second = value.chunk(2, dim=1)
    return torch.cat((second, first), dim=1)


# From theirs to ours -------------------------------------------------------------------------------------------------


def _from_otenim(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found[GENERATOR]
    width = _rows(source.entries, "conv1.weight", Config().width)
    mean, notes = _color_beside(source.path)
    config = Config(width=width, order="relu_norm", value_range="01", mean=mean)
    tensors = _read(source.entries, generator_links(config, otenim_layers()), source.path, OTENIM)
    if DISCRIMINATOR in found:
        other = found[DISCRIMINATOR]
        fields = ("model_ld.conv{}.weight", "model_gd.conv{}.weight", "linear")
        options = _discriminator_options(other.entries, *fields)
        config = config.model_copy(update={DISCRIMINATOR: options})
        links = discriminator_links(config, otenim_discriminator(options), whole_first=False)
        tensors |= _read(other.entries, links, other.path, OTENIM)
    return Converted(config=config, tensors=tensors, iteration=_iteration_in(source.path), notes=notes)


def _from_mmagic(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found[GENERATOR]
    width = _rows(source.entries, "encoder.enc1.conv.weight", Config().width)
    config = Config(width=width, order="norm_relu", value_range="pm1", output="linear", mean=GRAY)
    tensors = _read(source.entries, generator_links(config, mmagic_layers()), source.path, MMAGIC)
    notes = list[str]()
    state = {name.removeprefix("disc."): value for name, value in source.rest.items() if name.startswith("disc.")}
    if state:
        fields = ("local_disc.conv{}.conv.weight", "global_disc.conv{}.conv.weight", "fc.linear")
        options = _discriminator_options(state, *fields)
        sized = config.model_copy(update={DISCRIMINATOR: options})
        entries = Entries(state)
        more = read(discriminator_links(sized, mmagic_discriminator(options), whole_first=True), entries)
        if problems := entries.problems():
            notes.append(f"the file's discriminator does not fit this model's and is left out: {problems}")
        else:
            config, tensors = sized, tensors | more
    meta = source.content.get("meta")
    return Converted(
        config=config,
        tensors=tensors,
        iteration=iteration_of(meta.get("iter")) if isinstance(meta, Mapping) else None,
        notes=tuple(notes),
    )


GRAY = (0.5, 0.5, 0.5)  # 0 in [-1, 1]


def _read(state: State, links: Iterator[Link], path: Path, title: str) -> dict[str, Tensor]:
    entries = Entries(state)
    tensors = read(links, entries)
    entries.check(path, title)
    return tensors


def _discriminator_options(state: State, local: str, whole: str, linear: str) -> DiscriminatorConfig:
    """Return the options that shapes tell; what does not fit them is listed when the entries are read.

    local, whole: names of the branches' convolutions by number. linear: that of their fully connected layers, which in
    otenim's program has the number of the next layer at its end.
    """
    usual = DiscriminatorConfig()
    counts, sides = list[int](), list[int]()
    for pattern in (local, whole):
        convs = max(sum(pattern.format(n) in state for n in range(1, len(state) + 1)), 1)
        numbered = f"{linear}{convs + 1}" if linear == "linear" else linear
        inputs = state.get(f"{pattern.partition('.')[0]}.{numbered}.weight")
        channels = _rows(state, pattern.format(convs), 8 * usual.width)
        places = 1 if inputs is None or inputs.ndim != 2 else max(math.isqrt(inputs.shape[1] // channels), 1)
        counts.append(convs)
        sides.append(places * 2**convs)  # the largest of which the convolutions leave so many
    last = state.get("linear1.weight" if linear == "linear" else "fc.weight")
    features = usual.features if last is None or last.ndim != 2 else max(last.shape[1] // 2, 1)
    return DiscriminatorConfig(
        width=_rows(state, local.format(1), usual.width),
        features=features,
        global_px=max(sides),
        local_px=sides[0],
        global_convs=counts[1],
        local_convs=counts[0],
    )


def _rows(state: State, name: str, default: int) -> int:
    value = state.get(name)
    return default if value is None or not value.ndim or not len(value) else len(value)


def _iteration_in(path: Path) -> int | None:
    """Return the step that the program writes into the names of its files."""
    named = re.fullmatch(r"model_c[nd]_step(\d+)", path.name)
    return None if named is None else int(named[1])


def _color_beside(path: Path) -> tuple[tuple[float, float, float], tuple[str, ...]]:
    """Return the color of holes from the config.json of a training, in its folder or the one above, and what to say."""
    for folder in (path.parent, path.parent.parent):
        place = folder / "config.json"
        try:
            found = json.loads(place.read_text(encoding="utf-8"))["mpv"]
            red, green, blue = (_float32(float(value)) for value in found)
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if all(0 <= value <= 1 for value in (red, green, blue)):
            return (red, green, blue), (f"holes get the color of {place}: {red:.3f}, {green:.3f}, {blue:.3f}",)
    usual: tuple[float, float, float] = Config().mean
    return usual, (
        "the color of holes stands in the training's config.json (mpv), which lies neither beside the file nor in the "
        f"folder above: {', '.join(f'{value:.3f}' for value in usual)} is taken; put it there and import again",
    )


def _float32(value: float) -> float:
    """Return a number as the program computes with it."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


# And back ------------------------------------------------------------------------------------------------------------


def _in_otenim(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    step = "" if network.iteration is None else f"_step{network.iteration}"
    files = {f"model_cn{step}": write(generator_links(config, otenim_layers()), network.tensors)}
    if _holds_discriminator(network):
        links = discriminator_links(config, otenim_discriminator(config.discriminator), whole_first=False)
        files[f"model_cd{step}"] = write(links, network.tensors)
    color = json.dumps({"mpv": list(config.mean), "data_parallel": False})
    return Written(files=files, notes=(f"the program reads the color of holes from its config.json: {color}",))


def _in_mmagic(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    entries = write(generator_links(config, mmagic_layers()), network.tensors)
    state = {f"{GENERATOR}.{name}": value for name, value in entries.items()}
    if _holds_discriminator(network):
        links = discriminator_links(config, mmagic_discriminator(config.discriminator), whole_first=True)
        state |= {f"disc.{name}": value for name, value in write(links, network.tensors).items()}
    content: dict[str, Any] = {"state_dict": state}
    if network.iteration is not None:
        content["meta"] = {"iter": network.iteration}
    return Written(files={"GLInpaintor.pth": content})


def _holds_discriminator(network: Converted) -> bool:
    return any(name.startswith(f"{DISCRIMINATOR}.") for name in network.tensors)


def _nearest_otenim(config: Config) -> Config:
    """Return what the port's files stand for: its widths, any color, and sides that leave whole places."""
    options = config.discriminator
    convs = options.global_convs if options.global_convs in (5, 6) else DiscriminatorConfig().global_convs
    whole, part = options.sides
    sized = DiscriminatorConfig(
        global_px=max(round(whole / 2**convs), 1) * 2**convs,
        local_px=min(max(round(part / 2**5), 1) * 2**5, max(round(whole / 2**convs), 1) * 2**convs),
        global_convs=convs,
    )
    return Config(order="relu_norm", value_range="01", mean=config.mean, discriminator=sized)


def _nearest_mmagic(config: Config) -> Config:
    """Return what mmagic's files stand for: its widths, its gray, and its discriminator."""
    sized = DiscriminatorConfig(global_px=256, local_px=128)
    return Config(order="norm_relu", value_range="pm1", output="linear", mean=GRAY, discriminator=sized)


# What is offered -----------------------------------------------------------------------------------------------------

FORMATS = (
    Format(
        origin="otenim",
        title=OTENIM,
        model="glcic",
        license="MIT",
        source="https://github.com/otenim/GLCIC-PyTorch",
        networks={
            GENERATOR: _names(otenim_layers(), bias=True),
            DISCRIMINATOR: _names(otenim_discriminator(DiscriminatorConfig(global_convs=5)), bias=True),
        },
        optional=frozenset({DISCRIMINATOR}),
        convert=_from_otenim,
        writer=Writer(nearest=_nearest_otenim, write=_in_otenim, folder=True),
    ),
    Format(
        origin="mmagic",
        title=MMAGIC,
        model="glcic",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={GENERATOR: _names(mmagic_layers(), bias=False)},
        convert=_from_mmagic,
        writer=Writer(nearest=_nearest_mmagic, write=_in_mmagic),
    ),
)
