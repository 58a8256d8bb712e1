"""Poisson's equation on the pixels of a mask: solvers for any mask, and the editing of images that stands on them."""

from inpaint.classical.poisson.editing import blended, membrane
from inpaint.classical.poisson.solving import solve

__all__ = ["blended", "membrane", "solve"]
