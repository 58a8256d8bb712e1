"""How much a stylized image changes when its content hardly does: what makes films flicker.

The model that is trained paints the content a second time, changed; see `inpaint.training.styling`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from inpaint.losses.base import Record, RecordTerm, at_least_float32

NOISY, FLOWED, FLOWED_RAW, TRACEABLE = "noisy", "flowed", "flowed_raw", "traceable"


class NoiseStability(RecordTerm):
    """Mean of (T(x + n) - T(x))^2 over all pixels and channels, n normal noise.

    noise: its standard deviation on the scale of [0, 1].
    """

    kind: Literal["noise_stability"] = "noise_stability"
    noise: float = Field(0.03, gt=0, le=1)

    @property
    def entries(self) -> frozenset[str]:
        """The result, and the result of the noisy content."""
        return frozenset({"raw", NOISY})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean."""
        return (at_least_float32(record[NOISY]) - record["raw"]).square().mean()


class FlowStability(RecordTerm):
    """Mean of (T(W(x)) - W(T(x)))^2 over the pixels whose origin lies in the image, W a random smooth motion.

    shift_px: most pixels by which all of the image moves. bend_px: standard deviation of what places a quarter of the
    image apart move beside that, each for itself.
    """

    kind: Literal["flow_stability"] = "flow_stability"
    shift_px: float = Field(4.0, ge=0)
    bend_px: float = Field(2.0, ge=0)

    @property
    def entries(self) -> frozenset[str]:
        """The result of the moved content, the moved result, and where both can be compared."""
        return frozenset({FLOWED, FLOWED_RAW, TRACEABLE})

    def __call__(self, record: Record) -> Tensor:
        """Return the mean over the pixels that can be compared, and over their channels; 0 where there are none."""
        traceable = at_least_float32(record[TRACEABLE])  # (B, 1, H, W)
        far = (at_least_float32(record[FLOWED]) - record[FLOWED_RAW]).square()
        return (far * traceable).sum() / (traceable.sum() * far.shape[1]).clamp_min(1)
