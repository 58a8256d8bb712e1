"""What the public programs computed."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PARITY = Path(__file__).resolve().parents[3] / "shared" / "parity"


@pytest.fixture(scope="session")
def parity() -> ModuleType:
    """The program that writes public programs' checkpoints of reproducible values, and what they computed from them."""
    if not (PARITY / "weights.py").is_file():
        pytest.skip("the public programs' outputs (../shared/parity) are not here")
    spec = importlib.util.spec_from_file_location("parity_weights", PARITY / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
