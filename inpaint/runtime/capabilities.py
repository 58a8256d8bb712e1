"""What a graph can do; cheap to import."""

from __future__ import annotations

from dataclasses import replace

from inpaint.runtime.options import RuntimeOptions, SamplingOptions
from inpaint.types import Capabilities

PIPELINE_PIXEL_BYTES = 64
"""Of memory per pixel of a photo, beside what the network inside takes, which has one size."""


def capable(capabilities: Capabilities, options: RuntimeOptions) -> Capabilities:
    """Return what a graph can do with these options."""
    mean = isinstance(options, SamplingOptions) and options.latent == "mean"
    return replace(
        capabilities,
        stochastic=capabilities.stochastic and not mean,
        thread_safe=options.threads == 1,
        scored=False,  # discriminators are not exported
        refinable=False,  # nor is half a network
    )


def pipeline_capabilities(network: Capabilities | None = None) -> Capabilities:
    """Return what a pipeline graph can do, for a network of these capabilities; None: of a file of somebody else.

    No trained side and no context: a strategy gives it the whole photo, of which it crops and reduces what it needs.
    """
    needs_known = network is None or network.needs_known
    return Capabilities(trained=True, needs_known=needs_known, pixel_bytes=PIPELINE_PIXEL_BYTES)
