"""What is computed once when training is over: which layers are asked, and when it is forgotten."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from inpaint.nn.gated import GatedConv2d
from inpaint.nn.inference import Prepared, prepare_for_inference
from inpaint.nn.padding import PaddedConv2d
from inpaint.nn.spectral import spectrally_normalized


class Doubled(Prepared):
    """Counts how often it is asked, and holds twice its weight."""

    prepared = ("twice",)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("twice", None, persistent=False)
        self.asked = 0

    def prepare_for_inference(self):
        self.asked += 1
        self.twice = 2 * self.weight.detach()


def test_every_layer_below_is_asked_once_however_deep():
    layers = [Doubled() for _ in range(3)]
    network = nn.Sequential(layers[0], nn.ModuleDict({"inner": nn.Sequential(nn.ReLU(), layers[1])}), layers[2])
    prepare_for_inference(network.eval())
    assert [layer.asked for layer in layers] == [1, 1, 1]


def test_what_is_prepared_is_no_part_of_the_weights_follows_the_device_and_is_forgotten_in_training():
    network = nn.Sequential(Doubled()).eval()
    names = set(network.state_dict())
    prepare_for_inference(network)
    assert set(network.state_dict()) == names
    assert network.double()[0].twice.dtype == torch.float64
    network.eval()
    assert network[0].twice is not None
    network.train()
    assert network[0].twice is None


def test_spectral_norms_are_gone_before_a_layer_is_asked():
    class Seen(Prepared):
        def __init__(self):
            super().__init__()
            self.conv = spectrally_normalized(PaddedConv2d(3, 4, 3))

        def prepare_for_inference(self):
            self.normalized = parametrize.is_parametrized(self.conv)

    network = nn.Sequential(Seen()).train()
    prepare_for_inference(network)
    assert network[0].normalized is False
    assert not network.training


def test_a_network_with_normalized_layers_of_both_kinds_computes_the_same():
    torch.manual_seed(0)
    network = nn.Sequential(spectrally_normalized(GatedConv2d(3, 4, upsample=True)), GatedConv2d(4, 2)).double().eval()
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    with torch.inference_mode():
        expected = network(x)
        prepare_for_inference(network)
        assert network[0].phases is not None
        assert torch.allclose(network(x), expected, rtol=0, atol=1e-13)


def test_a_layer_that_says_nothing_is_a_mistake_of_its_author():
    with pytest.raises(NotImplementedError):
        prepare_for_inference(nn.Sequential(Prepared()))
