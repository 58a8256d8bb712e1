"""Every fill stands on one base; what it promises is held here once, on arrays and on tensors."""

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint.errors import InputError, MaskError, UsageError
from inpaint.fills.array_fill import ArrayFill
from inpaint.fills.base import TensorFill
from inpaint.fills.request import ImageSeed
from inpaint.types import Capabilities, Plane, StopFill

LINES = Plane(name="lines", read="inpaint.images.planes:read_edges")


class NoiseOnArrays(ArrayFill):
    """Draws the hole at random, so that seeds and samples can be told apart."""

    name = "noise"

    def __init__(self, *, steps=1, **capabilities):
        self.steps = steps
        self.capabilities = Capabilities(**{"stochastic": True, "smallest_px": 1, **capabilities})
        self.painted = 0

    def paint(self, image, hole, context):
        self.painted += 1
        assert (image[hole] == 0).all()
        for share in np.linspace(0, 1, self.steps + 1)[1:-1]:
            context.report(share)
        return np.where(hole[..., None], context.generator().random(image.shape), 0.25)


class NoiseOnTensors(TensorFill):
    """The same with torch, two units at a time, with a score and an intermediate."""

    name = "noise"

    def __init__(self, **capabilities):
        self.capabilities = Capabilities(**{"stochastic": True, "scored": True, "smallest_px": 1, **capabilities})

    def paint_all(self, request):
        units = [(image, sample) for image in range(len(request.image)) for sample in range(request.draws)]
        for first in range(0, len(units), 2):
            raws = [
                torch.from_numpy(request.seeds[image].generator(sample).random(request.image.shape[1:])).float() * 3 - 1
                for image, sample in units[first : first + 2]
            ]
            raw = torch.stack(raws)
            yield {"raw": raw, "score": raw.mean(dim=(1, 2, 3)), "coarse": raw / 2}


class BlindOnArrays(ArrayFill):
    """Is the surer of a pixel the darker it is, and inverts what is there."""

    name = "blind"
    capabilities = Capabilities(blind=True, smallest_px=1)

    def find_mask(self, image):
        return 1 - image.max(axis=1, keepdims=True)

    def paint(self, image, hole, context):
        return 1 - image


KINDS = [NoiseOnArrays, NoiseOnTensors]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 3, 8, 10, generator=generator)
    mask = torch.zeros(3, 1, 8, 10)
    mask[0, :, 2:5, 3:7] = 1
    mask[1, :, 0:2, :] = 1
    mask[2, :, 6:, 8:] = 1
    return image, mask


@pytest.mark.parametrize("kind", KINDS)
def test_known_pixels_are_the_callers_and_the_hole_lies_in_range(kind, batch):
    image, mask = batch
    (fill,) = kind().fill(image, mask)
    known = (mask == 0).expand_as(image)
    assert torch.equal(fill.completed[known], image[known])
    hole = fill.completed[~known]
    assert (hole >= 0).all()
    assert (hole <= 1).all()
    assert not torch.equal(fill.completed[~known], image[~known])
    assert torch.equal(fill.mask, mask)


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_of_the_hole_is_never_read(kind, batch):
    image, mask = batch
    spoiled = image.masked_fill(mask == 1, float("nan"))
    for clean, dirty in zip(kind().fill(image, mask, samples=2), kind().fill(spoiled, mask, samples=2), strict=True):
        assert torch.equal(clean.completed, dirty.completed)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_tensors_give_the_same_fill(kind, batch):
    image, mask = batch
    arrays = kind().fill_arrays(
        image.permute(0, 2, 3, 1).numpy(), mask.permute(0, 2, 3, 1).numpy(), samples=2, seed=[4, 5, 6]
    )
    tensors = kind().fill(image, mask, samples=2, seed=[4, 5, 6])
    for first, second in zip(arrays, tensors, strict=True):
        assert first.completed.shape == (3, 8, 10, 3)
        assert np.array_equal(first.completed, second.completed.permute(0, 2, 3, 1).numpy())
        assert np.array_equal(first.mask, second.mask.permute(0, 2, 3, 1).numpy())
        assert first.aux.keys() == second.aux.keys()
        if second.score is not None:
            assert np.array_equal(first.score, second.score.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_its_images_give_alone(kind, batch):
    image, mask = batch
    together = kind().fill(image, mask, samples=2, seed=[7, 8, 9])
    for number, seed in enumerate([7, 8, 9]):
        alone = kind().fill(image[number : number + 1], mask[number : number + 1], samples=2, seed=[seed])
        for whole, part in zip(together, alone, strict=True):
            assert torch.equal(whole.completed[number : number + 1], part.completed)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_differ_and_a_seed_gives_them_again(kind, batch):
    first, second = kind().fill(*batch, samples=2, seed=3)
    again = kind().fill(*batch, samples=2, seed=3)
    assert not torch.equal(first.completed, second.completed)
    assert torch.equal(first.completed, again[0].completed)
    assert torch.equal(second.completed, again[1].completed)
    assert not torch.equal(first.completed, kind().fill(*batch, seed=4)[0].completed)


def test_the_first_sample_does_not_depend_on_how_many_are_asked_for(batch):
    (alone,) = NoiseOnArrays().fill(*batch, samples=1, seed=3)
    assert torch.equal(alone.completed, NoiseOnArrays().fill(*batch, samples=3, seed=3)[0].completed)


def test_samples_of_a_fill_without_chance_are_painted_once(batch):
    fill = NoiseOnArrays(stochastic=False)
    answers = fill.fill(*batch, samples=3)
    assert fill.painted == 3  # images, not images times samples
    assert len(answers) == 3
    assert torch.equal(answers[0].completed, answers[2].completed)


def test_an_image_without_a_hole_is_its_own_answer(batch):
    image, mask = batch
    fill = NoiseOnArrays()
    (answer,) = fill.fill(image, torch.zeros_like(mask))
    assert torch.equal(answer.completed, image)
    assert fill.painted == 0


def test_a_blind_fill_takes_for_the_hole_what_lies_above_half_of_its_map(batch):
    image, _ = batch
    (fill,) = BlindOnArrays().fill(image, None)
    assert torch.equal(fill.aux["found"], 1 - image.amax(dim=1, keepdim=True))
    assert torch.equal(fill.mask, (fill.aux["found"] > 0.5).float())
    assert 0 < fill.mask.mean() < 1
    hole = fill.mask.expand_as(image) == 1
    assert torch.equal(fill.completed[~hole], image[~hole])
    assert torch.equal(fill.completed[hole], 1 - image[hole])  # it reads what lies in its hole


def test_a_blind_fill_takes_a_mask_as_well_and_then_finds_none(batch):
    image, mask = batch
    (fill,) = BlindOnArrays().fill(image, mask)
    assert torch.equal(fill.mask, mask)
    assert fill.aux == {}


def test_arrays_and_tensors_are_found_alike(batch):
    image, _ = batch
    array = image.permute(0, 2, 3, 1).numpy()
    (fill,) = BlindOnArrays().fill_arrays(array, None)
    (expected,) = BlindOnArrays().fill(image, None)
    assert np.array_equal(fill.aux["found"], expected.aux["found"].permute(0, 2, 3, 1).numpy())
    assert np.array_equal(BlindOnArrays().find_mask_arrays(array), fill.aux["found"])


def test_a_fill_that_is_not_blind_asks_for_a_mask(batch):
    image, _ = batch
    with pytest.raises(MaskError, match="noise needs a mask: it does not find holes itself"):
        NoiseOnArrays().fill(image, None)
    with pytest.raises(MaskError, match="noise needs a mask: it does not find holes itself"):
        NoiseOnArrays().find_mask_arrays(image.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("given", ["mask", None])
def test_what_a_blind_fill_reads_in_the_hole_must_be_colors(batch, given):
    image, mask = batch
    with pytest.raises(InputError, match=r"image holds values that are not finite$"):
        BlindOnArrays().fill(image.masked_fill(mask == 1, float("nan")), mask if given else None)
    with pytest.raises(InputError, match=r"image must lie in \[0, 1\], got .* to 2$"):
        BlindOnArrays().fill(image.masked_fill(mask == 1, 2.0), mask if given else None)


def test_scores_and_intermediates_come_in_the_order_of_the_images(batch):
    fills = NoiseOnTensors().fill(*batch, samples=3, seed=1)
    for fill in fills:
        assert torch.equal(fill.score, fill.raw.mean(dim=(1, 2, 3)))
        assert torch.equal(fill.aux["coarse"], fill.raw / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_progress_counts_up_to_all_units(kind, batch):
    seen = []
    kind().fill(*batch, samples=2, progress=seen.append)
    assert [step.done for step in seen] == sorted({step.done for step in seen})
    assert (seen[-1].done, seen[-1].total) == (6, 6)
    assert seen[-1].remaining_s == 0


def test_steps_within_an_image_are_told(batch):
    seen = []
    NoiseOnArrays(steps=4).fill(*batch, progress=seen.append)
    assert [step.done for step in seen] == list(range(1, 13))


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_who_stops_gets_the_mean_color_where_nothing_was_painted(kind, batch):
    image, mask = batch

    def stop(step):
        raise StopFill

    whole = kind().fill(image, mask)[0]
    (fill,) = kind().fill(image, mask, progress=stop)
    assert torch.equal(fill.completed[0], whole.completed[0])
    known = (mask[2] == 0).expand_as(image[2])
    plain = torch.stack([image[2, channel][mask[2, 0] == 0].mean() for channel in range(3)])
    painted = fill.completed[2][:, mask[2, 0] == 1]
    assert torch.allclose(painted, plain[:, None].expand_as(painted), atol=1e-6)
    assert torch.equal(fill.completed[2][known], image[2][known])
    assert not fill.aux
    if fill.score is not None:
        assert fill.score[2] == -torch.inf
        assert fill.score[0] > -torch.inf


def test_a_part_that_is_missing_is_said_before_anything_else(batch):
    class Half(NoiseOnArrays):
        def missing_to_fill(self):
            return "its second stage is not trained"

    with pytest.raises(UsageError, match="noise cannot fill: its second stage is not trained"):
        Half().fill(*batch)


def test_all_hole_is_refused_only_where_known_pixels_are_needed(batch):
    image, mask = batch
    assert NoiseOnArrays().fill(image, torch.ones_like(mask))[0].completed.isfinite().all()
    with pytest.raises(MaskError, match="noise works from known pixels, but the mask of image 0 is all hole"):
        NoiseOnArrays(needs_known=True).fill(image, torch.ones_like(mask))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"image": torch.zeros(3, 8, 10)}, InputError, r"image must have shape \(B, 3, H, W\)"),
        ({"image": torch.zeros(3, 3, 8, 10, dtype=torch.uint8)}, InputError, "floating point in .0, 1., got uint8"),
        ({"image": torch.full((3, 3, 8, 10), 1.5)}, InputError, "image must lie in .0, 1. outside the hole"),
        ({"image": torch.full((3, 3, 8, 10), torch.inf)}, InputError, "not finite outside the hole"),
        ({"mask": torch.zeros(3, 1, 8, 9)}, MaskError, "mask must have shape"),
        ({"mask": torch.full((3, 1, 8, 10), 0.5)}, MaskError, r"0 \(known\) or 1 \(hole\) everywhere, got 0.5"),
        ({"samples": 0}, InputError, "samples must be an integer of at least 1, got 0"),
        ({"seed": [1, 2]}, InputError, r"one per image \(3\), got 2"),
        ({"guidance": {"color": torch.zeros(3, 1, 8, 10)}}, InputError, "accept guidance.color; accepted: lines"),
        ({"guidance": {"lines": torch.zeros(3, 3, 8, 10)}}, InputError, "guidance.lines must have shape"),
    ],
)
def test_what_does_not_fit_is_refused_alike(kind, batch, change, error, message):
    image, mask = batch
    arguments = {"image": image, "mask": mask, **change}
    with pytest.raises(error, match=message):
        kind(planes=(LINES,)).fill(**arguments)


def test_arrays_with_a_missing_axis_are_refused():
    with pytest.raises(InputError, match=r"arrays must have shape \(B, H, W, C\), got \(8, 10, 3\)"):
        NoiseOnArrays().fill_arrays(np.zeros((8, 10, 3), np.float32), np.zeros((1, 8, 10, 1), np.float32))


def test_sizes_below_the_smallest_are_refused(batch):
    with pytest.raises(InputError, match="noise needs sides of at least 9 pixels, got 8x10"):
        NoiseOnArrays(smallest_px=9).fill(*batch)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "seed", [np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), [3, 3, 3], np.array([3, 3, 3])]
)
def test_whole_numbers_of_every_library_are_seeds(kind, seed, batch):
    plain = [3, 3, 3] if np.ndim(seed) else 3
    assert torch.equal(kind().fill(*batch, seed=seed)[0].raw, kind().fill(*batch, seed=plain)[0].raw)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, None, "3", "abc", np.float64(3), [1, 2, -3], [1, 2, 3.0], {0: 1}])
def test_other_seeds_are_refused_in_one_line(kind, seed, batch):
    with pytest.raises(InputError, match="seed must be an integer"):
        kind().fill(*batch, seed=seed)
    with pytest.raises(InputError, match="seed must be an integer"):
        kind(stochastic=False).fill(*batch, seed=seed)


@pytest.mark.parametrize("samples", [0, -1, 2.0, "2", None])
def test_samples_are_a_whole_number(samples, batch):
    with pytest.raises(InputError, match="samples must be an integer of at least 1"):
        NoiseOnArrays().fill(*batch, samples=samples)
    assert len(NoiseOnArrays().fill(*batch, samples=np.int32(2))) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        {"image": "photo.png"},
        {"image": None},
        {"image": Image.new("RGB", (10, 8))},
        {"image": np.zeros((3, 3, 8, 10), np.float32)},
        {"image": torch.zeros(3, 3, 8, 10).to_sparse()},
        {"image": torch.zeros(3, 3, 8, 10, device="meta")},
        {"image": torch.zeros(3, 3, 8, 10, dtype=torch.complex64)},
        {"mask": "mask.png"},
        {"mask": [[0, 1]]},
        {"mask": np.zeros((3, 1, 8, 10))},
        {"guidance": [1]},
        {"guidance": {"lines": "lines.png"}},
        {"progress": 3},
    ],
)
def test_other_types_than_the_documented_are_refused(kind, change, batch):
    image, mask = batch
    with pytest.raises(InputError, match="must be") as refused:
        kind(planes=(LINES,)).fill(**{"image": image, "mask": mask, **change})
    assert "\n" not in str(refused.value)


def test_a_pillow_image_and_an_array_are_shown_the_way(batch):
    image, mask = batch
    with pytest.raises(InputError, match=r"got PIL.Image.Image; .*inpaint.fill\(image, mask, model=...\)"):
        NoiseOnArrays().fill(Image.new("RGB", (10, 8)), mask)
    with pytest.raises(InputError, match=r"got numpy.ndarray of float32; fill_arrays takes NumPy arrays"):
        NoiseOnArrays().fill(image.numpy(), mask)
    with pytest.raises(InputError, match=r"got torch.Tensor of torch.float32; fill takes tensors"):
        NoiseOnArrays().fill_arrays(image, mask.numpy())
    with pytest.raises(InputError, match=r"numpy.ndarray of object"):
        NoiseOnArrays().fill_arrays(np.full((1, 8, 10, 3), None), np.zeros((1, 8, 10, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_do_not_pass_and_are_no_obstacle(kind, batch):
    image, mask = batch
    plain = kind().fill(image, mask)[0]
    for around in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with around():
            fill = kind().fill(image.clone().requires_grad_(around is not torch.inference_mode), mask)[0]
        assert torch.equal(fill.completed, plain.completed)
        assert not fill.completed.requires_grad
        assert not fill.raw.requires_grad


def test_a_read_only_array_is_filled_without_a_warning(batch, recwarn):
    image, mask = (np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy()) for x in batch)
    image.flags.writeable = mask.flags.writeable = False
    assert np.isfinite(NoiseOnTensors().fill_arrays(image, mask)[0].completed).all()
    assert not recwarn.list


@pytest.mark.parametrize("kind", KINDS)
def test_several_samples_of_a_fill_without_chance_are_objects_of_their_own(kind, batch):
    first, second = kind(stochastic=False).fill(*batch, samples=2)
    assert first is not second
    before = second.completed.clone()
    first.completed.zero_()
    first.raw.zero_()
    assert torch.equal(second.completed, before)


@pytest.mark.parametrize("kind", KINDS)
def test_fills_and_those_who_make_them_are_shown_in_one_line(kind, batch):
    (fill,) = kind().fill(*batch)
    assert "\n" not in repr(kind()) + repr(fill)
    assert repr(fill).startswith("Fill(completed=float32 (3, 3, 8, 10), raw=float32 (3, 3, 8, 10), mask=")
    assert fill != kind().fill(*batch)[0]
    assert len({fill, fill}) == 1


def test_a_warning_of_a_fill_stands_with_its_sample_and_names_the_image_of_a_batch(batch):
    class Doubtful(NoiseOnArrays):
        def paint_all(self, request):
            request.warnings[3] = ("it is dark there",)
            yield from super().paint_all(request)

    first, second = Doubtful().fill(*batch, samples=2)
    assert (first.warnings, second.warnings) == ((), ("image 1: it is dark there",))


def test_an_integer_seed_gives_every_image_its_own():
    first, second = ImageSeed.of_each(5, 2)
    draws = [seed.generator(sample).random() for seed in (first, second) for sample in (0, 1)]
    assert len(set(draws)) == 4
    assert first.integer() == 5
    assert second.integer() not in (5, 6)
    assert ImageSeed.of_each([11, 12], 2)[1].integer() == 12


def test_types_that_numpy_lacks_are_filled_by_arrays_too(batch):
    image, mask = batch
    expected = NoiseOnArrays().fill(image.bfloat16().float(), mask)[0]
    found = NoiseOnArrays().fill(image.bfloat16(), mask.bfloat16())[0]
    assert torch.equal(found.completed, expected.completed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [float("nan"), -0.1, 255.0])
def test_guidance_out_of_range_is_refused_where_it_is_read(kind, value, batch):
    image, mask = batch
    lines = torch.zeros_like(mask)
    lines[mask == 0] = value  # not read there
    fill = kind(planes=(LINES,))
    fill.fill(image, mask, guidance={"lines": lines})
    with pytest.raises(InputError, match=r"guidance.lines must lie in \[0, 1\]"):
        fill.fill(image, mask, guidance={"lines": lines.fill_(value)})
