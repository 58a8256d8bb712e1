"""The measures by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from inpaint.errors import UsageError, unknown
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure, Measure, RegionMeasure, SetMeasure
from inpaint.metrics.content import ContentDistance
from inpaint.metrics.diversity import Diversity
from inpaint.metrics.edges import EDGE_SCORES, EdgeScore
from inpaint.metrics.found_mask import MASK_SCORES, FoundMask, FoundMaskBCE
from inpaint.metrics.guidance import ColorDistance, LineDistance, LineRecall
from inpaint.metrics.lpips import LPIPS, NETWORKS
from inpaint.metrics.ms_ssim import MSSSIM
from inpaint.metrics.photorealism import MattingResidual
from inpaint.metrics.pixel import L1, MSE, PSNR, SSIM, HoleRatio, KnownPSNR
from inpaint.metrics.seam import Seam
from inpaint.metrics.sets import FID, KID, PIDS, UIDS, ArtFID, FDEfficientNet
from inpaint.metrics.style import MARK_DIGITS, ContentShare, FeatureMeasure, Network, StyleShare, mark_of
from inpaint.metrics.style import NETWORKS as FEATURE_NETWORKS
from inpaint.metrics.total_variation import TotalVariation
from inpaint.metrics.warping import WarpingError

_LPIPS = tuple(partial(LPIPS, network) for network in NETWORKS)
_REGIONS: tuple[Callable[..., RegionMeasure], ...] = (L1, PSNR, SSIM, *_LPIPS, TotalVariation, MSE)
_DISTANCES: tuple[Callable[..., RegionMeasure], ...] = (L1, *_LPIPS)


def _diversity(distance: Callable[..., RegionMeasure], *, hole: bool) -> Diversity:
    return Diversity(distance(hole=hole))


_MAKERS: tuple[Callable[[], Measure], ...] = (
    *(partial(each, hole=hole, raw=raw) for raw in (False, True) for hole in (True, False) for each in _REGIONS),
    HoleRatio,
    MSSSIM,
    partial(MSSSIM, raw=True),
    Seam,
    partial(Seam, original=True),
    *(partial(TotalVariation, original=True, hole=hole) for hole in (True, False)),
    *(partial(EdgeScore, score, tolerance_px=near) for near in (0, 1) for score in EDGE_SCORES),
    *(partial(_diversity, each, hole=hole) for hole in (True, False) for each in _DISTANCES),
    *(partial(FoundMask, score) for score in MASK_SCORES),
    FoundMaskBCE,
    LineDistance,
    *(partial(LineRecall, near) for near in (1, 2)),
    ColorDistance,
    KnownPSNR,
    partial(KnownPSNR, raw=True),
    ContentDistance,
    MattingResidual,
    WarpingError,
    *(partial(share, network) for network in FEATURE_NETWORKS for share in (ContentShare, StyleShare)),
    FID,
    KID,
    PIDS,
    UIDS,
    FDEfficientNet,
    ArtFID,
)
MEASURES: Mapping[str, Callable[[], Measure]] = {make().name: make for make in _MAKERS}
USUAL = ("l1_hole", "psnr_hole", "ssim_hole", "l1", "psnr", "ssim", "hole_ratio")
"""What is measured when nothing else is asked for."""
OF_BLIND = ("mask_f1", "mask_iou", "mask_bce", "psnr_known")
"""What is measured beside that where models find the hole themselves."""
OF_RECOLORED = ("mse", "mse_hole")
"""What is measured beside that where models harmonize."""
OF_STYLE = ("content_vgg16", "style_vgg16", "ssim", "matting_residual", "artfid_inception_v3_compat")
"""What is measured instead where models stylize."""
OF_FILM = ("warping_error",)
"""What is measured beside that where they paint a film."""

Features: TypeAlias = Mapping[str, str]
"""Files of weights by the network (`FEATURE_NETWORKS`) whose features are taken with them, not with the public ones."""


@dataclass(frozen=True)
class Measures:
    """What is measured: of every image, and of all together."""

    of_images: tuple[ImageMeasure, ...]
    of_sets: tuple[SetMeasure, ...] = ()


def measures(names: Sequence[str] = USUAL, *, features: Features | None = None) -> Measures:
    """Return the measures of these names, in their order.

    Args:
        names: As in `MEASURES`; or with the mark of their features behind, as the measures say themselves.
        features: Weights for the features of measures.

    Raises:
        UsageError: A name is none, or given twice.
        WeightsError: A file of features cannot be read.
    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"measure '{name}' is given twice")
    made = [_made(name, features or {}) for name in names]
    return Measures(
        tuple(each for each in made if isinstance(each, ImageMeasure)),
        tuple(each for each in made if isinstance(each, SetMeasure)),
    )


def _made(name: str, features: Features) -> Measure:
    family, _, mark = name.rpartition("_")
    measure = MEASURES[name]() if name in MEASURES else MEASURES[family]() if family in MEASURES else None
    if isinstance(measure, FeatureMeasure):
        network: Network = measure.network
        weights = features.get(network, "public")
        if name in MEASURES or mark == mark_of(weights):
            return type(measure)(network, weights)
        if re.fullmatch(rf"[0-9a-f]{{{MARK_DIGITS}}}|random", mark):
            return type(measure)(network, mark=mark)
    elif measure is not None and name in MEASURES:
        return measure
    raise UsageError(unknown("measure", name, MEASURES))


def measured(compared: Compared, wanted: Sequence[ImageMeasure]) -> dict[str, Tensor]:
    """Return what each measure finds, (B,) by name; NaN where it does not apply (`ImageMeasure.applies`).

    Example:
        >>> import torch
        >>> image, mask = torch.zeros(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
        >>> compared = Compared(completed=image + 0.1, image=image, mask=mask)
        >>> round(measured(compared, measures(["psnr_hole"]).of_images)["psnr_hole"].item(), 3)
        20.0
    """
    nothing = torch.full((len(compared.image),), torch.nan, device=compared.image.device)
    return {
        measure.name: measure.values(compared) if measure.applies(compared) else wide(nothing) for measure in wanted
    }
