"""Finding in photos of any size: every pixel at its own scale, seamless, in squares of bounded memory."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from blind import soiled, tiny_blind
from inpaint.errors import InpaintError, MaskError
from inpaint.fills.array_fill import ArrayFill
from inpaint.strategies.finding import OVERLAP_SHARE, find_contaminated, spans, spread, square_px
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Capabilities

SMALL = 6e6  # bytes per pixel with which a square has the smallest side


class Looking(ArrayFill):
    """Answers with what it is told to make of an image, and keeps the sizes that it saw."""

    name = "looking"

    def __init__(self, answer, **capabilities):
        self.answers, self.sizes = answer, []
        self.capabilities = Capabilities(blind=True, smallest_px=1, **{"pixel_bytes": SMALL, **capabilities})

    def find_mask(self, image):
        self.sizes.append(image.shape[2:])
        return self.answers(image)

    def paint(self, image, hole, context):
        return image


def cut_of(image):
    return lambda region: image[region.slices]


@pytest.mark.parametrize(("length", "side"), [(256, 256), (257, 256), (448, 256), (449, 256), (3000, 256), (100, 256)])
def test_spans_cover_the_length_and_overlap(length, side):
    found = spans(length, side)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(stop - start == min(side, length) for start, stop in found)
    assert all(one[1] - other[0] >= OVERLAP_SHARE * side for one, other in pairwise(found))


def test_all_spans_but_the_last_begin_where_a_network_sees_the_same_grid():
    assert all(start % 16 == 0 for start, _ in spans(3001, 256, multiple_px=16)[:-1])


@pytest.mark.parametrize("length", [200, 300, 511, 1201])
def test_what_the_spans_count_adds_up_to_one_and_nothing_at_their_inner_ends(length):
    ranges = spans(length, 256)
    total = np.zeros(length)
    for (start, stop), share in zip(ranges, spread(ranges, length), strict=True):
        total[start:stop] += share
        assert share[0] == (1 if start == 0 else 0)
        assert share[-1] == (1 if stop == length else 0)
    assert np.allclose(total, 1, atol=1e-6)


def test_a_pixels_answer_does_not_depend_on_the_squares(make_photo):
    image = make_photo(500, 610).astype(np.float32) / 255
    looking = Looking(lambda images: images.mean(axis=1, keepdims=True))
    found = find_contaminated(looking, cut_of(image), image.shape[:2])
    assert len(looking.sizes) == 9
    assert set(looking.sizes) == {(256, 256)}
    assert np.allclose(found, image.mean(axis=2), atol=1e-6)


def test_squares_of_other_opinions_pass_smoothly_into_each_other():
    answers = iter([0.0, 1.0])
    looking = Looking(lambda images: np.full_like(images[:, :1], next(answers)))
    found = find_contaminated(looking, cut_of(np.zeros((200, 440, 3), np.float32)), (200, 440))
    assert len(looking.sizes) == 2
    assert np.abs(np.diff(found, axis=1)).max() < 0.1
    assert found[:, 0].max() == 0
    assert found[:, -1].min() == 1


def test_a_photo_of_no_more_pixels_than_a_square_is_looked_at_whole():
    looking = Looking(lambda images: images[:, :1])
    find_contaminated(looking, cut_of(np.zeros((128, 512, 3), np.float32)), (128, 512))
    assert looking.sizes == [(128, 512)]


def test_the_side_of_a_square_follows_from_what_the_model_says_of_itself():
    def side(**said):
        return square_px(Capabilities(blind=True, **said))

    assert side(pixel_bytes=1500) == 1000
    assert side(pixel_bytes=1) == 1024
    assert side(pixel_bytes=1e9) == 256
    assert side(pixel_bytes=1e9, trained_px=512) == 512
    assert side(pixel_bytes=1500, multiple_px=32) == 1024


def test_where_memory_runs_out_all_squares_are_smaller():
    def answer(images):
        if images.shape[-1] > 300:
            raise MemoryError
        return images[:, :1]

    looking = Looking(answer, pixel_bytes=SMALL / 16)
    image = np.linspace(0, 1, 600 * 700 * 3, dtype=np.float32).reshape(600, 700, 3)
    assert np.allclose(find_contaminated(looking, cut_of(image), (600, 700)), image[..., 0], atol=1e-6)
    assert set(looking.sizes[1:]) == {(256, 256)}


def test_where_memory_never_reaches_it_is_said():
    def answer(images):
        raise MemoryError

    with pytest.raises(InpaintError, match="not enough memory for looking to look at 256 x 256 px"):
        find_contaminated(Looking(answer), cut_of(np.zeros((300, 300, 3), np.float32)), (300, 300))


def test_photos_are_cut_square_by_square_and_never_converted_as_a_whole():
    areas = []

    def cut(region):
        areas.append(region.area)
        return np.zeros((*region.size, 3), np.float32)

    find_contaminated(Looking(lambda images: images[:, :1]), cut, (4000, 6000))
    assert max(areas) == 256 * 256


def test_a_strategic_fill_finds_by_squares_and_paints_what_was_found(make_photo):
    photo, hole = soiled(make_photo(300, 420), top=200, left=300)
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    fill = StrategicFill(tiny_blind(), StrategyOptions())
    (answer,) = fill.fill(image, None)
    (plain,) = tiny_blind().fill(image, None)
    assert torch.equal(answer.mask[0, 0].bool(), torch.from_numpy(hole))
    assert torch.allclose(answer.aux["found"], plain.aux["found"], atol=1e-6)
    known = ~torch.from_numpy(hole)
    assert torch.equal(answer.completed[..., known], image[..., known])
    assert not torch.equal(answer.completed, image)


def test_what_is_reduced_for_a_blind_fill_holds_the_colors_of_the_hole(make_photo):
    photo, hole = soiled(make_photo(120, 160))
    seen = []

    class Watching(Looking):
        def paint(self, image, hole, context):
            seen.append(image)
            return image

    fill = StrategicFill(
        Watching(None, trained_px=64, pixel_bytes=100), StrategyOptions(strategy="resize", resize_limit=80)
    )
    fill.fill_photo(cut_of(photo.astype(np.float32) / 255), hole)
    assert seen[0].shape[0] < 120
    reddest = (seen[0][..., 0] - seen[0][..., 1]).max()
    assert reddest > 0.9


def test_a_fill_that_is_not_blind_finds_nothing(gray_inpainter):
    with pytest.raises(MaskError, match="gray needs a mask"):
        StrategicFill(gray_inpainter).find_in(cut_of(np.zeros((16, 16, 3), np.float32)), (16, 16))
