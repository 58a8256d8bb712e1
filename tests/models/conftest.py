"""Networks whose outputs depend visibly on all that they read."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from inpaint.nn.spectral import converge

PARITY = Path(__file__).resolve().parents[3] / "shared" / "parity"


def redraw(network: nn.Module, gain: float = 2.4, seed: int = 0) -> nn.Module:
    """Redraw all weights so that signals keep their size through the gates; a fresh network paints almost plain gray.

    gain / sqrt(fan_in) with gain 2.4 keeps the deviation of activation(a) * sigmoid(g) near that of its input.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            scale = gain / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(noise * scale)
    converge(network)
    return network


@pytest.fixture
def lively() -> Callable[..., nn.Module]:
    """`lively(network)` redraws its weights and returns it."""
    return redraw


@pytest.fixture(scope="session")
def parity() -> ModuleType:
    """The program that writes public programs' checkpoints of reproducible values, and what they computed from them."""
    if not (PARITY / "weights.py").is_file():
        pytest.skip("the public programs' outputs (../shared/parity) are not here")
    spec = importlib.util.spec_from_file_location("parity_weights", PARITY / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
