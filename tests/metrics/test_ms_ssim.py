import pytest
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from inpaint.errors import InputError
from inpaint.metrics import Compared, measured, measures
from inpaint.metrics.ms_ssim import ms_ssim


@pytest.fixture
def pair(make_photo):
    """A damaged copy and two images, (2, 3, 179, 190) float64: sides that halve to odd ones."""
    image = torch.stack([torch.from_numpy(make_photo(179, 190, seed)).permute(2, 0, 1) for seed in (1, 2)]).double()
    image = image / 255
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (image + 0.2 * noise).clamp(0, 1), image


def test_values_are_those_of_torchmetrics(pair):
    expected = multiscale_structural_similarity_index_measure(*pair, data_range=1.0, reduction=None)
    assert (expected < 0.95).all()
    torch.testing.assert_close(ms_ssim(*pair), expected, rtol=1e-8, atol=0)  # torchmetrics' powers are float32


def test_what_is_opposite_counts_as_unlike_not_as_no_number(pair):
    image = pair[1]
    expected = multiscale_structural_similarity_index_measure(1 - image, image, data_range=1.0, reduction=None)
    assert expected.tolist() == [0, 0]
    assert ms_ssim(1 - image, image).tolist() == [0, 0]


def test_a_batch_has_the_values_of_its_images_and_identical_ones_have_one(pair):
    together = ms_ssim(*pair)
    assert [ms_ssim(a[None], b[None]).item() for a, b in zip(*pair, strict=True)] == together.tolist()
    assert ms_ssim(pair[1], pair[1]).tolist() == pytest.approx([1, 1])


def test_images_below_five_scales_have_no_number_and_no_other_measure_in_its_place():
    wanted = measures(["ms_ssim", "ms_ssim_raw"]).of_images
    for side in (176, 175):
        image, mask = torch.rand(1, 3, side, 200), torch.ones(1, 1, side, 200)
        compared = Compared(completed=image, image=image, mask=mask, raw=image)
        for measure in wanted:
            fits = side == 176
            assert measured(compared, wanted)[measure.name].isfinite().item() == measure.counts(compared).item() == fits
    assert wanted[0].lacks((), side_px=175) == "it needs images of at least 176 pixels a side, these have 175"
    with pytest.raises(InputError, match="at least 176 pixels a side, got 175 x 200"):
        ms_ssim(image, image)
    with pytest.raises(ValueError, match="larger than 160"):  # torchmetrics refuses the same image
        multiscale_structural_similarity_index_measure(image, image, data_range=1.0)
