"""Checkpoints of PyTorch's example of fast style transfer (pytorch/examples, fast_neural_style), old and new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch

from inpaint.models.johnson.config import Config
from inpaint.models.johnson.network import Network
from inpaint.weights.foreign import State
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Constant, Link, Same, read, write

TITLE = "fast_neural_style (pytorch/examples)"
FIRST = "conv1.conv2d.weight"


def layer_names(config: Config) -> dict[str, tuple[str, str]]:
    """Return {step: (their convolution, their norm)}; the last step has no norm."""
    names = {f"conv{number}": (f"conv{number}.conv2d", f"in{number}") for number in (1, 2, 3)}
    for number in range(1, config.blocks + 1):
        for half in (1, 2):
            names[f"block{number}_{half}"] = (f"res{number}.conv{half}.conv2d", f"res{number}.in{half}")
    return {
        **names,
        "up1": ("deconv1.conv2d", "in4"),
        "up2": ("deconv2.conv2d", "in5"),
        "out": ("deconv3.conv2d", ""),
    }


def links_of(config: Config) -> Iterator[Link]:
    """Yield what links a network of ours to theirs; statistics that old files hold are not computed with."""
    with torch.device("meta"):
        state = Network(config).generator.state_dict()
    names = layer_names(config)
    for name, value in state.items():
        group, step, kind = name.split(".")
        theirs = names[step][0 if group == "convolutions" else 1]
        yield Same(f"generator.{name}", f"{theirs}.{kind}", tuple(value.shape))
    for _, norm in names.values():
        for kind in ("running_mean", "running_var", "num_batches_tracked") if norm else ():
            yield Constant(f"{norm}.{kind}", None)


def _config(entries: State) -> Config:
    first = entries.get(FIRST)
    width = Config().width if first is None or not first.ndim or not len(first) else len(first)
    blocks = sum(re.fullmatch(r"res\d+\.conv1\.conv2d\.weight", name) is not None for name in entries)
    return Config(width=width, blocks=max(blocks, 1))


def _convert(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    config = _config(source.entries)
    entries = Entries(source.entries)
    tensors = read(links_of(config), entries)
    entries.check(source.path, TITLE)
    named = config.model_copy(update={"styles": (source.path.stem,)})  # the example calls files after their style
    return Converted(config=named, tensors=tensors)


def _write(network: Converted) -> Written:
    config = network.config
    assert isinstance(config, Config)
    usual = Config()
    changed = [f"{name}={value}" for name in FREE if (value := getattr(config, name)) != getattr(usual, name)]
    notes = (f"the program must be told of {', '.join(changed)}",) if changed else ()
    (style,) = config.learned or ("style",)
    return Written(files={f"{style}.model": write(links_of(config), network.tensors)}, notes=notes)


def _nearest(config: Config) -> Config:
    """Return what files of the program stand for."""
    return Config(styles=config.styles, **{name: getattr(config, name) for name in FREE})


FREE = ("width", "blocks")

FORMATS = (
    Format(
        origin="pytorch_examples",
        title=TITLE,
        model="johnson",
        license="BSD-3-Clause",
        source="https://github.com/pytorch/examples/tree/main/fast_neural_style",
        networks={"generator": frozenset(link.theirs for link in links_of(Config(width=1)) if isinstance(link, Same))},
        convert=_convert,
        writer=Writer(nearest=_nearest, write=_write),
    ),
)
