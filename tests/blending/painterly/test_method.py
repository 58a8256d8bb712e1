import logging

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from inpaint.blending.painterly.method import Painterly
from inpaint.blending.painterly.options import PainterlyOptions
from inpaint.blending.painterly.texture import measured_level
from inpaint.blending.table import BLENDERS
from inpaint.errors import InputError, UsageError
from inpaint.nn import vgg
from inpaint.types import StopFill

QUICK = {"network": "vgg16_caffe", "weights": "random", "iterations": 2, "refine_iterations": 2, "work_px": 64}


@pytest.fixture(autouse=True)
def narrow(monkeypatch, caplog):
    """A VGG of few channels."""
    monkeypatch.setattr(vgg, "CHANNELS", (3, 4, 4, 5, 5))
    caplog.set_level(logging.ERROR)


@pytest.fixture
def scene(make_photo):
    """Source, target and mask; sides that differ."""
    source, target = (make_photo(40, 52, seed).astype(np.float32) / 255 for seed in (1, 2))
    mask = np.zeros((40, 52), bool)
    mask[10:28, 20:40] = True
    return source, target, mask


def method(**options):
    return BLENDERS.load("painterly", device="cpu", **{**QUICK, **options})


def test_the_target_outside_the_mask_is_kept_bit_for_bit_and_the_object_is_painted_over(scene):
    source, target, mask = scene
    blend = method().blend(source, target, mask)
    assert np.array_equal(blend.completed[~mask], target[~mask])
    for name in ("first", "second"):
        assert blend.aux[name].shape == target.shape
    inner = np.s_[14:24, 24:36]
    assert np.abs(blend.completed[inner] - source[inner]).mean() > 0.01
    assert [record["iterations"] for record in blend.details["stages"]] == [2, 2]
    assert 1 <= blend.details["style"] <= 10


def test_a_seed_gives_the_same_answer_again_and_another_one_another(scene):
    first, again, other = (method().blend(*scene, seed=seed).completed for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_when_it_is_stopped_what_there_is_comes_back(scene):
    seen = []

    def stop(progress):
        seen.append(progress)
        raise StopFill

    blend = method(iterations=500).blend(*scene, progress=stop)
    assert len(seen) == 1
    assert seen[0].preview.shape == (1, 3, 40, 52)
    assert "stopped" in blend.warnings[0]
    assert [record["iterations"] for record in blend.details["stages"]] == [1, 0]


def test_a_budget_ends_both_passes(scene):
    blend = method(iterations=10_000, refine_iterations=10_000).blend(*scene, budget_s=0.3)
    assert [record["reason"] for record in blend.details["stages"]] == ["budget", "budget"]


def test_larger_images_are_reduced_for_both_passes_only(make_photo):
    source, target = (make_photo(90, 70, seed).astype(np.float32) / 255 for seed in (1, 2))
    mask = np.zeros((90, 70), bool)
    mask[20:60, 20:50] = True
    blend = method().blend(source, target, mask)
    assert blend.details["scale"] == pytest.approx(64 / 90, abs=1e-3)
    assert np.array_equal(blend.completed[~mask], target[~mask])


@pytest.mark.parametrize("where", ["one pixel", "everything", "frame", "two with a hole"])
@pytest.mark.parametrize("exact", [False, True])
def test_masks_of_every_kind_are_blended(scene, where, exact):
    source, target, mask = scene
    mask = np.zeros_like(mask)
    if where == "one pixel":
        mask[0, 51] = True
    elif where == "everything":
        mask[:] = True
    elif where == "frame":
        mask[:, :12] = True
    else:
        mask[5:20, 5:20] = True
        mask[10:14, 9:15] = False
        mask[30:, 40:] = True
    blend = method(iterations=1, refine_iterations=1, exact=exact).blend(source, target, mask)
    assert np.isfinite(blend.completed).all()
    assert np.array_equal(blend.completed[~mask], target[~mask])


def test_the_program_s_arithmetic_has_its_iterations_unless_others_are_asked_for():
    assert Painterly(PainterlyOptions())._iterations() == (150, 300)
    assert Painterly(PainterlyOptions(exact=True))._iterations() == (1000, 1000)
    assert Painterly(PainterlyOptions(exact=True, refine_iterations=3))._iterations() == (1000, 3)


def test_each_pass_and_each_part_of_the_finish_can_be_left_out(scene):
    for left, other in (("iterations", "second"), ("refine_iterations", "first")):
        blend = method(**{left: 0}).blend(*scene)
        assert [record["stage"] for record in blend.details["stages"] if record["iterations"]] == [other]
    blend = method(patches=False, smooth_chroma=False).blend(*scene)
    assert np.allclose(blend.completed, blend.aux["second"], rtol=0, atol=1e-6)


def test_a_style_is_a_word_or_a_number(scene):
    assert method(style="strong").blend(*scene).details["style"] == 10
    assert method(style=2.5).blend(*scene).details["style"] == 2.5
    with pytest.raises(UsageError, match="style"):
        method(style="baroque")
    with pytest.raises(ValidationError, match="above 0"):
        PainterlyOptions(style=0.0)


def test_regions_outside_the_painting_are_refused(scene):
    with pytest.raises(InputError, match=r"none lies in the painting, which has 52 x 40"):
        method(regions=[[100, 120, 0, 10]]).blend(*scene)
    assert np.isfinite(method(regions=[[0, 40, 0, 16]]).blend(*scene).completed).all()


def test_a_painting_with_more_texture_gets_a_stronger_style():
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 40, 40, generator=draw)
    levels = [measured_level((0.5 + strength * noise).clamp(0, 1)) for strength in (0.001, 0.01, 0.02, 0.1)]
    assert levels[0] == 1
    assert levels[-1] == 10
    assert levels == sorted(levels)


@pytest.mark.slow
def test_more_iterations_bring_the_losses_down(scene):
    blend = method(iterations=15, refine_iterations=15).blend(*scene)
    for record in blend.details["stages"]:
        losses = [loss for _, _, loss in record["losses"]]
        assert losses[-1] < 0.7 * losses[0], record
