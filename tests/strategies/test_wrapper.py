"""A fill around a fill: the same promises as every fill, whatever the strategy."""

import pickle

import numpy as np
import pytest
import torch

from inpaint.errors import InpaintError, UsageError
from inpaint.fills.array_fill import ArrayFill
from inpaint.registry.loading import described, load, options_of
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Capabilities

STRATEGIES = ("original", "resize", "crop", "tile", "auto")
LIMITS = {"resize_limit": 60, "tile_size": 48, "crop_margin": 8}


def scene(height=120, width=150, seed=0):
    """Return a batch of two images with holes of several sizes, (2, 3, H, W) and (2, 1, H, W)."""
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.random((2, 3, height, width), np.float32))
    mask = torch.zeros(2, 1, height, width)
    mask[0, :, 10:100, 20:110] = 1
    mask[0, :, 5:9, 130:136] = 1
    mask[1, :, 60:70, 60:75] = 1
    return image, mask


class Painter(ArrayFill):
    """Paints a constant, as a network that was trained on 32 px; runs out of memory above a number of pixels."""

    name = "painter"

    def __init__(self, most_px=None, value=0.5, **capabilities):
        self.capabilities = Capabilities(**{"trained": True, "trained_px": 32, "smallest_px": 1, **capabilities})
        self.most_px, self.value, self.seen = most_px, value, []

    def paint(self, image, hole, context):
        if self.most_px is not None and hole.size > self.most_px:
            raise MemoryError("cannot allocate memory")
        self.seen.append(hole.shape)
        return np.full(image.shape, self.value)


class Random(Painter):
    """Paints at random."""

    def __init__(self):
        super().__init__(stochastic=True)

    def paint(self, image, hole, context):
        return context.generator().random(image.shape)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["telea", "mean"])
def test_known_pixels_are_unchanged_and_the_hole_is_filled(strategy, name):
    image, mask = scene()
    inpainter = load(name, strategy=strategy, **LIMITS)
    image[mask.expand_as(image) == 1] = float("nan")  # nobody reads it
    (fill,) = inpainter.fill(image, mask)
    known = (mask == 0).expand_as(image)
    assert torch.equal(fill.completed[known], image[known])
    assert torch.equal(fill.raw[known], image[known])
    assert fill.completed.isfinite().all()
    assert fill.strategy.startswith(f"image 0: {strategy}")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_image_is_filled_the_same_alone_and_in_a_batch(strategy):
    image, mask = scene()
    inpainter = StrategicFill(Random(), StrategyOptions(strategy=strategy, **LIMITS))
    (both,) = inpainter.fill(image, mask, seed=[3, 4])
    (alone,) = inpainter.fill(image[1:], mask[1:], seed=[4])
    assert torch.equal(both.completed[1:], alone.completed)


def test_original_fills_as_the_fill_itself_samples_and_seeds_alike():
    image, mask = scene()
    plain, strategic = Random(), StrategicFill(Random(), StrategyOptions(strategy="original"))
    for mine, own in zip(
        strategic.fill(image[:1], mask[:1], samples=2, seed=5),
        plain.fill(image[:1], mask[:1], samples=2, seed=5),
        strict=True,
    ):
        assert torch.equal(mine.completed, own.completed)


def test_arrays_and_tensors_are_filled_alike():
    image, mask = scene()
    inpainter = load("telea", device="cpu", strategy="resize", resize_limit=60)
    (of_tensors,) = inpainter.fill(image, mask)
    (of_arrays,) = inpainter.fill_arrays(image.permute(0, 2, 3, 1).numpy(), mask.permute(0, 2, 3, 1).numpy())
    assert np.array_equal(of_arrays.completed, of_tensors.completed.permute(0, 2, 3, 1).numpy())


def test_an_image_without_a_hole_comes_back():
    image, mask = scene()
    (fill,) = load("telea", device="cpu", strategy="auto").fill(image, mask * 0)
    assert torch.equal(fill.completed, image)
    assert fill.strategy == ""


@pytest.mark.parametrize(("strategy", "remark"), [("crop", "reduced to 0.5"), ("tile", "in tiles of 128 px")])
def test_a_part_for_which_memory_runs_out_is_painted_smaller_and_the_line_says_so(strategy, remark):
    image, mask = scene(300, 300)
    image[:] = 0.25
    mask[0, :, 50:290, 20:280] = 1
    inpainter = Painter(most_px=200 * 160)
    options = StrategyOptions(strategy=strategy, tile_size=256 if strategy == "tile" else None, seam="none")
    (fill,) = StrategicFill(inpainter, options).fill(image[:1], mask[:1])
    assert "memory ran out" in fill.strategy
    assert remark in fill.strategy
    assert (fill.completed[0, :, 80:260, 50:250] == 0.5).all()


def test_original_is_not_reduced_where_memory_runs_out():
    image, mask = scene()
    with pytest.raises(InpaintError, match="not enough memory to fill 150 x 120 pixels with painter"):
        StrategicFill(Painter(most_px=100), StrategyOptions(strategy="original")).fill(image, mask)
    with pytest.raises(InpaintError, match="not enough memory"):  # nor is anything below 64 px
        StrategicFill(Painter(most_px=100), StrategyOptions(strategy="auto")).fill(image, mask)


def test_other_failures_are_not_taken_for_a_lack_of_memory():
    class Broken(Painter):
        def paint(self, image, hole, context):
            raise RuntimeError("shapes do not fit")

    image, mask = scene()
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        StrategicFill(Broken(), StrategyOptions()).fill(image, mask)


def test_equal_parts_are_painted_together_by_networks_within_bounds():
    class Batches(Painter):
        def paint_all(self, request):
            self.batches.append(len(request.image))
            yield from super().paint_all(request)

    image = np.full((1, 600, 2400, 3), 0.25, np.float32)
    mask = np.zeros((1, 600, 2400, 1), np.float32)
    for left in range(100, 2300, 300):
        mask[0, 250:290, left : left + 40] = 1
    for capabilities, expected in (
        ({"trained": True}, [8]),
        ({"trained": False}, [1] * 8),
        ({"stochastic": True}, [1, 7]),
    ):
        inpainter = Batches(trained_px=64, **capabilities)
        inpainter.batches = []
        StrategicFill(inpainter, StrategyOptions(strategy="crop")).fill_arrays(image, mask)
        assert inpainter.batches == expected


def test_loading_with_a_strategy_wraps_the_fill_and_without_does_not():
    plain, strategic = load("telea", radius=5), load("telea", radius=5, strategy="crop", memory="1GB")
    assert not isinstance(plain, StrategicFill)
    assert strategic.name == "telea"
    assert strategic.capabilities == plain.capabilities
    assert strategic.budget_bytes() == 2**30
    assert repr(strategic) == "StrategicFill(inner=Telea(radius=5), strategy='crop', memory='1GB')"
    again = pickle.loads(pickle.dumps(strategic))
    image, mask = scene()
    assert torch.equal(again.fill(image, mask)[0].completed, strategic.fill(image, mask)[0].completed)
    assert {"radius", "strategy", "memory", "resize_limit"} <= options_of("telea").keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "squeeze"}, 'strategy="squeeze": must be one of'),
        ({"strategy": "crop", "crop_margin": -1}, "crop_margin=-1"),
        ({"memory": "lots"}, "memory: must be an amount of memory"),
        ({"stratgy": "crop"}, "unknown option of telea 'stratgy' .did you mean 'strategy'"),
    ],
)
def test_mistakes_are_told_before_anything_is_loaded(options, message):
    for ask in (load, described):
        with pytest.raises(UsageError, match=message):
            ask("telea", **options)


def test_a_stop_leaves_the_mean_color_where_nothing_was_painted_yet():
    from inpaint.types import StopFill

    image = np.full((1, 400, 900, 3), 0.25, np.float32)
    mask = np.zeros((1, 400, 900, 1), np.float32)
    mask[0, 100:120, 100:120] = mask[0, 100:120, 700:730] = 1

    def stop(step):
        raise StopFill

    (fill,) = StrategicFill(Painter(trained=False, value=0.75)).fill_arrays(image, mask, progress=stop)
    assert (fill.completed[0, 100:120, 100:120] == 0.75).all()
    assert (fill.completed[0, 100:120, 700:730] == 0.25).all()


@pytest.mark.parametrize(("strategy", "mended"), [("crop", False), ("resize", True)])
def test_the_usual_seam_mends_what_was_painted_smaller_and_nothing_else(strategy, mended):
    image, mask = scene(300, 300)
    inpainter = Painter()
    found = [
        StrategicFill(inpainter, StrategyOptions(strategy=strategy, resize_limit=100, seam=seam)).fill(image, mask)[0]
        for seam in ("auto", "poisson", "none")
    ]
    usual, poisson, plain = (fill.completed for fill in found)
    assert torch.equal(usual, poisson if mended else plain)
    assert not torch.equal(poisson, plain)
    assert ("seam poisson" in found[0].strategy) == mended
