"""Measures of all painted images against all originals, by the features of a network."""

from __future__ import annotations

import math

from inpaint.errors import InpaintError
from inpaint.metrics.base import Extractor, SetMeasure, Sets
from inpaint.metrics.extractors import EfficientNetLite0Pooled, InceptionV3Compat
from inpaint.metrics.frechet import frechet_distance
from inpaint.metrics.kernel import SUBSET_SIZE, kernel_distance
from inpaint.metrics.lpips import LPIPS
from inpaint.metrics.separation import SAMPLES_PER_DIMENSION, classifiers

CONTENT = "lpips_alex"  # what ArtFID measures the content by


class FrechetDistance(SetMeasure):
    """The distance of Gaussians fitted to the features. Biased upwards by about c/N: only equal N compare."""

    better, low, high = "lower", 0.0, math.inf
    decimals = 2
    least = 2

    def __init__(self, source: Extractor) -> None:
        super().__init__(source)
        self.advised = source.dimensions
        self.why = (
            f"from so few a covariance of {source.dimensions} features has less than full rank, which makes the "
            "distance larger; it compares with distances over the same number of images only"
        )

    def of_sets(self, sets: Sets) -> float:
        """Fit and compare."""
        return frechet_distance(sets.painted, sets.originals)


class FID(FrechetDistance):
    """Frechet Inception distance (Heusel et al., 2017), as torch-fidelity computes it."""

    name, title = "fid_inception_v3_compat", "FID (Inception-v3 compat)"

    def __init__(self, weights: str = "public") -> None:
        super().__init__(InceptionV3Compat(weights))


class ArtFID(FrechetDistance):
    """(1 + LPIPS from the photos) (1 + FID from the styles) (Wright and Ommer, GCPR 2022, arXiv 2207.12280).

    LPIPS is the AlexNet form, as in the authors' program; its FID is by an Inception that was trained further on
    paintings, ours by that of every FID.
    """

    name, title = "artfid_inception_v3_compat", "ArtFID, all styles (Inception-v3 compat)"
    low = 1.0
    needs = frozenset({"style"})
    over_styles = True
    made_of = (CONTENT,)

    def __init__(self, weights: str = "public") -> None:
        super().__init__(InceptionV3Compat(weights))

    def missing(self) -> str | None:
        """Ask for the network of LPIPS, too."""
        return super().missing() or LPIPS("alex").missing()

    def of_sets(self, sets: Sets) -> float:
        """Compare the painted images with the styles, and take the mean distance from the photos."""
        return (1 + sets.means[CONTENT]) * (1 + super().of_sets(sets))


class FDEfficientNet(FrechetDistance):
    """The same distance by the features of EfficientNet-Lite0: not an FID, and on another scale."""

    name, title = "fd_efficientnet", "FD (EfficientNet-Lite0)"

    def __init__(self, weights: str = "public") -> None:
        super().__init__(EfficientNetLite0Pooled(weights))


class KID(SetMeasure):
    """Kernel Inception distance (`inpaint.metrics.kernel`), with torch-fidelity's subsets."""

    name, title = "kid_inception_v3_compat", "KID (Inception-v3 compat)"
    better, low, high = "lower", -1.0, math.inf  # unbiased: below 0 by little where two sets are much alike
    decimals = 5
    least, advised = 2, SUBSET_SIZE
    why = f"instead of 100 subsets of {SUBSET_SIZE} all images are taken once; unbiased, but scattering much"

    def __init__(self, weights: str = "public") -> None:
        super().__init__(InceptionV3Compat(weights))

    def of_sets(self, sets: Sets) -> float:
        """Average over subsets."""
        return kernel_distance(sets.painted, sets.originals)


class Indiscernibility(SetMeasure):
    """What a linear classifier on Inception's features cannot tell apart (`inpaint.metrics.separation`)."""

    better, low, high = "higher", 0.0, 1.0
    scale, decimals = 100.0, 2

    def __init__(self, weights: str = "public") -> None:
        super().__init__(InceptionV3Compat(weights))
        self.least = self.advised = SAMPLES_PER_DIMENSION * self.source.dimensions
        self.why = (
            f"with fewer than {SAMPLES_PER_DIMENSION} for each of {self.source.dimensions} features a classifier "
            "separates any two sets, and the number says nothing of what was painted"
        )

    def missing(self) -> str | None:
        """Ask for the classifier, too."""
        try:
            classifiers()
        except InpaintError as error:
            return str(error)
        return super().missing()


class PIDS(Indiscernibility):
    """Paired inception discriminative score: how often a painted image looks more real than its original."""

    name, title = "p_ids_inception_v3_compat", "P-IDS % (Inception-v3 compat)"

    def of_sets(self, sets: Sets) -> float:
        """Compare photo by photo."""
        return sets.separation.paired


class UIDS(Indiscernibility):
    """Unpaired inception discriminative score: the classifier's share of errors, at best one half."""

    name, title = "u_ids_inception_v3_compat", "U-IDS % (Inception-v3 compat)"

    def of_sets(self, sets: Sets) -> float:
        """Count errors."""
        return sets.separation.unpaired
