"""From a name or a place to an `Inpainter`. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import inpaint.registry.zoo as zoo
from inpaint.errors import ConfigError, InputError, UsageError, WeightsError, unknown
from inpaint.options import Options, validated
from inpaint.registry.graphs import StoredGraph, refuse_dtype, stored_graph
from inpaint.registry.table import (
    FILLS,
    Described,
    capabilities,
    config_class,
    models,
    names,
    network_class,
    style_models,
)
from inpaint.strategies.options import StrategyOptions
from inpaint.types import Capabilities, Inpainter
from inpaint.weights.graphs import is_graph
from inpaint.weights.places import HUB_PREFIX
from inpaint.weights.runs import Which

if TYPE_CHECKING:
    import torch

    from inpaint.models.base import ModelNetwork
    from inpaint.options import ModelConfig
    from inpaint.weights.files import WeightsMetadata
    from inpaint.weights.public import PublicWeights

DTYPES = ("float32", "float64", "bfloat16", "float16")
"""What networks may compute in, the usual type first."""


def load(
    name_or_place: str | os.PathLike[str],
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    weights: Which = "last",
    **options: Any,
) -> Inpainter:
    """Return the fill of a name, a run folder, a weights or ONNX file, or a repository "hf://owner/name".

    Args:
        name_or_place: Registered names, and those of public weights (`inpaint models`), win over paths: "./telea" is a
            path. Public weights are fetched once, and kept. A weights file is safetensors, or a checkpoint of a run
            (last.ckpt, best.ckpt). An ONNX file that `inpaint export` has written is filled with by ONNX Runtime,
            without torch.
        weights: Of a run folder, "last" or "best", by its validation.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: Of a network's weights and arithmetic, "float32" when not given; methods without a network have none, and
            an ONNX file has its own.
        options: Those of the fill, and those of `StrategyOptions`, see `options_of`. With one of these the answer is a
            `StrategicFill` around the fill, which plans how images of any size are filled; without, every image is
            filled as it comes.

    Raises:
        UsageError: An unknown name, option, device or dtype.
        InputError: Something that is neither a name nor a path.
        WeightsError: Weights that cannot be used.

    Example:
        >>> load("telea", radius=5).name
        'telea'
    """
    text = _text_of(name_or_place)
    _check_choice(text, weights)
    own, strategy = _apart(options)
    chosen = None if strategy is None else _chosen(text, {"strategy": StrategyOptions}, strategy)["strategy"]
    _check_public(text, dtype, own, chosen)
    made = (
        FILLS.made(text, _chosen(text, {"fill": FILLS.kind(text)}, own)["fill"], device=device)
        if text in FILLS
        else _from_file(weights_of(text, weights), device=device, dtype=dtype, options=own)
    )
    if chosen is None:
        return made
    from inpaint.strategies.wrapper import StrategicFill

    return StrategicFill(made, chosen, device=memory_device(text, device))


def described(
    name_or_place: str | os.PathLike[str],
    *,
    dtype: str | torch.dtype | None = None,
    weights: Which = "last",
    **options: Any,
) -> Described | None:
    """Return what a fill is called and can do before it is loaded, and raise what `load` would raise by then.

    torch is not imported, except to read the checkpoint of a run. Repositories are not asked: None stands for what
    they hold. Public weights are fetched, once the options are known to be right. The arguments are those of `load`.
    """
    text = _text_of(name_or_place)
    _check_choice(text, weights)
    own, strategy = _apart(options)
    chosen = _chosen(text, {"strategy": StrategyOptions}, strategy or {})["strategy"]
    _check_public(text, dtype, own, chosen)
    if text in FILLS:
        _chosen(text, {"fill": FILLS.kind(text)}, own)
        return _refinable(Described(text, capabilities(text)), chosen)
    if text.startswith(HUB_PREFIX):
        return None
    path = weights_of(text, weights)
    stored = _filling(text, _stored(path))
    fill = _chosen("models with weights", stored.groups(), own)
    if isinstance(stored, StoredGraph):
        refuse_dtype(path, dtype)
    else:
        _dtype_name(dtype)
    return _refinable(Described(stored.name, stored.capabilities(fill)), chosen)


def options_of(name_or_place: str | os.PathLike[str], *, weights: Which = "last") -> dict[str, Any]:
    """Return what `load` takes for this model besides the device: {name: type}. Public weights need not be here.

    Raises UsageError or WeightsError, as `load`, for what cannot be loaded.
    """
    text = _text_of(name_or_place)
    shared = _types(StrategyOptions)
    if text in FILLS:
        return {**_types(FILLS.kind(text)), **shared}
    row = zoo.find(text)
    stored = _filling(text, _stored(weights_of(text, weights))) if row is None else None
    groups = stored.groups() if stored is not None else _groups(_usual(zoo.row_named(text)))
    own = {name: kind for group in groups.values() for name, kind in _types(group).items()}
    return {**({} if isinstance(stored, StoredGraph) else {"dtype": str}), **own, **shared}


def _check_choice(text: str, weights: object) -> None:
    """Raise UsageError unless these weights may be chosen of a model."""
    if not isinstance(weights, str) or weights not in get_args(Which):
        raise UsageError(unknown("weights", str(weights), get_args(Which)))
    if weights != "last" and (text in FILLS or zoo.find(text) is not None):
        what = "no weights" if text in FILLS else "one file of weights, nothing"
        raise UsageError(f"weights={weights}: '{text}' has {what} to choose from; leave it out")


def _check_public(
    text: str, dtype: str | torch.dtype | None, options: Mapping[str, Any], strategy: StrategyOptions | None
) -> None:
    """Raise UsageError for what public weights cannot be loaded with, before they are fetched."""
    row = zoo.find(text)
    if row is not None:
        config = _usual(row)
        _chosen("models with weights", _groups(config), options)
        _dtype_name(dtype)
        _refinable(Described(row.model, config.capabilities()), strategy or StrategyOptions())


def _usual(row: PublicWeights) -> ModelConfig:
    """Return the configuration that a model has where nothing is said; no option of a fill depends on the rest."""
    return config_class(row.model)()


def _text_of(name_or_place: str | os.PathLike[str]) -> str:
    try:
        return os.fsdecode(name_or_place)
    except TypeError:
        raise InputError(
            f"a model is loaded by its name or by a path, not by {type(name_or_place).__name__}; names: "
            f"{', '.join([*names(), *zoo.public_weights()])}"
        ) from None


def weights_of(text: str, weights: Which = "last") -> Path:
    """Return the weights file of public weights, a run folder, a path or an address.

    Raises UsageError for anything else.
    """
    if text in style_models():
        raise UsageError(
            f"'{text}' needs weights: give the folder of a trained run, e.g. checkpoints/my-run, or train one with "
            f"`inpaint train model={text} data.root=PHOTOS data.styles=PICTURES`; it stylizes, see `inpaint stylize`"
        )
    if text in models():
        public = [name for name, row in zoo.public_weights().items() if row.model == text]
        raise UsageError(
            f"'{text}' needs weights: give the folder of a trained run, e.g. checkpoints/my-run, "
            f"{'public weights (' + ', '.join(public) + '), ' if public else ''}"
            f"or train one with `inpaint train model={text} data.root=PHOTOS`"
        )
    path = zoo.weights_at(text, weights)
    if path is None:
        valid = [*names(), *zoo.public_weights()]
        raise UsageError(f"{unknown('model', text, valid)}; nor is there a folder or file of that name")
    return path


def _from_file(
    path: Path, *, device: str | torch.device, dtype: str | torch.dtype | None, options: Mapping[str, Any]
) -> Inpainter:
    """Return the fill of a weights file, or of an ONNX file."""
    stored = _filling(str(path), _stored(path))
    if isinstance(stored, StoredGraph):
        refuse_dtype(path, dtype)
        return stored.load(str(device), _chosen("ONNX files", stored.groups(), options))
    return _network(path, stored, device=device, dtype=dtype, options=options)


def _network(
    path: Path,
    stored: StoredNetwork,
    *,
    device: str | torch.device,
    dtype: str | torch.dtype | None,
    options: Mapping[str, Any],
) -> Inpainter:
    """Build the network that a weights file describes and load it; its discriminators stay in the file for now."""
    metadata, config = stored.metadata, stored.config
    chosen = _chosen("models with weights", stored.groups(), options)
    network, where, wanted = _built(path, stored, device=device, dtype=dtype)

    from inpaint.models.discriminators import StoredDiscriminators

    network.configure(chosen["network"])
    made: Inpainter = _adapter(config)(
        network,
        name=metadata.model,
        device=where,
        dtype=wanted,
        options=chosen["adapter"],
        discriminators=StoredDiscriminators(path, type(network), config, dtype=wanted, device=where),
    )
    return made


def _built(
    path: Path, stored: StoredNetwork, *, device: str | torch.device, dtype: str | torch.dtype | None
) -> tuple[Any, torch.device, torch.dtype]:
    """Return the network of a weights file, still on the CPU, and the device and type that it is to compute in."""
    computed = _dtype_name(dtype)

    import torch

    from inpaint.models.discriminators import prepared
    from inpaint.system.devices import resolve_device
    from inpaint.weights.files import load_weights
    from inpaint.weights.licenses import mention_license

    metadata = stored.metadata
    where = resolve_device(device)
    wanted: torch.dtype = getattr(torch, computed)
    if where.type == "mps" and wanted == torch.float64:
        raise UsageError("dtype float64 does not exist on device mps; use device=cpu")
    network = network_class(metadata.model)(stored.config)
    # A file may also hold networks that only a ranking or further training needs.
    extra = tuple(f"{role}." for role in metadata.roles if role not in dict(network.named_children()))
    prepared(network, load_weights(path, without=extra)[0], dtype=wanted, source=path)
    mention_license(path, metadata.license)
    network.trained_px = metadata.trained_px
    return network, where, wanted


def stored_network(text: str, weights: Which = "last") -> tuple[Path, StoredNetwork]:
    """Return the weights file of a trained network, whatever it is for, and what it says of itself.

    Raises UsageError or WeightsError, as `load`; also for an ONNX file, which is no network of ours.
    """
    path = weights_of(text, weights)
    stored = _stored(path)
    if isinstance(stored, StoredGraph):
        raise UsageError(f"{path} is an ONNX file; give the run or weights file that it was exported from")
    return path, stored


def built(
    text: str,
    *,
    weights: Which = "last",
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
) -> tuple[ModelNetwork, WeightsMetadata]:
    """Return a trained network, whatever it is for, on its device and in its type, and what its file says.

    Raises UsageError or WeightsError, as `load`.
    """
    path, stored = stored_network(text, weights)
    network, where, wanted = _built(path, stored, device=device, dtype=dtype)
    return network.to(device=where, dtype=wanted), stored.metadata


def _adapter(config: ModelConfig) -> Any:
    """Return the class that fills with the network of a configuration."""
    from inpaint.models.feedforward import FeedForward
    from inpaint.models.sampling import Sampling

    return Sampling if config.capabilities().stochastic else FeedForward


@dataclass(frozen=True)
class StoredNetwork:
    """What a weights file says of itself, and the configuration of the network in it."""

    metadata: WeightsMetadata
    config: ModelConfig

    @property
    def name(self) -> str:
        """The model's name."""
        return self.metadata.model

    def capabilities(self, chosen: Mapping[str, Any]) -> Capabilities:
        """Return what the network can do with the discriminators beside it, whatever was chosen of `groups`."""
        known = self.config.capabilities()
        trained_px = self.metadata.trained_px or known.trained_px
        return replace(known, scored=self.config.RANKED_BY in self.metadata.roles, trained_px=trained_px)

    def groups(self) -> dict[str, type[Options]]:
        """See `_groups`."""
        return _groups(self.config)


def _groups(config: ModelConfig) -> dict[str, type[Options]]:
    """Return the groups of options that a network is loaded with: its adapter's and its own."""
    from inpaint.models.options import adapter_options

    return {"adapter": adapter_options(config.capabilities()), "network": config.FillOptions}


def _filling(text: str, stored: StoredNetwork | StoredGraph) -> StoredNetwork | StoredGraph:
    """Return what was found at a place. Raises UsageError where it is no fill but stylizes."""
    if isinstance(stored, StoredNetwork) and stored.config.capabilities().stylizes:
        raise UsageError(
            f"'{text}' holds a {stored.name}, which paints whole images in a style and fills no holes: "
            f"use `inpaint stylize --model {text}`"
        )
    return stored


def _stored(path: Path) -> StoredNetwork | StoredGraph:
    if is_graph(path):
        return stored_graph(path)
    from inpaint.weights.files import read_metadata

    metadata = read_metadata(path)
    if metadata.model not in models():
        raise WeightsError(f"{path}: {unknown('model', metadata.model, models())}; a newer version may know it")
    try:
        return StoredNetwork(metadata, validated(config_class(metadata.model), metadata.config))
    except ConfigError as error:
        raise WeightsError(f"{path} has a configuration this version does not know: {error}") from None


def _apart(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the options of a fill and those of its strategy; None where none of these is given."""
    strategy = {name: value for name, value in options.items() if name in StrategyOptions.model_fields}
    return {name: value for name, value in options.items() if name not in strategy}, strategy or None


def _refinable(fill: Described, chosen: StrategyOptions) -> Described:
    """Return the fill. Raises UsageError where its features are to be refined and it offers none."""
    if chosen.refine and not fill.capabilities.refinable:
        raise UsageError(f"refine: {fill.name} has no features that could be refined; leave it out")
    return fill


def memory_device(text: str, device: str | torch.device) -> str | None:
    """Return where a fill computes, by name, for the memory that it may take; None where nobody says what is free."""
    if text in FILLS and not FILLS[text].on_device:
        return "cpu"
    if is_graph(text):
        return "cpu" if str(device) in ("auto", "cpu") else None  # accelerators are asked by torch
    from inpaint.system.devices import resolve_device

    return str(resolve_device(device))


def _types(options: type[Options]) -> dict[str, Any]:
    return {name: field.annotation for name, field in options.model_fields.items()}


def _chosen(what: str, groups: Mapping[str, type[Options]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return each group with the options given for it; raises UsageError for one that no group has."""
    valid = {name for group in groups.values() for name in group.model_fields}
    for name in given:
        if name not in valid:
            raise UsageError(unknown(f"option of {what}", name, {*valid, *StrategyOptions.model_fields}))
    return {
        key: validated(group, {name: value for name, value in given.items() if name in group.model_fields})
        for key, group in groups.items()
    }


def _dtype_name(dtype: str | torch.dtype | None) -> str:
    """Return the name that torch has for a type; raises UsageError for one that no network computes in."""
    name = DTYPES[0] if dtype is None else str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise UsageError(unknown("dtype", name, DTYPES))
    return name
