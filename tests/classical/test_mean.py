import numpy as np
import pytest
import torch

import inpaint
from inpaint.errors import MaskError
from inpaint.types import StopFill


@pytest.fixture
def mean():
    return inpaint.load("mean", device="cpu")


@pytest.fixture
def batch():
    image = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 5, 7)
    mask[0, :, :2, 3:] = 1
    mask[1, :, 1:, :6] = 1
    return image, mask


def test_the_hole_gets_the_mean_of_the_known_pixels_and_the_rest_stays(mean, batch):
    image, mask = batch
    (fill,) = mean.fill(image, mask)
    for original, hole, completed in zip(image.numpy(), mask[:, 0].numpy() == 1, fill.completed.numpy(), strict=True):
        assert np.array_equal(completed[:, ~hole], original[:, ~hole])
        want = original[:, ~hole].astype(np.float64).mean(axis=1)
        assert np.allclose(completed[:, hole], want[:, None], rtol=0, atol=1e-7)


def test_the_hole_is_not_looked_at(mean, batch):
    image, mask = batch
    poisoned = torch.where(mask == 1, torch.nan, image)
    assert torch.equal(mean.fill(poisoned, mask)[0].completed, mean.fill(image, mask)[0].completed)


def test_an_image_that_is_all_hole_is_refused(mean, batch):
    image, mask = batch
    mask[1] = 1
    with pytest.raises(MaskError, match="mask of image 1 is all hole"):
        mean.fill(image, mask)


def test_as_many_fills_as_samples_and_a_stop_request_changes_nothing(mean, batch):
    def stop(progress):
        assert (progress.done, progress.total) == (1, 2)
        raise StopFill

    fills = mean.fill(*batch, samples=3, progress=stop)
    assert len(fills) == 3
    assert torch.equal(fills[0].completed, mean.fill(*batch)[0].completed)
