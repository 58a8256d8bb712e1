"""torch-fidelity's Inception with seeded random weights, as a file that both programs read."""

from pathlib import Path

import torch

from inpaint.metrics.extractors import InceptionV3Compat


def write_random_inception(path: Path) -> Path:
    """Write the state of the network to a file, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(InceptionV3Compat("random").network(torch.device("cpu")).state_dict(), path)
    return path
