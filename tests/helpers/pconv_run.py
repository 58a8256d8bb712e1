"""A training of a small partial-convolution U-Net."""

from inpaint.models.pconv.config import Config
from inpaint.models.pconv.training import Training
from tiny_run import TinyRun

LOSSES = {
    "valid": {"kind": "l1", "of": "raw", "region": "known", "weight": 1.0},
    "hole": {"kind": "l1", "of": "raw", "region": "hole", "weight": 6.0},
}


class PconvRun(TinyRun):
    """A U-Net of three levels at width 4."""

    def __init__(self, folder, photos, *, init=None, everything_frozen=False, fields=None, **options):
        self.fields = fields or {}
        options.setdefault("optimizers", {"generator": {"lr": 1e-3, "betas": (0.9, 0.999)}})
        super().__init__(folder, photos, losses=LOSSES, **options)
        if init is not None:
            self.module.load_initial(init)
        if everything_frozen:
            for block in self.module.network.generator.decoder:
                block.freeze()

    def build(self, losses):
        return Training(Config(**{"levels": 3, "width": 4, **self.fields}), losses=losses, loop=self.loop)
