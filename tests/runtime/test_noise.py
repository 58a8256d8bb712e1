import numpy as np
import pytest
import torch

from inpaint.runtime.noise import TorchNormal

SHAPES = [(16,), (128, 8, 8), (3,), (17,), (8, 3, 5), (1,), (2, 2, 2), (8, 1, 3)]


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 5, 2**64 - 1])
def test_numbers_are_those_of_torch_one_call_after_the_other(seed):
    ours, theirs = TorchNormal(seed), torch.Generator().manual_seed(seed)
    for shape in SHAPES:
        drawn = ours.draw(*shape)
        assert drawn.dtype == np.float32
        np.testing.assert_allclose(drawn, torch.randn(shape, generator=theirs).numpy(), atol=3e-6)
