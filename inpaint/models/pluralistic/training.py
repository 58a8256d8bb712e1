"""Training of Pluralistic: two paths through one encoder and one generator (paper sections 3.1 and 3.2).

The reconstructive path knows what the hole holds: its latents are drawn from the posterior that the encoder finds in
the hole's content, and its image must equal the original. The generative path does without: its latents come from the
prior found in the masked image, which is pulled to the posterior (that one gets no gradient from it), and only known
pixels are compared. The posterior itself is pulled to a fixed prior, the wider the larger the hole is.

As in the official program both discriminators step first, then encoder and generator together, on the same images.
The discriminators get what was painted, not the completed image.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.losses import Losses
from inpaint.losses.base import Term
from inpaint.losses.pixel import PixelTerm
from inpaint.losses.pyramid import Pyramid
from inpaint.models.pluralistic.config import Config
from inpaint.models.pluralistic.network import EncodedPaths, Network, masked
from inpaint.models.sampling import Sampling
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter

SIZES = {"scale_1_8": "_1_8", "scale_1_4": "_1_4", "scale_1_2": "_1_2", "raw": ""}


class Training(TrainingModule):
    """Pluralistic with its losses and updates.

    The record holds `rec` and `gen`, what the two paths painted, each also as `_1_8`, `_1_4`, `_1_2`; the Gaussians
    `posterior`, `prior` and `fixed`, each as `_mu` and `_sigma`; and `raw`, which is `gen`.
    """

    name = "pluralistic"
    config: Config
    network_class = Network
    kept_discriminators = ("discriminator", "discriminator_rec")

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        losses = losses if config.train_paths == "two" else of_one_path(losses)
        super().__init__(config, losses=losses, loop=loop)

    def phases(self) -> list[Phase]:
        """Both discriminators, then encoder and generator."""
        return [Phase(0, self.standard_updates("encoder", "generator"))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch on both paths; what is random comes from torch's generator, which the training sets."""
        image, mask = batch["image"], batch["mask"]
        encoder, network = self.network.get_submodule("encoder"), self.network
        assert isinstance(network, Network)
        both = self.config.train_paths == "two"
        content = masked(image, 1 - mask) if both else None  # the hole alone
        found: EncodedPaths = encoder(masked(image, mask), content)
        sigma = fixed_sigma(mask)
        gaussians = {"prior": found.prior, "fixed": (torch.zeros_like(sigma), sigma)}
        # With one path the prior is drawn to the fixed one directly.
        gaussians["posterior"] = found.posterior if found.posterior is not None else gaussians["fixed"]
        drawn = ("posterior", "prior") if both else ("prior",)
        z = torch.cat([_draw(*gaussians[name]) for name in drawn])
        context = {
            name: torch.cat([plane] * len(drawn)) for name, plane in network.context(found.features, mask).items()
        }
        painted = network.paint(z, context)
        record = {"image": image, "mask": mask, "masked": image * (1 - mask)}
        for name, ending in SIZES.items():
            for path, image_of_path in zip(
                ("rec", "gen") if both else ("gen",), painted[name].chunk(len(drawn)), strict=True
            ):
                record[path + ending] = image_of_path
        for name, (mu, deviation) in gaussians.items():
            record |= {f"{name}_mu": mu, f"{name}_sigma": deviation}
        record["raw"] = record["gen"]
        record["completed"] = torch.where(mask > 0.5, record["raw"], image)
        return record

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network, one drawn fill for each image."""
        return Sampling(network, name=self.name, device=self.device)


def fixed_sigma(mask: Tensor) -> Tensor:
    """Return the standard deviation of the fixed prior of each image, (B, 1, 1, 1): the more is missing, the wider.

    1 / (1 + exp(8 (v - 0.8))) with v the visible share of the mask (B, 1, H, W), less 1e-5 as in the official program;
    the paper has a variance that grows with the number of missing pixels.
    """
    visible = 1 - mask.float().mean(dim=(1, 2, 3), keepdim=True) - 1e-5
    return torch.sigmoid(8 * (0.8 - visible))


def _draw(mu: Tensor, sigma: Tensor) -> Tensor:
    """Draw from a Gaussian so that gradients reach mean and deviation; in their own type, autocast or not."""
    return mu + sigma * torch.randn_like(mu)


def of_one_path(losses: Losses) -> Losses:
    """Return the losses of a training without the reconstructive path.

    Terms that read its images go, as does the divergence of the posterior, which there is none of; what compares
    generated images with known pixels compares them with all, since no other term tells what the hole holds.
    """
    return Losses({name: _everywhere(term) for name, term in losses.terms.items() if not _of_reconstruction(term)})


def _of_reconstruction(term: Term) -> bool:
    images = {f"rec{ending}" for ending in SIZES.values()}
    divergence = term.entries <= {f"{name}_{part}" for name in ("posterior", "fixed") for part in ("mu", "sigma")}
    return divergence or not images.isdisjoint(term.entries)


def _everywhere(term: Term) -> Term:
    if isinstance(term, PixelTerm) and term.region == "known":
        return term.model_copy(update={"region": "all"})
    if isinstance(term, Pyramid) and term.term.get("region") == "known":
        return Pyramid.model_validate({**term.model_dump(), "term": {**term.term, "region": "all"}})
    return term
