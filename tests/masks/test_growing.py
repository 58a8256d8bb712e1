"""Masks that fade out: against the authors' own, against plain sums, and what they promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inpaint.masks.growing import grown, kernel_1d

PARITY = Path(__file__).resolve().parents[3] / "shared" / "parity"


@pytest.mark.parametrize(
    ("origin", "name", "border"), [("vcnet", "soft_mask", "zero"), ("vcnet_xyf", "soft_known", "replicate")]
)
def test_a_grown_mask_is_that_of_the_public_programs(origin, name, border):
    if not (PARITY / origin / "cases.npz").is_file():
        pytest.skip("the public programs' outputs (../shared/parity) are not here")
    cases = np.load(PARITY / origin / "cases.npz")
    stored = cases[name][0, 0]
    expected = stored if name == "soft_mask" else 1 - stored  # one of them keeps what is known
    found = grown(cases["mask"][0] > 127, border=border)
    assert found == pytest.approx(expected, abs=1e-12 if border == "zero" else 1e-7)  # a kernel in float32


def test_beside_a_long_edge_it_falls_as_published():
    mask = np.zeros((80, 80))
    mask[:, :20] = 1
    published = (0.70, 0.64, 0.59, 0.53, 0.46, 0.40, 0.34, 0.27, 0.23, 0.19, 0.16, 0.12, 0.10, 0.07, 0.06, 0.04)
    assert grown(mask)[40, 20:36] == pytest.approx(published, abs=0.006)
    assert grown(mask)[40, 44:].max() < 0.002


def test_passes_are_sums_over_windows():
    rng = np.random.default_rng(0)
    mask = (rng.random((9, 11)) < 0.2).astype(np.float64)
    weights = np.outer(kernel_1d(5), kernel_1d(5))
    expected = mask
    for _ in range(2):
        padded = np.pad(expected, 2)
        blurred = np.array([[(padded[y : y + 5, x : x + 5] * weights).sum() for x in range(11)] for y in range(9)])
        expected = np.where(mask == 1, 1.0, blurred)
    assert grown(mask, passes=2, side_px=5) == pytest.approx(expected, abs=1e-12)


def test_a_kernel_is_nearly_a_box():
    assert kernel_1d().sum() == pytest.approx(1, abs=1e-12)
    assert kernel_1d() == pytest.approx(np.full(15, 1 / 15), rel=1e-3)
