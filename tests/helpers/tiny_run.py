"""A training small enough to run in a second."""

from __future__ import annotations

import torch

from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.losses import parse_losses
from inpaint.models.deepfill.config import Config
from inpaint.models.deepfill.training import Training
from inpaint.training import loggers
from inpaint.training.checkpoints import read_checkpoint
from inpaint.training.config import LoopConfig
from inpaint.training.fit import fit
from inpaint.training.selection import Selection
from inpaint.weights.runs import RunFolder

LOSSES = {
    "coarse": {"kind": "l1", "of": "coarse", "weight": 2.0},
    "refined": {"kind": "l1", "of": "raw", "weight": 2.0},
    "adversary": {"kind": "hinge", "of": "completed", "weight": 1.0},
}


class TinyRun:
    """DeepFillv2 at width 8 on four drawn photos of 32 x 32; every part can be looked at after `fit`."""

    def __init__(self, folder, photos, *, losses=LOSSES, val=None, resume=None, callbacks=(), **options):
        options.setdefault("optimizers", {name: {"lr": 1e-3} for name in ("generator", "discriminator")})
        if not any(block["kind"] == "hinge" for block in losses.values()):
            options["optimizers"] = {"generator": options["optimizers"]["generator"]}
        options["optimizers"] = options.pop("all_optimizers", options["optimizers"])
        trainer = {"accelerator": "cpu", "devices": 1, **options.pop("trainer", {})}
        defaults = {"batch_size": 4, "max_iterations": 6, "log_every": 2, "save_every": 3}
        validation = options.pop("validation", {"every": 4, "panel": 1, "batch_size": 2})
        self.loop = LoopConfig(**{**defaults, "validation": validation, "trainer": trainer, **options})
        self.module = self.build(parse_losses(losses))
        self.data = InpaintData(
            DataConfig(root=str(photos), val=val if isinstance(val, dict) else val and str(val), size=32, workers=0),
            batch_size=self.loop.batch_size,
            max_iterations=self.loop.max_iterations,
            seed=self.loop.seed,
            val_batch_size=self.loop.validation.batch_size,
            planes=self.module.planes,
        )
        self.folder = RunFolder(folder)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.resume = resume
        self.callbacks = callbacks

    def build(self, losses):
        """Return the module to train; tests of other models override it."""
        return Training(Config(width=8, discriminator={"width": 4}), losses=losses, loop=self.loop)

    def fit(self):
        start = 0 if self.resume is None else read_checkpoint(self.resume)["iteration"]
        self.data.start_iteration = start
        return fit(
            self.module,
            self.data,
            run=self.folder,
            loggers=loggers.build("csv", run=self.folder, config={}, start_iteration=start),
            resume=self.resume,
            selection=Selection.of(self.module, tuple(self.data.config.val_sets)),
            callbacks=self.callbacks,
        )

    def state(self):
        """Every tensor that the next iteration depends on, by name."""
        return dict(_tensors(torch.load(self.folder.last, weights_only=True)))


def _tensors(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}/{key}")
    elif isinstance(value, list):
        for key, inner in enumerate(value):
            yield from _tensors(inner, f"{name}/{key}")
    elif isinstance(value, torch.Tensor):
        yield name, value
