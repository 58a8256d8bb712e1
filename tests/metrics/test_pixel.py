import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from inpaint import metrics
from inpaint.errors import InputError


@pytest.fixture
def batch(make_photo):
    """Two images (2, 3, 29, 40), a damaged copy, and masks of different area that touch borders."""
    image = torch.stack([torch.from_numpy(make_photo(29, 40, seed)).permute(2, 0, 1) for seed in (1, 2)]) / 255
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    completed = (image + 0.1 * noise).clamp(0, 1)
    mask = torch.zeros(2, 1, 29, 40)
    mask[0, :, :12, 25:] = 1
    mask[1, :, 8:21, 10:17] = 1
    return completed, image, mask


def measure(completed, image, mask):
    return metrics.measured(metrics.Compared(completed=completed, image=image, mask=mask), metrics.measures().of_images)


def as_numpy(x):
    return x.permute(0, 2, 3, 1).double().numpy()


def skimage_ssim(a, b):
    """Value over the valid region, and the map averaged over channels, from scikit-image."""
    value, full = structural_similarity(
        a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return value, full.mean(axis=-1)


def test_l1_and_psnr_in_the_hole_agree_with_numpy_on_the_hole_pixels_alone(batch):
    completed, image, mask = batch
    l1, psnr = metrics.l1(*batch), metrics.psnr(*batch)
    assert l1.shape == psnr.shape == (2,)
    for a, b, hole, one_l1, one_psnr in zip(
        as_numpy(completed), as_numpy(image), mask[:, 0].bool(), l1, psnr, strict=True
    ):
        inside_a, inside_b = a[hole.numpy()], b[hole.numpy()]  # (N, 3)
        assert one_l1.item() == pytest.approx(np.abs(inside_a - inside_b).mean(), rel=1e-12)
        assert one_psnr.item() == pytest.approx(peak_signal_noise_ratio(inside_b, inside_a, data_range=1), rel=1e-12)


def test_whole_image_psnr_and_ssim_agree_with_scikit_image(batch):
    completed, image, _ = batch
    psnr, ssim = metrics.psnr(completed, image), metrics.ssim(completed, image)
    for i, (a, b) in enumerate(zip(as_numpy(completed), as_numpy(image), strict=True)):
        assert psnr[i].item() == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1), rel=1e-12)
        assert ssim[i].item() == pytest.approx(skimage_ssim(a, b)[0], abs=1e-9)


def test_ssim_in_the_hole_is_scikit_images_map_averaged_over_the_hole_borders_included(batch):
    completed, image, mask = batch
    ours = metrics.ssim(completed, image, mask)
    for i, (a, b) in enumerate(zip(as_numpy(completed), as_numpy(image), strict=True)):
        assert ours[i].item() == pytest.approx(skimage_ssim(a, b)[1][mask[i, 0].bool().numpy()].mean(), abs=1e-9)


def test_ssim_agrees_with_torchmetrics_away_from_borders(batch):
    completed, image, _ = (x.double() for x in batch)
    _, full = structural_similarity_index_measure(completed, image, data_range=1.0, sigma=1.5, return_full_image=True)
    inner = (slice(None), slice(10, -10), slice(10, -10))
    assert torch.allclose(metrics.ssim_map(completed, image)[inner], full.mean(dim=1)[inner], atol=1e-9)


def test_ssim_of_a_tall_image_has_no_seams(make_photo):
    image = make_photo(75, 21, 5)
    damaged = np.roll(image, 2, axis=0)
    pair = [torch.from_numpy(x).permute(2, 0, 1)[None] / 255 for x in (damaged, image)]
    want = skimage_ssim(as_numpy(pair[0])[0], as_numpy(pair[1])[0])[1]
    assert np.allclose(metrics.ssim_map(*(x.double() for x in pair))[0].numpy(), want, atol=1e-9)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 13), (4, 3), (10, 30), (11, 11), (12, 3)])
def test_images_smaller_than_the_window_are_measured(height, width):
    a, b = torch.rand(2, 2, 3, height, width, generator=torch.Generator().manual_seed(1))
    ones = torch.ones(2, 1, height, width)
    values = measure(a, b, ones)
    assert all(torch.isfinite(value).all() for value in values.values())
    # scipy continues axes shorter than its window in the same way; scikit-image itself refuses such images.
    from scipy.ndimage import gaussian_filter1d

    def blur(x):
        return gaussian_filter1d(gaussian_filter1d(x, 1.5, axis=0, radius=5), 1.5, axis=1, radius=5)

    for i in range(2):
        x, y = as_numpy(a)[i], as_numpy(b)[i]
        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
        want = ((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean()
        assert values["ssim_hole"][i].item() == pytest.approx(want, abs=1e-9)


def test_identical_images_reach_the_best_values_and_a_finite_psnr(batch):
    _, image, mask = batch
    best = measure(image, image, mask)
    assert best["l1_hole"].tolist() == [0, 0]
    assert best["psnr_hole"].tolist() == best["psnr"].tolist() == [metrics.PSNR_CAP_DB] * 2
    assert best["ssim_hole"].tolist() == pytest.approx([1, 1])


def test_what_happens_outside_the_hole_does_not_touch_l1_and_psnr_of_the_hole(batch):
    completed, image, mask = batch
    elsewhere = torch.where(mask > 0, completed, 1 - completed)
    assert torch.equal(metrics.l1(elsewhere, image, mask), metrics.l1(completed, image, mask))
    assert torch.equal(metrics.psnr(elsewhere, image, mask), metrics.psnr(completed, image, mask))
    assert not torch.equal(metrics.l1(elsewhere, image), metrics.l1(completed, image))


def test_a_hole_over_everything_equals_the_whole_image(batch):
    completed, image, mask = batch
    values = measure(completed, image, torch.ones_like(mask))
    assert values["l1_hole"].tolist() == pytest.approx(values["l1"].tolist(), rel=1e-12)
    assert values["psnr_hole"].tolist() == pytest.approx(values["psnr"].tolist(), rel=1e-12)
    assert values["hole_ratio"].tolist() == [1, 1]


def test_a_hole_of_one_pixel_is_measured_at_that_pixel():
    image = torch.zeros(1, 3, 5, 7)
    completed, mask = image.clone(), torch.zeros(1, 1, 5, 7)
    mask[0, 0, 4, 6] = 1
    completed[0, :, 4, 6] = torch.tensor([0.1, 0.2, 0.6])
    assert metrics.l1(completed, image, mask).item() == pytest.approx(0.3)
    assert metrics.psnr(completed, image, mask).item() == pytest.approx(-10 * math.log10(0.41 / 3))
    assert metrics.hole_ratio(mask).item() == pytest.approx(1 / 35)


def test_an_image_without_a_hole_has_no_hole_error(batch):
    completed, image, mask = batch
    mask[1] = 0
    for metric in (metrics.l1, metrics.psnr, metrics.ssim):
        first, second = metric(completed, image, mask).tolist()
        assert math.isfinite(first)
        assert math.isnan(second)


def test_measures_give_the_same_as_the_functions(batch):
    completed, image, mask = batch
    values = measure(*batch)
    assert tuple(values) == metrics.USUAL
    assert values["hole_ratio"].tolist() == metrics.hole_ratio(mask).tolist()
    for name in ("l1", "psnr", "ssim"):
        function = getattr(metrics, name)
        assert values[name].tolist() == function(completed, image).tolist()
        assert values[f"{name}_hole"].tolist() == function(completed, image, mask).tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_are_taken_in_double_precision_whatever_comes_in(batch, dtype):
    completed, image, mask = (x.to(dtype) for x in batch)
    wide = measure(completed.double(), image.double(), mask.double())
    for name, value in measure(completed, image, mask).items():
        assert value.dtype == torch.float64
        assert value.tolist() == wide[name].tolist()


def test_shapes_that_do_not_fit_are_refused(batch):
    completed, image, mask = batch
    with pytest.raises(
        InputError, match=r"mask must have shape \(2, 1, 29, 40\) to match the image, got \(2, 29, 40\)"
    ):
        metrics.l1(completed, image, mask[:, 0])
    with pytest.raises(InputError, match="one shape"):
        metrics.ssim(completed[..., 1:], image)
    with pytest.raises(InputError, match=r"\(B, 1, H, W\)"):
        metrics.hole_ratio(mask.expand(-1, 3, -1, -1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_measures_what_the_cpu_measures(batch):
    on_gpu = measure(*(x.cuda() for x in batch))
    for name, value in measure(*batch).items():
        assert on_gpu[name].device.type == "cuda"
        assert on_gpu[name].tolist() == pytest.approx(value.tolist(), rel=1e-9)


def test_psnr_of_known_pixels_agrees_with_numpy_on_those_pixels_alone(batch):
    completed, image, mask = batch
    raw = image + 0.3 * (completed - image)
    compared = metrics.Compared(completed=completed, image=image, mask=mask, raw=raw)
    found = metrics.measured(compared, metrics.measures(["psnr_known", "psnr_known_raw"]).of_images)
    for name, painted in (("psnr_known", completed), ("psnr_known_raw", raw.clamp(0, 1))):
        for i in range(2):
            known = mask[i, 0].numpy() == 0
            errors = (painted[i] - image[i]).double().numpy()[:, known]
            assert found[name][i].item() == pytest.approx(-10 * np.log10((errors**2).mean()), rel=1e-9)


def test_psnr_of_known_pixels_leaves_out_images_that_are_all_hole(batch):
    completed, image, _ = batch
    mask = torch.stack((torch.ones(1, 29, 40), torch.zeros(1, 29, 40)))
    (measure,) = metrics.measures(["psnr_known"]).of_images
    assert measure.counts(metrics.Compared(completed=completed, image=image, mask=mask)).tolist() == [False, True]


def test_mse_is_on_values_from_0_to_255_and_that_of_the_hole_is_of_its_pixels(batch):
    completed, image, mask = batch
    found = metrics.measured(
        metrics.Compared(completed=completed, image=image, mask=mask), metrics.measures(["mse", "mse_hole"]).of_images
    )
    squares = (255 * (as_numpy(completed) - as_numpy(image))) ** 2
    for number in range(2):
        hole = mask[number, 0].numpy() == 1
        assert found["mse"][number].item() == pytest.approx(squares[number].mean(), rel=1e-6)
        assert found["mse_hole"][number].item() == pytest.approx(squares[number][hole].mean(), rel=1e-6)
