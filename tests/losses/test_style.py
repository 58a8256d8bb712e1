import pytest
import torch

from inpaint.losses.style import gram_matrix


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gram_matrices_keep_single_precision_inside_autocast(dtype):
    features = torch.full((1, 4, 32, 32), 30.0, dtype=dtype)  # the sum over pixels is 921600, beyond float16
    with torch.autocast("cpu", dtype=dtype):
        found = gram_matrix(features, 1)
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((1, 4, 4), 921600.0))
