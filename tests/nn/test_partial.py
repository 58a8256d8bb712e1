"""Partial convolution against loops and against masks with as many planes as features."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inpaint.nn.partial import PartialConv2d

OPTIONS = {
    "3x3": {},
    "5x5 of stride 2": {"kernel": 5, "stride": 2},
    "7x7 of stride 2": {"kernel": 7, "stride": 2},
    "1x1": {"kernel": 1},
    "dilated": {"dilation": 2},
    "without bias": {"bias": False},
    "known border": {"border": "known"},
    "known border, wide": {"border": "known", "kernel": 5, "stride": 2},
    "two parts": {"parts": (2, 3)},
    "three parts, dilated": {"parts": (1, 4, 2), "dilation": 3, "stride": 2},
}


def layer(parts=(3,), out=4, kernel=3, seed=0, **options):
    made = PartialConv2d(parts, out, kernel, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


def inputs(parts, height=7, width=9, known=0.4, seed=1):
    """Return one map and one plane of zeros and ones for each part, all of it different."""
    generator = torch.Generator().manual_seed(seed)
    maps, planes = [], []
    for channels in parts:
        maps.append(torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64))
        planes.append((torch.rand(2, 1, height, width, generator=generator) < known).double())
    planes[0][0, :, :5, :6] = 0  # windows without anything known
    for plane in planes[1:]:
        plane[0, :, :5, :6] = 0
    return maps, planes


def by_loops(made, maps, planes):
    """The definition, place by place, in NumPy."""
    x = np.concatenate([m.numpy() for m in maps], axis=1)
    m = np.concatenate([p.expand_as(part).numpy() for p, part in zip(planes, maps, strict=True)], axis=1)
    weight = made.weight.detach().numpy()
    bias = np.zeros(len(weight)) if made.bias is None else made.bias.detach().numpy()
    kernel, stride, dilation = weight.shape[-1], made.stride[0], made.dilation[0]
    around = dilation * (kernel - 1) // 2
    batch, channels, height, width = x.shape
    rows, columns = -(-height // stride), -(-width // stride)
    y, known = np.zeros((batch, len(weight), rows, columns)), np.zeros((batch, 1, rows, columns))
    for b, i, j in np.ndindex(batch, rows, columns):
        total, seen = np.zeros(len(weight)), 0.0
        for k, n in np.ndindex(kernel, kernel):
            row, column = stride * i + dilation * k - around, stride * j + dilation * n - around
            if 0 <= row < height and 0 <= column < width:
                for c in range(channels):
                    seen += m[b, c, row, column]
                    if m[b, c, row, column]:
                        total += weight[:, c, k, n] * x[b, c, row, column]
            elif made.border == "known":
                seen += channels
        if seen > 0:
            y[b, :, i, j] = total * channels * kernel * kernel / seen + bias
            known[b, 0, i, j] = 1
    return y, known


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_computes_the_definition(options):
    made = layer(**options)
    maps, planes = inputs(made.parts)
    expected, expected_known = by_loops(made, maps, planes)
    y, known = made(maps, planes)
    assert np.abs(y.detach().numpy() - expected).max() < 1e-12 * expected.std()
    assert np.array_equal(known.numpy(), expected_known)
    if made.border == "hole" and made.kernel_size[0] <= 5:
        assert 0 < known.mean() < 1


@pytest.mark.parametrize("parts", [(4,), (4, 3), (64, 3)])
def test_one_plane_for_each_part_equals_a_mask_of_every_channel(parts):
    made = layer(parts, out=5, bias=False)
    maps, planes = inputs(parts, 11, 8)
    masks = torch.cat([p.expand_as(m) for p, m in zip(planes, maps, strict=True)], dim=1)
    sums = F.conv2d(masks, torch.ones_like(made.weight), padding=1)
    plain = F.conv2d(torch.cat(maps, dim=1) * masks, made.weight, padding=1)
    expected = torch.where(sums > 0, plain * made.weight[0].numel() / sums.clamp_min(1), 0.0)
    y, known = made(maps, planes)
    assert torch.allclose(y, expected, rtol=0, atol=1e-11)
    assert torch.equal(known.expand_as(sums), (sums > 0).double())


def test_planes_are_weighted_by_the_channels_of_their_parts():
    made = layer((6, 2))
    one, other = torch.ones(1, 1, 5, 5), torch.zeros(1, 1, 5, 5)
    assert made.window([one, other]).ratio[0, 0, 2, 2].item() == pytest.approx(8 / 6)
    assert made.window([other, one]).ratio[0, 0, 2, 2].item() == 8 / 2


@pytest.mark.parametrize("grad", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("parts", [(3,), (3, 2), (2, 3, 1)])
def test_upsampling_equals_repeated_pixels(parts, grad):
    made, plain = layer(parts, upsample=True), layer(parts)
    maps, planes = inputs(parts, 10, 14)
    (small, *_), (small_known, *_) = inputs(parts[:1], 5, 7, seed=5)

    def twice(x):
        return x.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)

    with torch.set_grad_enabled(grad):
        y, known = made([small, *maps[1:]], [small_known, *planes[1:]])
        expected, expected_known = plain([twice(small), *maps[1:]], [twice(small_known), *planes[1:]])
    assert torch.allclose(y, expected, rtol=0, atol=1e-11)
    assert torch.equal(known, expected_known)


def test_upsampling_sends_the_same_gradients_as_repeated_pixels():
    made, plain = layer((3, 2), upsample=True), layer((3, 2))
    maps, planes = inputs((3, 2), 10, 14)
    (small, *_), (small_known, *_) = inputs((3,), 5, 7, seed=5)
    gradients = []
    for used in (made, plain):
        x = small.clone().requires_grad_()
        first, first_known = x, small_known
        if used is plain:
            first, first_known = (v.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2) for v in (x, small_known))
        used([first, maps[1]], [first_known, planes[1]])[0].square().sum().backward()
        gradients.append((x.grad, used.weight.grad, used.bias.grad))
    for got, expected in zip(*gradients, strict=True):
        assert torch.allclose(got, expected, rtol=1e-11, atol=1e-9)


def test_a_border_that_is_a_hole_scales_sums_there_up():
    made = layer((2,))
    window = made.window([torch.ones(1, 1, 6, 7)])
    expected = torch.ones(6, 7)
    expected[[0, -1], :] *= 1.5
    expected[:, [0, -1]] *= 1.5
    assert torch.allclose(window.ratio[0, 0], expected)
    x = torch.randn(1, 2, 6, 7, dtype=torch.float64)
    assert torch.equal(made([x])[0], made([x], [torch.ones(1, 1, 6, 7).double()])[0])


def test_with_a_known_border_and_everything_known_it_is_an_ordinary_convolution():
    made = layer((2,), border="known", kernel=5, stride=2)
    x = torch.randn(2, 2, 9, 8, dtype=torch.float64)
    assert torch.allclose(made([x])[0], F.conv2d(x, made.weight, made.bias, 2, 2), rtol=0, atol=1e-12)


def test_what_is_not_known_is_never_read_and_gets_no_gradient():
    made = layer((3,))
    (x,), (plane,) = inputs((3,))
    expected = made([x], [plane])[0]
    hidden = x.masked_fill(plane == 0, torch.nan).requires_grad_()
    y = made([hidden], [plane])[0]
    assert torch.equal(y, expected)
    y.square().sum().backward()
    assert torch.isfinite(hidden.grad).all()
    assert not (hidden.grad * (1 - plane)).any()
    assert (hidden.grad * plane).any()


def test_the_bias_is_neither_scaled_nor_added_where_nothing_is_known():
    made = layer((3,))
    with torch.no_grad():
        made.weight.zero_()
    (x,), (plane,) = inputs((3,))
    y, known = made([x], [plane])
    assert torch.equal(y, made.bias.view(-1, 1, 1) * known)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("known", ["nothing", "one pixel", "all but one pixel", "everything"])
def test_no_mask_makes_nan_in_any_precision(dtype, known):
    made = PartialConv2d((512, 512), 4).to(dtype)
    plane = {
        "nothing": torch.zeros(1, 1, 6, 6),
        "everything": torch.ones(1, 1, 6, 6),
        "one pixel": F.pad(torch.ones(1, 1, 1, 1), (5, 0, 2, 3)),
        "all but one pixel": 1 - F.pad(torch.ones(1, 1, 1, 1), (5, 0, 2, 3)),
    }[known].to(dtype)
    x = torch.randn(1, 512, 6, 6).to(dtype).requires_grad_()
    y, after = made([x, x], [plane, plane])
    assert torch.isfinite(y).all()
    assert after.any() == (known != "nothing")
    if known == "nothing":
        assert not y.any()
    y.float().square().sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in (x, made.weight, made.bias))


def test_a_soft_plane_counts_as_known_above_a_half():
    made = layer((3,), 4)
    (x,), (plane,) = inputs((3,))
    soft = torch.where(plane > 0.5, 0.9, 0.2).to(plane)
    for ours, binary in zip(made([x], [soft]), made([x], [plane]), strict=True):
        assert torch.equal(ours, binary)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_windows_are_counted_exactly_although_half_precision_cannot_hold_the_numbers(dtype):
    made = PartialConv2d((512, 511), 1)
    planes = [(torch.rand(1, 1, 9, 8, generator=torch.Generator().manual_seed(s)) < 0.7) for s in (0, 1)]
    exact = made.window([plane.double() for plane in planes])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = made.window([plane.to(dtype) for plane in planes])
    assert got.ratio.dtype == torch.float32
    torch.testing.assert_close(got.ratio, exact.ratio.float(), rtol=3e-7, atol=0)  # one rounding of a division
    assert torch.equal(got.known, exact.known.float())


@pytest.mark.parametrize("options", [{"kernel": 4}, {"upsample": True, "kernel": 5}, {"upsample": True, "stride": 2}])
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises(ValueError, match="kernel"):
        PartialConv2d((3,), 4, **options)
