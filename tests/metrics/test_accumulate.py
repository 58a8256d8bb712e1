import math

import pytest
import torch

from inpaint import metrics
from inpaint.errors import InputError
from inpaint.metrics import HoleMetrics


@pytest.fixture
def pictures():
    """Five pictures (5, 3, 13, 17), holes of very different area."""
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(5, 3, 13, 17, generator=generator)
    completed = (image + 0.2 * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    mask = torch.zeros(5, 1, 13, 17)
    for i, size in enumerate((1, 3, 6, 9, 13)):
        mask[i, :, :size, :size] = 1
    return completed, image, mask


def per_picture_means(pictures):
    rows = [metrics.measure(*(x[i : i + 1] for x in pictures)) for i in range(5)]
    return {name: sum(row[name].item() for row in rows) / 5 for name in metrics.METRICS}


@pytest.mark.parametrize("split", [[5], [1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_any_batching_gives_the_mean_over_pictures(pictures, split):
    accumulator = HoleMetrics()
    for part in zip(*(x.split(split) for x in pictures), strict=True):
        accumulator.update(*part)
    assert accumulator.compute() == pytest.approx(per_picture_means(pictures), rel=1e-12)


def test_merged_accumulators_equal_one(pictures):
    first, second, idle = HoleMetrics(), HoleMetrics(), HoleMetrics()
    first.update(*(x[:2] for x in pictures))
    second.update(*(x[2:] for x in pictures))
    for part in (second, idle):
        first.merge(part.state())
    assert first.compute() == pytest.approx(per_picture_means(pictures), rel=1e-12)


def test_reducing_over_processes_of_unequal_load_gives_the_mean_over_pictures(pictures):
    """What `reduce` sees on each of three processes, one of which measured nothing; all get the same answer."""
    processes = [HoleMetrics() for _ in range(3)]
    processes[0].update(*(x[:4] for x in pictures))
    processes[1].update(*(x[4:] for x in pictures))
    total = torch.stack([process.state() for process in processes]).sum(dim=0)
    for process in processes:
        before = process.state().clone()
        assert process.compute(lambda state: state.copy_(total)) == pytest.approx(
            per_picture_means(pictures), rel=1e-12
        )
        assert torch.equal(process.state(), before)  # an in-place all-reduce must not be counted twice


def test_a_picture_without_a_hole_counts_for_the_whole_picture_metrics_only(pictures):
    completed, image, mask = pictures
    mask[4] = 0
    accumulator, holes = HoleMetrics(), HoleMetrics()
    accumulator.update(completed, image, mask)
    holes.update(completed[:4], image[:4], mask[:4])
    assert accumulator.compute()["l1_hole"] == pytest.approx(holes.compute()["l1_hole"])
    assert accumulator.compute()["psnr"] == pytest.approx(metrics.psnr(completed, image).mean().item())


def test_a_model_that_paints_nan_is_not_left_out_of_the_mean(pictures):
    completed, image, mask = pictures
    completed[0, 0, 0, 0] = torch.nan
    accumulator = HoleMetrics()
    accumulator.update(completed, image, mask)
    assert math.isnan(accumulator.compute()["l1_hole"])


def test_nothing_measured_gives_nan_and_reset_forgets(pictures):
    accumulator = HoleMetrics()
    assert all(math.isnan(value) for value in accumulator.compute().values())
    accumulator.update(*pictures)
    accumulator.reset()
    assert all(math.isnan(value) for value in accumulator.compute().values())


def test_measuring_builds_no_graph_and_changes_nothing(pictures):
    completed, image, mask = pictures
    completed.requires_grad_()
    copies = [x.detach().clone() for x in (completed, image, mask)]
    accumulator = HoleMetrics()
    accumulator.update(completed, image, mask)
    assert not accumulator.state().requires_grad
    assert all(torch.equal(a, b) for a, b in zip(copies, (completed, image, mask), strict=True))


def test_a_state_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"state must have shape \(2, 7\), got \(3,\)"):
        HoleMetrics().merge(torch.zeros(3))
