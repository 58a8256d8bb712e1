"""What trainings of models that stylize share: figures, the panel, and contents painted a second time, changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inpaint.images.guidance import STYLE
from inpaint.losses import Losses, Record
from inpaint.losses.base import Term, at_least_float32
from inpaint.losses.stability import FLOWED, FLOWED_RAW, NOISY, TRACEABLE, FlowStability, NoiseStability
from inpaint.training.config import Best
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase, Values

TermT = TypeVar("TermT", bound=Term)

COARSE = 5  # places per side that move each for itself


class StyleTraining(TrainingModule):
    """Base of the trainings of models that stylize; a model writes `paint` and, where it reads more, `predict`.

    The record holds `image`, the content; `style`, the pictures of styles (B, 3, S, S), or (1, 3, S, S) where all are
    one; `mask`, which is 1 everywhere; `raw`; and what losses of stability ask for.

    Figures of validation, the smaller the better, are sums of losses with their weights: `style`, of those that compare
    with the style; `content`, of the others, less those of stability; `objective`, of all, which decides.
    """

    optimizer_names = frozenset({"generator"})
    metrics = ("content", "style", "objective")
    metric_modes: Mapping[str, Best] = {"content": "min", "style": "min", "objective": "min"}
    best_metric = "objective"

    @abstractmethod
    def paint(self, image: Tensor, batch: Batch) -> Tensor:
        """Return contents (B, 3, H, W) in the styles of a batch, on our scale and not clamped."""

    def phases(self) -> list[Phase]:
        """One phase: all networks that there are."""
        roles = tuple(name for name, _ in self.network.named_children())
        return [Phase(0, self.standard_updates(*roles))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint the contents of a batch."""
        record = {name: batch[name] for name in ("image", "mask", STYLE.name)}
        record["raw"] = self.paint(batch["image"], batch)
        return {**record, **self.changed(batch, record["raw"])}

    def inpainter(self, network: nn.Module) -> None:
        """Nothing fills."""
        return

    def changed(self, batch: Batch, raw: Tensor) -> dict[str, Tensor]:
        """Return what losses of stability read: results of contents that differ a little; nothing without such losses.

        Args:
            batch: With its contents.
            raw: Their results.
        """
        image, found = batch["image"], dict[str, Tensor]()
        terms = self.losses.weighted()
        noise, flow = _first(terms, NoiseStability), _first(terms, FlowStability)
        if noise is not None:
            found[NOISY] = self.paint(image + noise.noise * torch.randn_like(image), batch)
        if flow is not None:
            motion = random_motion(image, shift_px=flow.shift_px, bend_px=flow.bend_px)
            found[FLOWED] = self.paint(moved(image, motion), batch)
            found[FLOWED_RAW] = moved(raw, motion)
            found[TRACEABLE] = (motion.abs() <= 1).all(dim=-1)[:, None].to(raw.dtype)
        return found

    def measure(self, batch: Batch, record: Record) -> Values:
        """Return the figures of a batch: sums of weighted losses, each a mean over the batch."""
        losses = self.losses.weighted()
        values = losses.of_record(record)
        found = {name: torch.zeros((), device=self.device) for name in self.metrics}
        for name, value in values.items():
            term, kinds = losses.terms[name], {"objective"}
            if not isinstance(term, NoiseStability | FlowStability):
                kinds.add("style" if any(name.startswith(STYLE.name) for name in term.entries) else "content")
            for kind in kinds:
                found[kind] = found[kind] + term.weight * value
        return found

    def panel(self, batch: Batch, record: Record) -> dict[str, Tensor]:
        """Show content, style and result."""
        style = record[STYLE.name].expand(len(record["raw"]), -1, -1, -1)
        return {"content": record["image"], "style": style, "result": record["raw"]}


class GivenEncoder(TrainingModule):
    """Base of the trainings of networks whose `encoder` is trained already: by the option `encoder_weights`."""

    def untrained(self) -> list[str]:
        """Return none: an encoder that no run brings is loaded when the training begins, decoders may wait."""
        return []

    def on_fit_start(self) -> None:
        """Take the encoder's weights, where neither a run nor an import has brought them."""
        network: Any = self.network
        config: Any = self.config
        if network.encoder.drawn:
            network.encoder.load_public(config.encoder_weights)
            self.average.follow(self.network)
        super().on_fit_start()


def random_motion(image: Tensor, *, shift_px: float, bend_px: float) -> Tensor:
    """Draw where each pixel of moved images comes from, (B, H, W, 2) as x and y from -1 to 1, as `grid_sample` reads.

    Args:
        image: (B, 3, H, W), whose size and device are taken.
        shift_px: Most pixels by which all of an image moves, along each axis.
        bend_px: Standard deviation of what few places move beside that; between them motion is smooth.
    """
    batch, _, height, width = image.shape
    like: Any = {"device": image.device, "dtype": at_least_float32(image).dtype}
    shift = shift_px * (2 * torch.rand(batch, 2, 1, 1, **like) - 1)
    coarse = bend_px * torch.randn(batch, 2, COARSE, COARSE, **like)
    pixels = shift + F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    across, down = ((2 * torch.arange(side, **like) + 1) / side - 1 for side in (width, height))
    here = torch.stack(torch.meshgrid(down, across, indexing="ij")[::-1], dim=-1)  # (H, W, 2)
    per_pixel = 2 / torch.tensor([width, height], **like)
    return here + pixels.permute(0, 2, 3, 1) * per_pixel


def moved(images: Tensor, motion: Tensor) -> Tensor:
    """Return images (B, C, H, W) moved, bilinearly; what comes from outside is what lies at the border."""
    return F.grid_sample(images, motion.to(images.dtype), padding_mode="border", align_corners=False)


def _first(losses: Losses, kind: type[TermT]) -> TermT | None:
    return next((term for term in losses.terms.values() if isinstance(term, kind)), None)
