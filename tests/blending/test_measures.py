import numpy as np
import pytest

from inpaint.blending.measures import Fidelity, fidelity


def test_the_numbers_are_those_of_the_definitions_pair_by_pair():
    rng = np.random.default_rng(0)
    blend, source = rng.random((2, 5, 7, 3))
    mask = rng.random((5, 7)) < 0.4
    jumps, bends = [], []
    for y in range(5):
        for x in range(7):
            near = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            near = [(i, j) for i, j in near if 0 <= i < 5 and 0 <= j < 7]
            if not mask[y, x]:
                continue
            bend = sum((blend[y, x] - blend[p]) - (source[y, x] - source[p]) for p in near)
            bends.append(np.abs(bend))
            jumps += [np.abs((blend[y, x] - blend[p]) - (source[y, x] - source[p])) for p in near if not mask[p]]
    found = fidelity(blend, source, mask)
    assert found.seam == pytest.approx(255 * np.mean(jumps))
    assert found.laplacian == pytest.approx(255 * np.mean(bends))
    assert found.shift == pytest.approx(255 * np.abs(blend - source)[mask].mean())


def test_a_blend_that_is_the_source_has_nothing_of_any_and_the_whole_frame_no_seam():
    source = np.random.default_rng(0).random((5, 7, 3))
    assert fidelity(source, source, np.eye(5, 7) > 0) == Fidelity(seam=0, laplacian=0, shift=0)
    found = fidelity(source + 0.1, source, np.ones((5, 7), bool))
    assert found.seam == 0
    assert found.shift == pytest.approx(25.5)
