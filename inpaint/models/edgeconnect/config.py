"""Architecture of EdgeConnect and the stage of its training. The defaults are the authors' program's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, field_validator

from inpaint.images.guidance import EDGES
from inpaint.options import ModelConfig, Options
from inpaint.types import Capabilities, Plane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Stage: TypeAlias = Literal["edge", "inpaint", "edge_inpaint", "joint"]

EDGE = frozenset({"edge_generator"})
INPAINT = frozenset({"inpaint_generator"})


class DiscriminatorConfig(Options):
    """Both 70x70 PatchGANs: five convolutions of 4x4 with spectral norm."""

    width: int = Field(64, gt=0)  # outputs of the first layer; official 64 (then 128, 256, 512, 1)


class FillOptions(Options):
    """composite_edges: the known edges are used outside the hole (else the first stage's own, as in the authors' test
    program). sigma_px: deviation of Canny's smoothing. null: as the network was trained.
    """

    composite_edges: bool | None = None
    sigma_px: Annotated[float, Field(gt=0)] | None = None


class Config(ModelConfig):
    """Both generators and discriminators, and how they are trained and used."""

    SMALL: ClassVar = {"width": 4, "blocks": 1, "discriminator": {"width": 4}}
    TRAINING: ClassVar[frozenset[str]] = frozenset({"stage", "sigma_range_px", "origin_canny", "true_edge_prob"})
    PLANES: ClassVar = (EDGES,)
    FillOptions: ClassVar = FillOptions
    CONCERNS: ClassVar[Mapping[str, frozenset[str]]] = {
        "mask_channel": INPAINT,
        "composite_edges": INPAINT,
        "discriminator": frozenset({"edge_discriminator", "inpaint_discriminator"}),
    }

    # What is trained, and which networks there are: edge, the edges; inpaint, the colors on the true edges;
    # edge_inpaint, the colors on the edges of a trained edge generator; joint, both at once.
    stage: Stage = "joint"
    width: int = Field(64, ge=1)  # outputs of a generator's first layer; official 64 (then 128, 256)
    blocks: int = Field(8, ge=0)  # residual blocks of a generator; official 8
    mask_channel: bool = False  # tells the second stage where the hole is; official false: white areas look like holes
    composite_edges: bool = True  # fill with the known edges outside the hole; the authors' test program does not
    sigma_px: float = Field(2.0, gt=0)  # of Canny's smoothing, in training and filling alike; official 2
    # Training: a whole number of pixels drawn per sample instead; the authors' SIGMA = 0 is [1, 4].
    sigma_range_px: tuple[int, int] | None = None
    # Training: known edges taken from the whole image, as the authors' program does, although they then know of the
    # hole. False: taken from the known pixels, as when filling.
    origin_canny: bool = False
    # Share of samples of edge_inpaint and joint that see the true edges in the hole; official 0.
    true_edge_prob: float = Field(0.0, ge=0, le=1)
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    @field_validator("sigma_range_px")
    @classmethod
    def _rising(cls, pair: tuple[int, int] | None) -> tuple[int, int] | None:
        if pair is not None and not 1 <= pair[0] <= pair[1]:
            raise ValueError(f"must be two whole numbers of at least 1, the smaller first, got {pair[0]} and {pair[1]}")
        return pair

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(
            trained=True,
            refinable=True,
            planes=(EDGES,),
            trained_px=256,
            smallest_px=8,
            multiple_px=4,
            pixel_bytes=200 + 20 * self.width,  # measured 1244 at width 64, from 384 to 640 px
        )

    def training_planes(self) -> tuple[Plane, ...]:
        """Return the edges to learn from, and those that are known; the true ones cut off at the hole are the origin's.

        Both are found with one smoothing per sample.
        """
        options = {"sigma_px": self.sigma_px, "range_px": self.sigma_range_px}
        true = Plane(name="edges_true", make="inpaint.images.edges:Edges", options=options)
        known = Plane(name="edges_known", make="inpaint.images.edges:KnownEdges", options=options)
        return (true,) if self.origin_canny or self.stage == "inpaint" else (true, known)

    def derive(self, image: NDArray[np.float64], hole: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return "gray" and "canny", the edges of what is known, both (H, W) and 0 in the hole."""
        from inpaint.images.edges import canny
        from inpaint.images.photo import BT709

        red, green, blue = (weight * image[..., channel] for channel, weight in enumerate(BT709))
        gray = red + green + blue
        return {"gray": gray, "canny": canny(gray, self.sigma_px, known=~hole)}

    @property
    def generators(self) -> tuple[str, ...]:
        """Roles of the networks that exist in this stage."""
        return {"edge": ("edge_generator",), "inpaint": ("inpaint_generator",)}.get(
            self.stage, ("edge_generator", "inpaint_generator")
        )

    @property
    def trained(self) -> tuple[str, ...]:
        """Roles of the generators that learn in this stage."""
        return ("inpaint_generator",) if self.stage == "edge_inpaint" else self.generators
