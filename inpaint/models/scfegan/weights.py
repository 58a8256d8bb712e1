"""The checkpoint of SC-FEGAN's program: which of its variables is which of our tensors.

Its network works in BGR; imported weights are permuted once, so that ours sees RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from inpaint.models.scfegan.config import Config
from inpaint.models.scfegan.network import Network
from inpaint.options import ModelConfig
from inpaint.weights.formats import Converted, Entries, Format, Found, Writer, Written
from inpaint.weights.links import Changed, Constant, Link, Same, Stacked, read, write
from inpaint.weights.tensorflow import from_kernel, to_kernel

TITLE = "SC-FEGAN"
CONFIG = Config(up_gate="activated", color_given=False)


def layers() -> dict[str, str]:
    """Return {our layer: their scope} below `generator`."""
    down = {f"down.{number}": f"gconv{number + 1}_ds" for number in range(7)}
    middle = {f"middle.{number}": f"co_conv{number + 1}_dlt" for number in range(4)}
    up = {f"up.{number}": f"deconv{number + 1}" for number in range(7)}
    merge = {f"merge.{number}": f"gconv{number + 8}" for number in range(7)}
    return down | middle | up | merge


FIRST, LAST = "down.0", "merge.6"  # both read the planes of colors, the last one paints colors


def links(config: Config) -> Iterator[Link]:
    """Yield the links of all tensors."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Network(config).generator.state_dict().items()}
    for layer, theirs in layers().items():
        weight, bias = f"generator.{layer}.weight", f"generator.{layer}.bias"
        first, second, *kernel = shapes[f"{layer}.weight"]
        scope = f"generator/{theirs}"
        if layer.startswith("up."):
            yield Changed(Same(weight, f"{scope}/w", (*kernel, second, first)), from_kernel, to_kernel)
            yield Same(bias, f"{scope}/biases1", (second,))
            # Of the gates that the program computes and then overwrites.
            yield Constant(f"{scope}/biases2", partial(torch.zeros, second))
            continue
        rows = first // 2
        weights = [
            Changed(Same(weight, f"{scope}{half}/kernel", (*kernel, second, rows)), from_kernel, to_kernel)
            for half in ("", "_g")
        ]
        biases = [Same(bias, f"{scope}{half}/bias", (rows,)) for half in ("", "_g")]
        for ours, parts in ((weight, weights), (bias, biases)):
            stacked = Stacked(ours, tuple(parts))
            reordered = _reordered(layer)
            yield Changed(stacked, reordered, reordered) if layer in (FIRST, LAST) else stacked


def _reordered(layer: str) -> Callable[[str, Tensor], Tensor]:
    """Return what turns a tensor of a layer for BGR into one for RGB, or the other way around."""

    def change(name: str, value: Tensor) -> Tensor:
        if value.ndim == 4:  # planes: image, sketch, color, ...
            value = torch.cat((value[:, :3].flip(1), value[:, 3:4], value[:, 4:7].flip(1), value[:, 7:]), dim=1)
        if layer == LAST:  # features, then gates, of three colors
            value = torch.cat([colors.flip(0) for colors in value.chunk(2)])
        return value

    return change


def _from_program(found: Mapping[str, Found], switches: frozenset[str]) -> Converted:
    source = found["generator"]
    entries = Entries({name: value for name, value in source.entries.items() if name in NAMES})
    first = source.entries.get("generator/gconv1_ds/bias")
    config = CONFIG if first is None else CONFIG.model_copy(update={"width": max(first.numel(), 1)})
    tensors = read(links(config), entries)
    entries.check(source.path, TITLE)
    others = len(source.entries) - len(entries.state)
    notes = (f"{others} further variables of the checkpoint are left out",) if others else ()
    return Converted(config=config, tensors=tensors, notes=notes)


def _to_program(network: Converted) -> Written:
    config, notes = network.config, list[str]()
    assert isinstance(config, Config)
    if any(not name.startswith("generator.") for name in network.tensors):
        notes.append("the discriminator is left out: the program's is not public")
    if config.width != CONFIG.width:
        notes.append(f"the program must be told of the width {config.width}")
    return Written(files={"SC-FEGAN.npz": write(links(config), network.tensors)}, notes=tuple(notes))


def _nearest(config: ModelConfig) -> Config:
    assert isinstance(config, Config)
    free = ("width", "noise", "discriminator")
    return CONFIG.model_copy(update={name: getattr(config, name) for name in free})


NAMES = frozenset(
    f"generator/{theirs}{ending}"
    for ours, theirs in layers().items()
    for ending in (
        ("/w", "/biases1", "/biases2") if ours.startswith("up.") else ("/kernel", "/bias", "_g/kernel", "_g/bias")
    )
)

FORMATS = (
    Format(
        origin="scfegan",
        title=TITLE,
        model="scfegan",
        license="CC BY-NC 4.0, non-commercial",
        source="https://github.com/run-youngjoo/SC-FEGAN",
        networks={"generator": NAMES},
        convert=_from_program,
        writer=Writer(nearest=_nearest, write=_to_program, archive=True),
    ),
)
