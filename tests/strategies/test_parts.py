"""What is cut out of a photo for a hole: every pixel once, with what a fill wants to see."""

import numpy as np
import pytest

from holes import MASKS, holes, specks
from inpaint.images.regions import Region
from inpaint.strategies.parts import parts_of
from inpaint.types import Capabilities

NETWORK = Capabilities(trained=True, trained_px=64, multiple_px=8)
LOCAL = Capabilities(context_px=16, smallest_px=1)


@pytest.mark.parametrize(
    "capabilities", [NETWORK, LOCAL, Capabilities(context_px=20, context_share=1.0), Capabilities()]
)
@pytest.mark.parametrize("name", MASKS)
def test_every_pixel_of_the_hole_belongs_to_exactly_one_part(name, capabilities):
    hole = MASKS[name]
    count = np.zeros(hole.shape, int)
    for part in parts_of(hole, capabilities):
        assert part.hole.shape == part.region.size
        assert Region.whole(hole.shape).joined(part.region) == Region.whole(hole.shape)
        count[part.region.slices] += part.hole
    assert np.array_equal(count, hole)


@pytest.mark.parametrize("box", [(200, 240, 100, 130), (0, 20, 480, 500), (390, 400, 0, 3), (100, 240, 200, 340)])
def test_a_network_sees_its_training_size_and_as_much_around_a_hole_as_in_training(box):
    hole = holes((400, 500), box)
    (part,) = parts_of(hole, NETWORK)
    own, size = Region(*box), part.region.size
    assert min(size) >= 64
    assert all(side % 8 == 0 for side in size)
    assert own.area <= 0.3 * part.region.area
    for near, far, end in ((own.top, part.region.top, 0), (own.left, part.region.left, 0)):
        assert near - far >= 32 or far == end
    for near, far, end in ((own.bottom, part.region.bottom, 400), (own.right, part.region.right, 500)):
        assert far - near >= 32 or far == end


def test_what_is_read_depends_on_the_hole_not_on_the_frame():
    sizes = [parts_of(holes((side, side), (200, 260, 200, 280)), NETWORK)[0].region.size for side in (512, 1024, 4096)]
    assert sizes[0] == sizes[1] == sizes[2]


def test_a_fill_that_asks_for_no_context_gets_the_whole_photo():
    (part,) = parts_of(MASKS["far apart"], Capabilities())
    assert part.region == Region.whole((900, 1000))


@pytest.mark.parametrize("shape", [(64, 64), (70, 90), (64, 60)])
def test_photos_of_the_training_size_stay_whole(shape):
    (part,) = parts_of(holes(shape, (20, 40, 20, 45)), NETWORK)
    assert part.region == Region.whole(shape)


def test_thousands_of_specks_cost_hundreds_of_calls_of_bounded_size():
    hole = specks((4000, 6000), 3000)
    for capabilities in (NETWORK, LOCAL):
        parts = parts_of(hole, capabilities)
        assert len(parts) < 500
        assert max(part.region.area for part in parts) <= 512**2
        assert sum(part.region.area for part in parts) < 2.5 * hole.size
