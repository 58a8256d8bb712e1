"""Checkpoints of public DeepFillv2 programs: which of their layers is which of ours, and how each of them differs.

Layers are mapped by name, never by position. Every difference of arithmetic is a field of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from inpaint.models.deepfill.config import AttentionConfig, Config, DiscriminatorConfig
from inpaint.models.deepfill.network import Network
from inpaint.weights.foreign import tensors_of
from inpaint.weights.formats import Converted, Entries, Format, Found, folded, iteration_of, power_iteration

READS_COLORS = ("conv1", "xconv1", "pmconv1")  # layers whose first three input planes are an image
PAINTS_COLORS = ("conv17", "allconv17")  # layers whose outputs, or halves of outputs, are an image

NIPPONJO = Config(
    padding="zero",
    attention=AttentionConfig(sampling="floor", mask_sampling="floor8"),
    discriminator=DiscriminatorConfig(padding="zero"),
)
# The program switches the fusion of scores off, which the official one needs: `--fuse` switches it on again.
NIPPONJO_TF = Config(padding="same_tf", attention=AttentionConfig(fuse=False, mask_sampling="aligned8"))
CSQIANGWEN = Config(
    width=96,
    padding="zero",
    value_range="01",
    hole_fill=1.0,
    stage1_input="image_mask",
    stage2_input="image_mask",
    gate_output=True,
    attention=AttentionConfig(norm_eps="inside", sampling="floor", mask_sampling="floor8"),
)
MMAGIC = Config(
    padding="reflect",
    channel_order="bgr",
    stage2_input="image_ones_mask",
    gate_output=True,
    pre_attention_activation="elu",
    decoder_widths=(128, 64, 32, 16),
    attention=AttentionConfig(masked="inf", overlap="count", sampling="floor", mask_sampling="floor8"),
    discriminator=DiscriminatorConfig(padding="zero"),
)


# Which layer is which ------------------------------------------------------------------------------------------------


def nipponjo_layers() -> dict[str, str]:
    """Return {our layer: prefix of its weight and bias} for nipponjo's `networks.py`."""
    stage1 = {"conv1": "conv1", **_down("conv", "down"), "conv17": "conv_to_rgb", **_up("conv")}
    stage1 |= {f"conv{number + 5}": f"conv_bn{number}" for number in range(1, 8)}
    stage2 = {
        "xconv1": "conv_conv1",
        **_down("xconv", "conv_down"),
        "pmconv1": "ca_conv1",
        **_down("pmconv", "ca_down"),
    }
    stage2 |= {f"xconv{number + 5}": f"conv_conv_bn{number}" for number in range(1, 6)}
    stage2 |= {f"pmconv{6 if number == 1 else number + 5}": f"ca_conv_bn{number}" for number in (1, 4, 5)}
    stage2 |= {"allconv11": "conv_bn6", "allconv12": "conv_bn7", "allconv17": "conv_to_rgb", **_up("allconv")}
    return {
        **{ours: f"stage1.{theirs}.conv" for ours, theirs in stage1.items()},
        **{ours: f"stage2.{theirs}.conv" for ours, theirs in stage2.items()},
    }


def _down(ours: str, theirs: str) -> dict[str, str]:
    """Layers 2 to 5: two blocks, in each the first convolution halves the size."""
    return {
        f"{ours}{2 * block + second}": f"{theirs}_block{block}.{'conv2' if second else 'conv1_downsample'}"
        for block in (1, 2)
        for second in (0, 1)
    }


def _up(ours: str) -> dict[str, str]:
    """Layers 13 to 16: two blocks, in each the first convolution doubles the size."""
    return {
        f"{ours}{11 + 2 * block + second}": f"up_block{block}.{'conv2' if second else 'conv1_upsample.conv'}"
        for block in (1, 2)
        for second in (0, 1)
    }


def nipponjo_tf_layers() -> dict[str, str]:
    """Return {our layer: prefix} for nipponjo's `networks_tf.py`, which has the official names, as we do."""
    suffixes = dict.fromkeys((2, 4), "_downsample") | dict.fromkeys((7, 8, 9, 10), "_atrous")
    suffixes |= dict.fromkeys((13, 15), "_upsample.conv")
    layers = {}
    for ours in nipponjo_layers():
        number = int(re.sub(r"\D", "", ours))
        plain = ours.startswith("pm") and number > 6  # two convolutions behind the attention, not dilated
        layers[ours] = f"{ours}{'' if plain else suffixes.get(number, '')}.conv"
    return layers


def csqiangwen_layers() -> dict[str, str]:
    """Return {our layer: prefix} for csqiangwen; features and gates are separate convolutions below it."""
    blocks = {"coarse": ("conv", 1, 17), "refine_conv": ("xconv", 1, 10), "refine_atten_1": ("pmconv", 1, 6)}
    blocks |= {"refine_atten_2": ("pmconv", 9, 10), "refine_combine": ("allconv", 11, 17)}
    return {
        f"{ours}{number}": f"{block}.{number - first}"
        for block, (ours, first, last) in blocks.items()
        for number in range(first, last + 1)
    }


def mmagic_layers() -> dict[str, str]:
    """Return {our layer: prefix} for mmagic, below its `generator.`."""
    blocks = {"stage1.encoder.enc": ("conv", 1, 6, 1), "stage1.dilation_neck.dilation_convs.": ("conv", 7, 10, 0)}
    blocks |= {"stage1.decoder.dec": ("conv", 11, 17, 1), "stage2.encoder_conv.enc": ("xconv", 1, 6, 1)}
    blocks |= {"stage2.dilation_neck.dilation_convs.": ("xconv", 7, 10, 0)}
    blocks |= {"stage2.encoder_attention.enc": ("pmconv", 1, 6, 1), "stage2.decoder.dec": ("allconv", 11, 17, 1)}
    blocks |= {"stage2.contextual_attention_neck.conv": ("pmconv", 9, 10, 1)}
    return {
        f"{ours}{number}": f"{block}{number - first + start}.conv.conv"
        for block, (ours, first, last, start) in blocks.items()
        for number in range(first, last + 1)
    }


def _csqiangwen_upsamples(layer: str) -> bool:
    return layer in ("conv13", "conv15", "allconv13", "allconv15")


def _names(layers: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{theirs}.{kind}" for theirs in layers.values() for kind in ("weight", "bias"))


def _csqiangwen_names() -> frozenset[str]:
    names = set()
    for ours, theirs in csqiangwen_layers().items():
        for half in ("conv2d", "mask_conv2d"):
            if _csqiangwen_upsamples(ours):
                prefix = f"{theirs}.gated_conv2d.{half}.module."
                names |= {prefix + kind for kind in ("bias", "weight_bar", "weight_u", "weight_v")}
            else:
                names |= {f"{theirs}.{half}.weight", f"{theirs}.{half}.bias"}
    return frozenset(names)


# From their tensors to ours ------------------------------------------------------------------------------------------


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = Network(config)
    return {name: tuple(value.shape) for name, value in network.generator.state_dict().items()}


def _plain(entries: Entries, layers: Mapping[str, str], config: Config) -> dict[str, Tensor]:
    """Take the layers of a program that stores one convolution per layer, features first and gates second, as ours."""
    shapes = _shapes(config)
    return {
        f"generator.{ours}.{kind}": entries.take(f"{theirs}.{kind}", *shapes[f"{ours}.{kind}"])
        for ours, theirs in layers.items()
        for kind in ("weight", "bias")
    }


def _in_rgb(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn a generator that works in BGR into one that works in RGB, by permuting weights."""
    turned = dict(tensors)
    for layer in READS_COLORS:
        turned[f"generator.{layer}.weight"] = _planes_in_rgb(turned[f"generator.{layer}.weight"])
    for layer in PAINTS_COLORS:
        for kind in ("weight", "bias"):
            value = turned[f"generator.{layer}.{kind}"]  # three rows, or three features and three gates
            turned[f"generator.{layer}.{kind}"] = torch.cat([part.flip(0) for part in torch.split(value, 3)])
    return turned


def _planes_in_rgb(weight: Tensor) -> Tensor:
    return torch.cat((weight[:, :3].flip(1), weight[:, 3:]), dim=1)


def _from_nipponjo(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    return _nipponjo(found["generator"], nipponjo_layers(), NIPPONJO, switches, title="nipponjo")


def _from_nipponjo_tf(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    return _nipponjo(
        found["generator"], nipponjo_tf_layers(), NIPPONJO_TF, switches, title="nipponjo (TensorFlow form)"
    )


def _nipponjo(
    source: Found, layers: Mapping[str, str], config: Config, switches: frozenset[str], *, title: str
) -> Converted:
    entries = Entries(source.entries)
    tensors = _plain(entries, layers, config)
    entries.ignore_identity("stage2.contextual_attention.fuse_weight")
    entries.check(source.path, title)
    if "fuse" in switches:
        config = config.model_copy(update={"attention": config.attention.model_copy(update={"fuse": True})})
    if "bgr" in switches:
        config, tensors = config.model_copy(update={"channel_order": "bgr"}), _in_rgb(tensors)
    discriminator, notes = _discriminator(
        source.content.get("D"), "conv{}.conv_sn", config, bgr="bgr" in switches, weight="weight", right=None
    )
    return Converted(
        config=config,
        tensors=tensors | discriminator,
        iteration=iteration_of(source.content.get("n_iter")),
        notes=notes,
    )


def _from_csqiangwen(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source, config = found["generator"], CSQIANGWEN
    entries, shapes, tensors = Entries(source.entries), _shapes(config), dict[str, Tensor]()
    for ours, theirs in csqiangwen_layers().items():
        rows, *columns = shapes[f"{ours}.weight"]
        rows //= 2
        weights, biases = [], []
        for half in ("conv2d", "mask_conv2d"):
            if _csqiangwen_upsamples(ours):
                prefix = f"{theirs}.gated_conv2d.{half}.module"
                # Kept in float64: rounding here would show in a comparison in float64.
                weights.append(
                    folded(
                        entries.take(f"{prefix}.weight_bar", rows, *columns), entries.take(f"{prefix}.weight_u", rows)
                    )
                )
                entries.ignore(f"{prefix}.weight_v")  # the program computes it anew from u
            else:
                prefix = f"{theirs}.{half}"
                weights.append(entries.take(f"{prefix}.weight", rows, *columns))
            biases.append(entries.take(f"{prefix}.bias", rows))
        tensors[f"generator.{ours}.weight"] = torch.cat(weights)
        tensors[f"generator.{ours}.bias"] = torch.cat(biases)
    entries.check(source.path, "csqiangwen")
    return Converted(config=config, tensors=tensors)


def _from_mmagic(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    of_discriminator = {name: value for name, value in source.rest.items() if name.startswith("disc.")}
    strangers = {name: value for name, value in source.rest.items() if name not in of_discriminator}
    entries = Entries({**source.entries, **strangers})
    tensors = _in_rgb(_plain(entries, mmagic_layers(), MMAGIC))
    entries.ignore_identity("stage2.contextual_attention_neck.contextual_attention.fuse_kernel")
    entries.check(source.path, "mmagic")
    discriminator, notes = _discriminator(
        of_discriminator or None, "disc.conv{}.conv", MMAGIC, bgr=True, weight="weight_orig", right="weight_v"
    )
    meta = source.content.get("meta")
    return Converted(
        config=MMAGIC,
        tensors=tensors | discriminator,
        iteration=iteration_of(meta.get("iter")) if isinstance(meta, Mapping) else None,
        notes=notes,
    )


def _discriminator(
    state: Any, prefix: str, config: Config, *, bgr: bool, weight: str, right: str | None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return our discriminator's tensors, nothing with a note when the file's does not fit, and notes.

    prefix: of layer number {}. weight, right: what the weight and the right singular vector are called; without a
    stored right vector both come from one power iteration, as in the program's next pass.
    """
    if not isinstance(state, Mapping):
        return {}, ()
    entries = Entries(tensors_of(state))
    shapes = {
        name: tuple(value.shape) for name, value in Network.discriminators(config)["discriminator"].state_dict().items()
    }
    tensors: dict[str, Tensor] = {}
    for number in range(6):
        theirs, ours = prefix.format(number + 1), f"layers.{number}"
        shape = shapes[f"{ours}.parametrizations.weight.original"]
        stored = entries.take(f"{theirs}.{weight}", *shape)
        if right is None:
            u, v = power_iteration(stored, entries.take(f"{theirs}.weight_u", shape[0], 1))
        else:
            u = entries.take(f"{theirs}.weight_u", shape[0])
            v = entries.take(f"{theirs}.{right}", stored[0].numel())
        if bgr and number == 0:
            stored, v = _planes_in_rgb(stored), _planes_in_rgb(v.view(1, *shape[1:])).flatten()
        tensors |= {
            f"discriminator.{ours}.bias": entries.take(f"{theirs}.bias", shape[0]),
            f"discriminator.{ours}.parametrizations.weight.original": stored,
            f"discriminator.{ours}.parametrizations.weight.0._u": u.float(),
            f"discriminator.{ours}.parametrizations.weight.0._v": v.float(),
        }
    if problems := entries.problems():
        return {}, (f"the file's discriminator does not fit this model's and is left out: {problems}",)
    return tensors, ()


# What is offered -----------------------------------------------------------------------------------------------------

FORMATS = (
    Format(
        origin="nipponjo",
        title="nipponjo",
        model="deepfill",
        license="none stated (its published weights continue the official ones: CC BY-NC 4.0, non-commercial)",
        source="https://github.com/nipponjo/deepfillv2-pytorch",
        networks={"generator": _names(nipponjo_layers())},
        switches=frozenset({"bgr", "fuse"}),
        convert=_from_nipponjo,
    ),
    Format(
        origin="nipponjo",
        title="nipponjo (TensorFlow form)",
        model="deepfill",
        license="CC BY-NC 4.0, non-commercial (official weights, converted)",
        source="https://github.com/nipponjo/deepfillv2-pytorch",
        networks={"generator": _names(nipponjo_tf_layers())},
        switches=frozenset({"bgr", "fuse"}),
        convert=_from_nipponjo_tf,
    ),
    Format(
        origin="csqiangwen",
        title="csqiangwen",
        model="deepfill",
        license="MIT",
        source="https://github.com/csqiangwen/DeepFillv2_Pytorch",
        networks={"generator": _csqiangwen_names()},
        convert=_from_csqiangwen,
    ),
    Format(
        origin="mmagic",
        title="mmagic (DeepFillv2)",
        model="deepfill",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={"generator": _names(mmagic_layers())},
        convert=_from_mmagic,
    ),
)
