import numpy as np
import pytest

from inpaint.blending.base import ArrayBlender, Painted
from inpaint.errors import InputError, MaskError
from inpaint.types import Blend

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.random((2, 5, 7, 3), dtype=np.float32)
MASK = np.zeros((5, 7), bool)
MASK[1:4, 2:5] = True


class Bright(ArrayBlender):
    name = "bright"

    def paint(self, scene):
        self.scene = scene
        return Painted(image=np.full(scene.source.shape, 7.0), aux={"pasted": scene.pasted}, details={"steps": 3})


def test_the_target_is_kept_outside_the_mask_whatever_a_method_returns():
    blend = Bright().blend(SOURCE, TARGET, MASK)
    assert blend.completed.dtype == np.float32
    assert blend.completed[~MASK].tobytes() == TARGET[~MASK].tobytes()
    assert (blend.completed[MASK] == 1).all()
    assert np.array_equal(blend.aux["pasted"], np.where(MASK[..., None], SOURCE, TARGET))
    assert blend.details == {"steps": 3}
    assert "float32 (5, 7, 3)" in repr(blend)


def test_the_caller_s_arrays_are_not_written_to():
    source, target, mask = SOURCE.copy(), TARGET.copy(), MASK.copy()
    for array in (source, target, mask):
        array.setflags(write=False)
    completed = Bright().blend(source, target, mask).completed
    assert completed.flags.writeable
    assert not np.shares_memory(completed, target)


def test_a_method_is_told_seed_budget_and_progress():
    bright, callback = Bright(), lambda progress: None
    bright.blend(SOURCE.astype(np.float64), TARGET, MASK, seed=np.int64(5), budget_s=2, progress=callback)
    assert (bright.scene.seed, bright.scene.budget_s, bright.scene.progress) == (5, 2.0, callback)
    assert bright.scene.source.dtype == np.float32


def test_an_empty_mask_gives_the_target_back_and_says_so():
    blend = Bright().blend(SOURCE, TARGET, np.zeros((5, 7), bool))
    assert isinstance(blend, Blend)
    assert blend.completed.tobytes() == TARGET.tobytes()
    assert "nothing was blended" in blend.warnings[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"source": SOURCE[:4]}, InputError, r"source must have the target's shape \(5, 7, 3\), got \(4, 7, 3\)"),
        ({"source": SOURCE[..., 0]}, InputError, r"source must be an array \(H, W, 3\) of floats"),
        ({"target": (TARGET * 255).astype(np.uint8)}, InputError, r"target must be an array .* got uint8"),
        ({"target": TARGET * 255}, InputError, r"target must lie in \[0, 1\], got values from"),
        ({"source": SOURCE * np.nan}, InputError, r"source must lie in \[0, 1\]"),
        ({"source": SOURCE[:0], "target": TARGET[:0]}, InputError, "source has no pixels"),
        ({"mask": MASK[:, :3]}, MaskError, r"mask must be a bool array \(5, 7\)"),
        ({"mask": MASK.astype(np.uint8)}, MaskError, r"mask must be a bool array \(5, 7\) .* got uint8"),
        ({"seed": -1}, InputError, "seed must be"),
        ({"budget_s": -1}, InputError, "budget_s must be a number of at least 0"),
        ({"progress": 3}, InputError, "progress must be a function"),
    ],
)
def test_what_does_not_fit_is_refused_with_one_line(change, error, message):
    given = {"source": SOURCE, "target": TARGET, "mask": MASK, **change}
    with pytest.raises(error, match=message):
        Bright().blend(given.pop("source"), given.pop("target"), given.pop("mask"), **given)
