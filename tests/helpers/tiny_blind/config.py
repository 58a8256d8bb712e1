"""What the tiny blind model is made of."""

from __future__ import annotations

from inpaint.options import ModelConfig
from inpaint.types import Capabilities


class Config(ModelConfig):
    """reach_px: how far it looks for clean pixels."""

    reach_px: int = 3

    def capabilities(self) -> Capabilities:
        return Capabilities(trained=True, blind=True, multiple_px=4, smallest_px=8, context_px=16)
