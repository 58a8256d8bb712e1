"""What holds for every measure of images: what it says of itself, and what its numbers do not depend on."""

import math

import pytest
import torch

from backbones import fill_hub
from inpaint.errors import UsageError
from inpaint.metrics import MEASURES, USUAL, Compared, ImageMeasure, RunningMeans, measured, measures
from inpaint.metrics import lpips as lpips_module
from inpaint.metrics.edges import canny_edges

# VGG takes seconds and differs from the other backbones of LPIPS in nothing but its name.
FAST = [name for name, make in MEASURES.items() if isinstance(make(), ImageMeasure) and "vgg" not in name]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Everything that there may be of two images of 176 x 181: the smallest with five scales."""
    draw = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 12, 12, generator=draw)
    image = torch.nn.functional.interpolate(coarse, size=(176, 181), mode="bicubic").clamp(0, 1)
    raw = image + 0.1 * torch.randn(image.shape, generator=draw)
    mask = torch.zeros(2, 1, 176, 181)
    mask[0, :, 30:120, 20:100], mask[1, :, :50, 100:] = 1, 1
    completed = torch.where(mask > 0, raw.clamp(0, 1), image)
    samples = torch.stack((completed, torch.where(mask > 0, 0.5, image)))
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("torch")
        fill_hub(home, "alexnet", "squeezenet1_1")
        patch.setenv("TORCH_HOME", str(home))
        lpips_module._load.cache_clear()
        colors = torch.cat((image, torch.ones_like(mask)), dim=1)
        yield Compared(
            completed=completed,
            image=image,
            mask=mask,
            raw=raw,
            samples=samples,
            found=mask.roll(9, -1),
            lines=canny_edges(image),
            colors=colors,
            before=(image, raw.clamp(0, 1)),
        )
    lpips_module._load.cache_clear()


def part(compared, i):
    """One image of a batch."""
    names = ("completed", "image", "mask", "raw", "found", "lines", "colors")
    several = {name: getattr(compared, name)[i : i + 1] for name in names}
    before = tuple(each[i : i + 1] for each in compared.before)
    return Compared(**several, samples=compared.samples[:, i : i + 1], before=before)


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_says_what_a_table_must_know(name):
    measure = MEASURES[name]()
    assert measure.name == name
    assert measure.title
    assert measure.better in ("higher", "lower", "neither")
    assert measure.low < measure.high
    assert math.isfinite(measure.low)
    assert measure.decimals >= 0
    assert measure.scale > 0
    assert isinstance(measure.needs, frozenset)


def test_numbers_do_not_depend_on_the_batch_and_lie_in_their_range(compared):
    wanted = measures(FAST).of_images
    together = measured(compared, wanted)
    alone = [measured(part(compared, i), wanted) for i in range(2)]
    for measure in wanted:
        values = together[measure.name]
        assert values.shape == (2,)
        assert values.dtype == torch.float64
        assert measure.counts(compared).tolist() == [True, True]
        assert all(measure.low <= value <= measure.high for value in values.tolist()), measure.name
        learned = "lpips" in measure.name  # computes in float32
        expected = [each[measure.name].item() for each in alone]
        assert values.tolist() == pytest.approx(expected, rel=1e-5 if learned else 1e-12), measure.name


def test_identical_images_have_the_best_value_where_there_is_one(compared):
    image, mask = compared.image, compared.mask
    drawn = {"lines": compared.lines, "colors": compared.colors}
    same = Compared(completed=image, image=image, mask=mask, raw=image, found=mask, before=(image, image), **drawn)
    names = [name for name in FAST if not name.startswith(("seam", "diversity"))]
    for name, values in measured(same, measures(names).of_images).items():
        measure = MEASURES[name]()
        best = {"higher": measure.high, "lower": measure.low}.get(measure.better)
        assert best is None or values.tolist() == pytest.approx([best] * 2, abs=1e-6), name


def test_known_pixels_do_not_touch_what_is_measured_in_the_hole_by_pixels(compared):
    elsewhere = Compared(
        completed=torch.where(compared.mask > 0, compared.completed, 1 - compared.completed),
        image=compared.image,
        mask=compared.mask,
    )
    wanted = measures(["l1_hole", "psnr_hole"]).of_images
    expected = measured(compared, wanted)
    assert {name: value.tolist() for name, value in measured(elsewhere, wanted).items()} == {
        name: value.tolist() for name, value in expected.items()
    }


def test_means_take_what_applies_and_nothing_else(compared):
    means = RunningMeans()
    bare = Compared(completed=compared.completed, image=compared.image, mask=compared.mask)
    for measure in measures(["l1_hole", "mask_f1"]).of_images:
        for case in (bare, compared):
            means.add(measure.name, measured(case, [measure])[measure.name], measure.counts(case))
    expected = measured(compared, measures(["l1_hole", "mask_f1"]).of_images)
    assert means.compute() == pytest.approx({name: value.mean().item() for name, value in expected.items()})


def test_unknown_names_and_names_given_twice_are_refused():
    assert [measure.name for measure in measures(USUAL).of_images] == list(USUAL)
    with pytest.raises(UsageError, match=r"unknown measure 'lpips' \(did you mean 'lpips_\w+'\?\)"):
        measures(["lpips"])
    with pytest.raises(UsageError, match="'seam' is given twice"):
        measures(["seam", "l1", "seam"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_measures_what_the_cpu_measures(compared):
    moved = {
        name: value.cuda()
        for name, value in vars(compared).items()
        if isinstance(value, torch.Tensor) and name != "hole"
    }
    on_gpu = measured(Compared(**moved), measures(FAST).of_images)
    for name, value in measured(compared, measures(FAST).of_images).items():
        assert on_gpu[name].device.type == "cuda", name
        assert on_gpu[name].tolist() == pytest.approx(value.tolist(), rel=1e-3 if "lpips" in name else 1e-9), name
