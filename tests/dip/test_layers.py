"""The Lanczos operator against the public kernel's figures, NumPy, and its own invariances."""

import math

import numpy as np
import pytest
import torch

from inpaint.dip.layers import LanczosDownsampler, lanczos_taps


def kernel(factor, lobes):
    """The kernel in two dimensions, written out."""
    length = 2 * lobes * factor
    out = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            value = 1.0
            for d in ((i - (length - 1) / 2) / factor, (j - (length - 1) / 2) / factor):
                value *= (
                    1.0
                    if d == 0
                    else lobes * math.sin(math.pi * d) * math.sin(math.pi * d / lobes) / (math.pi * d) ** 2
                )
            out[i, j] = value
    return out / out.sum()


def test_the_kernel_for_four_has_the_published_figures():
    taps = lanczos_taps(4, 2)
    both = torch.outer(taps, taps)
    assert both.shape == (16, 16)
    assert both.sum() == pytest.approx(1, abs=1e-12)
    assert both.min() == pytest.approx(-0.0049, abs=5e-5)
    assert both.max() == pytest.approx(0.0575, abs=5e-5)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("lobes", [2, 3])
def test_reduced_images_are_the_sums_that_the_kernel_says(factor, lobes):
    rng = np.random.default_rng(0)
    image, weights = rng.random((2, 3 * factor + 3, 4 * factor + 1)), kernel(factor, lobes)
    around = (len(weights) - factor) // 2
    padded = np.pad(image, ((0, 0), (around, around), (around, around)), mode="edge")
    rows, columns = image.shape[1] // factor, image.shape[2] // factor
    expected = np.array(
        [
            [
                [
                    (
                        plane[r * factor : r * factor + len(weights), c * factor : c * factor + len(weights)] * weights
                    ).sum()
                    for c in range(columns)
                ]
                for r in range(rows)
            ]
            for plane in padded
        ]
    )
    found = LanczosDownsampler(factor, lobes=lobes)(torch.from_numpy(image)[None])
    assert found.shape == (1, 2, rows, columns)
    assert np.allclose(found[0], expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_constants_stay_and_shifts_by_the_factor_commute(factor):
    reduce = LanczosDownsampler(factor)
    assert torch.allclose(reduce(torch.full((1, 3, 40, 48), 0.7)), torch.tensor(0.7), atol=1e-6)
    image = torch.rand(1, 3, 96, 96)
    shifted = torch.roll(image, factor, dims=-1)
    inner = slice(4, -4)
    expected = torch.roll(reduce(image), 1, dims=-1)[..., inner, inner]
    assert torch.allclose(reduce(shifted)[..., inner, inner], expected, atol=1e-6)


def test_nothing_in_it_is_learned_or_saved():
    reduce = LanczosDownsampler(4)
    assert list(reduce.parameters()) == []
    assert reduce.state_dict() == {}
