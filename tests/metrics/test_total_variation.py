import numpy as np
import pytest
import torch
from torchmetrics.functional.image import total_variation

from inpaint.metrics import Compared, measured, measures
from inpaint.metrics.total_variation import variation_map

WANTED = measures(["tv", "tv_hole", "tv_raw"]).of_images


def compared(completed, hole=None, raw=None):
    mask = torch.zeros(len(completed), 1, *completed.shape[-2:]) if hole is None else hole[:, None].float()
    return Compared(completed=completed, image=1 - completed, mask=mask, raw=raw)


def test_of_the_whole_image_it_is_torchmetrics_sum_over_pixels_and_channels():
    images = torch.rand(2, 3, 9, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = measured(compared(images, raw=images / 2), WANTED)
    expected = total_variation(images, reduction="none") / (3 * 9 * 13)
    assert values["tv"].tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    assert values["tv_raw"].tolist() == pytest.approx((expected / 2).tolist(), rel=1e-12)


def test_in_the_hole_every_difference_counts_half_for_either_pixel():
    image = np.random.default_rng(0).random((3, 7, 8))
    hole = np.random.default_rng(1).random((7, 8)) < 0.4
    halves = 0.0
    for y, x in np.argwhere(hole):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < 7 and 0 <= u < 8:
                halves += np.abs(image[:, v, u] - image[:, y, x]).mean() / 2
    case = compared(torch.from_numpy(image)[None], torch.from_numpy(hole)[None])
    assert measured(case, WANTED)["tv_hole"].item() == pytest.approx(halves / hole.sum(), rel=1e-12)


def test_a_flat_image_has_none_and_a_chessboard_the_most_there_is():
    board = (torch.arange(200)[:, None] + torch.arange(200)) % 2
    images = torch.stack((torch.full((200, 200), 0.3), board.float()))[:, None].expand(-1, 3, -1, -1)
    flat, most = measured(compared(images), WANTED)["tv"].tolist()
    assert flat == 0
    assert most == pytest.approx(2, rel=0.01)
    assert most <= 2


def test_the_original_has_the_value_of_a_perfect_fill():
    image = torch.rand(2, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 9, 13)
    mask[:, :, 2:6, 4:9] = 1
    pairs = (("tv_original", "tv"), ("tv_original_hole", "tv_hole"))
    wanted = measures([name for pair in pairs for name in pair]).of_images
    perfect = measured(Compared(completed=image, image=image, mask=mask), wanted)
    flat = measured(Compared(completed=torch.full_like(image, 0.5), image=image, mask=mask), wanted)
    for original, painted in pairs:
        assert flat[original].tolist() == perfect[original].tolist() == perfect[painted].tolist()
        assert flat[painted].tolist() == [0, 0]


def test_mirrored_and_turned_images_have_mirrored_and_turned_maps():
    images = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for turn in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT):
        torch.testing.assert_close(variation_map(turn(images)), turn(variation_map(images)))
