"""What a caller of `inpaint.load` may choose for a fill with a network, beside the network's own options.

Cheap to import, so that mistakes are told before torch is loaded.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from inpaint.options import Options
from inpaint.types import Capabilities


class FeedForwardOptions(Options):
    """chunk: most images per pass, null = the whole batch at once; the answer does not depend on it."""

    chunk: PositiveInt | None = None


class SamplingOptions(FeedForwardOptions):
    """Of fills with a network that draws at random.

    chunk: most images painted per pass, null = as suits the device and the size. latent: "drawn", or "mean" for the
    mean of the distribution: one fill, in which nothing is random. scores: whether a discriminator scores every
    completed image; null = when there is more than one sample and the weights file holds the discriminator.
    """

    latent: Literal["drawn", "mean"] = "drawn"
    scores: bool | None = None


def adapter_options(capabilities: Capabilities) -> type[FeedForwardOptions]:
    """Return the options of the fill that is made of a network which can do this."""
    return SamplingOptions if capabilities.stochastic else FeedForwardOptions
