"""Checkpoints of the PyTorch program of AdaIN (naoto0804): its encoder and its decoder, a file each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from inpaint.models.adain.config import Config
from inpaint.models.adain.network import Network
from inpaint.style.coders import decoder_names, encoder_places, file_names
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Constant, Link, Same, read, write

TITLE = "AdaIN (naoto0804)"
LEVEL = 4  # of the program
BEHIND = (32, 35, 38, 42, 45, 48, 51)
"""Places of the convolutions of VGG-19 behind the level, which the encoder's file holds and the program cuts off."""


def encoder_links(config: Config) -> Iterator[Link]:
    """Yield what links our encoder to the entries of theirs."""
    for name, shape in _shapes(config, "encoder").items():
        yield Same(f"encoder.{name}", file_names("vgg19_normalized", LEVEL)[name], shape)
    channels = 8 * config.encoder_width
    for place in BEHIND:
        yield Constant(f"{place}.weight", partial(torch.zeros, channels, channels, 3, 3))
        yield Constant(f"{place}.bias", partial(torch.zeros, channels))


def decoder_links(config: Config) -> Iterator[Link]:
    """Yield what links our decoder to the entries of theirs."""
    for name, shape in _shapes(config, "decoder").items():
        yield Same(f"decoder.{name}", decoder_names("vgg19_normalized", LEVEL)[name], shape)


def _shapes(config: Config, role: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = Network(config)
    return {name: tuple(value.shape) for name, value in network.get_submodule(role).state_dict().items()}


def _rows(entries: State, name: str, usual: int) -> int:
    value = entries.get(name)
    return usual if value is None or not value.ndim or not len(value) else len(value)


def _config(encoder: State, decoder: State) -> Config:
    """Return the configuration that shapes tell; what they contradict is listed by the links."""
    width = _rows(encoder, "2.weight", 64)
    own = max(_rows(decoder, "1.weight", 4 * width) // 4, 1)  # 256 channels behind the first layer
    return Config(encoder_width=width, decoder_width=None if own == width else own)


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    encoder, decoder = found["encoder"], found["decoder"]
    config = _config(encoder.entries, decoder.entries)
    tensors = dict[str, Tensor]()
    for source, links in ((encoder, encoder_links(config)), (decoder, decoder_links(config))):
        entries = Entries(source.entries)
        tensors |= read(links, entries)
        entries.check(source.path, TITLE)
    return Converted(config=config, tensors=tensors)


def _write(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    files = {
        "vgg_normalised.pth": write(encoder_links(config), network.tensors),
        "decoder.pth": write(decoder_links(config), network.tensors),
    }
    return Written(files=files)


def _nearest(config: Config) -> Config:
    """Return what files of the program stand for."""
    return config.model_copy(update={"encoder": "vgg19_normalized", "level": LEVEL})


FORMATS = (
    Format(
        origin="naoto0804",
        title=TITLE,
        model="adain",
        license="MIT (code); the encoder's weights are those of VGG-19 (CC BY 4.0)",
        source="https://github.com/naoto0804/pytorch-AdaIN",
        networks={
            "encoder": frozenset(
                f"{place}.{part}" for place in (0, *encoder_places(LEVEL)) for part in ("weight", "bias")
            ),
            "decoder": frozenset(decoder_names("vgg19_normalized", LEVEL).values()),
        },
        convert=_convert,
        writer=Writer(nearest=_nearest, write=_write, folder=True),
    ),
)
