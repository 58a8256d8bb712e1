"""The run of a small harmonizer that makes objects darker."""

from __future__ import annotations

from pathlib import Path

import torch

from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.network import Network
from inpaint.weights.files import WeightsMetadata, save_weights


def written_harmonizer(folder: Path) -> Path:
    """Write its weights into a folder, and return that."""
    network = Network(Config(**Config.SMALL))
    with torch.no_grad():
        network.generator.numbers.bias[9:] -= 0.2
    metadata = WeightsMetadata(model="pctnet", config=network.config.model_dump(mode="json"), roles=("generator",))
    folder.mkdir(exist_ok=True)
    save_weights(folder / "model.safetensors", dict(network.state_dict()), metadata)
    return folder
