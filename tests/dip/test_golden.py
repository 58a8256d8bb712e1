"""Stored results: the same seed still gives the same restoration.

The values in golden.npz were computed before seeds were derived in one place, by the code whose answers this one equals
bit for bit on one machine, but for "denoise, runs, exact", which is younger. Another processor rounds otherwise, and a
prior on noise makes 6 % of that within four iterations, hence the tolerance; another seed gives far more. Seeds of
a batch were derived otherwise then: the numbers are put in by hand here.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from golden import some_of
from inpaint.dip import arithmetic
from inpaint.dip.fill import DeepImagePrior
from inpaint.dip.options import DipOptions, FillOptions
from inpaint.dip.restoring import restore
from smooth import strokes, waves

STORED = Path(__file__).with_name("golden.npz")
SEED = 7
TOLERANCE = 0.15  # of the deviation of the stored values


def restored(task, *, seed=SEED, **options):
    image = waves(40, 56)
    mask = strokes(40, 56) if task in ("inpaint", "restore") else None
    flash = image.flip(-1) if task == "flash" else None
    chosen = DipOptions(iterations=4, width=8, factor=2, budget="none", **options)
    return restore(task, image, mask, flash=flash, options=chosen, seed=seed).image


CASES = {
    **{task: {} for task in ("inpaint", "restore", "super-resolve", "flash")},
    "denoise": {"stop": "variance"},
    **{f"{task}, exact": {"exact": True} for task in ("inpaint", "restore", "denoise", "super-resolve", "flash")},
    "denoise, decoder": {"network": "decoder", "stop": "variance"},
    "denoise, langevin": {"langevin": True},
    "denoise, runs, exact": {"runs": 2, "tv": 0.01, "stop": "variance", "exact": True},
    "inpaint, coarse": {"coarse": True, "preset": "library"},
}


@pytest.fixture(scope="module")
def stored():
    with np.load(STORED, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    monkeypatch.setattr(arithmetic, "computes_bfloat16", lambda device: False)


def off(found, stored):
    """How far values are from the stored ones, as a share of the deviation of these."""
    return np.sqrt(np.square(some_of(found) - stored).mean()) / stored.std()


@pytest.mark.parametrize("case", CASES)
def test_a_restoration_gives_the_stored_values(stored, case):
    assert off(restored(case.partition(",")[0], **CASES[case]), stored[case]) < TOLERANCE


def test_another_seed_gives_other_values(stored):
    assert off(restored("denoise", seed=SEED + 1, **CASES["denoise"]), stored["denoise"]) > 3 * TOLERANCE


def test_a_batch_gives_the_stored_values_with_the_seeds_that_it_had(stored):
    image = torch.cat((waves(24, 32), waves(24, 32).flip(-1)))
    mask = strokes(24, 32).expand(2, -1, -1, -1)
    seeds = [
        int(np.random.SeedSequence((0, SEED, number + 1)).generate_state(1, np.uint64)[0] >> 1) for number in (0, 1)
    ]
    model = DeepImagePrior(FillOptions(iterations=4, width=8, budget="none"), device="cpu")
    found = model.fill(image, mask, seed=seeds)[0].raw
    for number in (0, 1):
        assert off(found[number], stored[f"batch, {number}"]) < TOLERANCE
    other = model.fill(image, mask, seed=[seeds[1], seeds[0]])[0].raw
    assert off(other[0], stored["batch, 0"]) > 2 * TOLERANCE
