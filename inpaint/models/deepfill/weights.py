"""Checkpoints of public DeepFillv2 programs: which of their layers is which of ours, and how each of them differs.

Layers are mapped by name, never by position. Every difference of arithmetic is a field of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.models.deepfill.config import AttentionConfig, Config, DiscriminatorConfig
from inpaint.models.deepfill.network import Network
from inpaint.options import ModelConfig
from inpaint.weights.foreign import tensors_of
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written, iteration_of
from inpaint.weights.links import Change, Changed, Constant, Divided, Link, Normalized, Same, Stacked, read, write
from inpaint.weights.tensorflow import as_variables, from_variables

READS_COLORS = ("conv1", "xconv1", "pmconv1")  # layers whose first three input planes are an image
PAINTS_COLORS = ("conv17", "allconv17")  # layers whose outputs, or halves of outputs, are an image
DISCRIMINATOR = "discriminator"

OFFICIAL = Config(channel_order="bgr")
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


def official_layers() -> dict[str, str]:
    """Return {our layer: scope below `inpaint_net`} for the official program; what upsamples has a scope of its own."""
    scopes = {ours: theirs.removesuffix(".conv") for ours, theirs in nipponjo_tf_layers().items()}
    twice = {ours: f"{ours}_upsample/{ours}_upsample_conv" for ours, scope in scopes.items() if "_upsample" in scope}
    return {ours: f"inpaint_net/{twice.get(ours, scope)}" for ours, scope in scopes.items()}


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


# From their tensors to ours, and back --------------------------------------------------------------------------------


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _generator_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return _shapes(Network(config).generator)


def _plain(layers: Mapping[str, str], config: Config) -> Iterator[Link]:
    """Yield the layers of a program that stores one convolution per layer, features first and gates second, as ours.

    Those of a program that works in BGR are permuted.
    """
    for name, shape in _generator_shapes(config).items():
        layer, _, kind = name.rpartition(".")
        link = Same(f"generator.{name}", f"{layers[layer]}.{kind}", shape)
        yield Changed(link, _reordered, _reordered) if config.channel_order == "bgr" else link


def _reordered(name: str, value: Tensor) -> Tensor:
    """Turn a tensor of a generator that works in BGR into one for RGB, or the other way around."""
    _, layer, kind = name.split(".")
    if layer in READS_COLORS and kind == "weight":
        return _planes_reordered(value)
    if layer in PAINTS_COLORS:  # three rows, or three features and three gates
        return torch.cat([rows.flip(0) for rows in torch.split(value, 3)])
    return value


def _planes_reordered(weight: Tensor) -> Tensor:
    return torch.cat((weight[:, :3].flip(1), weight[:, 3:]), dim=1)


def _identity() -> Tensor:
    return torch.eye(3).view(1, 1, 3, 3)


def _csqiangwen() -> Iterator[Link]:
    """Yield the layers of csqiangwen, whose features and gates are convolutions of their own."""
    shapes = _generator_shapes(CSQIANGWEN)
    for layer, theirs in csqiangwen_layers().items():
        rows, *columns = shapes[f"{layer}.weight"]
        weight, bias = f"generator.{layer}.weight", f"generator.{layer}.bias"
        shape = (rows // 2, *columns)
        weights: list[Link] = []
        biases: list[Link] = []
        for half in ("conv2d", "mask_conv2d"):
            if _csqiangwen_upsamples(layer):
                prefix = f"{theirs}.gated_conv2d.{half}.module"
                bar, left, right = (f"{prefix}.weight_{end}" for end in ("bar", "u", "v"))
                weights.append(Divided(ours=weight, bar=bar, left=left, right=right, shape=shape))
            else:
                prefix = f"{theirs}.{half}"
                weights.append(Same(weight, f"{prefix}.weight", shape))
            biases.append(Same(bias, f"{prefix}.bias", shape[:1]))
        yield Stacked(weight, tuple(weights))
        yield Stacked(bias, tuple(biases))


def _discriminator(config: Config, prefix: str, weight: str, right: str | None) -> Iterator[Link]:
    """Yield the layers of a discriminator.

    prefix: of layer number {}. weight, right: what the weight and the right singular vector are called; without a
    stored right vector both come from one power iteration, as in the program's next pass.
    """
    with torch.device("meta"):
        shapes = _shapes(Network.discriminators(config)[DISCRIMINATOR])
    for number in range(6):
        theirs, ours = prefix.format(number + 1), f"{DISCRIMINATOR}.layers.{number}"
        shape = shapes[f"layers.{number}.parametrizations.weight.original"]
        yield Same(f"{ours}.bias", f"{theirs}.bias", shape[:1])
        link = Normalized(
            ours=ours,
            weight=f"{theirs}.{weight}",
            left=f"{theirs}.weight_u",
            right=None if right is None else f"{theirs}.{right}",
            shape=shape,
            column=right is None,
            iterates=right is None,
        )
        reordered = _reordered_first(shape)
        yield Changed(link, reordered, reordered) if number == 0 and config.channel_order == "bgr" else link


def _reordered_first(shape: tuple[int, ...]) -> Change:
    def reordered(name: str, value: Tensor) -> Tensor:
        if name.endswith(".original"):
            return _planes_reordered(value)
        return _planes_reordered(value.view(1, *shape[1:])).flatten() if name.endswith("_v") else value

    return reordered


def _read_discriminator(state: Any, links: Iterable[Link]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return our discriminator's tensors, nothing with a note when the file's does not fit, and notes."""
    if not isinstance(state, Mapping):
        return {}, ()
    entries = Entries(tensors_of(state))
    tensors = read(links, entries)
    if problems := entries.problems():
        return {}, (f"the file's discriminator does not fit this model's and is left out: {problems}",)
    return tensors, ()


# The programs --------------------------------------------------------------------------------------------------------


def _of_nipponjo(config: Config, layers: Mapping[str, str], *, keeps_fuse: bool) -> tuple[list[Link], list[Link]]:
    """Return the links of generator and discriminator.

    keeps_fuse: whether the program stores the kernel with which it adds neighboring scores.
    """
    fuse = Constant("stage2.contextual_attention.fuse_weight", _identity if keeps_fuse else None, identity=True)
    return [*_plain(layers, config), fuse], list(_discriminator(config, "conv{}.conv_sn", "weight", None))


def _from_nipponjo(
    found: Mapping[str, Found],
    switches: frozenset[str],
    *,
    layers: Mapping[str, str],
    config: Config,
    keeps_fuse: bool,
    title: str,
) -> Converted:
    source = found["generator"]
    if "fuse" in switches:
        config = config.model_copy(update={"attention": config.attention.model_copy(update={"fuse": True})})
    if "bgr" in switches:
        config = config.model_copy(update={"channel_order": "bgr"})
    links, of_discriminator = _of_nipponjo(config, layers, keeps_fuse=keeps_fuse)
    entries = Entries(source.entries)
    tensors = read(links, entries)
    entries.check(source.path, title)
    discriminator, notes = _read_discriminator(source.content.get("D"), of_discriminator)
    return Converted(
        config=config,
        tensors=tensors | discriminator,
        iteration=iteration_of(source.content.get("n_iter")),
        notes=notes,
    )


def _to_nipponjo(network: Converted, *, layers: Mapping[str, str], config: Config, keeps_fuse: bool) -> Written:
    links, of_discriminator = _of_nipponjo(_expected(network.config), layers, keeps_fuse=keeps_fuse)
    content: dict[str, Any] = {"G": write(links, network.tensors)}
    if _holds_discriminator(network.tensors):
        content["D"] = write(of_discriminator, network.tensors)
    if network.iteration is not None:
        content["n_iter"] = network.iteration
    used = _expected(network.config)
    needed = {"bgr": used.channel_order == "bgr", "fuse": used.attention.fuse != config.attention.fuse}
    options = " ".join(f"--{switch}" for switch, given in needed.items() if given)
    notes = (f"the file cannot say all: `import-weights` takes it back with {options}",) if options else ()
    return Written(files={"states.pth": content}, notes=notes)


def _nearest_of_nipponjo(config: Config, *, base: Config) -> Config:
    fuse = base.attention.fuse or config.attention.fuse
    attention = base.attention.model_copy(update={"fuse": fuse})
    return _with_free_options(base, config, channel_order=config.channel_order, attention=attention)


def _from_csqiangwen(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    entries = Entries(source.entries)
    tensors = read(_csqiangwen(), entries)
    entries.check(source.path, "csqiangwen")
    return Converted(config=CSQIANGWEN, tensors=tensors)


def _to_csqiangwen(network: Converted) -> Written:
    notes = ("the discriminator is left out: another one is this program's",)
    return Written(
        files={"deepfillv2_WGAN_G.pth": write(_csqiangwen(), network.tensors)},
        notes=notes if _holds_discriminator(network.tensors) else (),
    )


def _of_official(config: Config) -> tuple[list[Link], list[Link]]:
    """Return the links of generator and discriminator, in the names and forms of `from_variables`; it works in BGR."""
    bgr = config.model_copy(update={"channel_order": "bgr"})
    discriminator = _discriminator(bgr, "discriminator/sn_patch_gan/conv{}", "weight", None)
    return list(_plain(official_layers(), bgr)), list(discriminator)


def _from_official(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    """Convert one or both networks; a guided one reads six planes in its first layer."""
    source, strangers = found["generator"], 0
    first = source.entries.get("inpaint_net/conv1/kernel")
    config = OFFICIAL.model_copy(update={"sketch": first is not None and first.ndim == 4 and first.shape[2] == 6})
    tensors = dict[str, Tensor]()
    for role, links in zip(("generator", DISCRIMINATOR), _of_official(config), strict=True):
        if role in found:
            known = {name: value for name, value in found[role].entries.items() if name in OFFICIAL_NAMES[role]}
            strangers += len(found[role].entries) - len(known)
            entries = Entries(from_variables(known))
            tensors |= read(links, entries)
            entries.check(found[role].path, "jiahuiyu")
    notes = (f"{strangers} further variables of the checkpoint are left out",) if strangers else ()
    return Converted(config=config, tensors=tensors, notes=notes)


def _to_official(network: Converted) -> Written:
    links, of_discriminator = _of_official(_expected(network.config))
    files = {"generator.npz": as_variables(write(links, network.tensors))}
    if _holds_discriminator(network.tensors):
        files["discriminator.npz"] = as_variables(write(of_discriminator, network.tensors))
    return Written(files=files)


def _nearest_of_official(config: Config) -> Config:
    return _with_free_options(OFFICIAL, config, channel_order=config.channel_order, sketch=config.sketch)


def _of_mmagic() -> tuple[list[Link], list[Link]]:
    fuse = Constant("stage2.contextual_attention_neck.contextual_attention.fuse_kernel", _identity, identity=True)
    discriminator = _discriminator(MMAGIC, "disc.conv{}.conv", "weight_orig", "weight_v")
    return [*_plain(mmagic_layers(), MMAGIC), fuse], list(discriminator)


def _from_mmagic(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    of_discriminator = {name: value for name, value in source.rest.items() if name.startswith("disc.")}
    strangers = {name: value for name, value in source.rest.items() if name not in of_discriminator}
    entries = Entries({**source.entries, **strangers})
    links, links_of_discriminator = _of_mmagic()
    tensors = read(links, entries)
    entries.check(source.path, "mmagic")
    discriminator, notes = _read_discriminator(of_discriminator or None, links_of_discriminator)
    meta = source.content.get("meta")
    return Converted(
        config=MMAGIC,
        tensors=tensors | discriminator,
        iteration=iteration_of(meta.get("iter")) if isinstance(meta, Mapping) else None,
        notes=notes,
    )


def _to_mmagic(network: Converted) -> Written:
    links, of_discriminator = _of_mmagic()
    state = {f"generator.{name}": value for name, value in write(links, network.tensors).items()}
    if _holds_discriminator(network.tensors):
        state |= write(of_discriminator, network.tensors)
    meta = {} if network.iteration is None else {"iter": network.iteration}
    return Written(files={"deepfillv2.pth": {"meta": meta, "state_dict": state}})


def _nearest_of(base: Config, config: Config) -> Config:
    return _with_free_options(base, config, channel_order=config.channel_order)


def _with_free_options(base: Config, config: Config, **changes: Any) -> Config:
    """Return what a program's files stand for, with those options of ours that its networks do not depend on."""
    return base.model_copy(update={"initialization": config.initialization, **changes})


def _holds_discriminator(tensors: Mapping[str, Tensor]) -> bool:
    return any(name.startswith(f"{DISCRIMINATOR}.") for name in tensors)


def _expected(config: ModelConfig) -> Config:
    assert isinstance(config, Config)
    return config


# What is offered -----------------------------------------------------------------------------------------------------

OFFICIAL_NAMES: Mapping[str, frozenset[str]] = {
    "generator": frozenset(f"{scope}/{kind}" for scope in official_layers().values() for kind in ("kernel", "bias")),
    DISCRIMINATOR: frozenset(
        f"discriminator/sn_patch_gan/conv{n}/{kind}" for n in range(1, 7) for kind in ("kernel", "bias", "kernel_sn/u")
    ),
}
PLAIN: Any = {"layers": nipponjo_layers(), "config": NIPPONJO, "keeps_fuse": True}
AS_TENSORFLOW: Any = {"layers": nipponjo_tf_layers(), "config": NIPPONJO_TF, "keeps_fuse": False}

FORMATS = (
    Format(
        origin="jiahuiyu",
        title="jiahuiyu (DeepFillv2)",
        model="deepfill",
        license="CC BY-NC 4.0, non-commercial",
        source="https://github.com/JiahuiYu/generative_inpainting",
        networks=OFFICIAL_NAMES,
        optional=frozenset({DISCRIMINATOR}),
        convert=_from_official,
        writer=Writer(nearest=_nearest_of_official, write=_to_official, folder=True, archive=True),
    ),
    Format(
        origin="nipponjo",
        title="nipponjo",
        model="deepfill",
        license="none stated (its published weights continue the official ones: CC BY-NC 4.0, non-commercial)",
        source="https://github.com/nipponjo/deepfillv2-pytorch",
        networks={"generator": _names(nipponjo_layers())},
        switches=frozenset({"bgr", "fuse"}),
        convert=partial(_from_nipponjo, **PLAIN, title="nipponjo"),
        writer=Writer(nearest=partial(_nearest_of_nipponjo, base=NIPPONJO), write=partial(_to_nipponjo, **PLAIN)),
    ),
    Format(
        origin="nipponjo",
        title="nipponjo (TensorFlow form)",
        model="deepfill",
        license="CC BY-NC 4.0, non-commercial (official weights, converted)",
        source="https://github.com/nipponjo/deepfillv2-pytorch",
        networks={"generator": _names(nipponjo_tf_layers())},
        switches=frozenset({"bgr", "fuse"}),
        convert=partial(_from_nipponjo, **AS_TENSORFLOW, title="nipponjo (TensorFlow form)"),
        writer=Writer(
            nearest=partial(_nearest_of_nipponjo, base=NIPPONJO_TF), write=partial(_to_nipponjo, **AS_TENSORFLOW)
        ),
    ),
    Format(
        origin="csqiangwen",
        title="csqiangwen",
        model="deepfill",
        license="MIT",
        source="https://github.com/csqiangwen/DeepFillv2_Pytorch",
        networks={"generator": _csqiangwen_names()},
        convert=_from_csqiangwen,
        writer=Writer(nearest=partial(_nearest_of, CSQIANGWEN), write=_to_csqiangwen),
    ),
    Format(
        origin="mmagic",
        title="mmagic (DeepFillv2)",
        model="deepfill",
        license="Apache-2.0",
        source="https://github.com/open-mmlab/mmagic",
        networks={"generator": _names(mmagic_layers())},
        convert=_from_mmagic,
        writer=Writer(nearest=partial(_nearest_of, MMAGIC), write=_to_mmagic),
    ),
)
