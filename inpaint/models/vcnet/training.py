"""Training of VCNet in two phases (paper section 3.4; details as in the authors' program).

First the generator paints by the true mask, and the mask network learns from its own loss and through the features that
it gives the generator. Then the generator paints by the found mask, so that its losses reach the mask network through
that as well, and two critics join in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inpaint.images.guidance import CONTAMINATED
from inpaint.losses import DiscriminatorTerm, Record
from inpaint.models.feedforward import FeedForward
from inpaint.models.vcnet.config import Config
from inpaint.models.vcnet.growing import grown
from inpaint.models.vcnet.network import NETWORKS, Network
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase, Update, Values
from inpaint.types import Inpainter

SLOWER = 0.1  # rate of the second phase; authors 1e-4, then 1e-5


class Training(TrainingModule):
    """VCNet with its losses and updates.

    The record holds `contaminated`, what the networks read; `mask_logits` and `found`, the mask that was found, softly;
    `raw`; and `completed`, what is painted as far as the mask was found.
    """

    name = "vcnet"
    config: Config
    network: Network
    network_class = Network
    best_metric = "l1"  # what is found where nothing is counts, too

    def phases(self) -> list[Phase]:
        """Both networks by the true mask; then critics in every iteration, and both networks in one of several."""
        start = self.config.pretraining
        first = Phase(0, (Update("generator", NETWORKS, self._losses_without_critics),))
        *critics, networks = self.standard_updates(*NETWORKS, rate=SLOWER)
        every = self.config.critic_steps if critics else 1
        second = Phase(start, (*critics, replace(networks, every=every)))
        return [first, second] if start else [second]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Find the mask of a batch and paint by the true or the found one, as the phase does."""
        image, mask, contaminated = batch["image"], batch["mask"], batch[CONTAMINATED.name]
        logits, features = self.network.find(contaminated)
        found, by_truth = self.network.probability(logits), self.iteration < self.config.pretraining
        if self.config.detached and not by_truth:
            features = features.detach()
        raw = self.network.paint(contaminated, mask if by_truth else found, features)
        shown = grown(found).clamp_max(1) if self.config.composite == "grown" else found
        completed = torch.lerp(contaminated, raw, shown.to(raw.dtype))
        record = {"image": image, "mask": mask, "contaminated": contaminated, "masked": image * (1 - mask)}
        return {**record, "mask_logits": logits, "found": found, "raw": raw, "completed": completed}

    def _losses_without_critics(self, record: Record) -> tuple[Tensor, Values]:
        """Return the weighted sum of the terms that need no critic, and the terms unweighted by name."""
        losses = self.losses.weighted().where(lambda term: not isinstance(term, DiscriminatorTerm))
        values = losses.of_record(record)
        weighted = (losses.terms[name].weight * value for name, value in values.items())
        return sum(weighted, torch.zeros((), device=self.device)), values

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
