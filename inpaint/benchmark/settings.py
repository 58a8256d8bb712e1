"""What is measured of a network: a pass through it or a step of its training, and what that is compared with.

Cheap to import, so that mistakes are told before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from inpaint.errors import UsageError, unknown

DTYPES = {
    "float32": "float32",
    "tf32": "float32",  # with TensorFloat-32 in matrix products and convolutions, on GPUs that have it
    "bfloat16": "bfloat16",
    "float64": "float64",
}
"""How a network may compute, and the type of torch that stands for it."""
PLAIN = {"reference": "Reference", "port": "Port"}
"""Plain arithmetic, and its class in a model's reference.py."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured: size in pixels; part: of the network alone, where it has such parts.

    kind: network, as `inpaint.load` prepares it; reference, the papers' plain arithmetic; port, the arithmetic of
    public ports where it differs from that. Raises UsageError for a dtype that is none of `DTYPES`.
    """

    model: str
    kind: str = "network"
    part: str | None = None
    compile: bool = False
    size: int = 256
    batch: int = 1
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UsageError(unknown("dtype", self.dtype, DTYPES))

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.kind}, {self.dtype}" + (", compiled" if self.compile else "")


def compared_settings(own: Setting, against: str | None) -> dict[str, Setting]:
    """Return a setting, and the one that it is compared with, by their names.

    Args:
        own: What is measured first.
        against: "reference" or "port", the plain arithmetic; "eager", "compiled" or a dtype, the network in another
            way; None: nothing.

    Raises:
        UsageError: There is no such thing, or it is what is measured already.
    """
    if against is None:
        return {own.name: own}
    others = {kind: replace(own, kind=kind, compile=False) for kind in PLAIN}
    others |= {how: replace(own, compile=how == "compiled") for how in ("eager", "compiled")}
    others |= {dtype: replace(own, dtype=dtype) for dtype in DTYPES}
    if against not in others:
        raise UsageError(unknown("--against", against, others))
    if others[against] == own:
        raise UsageError(f"--against {against} is what is measured already; give something else")
    return {own.name: own, others[against].name: others[against]}


@dataclass(frozen=True, kw_only=True)
class StepSetting:
    """One way to train: plain containers, as a configuration resolves to them.

    architecture, losses, loop: the blocks of the configuration. size: side of the images in pixels. separate: the
    discriminators get real and generated images in two passes instead of one.
    """

    model: str
    architecture: Mapping[str, Any]
    losses: Mapping[str, Any]
    loop: Mapping[str, Any]
    size: int
    separate: bool = False
