"""From an ONNX file to a fill, without torch: what the file says of itself, and what we know of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint.errors import ConfigError, UsageError, WeightsError
from inpaint.options import Options, validated
from inpaint.registry.table import config_class, models
from inpaint.types import FOUND, Capabilities, Inpainter, Plane
from inpaint.weights.graphs import NOISE, GraphMetadata, read_graph
from inpaint.weights.licenses import mention_license

if TYPE_CHECKING:
    from inpaint.options import ModelConfig
    from inpaint.runtime.options import RuntimeOptions

PIPELINE_SIGNATURE = ({"image": "uint8", "mask": "uint8"}, {"result": "uint8"})
"""Inputs and outputs of published pipelines, whose masks are white where the photo is known."""


@dataclass(frozen=True)
class StoredGraph:
    """An ONNX file that can fill. metadata: what it says of itself, None for a pipeline of somebody else."""

    path: Path
    metadata: GraphMetadata | None

    @property
    def name(self) -> str:
        """The model's name; the file's where nobody says it."""
        return self.path.stem if self.metadata is None else self.metadata.model

    def groups(self) -> dict[str, type[Options]]:
        """Return the group of options that it is loaded with."""
        from inpaint.runtime.options import NetworkOptions, RuntimeOptions, SamplingOptions

        if not self._is_network:
            return {"runtime": RuntimeOptions}
        stochastic = self.metadata is not None and self.metadata.capabilities.stochastic
        return {"runtime": SamplingOptions if stochastic else NetworkOptions}

    def capabilities(self, chosen: Mapping[str, Any]) -> Capabilities:
        """Return what it can do with the options that were chosen of `groups`."""
        from inpaint.runtime.capabilities import capable

        return capable(self._own_capabilities(), chosen["runtime"])

    def load(self, device: str, chosen: Mapping[str, Any]) -> Inpainter:
        """Open it on a device. Raises InpaintError as `inpaint.runtime.session.Session`."""
        from inpaint.runtime.fills import NetworkFill, PipelineFill
        from inpaint.runtime.session import Session

        options: RuntimeOptions = chosen["runtime"]
        derive = self._config().derive if self._derived() else None
        session = Session(self.path, device=device, options=options)
        about: dict[str, Any] = {"name": self.name, "capabilities": self._own_capabilities(), "options": options}
        said = self.metadata
        if said is not None:
            mention_license(self.path, said.license)
        if said is None or said.graph == "pipeline":
            return PipelineFill(session, known_is_white=said is None or said.known_is_white, **about)
        return NetworkFill(session, inputs=said.inputs, minimum_px=said.minimum_px, derive=derive, **about)

    @property
    def _is_network(self) -> bool:
        return self.metadata is not None and self.metadata.graph == "network"

    def _own_capabilities(self) -> Capabilities:
        from inpaint.runtime.capabilities import pipeline_capabilities

        if self.metadata is None or not self._is_network:
            return pipeline_capabilities(None if self.metadata is None else self.metadata.capabilities)
        read = {each.name for each in self.metadata.inputs}
        told = self.metadata.capabilities
        planes = tuple(self._plane(plane) for plane in told.planes if plane.name in read)
        return replace(told, planes=planes)

    def _plane(self, plane: Plane) -> Plane:
        """Return a plane as this version reads it from a file, where it knows the model."""
        assert self.metadata is not None
        known = config_class(self.name).PLANES if self.name in models() else ()
        own = {each.name: each for each in known}.get(plane.name)
        return plane if own is None else replace(plane, read=own.read, scales=own.scales, summary=own.summary)

    def _derived(self) -> list[str]:
        """Return the inputs that are neither planes of the caller nor noise, so that the model must make them."""
        if self.metadata is None:
            return []
        given = {NOISE, *(plane.name for plane in self.metadata.capabilities.planes)}
        return [each.name for each in self.metadata.inputs if each.name not in given]

    def _config(self) -> ModelConfig:
        """Return the model's configuration, which makes what is derived from an image."""
        assert self.metadata is not None
        needs = f"{self.path} reads {', '.join(self._derived())}, which its model '{self.name}' makes of the image"
        if self.name not in models():
            raise WeightsError(f"{needs}; this version does not know that model")
        try:
            return validated(config_class(self.name), self.metadata.config)
        except ConfigError as error:
            raise WeightsError(f"{needs}; this version does not know its configuration: {error}") from None


def stored_graph(path: Path) -> StoredGraph:
    """Return what an ONNX file is. Raises WeightsError for no graph that fills, UsageError for one that stylizes."""
    found = read_graph(path)
    if (found.inputs, found.outputs) == PIPELINE_SIGNATURE and "inpaint.format" not in found.entries:
        return StoredGraph(path, None)
    metadata = GraphMetadata.of(found.entries, path=path)
    if metadata.capabilities.stylizes:
        raise UsageError(
            f"'{path}' is a graph of a {metadata.model}, which paints whole images in a style and fills no holes: "
            "run it with ONNX Runtime, and the run that it was exported from with `inpaint stylize`"
        )
    lacking = [name for name in _inputs_of(metadata) if name not in found.inputs]
    if lacking:
        raise WeightsError(f"{path} has no input {', '.join(lacking)}, of which its metadata tells; export it again")
    if metadata.graph == "network" and metadata.capabilities.blind and FOUND not in found.outputs:
        raise WeightsError(f"{path} has no output {FOUND}, by which a blind model tells its hole; export it again")
    return StoredGraph(path, metadata)


def _inputs_of(metadata: GraphMetadata) -> list[str]:
    return ["image", "mask", *(each.name for each in metadata.inputs if metadata.graph == "network")]


def refuse_dtype(path: Path, dtype: object) -> None:
    """Raise UsageError where a type to compute in is asked of an ONNX file."""
    if dtype is not None:
        raise UsageError(
            f"dtype={dtype}: {path.name} computes as it was exported; leave it out, or export it again with --precision"
        )
