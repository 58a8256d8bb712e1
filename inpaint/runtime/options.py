"""What a caller may choose for a fill by ONNX Runtime; cheap to import."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from inpaint.options import Options


class RuntimeOptions(Options):
    """Of every graph.

    threads: of the CPU for one photo, null = all cores. With one, several photos may be filled at the same time.
    providers: ONNX Runtime's names of what computes, in the order of preference; null = what the device says.
    """

    threads: PositiveInt | None = None
    providers: tuple[str, ...] | None = None


class NetworkOptions(RuntimeOptions):
    """Of a network graph. chunk: most images per pass, null = as suits the memory; the answer does not depend on it."""

    chunk: PositiveInt | None = None


class SamplingOptions(NetworkOptions):
    """Of a network graph that draws at random. latent: "drawn", or "mean" for one fill in which nothing is random."""

    latent: Literal["drawn", "mean"] = "drawn"
