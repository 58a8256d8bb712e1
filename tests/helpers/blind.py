"""The tiny blind model in files, and photos with red strokes for it to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inpaint.models.feedforward import FeedForward
from inpaint.registry import table
from inpaint.weights.files import WeightsMetadata, save_weights
from tiny_blind.config import Config
from tiny_blind.network import Network

NAME = "tiny_blind"
RED = (255, 0, 0)


def tiny_blind(**options) -> FeedForward:
    """A fill by the model."""
    return FeedForward(Network(Config()), name=NAME, **options)


def write_weights(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Let the registry know the model and write the folder of a run of it."""
    patch.setitem(table.MODELS, NAME, table.ModelEntry(NAME))
    folder.mkdir(parents=True, exist_ok=True)
    network = Network(Config())
    metadata = WeightsMetadata(model=NAME, config=network.config.model_dump(), roles=("finder",))
    save_weights(folder / "model.safetensors", dict(network.state_dict()), metadata)
    return folder


def soiled(photo: np.ndarray, *, top: int = 12, left: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo (H, W, 3) uint8 with a red frame drawn over it, and where that is, (H, W)."""
    hole = np.zeros(photo.shape[:2], bool)
    hole[top : top + 12, left : left + 20] = True
    hole[top + 3 : top + 9, left + 3 : left + 17] = False
    return np.where(hole[..., None], np.uint8(RED), np.minimum(photo, (110, 255, 255)).astype(np.uint8)), hole
