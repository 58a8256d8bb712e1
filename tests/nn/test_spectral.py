import numpy as np
import pytest
import torch

from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.spectral import (
    converge,
    normalized_in_full_precision,
    remove_spectral_norm,
    spectrally_normalized,
    stored_weight,
)


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


@pytest.mark.parametrize("dim", [None, 0])
@pytest.mark.parametrize("kind", [torch.nn.Conv2d, torch.nn.ConvTranspose2d])
def test_without_memory_the_state_has_the_same_names_and_shapes(kind, dim):
    real = spectrally_normalized(kind(3, 5, 4), dim=dim)
    with torch.device("meta"):
        alone = spectrally_normalized(kind(3, 5, 4), dim=dim)
    shapes = {name: value.shape for name, value in real.state_dict().items()}
    assert {name: value.shape for name, value in alone.state_dict().items()} == shapes
    assert all(value.is_meta for value in alone.state_dict().values())
    with pytest.raises(AssertionError, match="tells shapes alone"):
        alone.to_empty(device="cpu")(torch.rand(1, 3, 8, 8))


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


def unfolded(weight, dim):
    return np.moveaxis(weight.detach().numpy(), dim, 0).reshape(weight.shape[dim], -1)


@pytest.mark.parametrize(("dim", "rows"), [(None, 1), (0, 0), (1, 1)])
def test_the_rows_of_a_transposed_convolution_are_chosen_and_by_default_its_outputs(dim, rows):
    torch.manual_seed(0)
    layer = spectrally_normalized(torch.nn.ConvTranspose2d(4, 6, 3), dim=dim)
    converge(layer, 200)
    for axis in (0, 1):
        largest = np.linalg.svd(unfolded(layer.eval().weight, axis), compute_uv=False)[0]
        assert (abs(largest - 1) < 1e-4) == (axis == rows)


def test_removing_the_norm_keeps_the_quotient_of_the_stored_vectors_and_nothing_else():
    layer, x = make().train(), torch.rand(1, 4, 9, 7)
    with torch.no_grad():  # as after a step: the vectors are no longer those of the weight
        layer.parametrizations.weight.original.add_(0.3 * torch.rand(6, 4, 5, 5))
    vectors = layer.parametrizations.weight[0]
    matrix = layer.parametrizations.weight.original.detach().numpy().reshape(6, -1)
    expected = matrix / (vectors._u.numpy() @ matrix @ vectors._v.numpy())
    network = torch.nn.Sequential(layer)
    painted = network.eval()(x)
    network.train()
    remove_spectral_norm(network)
    assert np.allclose(layer.weight.detach().numpy().reshape(6, -1), expected, rtol=1e-5)
    assert torch.allclose(network(x), painted, atol=1e-6)
    assert set(network.state_dict()) == {"0.weight", "0.bias"}
    remove_spectral_norm(network)  # nothing left to do
    with normalized_in_full_precision(network.modules()):
        assert torch.allclose(network(x), painted, atol=1e-6)


def test_converging_brings_replaced_weights_to_norm_one_and_keeps_the_mode():
    network = torch.nn.Sequential(make()).eval()
    with torch.no_grad():
        network[0].parametrizations.weight.original.copy_(torch.rand(6, 4, 5, 5) - 0.2)
    converge(network)
    assert not network[0].training
    assert np.linalg.svd(unfolded(network[0].weight, 0), compute_uv=False)[0] == pytest.approx(1, abs=1e-4)


def test_the_stored_weight_is_what_an_initialization_must_have_reached():
    torch.manual_seed(0)
    plain = PaddedConv2d(4, 6, 5)
    assert stored_weight(plain) is plain.weight
    layer = make()
    assert stored_weight(layer) is layer.parametrizations.weight.original
    torch.nn.init.zeros_(layer.weight)  # lost without a word: the quotient is made anew
    assert stored_weight(layer).any()
