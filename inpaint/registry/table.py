"""The table of names. Nothing is imported before it is asked for, torch included.

Another package registers a model by an entry point of the group "inpaint.models": its name, and the package that holds
`config.py`, `network.py` and `training.py`, whose docstring is the summary; and `zoo.py`, where public weights exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

from inpaint.errors import UsageError, unknown
from inpaint.fills.table import MethodEntry, Methods
from inpaint.types import Capabilities, Inpainter, Plane

if TYPE_CHECKING:
    from inpaint.models.base import ModelNetwork
    from inpaint.options import ModelConfig

GROUP = "inpaint.models"


@dataclass(frozen=True)
class ModelEntry:
    """A model that is trained. Its package holds `config.Config`, `network.Network` and `training.Training`."""

    package: str

    @property
    def summary(self) -> str:
        """The first line of the package's docstring."""
        return (import_module(self.package).__doc__ or "").strip().partition("\n")[0]

    def module(self, name: str) -> ModuleType:
        """Import a module of the package."""
        return import_module(f"{self.package}.{name}")


MODELS: Mapping[str, ModelEntry] = {
    "adain": ModelEntry("inpaint.models.adain"),
    "aotgan": ModelEntry("inpaint.models.aotgan"),
    "deepfill": ModelEntry("inpaint.models.deepfill"),
    "edgeconnect": ModelEntry("inpaint.models.edgeconnect"),
    "erasenet": ModelEntry("inpaint.models.erasenet"),
    "glcic": ModelEntry("inpaint.models.glcic"),
    "johnson": ModelEntry("inpaint.models.johnson"),
    "lama": ModelEntry("inpaint.models.lama"),
    "migan": ModelEntry("inpaint.models.migan"),
    "multistyle": ModelEntry("inpaint.models.multistyle"),
    "pconv": ModelEntry("inpaint.models.pconv"),
    "pctnet": ModelEntry("inpaint.models.pctnet"),
    "pluralistic": ModelEntry("inpaint.models.pluralistic"),
    "scfegan": ModelEntry("inpaint.models.scfegan"),
    "vcnet": ModelEntry("inpaint.models.vcnet"),
    "wct": ModelEntry("inpaint.models.wct"),
}

DEFAULT = "deepfill"
"""What is trained and measured where no model is named."""

FILLS: Methods[Inpainter] = Methods(
    "model",
    mean=MethodEntry(
        options="inpaint.classical.options:MeanOptions",
        factory="inpaint.classical.mean:Mean",
        summary="the mean color of the known pixels: the floor for comparisons",
    ),
    telea=MethodEntry(
        options="inpaint.classical.options:MarchingOptions",
        factory="inpaint.classical.opencv:Telea",
        summary="fast marching (Telea 2004), OpenCV",
    ),
    navier_stokes=MethodEntry(
        options="inpaint.classical.options:MarchingOptions",
        factory="inpaint.classical.opencv:NavierStokes",
        summary="fast marching along isophotes (after Bertalmio 2001), OpenCV",
    ),
    dip=MethodEntry(
        options="inpaint.dip.options:FillOptions",
        factory="inpaint.dip.fill:DeepImagePrior",
        summary="Deep Image Prior (Ulyanov et al. 2018): fits a network to the known pixels",
        on_device=True,
    ),
    biharmonic=MethodEntry(
        options="inpaint.classical.options:BiharmonicOptions",
        factory="inpaint.classical.biharmonic:Biharmonic",
        summary="the smoothest surface through the known pixels: for thin holes; scikit-image",
    ),
    patch=MethodEntry(
        options="inpaint.classical.options:PatchOptions",
        factory="inpaint.classical.patch:Patch",
        summary="patches copied from elsewhere in the image, coarse to fine: for wide holes and texture",
    ),
)


@cache
def outside_models() -> Mapping[str, ModelEntry]:
    """Return the models that other installed packages register; names of ours are not theirs to take."""
    ours = {*MODELS, *FILLS}
    return {entry.name: ModelEntry(entry.value) for entry in entry_points(group=GROUP) if entry.name not in ours}


def models() -> dict[str, ModelEntry]:
    """Return every trainable model by name, those of other packages last."""
    return {**MODELS, **outside_models()}


def inpainters() -> dict[str, ModelEntry]:
    """Return the trainable models that fill holes, as `inpaint.load` loads them."""
    return {name: entry for name, entry in models().items() if not capabilities(name).stylizes}


def style_models() -> dict[str, ModelEntry]:
    """Return the trainable models that paint whole images in a style, see `inpaint.registry.stylizers`."""
    return {name: entry for name, entry in models().items() if capabilities(name).stylizes}


def names() -> list[str]:
    """Return the registered names of all that fills holes, trainable models first."""
    return [*inpainters(), *FILLS]


def model_entry(name: str) -> ModelEntry:
    """Return the entry of a trainable model; raises UsageError for another name."""
    found = MODELS.get(name) or outside_models().get(name)
    if found is None:
        raise UsageError(unknown("model", name, models()))
    return found


def config_class(name: str) -> type[ModelConfig]:
    """Return the configuration of a trainable model."""
    config: type[ModelConfig] = model_entry(name).module("config").Config
    return config


def network_module(name: str) -> ModuleType:
    """Return the module with the network of a trainable model and its parts; this imports torch."""
    return model_entry(name).module("network")


def network_class(name: str) -> type[ModelNetwork]:
    """Return the network of a trainable model; this imports torch."""
    network: type[ModelNetwork] = network_module(name).Network
    return network


def training_class(name: str) -> type[Any]:
    """Return the class that trains a model; this imports Lightning."""
    training: type[Any] = model_entry(name).module("training").Training
    return training


def capabilities(name: str) -> Capabilities:
    """Return what a registered name can do, a model in its default configuration.

    Raises UsageError for another name.
    """
    if name in FILLS:
        found: Capabilities = FILLS.kind(name).capabilities
        return found
    return config_class(name)().capabilities()


def list_models() -> dict[str, Capabilities]:
    """Return what each name that fills holes can do, trainable models in their default configuration first.

    Names of fills go to `inpaint.load` as they are; trainable models need weights: the folder of a run or import.

    Example:
        >>> [name for name, can in list_models().items() if not can.trained]
        ['mean', 'telea', 'navier_stokes', 'dip', 'biharmonic', 'patch']
    """
    return {name: capabilities(name) for name in names()}


@dataclass(frozen=True)
class Described:
    """A fill before it is loaded: what it is called and what it can do."""

    name: str
    capabilities: Capabilities


def planes() -> dict[str, Plane]:
    """Return every plane that a caller of some registered model's fill may give, by name."""
    return {plane.name: plane for name in models() for plane in config_class(name).PLANES if plane.read is not None}
