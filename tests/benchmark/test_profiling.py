"""Where the time goes, and how many multiplications work takes."""

import torch

from inpaint.benchmark.profiling import group_of, multiplications, shares


def test_operators_are_grouped_by_name():
    names = ("aten::mkldnn_convolution", "aten::bmm", "aten::copy_", "aten::elu_", "aten::convolution_backward")
    groups = ("convolution", "matrix products", "copies", "pointwise and rest", "convolution")
    assert tuple(map(group_of, names)) == groups


def test_multiplications_are_those_of_the_formula():
    layer, x = torch.nn.Conv2d(3, 8, 5, padding=2, bias=False), torch.randn(2, 3, 10, 12)
    assert multiplications(lambda: layer(x)) == 2 * 8 * 10 * 12 * 3 * 25
    found = shares(lambda: layer(x), device=torch.device("cpu"))
    assert max(found, key=found.__getitem__) == "convolution"
