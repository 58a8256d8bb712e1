"""A photo is filled part by part: what is cut out, and that nobody can tell where that may not be told."""

import numpy as np
import pytest

from inpaint.fills.array_fill import ArrayFill
from inpaint.fills.parts import fill_parts, parts_of
from inpaint.images.regions import Region
from inpaint.registry.loading import load
from inpaint.types import Capabilities, StopFill

NETWORK = Capabilities(trained=True, trained_px=64, multiple_px=8)
LOCAL = Capabilities(context_px=16, smallest_px=1)


def holes(shape, *boxes):
    hole = np.zeros(shape, bool)
    for top, bottom, left, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def specks(shape, count, seed=0):
    rng = np.random.default_rng(seed)
    hole = np.zeros(shape, bool)
    for top, left in zip(rng.integers(0, shape[0] - 4, count), rng.integers(0, shape[1] - 4, count), strict=True):
        hole[top : top + rng.integers(1, 5), left : left + rng.integers(1, 5)] = True
    return hole


class Noise(ArrayFill):
    """Fills at random and remembers what it was given."""

    name = "noise"
    steps = 4

    def __init__(self, **capabilities):
        self.capabilities = Capabilities(**{"stochastic": True, "smallest_px": 1, "context_px": 16, **capabilities})
        self.seen = []

    def paint(self, image, hole, context):
        self.seen.append(image.shape[:2])
        for share in (0.25, 0.5, 0.75):
            context.report(share)
        return context.generator().random(image.shape)


class Scored(Noise):
    """Scores its fills: 3 for the first image that it is given, then 6, 9, ..."""

    def paint_all(self, request):
        for painted in super().paint_all(request):
            yield painted | {"score": np.full(1, 3.0 * len(self.seen), np.float32)}


def cut_of(image):
    return lambda region: image[region.slices]


def whole(inpainter, image, hole, **asked):
    """Fill the whole image at once."""
    return inpainter.fill_arrays(image[None], hole[None, ..., None].astype(np.float32), **asked)[0].completed[0]


MASKS = {
    "one": holes((400, 500), (200, 240, 100, 130)),
    "corner": holes((400, 500), (0, 20, 480, 500)),
    "far apart": holes((900, 1000), (20, 60, 30, 50), (800, 840, 900, 990), (450, 455, 10, 400)),
    "one within another": holes((500, 500), (100, 300, 100, 104), (100, 104, 100, 300), (200, 210, 200, 210)),
    "specks": specks((900, 1300), 300),
    "half of all pixels": np.random.default_rng(0).random((300, 310)) < 0.5,
    "everything": np.ones((60, 70), bool),
}


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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("telea", {}),
        ("telea", {"radius": 1}),
        ("telea", {"radius": 9}),
        ("navier_stokes", {"radius": 5}),
        ("biharmonic", {}),
    ],
)
@pytest.mark.parametrize("mask", ["one", "corner", "far apart", "specks"])
def test_methods_that_read_nothing_farther_away_fill_the_same_as_in_the_whole_photo(name, options, mask, make_photo):
    hole = MASKS[mask]
    image = make_photo(*hole.shape).astype(np.float32) / 255
    inpainter = load(name, device="cpu", **options)
    (filled,) = fill_parts(inpainter, cut_of(image), hole)
    assert len(parts_of(hole, inpainter.capabilities)) > 1 or mask in ("one", "corner")
    expected = whole(inpainter, image, hole)
    # The biharmonic system is solved with other neighbors, so that its last digits differ. At two of the image's sides
    # OpenCV's Navier-Stokes reads a little of what stands in the hole, the mean color of what is known.
    tolerance = {"biharmonic": 1e-5, "navier_stokes": 8 / 255 if mask == "corner" else 0}.get(name, 0)
    assert np.allclose(filled.colors[hole], expected[hole], rtol=0, atol=tolerance)
    assert not filled.colors[~hole].any()


def test_patch_looks_in_the_same_surroundings_of_one_hole_as_in_the_whole_photo(make_photo):
    image, hole = make_photo(400, 420).astype(np.float32) / 255, holes((400, 420), (150, 172, 160, 190))
    inpainter = load("patch", device="cpu")
    (filled,) = fill_parts(inpainter, cut_of(image), hole, seed=5)
    assert np.array_equal(filled.colors[hole], whole(inpainter, image, hole, seed=5)[hole])


def test_a_hole_that_needs_the_whole_photo_is_filled_as_by_the_fill_itself(make_photo):
    image, hole = make_photo(90, 110).astype(np.float32) / 255, holes((90, 110), (20, 70, 20, 90))
    inpainter = Noise(context_px=64)
    fills = fill_parts(inpainter, cut_of(image), hole, samples=2, seed=3)
    expected = inpainter.fill_arrays(image[None], hole[None, ..., None].astype(np.float32), samples=2, seed=3)
    for painting, fill in zip(fills, expected, strict=True):
        assert np.array_equal(painting.colors[hole], fill.completed[0][hole])


def test_parts_draw_from_different_seeds_the_first_from_the_photos_own(make_photo):
    image, hole = np.full((900, 1000, 3), 0.5, np.float32), holes((900, 1000), (50, 60, 50, 60), (800, 810, 900, 910))
    first, second = (fill_parts(Noise(), cut_of(image), hole, seed=seed)[0].colors for seed in (4, 5))
    (again,) = fill_parts(Noise(), cut_of(image), hole, seed=4)
    assert np.array_equal(first, again.colors)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[50:60, 50:60], first[800:810, 900:910])
    alone = fill_parts(Noise(), cut_of(image), holes((900, 1000), (50, 60, 50, 60)), seed=4)[0].colors
    assert np.array_equal(alone[50:60, 50:60], first[50:60, 50:60])


def test_a_sample_of_the_photo_is_that_sample_of_every_part_and_its_score_their_mean_by_hole():
    image = np.full((900, 1000, 3), 0.5, np.float32)
    hole = holes((900, 1000), (50, 60, 50, 60), (800, 810, 900, 930))
    fills = fill_parts(Scored(scored=True), cut_of(image), hole, samples=2)
    # Two samples of the first part have the scores 3 and 6, those of the second, thrice as large one, 9 and 12.
    assert [fill.score for fill in fills] == [(3 + 3 * 9) / 4, (6 + 3 * 12) / 4]
    assert not np.array_equal(fills[0].colors, fills[1].colors)
    assert [fill.score for fill in fill_parts(Noise(), cut_of(image), hole, samples=2)] == [None, None]


def test_progress_counts_through_all_parts_and_a_stop_leaves_the_mean_color_in_the_rest():
    image = np.full((900, 1000, 3), 0.25, np.float32)
    hole = holes((900, 1000), (50, 60, 50, 60), (400, 420, 500, 510), (800, 810, 900, 910))
    steps = []
    fill_parts(Noise(), cut_of(image), hole, progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(done, 12) for done in range(1, 13)]
    assert steps[-1].remaining_s == 0

    def stop(step):
        if step.done == 4:
            raise StopFill

    inpainter = Noise()
    (filled,) = fill_parts(inpainter, cut_of(image), hole, progress=stop)
    assert len(inpainter.seen) == 1
    assert np.ptp(filled.colors[50:60, 50:60]) > 0.5
    assert (filled.colors[400:420, 500:510] == 0.25).all()
    assert (filled.colors[800:810, 900:910] == 0.25).all()


def test_a_large_photo_is_never_converted_as_a_whole():
    asked = []

    def cut(region):
        asked.append(region.area)
        return np.zeros((*region.size, 3), np.float32)

    fill_parts(load("telea", device="cpu"), cut, holes((4000, 6000), (1000, 1200, 2000, 2300)))
    assert sum(asked) < 100_000
