"""Checkpoints of the authors' EdgeConnect program (knazeri): one file for each of its four networks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from inpaint.errors import WeightsError
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, iteration_of, unit

TITLE = "EdgeConnect (knazeri)"
GENERATORS = ("edge_generator", "inpaint_generator")
PLANES = {"edge_discriminator": 2, "inpaint_discriminator": 3}
DECODER = {"deconv1": "decoder.0", "deconv2": "decoder.3", "head": "decoder.7"}
ALIAS = ("features.0", "conv1.0")  # one layer of theirs under two names


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


def _network(role: str, found: Found, ours: nn.Module) -> dict[str, Tensor]:
    """Take every entry of one file; raises WeightsError that lists what does not fit."""
    entries, tensors = Entries(found.entries), dict[str, Tensor]()
    shapes = {name: tuple(value.shape) for name, value in ours.state_dict().items()}
    names = _names(role)
    unnamed = [name for name, theirs in names.items() if theirs.endswith("_v") and theirs not in found.entries]
    for name, theirs in names.items():
        if name not in unnamed:
            tensors[name] = entries.take(theirs, *shapes[name])
    for name in found.entries:
        if name.startswith(f"{ALIAS[0]}."):
            entries.ignore(name)
    entries.check(found.path, TITLE)
    _check_alias(found.entries, found)
    for name in unnamed:  # files of a PyTorch before 1.0 hold no right vectors
        layer = name.removesuffix(".parametrizations.weight.0._v")
        weight, left = (tensors[f"{layer}.parametrizations.weight.{part}"] for part in ("original", "0._u"))
        tensors[name] = right_vector(weight, left, transposed=layer.startswith("deconv"))
    return {f"{role}.{name}": value for name, value in tensors.items()}


def right_vector(weight: Tensor, left: Tensor, *, transposed: bool) -> Tensor:
    """Return v = unit(W^T u) as `left`'s type; the rows of W are output channels, axis 1 of transposed convolutions."""
    matrix = (weight.transpose(0, 1) if transposed else weight).double().flatten(1)
    return unit(matrix.T @ left.double()).to(left.dtype)


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
    ),
)
