"""Training of EdgeConnect in four stages (paper section 3; details as in the authors' program).

edge: the edge generator against its discriminator. inpaint: the second generator against its own, on the true lines.
edge_inpaint: the same on the lines of a trained edge generator, which gets no gradient. joint: everything at once, and
the colors' losses reach the edge generator through the lines that they were painted along.

All gradients of an iteration are found before any network moves, as in that program. Discriminators see what was
painted, not what is pasted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from inpaint.losses import Losses, Opinion, Record
from inpaint.losses.base import Term
from inpaint.metrics.edges import edge_counts, precision_and_recall
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network, gray_of
from inpaint.models.feedforward import FeedForward, evaluating
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, GanModule, Update, Values
from inpaint.types import Fill, Guidance, Inpainter

LINES = "edges_raw"  # the entry of the record that the edge generator's losses look at
TOLERANCES_PX = (0, 1, 2)


class Training(GanModule):
    """EdgeConnect with its losses and updates; losses of what the stage does not train are left out."""

    config: Config
    network: Network
    simultaneous = True
    init_parts: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "edge": ("edge_generator", "edge_discriminator"),
        "inpaint": ("inpaint_generator", "inpaint_discriminator"),
    }

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        losses = losses.where(lambda term: _trains(term) in config.trained)
        judges = Network.discriminators(config, seed=loop.seed + 2)
        super().__init__(
            name="edgeconnect",
            config=config,
            network=Network(config, seed=loop.seed),
            discriminators={role: judge for role, judge in judges.items() if role in losses.discriminators},
            losses=losses,
            loop=loop,
        )
        self.kept_discriminators = tuple(self.discriminators)  # the next stage goes on with them
        self.taken_over = tuple(role for role in config.generators if role not in config.trained)
        if "edge_generator" in config.trained:
            self.measures = True
        if config.stage == "edge":
            self.best_measure, self.best_is_largest = "edge_f1_2px", True

    def updates(self) -> list[Update]:
        """All discriminators in one step, all generators that the stage trains in another."""
        generators = Update("generator", self.config.trained, self.generator_losses)
        if not self.discriminators:
            return [generators]
        judges = Update("discriminator", tuple(self.discriminators), self.discriminator_losses, needs_gradient=False)
        return [judges, generators]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Complete the lines of a batch and paint along them, as far as the stage does."""
        image, mask, true = batch["image"], batch["mask"], batch["edges_true"]
        known = batch.get("edges_known", true).masked_fill(mask > 0.5, 0.0)
        record = {"image": image, "mask": mask, "masked": image * (1 - mask), "gray": gray_of(image)}
        record |= {"edges_true": true, "edges_known": known}
        if self.config.stage == "inpaint":
            record["edges"] = true
        else:
            record[LINES] = self._completed_lines(record)
            record["edges"] = self._mixed(torch.where(mask > 0.5, record[LINES], known), true)
        if "inpaint_generator" in self.config.generators:
            raw = self.network.paint(image, record["edges"], mask)
            record |= {"raw": raw, "completed": torch.where(mask > 0.5, raw, image)}
        return record

    def _completed_lines(self, record: Record) -> Tensor:
        """Run the first stage: with its graph if it learns, else as it will be used."""
        planes = record["gray"], record["edges_known"], record["mask"]
        if "edge_generator" in self.config.trained:
            return self.network.edges(*planes)
        assert self.network.edge_generator is not None
        with evaluating(self.network.edge_generator), torch.no_grad():
            return self.network.edges(*planes)

    def _mixed(self, lines: Tensor, true: Tensor) -> Tensor:
        """Replace the lines of some samples by the true ones."""
        if self.config.true_edge_prob == 0 or not self.network.training:  # the averaged network never is
            return lines
        chosen = torch.rand(len(lines), 1, 1, 1, device=lines.device) < self.config.true_edge_prob
        return torch.where(chosen, true.to(lines.dtype), lines)

    def discriminate(self, role: str, picture: Tensor, record: Record) -> Opinion:
        """Judge lines together with the gray picture, colors alone."""
        planes = (record["gray"], picture) if role == "edge_discriminator" else (picture,)
        opinion: Opinion = self.discriminators[role](*planes)
        return opinion

    def inpainter(self, network: Any) -> Inpainter | None:
        """Fill with the given network, once there is one that paints."""
        return None if self.config.stage == "edge" else FeedForward(network, name="edgeconnect", device=self.device)

    def guidance(self, batch: Batch) -> Guidance | None:
        """Without an edge generator, paint along the true lines; validation would measure the lack of lines."""
        return {"edges": batch["edges_true"]} if self.config.stage == "inpaint" else None

    def measure(self, batch: Batch, record: Record) -> Values:
        """Return precision and recall of the lines in the hole over the batch, strict and forgiving 1 and 2 pixels."""
        measured: Values = {}
        for tolerance_px in TOLERANCES_PX:
            counts = edge_counts(record[LINES], record["edges_true"], record["mask"], tolerance_px=tolerance_px)
            precision, recall = precision_and_recall(counts.sum(dim=0))
            suffix = f"_{tolerance_px}px" if tolerance_px else ""
            measured |= {
                f"edge_precision{suffix}": precision,
                f"edge_recall{suffix}": recall,
                f"edge_f1{suffix}": 2 * precision * recall / (precision + recall).clamp_min(1e-8),
            }
        return measured

    def preview(self, batch: Batch, record: Record) -> Fill | None:
        """Show the completed lines."""
        lines = record["edges"].expand(-1, 3, -1, -1)
        return Fill(completed=lines, raw=lines, mask=record["mask"])


def _trains(term: Term) -> str:
    """Return the role of the generator that a loss is for."""
    return "edge_generator" if LINES in term.entries else "inpaint_generator"
