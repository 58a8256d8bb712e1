"""How well the mask that a blind model finds meets the true one."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure

Score: TypeAlias = Literal["precision", "recall", "f1", "iou"]

MASK_SCORES: tuple[Score, ...] = ("precision", "recall", "f1", "iou")
TITLES = {"f1": "F1", "iou": "IoU"}


CLOSEST = 1e-6
"""The least probability that counts: a map of 0 and 1 would be infinitely wrong at a single pixel."""


class FoundMask(ImageMeasure):
    """A score of the found mask over the pixels of one image.

    With TP the hole pixels that were found, FP the known pixels taken for a hole and FN the hole pixels that were
    missed: precision TP / (TP + FP), recall TP / (TP + FN), F1 2 TP / (2 TP + FP + FN), IoU TP / (TP + FP + FN). With
    neither a hole nor a find all are 1; 0/0 is 0 otherwise.

    Args:
        score: Which of them.
    """

    better, low, high = "higher", 0.0, 1.0
    needs = frozenset({"found"})

    def __init__(self, score: Score) -> None:
        self.score: Score = score
        self.name = f"mask_{score}"
        self.title = f"mask {TITLES.get(score, score)}"

    def values(self, compared: Compared) -> Tensor:
        """Count pixels."""
        if compared.found is None:
            raise InputError(f"{self.name} needs the mask that a blind model found")
        found, true = compared.found[:, 0] > 0.5, compared.hole
        both, founds, trues = (wide(where).sum(dim=(1, 2)) for where in (found & true, found, true))
        parts, whole = {
            "precision": (both, founds),
            "recall": (both, trues),
            "f1": (2 * both, founds + trues),
            "iou": (both, founds + trues - both),
        }[self.score]
        score = torch.where(whole > 0, parts / whole.clamp_min(1), 0.0)
        return torch.where(founds + trues == 0, 1.0, score)


class FoundMaskBCE(ImageMeasure):
    """Binary cross entropy of the found map, mean over all pixels, natural logarithm.

    Of what a finder says with certainty, 0 or 1, each wrong pixel counts 13.8.
    """

    name, title = "mask_bce", "mask BCE"
    better, low, high = "lower", 0.0, 13.9
    needs = frozenset({"found"})

    def values(self, compared: Compared) -> Tensor:
        """Average the logarithms."""
        if compared.found is None:
            raise InputError(f"{self.name} needs the mask that a blind model found")
        found = wide(compared.found[:, 0])
        right = torch.where(compared.hole, found, 1 - found)
        return -right.clamp_min(CLOSEST).log().mean(dim=(1, 2))
