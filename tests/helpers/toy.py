"""The smallest model with everything: a painter that cannot fill yet, critics with features, metrics of its own."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from inpaint.losses import Discriminator, DiscriminatorOutput, parse_losses
from inpaint.nn.random import drawing_from
from inpaint.options import ModelConfig
from inpaint.training.module import TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Fill
from tiny_run import TinyRun

ADVERSARY = {"kind": "nsgan", "of": "raw", "weight": 1.0}
LOSSES = {
    "pixel": {"kind": "l1", "of": "raw", "weight": 1.0},
    "adversary": ADVERSARY,
    "matching": {"kind": "feature_matching", "of": "raw", "weight": 10.0},
}
PLAIN = {name: {"kind": "sgd", "lr": 0.05} for name in ("generator", "discriminator")}


class Config(ModelConfig):
    """No options."""


class Painter(nn.Module):
    """One convolution of the masked image and the mask."""

    def __init__(self, config=None, *, seed=0):
        super().__init__()
        with drawing_from(1):
            self.generator = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image, mask):
        return self.generator(torch.cat((image * (1 - mask), mask), dim=1)).tanh()

    @classmethod
    def discriminators(cls, config, *, seed=0):
        return {role: Critic() for role in ("discriminator", "second")}


class Critic(Discriminator):
    """Two convolutions; what lies between them is its feature."""

    def __init__(self, seed=2):
        super().__init__()
        with drawing_from(seed):
            self.first = nn.Conv2d(3, 4, 3, stride=2)
            self.last = nn.Conv2d(4, 1, 3)
        self.calls = []

    def forward(self, image):
        self.calls.append(len(image))
        feature = F.softplus(self.first(image))
        return DiscriminatorOutput(self.last(feature), (feature,))


class Toy(TrainingModule):
    """Trained like any model; `inpainter` is None. phases: from the module to its phases, if not the usual ones."""

    name = "toy"
    network_class = Painter

    def __init__(self, *, losses, loop, measures=True, simultaneous=False, phases=None):
        self.chosen = phases or (lambda toy: [Phase(0, toy.standard_updates("generator"), simultaneous=simultaneous)])
        self.metrics = ("error", "share") if measures else ()
        super().__init__(Config(), losses=parse_losses(losses), loop=loop)

    def phases(self):
        return self.chosen(self)

    def predict(self, batch):
        image, mask = batch["image"], batch["mask"]
        raw = self.network(image, mask)
        return {"image": image, "mask": mask, "raw": raw, "completed": torch.where(mask > 0.5, raw, image)}

    def inpainter(self, network):
        return None

    def measure(self, batch, record):
        return {"error": (record["raw"] - record["image"]).abs().mean(dim=(1, 2, 3)), "share": record["hole_share"]}

    def preview(self, batch, record):
        return Fill(completed=record["completed"].clamp(0, 1), raw=record["raw"], mask=record["mask"])


class ToyRun(TinyRun):
    """A training of the toy on the photos of `TinyRun`."""

    def __init__(self, folder, photos, *, losses=LOSSES, measures=True, simultaneous=False, phases=None, **options):
        options.setdefault("optimizers", PLAIN)
        super().__init__(folder, photos, **options)
        loop = self.loop
        if not any(block["kind"] in ("nsgan", "lsgan", "hinge", "wgan_gp") for block in losses.values()):
            loop = loop.model_copy(update={"optimizers": {"generator": loop.optimizers["generator"]}})
        self.module = Toy(losses=losses, loop=loop, measures=measures, simultaneous=simultaneous, phases=phases)
