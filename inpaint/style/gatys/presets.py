"""How losses are normalized in papers and programs, with the weights that go with it; cheap to import.

All are multiples of two sums: S, of squared differences between features, and D, of squared differences between the
means of products of two channels (Gram matrices divided by the number of positions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Normalization: TypeAlias = Literal["gatys", "mean", "hw"]
"""gatys: content S/2, style D/(4 C^2), the papers'. mean: content S/(C M), style D/C^4, the means over Gram matrices
divided by C M, as J. Johnson's programs have it. hw: content S/(C M), style D/C^2. C: channels, M: positions."""

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CHANNELS: Mapping[int, int] = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}
"""Of each block of a VGG."""


@dataclass(frozen=True)
class Weights:
    """What a normalization's authors weigh by.

    Args:
        content: Of each content layer.
        style: Of each style layer.
        squared_channels: Whether that is divided by the squared number of the layer's channels.
    """

    content: float
    style: float
    squared_channels: bool = False

    def of_style(self, layer: str) -> float:
        """Return the weight of a style layer."""
        block = int(layer.partition("_")[0][-1])
        return self.style / CHANNELS[block] ** 2 if self.squared_channels else self.style


WEIGHTS: Mapping[Normalization, Weights] = {
    "gatys": Weights(content=1.0, style=1e3 / 5),  # the paper's ratio of 1e-3, a fifth for each layer
    "mean": Weights(content=5.0, style=100.0),  # jcjohnson/neural-style
    "hw": Weights(content=1.0, style=1e3, squared_channels=True),  # Gatys' own program for PyTorch
}


def content_factor(normalization: Normalization, channels: int, positions: int) -> float:
    """Return what S is multiplied by.

    Example:
        >>> content_factor("gatys", 512, 4096), content_factor("mean", 512, 4096) * 512 * 4096
        (0.5, 1.0)
    """
    return 0.5 if normalization == "gatys" else 1 / (channels * positions)


def style_factor(normalization: Normalization, channels: int) -> float:
    """Return what D is multiplied by.

    Example:
        >>> style_factor("mean", 64) / style_factor("gatys", 64) == 4 / 64**2
        True
        >>> style_factor("hw", 64) / style_factor("gatys", 64)
        4.0
    """
    return {"gatys": 0.25 / channels**2, "mean": 1 / channels**4, "hw": 1 / channels**2}[normalization]
