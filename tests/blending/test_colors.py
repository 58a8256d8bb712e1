"""The source's colors adapted before any method blends it."""

import numpy as np
import pytest

from inpaint.blending.table import BLENDERS
from inpaint.classical.color_transfer import transferred

H, W = 24, 30
TRANSFERS = ("reinhard", "covariance", "histogram", "distribution")


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0.2, 0.4, (H, W, 3)), rng.uniform(0.5, 0.8, (H, W, 3))
    mask = np.zeros((H, W), bool)
    mask[6:16, 8:20] = True
    return source.astype(np.float32), target.astype(np.float32), mask


@pytest.mark.parametrize("colors", TRANSFERS)
def test_what_is_pasted_has_the_colors_of_the_transfer(scene, colors):
    source, target, mask = scene
    completed = BLENDERS.load("paste", colors=colors, colors_of="whole").blend(source, target, mask).completed
    expected = transferred(source, mask, target, method=colors, around="whole")
    assert np.allclose(completed[mask], expected[mask], atol=1e-6)
    assert completed[~mask].tobytes() == target[~mask].tobytes()


def test_without_a_transfer_the_source_is_what_it_is(scene):
    source, target, mask = scene
    assert (BLENDERS.load("paste").blend(source, target, mask).completed[mask] == source[mask]).all()


@pytest.mark.parametrize("name", [name for name, entry in BLENDERS.items() if not entry.on_device])
def test_every_method_takes_a_transfer_and_writes_to_none_of_its_arrays(scene, name):
    source, target, mask = (each.copy() for each in scene)
    adapted = BLENDERS.load(name, colors="reinhard").blend(source, target, mask).completed
    assert np.isfinite(adapted).all()
    assert (source == scene[0]).all()
    assert (target == scene[1]).all()
    assert not np.array_equal(adapted, BLENDERS.load(name).blend(source, target, mask).completed) or name == "poisson"


def test_what_is_recolored_beyond_the_mask_keeps_its_differences_across_the_border():
    ramp = np.linspace(0.2, 0.5, W, dtype=np.float32)[None, :, None] * np.ones((H, 1, 3), np.float32)
    mask = np.zeros((H, W), bool)
    mask[6:16, 8:20] = True
    target = 1 - ramp
    moved = transferred(ramp, mask, target, method="covariance", reach_px=2)
    across = np.diff(moved[10, :, 0])
    inside = across[8:19]
    assert np.allclose(across[[6, 7, 19, 20]], inside.mean(), rtol=1e-4)
    assert abs(across[5] - inside.mean()) > abs(inside.mean())  # where the recolored part ends
