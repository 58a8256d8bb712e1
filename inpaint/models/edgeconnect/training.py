"""Training of EdgeConnect in four stages (paper section 3; details as in the authors' program).

edge: the edge generator against its discriminator. inpaint: the second generator against its own, on the true edges.
edge_inpaint: the same on the edges of a trained edge generator, which is frozen. joint: everything at once, and the
colors' losses reach the edge generator through the edges that they were painted along.

All gradients of an iteration are computed before any network moves, as in that program. Discriminators get what was
painted, not what is pasted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from inpaint.losses import Losses, Record
from inpaint.losses.base import Term
from inpaint.metrics.edges import edge_counts, f1, precision_and_recall
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network, gray_of
from inpaint.models.feedforward import FeedForward
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase, Values
from inpaint.types import Fill, Guidance, Inpainter

EDGES = "edges_raw"  # the entry of the record that the edge generator's losses read
TOLERANCES = {"": 0, "_1px": 1, "_2px": 2}  # by the suffix of the metrics
METRICS = tuple(f"edge_{name}{suffix}" for suffix in TOLERANCES for name in ("precision", "recall", "f1"))


class Training(TrainingModule):
    """EdgeConnect with its losses and updates; losses of what the stage does not train are left out."""

    name = "edgeconnect"
    config: Config
    network: Network
    network_class = Network
    init_parts: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "edge": ("edge_generator", "edge_discriminator"),
        "inpaint": ("inpaint_generator", "inpaint_discriminator"),
    }

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        super().__init__(config, losses=losses.where(lambda term: _trains(term) in config.trained), loop=loop)
        self.kept_discriminators = tuple(self.discriminators)  # the next stage goes on with them
        if "edge_generator" in config.trained:
            self.metrics, self.metric_modes = METRICS, dict.fromkeys(METRICS, "max")
        if config.stage == "edge":
            self.best_metric, self.best_mode = "edge_f1_2px", "max"

    def phases(self) -> list[Phase]:
        """All discriminators in one step, all generators that the stage trains in another."""
        trained = self.config.trained
        frozen = tuple(role for role in self.config.generators if role not in trained)
        return [Phase(0, self.standard_updates(*trained), frozen=frozen, simultaneous=True)]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Complete the edges of a batch and paint along them, as far as the stage does."""
        image, mask, true = batch["image"], batch["mask"], batch["edges_true"]
        known = batch.get("edges_known", true).masked_fill(mask > 0.5, 0.0)
        record = {"image": image, "mask": mask, "masked": image * (1 - mask), "gray": gray_of(image)}
        record |= {"edges_true": true, "edges_known": known}
        if self.config.stage == "inpaint":
            record["edges"] = true
        else:
            # A stage that does not train the first network uses it as a fill does.
            learning = torch.is_grad_enabled() and "edge_generator" in self.config.trained
            with torch.set_grad_enabled(learning):
                record[EDGES] = self.network.edges(record["gray"], known, mask)
            record["edges"] = self._mixed(torch.where(mask > 0.5, record[EDGES], known), true)
        if "inpaint_generator" in self.config.generators:
            raw = self.network.paint(image, record["edges"], mask)
            record |= {"raw": raw, "completed": torch.where(mask > 0.5, raw, image)}
        return record

    def _mixed(self, edges: Tensor, true: Tensor) -> Tensor:
        """Replace the edges of some samples by the true ones."""
        if self.config.true_edge_prob == 0 or not self.network.training:  # the averaged network never is
            return edges
        chosen = torch.rand(len(edges), 1, 1, 1, device=edges.device) < self.config.true_edge_prob
        return torch.where(chosen, true.to(edges.dtype), edges)

    def inpainter(self, network: Any) -> Inpainter | None:
        """Fill with the given network, once there is one that paints."""
        return None if self.config.stage == "edge" else FeedForward(network, name=self.name, device=self.device)

    def guidance(self, batch: Batch) -> Guidance | None:
        """Without an edge generator, paint along the true edges; validation would measure the lack of edges."""
        return {"edges": batch["edges_true"]} if self.config.stage == "inpaint" else None

    def measure(self, batch: Batch, record: Record) -> Values:
        """Return precision and recall of the edges in the hole over the batch, strict and forgiving 1 and 2 pixels."""
        measured: Values = {}
        for suffix, tolerance_px in TOLERANCES.items():
            counts = edge_counts(record[EDGES], record["edges_true"], record["mask"], tolerance_px=tolerance_px)
            precision, recall = precision_and_recall(counts.sum(dim=0))
            measured |= {
                f"edge_precision{suffix}": precision,
                f"edge_recall{suffix}": recall,
                f"edge_f1{suffix}": f1(precision, recall),
            }
        return measured

    def preview(self, batch: Batch, record: Record) -> Fill | None:
        """Show the completed edges."""
        edges = record["edges"].expand(-1, 3, -1, -1)
        return Fill(completed=edges, raw=edges, mask=record["mask"])


def _trains(term: Term) -> str:
    """Return the role of the generator that a loss is for."""
    return "edge_generator" if EDGES in term.entries else "inpaint_generator"
