from itertools import pairwise

import numpy as np
import pytest
import torch

from inpaint.metrics import Compared, measured, measures
from inpaint.metrics.seam import seam

WANTED = measures(["seam", "seam_original"]).of_images


def hole_of(height, width, rows, columns):
    hole = torch.zeros(1, height, width, dtype=torch.bool)
    hole[:, rows, columns] = True
    return hole


def by_hand(image, hole):
    """The definition in loops: image (C, H, W), hole (H, W)."""
    rim, beside = [], []
    for turn in (lambda x: x, lambda x: x.swapaxes(-1, -2)):
        pixels, inside = turn(image), turn(hole)
        for y in range(inside.shape[0]):
            steps = [np.abs(pixels[:, y, x + 1] - pixels[:, y, x]).mean() for x in range(inside.shape[1] - 1)]
            crosses = [inside[y, x] != inside[y, x + 1] for x in range(inside.shape[1] - 1)]
            rim += [step for step, cross in zip(steps, crosses, strict=True) if cross]
            beside += [step for x, step in enumerate(steps) if not crosses[x] and any(crosses[max(x - 3, 0) : x + 4])]
    return (np.mean(rim) + 1 / 255) / (np.mean(beside) + 1 / 255)


def test_it_is_the_mean_across_the_rim_over_the_mean_beside_it():
    rng = np.random.default_rng(0)
    images = rng.random((2, 3, 17, 22))
    holes = np.zeros((2, 17, 22), bool)
    holes[0, 5:12, :9] = True  # touches a border
    holes[1, 3:15, 7] = holes[1, 9, 2:20] = True  # a cross of lines of one pixel
    expected = [by_hand(image, hole) for image, hole in zip(images, holes, strict=True)]
    values = seam(torch.from_numpy(images), torch.from_numpy(holes))
    assert values.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 0.02, 0.1, 0.5])
def test_an_offset_in_a_flat_image_is_seen_in_proportion(offset):
    hole = hole_of(20, 25, slice(6, 13), slice(5, 17))
    completed = torch.where(hole[:, None], 0.3 + offset, 0.3).expand(-1, 3, -1, -1).double()
    assert seam(completed, hole).item() == pytest.approx(1 + 255 * offset, rel=1e-6)


def test_the_rim_of_an_even_texture_or_slope_is_as_smooth_as_its_surroundings():
    noise = torch.rand(1, 3, 300, 300, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(0, 1, 300)[:, None].expand(1, 3, 300, 300)
    hole = hole_of(300, 300, slice(40, 220), slice(60, 250))
    assert seam(noise, hole).item() == pytest.approx(1, abs=0.02)
    assert seam(slope, hole).item() == pytest.approx(1, abs=1e-4)


def test_a_perfect_fill_has_the_value_of_the_original_and_offsets_grow_it(make_photo):
    image = torch.from_numpy(make_photo(60, 70, 3)).permute(2, 0, 1)[None].double() / 255 / 2
    hole = hole_of(60, 70, slice(20, 44), slice(15, 50))
    found = []
    for offset in (0.0, 0.05, 0.1, 0.2, 0.4):
        completed = torch.where(hole[:, None], image + offset, image)
        values = measured(Compared(completed=completed, image=image, mask=hole[:, None].double()), WANTED)
        found.append(values["seam"].item())
        assert values["seam_original"].item() == found[0]
    assert 0.7 < found[0] < 1.4
    assert all(later > 1.3 * before for before, later in pairwise(found))


def test_a_softened_rim_is_below_one():
    noise = torch.rand(1, 3, 80, 80, generator=torch.Generator().manual_seed(0))
    hole = hole_of(80, 80, slice(20, 60), slice(20, 60))
    noise[..., 19:21, :] = noise[..., 59:61, :] = noise[..., 19:21] = noise[..., 59:61] = 0.5
    assert seam(noise, hole).item() < 0.5


def test_it_is_the_same_for_hole_and_known_area_exchanged_mirrored_and_turned():
    image = torch.rand(1, 3, 19, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hole = hole_of(19, 24, slice(4, 11), slice(9, 20))
    expected = seam(image, hole)
    assert torch.equal(seam(image, ~hole), expected)
    for turn in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT):
        torch.testing.assert_close(seam(turn(image), turn(hole)), expected)


def test_images_without_a_rim_have_no_number():
    image, mask = torch.rand(3, 3, 8, 9), torch.zeros(3, 1, 8, 9)
    mask[1], mask[2, :, 2:4, 3:5] = 1, 1
    compared = Compared(completed=image, image=image, mask=mask)
    for measure in WANTED:
        assert measure.counts(compared).tolist() == [False, False, True]
        assert measure.values(compared).isnan().tolist() == [True, True, False]


def test_where_every_difference_crosses_the_rim_there_are_no_surroundings_to_hide_in():
    board = (torch.arange(6)[:, None] + torch.arange(6)) % 2 == 1
    image = board[None, None].expand(1, 3, 6, 6).double()
    assert seam(image, board[None]).item() == pytest.approx(256)
    assert measures(["seam"]).of_images[0].high == pytest.approx(256)
