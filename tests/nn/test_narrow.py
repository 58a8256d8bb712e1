import pytest
import torch
import torch.nn.functional as F

from inpaint.nn.narrow import NarrowConv2d


@pytest.mark.parametrize(("border", "mode"), [("reflect", "reflect"), ("zero", "constant")])
@pytest.mark.parametrize(("kernel", "bias"), [(7, True), (3, False)])
def test_columns_apart_are_the_convolution(kernel, bias, border, mode):
    layer = NarrowConv2d(5, 3, kernel, padding=border, bias=bias).double()
    x = torch.randn(2, 5, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    padded = F.pad(x, (kernel // 2,) * 4, mode=mode)
    expected = F.conv2d(padded, layer.weight, layer.bias)
    with torch.no_grad():
        assert torch.allclose(layer(x), expected, rtol=0, atol=1e-12)
    assert torch.equal(layer(x), expected)
