"""Training of WCT's decoders (paper section 3.1): each learns to paint what the encoder has read, by its features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from inpaint.losses import Losses, Record
from inpaint.losses.base import Term
from inpaint.models.wct.config import Config
from inpaint.models.wct.network import Network
from inpaint.training.config import Best, LoopConfig
from inpaint.training.module import Batch
from inpaint.training.phases import Phase, Values
from inpaint.training.styling import GivenEncoder


class Training(GivenEncoder):
    """WCT with its losses, on photos alone: pictures of styles come when it is trained.

    For each level L that is trained the record holds `raw_L`, what its decoder paints, `features_L` of that, and
    `target_L`, the features that it was given. Losses of other levels are left out.
    """

    name = "wct"
    config: Config
    network: Network
    network_class = Network
    optimizer_names = frozenset({"generator"})
    metrics = ("objective",)
    metric_modes: Mapping[str, Best] = {"objective": "min"}
    best_metric = "objective"

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        made = {"image", *(name for level in config.trained_levels for name in entries_of(level))}
        wanted = losses.where(lambda term: not _of_a_level(term) or term.entries <= made)
        super().__init__(config, losses=wanted, loop=loop)

    def phases(self) -> list[Phase]:
        """One phase: the decoders that are to be trained."""
        trained = [f"decoder_{level}" for level in self.config.trained_levels]
        others = {name for name, _ in self.network.named_children()} - set(trained)
        return [Phase(0, self.standard_updates(*trained), frozen=tuple(sorted(others)))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint photos from their features, and take features of what comes out."""
        image, levels = batch["image"], self.config.trained_levels
        with torch.no_grad():
            targets = self.network.encoder(image, levels)
        record = {"image": image, "mask": batch["mask"]}
        for level in levels:
            raw = self.network.decoder(level)(targets[level])
            features = self.network.encoder(raw, [level])[level]
            record |= dict(zip(entries_of(level), (raw, features, targets[level]), strict=True))
        return record

    def inpainter(self, network: nn.Module) -> None:
        """Nothing fills."""
        return

    def measure(self, batch: Batch, record: Record) -> Values:
        """Return the sum of all losses with their weights."""
        total, _ = self.generator_losses(record)
        return {"objective": total}

    def panel(self, batch: Batch, record: Record) -> dict[str, Tensor]:
        """Show photos, and what each decoder makes of them."""
        return {"content": record["image"], **{f"level {n}": record[f"raw_{n}"] for n in self.config.trained_levels}}


def entries_of(level: int) -> tuple[str, str, str]:
    """Return what the record calls a level's image, the image's features and those that its decoder was given."""
    return f"raw_{level}", f"features_{level}", f"target_{level}"


def _of_a_level(term: Term) -> bool:
    """Tell whether a loss reads what is made for a single level."""
    return any(not term.entries.isdisjoint(entries_of(level)) for level in range(1, 6))
