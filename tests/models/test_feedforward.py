from dataclasses import replace

import pytest
import torch
from torch import nn

from inpaint.errors import InputError, MaskError, UsageError
from inpaint.models.base import InpaintNetwork
from inpaint.models.deepfill.config import Config
from inpaint.models.deepfill.network import Network
from inpaint.models.feedforward import FeedForward
from inpaint.models.options import FeedForwardOptions
from inpaint.options import ModelConfig, validated
from inpaint.types import Capabilities, Inpainter, Plane, StopFill


class PainterConfig(ModelConfig):
    """Takes the named planes, and can what is said."""

    planes: tuple[str, ...] = ()
    channels: int = 1
    needs_known: bool = False

    def capabilities(self):
        planes = tuple(Plane(name=name, channels=self.channels, read="anything") for name in self.planes)
        return Capabilities(trained=True, multiple_px=8, planes=planes, needs_known=self.needs_known)


class Painter(InpaintNetwork):
    """Paints what it was given plus one, and reports what it saw."""

    minimum_px = 16

    def __init__(self, **options):
        super().__init__(PainterConfig(**options))
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[dict] = []

    def forward(self, image, mask, **guidance):
        self.seen.append({"image": image, "mask": mask, "training": self.training, **guidance})
        known = image.masked_fill(mask > 0, 0.0)
        return {"raw": known + self.weight, "coarse": known - self.weight, "small": image[..., ::4, ::4]}


def sample(height=21, width=35, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator)
    mask = (torch.rand(batch, 1, height, width, generator=generator) < 0.4).float()
    mask[..., -1, -1] = 1  # mirrored by padding
    return image, mask


@pytest.fixture
def make(lively):
    return lambda **fields: lively(Network(Config(width=8, **fields)))


@pytest.fixture
def deepfill(make):
    return make()


@pytest.mark.parametrize("size", [(8, 8), (9, 33), (37, 91), (64, 40)])
@pytest.mark.parametrize("padding", ["same_tf", "reflect"])
def test_any_size_is_filled_and_known_pixels_stay_bit_for_bit(make, size, padding):
    fill = FeedForward(make(padding=padding), name="deepfill").fill
    image, mask = sample(*size)
    (result,) = fill(image, mask)
    known = mask.expand_as(image) == 0
    assert torch.equal(result.completed[known], image[known])
    assert torch.equal(result.completed[~known], result.raw[~known].clamp(0, 1))
    assert result.raw.shape == result.aux["coarse"].shape == image.shape
    assert torch.equal(result.mask, mask)
    assert all(not value.is_inference() for value in (result.completed, result.raw, result.aux["coarse"]))


def test_a_size_that_needs_no_padding_gives_what_the_network_paints(deepfill):
    image, mask = sample(32, 40)
    painted = deepfill.eval()(image, mask)
    (result,) = FeedForward(deepfill, name="deepfill").fill(image, mask)
    assert torch.allclose(result.raw, painted["raw"], atol=1e-6)
    assert torch.allclose(result.aux["coarse"], painted["coarse"], atol=1e-6)


@pytest.mark.parametrize("size", [(21, 35), (24, 32)])
def test_what_the_hole_holds_is_never_looked_at(deepfill, size):
    fill = FeedForward(deepfill, name="deepfill").fill
    image, mask = sample(*size)
    (expected,) = fill(image, mask)
    (got,) = fill(image.masked_fill(mask > 0, torch.nan), mask)
    assert torch.equal(got.raw, expected.raw)
    assert torch.equal(got.completed.nan_to_num(9), expected.completed)


def test_padding_mirrors_image_mask_and_guidance_alike():
    painter = Painter(planes=("sketch",))
    image, mask = sample(10, 19)
    FeedForward(painter, name="painter").fill(image, mask, guidance={"sketch": mask})
    seen = painter.seen[0]
    assert seen["image"].shape == (2, 3, 16, 24)
    assert torch.equal(seen["image"][..., 10:, :19], image[..., 4:10, :].flip(-2))
    assert torch.equal(seen["mask"][..., :10, 19:], mask[..., 14:19].flip(-1))
    assert torch.equal(seen["sketch"], seen["mask"])


def test_raw_is_not_clamped_and_small_maps_keep_their_size():
    (result,) = FeedForward(Painter(), name="painter").fill(*sample())
    assert result.raw.max() > 1.5
    assert result.aux["coarse"].min() == -1
    assert result.completed.max() == 1
    assert result.aux["coarse"].shape[-2:] == (21, 35)
    assert result.aux["small"].shape[-2:] == (6, 10)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_the_answer_does_not_depend_on_how_the_batch_is_cut(make, chunk):
    network = make()
    image, mask = sample(batch=5)
    (whole,) = FeedForward(network, name="deepfill", dtype=torch.float64).fill(image, mask)
    (cut,) = FeedForward(network, name="deepfill", dtype=torch.float64, options=FeedForwardOptions(chunk=chunk)).fill(
        image, mask
    )
    assert torch.allclose(cut.raw, whole.raw, rtol=0, atol=1e-11)
    assert torch.allclose(cut.aux["coarse"], whole.aux["coarse"], rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("dtype", "result_dtype", "tolerance"),
    [(torch.float64, torch.float64, 1e-5), (torch.bfloat16, torch.float32, 0.05), (None, torch.float32, 0)],
)
def test_results_are_float32_or_float64_from_a_float64_network(make, dtype, result_dtype, tolerance):
    image, mask = sample()
    (expected,) = FeedForward(make(), name="deepfill").fill(image, mask)
    (got,) = FeedForward(make(), name="deepfill", dtype=dtype).fill(image, mask)
    assert {value.dtype for value in (got.completed, got.raw, got.mask, got.aux["coarse"])} == {result_dtype}
    assert (got.raw - expected.raw).abs().mean() <= tolerance
    known = mask.expand_as(image) == 0
    assert torch.equal(got.completed[known], image[known].to(result_dtype))


def test_all_samples_of_a_deterministic_network_are_one_fill(deepfill):
    fills = FeedForward(deepfill, name="deepfill").fill(*sample(), samples=3, seed=7)
    assert len(fills) == 3
    assert all(torch.equal(fill.completed, fills[0].completed) for fill in fills)


def test_the_network_is_used_in_evaluation_mode_and_otherwise_left_as_it_is():
    painter = Painter()
    fill = FeedForward(painter, name="painter")
    assert not painter.weight.requires_grad
    painter.train()
    fill.fill(*sample())
    assert painter.training
    assert [seen["training"] for seen in painter.seen] == [False]


def test_progress_counts_images_and_ends_at_the_total():
    reports = []
    FeedForward(Painter(), name="painter", options=FeedForwardOptions(chunk=2)).fill(
        *sample(batch=5), progress=reports.append
    )
    assert [(report.done, report.total) for report in reports] == [(2, 5), (4, 5), (5, 5)]
    assert reports[-1].remaining_s == 0
    assert all(report.remaining_s >= 0 for report in reports)


def test_stopping_leaves_the_mean_known_color_in_the_holes_not_reached():
    def stop(report):
        raise StopFill

    image, mask = sample(batch=3)
    mask[2] = 1
    (result,) = FeedForward(Painter(), name="painter", options=FeedForwardOptions(chunk=1)).fill(
        image, mask, progress=stop
    )
    assert torch.equal(result.completed[0], torch.where(mask[0] > 0, 1.0, image[0]))
    known = image[1][:, mask[1, 0] == 0]
    assert torch.allclose(result.completed[1][:, mask[1, 0] > 0], known.mean(dim=1)[:, None], atol=1e-6)
    assert (result.completed[2] == 0.5).all()
    assert result.aux == {}


def test_stopping_at_the_last_report_loses_nothing():
    def stop(report):
        raise StopFill

    image, mask = sample()
    (stopped,) = FeedForward(Painter(), name="painter").fill(image, mask, progress=stop)
    (expected,) = FeedForward(Painter(), name="painter").fill(image, mask)
    assert torch.equal(stopped.completed, expected.completed)
    assert set(stopped.aux) == {"coarse", "small"}


def test_an_image_that_is_all_hole_or_has_none_is_no_problem(deepfill):
    image, mask = sample()
    mask[0], mask[1] = 1, 0
    (result,) = FeedForward(deepfill, name="deepfill").fill(image, mask)
    assert torch.isfinite(result.completed).all()
    assert torch.equal(result.completed[1], image[1])


def test_a_guided_network_says_so_and_uses_the_sketch(make):
    fill = FeedForward(make(sketch=True), name="deepfill")
    assert fill.capabilities.guidance.keys() == {"sketch"}
    image, mask = sample()
    (plain,), (drawn,) = fill.fill(image, mask), fill.fill(image, mask, guidance={"sketch": torch.ones_like(mask)})
    assert not torch.equal(plain.raw, drawn.raw)


def test_it_is_an_inpainter(deepfill):
    fill: Inpainter = FeedForward(deepfill, name="deepfill", device="cpu")
    assert fill.name == "deepfill"
    can = fill.capabilities
    assert can.pixel_bytes == deepfill.capabilities.pixel_bytes > 0
    assert replace(can, pixel_bytes=None) == Capabilities(trained=True, refinable=True, trained_px=256, multiple_px=8)


def test_half_precision_takes_half_the_memory(make):
    full, half = (FeedForward(make(), name="deepfill", dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    assert half.capabilities.pixel_bytes == full.capabilities.pixel_bytes / 2


IMAGE, MASK = sample(16, 24)


@pytest.mark.parametrize(
    ("image", "mask", "error", "message"),
    [
        (IMAGE[0], MASK, InputError, r"image must have shape \(B, 3, H, W\) with B at least 1, got \(3, 16, 24\)"),
        (IMAGE[:0], MASK[:0], InputError, "with B at least 1"),
        (IMAGE[:, :1], MASK, InputError, r"got \(2, 1, 16, 24\)"),
        ((IMAGE * 255).byte(), MASK, InputError, r"floating point in \[0, 1\], got uint8"),
        (IMAGE * 255, MASK, InputError, r"image must lie in \[0, 1\] outside the hole, got 0"),
        (IMAGE - 0.5, MASK, InputError, r"image must lie in \[0, 1\] outside the hole, got -0"),
        (IMAGE / 0, MASK, InputError, "not finite outside the hole"),
        (IMAGE[..., :7, :], MASK[..., :7, :], InputError, "painter needs sides of at least 8 pixels, got 7x24"),
        (IMAGE, MASK[:1], MaskError, r"mask must have shape \(2, 1, 16, 24\) to match the image, got \(1, 1, 16, 24\)"),
        (IMAGE, MASK * 255, MaskError, "mask must be 0 .known. or 1 .hole. everywhere, got 255"),
        (IMAGE, MASK * 0.5, MaskError, "everywhere, got 0.5"),
        (IMAGE, MASK / 0, MaskError, "everywhere, got nan|everywhere, got inf"),
    ],
)
def test_images_and_masks_that_do_not_fit_are_refused(image, mask, error, message):
    painter = Painter()
    with pytest.raises(error, match=message):
        FeedForward(painter, name="painter").fill(image, mask)
    assert painter.seen == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"guidance": {"sketch": MASK}}, "painter does not accept guidance.sketch; accepted: color"),
        ({"guidance": {"color": MASK}}, r"guidance.color must have shape \(2, 4, 16, 24\)"),
        ({"samples": 0}, "samples must be an integer of at least 1, got 0"),
        ({"seed": [1, 2, 3]}, "seed must be an integer or one per image .2., got 3"),
    ],
)
def test_other_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        FeedForward(Painter(planes=("color",), channels=4), name="painter").fill(IMAGE, MASK, **arguments)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float64])
def test_a_mask_of_any_type_will_do(dtype):
    (expected,) = FeedForward(Painter(), name="painter").fill(IMAGE, MASK)
    (got,) = FeedForward(Painter(), name="painter").fill(IMAGE, MASK.to(dtype))
    assert torch.equal(got.completed, expected.completed)
    assert torch.equal(got.mask, MASK)


@pytest.mark.parametrize("chunk", [0, -1, "4"])
def test_a_chunk_that_is_no_positive_integer_is_refused(chunk):
    with pytest.raises(UsageError, match=r"chunk=.*: must be a positive integer"):
        validated(FeedForwardOptions, {"chunk": chunk})
