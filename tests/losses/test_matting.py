"""The matting Laplacian without a matrix: against the matrix, its definition, and the public programs' own."""

import numpy as np
import pytest
import scipy.sparse
import torch

from inpaint.errors import InputError
from inpaint.losses.matting import MattingLaplacian


def explicit(image: np.ndarray, radius_px: int, eps: float) -> scipy.sparse.csr_matrix:
    """Levin's matrix window by window, of (H, W, C)."""
    height, width, channels = image.shape
    numbers = np.arange(height * width).reshape(height, width)
    pixels = (2 * radius_px + 1) ** 2
    rows, columns, values = [], [], []
    for y in range(radius_px, height - radius_px):
        for x in range(radius_px, width - radius_px):
            window = np.s_[y - radius_px : y + radius_px + 1, x - radius_px : x + radius_px + 1]
            colors = image[window].reshape(-1, channels)
            off = colors - colors.mean(axis=0)
            middle = np.linalg.inv(off.T @ off / pixels + eps / pixels * np.eye(channels))
            part = np.eye(pixels) - (1 + off @ middle @ off.T) / pixels
            inside = numbers[window].ravel()
            rows.append(np.repeat(inside, pixels))
            columns.append(np.tile(inside, pixels))
            values.append(part.ravel())
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return scipy.sparse.csr_matrix(entries, shape=(height * width,) * 2)


def planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)


def apart(got: torch.Tensor, expected: np.ndarray | torch.Tensor) -> float:
    expected = torch.as_tensor(expected)
    return float((got - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("radius_px", "eps"), [(1, 1e-7), (2, 1e-4)])
def test_products_energies_and_diagonal_are_the_matrix_s(radius_px, eps):
    rng = np.random.default_rng(0)
    image, vectors = rng.random((9, 11, 3)), rng.random((2, 9, 11))
    matrix = explicit(image, radius_px, eps)
    laplacian = MattingLaplacian(planes(image), radius_px=radius_px, eps=eps)
    flat = vectors.reshape(2, -1)
    assert apart(laplacian.product(torch.from_numpy(vectors)), (flat @ matrix).reshape(vectors.shape)) < 1e-9
    assert apart(laplacian.energies(torch.from_numpy(vectors)), np.einsum("kp,kp->k", flat, flat @ matrix)) < 1e-9
    assert apart(laplacian.diagonal(), matrix.diagonal().reshape(9, 11)) < 1e-9


def test_a_smooth_image_of_bytes_keeps_its_digits():
    image = (np.indices((12, 13)).sum(axis=0)[..., None] * [1, 1, 2] // 2 + 90) / 255
    vector = np.random.default_rng(1).random((12, 13))
    got = MattingLaplacian(planes(image)).product(torch.from_numpy(vector).float())
    expected = explicit(image, 1, 1e-7) @ vector.astype(np.float32).ravel()
    assert apart(got, expected.reshape(12, 13)) < 1e-7


def test_an_affine_function_of_the_colors_costs_nothing():
    image = torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    affine = 0.3 + 0.5 * image[0] - 2 * image[1] + image[2]
    noise = image.flip(1, 2)[0]
    laplacian = MattingLaplacian(image)
    assert float(laplacian.energies(affine)) < 1e-4 * float(laplacian.energies(noise))
    assert float(laplacian.product(torch.ones(10, 12)).abs().max()) < 1e-12


def test_an_image_smaller_than_a_window_is_refused():
    with pytest.raises(InputError, match="at least 5 pixels"):
        MattingLaplacian(torch.zeros(3, 4, 9), radius_px=2)


def test_the_public_programs_matrices(parity):
    cases = parity.cases("luanfujun_dpst")
    small = planes(cases["small"].astype(np.float64) / 255)
    for name, options in {"1e-7": {}, "1e-5": {"eps": 1e-5}, "radius2_1e-7": {"radius_px": 2}}.items():
        laplacian = MattingLaplacian(small, **options)
        units = torch.eye(168, dtype=torch.float64).view(168, 14, 12)
        assert apart(laplacian.product(units).flatten(1), cases[f"small_laplacian_{name}"]) < 1e-7, name
    content = planes(cases["content"].astype(np.float64) / 255)
    vector = torch.from_numpy(cases["laplacian_vector"])
    for name, eps in (("1e-7", 1e-7), ("1e-5", 1e-5)):
        laplacian = MattingLaplacian(content, eps=eps)
        assert apart(laplacian.product(vector), cases[f"laplacian_product_{name}"]) < 1e-7
        assert apart(laplacian.energies(vector), cases[f"laplacian_energy_{name}"]) < 1e-7
        assert apart(laplacian.diagonal(), cases[f"laplacian_diagonal_{name}"]) < 1e-7
