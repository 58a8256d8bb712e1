import json
import math

import pytest
import torch

from inpaint import metrics
from inpaint.metrics import FirstNotFinite, RunningMeans


@pytest.fixture
def images():
    """Five images (5, 3, 13, 17), holes of very different area."""
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(5, 3, 13, 17, generator=generator)
    completed = (image + 0.2 * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    mask = torch.zeros(5, 1, 13, 17)
    for i, size in enumerate((1, 3, 6, 9, 13)):
        mask[i, :, :size, :size] = 1
    return completed, image, mask


def compare(completed, image, mask):
    return metrics.Compared(completed=completed, image=image, mask=mask)


def add(means, *batch):
    """Add all metrics of a batch, as a validation does."""
    compared = compare(*batch)
    for measure in metrics.measures().of_images:
        means.add(measure.name, measure.values(compared), measure.counts(compared))


def per_image_means(images):
    rows = [metrics.measured(compare(*(x[i : i + 1] for x in images)), metrics.measures().of_images) for i in range(5)]
    return {name: sum(row[name].item() for row in rows) / 5 for name in metrics.USUAL}


@pytest.mark.parametrize("split", [[5], [1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_any_batching_gives_the_mean_over_images(images, split):
    means = RunningMeans()
    for part in zip(*(x.split(split) for x in images), strict=True):
        add(means, *part)
    assert means.compute() == pytest.approx(per_image_means(images), rel=1e-12)
    assert means.names == list(metrics.USUAL)


def test_reducing_over_processes_of_unequal_load_gives_the_mean_over_images(images):
    """What `reduce` gets on each of three processes, one of which measured nothing; all get the same answer."""
    processes = [RunningMeans() for _ in range(3)]
    add(processes[0], *(x[:4] for x in images))
    add(processes[1], *(x[4:] for x in images))
    for name in metrics.USUAL:
        processes[2].add(name, torch.zeros(()), 0)
    states = []
    for process in processes:
        process.compute(lambda state: states.append(state.clone()) or state)
    total = torch.stack(states).sum(dim=0)
    for process in processes:
        for _ in range(2):  # an in-place all-reduce must not be counted twice
            reduced = process.compute(lambda state: state.copy_(total))
            assert reduced == pytest.approx(per_image_means(images), rel=1e-12)


def test_an_image_without_a_hole_counts_for_the_whole_image_metrics_only(images):
    completed, image, mask = images
    mask[4] = 0
    means, holes = RunningMeans(), RunningMeans()
    add(means, completed, image, mask)
    add(holes, completed[:4], image[:4], mask[:4])
    assert means.compute()["l1_hole"] == pytest.approx(holes.compute()["l1_hole"])
    assert means.compute()["psnr"] == pytest.approx(metrics.psnr(completed, image).mean().item())


def test_a_model_that_paints_nan_is_not_left_out_of_the_mean(images):
    completed, image, mask = images
    completed[0, 0, 0, 0] = torch.nan
    means = RunningMeans()
    add(means, completed, image, mask)
    assert math.isnan(means.compute()["l1_hole"])


def test_measuring_builds_no_graph_and_changes_nothing(images):
    completed, image, mask = images
    completed.requires_grad_()
    copies = [x.detach().clone() for x in (completed, image, mask)]
    means = RunningMeans()
    add(means, completed, image, mask)
    kept = []
    means.compute(lambda state: kept.append(state) or state)
    assert not kept[0].requires_grad
    assert all(torch.equal(a, b) for a, b in zip(copies, (completed, image, mask), strict=True))


def test_means_are_those_since_they_were_cleared():
    means = RunningMeans()
    for value in (1.0, 2.0, 6.0):
        means.add("loss", torch.tensor(value))
    assert means.compute() == {"loss": 3.0}
    means.clear()
    assert means.compute() == {}
    means.add("loss", torch.tensor(4.0))
    assert means.compute() == {"loss": 4.0}


def test_one_number_may_weigh_as_much_as_a_batch():
    means = RunningMeans()
    means.add("a", torch.tensor([1.0, float("nan"), 4.0]), torch.tensor([True, False, True]))
    means.add("b", torch.tensor(1.0), 3)
    means.add("a", torch.tensor([7.0]))
    means.add("b", torch.tensor(5.0), torch.tensor(1))
    assert means.compute() == {"a": 4.0, "b": 2.0}
    assert means.compute(lambda state: 2 * state) == {"a": 4.0, "b": 2.0}


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_value_that_is_not_finite_spoils_the_mean_unless_it_weighs_nothing(bad):
    means = RunningMeans()
    for value in map(torch.tensor, (1.0, bad, 2.0)):
        means.add("loss", value)
        means.add("norm", value, value.isfinite())
    found = means.compute()
    assert not math.isfinite(found["loss"])
    assert found["norm"] == 1.5


def test_a_mean_of_nothing_is_no_number():
    means = RunningMeans()
    means.add("norm", torch.tensor(math.inf), 0)
    assert math.isnan(means.compute()["norm"])


def test_sums_of_many_small_numbers_stay_exact():
    means = RunningMeans()
    means.add("loss", torch.tensor(1.0))
    for _ in range(1000):
        means.add("loss", torch.tensor(1e-9), 1)
    assert means.compute()["loss"] * 1001 == pytest.approx(1 + 1e-6, rel=1e-12)


def test_the_earliest_value_that_was_not_finite_is_named_once_and_for_all():
    first = FirstNotFinite()
    for step, (a, b) in enumerate([(1.0, 2.0), (1.0, math.nan), (math.inf, 1.0), (1.0, math.nan)]):
        assert first.find() == (None if step < 2 else ("b", 1))
        first.add("a", torch.tensor(a, requires_grad=True), step)
        first.add("b", torch.tensor(b), step)
    assert first.find() == ("b", 1)


def test_means_go_on_from_their_state_to_the_bit():
    values = torch.rand(9, generator=torch.Generator().manual_seed(0))
    whole, first, second = RunningMeans(), RunningMeans(), RunningMeans()
    for place, value in enumerate(values):
        whole.add("loss", value)
        (first if place < 5 else second).add("loss", value)
        if place == 4:
            second.load(json.loads(json.dumps(first.state())), torch.device("cpu"))
    assert second.compute() == whole.compute()
