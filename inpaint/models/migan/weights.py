"""Checkpoints of the authors' program (Picsart AI Research): deployed generators, and networks as they are trained.

Deployed files hold one kernel per convolution; files of a training hold the tensors that it is the sum of. Filters and
grids, which both store and nobody trains, are compared with what we compute and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from inpaint.errors import WeightsError
from inpaint.models.migan.config import AT_LEAST, LOWEST, Channels, Config, resolutions
from inpaint.models.migan.layers import Kernel, SeparableConv
from inpaint.models.migan.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Link, Same, Stacked, read, write

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
FILTER = TAPS.outer(TAPS) / 64  # sums to 1
CONVS = ("conv1", "conv2")  # of a block; both also call the two halves of each so
MOST = 4096  # largest resolution that a name may tell

# Names: (ours, theirs) ------------------------------------------------------------------------------------------------


def generator_convs(sides: list[int]) -> list[str]:
    """Return the separable convolutions of a generator of these resolutions, which both call alike."""
    return [f"{part}.b{side}.{conv}" for part in ("encoder", "synthesis") for side in sides for conv in CONVS]


def discriminator_convs(sides: list[int]) -> Iterator[tuple[str, str]]:
    """Yield the separable convolutions of a discriminator."""
    for side in sides[:-1]:
        for conv in CONVS:
            yield f"blocks.b{side}.{conv}", f"b{side}.{conv}"
    yield "conv", f"b{LOWEST}.conv"


_LOWEST_CONVS = [f"{conv}.{half}" for conv in generator_convs([AT_LEAST, LOWEST]) for half in CONVS]
DEPLOYED_MARKS = frozenset(f"{layer}.weight" for layer in _LOWEST_CONVS)
TRAINING_MARKS = frozenset(f"{layer}.w0" for layer in _LOWEST_CONVS)
DISCRIMINATOR_MARKS = frozenset(
    {f"b{LOWEST}.{name}" for name in ("conv.conv1.w0", "conv.conv2.w0", "fc.weight", "fc.bias", "out.weight")}
    | {f"b{AT_LEAST}.skip.w0"}
)
"""Names that the networks of each kind have whatever their resolution."""


# What shapes tell -----------------------------------------------------------------------------------------------------


def _resolution(state: State, front: str) -> int:
    """Return the highest resolution that is named behind `front`."""
    found = {name.removeprefix(front).partition(".")[0] for name in state if name.startswith(front)}
    sides = [int(text) for text in found if text.isdecimal() and len(text) < 6]
    valid = [side for side in sides if AT_LEAST <= side <= MOST and not side & (side - 1)]
    return max(valid, default=AT_LEAST)


def _channels(rows: Mapping[int, int]) -> Channels:
    """Return what the number of channels at each resolution tells."""
    highest, most = max(rows), rows[LOWEST]
    narrow = rows[highest] < most
    return Channels(channel_max=most, channel_base=highest * rows[highest] if narrow else highest * most)


def _rows(state: State, name: str) -> int:
    value = state.get(name)
    return 1 if value is None or not value.ndim or not len(value) else len(value)


# From their tensors to ours, and back ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Filter(Link):
    """An entry that the program stores and nobody trains: what it holds must be what we compute with."""

    theirs: str
    value: Tensor

    def read(self, entries: Entries) -> dict[str, Tensor]:
        """Compare the entry, if it is there."""
        entries.ignore_constant(self.theirs, self.value)
        return {}

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return it."""
        return {self.theirs: self.value}


class _Linked:
    """Yields what links one network of ours to the entries of theirs.

    role: of the network. deployed: whether their kernels are single tensors.
    """

    def __init__(self, role: str, network: torch.nn.Module, *, deployed: bool) -> None:
        self.role, self.network, self.deployed = role, network, deployed
        self.shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}

    def same(self, ours: str, theirs: str) -> Link:
        """Return the link of an entry that is a tensor of ours."""
        return Same(f"{self.role}.{ours}", theirs, self.shapes[ours])

    def kernel(self, ours: str, theirs: str) -> Link:
        """Return the link of a kernel: of several tensors one below the other in a training."""
        kernel, name = self.network.get_submodule(ours), f"{ours}.weight"
        assert isinstance(kernel, Kernel)
        single = (self.role, ours) == ("generator", "fromrgb.kernel")  # in a training as well
        if single or self.deployed or kernel.tensors is None:
            return self.same(name, f"{theirs}.weight")
        rows, *rest = self.shapes[name]
        shape = (rows // kernel.tensors, *rest)
        parts = (Same(f"{self.role}.{name}", f"{theirs}.w{number}", shape) for number in range(kernel.tensors))
        return Stacked(f"{self.role}.{name}", tuple(parts))

    def colors(self, ours: str, theirs: str) -> Iterator[Link]:
        """Yield the links of a pointwise convolution."""
        yield self.kernel(f"{ours}.kernel", theirs)
        if f"{ours}.bias" in self.shapes:
            yield self.same(f"{ours}.bias", f"{theirs}.bias")

    def separable(self, ours: str, theirs: str) -> Iterator[Link]:
        """Yield the links of a separable convolution with its noise and its filters."""
        yield self.kernel(f"{ours}.depth", f"{theirs}.conv1")
        yield self.same(f"{ours}.bias", f"{theirs}.conv1.bias")
        yield self.kernel(f"{ours}.mix", f"{theirs}.conv2")
        if f"{ours}.noise" in self.shapes:
            place = theirs if self.deployed else f"{theirs}.conv2"
            yield self.same(f"{ours}.noise", f"{place}.noise_const")
            yield self.same(f"{ours}.noise_strength", f"{place}.noise_strength")
        layer = self.network.get_submodule(ours)
        assert isinstance(layer, SeparableConv)
        if layer.size != "same" and not self.deployed:
            yield Filter(f"{theirs}.conv2.resample_filter", FILTER)
        elif layer.size == "half":
            channels = self.shapes[f"{ours}.depth.weight"][0]
            yield Filter(f"{theirs}.downsample.filter.weight", FILTER.repeat(channels, 1, 1, 1))
        elif layer.size == "double":
            side, _ = self.shapes[f"{ours}.noise"]
            yield from _doubling(theirs, self.shapes[f"{ours}.mix.weight"][0], side)


def _doubling(theirs: str, channels: int, side: int) -> Iterator[Link]:
    """Yield what a deployed network stores to double a size."""
    grid = torch.zeros(1, 1, side, side, dtype=torch.float64)
    grid[..., ::2, ::2] = 1
    yield Filter(f"{theirs}.upsample.filter.weight", (4 * FILTER).repeat(channels, 1, 1, 1))
    yield Filter(f"{theirs}.upsample.filter_const", grid)


def generator_links(config: Config) -> Iterator[Link]:
    """Yield what links a generator of ours to the entries of theirs."""
    deployed = config.form == "deployed"
    with torch.device("meta"):
        linked = _Linked("generator", Network(config).generator, deployed=deployed)
    sides = resolutions(config.side)
    for ours in generator_convs(sides):
        yield from linked.separable(ours, ours)
    # Convolutions that neither halve nor double at the bottom store a filter in a training all the same.
    if not deployed:
        yield Filter(f"encoder.b{LOWEST}.conv2.conv2.resample_filter", FILTER)
    yield from linked.colors("fromrgb", f"encoder.b{config.side}.fromrgb")
    for side in sides:
        yield from linked.colors(f"synthesis.b{side}.torgb", f"synthesis.b{side}.torgb")
        if side > LOWEST and deployed:
            yield from _doubling(f"synthesis.b{side}", 3, side)
        elif side > LOWEST:
            yield Filter(f"synthesis.b{side}.resample_filter", FILTER)


def discriminator_links(config: Config) -> Iterator[Link]:
    """Yield what links a discriminator of ours to the entries of theirs."""
    with torch.device("meta"):
        linked = _Linked("discriminator", Network.discriminators(config)["discriminator"], deployed=False)
    sides = resolutions(config.side)
    for ours, theirs in discriminator_convs(sides):
        yield from linked.separable(ours, theirs)
    yield from linked.colors("fromrgb", f"b{config.side}.fromrgb")
    for side in sides[:-1]:
        yield from linked.colors(f"blocks.b{side}.skip", f"b{side}.skip")
        yield Filter(f"b{side}.skip.resample_filter", FILTER)
    for ours, theirs in (("dense", "fc"), ("out", "out")):
        for kind in ("weight", "bias"):
            yield linked.same(f"{ours}.{kind}", f"b{LOWEST}.{theirs}.{kind}")


def _tensors(state: State) -> int:
    """Return of how many tensors the kernels of a training are the sums."""
    front = f"encoder.b{LOWEST}.conv1.conv1.w"
    return max(sum(name.removeprefix(front).isdecimal() for name in state if name.startswith(front)), 1)


def generator_config(state: State, *, deployed: bool) -> Config:
    """Return the configuration that names and shapes of a generator tell."""
    side, kind = _resolution(state, "encoder.b"), "weight" if deployed else "w0"
    rows = {each: _rows(state, f"encoder.b{each}.conv1.conv1.{kind}") for each in resolutions(side)}
    return Config(
        resolution=side,
        form="deployed" if deployed else "training",
        tensors=9 if deployed else _tensors(state),
        **_channels(rows).model_dump(),
    )


def discriminator_channels(state: State) -> Channels:
    """Return the channels that the shapes of a discriminator tell."""
    *sides, lowest = resolutions(_resolution(state, "b"))
    rows = {each: _rows(state, f"b{each}.conv1.conv1.w0") for each in sides}
    return _channels(rows | {lowest: _rows(state, f"b{lowest}.conv.conv2.w0")})


def _read(source: Found, links: Iterable[Link], title: str) -> dict[str, Tensor]:
    entries = Entries(source.entries)
    tensors = read(links, entries)
    entries.check(source.path, title)
    return tensors


def _from_deployed(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    config = generator_config(source.entries, deployed=True)
    return Converted(config=config, tensors=_read(source, generator_links(config), TITLE))


def _from_training(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source, critic = found["generator"], found.get("discriminator")
    config = generator_config(source.entries, deployed=False)
    if critic is None:
        return Converted(config=config, tensors=_read(source, generator_links(config), OF_TRAINING))
    side = _resolution(critic.entries, "b")
    if side != config.side:
        raise WeightsError(f"{critic.path} is of {side} px, the generator of {config.side}")
    config = config.model_copy(update={"discriminator": discriminator_channels(critic.entries)})
    tensors = _read(source, generator_links(config), OF_TRAINING)
    return Converted(config=config, tensors=tensors | _read(critic, discriminator_links(config), OF_TRAINING))


def _written_deployed(network: Converted) -> Written:
    assert isinstance(network.config, Config)
    side = network.config.side
    return Written(files={f"migan_{side}.pt": write(generator_links(network.config), network.tensors)})


def _written_training(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    files = {"generator.pt": write(generator_links(config), network.tensors)}
    if any(name.startswith("discriminator.") for name in network.tensors):
        files["discriminator.pt"] = write(discriminator_links(config), network.tensors)
    return Written(files=files)


def _nearest(config: Config, *, form: Literal["training", "deployed"]) -> Config:
    """Return the same in the form of the files."""
    return config.model_copy(update={"form": form, "resolution": config.side})


# What is offered ------------------------------------------------------------------------------------------------------

TITLE = "MI-GAN (Picsart AI Research)"
OF_TRAINING = f"{TITLE}, of a training"
LICENSE = "MIT (code; parts of StyleGAN2 in the authors' training program are non-commercial)"
SOURCE = "https://github.com/Picsart-AI-Research/MI-GAN"

FORMATS = (
    Format(
        origin="migan",
        title=TITLE,
        model="migan",
        license=LICENSE,
        source=SOURCE,
        networks={"generator": DEPLOYED_MARKS},
        convert=_from_deployed,
        writer=Writer(nearest=partial(_nearest, form="deployed"), write=_written_deployed),
    ),
    Format(
        origin="migan",
        title=OF_TRAINING,
        model="migan",
        license=LICENSE,
        source=SOURCE,
        networks={"generator": TRAINING_MARKS, "discriminator": DISCRIMINATOR_MARKS},
        optional=frozenset({"discriminator"}),
        convert=_from_training,
        writer=Writer(nearest=partial(_nearest, form="training"), write=_written_training, folder=True),
    ),
)
