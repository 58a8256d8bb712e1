"""How well a linear classifier tells painted images from originals: P-IDS and U-IDS.

Zhao et al., "Large Scale Image Completion via Co-Modulated Generative Adversarial Networks", 2021, section 4: one
linear support vector machine is fitted to the features of all originals (+1) and all painted images (-1), which are not
normalized, and asked about the images that it was fitted to. As in the authors' program: scikit-learn's
`LinearSVC(dual=False)`, C = 1, squared hinge loss.

A hyperplane separates any 2 N points in N or more dimensions: both measures are 0 there, whatever was painted, and they
rise with N for a long time. They say something from about four images per dimension on, compared at equal N.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from inpaint.system.extras import import_optional

SAMPLES_PER_DIMENSION = 4


@dataclass(frozen=True)
class Separation:
    """What the classifier achieves.

    paired: P-IDS, the share of photos whose painted image looks more real to it than the original; ideally about 0.5.
    unpaired: U-IDS, the share of images on the wrong side; at best 0.5.
    """

    paired: float
    unpaired: float


def separate(painted: NDArray[np.float64], originals: NDArray[np.float64]) -> Separation:
    """Fit the classifier to features (N, D), row by row of the same photo, and count.

    Raises:
        MissingDependencyError: scikit-learn is absent.
    """
    count = len(painted)
    classifier = classifiers().LinearSVC(dual=False)
    classifier.fit(np.concatenate((originals, painted)), np.repeat((1, -1), count))
    original, paint = classifier.decision_function(originals), classifier.decision_function(painted)
    wrong = np.count_nonzero(original <= 0) + np.count_nonzero(paint > 0)  # 0 counts as painted, as scikit-learn does
    return Separation(paired=float(np.mean(paint > original)), unpaired=float(wrong / (2 * count)))


def classifiers() -> ModuleType:
    """Return scikit-learn's module. Raises MissingDependencyError where it is absent."""
    return import_optional("evaluate", "sklearn.svm", purpose="telling painted images from originals (P-IDS, U-IDS)")
