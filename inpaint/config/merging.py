"""Merging one configuration over another: mappings key by key; whatever else a key holds is replaced.

OmegaConf does so but where a list meets a mapping, which it refuses: there the old value makes way first. So does a
kind of mask, as a mapping, for another one.
"""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

MASKS = ("masks", "val_masks")  # keys where a mapping with a kind replaces another: options belong to one kind


def merged(*layers: DictConfig) -> Any:
    """Return all layers as one, later ones over earlier ones, which stay as they are."""
    base: Any = OmegaConf.create({})
    for layer in layers:
        plain: Any = OmegaConf.to_container(layer, resolve=False)
        for key, value in plain.items():
            _make_way(base, key, value)
        base = OmegaConf.merge(base, layer)
    return base


def set_value(config: Any, key: str, value: Any) -> None:
    """Set one key of a configuration, as a layer with that key alone would.

    Args:
        config: changed in place.
        key: names and numbers of list elements, with dots between them; what lacks on the way to it is added.
        value: of plain containers.
    """
    above, _, last = key.rpartition(".")
    block = OmegaConf.select(config, above) if above else config
    if OmegaConf.is_dict(block):
        _make_way(block, last, value)
    elif OmegaConf.is_list(block) and last.isdecimal() and int(last) < len(block):
        _make_way(block, int(last), value)
    OmegaConf.update(config, key, value, merge=True, force_add=True)


def _make_way(block: Any, key: str | int, value: Any) -> None:
    """Empty a key of a mapping or list where a value cannot be merged into what stands there."""
    if not isinstance(value, dict | list) or (OmegaConf.is_dict(block) and key not in block):
        return
    refers = OmegaConf.is_interpolation(block, key) or OmegaConf.is_missing(block, key)
    standing = None if refers else block[key]
    if isinstance(value, list) or OmegaConf.is_list(standing) or (key in MASKS and "kind" in value):
        block[key] = None
    elif OmegaConf.is_dict(standing):
        for name, part in value.items():
            _make_way(standing, name, part)
