"""What measures need, what they say where it is not there, and what several of them share."""

import pytest
import torch

from inpaint.errors import InputError
from inpaint.metrics import MEASURES, Compared, ImageMeasure, measured, measures
from inpaint.metrics.base import Pair


class Small(ImageMeasure):
    """Something that needs several fills of images of 30 pixels."""

    name, title, better, low, high = "small", "small", "neither", 0.0, 1.0
    needs = frozenset({"samples"})
    smallest_px = 30

    def values(self, compared):
        return compared.samples.double().mean(dim=(0, 2, 3, 4))


def compared(height=40, width=33, **more):
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, height, width)
    mask[:, :, 3:9, 4:11] = 1
    return Compared(completed=image, image=image, mask=mask, **more)


def test_where_what_a_measure_needs_is_not_there_it_has_no_number_and_does_not_count():
    small = Small()
    with_samples = compared(samples=torch.full((3, 2, 3, 40, 33), 0.5))
    assert measured(with_samples, [small])["small"].tolist() == [0.5, 0.5]
    assert small.counts(with_samples).tolist() == [True, True]
    too_few, too_small = compared(samples=torch.ones(1, 2, 3, 40, 33)), torch.ones(3, 2, 3, 29, 33)
    for case in (compared(), too_few, compared(height=29, samples=too_small)):
        values = measured(case, [small])["small"]
        assert values.dtype == torch.float64
        assert values.isnan().tolist() == [True, True]
        assert small.counts(case).tolist() == [False, False]


def test_a_measure_says_in_a_sentence_what_it_lacks():
    assert Small().lacks({"samples"}, side_px=30) is None
    assert Small().lacks(()) == "it needs several fills of each image"
    assert Small().lacks({"samples"}, side_px=29) == ("it needs images of at least 30 pixels a side, these have 29")


def test_measures_of_what_was_painted_everywhere_say_so():
    for name, make in MEASURES.items():
        assert ("raw" in make().needs) == name.endswith("_raw"), name
    wanted = measures(["psnr_raw", "l1_hole_raw", "l1"]).of_images
    values = measured(compared(), wanted)
    assert [value.isnan().all().item() for value in values.values()] == [True, True, False]
    assert [measure.counts(compared()).any().item() for measure in wanted] == [False, False, True]
    with pytest.raises(InputError, match="nothing but the completed image"):
        wanted[0].values(compared())


def test_samples_and_found_masks_of_other_shapes_are_refused():
    with pytest.raises(InputError, match=r"samples must have shape \(S, 2, 3, 40, 33\) .*, got \(2, 3, 40, 33\)"):
        compared(samples=torch.zeros(2, 3, 40, 33))
    with pytest.raises(InputError, match=r"found must have shape \(2, 1, 40, 33\) .*, got \(2, 40, 33\)"):
        compared(found=torch.zeros(2, 40, 33))


def test_what_several_measures_ask_of_a_pair_is_computed_once():
    calls = []
    pair = Pair(torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))

    def total(painted, image):
        calls.append(1)
        return (painted - image).sum().item()

    assert [pair.once("total", total), pair.once("total", total), pair.once(("other", 1), total)] == [12, 12, 12]
    assert len(calls) == 2
