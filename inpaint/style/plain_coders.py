"""Encoders and decoders in plain arithmetic: every padding, convolution, ReLU and change of size by itself."""

from __future__ import annotations

from torch import nn

from inpaint.style.coders import Decoder, Encoder

SIZES_CHANGE = ("conv2_1", "conv3_1", "conv4_1", "conv5_1")


def plain_encoder(encoder: Encoder, level: int) -> nn.Sequential:
    """Return the layers of an encoder up to a level, one behind the other."""
    colors = nn.Conv2d(3, 3, 1)
    layers: list[nn.Module] = [colors.to(encoder.color.weight)]
    colors.load_state_dict(encoder.color.state_dict())
    for name, conv in encoder.convs.items():
        if name in SIZES_CHANGE:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        layers += [*_convolution(conv), nn.ReLU()]
        if name == f"conv{level}_1":
            break
    return nn.Sequential(*layers)


def plain_decoder(decoder: Decoder) -> nn.Sequential:
    """Return the layers of a decoder, one behind the other."""
    layers: list[nn.Module] = []
    for name, conv in decoder.convs.items():
        layers += _convolution(conv)
        if name != "conv1_1":
            layers.append(nn.ReLU())
        if name in SIZES_CHANGE:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
    return nn.Sequential(*layers)


def _convolution(conv: nn.Module) -> list[nn.Module]:
    state = {name: value for name, value in conv.state_dict().items() if name in ("weight", "bias")}
    weight = state["weight"]
    plain = nn.Conv2d(weight.shape[1], weight.shape[0], 3).to(weight)
    plain.load_state_dict(state)
    return [nn.ReflectionPad2d(1), plain]
