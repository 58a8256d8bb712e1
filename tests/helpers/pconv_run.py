"""A training of a small partial-convolution U-Net."""

from dataclasses import replace

from inpaint.models.pconv.config import Config
from inpaint.models.pconv.training import Training
from inpaint.registry.initial import load_initial
from tiny_run import TinyRun

LOSSES = {
    "valid": {"kind": "l1", "of": "raw", "region": "known", "weight": 1.0},
    "hole": {"kind": "l1", "of": "raw", "region": "hole", "weight": 6.0},
}


class AllNormsFrozen(Training):
    """Gathers no statistics at all."""

    def phases(self):
        norms = tuple(f"generator.{side}.{level}.norm" for side in ("encoder", "decoder") for level in (1, 2))
        return [replace(phase, frozen=norms) for phase in super().phases()]


class PconvRun(TinyRun):
    """A U-Net of three levels at width 4."""

    def __init__(self, folder, photos, *, init=None, training=Training, fields=None, **options):
        self.training, self.fields = training, fields or {}
        options.setdefault("optimizers", {"generator": {"lr": 1e-3, "betas": (0.9, 0.999)}})
        super().__init__(folder, photos, losses=LOSSES, **options)
        if init is not None:
            load_initial(self.module, init)

    def build(self, losses):
        return self.training(Config(**{"levels": 3, "width": 4, **self.fields}), losses=losses, loop=self.loop)
