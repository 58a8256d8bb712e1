"""Contextual attention against a reference that builds every patch, in NumPy and float64."""

from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
import torch

from inpaint.nn.attention import ContextualAttention, aligned_index, block_rows, overlap_count, sample_mask

OPTIONS = {
    "fuse": (True, False),
    "masked": ("zero", "inf"),
    "norm_eps": ("clamp", "inside"),
    "overlap": (4, "count"),
    "sampling": ("floor", "aligned"),
    "mask_sampling": ("floor8", "aligned8", "aligned4_2"),
}
COMBINATIONS = [dict(zip(OPTIONS, values, strict=True)) for values in product(*OPTIONS.values())]


def nearest_aligned(array, factor):
    """Sample the last two axes of an array with aligned corners, in exact fractions."""
    for axis in (-2, -1):
        size = array.shape[axis]
        out = size // factor
        step = Fraction(size - 1, out - 1) if out > 1 else Fraction(0)
        array = array.take([floor(i * step + Fraction(1, 2)) for i in range(out)], axis=axis)
    return array


def patches(array, size, stride):
    """Return all (C, size, size) windows of an array (C, H, W), padded by 1 with zeros, row by row."""
    _, height, width = array.shape
    padded = np.pad(array, ((0, 0), (1, 1), (1, 1)))
    return [padded[:, y : y + size, x : x + size] for y in range(0, height, stride) for x in range(0, width, stride)]


def fused(scores, order):
    """Add the diagonal neighbors of an N x N map whose rows and columns are first put into the given order."""
    ordered = scores[np.ix_(order, order)]
    total = ordered.copy()
    total[1:, 1:] += ordered[:-1, :-1]
    total[:-1, :-1] += ordered[1:, 1:]
    back = np.argsort(order)
    return total[np.ix_(back, back)]


def reference(features, mask, *, fuse, masked, norm_eps, overlap, sampling, mask_sampling):
    """Attend in one sample: features (C, 2h, 2w), mask (8h, 8w); patch by patch as the papers' program."""
    _, height, width = features.shape
    h, w = height // 2, width // 2
    grid = features[:, ::2, ::2] if sampling == "floor" else nearest_aligned(features, 2)
    small = {
        "floor8": lambda: mask[::8, ::8],
        "aligned8": lambda: nearest_aligned(mask, 8),
        "aligned4_2": lambda: nearest_aligned(nearest_aligned(mask, 4), 2),
    }[mask_sampling]()
    queries = np.stack([patch.ravel() for patch in patches(grid, 3, 1)])  # (N, 9C)
    if norm_eps == "clamp":
        norms = np.maximum(np.linalg.norm(queries, axis=1), 1e-4)
    else:
        norms = np.sqrt((queries**2 + 1e-4).sum(axis=1))
    scores = (queries / norms[:, None]) @ queries.T  # [key, query]
    if fuse:
        rows = np.arange(h * w)
        columns = rows.reshape(h, w).T.ravel()
        scores = fused(fused(scores, rows), columns)
    known = np.array([not patch.any() for patch in patches(small[None], 3, 1)])
    logits = 10 * scores * known[:, None]
    if masked == "inf":
        logits[~known] = -np.inf
    if masked == "inf" and not known.any():
        weights = np.zeros_like(logits)
    else:
        weights = np.exp(logits - logits.max(axis=0))
        weights = weights / weights.sum(axis=0) * known[:, None]
    values = patches(features, 4, 2)
    out = np.zeros((features.shape[0], height + 2, width + 2))
    count = np.zeros((height + 2, width + 2))
    for query, (y, x) in enumerate(product(range(0, height, 2), range(0, width, 2))):
        out[:, y : y + 4, x : x + 4] += sum(
            weight * value for weight, value in zip(weights[:, query], values, strict=True)
        )
        count[y : y + 4, x : x + 4] += 1
    return (out / (4 if overlap == 4 else np.maximum(count, 1)))[:, 1:-1, 1:-1]


def sample(seed, h=3, w=4, channels=2, batch=2):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(batch, channels, 2 * h, 2 * w)) * 0.4
    # One hole per sample, at different places and touching a border, so that some keys stay known.
    mask = np.zeros((batch, 1, 8 * h, 8 * w))
    mask[0, 0, : 4 + h, : 8 * (w - 2)] = 1
    mask[-1, 0, 8 * h - 9 :, 8 * w - 11 :] = 1
    return features, mask


@pytest.mark.parametrize(
    "options", COMBINATIONS, ids=lambda options: "-".join(str(value) for value in options.values())
)
def test_attention_equals_patch_by_patch_arithmetic(options):
    features, mask = sample(0)
    got = ContextualAttention(**options)(torch.from_numpy(features), torch.from_numpy(mask)).numpy()
    expected = np.stack([reference(f, m[0], **options) for f, m in zip(features, mask, strict=True)])
    assert np.abs(expected).max() > 0.1
    assert np.allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 5), (6, 1), (2, 2), (5, 7)])
def test_attention_equals_the_reference_on_maps_of_every_shape(h, w):
    features, mask = sample(1, h=h, w=w)
    options = {name: values[0] for name, values in OPTIONS.items()}
    got = ContextualAttention(**options)(torch.from_numpy(features), torch.from_numpy(mask)).numpy()
    expected = np.stack([reference(f, m[0], **options) for f, m in zip(features, mask, strict=True)])
    assert np.allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 7, 16, 32, 33])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_aligned_sampling_begins_with_the_first_and_ends_with_the_last(size, factor):
    index = aligned_index(size * factor, size)
    assert index[0] == 0
    assert index[-1] == size * factor - 1
    expected = [floor(Fraction(i * (size * factor - 1), size - 1) + Fraction(1, 2)) for i in range(size)]
    assert index.tolist() == expected


def test_the_two_aligned_ways_of_sampling_a_mask_of_256_differ_at_24_of_32_places():
    rows = torch.arange(256.0).view(1, 1, 256, 1).expand(1, 1, 256, 256)
    one, two = (sample_mask(rows, mode=mode)[0, 0, :, 0] for mode in ("aligned8", "aligned4_2"))
    assert (one != two).sum() == 24
    assert (one - two).abs().max() == 2


def test_the_overlap_is_four_inside_two_at_edges_and_one_in_corners():
    assert overlap_count(2, 2, like=torch.zeros(1)).tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


@pytest.mark.parametrize("masked", ["zero", "inf"])
def test_a_batch_equals_its_samples_alone(masked):
    features, mask = (torch.from_numpy(array) for array in sample(2, h=4, w=5, channels=3))
    layer = ContextualAttention(masked=masked)
    alone = torch.cat([layer(features[i : i + 1], mask[i : i + 1]) for i in range(2)])
    assert torch.allclose(layer(features, mask), alone, rtol=0, atol=1e-13)
    exchanged = layer(features, mask.flip(0))
    assert (exchanged - alone).abs().amax(dim=(1, 2, 3)).min() > 1e-3


@pytest.mark.parametrize("masked", ["zero", "inf"])
def test_features_of_the_hole_are_never_pasted(masked):
    features, _ = sample(3, h=8, w=8, batch=1)
    mask = np.zeros((1, 1, 64, 64))
    mask[..., 16:48, 16:48] = 1
    features[:, 1] = 0
    features[:, 1, 4:12, 4:12] = 7  # a feature that exists in the hole only
    layer = ContextualAttention(sampling="floor", mask_sampling="floor8", masked=masked)
    pasted = layer(torch.from_numpy(features), torch.from_numpy(mask))
    assert pasted[:, 0].abs().min() > 0
    assert not pasted[:, 1].any()


@pytest.mark.parametrize("options", [{}, {"masked": "inf", "overlap": "count"}, {"norm_eps": "inside", "fuse": False}])
def test_gradients_equal_finite_differences(options):
    features, mask = sample(4, h=2, w=3, batch=2)
    layer = ContextualAttention(**options)
    x = torch.from_numpy(features).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: layer(x, torch.from_numpy(mask)), (x,), atol=1e-6)


@pytest.mark.parametrize("masked", ["zero", "inf"])
def test_a_mask_that_is_all_hole_gives_zero_and_finite_gradients(masked):
    features, mask = sample(5)
    mask[0] = 1
    x = torch.from_numpy(features).requires_grad_()
    out = ContextualAttention(masked=masked)(x, torch.from_numpy(mask))
    assert not out[0].any()
    assert out[1].any()
    out.square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert not x.grad[0].any()


@pytest.mark.parametrize("norm_eps", ["clamp", "inside"])
def test_patches_of_zeros_have_finite_gradients(norm_eps):
    features, mask = sample(6, h=5, w=5)
    features[:, :, :6, :6] = 0  # more than one whole patch, as behind a ReLU
    x = torch.from_numpy(features).float().requires_grad_()
    out = ContextualAttention(norm_eps=norm_eps)(x, torch.from_numpy(mask).float())
    out.square().sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()
    assert x.grad.any()


def test_autocast_leaves_the_arithmetic_in_float32():
    features, mask = (torch.from_numpy(array).float() for array in sample(7, h=4, w=4, channels=8))
    layer = ContextualAttention()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = layer(features, mask)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, layer(features, mask))


def test_half_precision_features_come_back_in_half_precision():
    features, mask = (torch.from_numpy(array).bfloat16() for array in sample(8))
    out = ContextualAttention()(features, mask)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, ContextualAttention()(features.float(), mask.float()).bfloat16())


@pytest.mark.parametrize("shape", [(2, 1, 24, 24), (1, 1, 24, 32), (2, 3, 24, 32)])
def test_a_mask_that_does_not_fit_the_features_is_refused(shape):
    with pytest.raises(ValueError, match=r"a mask of four times the size, got features \(2, 2, 6, 8\)"):
        ContextualAttention()(torch.zeros(2, 2, 6, 8), torch.zeros(shape))


def test_a_map_with_an_odd_side_is_refused():
    with pytest.raises(ValueError, match="attention needs even sides"):
        ContextualAttention()(torch.zeros(1, 2, 5, 8), torch.zeros(1, 1, 20, 32))


@pytest.mark.parametrize("options", [{}, {"fuse": False}, {"masked": "inf", "overlap": "count"}])
@pytest.mark.parametrize(("h", "w"), [(7, 5), (4, 1), (5, 8)])
def test_the_result_does_not_depend_on_the_chunk(options, h, w):
    features, mask = (torch.from_numpy(array) for array in sample(9, h=h, w=w, channels=3))
    whole = ContextualAttention(**options)(features, mask)
    for chunk in (1, 2, 3, h - 1, h, h + 5):
        got = ContextualAttention(**options, chunk=chunk)(features, mask)
        assert torch.allclose(got, whole, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_gradients_do_not_depend_on_the_chunk(chunk):
    features, mask = sample(10, h=5, w=4, channels=3)
    gradients = []
    for rows in (None, chunk):
        x = torch.from_numpy(features).requires_grad_()
        ContextualAttention(chunk=rows)(x, torch.from_numpy(mask)).square().sum().backward()
        gradients.append(x.grad)
    assert gradients[0].abs().max() > 1
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-12, atol=1e-12)


def test_blocks_keep_no_map_for_the_gradient():
    features, mask = sample(11, h=12, w=10, channels=2, batch=1)
    entries = (12 * 10) ** 2
    largest = {}
    for rows in (None, 2):
        x, kept = torch.from_numpy(features).requires_grad_(), [0]
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            ContextualAttention(chunk=rows)(x, torch.from_numpy(mask))
        largest[rows] = max(kept)
    assert largest[None] >= entries
    assert largest[2] < entries / 5


def test_gradients_of_samples_in_blocks_of_their_own_are_the_same(monkeypatch):
    features, mask = sample(13, h=4, w=3, channels=3)
    gradients = []
    for limit in (2**29, 8 * (4 * 3) ** 2):  # the whole batch, one sample
        monkeypatch.setattr("inpaint.nn.attention.MAP_BYTES", limit)
        x = torch.from_numpy(features).requires_grad_()
        ContextualAttention()(x, torch.from_numpy(mask)).square().sum().backward()
        gradients.append(x.grad)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-12, atol=1e-12)


def test_gradients_and_no_gradients_give_the_same_numbers():
    features, mask = (torch.from_numpy(array) for array in sample(12, h=6, w=5, channels=3))
    with_gradients = ContextualAttention()(features.clone().requires_grad_(), mask)
    with torch.inference_mode():
        without = ContextualAttention()(features, mask)
    assert torch.equal(with_gradients, without)


@pytest.mark.parametrize(
    ("h", "w", "batch", "cached", "expected"),
    [
        (32, 32, 2, True, (2, 32)),  # a whole batch at 256 fits into the cache
        (64, 64, 3, True, (1, 16)),
        (96, 128, 1, True, (1, 8)),
        (64, 64, 16, False, (8, 64)),
        (256, 256, 2, True, (1, 8)),  # 64 MiB a row: fewer would be halo only
        (512, 512, 1, True, (1, 1)),  # as many as memory allows
    ],
)
def test_blocks_follow_the_size_of_a_map(h, w, batch, cached, expected):
    assert block_rows(h, w, batch, itemsize=4, cached=cached) == expected


def test_a_chunk_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk must be at least 1 or None, got 0"):
        ContextualAttention(chunk=0)


@pytest.mark.slow
def test_the_compiler_can_follow_the_whole_layer_with_and_without_gradients():
    features, mask = (torch.from_numpy(array) for array in sample(14, h=4, w=5))
    x = features.requires_grad_()
    layer = ContextualAttention()
    expected = layer(x, mask)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    got = compiled(x, mask)
    assert torch.allclose(got, expected, rtol=0, atol=1e-13)
    assert torch.allclose(torch.autograd.grad(got.square().sum(), x)[0], gradient, rtol=0, atol=1e-12)
    with torch.no_grad():
        assert torch.allclose(compiled(x, mask), expected, rtol=0, atol=1e-13)
