"""Architecture of LaMa's generators. The defaults are those of the published big-lama."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities


class DiscriminatorConfig(Options):
    """The patch discriminator of pix2pixHD: 4 x 4 convolutions, `layers` of them of stride 2, with batch norm."""

    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256, 512, 512)
    layers: int = Field(4, ge=1)  # of stride 2; official 4


class Config(ModelConfig):
    """The generator and, for training, its discriminator."""

    SMALL: ClassVar = {"width": 4, "blocks": 1, "discriminator": {"width": 4}}
    TRAINING: ClassVar[frozenset[str]] = frozenset({"freeze_norms"})
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {"discriminator": frozenset({"discriminator"})}

    # ffc: fast Fourier convolutions from an eighth of the size on (LaMa, big-lama). regular: the same frame with
    # ordinary convolutions (LaMa-Regular).
    kind: Literal["ffc", "regular"] = "ffc"
    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256, 512)
    # Residual blocks; official 18 for big-lama, 9 for LaMa-Fourier and LaMa-Regular, 15 for big-lama-regular.
    blocks: int = Field(18, gt=0)
    global_share: float = Field(0.75, gt=0, lt=1)  # of the channels at an eighth that are global; official 0.75
    # A second Fourier unit on the quarters of the map, as in the paper of the Fourier convolution; official false.
    local_unit: bool = False
    # Training: whether the generator's batch norms stay as the weights have them. The statistics of few images are poor
    # (the authors advise 20 at once, on all devices together): where memory allows fewer, start from trained weights
    # and freeze the norms. Official false.
    freeze_norms: bool = False
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    @property
    def channels(self) -> tuple[int, int]:
        """Local and global channels at an eighth of the size."""
        whole = 8 * self.width
        beyond = int(whole * self.global_share + 1e-9) if self.kind == "ffc" else 0
        return whole - beyond, beyond

    def capabilities(self) -> Capabilities:
        """Return what the network can do; quarters of the map at an eighth of the size need even sides of it."""
        return Capabilities(
            trained=True,
            refinable=True,
            trained_px=256,
            multiple_px=16 if self.local_unit else 8,
            pixel_bytes=200 + 12 * self.width,  # measured 916 to 951 at width 64, from 512 to 1024 px; 758 at 1800
        )
