"""ID-MRF loss: every feature of the real image should be the nearest one of some painted place (GMCNN, 1810.08771).

A distance on sets of features, not on places: it asks for the real image's variety without saying where.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from inpaint.losses.base import at_least_float32
from inpaint.losses.features import FeatureTerm

EPS = 1e-5  # of both programs
BLOCK = 1 << 22  # entries of the matrix of distances that are in memory at once


class IDMRF(FeatureTerm):
    """-log of the mean over features s of max over features v of the share of s in v's neighborhood.

    S(v, s) = (1 - cos)/2 of centered features; S / (min over s of S + 1e-5); weights exp((1 - S) / bandwidth), shares
    of v's sum over s (GMCNN eq. 4 to 6, with distances instead of cosines, as its program has them).

    center: what is taken from both images' features first. real: the mean of the real ones over batch and places, as in
    the contextual loss (1803.02077); painted: that of the painted ones (VCNet's program); channels: at each place the
    mean over channels of the real ones (its re-implementation). shares: v are `painted` and s real features, as in the
    paper, or the other way around, v `real` (VCNet's program).
    bandwidth: h of the paper. floor: added to the mean before the logarithm. summed: over the images of the batch, else
    their mean. most: so many places at most, drawn anew each time from torch's global generator, where there are more.
    """

    kind: Literal["id_mrf"] = "id_mrf"
    network: Literal["vgg16", "vgg19"] = "vgg19"
    layers: tuple[str, ...] | dict[str, float] = ("relu3_2",)
    center: Literal["real", "painted", "channels"] = "real"
    shares: Literal["painted", "real"] = "painted"
    bandwidth: float = Field(0.5, gt=0)
    floor: float = Field(0.0, ge=0)
    summed: bool = False
    most: int = Field(65**2, gt=0)

    def layer_loss(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the loss of one layer, over the images of the batch."""
        painted, true = at_least_float32(generated), at_least_float32(real)
        middle = {
            "real": lambda: true.mean(dim=(0, 2, 3), keepdim=True),
            "painted": lambda: painted.mean(dim=(0, 2, 3), keepdim=True),
            "channels": lambda: true.mean(dim=1, keepdim=True),
        }[self.center]()
        with torch.autocast(painted.device.type, enabled=False):
            pair = [F.normalize((each - middle).flatten(2), dim=1).mT for each in (painted, true)]  # (B, H W, C)
            places = pair[0].shape[1]
            if places > self.most:
                drawn = torch.randperm(places, device=painted.device)[: self.most]
                pair = [each[:, drawn] for each in pair]
            rows, columns = pair if self.shares == "painted" else pair[::-1]
            losses = [
                -(nearest_shares(v, s, self.bandwidth).mean() + self.floor).log()
                for v, s in zip(rows, columns, strict=True)
            ]
        return torch.stack(losses).sum() if self.summed else torch.stack(losses).mean()


def nearest_shares(v: Tensor, s: Tensor, bandwidth: float) -> Tensor:
    """Return for each s the largest of its shares in the neighborhoods of all v, (M,).

    The matrix of distances is computed in blocks of rows, again for the gradient, and never whole.

    Args:
        v: (N, C), unit vectors.
        s: (M, C), unit vectors.
        bandwidth: See `IDMRF`.
    """
    step = max(BLOCK // max(len(s), 1), 1)
    best: Tensor | None = None
    for start in range(0, len(v), step):
        found = checkpoint(_largest, v[start : start + step], s, bandwidth, use_reentrant=False)
        best = found if best is None else torch.maximum(best, found)
    assert best is not None
    return best


def _largest(v: Tensor, s: Tensor, bandwidth: float) -> Tensor:
    """Return the largest shares of every s among some v."""
    distances = (1 - v @ s.mT) / 2
    relative = distances / (distances.amin(dim=1, keepdim=True) + EPS)
    return torch.softmax((1 - relative) / bandwidth, dim=1).amax(dim=0)
