"""Training of fast style transfer: the content of photos, the style of one picture."""

from __future__ import annotations

from torch import Tensor

from inpaint.images.guidance import STYLE
from inpaint.models.johnson.config import Config
from inpaint.models.johnson.network import Network
from inpaint.training.module import Batch
from inpaint.training.styling import StyleTraining


class Training(StyleTraining):
    """Johnson et al. with the losses of the configuration. All samples share the one style, which is read once."""

    name = "johnson"
    config: Config
    network: Network
    network_class = Network

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint the contents of a batch."""
        return super().predict({**batch, STYLE.name: batch[STYLE.name][:1]})

    def paint(self, image: Tensor, batch: Batch) -> Tensor:
        """Paint contents in the style."""
        painted: Tensor = self.network(image)
        return painted
