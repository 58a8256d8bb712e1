"""From a name or a place to an `Inpainter`. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, get_args

from inpaint.errors import ConfigError, InputError, UsageError, WeightsError, unknown
from inpaint.options import Options, validated
from inpaint.registry.table import FILLS, config_class, fill_options, models, names, network_class
from inpaint.types import Inpainter
from inpaint.weights.places import HUB_PREFIX, weights_at
from inpaint.weights.runs import Which

if TYPE_CHECKING:
    import torch


def load(
    name_or_place: str | os.PathLike[str],
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    weights: Which = "last",
    **options: Any,
) -> Inpainter:
    """Return the fill of a registered name, a run folder, a weights file or a repository "hf://owner/name".

    Args:
        name_or_place: Registered names win over paths: "./telea" is a path. A weights file is safetensors, or a
            checkpoint of a run (last.ckpt, best.ckpt).
        weights: Of a run folder, "last" or "best", by its validation.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: Of a network's weights and arithmetic, "float32" when not given; methods without a network have none.
        options: Those of the fill, see `options_of`.

    Raises:
        UsageError: An unknown name, option, device or dtype.
        InputError: Something that is neither a name nor a path.
        WeightsError: Weights that cannot be used.

    Example:
        >>> load("telea", radius=5).name
        'telea'
    """
    text = _text_of(name_or_place)
    if weights not in get_args(Which):
        raise UsageError(unknown("weights", str(weights), get_args(Which)))
    if text not in FILLS:
        return _network(weights_of(text, weights), device=device, dtype=dtype, options=options)
    if weights != "last":
        raise UsageError(f"weights={weights}: '{text}' has no weights to choose from; leave it out")
    entry = FILLS[text]
    chosen = _chosen(text, {"fill": fill_options(text)}, options)["fill"]
    placed = {}
    if entry.on_device or str(device) not in ("auto", "cpu"):  # else torch, half a GB of memory, is not imported
        from inpaint.system.devices import resolve_device

        where = resolve_device(device)  # a device that is not there is refused, whether or not it is used
        placed = {"device": where} if entry.on_device else {}
    fill: Inpainter = resolve_name(entry.factory)(chosen, **placed)
    return fill


def check_loadable(name_or_place: str | os.PathLike[str], **options: Any) -> None:
    """Raise what `load` would raise of a name, of missing weights and of the options of a fill; without torch.

    Args:
        name_or_place: As `load` takes it. Repositories are not asked.
        options: Those of the fill; a network's are known with its weights only.
    """
    text = os.fspath(name_or_place)
    if text in FILLS:
        _chosen(text, {"fill": fill_options(text)}, options)
    elif not text.startswith(HUB_PREFIX):
        weights_of(text)


def options_of(name_or_place: str | os.PathLike[str], *, weights: Which = "last") -> dict[str, Any]:
    """Return what `load` takes for this model besides the device: {name: type}.

    Raises UsageError or WeightsError, as `load`, for what cannot be loaded.
    """
    text = _text_of(name_or_place)
    if text in FILLS:
        return _types(fill_options(text))
    from inpaint.weights.files import read_metadata

    path = weights_of(text, weights)
    groups = _groups(read_metadata(path).model, path)
    return {"dtype": str, **{name: kind for group in groups.values() for name, kind in _types(group).items()}}


def _text_of(name_or_place: str | os.PathLike[str]) -> str:
    try:
        return os.fsdecode(name_or_place)
    except TypeError:
        raise InputError(
            f"a model is loaded by its name or by a path, not by {type(name_or_place).__name__}; names: "
            f"{', '.join(names())}"
        ) from None


def weights_of(text: str, weights: Which = "last") -> Path:
    """Return the weights file of a run folder, a path or an address; raises UsageError for anything else."""
    if text in models():
        raise UsageError(
            f"'{text}' needs weights: give the folder of a trained run, e.g. checkpoints/my-run, "
            f"or train one with `inpaint train model={text} data.root=PHOTOS`"
        )
    path = weights_at(text, weights)
    if path is None:
        raise UsageError(f"{unknown('model', text, names())}; nor is there a folder or file of that name")
    return path


def _network(
    path: Path, *, device: str | torch.device, dtype: str | torch.dtype | None, options: Mapping[str, Any]
) -> Inpainter:
    """Build the network that a weights file describes and load it; its discriminators stay in the file for now."""
    import torch

    from inpaint.models.discriminators import StoredDiscriminators, prepared
    from inpaint.system.devices import resolve_device
    from inpaint.weights.files import load_weights, mention_license, read_metadata

    where = resolve_device(device)
    metadata = read_metadata(path)
    chosen = _chosen("models with weights", _groups(metadata.model, path), options)
    wanted = _dtype(dtype)
    if where.type == "mps" and wanted == torch.float64:
        raise UsageError("dtype float64 does not exist on device mps; use device=cpu")
    try:
        config = validated(config_class(metadata.model), metadata.config)
    except ConfigError as error:
        raise WeightsError(f"{path} has a configuration this version does not know: {error}") from None
    kind = network_class(metadata.model)
    network = kind(config)
    # A file may also hold networks that only a ranking or further training needs.
    extra = tuple(f"{role}." for role in metadata.roles if role not in dict(network.named_children()))
    prepared(network, load_weights(path, without=extra)[0], dtype=wanted, source=path)
    mention_license(path, metadata)
    network.configure(chosen["network"])
    made: Inpainter = _adapter(metadata.model)(
        network,
        name=metadata.model,
        device=where,
        dtype=wanted,
        options=chosen["adapter"],
        discriminators=StoredDiscriminators(path, kind, config, dtype=wanted, device=where),
    )
    return made


def _adapter(model: str) -> Any:
    """Return the class that fills with the networks of a model."""
    from inpaint.models.base import SamplingNetwork
    from inpaint.models.feedforward import FeedForward
    from inpaint.models.sampling import Sampling

    return Sampling if issubclass(network_class(model), SamplingNetwork) else FeedForward


def _groups(model: str, path: Path) -> dict[str, type[Options]]:
    """Return the groups of options that a network is loaded with: its adapter's and its own."""
    if model not in models():
        raise WeightsError(f"{path}: {unknown('model', model, models())}; a newer version may know it")
    return {"adapter": _adapter(model).Options, "network": network_class(model).FillOptions}


def _types(options: type[Options]) -> dict[str, Any]:
    return {name: field.annotation for name, field in options.model_fields.items()}


def _chosen(what: str, groups: Mapping[str, type[Options]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return each group with the options given for it; raises UsageError for one that no group has."""
    valid = {name for group in groups.values() for name in group.model_fields}
    for name in given:
        if name not in valid:
            raise UsageError(unknown(f"option of {what}", name, valid))
    return {
        key: validated(group, {name: value for name, value in given.items() if name in group.model_fields})
        for key, group in groups.items()
    }


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    import torch

    valid = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype is None:
        return torch.float32
    name = str(dtype).removeprefix("torch.")
    if name not in valid:
        raise UsageError(unknown("dtype", name, valid))
    return valid[name]
