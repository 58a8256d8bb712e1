"""Checkpoints of the authors' EdgeConnect program (knazeri): one file for each of its four networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.errors import WeightsError
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, iteration_of
from inpaint.weights.links import Link, Normalized, Same, read, write

TITLE = "EdgeConnect (knazeri)"
GENERATORS = ("edge_generator", "inpaint_generator")
PLANES = {"edge_discriminator": 2, "inpaint_discriminator": 3}
DECODER = {"deconv1": "decoder.0", "deconv2": "decoder.3", "head": "decoder.7"}
ALIAS = ("features.0", "conv1.0")  # one layer of theirs under two names
FILES = {
    "edge_generator": "EdgeModel_gen.pth",
    "inpaint_generator": "InpaintingModel_gen.pth",
    "edge_discriminator": "EdgeModel_dis.pth",
    "inpaint_discriminator": "InpaintingModel_dis.pth",
}


def generator_layers() -> dict[str, str]:
    """Return {our layer: prefix of its entries} for both generators."""
    layers = {f"conv{number + 1}": f"encoder.{1 + 3 * number}" for number in range(3)}
    for number in range(8):
        layers |= {f"blocks.{number}.conv{part}": f"middle.{number}.conv_block.{4 * part - 3}" for part in (1, 2)}
    return layers | DECODER


def discriminator_layers() -> dict[str, str]:
    """Return {our layer: prefix of its entries} for both discriminators."""
    return {f"layers.{number}": f"conv{number + 1}.0" for number in range(5)}


def _names(role: str) -> dict[str, str]:
    """Return {our tensor: their entry}."""
    names = dict[str, str]()
    for ours, theirs in (discriminator_layers() if role in PLANES else generator_layers()).items():
        normalized = role != "inpaint_generator" and ours != "head"
        if normalized:
            names |= {f"{ours}.parametrizations.weight.original": f"{theirs}.weight_orig"}
            names |= {f"{ours}.parametrizations.weight.0._{side}": f"{theirs}.weight_{side}" for side in "uv"}
        else:
            names[f"{ours}.weight"] = f"{theirs}.weight"
        if role not in PLANES and not (normalized and ours.startswith("blocks.")):
            names[f"{ours}.bias"] = f"{theirs}.bias"
    return names


def links(role: str, network: nn.Module) -> Iterator[Link]:
    """Yield what links a network of ours to the entries of theirs."""
    names = _names(role)
    for name, value in network.state_dict().items():
        layer, inner, kind = name.partition(".parametrizations.weight.")
        if not inner:
            yield Same(f"{role}.{name}", names[name], tuple(value.shape))
        elif kind == "original":
            yield Normalized(
                ours=f"{role}.{layer}",
                weight=names[name],
                left=names[f"{layer}{inner}0._u"],
                right=names[f"{layer}{inner}0._v"],
                shape=tuple(value.shape),
                rows=1 if layer.startswith("deconv") else 0,  # output channels, as in PyTorch
                lacking=True,
            )


def _network(role: str, found: Found, ours: nn.Module) -> dict[str, Tensor]:
    """Take every entry of one file; raises WeightsError that lists what does not fit."""
    entries = Entries(found.entries)
    tensors = read(links(role, ours), entries)
    for name in found.entries:
        if name.startswith(f"{ALIAS[0]}."):
            entries.ignore(name)
    entries.check(found.path, TITLE)
    _check_alias(found.entries, found)
    return tensors


def _check_alias(state: State, found: Found) -> None:
    twice = [
        name
        for name in state
        if name.startswith(f"{ALIAS[0]}.") and not torch.equal(state[name], state[name.replace(*ALIAS)])
    ]
    if twice:
        raise WeightsError(
            f"{found.path} looks like {TITLE} but contradicts itself: {', '.join(twice)} must equal the entries "
            f"{ALIAS[1]}.*, since they are one layer"
        )


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    config, tensors = Config(), dict[str, Tensor]()
    ours = {**dict(Network(config).named_children()), **Network.discriminators(config)}
    for role, network in found.items():
        tensors |= _network(role, network, ours[role])
    iteration = iteration_of(found["inpaint_generator"].content.get("iteration"))
    return Converted(config=config, tensors=tensors, iteration=iteration)


def _built(config: Config) -> dict[str, nn.Module]:
    with torch.device("meta"):
        return {**dict(Network(config).named_children()), **Network.discriminators(config)}


def _written(network: Converted) -> Written:
    files: dict[str, dict[str, Any]] = {}
    for role, ours in _built(Config()).items():
        if not any(name.startswith(f"{role}.") for name in network.tensors):
            continue
        entries = write(links(role, ours), network.tensors)
        if role in PLANES:
            again = {name.replace(*ALIAS[::-1]): value for name, value in entries.items() if name.startswith(ALIAS[1])}
            files[FILES[role]] = {"discriminator": {**again, **entries}}
        else:
            files[FILES[role]] = {"iteration": network.iteration or 0, "generator": entries}
    assert isinstance(network.config, Config)
    sigma = network.config.sigma_px
    notes = () if sigma == Config().sigma_px else (f"the program takes Canny's smoothing from its config.yml: {sigma}",)
    return Written(files=files, notes=notes)


def _nearest(config: Config) -> Config:
    """Return what the program's files stand for, with those options of ours that its networks do not depend on."""
    return Config(composite_edges=config.composite_edges, sigma_px=config.sigma_px)


FORMATS = (
    Format(
        origin="knazeri",
        title=TITLE,
        model="edgeconnect",
        license="CC BY-NC 4.0, non-commercial",
        source="https://github.com/knazeri/edge-connect",
        networks={role: frozenset(_names(role).values()) for role in (*GENERATORS, *PLANES)},
        optional=frozenset(PLANES),
        shapes={role: {"conv1.0.weight_orig": (64, planes, 4, 4)} for role, planes in PLANES.items()},
        file_names={
            "edge_generator": "EdgeModel_gen*",
            "inpaint_generator": "InpaintingModel_gen*",
            "edge_discriminator": "EdgeModel_dis*",
            "inpaint_discriminator": "InpaintingModel_dis*",
        },
        convert=_convert,
        writer=Writer(nearest=_nearest, write=_written, folder=True),
    ),
)
