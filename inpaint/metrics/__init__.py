"""How good fills are: measures by name, the pure functions behind them, and running means."""

from inpaint.metrics.accumulate import FirstNotFinite, RunningMeans
from inpaint.metrics.base import Compared, ImageMeasure, Measure, SetMeasure, Sets
from inpaint.metrics.pixel import PSNR_CAP_DB, hole_ratio, l1, psnr, ssim
from inpaint.metrics.ssim import ssim_map
from inpaint.metrics.table import (
    MEASURES,
    OF_BLIND,
    OF_FILM,
    OF_RECOLORED,
    OF_STYLE,
    USUAL,
    Features,
    Measures,
    measured,
    measures,
)

__all__ = [
    "MEASURES",
    "OF_BLIND",
    "OF_FILM",
    "OF_RECOLORED",
    "OF_STYLE",
    "PSNR_CAP_DB",
    "USUAL",
    "Compared",
    "Features",
    "FirstNotFinite",
    "ImageMeasure",
    "Measure",
    "Measures",
    "RunningMeans",
    "SetMeasure",
    "Sets",
    "hole_ratio",
    "l1",
    "measured",
    "measures",
    "psnr",
    "ssim",
    "ssim_map",
]
