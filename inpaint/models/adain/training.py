"""Training of AdaIN (paper section 5): the decoder alone, by the features of what it paints."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.images.guidance import STYLE
from inpaint.models.adain.config import Config
from inpaint.models.adain.network import Network
from inpaint.style.transforms import adain
from inpaint.training.module import Batch
from inpaint.training.phases import Phase
from inpaint.training.styling import GivenEncoder, StyleTraining


class Training(GivenEncoder, StyleTraining):
    """AdaIN with its losses, on a content and a style for each sample.

    Beside what `StyleTraining` says the record holds `target`, the features that the decoder is given; and for each
    level of the encoder `features_1` ... of what was painted, and `style_features_1` ... of the style.
    """

    name = "adain"
    config: Config
    network: Network
    network_class = Network

    def phases(self) -> list[Phase]:
        """One phase: the decoder alone."""
        return [Phase(0, self.standard_updates("decoder"), frozen=("encoder",))]

    def paint(self, image: Tensor, batch: Batch) -> Tensor:
        """Paint contents in their styles."""
        painted: Tensor = self.network(image, batch[STYLE.name])
        return painted

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint contents in their styles, and take features of what comes out."""
        image, style, level = batch["image"], batch[STYLE.name], self.config.level
        levels = range(1, level + 1)
        with torch.no_grad():
            of_style = self.network.encoder(style, levels)
            target = adain(self.network.features(image), of_style[level])
        raw = self.network.decoder(target)
        found = self.network.encoder(raw, levels)
        return {
            "image": image,
            "mask": batch["mask"],
            STYLE.name: style,
            "raw": raw,
            "target": target,
            **{f"features_{each}": found[each] for each in levels},
            **{f"style_features_{each}": of_style[each] for each in levels},
            **self.changed(batch, raw),
        }
