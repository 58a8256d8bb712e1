"""Training of many styles: every sample of a batch in a style of its own."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from inpaint.images.guidance import STYLE_INDEX
from inpaint.models.multistyle.config import Config
from inpaint.models.multistyle.network import Network
from inpaint.training.module import Batch
from inpaint.training.styling import StyleTraining


class Training(StyleTraining):
    """Dumoulin et al. with the losses of the configuration.

    The record holds `style_coefficients` (B,) besides, what the configuration says that the losses of each style count.
    """

    name = "multistyle"
    config: Config
    network: Network
    network_class = Network

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint the contents of a batch."""
        found = super().predict(batch)
        given = self.config.style_coefficients
        counts = found["raw"].new_tensor([*given, *[1.0] * (self.network.count - len(given))])
        return {**found, "style_coefficients": counts[_numbers(batch)]}

    def paint(self, image: Tensor, batch: Batch) -> Tensor:
        """Paint each content in its style."""
        painted: Tensor = self.network(image, F.one_hot(_numbers(batch), self.network.count).to(image.dtype))
        return painted


def _numbers(batch: Batch) -> Tensor:
    """Return the numbers of the styles, (B,)."""
    return batch[STYLE_INDEX.name][:, 0, 0, 0].long()
