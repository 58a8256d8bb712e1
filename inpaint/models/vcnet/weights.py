"""Checkpoints of both public VCNet programs: which of their entries is which of our tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from inpaint.models.vcnet.config import Config, DiscriminatorConfig, NormalizationConfig
from inpaint.models.vcnet.network import Network
from inpaint.weights.links import Change, Changed, Link, Normalized, Same
from inpaint.weights.tensorflow import from_kernel, to_kernel

AUTHORS = Config(
    mask_branch="shallow",
    shortcuts="origin",
    bottleneck="full",
    probability="clip",
    output="clip",
    padding="same_tf",
    normalization=NormalizationConfig(balance=0.5, statistics="authors"),
    discriminator=DiscriminatorConfig(head="flat"),
    composite="grown",
)
XYFJASON = Config(
    normalization=NormalizationConfig(reduction=16, statistics="xyfjason"),
    discriminator=DiscriminatorConfig(
        whole=(1, 2, 2, 4, 8), patch=(1, 2, 2, 4, 8), spectral=True, head="flat", patch_end="features"
    ),
    detached=True,
)
CRITICS = ("discriminator", "patch_discriminator")
SCOPE = "blind_inpaint_net"


# Which layer is which ------------------------------------------------------------------------------------------------


def authors_layers() -> dict[str, str]:
    """Return {our layer: scope of its variables} of the authors' networks; blocks have c1, c2 and c3 below both."""
    mask = {"down1": "conv2", "down2": "conv3", "wide2": "conv4_atrous", "wide4": "conv5_atrous", "middle": "conv8"}
    mask |= {"up1": "deconv9", "up2": "deconv10", "compress": "compress_conv", "head": "output"}
    paint = {"stem": "conv1", "down1": "conv2", "keep1": "conv21", "down2": "conv3", "keep2": "conv31"}
    paint |= {f"wide.{number}": f"conv{number + 4}_atrous" for number in range(4)}
    paint |= {"last": "conv8", "up1": "deconv9", "keep3": "deconv91", "up2": "deconv10", "keep4": "deconv101"}
    paint |= {"compress.0": "compress_conv1", "compress.1": "compress_conv2", "head": "output"}
    return {
        **{f"mask_network.{ours}": f"{SCOPE}/mask_{theirs}" for ours, theirs in mask.items()},
        **{f"generator.{ours}": f"{SCOPE}/cmp_{theirs}" for ours, theirs in paint.items()},
    }


def authors_critic_layers() -> dict[str, str]:
    """Return the same of the critics."""
    layers = {f"discriminator.layers.{n}": f"discriminator/disc_global/conv{n + 1}" for n in range(4)}
    layers |= {f"patch_discriminator.layers.{n}": f"discriminator/discriminator_local/conv{n + 1}" for n in range(4)}
    layers["patch_discriminator.head"] = "discriminator/discriminator_local/conv5"
    return {**layers, "discriminator.head": "discriminator/dout_global_fc"}


def xyfjason_layers() -> dict[str, str]:
    """Return {our layer: theirs, behind the key of its state dict} of the re-implementation's networks."""
    mask = ("down1", "down2", "wide2", "wide4", "middle", "up1", "up2")
    paint = ("stem", "down1", "keep1", "down2", "keep2", *(f"wide.{number}" for number in range(4)), "last")
    paint = (*paint, "up1", "keep3", "up2", "keep4")
    return {
        **{f"mask_network.{ours}": f"mpn/rb{number}" for number, ours in enumerate(mask, start=1)},
        "mask_network.compress": "mpn/conv1.conv",
        "mask_network.head": "mpn/conv2.conv",
        **{f"generator.{ours}": f"rin/pcb{number}" for number, ours in enumerate(paint, start=1)},
        "generator.head": "rin/conv1",
    }


WITHIN = {"c1": "conv1", "c2": "conv2", "c3": "projection", "norm.excitation": "pcn.se.excitation"}
"""What lies in a block, and what the re-implementation calls it."""


def _split(name: str, layers: Mapping[str, str]) -> tuple[str, str]:
    """Return the layer of theirs that one of our tensors lies in, and the rest of our name."""
    layer = max((ours for ours in layers if name.startswith(f"{ours}.")), key=len)
    return layers[layer], name.removeprefix(f"{layer}.")


# From their entries to ours, and back --------------------------------------------------------------------------------


def _shapes(modules: Mapping[str, nn.Module]) -> dict[str, tuple[int, ...]]:
    found = {}
    for role, module in modules.items():
        found |= {f"{role}.{name}": tuple(value.shape) for name, value in module.state_dict().items()}
    return found


def _network_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return _shapes(dict(Network(config).named_children()))


def _critic_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    return _shapes(Network.discriminators(config))


def authors_links(config: Config) -> Iterator[Link]:
    """Yield what links both networks to the authors' variables."""
    yield from _variables(_network_shapes(config), authors_layers())


def authors_critic_links(config: Config) -> Iterator[Link]:
    """Yield what links the critics to the authors' variables."""
    yield from _variables(_critic_shapes(config), authors_critic_layers())


def _variables(shapes: Mapping[str, tuple[int, ...]], layers: Mapping[str, str]) -> Iterator[Link]:
    for name, shape in shapes.items():
        layer, rest = _split(name, layers)
        *block, kind = rest.split(".")
        variable = "/".join((layer, *block, "kernel" if kind == "weight" else "bias"))
        if kind == "bias":
            yield Same(name, variable, shape)
        elif layer.endswith("_fc"):  # a matrix: rows for every place and channel, channels last
            outputs, channels, height, width = shape
            there, back = _of_dense(height, width, channels)
            yield Changed(Same(name, variable, (height * width * channels, outputs)), there, back)
        else:
            outputs, inputs, height, width = shape
            yield Changed(Same(name, variable, (height, width, inputs, outputs)), from_kernel, to_kernel)


def _of_dense(height: int, width: int, channels: int) -> tuple[Change, Change]:
    """Return what turns a dense layer's matrix into the kernel of a convolution of that size, and back."""

    def there(name: str, matrix: Tensor) -> Tensor:
        return from_kernel(name, matrix.view(height, width, channels, -1))

    def back(name: str, kernel: Tensor) -> Tensor:
        return to_kernel(name, kernel).reshape(height * width * channels, -1)

    return there, back


def xyfjason_links(config: Config) -> Iterator[Link]:
    """Yield what links both networks to the re-implementation's tensors, whose names begin with `mpn/` and `rin/`.

    Its mask is 1 where an image is clean: the logits change their sign.
    """
    layers = xyfjason_layers()
    for name, shape in _network_shapes(config).items():
        layer, rest = _split(name, layers)
        for ours, theirs in WITHIN.items():
            rest = f"{theirs}{rest.removeprefix(ours)}" if rest.startswith(f"{ours}.") else rest
        link = Same(name, f"{layer}.{rest}", shape)
        yield Changed(link, _negated, _negated) if name.startswith("mask_network.head.") else link


def _negated(name: str, value: Tensor) -> Tensor:
    return -value


def xyfjason_critic_links(config: Config) -> Iterator[Link]:
    """Yield what links the critics to the re-implementation's tensors."""
    for role, theirs in zip(CRITICS, ("disc", "pdisc"), strict=True):
        shapes = {name: shape for name, shape in _critic_shapes(config).items() if name.startswith(f"{role}.")}
        for number in range(5):
            ours, layer = f"{role}.layers.{number}", f"{theirs}/disc.{2 * number}"
            yield Same(f"{ours}.bias", f"{layer}.bias", shapes[f"{ours}.bias"])
            yield Normalized(
                ours=ours,
                weight=f"{layer}.weight_orig",
                left=f"{layer}.weight_u",
                right=f"{layer}.weight_v",
                shape=shapes[f"{ours}.parametrizations.weight.original"],
            )
        if role == "discriminator":
            for kind in ("weight", "bias"):
                yield Same(f"{role}.head.{kind}", f"{theirs}/fc.0.{kind}", shapes[f"{role}.head.{kind}"])
