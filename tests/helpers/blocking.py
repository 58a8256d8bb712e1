"""A Python in which packages cannot be imported, as where they are not installed."""

import subprocess
import sys
from collections.abc import Sequence

HEAVY = ("torch", "torchvision", "lightning", "pytorch_lightning", "lightning_fabric", "albumentations", "wandb")

_BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocked())
"""


def run_without(packages: Sequence[str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that lacks packages, and return how it ended."""
    program = f"BLOCKED = {tuple(packages)!r}{_BLOCK}{code}"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
