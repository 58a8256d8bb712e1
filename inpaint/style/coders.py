"""From an image to features of a VGG and back: the encoder that methods for any style share, and its mirror.

Both see a mirrored image beyond its border, so that none is painted there. A level L stands for the layer reluL_1,
whose features are 2^(L - 1) times smaller than the image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import ConfigError, WeightsError
from inpaint.nn.gated import initialize_
from inpaint.nn.mirrored import MirroredConv2d
from inpaint.nn.pretrained import Pretrained
from inpaint.nn.vgg import CONVOLUTIONS, DEVIATION, MEAN, public_file
from inpaint.style.options import EncoderName
from inpaint.weights.foreign import load_foreign

NORMALIZED_VGG19 = Pretrained(
    "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/vgg_normalised.pth", 80
)
"""VGG-19 whose channels are rescaled to a mean activation of 1 (Gatys et al.), as its importers publish it."""
WIDTH = 64  # channels of a VGG's first block


class Conv(NamedTuple):
    """A 3 x 3 convolution of an encoder: its block, its number in the block, and its channels."""

    block: int
    number: int
    inputs: int
    outputs: int

    @property
    def name(self) -> str:
        """As the paper of VGG calls it."""
        return f"conv{self.block}_{self.number}"


def convolutions(name: EncoderName, level: int, *, width: int = WIDTH) -> list[Conv]:
    """Return the convolutions of an encoder up to a level, in their order.

    Example:
        >>> [conv.name for conv in convolutions("vgg16", 3)]
        ['conv1_1', 'conv1_2', 'conv2_1', 'conv2_2', 'conv3_1']
    """
    counts = CONVOLUTIONS["vgg16" if name == "vgg16" else "vgg19"]
    found, before = list[Conv](), 3
    for block in range(1, level + 1):
        channels = channels_at(block, width=width)
        for number in range(1, (1 if block == level else counts[block - 1]) + 1):
            found.append(Conv(block, number, before, channels))
            before = channels
    return found


def channels_at(level: int, *, width: int = WIDTH) -> int:
    """Return how many channels a level has; the last two have as many."""
    return int(width * 2 ** min(level - 1, 3))


class Encoder(nn.Module):
    """A VGG from RGB images in [0, 1] to the features of its levels.

    A 1 x 1 convolution of the colors comes first, which holds the normalization that the weights expect. Sides that are
    no multiples of 2^(L - 1) are halved to the larger half.

    drawn: whether its weights are as they were drawn at random, and none were loaded since.

    Args:
        name: Which one.
        level: The last of them, 1 to 5.
        width: Channels of the first block; 64 for trained weights.
    """

    def __init__(self, name: EncoderName, level: int, *, width: int = WIDTH) -> None:
        super().__init__()
        self.name, self.level, self.width = name, level, width
        self.convs = nn.ModuleDict(
            {conv.name: MirroredConv2d(conv.inputs, conv.outputs) for conv in convolutions(name, level, width=width)}
        )
        self.color = nn.Conv2d(3, 3, 1)
        initialize_(self.convs, "kaiming")
        with torch.no_grad():
            assert self.color.bias is not None
            self.color.weight.copy_(torch.diag(1 / torch.tensor(DEVIATION))[..., None, None])
            self.color.bias.copy_(-torch.tensor(MEAN) / torch.tensor(DEVIATION))
        self.drawn = True
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor, levels: Collection[int]) -> dict[int, Tensor]:
        """Return the features (B, C, ceil(H / 2^(L - 1)), ...) of levels; nothing behind the last is computed.

        Args:
            images: (B, 3, H, W) in [0, 1].
            levels: Each from 1 to the encoder's.
        """
        found, x = dict[int, Tensor](), self.color(images)
        for conv in convolutions(self.name, max(levels), width=self.width):
            if conv.number == 1 and conv.block > 1:
                x = F.max_pool2d(x, 2, ceil_mode=True)
            x = self.convs[conv.name](x)
            if conv.number == 1 and conv.block in levels:
                found[conv.block] = x
        return found

    def load_public(self, weights: str) -> None:
        """Take trained weights, in place of random ones.

        Args:
            weights: `public`, fetched once into torch hub's folder; the path of such a file; or `random`: nothing.

        Raises:
            ConfigError: The width is not that of trained weights.
            WeightsError: They cannot be had; one line that says what to do.
        """
        if weights == "random":
            return
        if self.width != WIDTH:
            raise ConfigError(f"encoder_weights={weights}: trained weights have a width of {WIDTH}, not {self.width}")
        state = _public_state(self.name, weights)
        wanted = file_names(self.name, self.level)
        try:
            self.load_state_dict(
                {**_colors(self.state_dict()), **{ours: state[theirs] for ours, theirs in wanted.items()}}
            )
        except (KeyError, TypeError, RuntimeError, AttributeError):
            raise WeightsError(f"{weights} is no file of {self.name}: it lacks what level {self.level} needs") from None


def _loaded(encoder: nn.Module, keys: object) -> None:
    """Note that weights were loaded: of the encoder, or of a network that holds it."""
    assert isinstance(encoder, Encoder)
    encoder.drawn = False


def _colors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith("color.")}


def _public_state(name: EncoderName, weights: str) -> Mapping[str, Tensor]:
    if weights != "public":
        found: Mapping[str, Tensor] = load_foreign(Path(weights).expanduser())
        return found
    file = NORMALIZED_VGG19 if name == "vgg19_normalized" else public_file(name)
    state: Mapping[str, Tensor] = file.state(
        purpose="the encoder", otherwise=", or name it by model.encoder_weights=PATH"
    )
    return state


def file_names(name: EncoderName, level: int) -> dict[str, str]:
    """Return what files of trained weights call an encoder's tensors: {ours: theirs}."""
    convs = [conv.name for conv in convolutions(name, level)]
    if name == "vgg19_normalized":
        places = [0, *encoder_places(level)]
        layers = dict(zip(["color", *(f"convs.{conv}" for conv in convs)], map(str, places), strict=True))
    else:
        layers = {f"convs.{conv}": f"features.{place}" for conv, place in zip(convs, _torchvision(convs), strict=True)}
    return {f"{ours}.{part}": f"{theirs}.{part}" for ours, theirs in layers.items() for part in ("weight", "bias")}


def encoder_places(level: int) -> Iterator[int]:
    """Yield where the 3 x 3 convolutions stand in the public file: behind padding each; a block ends with a pooling."""
    place = 2
    blocks = [conv.block for conv in convolutions("vgg19_normalized", level)]
    for block, following in zip(blocks, [*blocks[1:], blocks[-1]], strict=True):
        yield place
        place += 3 if following == block else 4


def _torchvision(convs: Collection[str]) -> Iterator[int]:
    place, before = 0, "conv1"
    for name in convs:
        block = name.partition("_")[0]
        place += block != before
        yield place
        place, before = place + 2, block


class Decoder(nn.Module):
    """The mirror of an encoder, from the features of a level to an image of their size times 2^(L - 1).

    Places are repeated to double a size, in front of the first convolution of a block. The last convolution has no
    ReLU: its output is the image on the scale of [0, 1], not clamped.

    Args:
        name: Of the encoder.
        level: Whose features it reads.
        encoder_width: Of the encoder.
        width: Of its own layers behind the first; None: of the encoder.
    """

    def __init__(self, name: EncoderName, level: int, *, encoder_width: int = WIDTH, width: int | None = None) -> None:
        super().__init__()
        own = convolutions(name, level, width=encoder_width if width is None else width)[::-1]
        block, channels, layers = level, channels_at(level, width=encoder_width), dict[str, nn.Module]()
        for conv in own:
            layers[conv.name] = MirroredConv2d(
                channels, conv.inputs, enlarge=conv.block != block, relu=conv is not own[-1]
            )
            block, channels = conv.block, conv.inputs
        self.convs = nn.ModuleDict(layers)
        initialize_(self.convs, "kaiming")

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to images (B, 3, H, W)."""
        x = features
        for conv in self.convs.values():
            x = conv(x)
        return x


def decoder_names(name: EncoderName, level: int) -> dict[str, str]:
    """Return what files of the public programs call a decoder's tensors: {ours: theirs}."""
    place, block, names = -2, level, dict[str, str]()
    for conv in reversed(convolutions(name, level)):
        place, block = place + (3 if conv.block == block else 4), conv.block
        names |= {f"convs.{conv.name}.{part}": f"{place}.{part}" for part in ("weight", "bias")}
    return names
