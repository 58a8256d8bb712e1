import numpy as np
import torch

from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized


def make():
    torch.manual_seed(0)
    return spectrally_normalized(PaddedConv2d(4, 6, 5, stride=2))


def test_the_largest_singular_value_is_one():
    layer, x = make().train(), torch.rand(1, 4, 9, 7)
    with torch.no_grad():
        for _ in range(100):
            layer(x)
    singular = np.linalg.svd(layer.eval().weight.detach().numpy().reshape(6, -1), compute_uv=False)
    assert abs(singular[0] - 1) < 1e-4


def test_training_iterates_once_per_pass_and_evaluation_never():
    layer, x = make(), torch.rand(1, 4, 9, 7)
    vectors = layer.parametrizations.weight[0]
    matrix = layer.parametrizations.weight.original.detach().numpy().reshape(6, -1)
    # Far from converged, so that every iteration shows.
    vectors._v.copy_(torch.nn.functional.normalize(torch.arange(100.0), dim=0))
    before = [vectors._u.clone(), vectors._v.clone()]

    layer.eval()
    assert torch.equal(layer(x), layer(x))
    assert torch.equal(vectors._u, before[0])
    assert torch.equal(vectors._v, before[1])

    layer.train()
    layer(x)
    left = matrix @ before[1].numpy()
    left /= np.linalg.norm(left)
    right = matrix.T @ left
    right /= np.linalg.norm(right)
    assert np.allclose(vectors._u.numpy(), left, atol=1e-6)
    assert np.allclose(vectors._v.numpy(), right, atol=1e-6)


def test_the_stored_weight_is_left_alone():
    layer, x = make().train(), torch.rand(1, 4, 9, 7)
    before = layer.parametrizations.weight.original.detach().clone()
    layer(x)
    assert torch.equal(layer.parametrizations.weight.original, before)


def test_autocast_leaves_the_power_iteration_in_full_precision():
    plain, mixed, x = make().train(), make().train(), torch.rand(1, 4, 9, 7)
    with normalized_in_full_precision([plain]):
        plain(x)
    with torch.autocast("cpu", dtype=torch.bfloat16), normalized_in_full_precision([mixed]):
        mixed(x)
        assert mixed.weight.dtype == torch.float32
    for name, buffer in plain.named_buffers():
        assert torch.equal(buffer, dict(mixed.named_buffers())[name])


def test_the_weights_are_normalized_once_within_the_block():
    layer, x = make().train(), torch.rand(1, 4, 9, 7)
    with normalized_in_full_precision([layer]):
        first = layer.weight
        layer(x)
        assert layer.weight is first
    assert layer.weight is not first
