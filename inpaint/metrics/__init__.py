"""How good a fill is: pure functions with one number per image, and running means of them."""

from inpaint.metrics.accumulate import FirstNotFinite, RunningMeans
from inpaint.metrics.pixel import (
    METRICS,
    PSNR_CAP_DB,
    counted,
    hole_ratio,
    l1,
    l1_hole,
    measure,
    psnr,
    psnr_hole,
    ssim,
    ssim_hole,
)
from inpaint.metrics.ssim import ssim_map

__all__ = [
    "METRICS",
    "PSNR_CAP_DB",
    "FirstNotFinite",
    "RunningMeans",
    "counted",
    "hole_ratio",
    "l1",
    "l1_hole",
    "measure",
    "psnr",
    "psnr_hole",
    "ssim",
    "ssim_hole",
    "ssim_map",
]
