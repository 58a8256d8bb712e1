import pytest
import torch
from torch import nn

from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.mirrored import MirroredConv2d
from inpaint.nn.random import drawing_from


def layers(inputs, outputs, *, enlarge=False, relu=False):
    with drawing_from(0):
        ours = MirroredConv2d(inputs, outputs, enlarge=enlarge, relu=relu)
    plain = nn.Conv2d(inputs, outputs, 3)
    plain.load_state_dict(ours.state_dict())
    before, behind = [nn.Upsample(scale_factor=2, mode="nearest")], [nn.ReLU()]
    return ours, nn.Sequential(*before * enlarge, nn.ReflectionPad2d(1), plain, *behind * relu)


@pytest.mark.parametrize(("enlarge", "relu"), [(False, True), (False, False), (True, True)])
@pytest.mark.parametrize("channels", [(3, 64), (64, 128), (128, 64), (64, 3)])
def test_it_computes_what_padding_convolution_and_relu_do(channels, enlarge, relu):
    ours, plain = layers(*channels, enlarge=enlarge, relu=relu)
    x = torch.rand(2, channels[0], 5, 9) - 0.5
    expected = plain(x)
    assert torch.allclose(ours(x), expected, atol=1e-6)
    prepare_for_inference(ours.eval())
    assert (ours.factors is not None) == (enlarge or min(channels) == 64)
    with torch.no_grad():
        assert torch.allclose(ours(x), expected, rtol=0, atol=1e-5)
    assert torch.allclose(ours(x), expected, atol=1e-6)  # with gradients nothing prepared is used
    assert list(ours.train().state_dict()) == ["weight", "bias"]
    assert ours.factors is None


@pytest.mark.parametrize("size", [(1, 4), (4, 1), (1, 1)])
def test_a_single_row_or_column_is_repeated(size):
    ours, _ = layers(64, 128)
    x = torch.rand(1, 64, *size)
    with torch.no_grad():
        prepare_for_inference(ours.eval())
        wide = x.expand(1, 64, *(3 if side == 1 else side for side in size))
        rows, columns = (slice(1, 2) if side == 1 else slice(None) for side in size)
        assert torch.allclose(ours(x), ours(wide)[..., rows, columns], atol=1e-4)
