"""Checkpoints of a PyTorch program of WCT (irasin): the encoder, and a decoder for each of its five levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from inpaint.models.wct.config import Config
from inpaint.models.wct.network import Network
from inpaint.style.coders import decoder_names, encoder_places, file_names
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Link, Same, read, write

TITLE = "WCT (irasin)"
LEVELS = 5  # of the program
FIRST_CHANNELS = {1: (3, 64), 2: (64, 128), 3: (128, 256), 4: (256, 512), 5: (512, 512)}
"""Outputs and inputs of each decoder's first layer, which tell the files apart."""


def links_of(config: Config, role: str) -> Iterator[Link]:
    """Yield what links a network of ours to the entries of its file."""
    names = file_names("vgg19_normalized", LEVELS)
    if role != "encoder":
        names = decoder_names("vgg19_normalized", int(role.removeprefix("decoder_")))
    with torch.device("meta"):
        network = Network(config)
    for name, value in network.get_submodule(role).state_dict().items():
        yield Same(f"{role}.{name}", names[name], tuple(value.shape))


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    config, tensors = Config(), dict[str, Tensor]()
    for role, source in found.items():
        entries = Entries(source.entries)
        if role == "encoder":  # the whole of VGG-19 serves as well
            for name in _behind(source.entries):
                entries.ignore(name)
        tensors |= read(links_of(config, role), entries)
        entries.check(source.path, TITLE)
    return Converted(config=config, tensors=tensors)


def _behind(entries: State) -> list[str]:
    """Return the entries of convolutions behind the last level."""
    last = max(encoder_places(LEVELS))
    return [name for name in entries if name.partition(".")[0].isdecimal() and int(name.partition(".")[0]) > last]


def _write(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    files = {"vgg_normalised_conv5_1.pth": write(links_of(config, "encoder"), network.tensors)}
    for level in range(1, LEVELS + 1):
        files[f"decoder_relu{level}_1.pth"] = write(links_of(config, f"decoder_{level}"), network.tensors)
    return Written(files=files)


def _nearest(config: Config) -> Config:
    """Return what files of the program stand for."""
    usual = Config()
    return config.model_copy(
        update={name: getattr(usual, name) for name in ("encoder", "levels", "encoder_width", "decoder_width")}
    )


FORMATS = (
    Format(
        origin="irasin",
        title=TITLE,
        model="wct",
        license="MIT (code); the encoder's weights are those of VGG-19 (CC BY 4.0)",
        source="https://github.com/irasin/Pytorch_WCT",
        networks={
            "encoder": frozenset(file_names("vgg19_normalized", LEVELS).values()),
            **{
                f"decoder_{level}": frozenset(decoder_names("vgg19_normalized", level).values())
                for level in FIRST_CHANNELS
            },
        },
        shapes={f"decoder_{level}": {"1.weight": (*channels, 3, 3)} for level, channels in FIRST_CHANNELS.items()},
        convert=_convert,
        writer=Writer(nearest=_nearest, write=_write, folder=True),
    ),
)
