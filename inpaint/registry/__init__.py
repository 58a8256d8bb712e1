"""From a name or a path to an `Inpainter`. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from inpaint.errors import ConfigError, MissingDependencyError, UsageError, WeightsError, unknown
from inpaint.types import Capabilities, Inpainter

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel

WEIGHTS_NAME = "model.safetensors"
HUB_PREFIX = "hf://"


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that is trained. Its package holds `config.Config`, `network.Network` and `training.Training`.

    capabilities are those of the whole family; what a certain configuration accepts, its network says.
    """

    package: str
    capabilities: Capabilities
    summary: str


@dataclass(frozen=True, kw_only=True)
class FillEntry:
    """A fill that needs no weights: `factory` is "module:name", called with the options of the fill."""

    factory: str
    capabilities: Capabilities
    summary: str


MODELS: Mapping[str, ModelEntry] = {
    "deepfill": ModelEntry(
        package="inpaint.models.deepfill",
        capabilities=Capabilities(trained=True, guidance=frozenset({"sketch"}), smallest_px=8, multiple_px=8),
        summary="DeepFillv2: gated convolutions and contextual attention (Yu et al. 2019)",
    ),
    "edgeconnect": ModelEntry(
        package="inpaint.models.edgeconnect",
        capabilities=Capabilities(trained=True, guidance=frozenset({"edges"}), smallest_px=8, multiple_px=4),
        summary="EdgeConnect: lines first, then colors (Nazeri et al. 2019)",
    ),
    "pconv": ModelEntry(
        package="inpaint.models.pconv",
        capabilities=Capabilities(trained=True),
        summary="partial convolutions, a U-Net without adversary (Liu et al. 2018)",
    ),
    "pluralistic": ModelEntry(
        package="inpaint.models.pluralistic",
        capabilities=Capabilities(trained=True, stochastic=True, smallest_px=8, multiple_px=32),
        summary="Pluralistic: several plausible fills of one hole (Zheng et al. 2019)",
    ),
}

FILLS: Mapping[str, FillEntry] = {
    "mean": FillEntry(
        factory="inpaint.classical.mean:Mean",
        capabilities=Capabilities(trained=False, needs_known=True, thread_safe=True, smallest_px=1),
        summary="the mean color of the known pixels: the floor for comparisons",
    ),
    "telea": FillEntry(
        factory="inpaint.classical.opencv:Telea",
        capabilities=Capabilities(trained=False, needs_known=True, thread_safe=True, smallest_px=1),
        summary="fast marching (Telea 2004), OpenCV",
    ),
    "navier_stokes": FillEntry(
        factory="inpaint.classical.opencv:NavierStokes",
        capabilities=Capabilities(trained=False, needs_known=True, thread_safe=True, smallest_px=1),
        summary="fast marching along isophotes (after Bertalmio 2001), OpenCV",
    ),
    "dip": FillEntry(
        factory="inpaint.dip.fill:DeepImagePrior",
        capabilities=Capabilities(trained=False, stochastic=True, needs_known=True, smallest_px=8),
        summary="Deep Image Prior (Ulyanov et al. 2018): fits a network to the known pixels",
    ),
    "biharmonic": FillEntry(
        factory="inpaint.classical.biharmonic:Biharmonic",
        capabilities=Capabilities(trained=False, needs_known=True, thread_safe=True, smallest_px=1),
        summary="the smoothest surface through the known pixels: for thin holes; scikit-image",
    ),
    "patch": FillEntry(
        factory="inpaint.classical.patch:Patch",
        capabilities=Capabilities(trained=False, stochastic=True, needs_known=True, thread_safe=True, smallest_px=1),
        summary="patches copied from elsewhere in the picture, coarse to fine: for wide holes and texture",
    ),
}


def names() -> list[str]:
    """Return all registered names, trainable models first."""
    return [*MODELS, *FILLS]


def capabilities_of(name: str) -> Capabilities:
    """Return the capabilities of a registered name; raises UsageError for another."""
    if name in FILLS:
        return FILLS[name].capabilities
    return _model(name).capabilities


def config_class(name: str) -> type[BaseModel]:
    """Return the configuration of a trainable model."""
    config: type[BaseModel] = import_module(f"{_model(name).package}.config").Config
    return config


def network_module(name: str) -> ModuleType:
    """Return the module that holds a trainable model's `Network` and `discriminators`."""
    return import_module(f"{_model(name).package}.network")


def training_class(name: str) -> type[Any]:
    """Return the class that trains a model; this imports Lightning."""
    training: type[Any] = import_module(f"{_model(name).package}.training").Training
    return training


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; "auto" is the first accelerator there is, else the CPU.

    Raises UsageError for a device that does not exist here.
    """
    import torch

    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    present = ["cpu", *(["mps"] if torch.backends.mps.is_available() else [])]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present += ["cuda"] * (count > 0) + [f"cuda:{number}" for number in range(count)]
    if str(device) not in present:
        raise UsageError(unknown("device", str(device), ["auto", *present]))
    return torch.device(device)


def load(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    **options: Any,
) -> Inpainter:
    """Return the fill of a registered name, a run folder, a weights file or a repository "hf://owner/name".

    Registered names win over paths: "./telea" is a path. device: "auto", "cpu", "cuda", "cuda:1", "mps". dtype: of a
    network's weights and arithmetic, "float32" when not given; methods without a network have none. options: those of
    the fill; for networks `chunk`, the most images in one pass, what their `configure` takes, and for those that draw
    at random what `Sampling` takes.

    Raises UsageError for an unknown name, option, device or dtype, WeightsError for weights that cannot be used.
    """
    resolved = resolve_device(device)
    text = os.fspath(name_or_path)
    if text not in FILLS:
        return _from_file(_weights_of(text), device=resolved, dtype=dtype, options=options)
    factory = _factory(text)
    chosen = _options(text, (factory,), options)
    if "device" in inspect.signature(factory).parameters:
        chosen["device"] = str(resolved)
    fill: Inpainter = factory(**chosen)
    return fill


def options_of(name_or_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `load` takes for this model besides the device: {name: annotation of its type}.

    Raises UsageError or WeightsError, as `load`, for what cannot be loaded.
    """
    text = os.fspath(name_or_path)
    if text in FILLS:
        return _keywords(_factory(text), without=("device",))
    from inpaint.weights.files import read_metadata

    path = _weights_of(text)
    return {"dtype": str, **_keywords_of(_takers(read_metadata(path).model, path), without=_NETWORK_TAKES)}


def _factory(fill: str) -> Any:
    module, _, attribute = FILLS[fill].factory.partition(":")
    return getattr(import_module(module), attribute)


def _weights_of(text: str) -> Path:
    """Return the weights file of a run folder, a path or an address; raises UsageError for anything else."""
    if text in MODELS:
        raise UsageError(
            f"'{text}' needs weights: give the folder of a trained run, e.g. checkpoints/my-run, "
            f"or train one with `inpaint train model={text}`"
        )
    if text.startswith(HUB_PREFIX):
        return _from_hub(text.removeprefix(HUB_PREFIX))
    path = Path(text)
    if not text or not path.exists():
        raise UsageError(f"{unknown('model', text, names())}; nor is there a folder or file of that name")
    return _weights_in(path) if path.is_dir() else path


def _model(name: str) -> ModelEntry:
    if name not in MODELS:
        raise UsageError(unknown("model", name, MODELS))
    return MODELS[name]


def _weights_in(folder: Path) -> Path:
    """Return the weights of a run folder, or say what the folder lacks."""
    path = folder / WEIGHTS_NAME
    if path.exists():
        return path
    if (folder / "last.ckpt").exists():
        raise WeightsError(
            f"{folder} holds a run without {WEIGHTS_NAME}; resume it with "
            f"`inpaint train run.folder={folder} resume=auto` until it saves again"
        )
    raise WeightsError(f"no {WEIGHTS_NAME} in {folder}: not the folder of a run or of an import")


def _from_file(
    path: Path, *, device: torch.device, dtype: str | torch.dtype | None, options: Mapping[str, Any]
) -> Inpainter:
    """Build the network that a weights file describes and load it; its discriminators stay in the file for now."""
    import torch

    from inpaint.models.discriminators import Judges
    from inpaint.models.feedforward import prepare_for_inference
    from inpaint.options import validated
    from inpaint.weights.files import load_into, load_weights, mention_license, read_metadata

    metadata = read_metadata(path)
    adapter, *configure = takers = _takers(metadata.model, path)
    module = network_module(metadata.model)
    chosen = _options("models with weights", takers, options, taken=_NETWORK_TAKES)
    wanted = _dtype(dtype)
    if device.type == "mps" and wanted == torch.float64:
        raise UsageError("dtype float64 does not exist on device mps; use device=cpu")
    try:
        config = validated(config_class(metadata.model), metadata.config)
    except ConfigError as error:
        raise WeightsError(f"{path} has a configuration this version does not know: {error}") from None
    # Some files hold more digits than float32; half precision is for the pass, not for what is computed once.
    exact = wanted if wanted == torch.float64 else torch.float32

    def prepared(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> torch.nn.Module:
        network.to(exact)
        load_into(network, tensors, source=path)
        prepare_for_inference(network)
        return network.to(wanted).to(memory_format=torch.channels_last)

    network = module.Network(config)
    # A file may also hold networks that only a ranking or further training needs.
    held = [role for role in metadata.roles if role not in dict(network.named_children())]
    prepared(network, load_weights(path, without=tuple(f"{role}." for role in held))[0])
    mention_license(path, metadata)

    def judge(role: str, built: torch.nn.Module) -> torch.nn.Module:
        prefix = f"{role}."
        tensors = load_weights(path, only=prefix)[0]
        judging = prepared(built, {name.removeprefix(prefix): value for name, value in tensors.items()})
        return judging.eval().requires_grad_(False).to(device)

    judges = Judges(
        lambda: module.discriminators(config) if hasattr(module, "discriminators") else {},
        judge,
        held=held,
        names=getattr(module, "DISCRIMINATOR_NAMES", {}),
        source=str(path),
    )
    if configure:
        network.configure(**{name: chosen.pop(name) for name in _keywords(configure[0]) if name in chosen})
    made: Inpainter = adapter(network, name=metadata.model, device=device, dtype=wanted, judges=judges, **chosen)
    return made


_NETWORK_TAKES = ("name", "device", "dtype", "judges")  # from `load` itself


def _takers(model: str, path: Path) -> list[Any]:
    """Return what takes the options of a network: its adapter and, if there is one, its `configure`."""
    from inpaint.models.feedforward import FeedForward
    from inpaint.models.sampling import Sampling

    if model not in MODELS:
        raise WeightsError(f"{path}: {unknown('model', model, MODELS)}; a newer version may know it")
    configure = getattr(network_module(model).Network, "configure", None)
    adapter = Sampling if MODELS[model].capabilities.stochastic else FeedForward
    return [adapter] if configure is None else [adapter, configure]


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    import torch

    valid = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype is None:
        return torch.float32
    name = str(dtype).removeprefix("torch.")
    if name not in valid:
        raise UsageError(unknown("dtype", name, valid))
    return valid[name]


def _options(
    what: str, takers: Sequence[Any], given: Mapping[str, Any], *, taken: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the options if one of the takers has keywords of these names; raises UsageError for any other."""
    valid = _keywords_of(takers, without=taken)
    for name in given:
        if name not in valid:
            raise UsageError(unknown(f"option of {what}", name, valid))
    return dict(given)


def _keywords_of(takers: Sequence[Any], *, without: tuple[str, ...]) -> dict[str, Any]:
    return {name: kind for taker in takers for name, kind in _keywords(taker, without=without).items()}


def _keywords(taker: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the keywords of a function or class with their types."""
    parameters = inspect.signature(taker, eval_str=True).parameters.values()
    return {p.name: p.annotation for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in without}


def _from_hub(repository: str) -> Path:
    """Fetch the weights of a repository on the Hugging Face hub, or find them in its cache."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise MissingDependencyError(
            f"{HUB_PREFIX} addresses need the package huggingface_hub: pip install 'inpaint[hub]'"
        ) from None
    if repository.count("/") != 1:
        raise UsageError(f"a repository is written {HUB_PREFIX}owner/name, got {HUB_PREFIX}{repository}")
    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_NAME))
    except HFValidationError as error:
        raise UsageError(f"{HUB_PREFIX}{repository}: {error}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise WeightsError(
            f"cannot fetch {WEIGHTS_NAME} of {HUB_PREFIX}{repository}: {reason}; if this machine is offline, download "
            f"the file elsewhere and give its path"
        ) from None
