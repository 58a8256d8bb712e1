"""What may be chosen for Deep Image Prior and its networks, and what it can do; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import Field, field_validator, model_validator

from inpaint.errors import InputError, UsageError
from inpaint.options import Options
from inpaint.types import Capabilities, shown

if TYPE_CHECKING:
    import torch

Border: TypeAlias = Literal["reflect", "replicate", "zero"]
Upsampling: TypeAlias = Literal["nearest", "bilinear"]
Downsampling: TypeAlias = Literal["stride", "avg", "max", "lanczos2", "lanczos3"]
Activation: TypeAlias = Literal["leaky_relu", "swish", "elu", "none"]
Value = TypeVar("Value", int, Upsampling)

CPU_BUDGET_S = 60.0


class FillOptions(Options):
    """What may be chosen for `load("dip")`; all else follows from size and hole.

    Args:
        budget: Time for one image: "60s", "5m", "1h", seconds, or "none" for the preset's whole course; size, width and
            iterations follow from it. "auto" is a minute on a CPU, but none on an accelerator or where the course was
            asked for by iterations or exact.
        preset: A published setting; null chooses by size and hole.
        iterations: At most; null: the preset's, or what the budget allows.
        width: Channels at most; null: the preset's, or what the budget allows.
        exact: The published arithmetic and course, see `arithmetic.EXACT`; no crop, no coarse start, no early stop.
        tv: Weight of the total variation.
    """

    # Several photos at once are for a single thread of torch each: what is loaded knows.
    capabilities: ClassVar = Capabilities(
        stochastic=True, needs_known=True, gradual=True, thread_safe=True, smallest_px=8
    )
    budget: str | float = "auto"
    preset: str | None = None
    iterations: int | None = Field(None, ge=1)
    width: int | None = Field(None, ge=4, le=512)
    exact: bool = False
    tv: float = Field(0.0, ge=0)

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str | None) -> str | None:
        if value is not None:
            from inpaint.dip.presets import preset  # made of these options

            preset(value)
        return value

    @field_validator("budget")
    @classmethod
    def _a_time(cls, value: str | float) -> str | float:
        if value != "auto":
            seconds_of(str(value))
        return value

    def budget_s(self, device: torch.device) -> float | None:
        """Return the seconds for one image on a device; None is without limit."""
        if self.budget == "auto":
            free = device.type != "cpu" or self.exact or self.iterations is not None
            return None if free else CPU_BUDGET_S
        return seconds_of(str(self.budget))


class DipOptions(FillOptions):
    """All options of a restoration of any task.

    Args:
        network: decoder is the Deep Decoder, which has its own settings.
        lr: Learning rate; None takes the preset's.
        factor: Of super-resolution.
        lobes: Of the Lanczos kernel that reduces the size.
        langevin: Average samples of Langevin dynamics, which also give a map of uncertainty.
        runs: Average as many results from different seeds.
        stop: variance (EMV) and window (WMV) stop before noise is painted, hold-out by pixels kept from the loss, which
            also tell how good the answer is; auto takes hold-out for holes and for denoising.
        crop: Work on rectangles around the holes.
        coarse: Start at half the size; None: for wide holes in large images.
    """

    network: Literal["skip", "decoder"] = "skip"
    lr: float | None = Field(None, gt=0)
    factor: Literal[2, 4, 8] = 4
    lobes: Literal[2, 3] = 2
    langevin: bool = False
    runs: int = Field(1, ge=1, le=100)
    stop: Literal["auto", "variance", "window", "hold-out", "never"] = "auto"
    crop: bool = True
    coarse: bool | None = None


def checked_options(options: DipOptions | None) -> DipOptions:
    """Return the options, the usual ones for None; raises InputError for anything else."""
    if options is not None and not isinstance(options, DipOptions):
        raise InputError(f"options must be DipOptions, got {shown(options)}")
    return options or DipOptions()


class SkipOptions(Options):
    """Every switch of the skip network; scale 0 is the full size. One number or name stands for all scales."""

    in_channels: int = Field(32, gt=0)
    out_channels: int = Field(3, gt=0)
    down: tuple[int, ...] = (128,) * 5
    up: tuple[int, ...] | None = None  # as down
    skip: tuple[int, ...] | int = 4
    kernel_down: tuple[int, ...] | int = 3
    kernel_up: tuple[int, ...] | int = 3
    kernel_skip: int = 1
    upsample: tuple[Upsampling, ...] | Upsampling = "bilinear"
    downsample: Downsampling = "stride"
    activation: Activation = "leaky_relu"
    pointwise: bool = True  # a 1 x 1 convolution at the end of every scale
    sigmoid: bool = True
    border: Border = "reflect"

    @model_validator(mode="after")
    def _one_per_scale(self) -> SkipOptions:
        depth = len(self.down)
        if depth == 0 or min(self.down) < 1:
            raise ValueError(f"down must name at least one scale with at least 1 channel each, got {self.down}")
        for name, value in self:
            if isinstance(value, tuple) and len(value) != depth:
                raise ValueError(f"{name} must have one entry per scale ({depth}), got {len(value)}")
        for kernel in (*self.per_scale(self.kernel_down), *self.per_scale(self.kernel_up), self.kernel_skip):
            if kernel % 2 == 0:
                raise ValueError(f"kernels must be odd, got {kernel}")
        return self

    @property
    def depth(self) -> int:
        """Number of scales."""
        return len(self.down)

    def per_scale(self, value: tuple[Value, ...] | Value) -> tuple[Value, ...]:
        """Return the value of every scale."""
        return value if isinstance(value, tuple) else (value,) * self.depth

    def cut(self, depth: int) -> SkipOptions:
        """Return the options of the first `depth` scales."""
        return self.model_copy(update={name: value[:depth] for name, value in self if isinstance(value, tuple)})

    def deepest(self, height: int, width: int) -> int:
        """Return how many scales an image of this size allows; 0 means that it is too small for any.

        Mirroring needs a map larger than what is mirrored, and normalization more than one value per channel.
        """
        side, reach = min(height, width), [kernel // 2 for kernel in self.per_scale(self.kernel_down)]
        ups = [kernel // 2 for kernel in self.per_scale(self.kernel_up)]
        for scale in range(self.depth):
            half = (side + 1) // 2
            if half < 2 or half <= reach[scale] or side <= ups[scale]:
                return scale
            side = half
        return self.depth

    def fitting(self, height: int, width: int) -> SkipOptions:
        """Return these options with as many scales as the size allows, at least one."""
        return self.cut(max(1, self.deepest(height, width)))


def seconds_of(text: str) -> float | None:
    """Return seconds from "60", "60s", "5m", "1.5h"; None for "none". Raises UsageError for anything else."""
    if text == "none":
        return None
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], units[text[-1]]) if text and text[-1] in units else (text, 1.0)
    try:
        value = float(number) * unit
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"must be a time like 60s, 5m or 1h, or none; got '{text}'")
    return value
