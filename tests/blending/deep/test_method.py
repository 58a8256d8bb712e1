import numpy as np
import pytest
import torch
from pydantic import ValidationError

from inpaint.blending.deep.method import Deep, part_of
from inpaint.blending.deep.options import DeepOptions
from inpaint.classical.poisson import blended
from inpaint.errors import ConfigError
from inpaint.nn import vgg
from inpaint.optimize import stages
from inpaint.types import StopFill

SMALL = {"weights": "random", "style_layers": ("relu1_2", "relu2_1"), "iterations": 2, "refine_iterations": 2}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A network of few channels."""
    monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))


@pytest.fixture
def scene(make_photo):
    """Source, target and a mask with a hole, 40 x 56."""
    source, target = (make_photo(40, 56, seed).astype(np.float32) / 255 for seed in (1, 2))
    mask = np.zeros((40, 56), bool)
    mask[12:26, 20:41] = True
    mask[16:19, 24:30] = False
    return source, target, mask


def with_mask(kind, mask):
    masks = {
        "hole": mask,
        "whole": np.ones_like(mask),
        "pixel": np.indices(mask.shape).sum(axis=0) == 0,
        "frame": np.arange(mask.size).reshape(mask.shape) < 9 * mask.shape[1],
    }
    return masks[kind]


@pytest.mark.parametrize("kind", ["hole", "whole", "pixel", "frame"])
def test_nothing_outside_the_mask_changes_and_something_inside_does(scene, kind):
    source, target, mask = scene
    mask = with_mask(kind, mask)
    blend = Deep(DeepOptions(**SMALL)).blend(source, target, mask)
    assert np.array_equal(blend.completed[~mask], target[~mask])
    assert not np.allclose(blend.completed[mask], target[mask])
    assert blend.completed.dtype == np.float32
    assert [stage["stage"] for stage in blend.details["stages"]] == ["first", "refine"]


def test_it_begins_with_the_solution_of_poissons_equation_and_lowers_the_loss(scene):
    blend = Deep(DeepOptions(**SMALL | {"iterations": 5, "refine_iterations": 5})).blend(*scene)
    np.testing.assert_allclose(blend.aux["poisson"], blended(*scene), atol=1e-6)
    for stage in blend.details["stages"]:
        losses = [loss for _, _, loss in stage["losses"]]
        assert len(losses) == 5
        assert stage["loss"] <= min(losses) < losses[0]
        assert 5 <= stage["evaluations"] <= 12  # one for an iteration, and a few in the line search


def test_without_the_second_stage_the_first_ones_image_is_the_answer(scene):
    blend = Deep(DeepOptions(**SMALL | {"refine_iterations": 0})).blend(*scene)
    mask = scene[2]
    assert np.array_equal(blend.completed[mask], blend.aux["first"][mask].clip(0, 1))
    assert blend.details["stages"][1]["iterations"] == 0


def test_progress_counts_both_stages_and_shows_previews_that_keep_the_target(scene, monkeypatch):
    monkeypatch.setattr(stages, "PREVIEW_EVERY_S", 0.0)
    _, target, mask = scene
    steps = []
    Deep(DeepOptions(**SMALL)).blend(*scene, progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for step in steps:
        preview = step.preview[0].permute(1, 2, 0).numpy()
        assert preview.min() >= 0
        assert preview.max() <= 1
        assert np.array_equal(preview[~mask], target[~mask])


def test_previews_come_now_and_then(scene, monkeypatch):
    monkeypatch.setattr(stages, "PREVIEW_EVERY_S", 3600.0)
    steps = []
    Deep(DeepOptions(**SMALL)).blend(*scene, progress=steps.append)
    assert [step.preview is None for step in steps] == [False, True, True, True]


@pytest.mark.parametrize("exact", [False, True])
def test_a_request_to_stop_keeps_what_there_is(scene, exact):
    def stop(step):
        raise StopFill

    blend = Deep(DeepOptions(**SMALL, exact=exact)).blend(*scene, progress=stop)
    first, second = blend.details["stages"]
    assert (first["iterations"], first["reason"]) == (1, "interrupted")
    assert second["iterations"] == 0
    assert np.array_equal(blend.completed[~scene[2]], scene[1][~scene[2]])


def test_a_budget_ends_both_stages(scene):
    blend = Deep(DeepOptions(**SMALL | {"iterations": 1000, "refine_iterations": 1000})).blend(*scene, budget_s=0.0)
    assert [stage["iterations"] for stage in blend.details["stages"]] == [1, 1]
    assert [stage["reason"] for stage in blend.details["stages"]] == ["budget", "budget"]


def test_the_authors_arithmetic_begins_with_the_noise_of_the_seed(scene):
    method = Deep(DeepOptions(**SMALL, exact=True))
    first, again, other = (method.blend(*scene, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.completed, again.completed)
    assert not np.array_equal(first.completed, other.completed)
    assert np.array_equal(first.completed[scene[2]], first.aux["whole"][scene[2]])
    # What passes between the stages are bytes, as in a file.
    assert np.allclose(first.aux["first"] * 255, np.round(first.aux["first"] * 255), atol=1e-4)


def test_the_authors_arithmetic_begins_lower_with_the_exact_solution(scene):
    losses = []
    for start in ("noise", "poisson"):
        blend = Deep(DeepOptions(**SMALL, exact=True, exact_start=start)).blend(*scene)
        losses.append(blend.details["stages"][0]["losses"][0][2])
    assert losses[1] < 0.1 * losses[0]


def test_our_own_form_draws_nothing(scene):
    method = Deep(DeepOptions(**SMALL))
    assert np.array_equal(method.blend(*scene, seed=0).completed, method.blend(*scene, seed=5).completed)


def test_large_parts_are_reduced_and_keep_the_sources_detail(make_photo):
    source, target = (make_photo(150, 160, seed).astype(np.float32) / 255 for seed in (1, 2))
    mask = np.zeros((150, 160), bool)
    mask[30:110, 20:140] = True
    blend = Deep(DeepOptions(**SMALL, work_px=64)).blend(source, target, mask)
    assert 0.35 < blend.details["scale"] < 0.5
    change = (blend.completed - blended(source, target, mask).clip(0, 1))[mask]
    assert np.abs(change).max() > 0
    # The change is smooth, since it was made of fewer pixels; the detail is that of the exact solution.
    rows = (blend.completed - blended(source, target, mask))[40:100, 30:130]
    assert np.abs(np.diff(rows, n=2, axis=1)).mean() < 0.5 * np.abs(np.diff(blend.completed, n=2, axis=1)).mean()


def test_thin_objects_survive_a_reduction(make_photo):
    source, target = (make_photo(150, 160, seed).astype(np.float32) / 255 for seed in (1, 2))
    mask = np.zeros((150, 160), bool)
    mask[75, 5:155] = True
    blend = Deep(DeepOptions(**SMALL, work_px=64)).blend(source, target, mask)
    assert not np.array_equal(blend.completed[mask], blended(source, target, mask).clip(0, 1)[mask])


@pytest.mark.parametrize("work_px", [None, 64])
def test_the_part_holds_all_that_features_in_the_mask_see(work_px):
    mask = np.zeros((400, 500), bool)
    mask[200, 250] = True
    options = DeepOptions(work_px=work_px)
    part = part_of(mask, options)
    left, right = vgg.receptive_px("vgg16", options.style_layers)
    for span, place, side in ((part.rows, 200, 400), (part.columns, 250, 500)):
        assert span.start % 16 == 0
        assert 0 <= span.start <= place - left
        assert place + right < span.stop <= side
    assert (part.style_rows, part.style_columns) == (slice(0, 400), slice(0, 500))
    assert part.scale == pytest.approx(1 if work_px is None else 64 / 112)


def test_the_style_is_taken_from_the_neighborhood_in_a_huge_target():
    mask = np.zeros((3000, 2500), bool)
    mask[2900:2950, 40:60] = True
    part = part_of(mask, DeepOptions())
    assert (part.style_rows, part.style_columns) == (slice(1976, 3000), slice(0, 1024))


def test_distances_are_those_of_the_blend_that_is_given(scene):
    source, target, mask = scene
    method = Deep(DeepOptions(**SMALL))
    pasted = np.where(mask[..., None], source, target)
    assert method.distances(pasted, source, target, mask)["content"] == pytest.approx(0, abs=1e-12)
    blend = method.blend(*scene)
    assert method.distances(blend.completed, *scene)["style"] < method.distances(pasted, *scene)["style"]


def test_layers_that_the_network_does_not_have_are_refused_before_weights_are_sought():
    with pytest.raises(ConfigError, match=r"relu3_4"):
        Deep(DeepOptions(network="vgg16", style_layers=("relu3_4",)))
    with pytest.raises(ValidationError, match="at least one layer"):
        DeepOptions(style_layers=())


def test_it_computes_on_what_torch_calls_the_device():
    assert Deep(DeepOptions(), device="cpu").device == torch.device("cpu")


def test_the_authors_stages_are_longer_unless_it_is_said():
    assert [stage.iterations for stage in DeepOptions().stages] == [50, 30]
    assert [stage.iterations for stage in DeepOptions(exact=True).stages] == [1000, 1000]
    assert [stage.iterations for stage in DeepOptions(exact=True, iterations=7, refine_iterations=0).stages] == [7, 0]
