"""Deep Image Prior as a fill like any other: batches, samples, seeds, progress, threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import inpaint
from inpaint import seeds
from inpaint.dip.fill import DeepImagePrior
from inpaint.dip.options import DipOptions, FillOptions
from inpaint.dip.restoring import restore
from inpaint.types import StopFill
from smooth import strokes, waves


def test_dip_is_a_fill_by_name():
    model = inpaint.load("dip", device="cpu", iterations=4, width=8)
    image = torch.cat((waves(24, 32), waves(24, 32).flip(-1)))
    mask = torch.cat((strokes(24, 32), strokes(24, 32)))
    fills = model.fill(image, mask, samples=2, seed=1)
    hole = (mask == 1).expand_as(image)
    assert len(fills) == 2
    assert all(torch.equal(fill.completed[~hole], image[~hole]) for fill in fills)
    assert not torch.equal(fills[0].completed, fills[1].completed)
    alone = model.fill(image[:1], mask[:1], seed=1)[0]
    assert torch.equal(alone.completed, fills[0].completed[:1])


@pytest.mark.parametrize(("threads", "several"), [(1, True), (2, False)])
def test_several_images_are_filled_at_once_where_torch_has_one_thread(monkeypatch, threads, several):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert DeepImagePrior(device="cpu").capabilities.thread_safe == several


def test_fills_at_the_same_time_do_not_disturb_each_other():
    model = DeepImagePrior(FillOptions(iterations=6, width=8), device="cpu")
    image, mask = waves(24, 32), strokes(24, 32)

    def fill(seed):
        return model.fill(image, mask, seed=seed)[0].completed

    answers = []
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            answers.append(list(pool.map(fill, range(3))))
    for alone, together in zip(*answers, strict=True):
        assert torch.equal(alone, together)


def test_progress_is_told_and_can_stop_the_fill():
    seen = []

    def progress(step):
        seen.append(step)
        raise StopFill

    model = DeepImagePrior(FillOptions(iterations=50_000, width=8), device="cpu")
    image, mask = waves(24, 32).repeat(2, 1, 1, 1), strokes(24, 32).repeat(2, 1, 1, 1)
    fill = model.fill(image, mask, progress=progress)[0]
    assert len(seen) == 1
    assert (seen[0].done <= 1000, seen[0].total) == (True, 2000)
    hole = (mask == 1).expand_as(image)
    assert torch.equal(fill.completed[~hole], image[~hole])
    assert fill.completed.isfinite().all()


def test_a_fill_is_the_restoration_of_the_task_inpaint_with_the_seed_of_its_image_and_sample():
    model = DeepImagePrior(FillOptions(iterations=3, width=8), device="cpu")
    image = torch.cat((waves(24, 32), waves(24, 32).flip(-1)))
    mask = strokes(24, 32).expand(2, -1, -1, -1)
    options = DipOptions(iterations=3, width=8)
    own = [5, seeds.integer(5, seeds.IMAGE, 1)]
    fills = model.fill(image, mask, samples=2, seed=5)
    for number in (0, 1):
        for sample, seed in enumerate((own[number], seeds.integer(own[number], seeds.SAMPLE, 1))):
            alone = restore(
                "inpaint", image[number : number + 1], mask[number : number + 1], options=options, seed=seed
            )
            assert torch.equal(fills[sample].raw[number], alone.raw[0])
            assert torch.equal(fills[sample].completed[number], alone.image[0])
