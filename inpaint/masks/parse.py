"""From a name, a mapping or a list to a mask: the table of kinds, the named presets, and clear errors."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError

from inpaint.errors import ConfigError, InpaintError, unknown
from inpaint.masks.base import Mask
from inpaint.masks.blobs import Blobs
from inpaint.masks.boxes import Box, Center, Half, Outpaint, Whole
from inpaint.masks.comodgan import CoModGan
from inpaint.masks.compose import Mixture, Target, Union
from inpaint.masks.deepfill import Brush, DeepFill, DeepFillBox
from inpaint.masks.folder import Folder, Paired
from inpaint.masks.irregular import Mmagic, PConv, Pluralistic, PluralisticBoxes, Walk
from inpaint.masks.lama import Lama
from inpaint.masks.text import CAPTIONS, Text
from inpaint.masks.vcnet import VCNetStrokes
from inpaint.options import show
from inpaint.system.files import is_folder

MaskSpec: TypeAlias = "str | Mapping[str, Any] | Sequence[Any] | Mask"
"""What `parse_mask` takes."""

KINDS: dict[str, type[Mask]] = {
    "deepfill": DeepFill,
    "brush": Brush,
    "deepfill_box": DeepFillBox,
    "box": Box,
    "center": Center,
    "blobs": Blobs,
    "half": Half,
    "outpaint": Outpaint,
    "whole": Whole,
    "lama": Lama,
    "comodgan": CoModGan,
    "pconv": PConv,
    "walk": Walk,
    "pluralistic": Pluralistic,
    "pluralistic_boxes": PluralisticBoxes,
    "mmagic": Mmagic,
    "vcnet": VCNetStrokes,
    "text": Text,
    "folder": Folder,
    "paired": Paired,
    "target": Target,
    "mixture": Mixture,
    "union": Union,
}

NEED_OPTIONS = {
    "folder": "'folder:PATH', or {kind: folder, path: PATH}",
    "paired": "'paired:PATH', or {kind: paired, path: PATH}",
    "target": "{kind: target, mask: deepfill, ratio: [0.2, 0.3]}",
    "mixture": "[{mask: deepfill, weight: 3}, {mask: box, weight: 1}]",
    "union": "{kind: union, of: [brush, box]}",
}
"""How to write each kind that is no mask without being told of what."""


def _lama(nominal: int, lines: tuple[int, int], width: int, length: int, **boxes: Any) -> dict[str, Any]:
    chains = {"times": lines, "max_width_px": width, "max_length_px": length}
    options = {"kind": "lama", "nominal_px": nominal, "lines": chains, "boxes": boxes or None}
    return {**options, "boxes_weight": 0.3} if boxes else options


_LAMA_SETS = {  # advimman/lama, configs/data_gen/random_*.yaml
    "lama_thin_256": _lama(256, (4, 50), 10, 40),
    "lama_medium_256": _lama(256, (4, 5), 50, 100, margin_px=0, side_px=(10, 50), times=(1, 5)),
    "lama_thick_256": _lama(256, (1, 5), 100, 200, margin_px=10, side_px=(30, 150), times=(1, 3)),
    "lama_thin_512": _lama(512, (4, 70), 20, 100),
    "lama_medium_512": _lama(512, (4, 10), 100, 200, margin_px=0, side_px=(30, 150), times=(1, 5)),
    "lama_thick_512": _lama(512, (1, 5), 250, 450, margin_px=10, side_px=(30, 300), times=(1, 4)),
}


PRESETS: dict[str, dict[str, Any]] = {
    **_LAMA_SETS,
    # The published evaluation protocol drops masks that cover more than half.
    **{f"{name}_protocol": {**options, "max_share": 0.5} for name, options in _LAMA_SETS.items()},
    "lama_training": {"kind": "lama"},
    "captions": CAPTIONS,
    **{
        name: {"kind": "comodgan", "nominal_px": nominal, "half_boxes": half, "full_boxes": full, "strokes": strokes}
        for name, nominal, half, full, strokes in (
            ("mat_small_256", 256, 2, 2, 3),
            ("mat_large_256", 256, 4, 2, 8),
            ("mat_small_512", 512, 3, 2, 4),
            ("mat_large_512", 512, 5, 3, 9),
            ("comodgan_256", 256, 10, 5, 20),
            ("comodgan_512", 512, 10, 5, 20),
        )
    },
    # More strokes for more hole, so that few masks have to be drawn again or changed.
    **{
        f"pconv_{low:02}_{high}": {
            "kind": "target",
            "mask": {"kind": "pconv", "strokes": strokes},
            "ratio": (low / 100, high / 100),
            "tries": 2,
        }
        for low, high, strokes in (
            (1, 10, (0, 1)),
            (10, 20, (0, 4)),
            (20, 30, (1, 6)),
            (30, 40, (3, 10)),
            (40, 50, (6, 14)),
            (50, 60, (8, 18)),
        )
    },
}


NO_HOLES = ("whole",)
"""Kinds that are there for models which read no mask, and are no holes to fill."""

FILE_KINDS = ("folder", "paired")
"""Kinds that may be written KIND:PATH."""


def names() -> list[str]:
    """Return every name that is a hole by itself: kinds with useful defaults, then presets."""
    return [kind for kind in KINDS if kind not in NEED_OPTIONS and kind not in NO_HOLES] + list(PRESETS)


def parse_mask(spec: MaskSpec) -> Mask:
    """Return the mask that `spec` describes.

    Args:
        spec: A string is a kind with its defaults or a preset (`names()`), or "folder:PATH" for the mask files of a
            folder ("paired:PATH" where each belongs to a photo of its name), or a mapping or list in YAML's flow style.
            A mapping is {kind: NAME, option: value, ...}, where NAME may be a preset whose options are then
            replaced one by one. A list is a mixture: of such masks, or of {mask: ..., weight: ...}. A Mask is returned
            as it is.

    Raises:
        ConfigError: An unknown name or option or a value that is not valid, in one line.
        MaskError: A mask folder that cannot be used.
        InputError: A mask file that cannot be read.

    Example:
        >>> from numpy.random import default_rng
        >>> parse_mask({"kind": "center", "fraction": 0.5}).draw(default_rng(0), 4, 4).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    if isinstance(spec, Mask):
        return spec
    if isinstance(spec, str):
        return _from_string(spec)
    if isinstance(spec, Mapping):
        return _from_mapping(spec)
    if isinstance(spec, Sequence) and not isinstance(spec, bytes | bytearray):
        if not spec:
            raise ConfigError("a mixture of masks needs at least one mask, got an empty list")
        return _from_mapping({"kind": "mixture", "of": list(spec)})
    raise ConfigError(f"a mask is a name, a mapping or a list, got {type(spec).__name__} ({spec!r})")


def _from_string(text: str) -> Mask:
    kind, colon, path = text.partition(":")
    if colon and kind in FILE_KINDS:
        return _from_mapping({"kind": kind, "path": path})
    if text.startswith(("{", "[")):
        return _from_yaml(text)
    if text in NEED_OPTIONS:
        raise ConfigError(f"mask '{text}' needs options: write {NEED_OPTIONS[text]}")
    if text not in KINDS and text not in PRESETS:
        raise ConfigError(unknown("mask", text, [*names(), *(f"{kind}:PATH" for kind in FILE_KINDS)]))
    return _from_mapping({"kind": text})


def split_specs(text: str) -> list[str]:
    """Split the masks of a command line at their commas, but not inside of brackets, quotes and names of folders.

    Example:
        >>> split_specs("deepfill, box,{kind: box, count: [1, 2]}")
        ['deepfill', 'box', '{kind: box, count: [1, 2]}']
    """
    pieces, depth, quote = [""], 0, ""
    for letter in text:
        if letter == "," and not depth and not quote:
            pieces.append("")
            continue
        pieces[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and depth:
            quote = letter
        else:
            depth += (letter in "{[") - (letter in "}]")
    specs = []
    while pieces:
        longest = (",".join(pieces[:end]).strip() for end in range(len(pieces), 1, -1))
        spec = next((each for each in longest if _names_folder(each)), pieces[0].strip())
        pieces = pieces[spec.count(",") + 1 :] if _names_folder(spec) else pieces[1:]
        specs.append(spec)
    return [spec for spec in specs if spec]


def _names_folder(spec: str) -> bool:
    kind, colon, path = spec.partition(":")
    return bool(colon) and kind in FILE_KINDS and is_folder(os.path.expanduser(path))  # noqa: PTH111


def _from_yaml(text: str) -> Mask:
    import yaml

    try:
        return parse_mask(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"mask '{text}': {' '.join(str(error).split())}") from None
    except RecursionError:  # by an alias of YAML
        raise ConfigError(f"mask '{text}' holds itself, or masks in masks without end") from None


def _from_mapping(spec: Mapping[str, Any]) -> Mask:
    options = {str(key): value for key, value in spec.items()}
    if "kind" not in options:
        given = ", ".join(options) or "nothing"
        raise ConfigError(f"a mask needs a 'kind' (one of {', '.join([*KINDS, *PRESETS])}), got {given}")
    kind = options.pop("kind")
    if kind not in [*KINDS, *PRESETS]:
        raise ConfigError(unknown("mask kind", str(kind), [*KINDS, *PRESETS]))
    options = {**PRESETS.get(kind, {"kind": kind}), **options}
    mask = KINDS[options["kind"]]
    options |= _inner_masks(options)
    try:
        return mask.model_validate(options)
    except ValidationError as error:
        raise _config_error(kind, mask, error) from error


def _inner_masks(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a mask made of masks that describe those, with the masks in their place."""
    kind, parts = options["kind"], options.get("of")
    if kind == "target" and "mask" in options:
        return {"mask": _inner(options["mask"])}
    if kind not in ("mixture", "union") or not isinstance(parts, list | tuple):
        return {}
    return {"of": [_weighted(part) if kind == "mixture" else _inner(part) for part in parts]}


def _weighted(spec: Any) -> Any:
    """Return a part of a mixture; a bare mask, without a weight of its own, has the usual one."""
    if isinstance(spec, Mapping) and "mask" in spec and "kind" not in spec:
        return {**spec, "mask": _inner(spec["mask"])}
    return {"mask": _inner(spec)}


def _inner(spec: MaskSpec) -> Mask:
    mask = parse_mask(spec)
    if isinstance(mask, Paired):
        raise ConfigError("masks paired with photos are no part of other masks: write data.masks=paired:FOLDER")
    return mask


def _config_error(name: str, kind: type[Mask], error: ValidationError) -> InpaintError:
    """Return one line that names the option, the value and what is valid."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InpaintError):  # a mask inside this one, which has said it all
        return cause
    # Without the names that pydantic gives to the branches of a union.
    where = ".".join(str(part) for part in first["loc"] if "[" not in str(part))
    if first["type"] == "extra_forbidden":
        fields = _options_at(kind, first["loc"][:-1])
        return ConfigError(unknown(f"option of mask '{name}'", where, fields))
    if first["type"] == "missing":
        return ConfigError(f"mask '{name}' needs the option '{where}': write {NEED_OPTIONS[name]}")
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"mask '{name}': {where}={show(first['input'])} is not valid: {message}")


def _options_at(kind: type[Mask], where: tuple[int | str, ...]) -> list[str]:
    """Return the names of the options at a place inside a kind."""
    model: type[BaseModel] = kind
    for part in where:
        if isinstance(part, int):
            continue
        model = _model_in(model.model_fields[part].annotation) or model
    return [field for field in model.model_fields if field != "kind"]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the first model that an annotation speaks of: the class itself, of a tuple, a union ..."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
