"""The networks: parameter counts of the notebooks, any size, and the two ways of computing against each other."""

import pytest
import torch
import torch.nn.functional as F

from inpaint.dip.arithmetic import EXACT, Arithmetic
from inpaint.dip.costs import memory_bytes, products
from inpaint.dip.decoder import Decoder, DecoderOptions, decoder_input
from inpaint.dip.layers import Convolution, Normalization, convolve_and_halve, enlarge_and_convolve
from inpaint.dip.presets import PRESETS, preset, published_iterations, published_noise
from inpaint.dip.skip import Skip, SkipOptions
from inpaint.errors import UsageError

# Counted in the public code, with its biases; products of one forward pass at 256 x 256 in units of 10^9.
PUBLISHED = {
    "text": (3_002_627, 32.45),
    "vase": (2_157_955, 18.39),
    "library": (2_996_467, 1.76),
    "denoise": (2_217_831, 19.37),
    "super-resolve": (2_217_831, 19.37),
    "jpeg": (572_827, 0.44),
    "flash": (2_184_307, 18.82),
    "missing-most": (1_027_379, 1.90),
}


def parameter_count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_have_the_published_networks(name):
    options = preset(name).network
    count, giga = PUBLISHED[name]
    assert parameter_count(Skip(options, bias=True)) == count
    assert products(options, 256, 256) / 1e9 == pytest.approx(giga, abs=0.005)


def test_the_gray_network_and_the_decoders_have_the_published_counts():
    assert parameter_count(Skip(SkipOptions(out_channels=1), bias=True)) == 2_217_573
    assert parameter_count(Decoder(DecoderOptions(width=128))) == 100_224
    assert parameter_count(Decoder(DecoderOptions(width=256, out_channels=4))) == 397_312


def test_the_notebooks_of_super_resolution_differ_by_factor():
    assert (published_iterations("super-resolve"), published_noise("super-resolve")) == (2000, 0.03)
    assert (published_iterations("super-resolve", factor=8), published_noise("super-resolve", factor=8)) == (4000, 0.05)
    assert published_iterations("vase", factor=8) == 5001
    with pytest.raises(UsageError, match="unknown preset 'vaze' \\(did you mean 'vase'"):
        preset("vaze")


def narrow(name):
    return PRESETS[name].narrowed(8).network


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", [(65, 66), (70, 90), (33, 200), (8, 8), (9, 31)])
@pytest.mark.parametrize("plain", [True, False])
def test_the_image_has_the_size_of_the_input(name, size, plain):
    options = narrow(name).fitting(*size)
    painted = Skip(options, plain=plain)(torch.rand(1, options.in_channels, *size))
    assert painted.shape == (1, 3, *size)
    assert painted.isfinite().all()


def test_depth_is_what_the_size_allows():
    library = PRESETS["library"].network
    assert library.deepest(448, 704) == 6
    assert library.deepest(129, 129) == 6
    assert library.deepest(128, 128) == 5  # the map of the sixth scale would be no larger than what is mirrored
    assert PRESETS["text"].network.deepest(33, 33) == 5
    assert PRESETS["text"].network.deepest(8, 8) == 2
    assert PRESETS["text"].network.fitting(8, 8).depth == 2


def lively(network, seed=0):
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return network.double()


@pytest.mark.parametrize("name", ["vase", "text", "library"])
def test_folded_and_plain_networks_are_one_function_with_nearest_enlarging(name):
    options = narrow(name).fitting(128, 192).model_copy(update={"sigmoid": False})
    plain, folded = Skip(options, plain=True), Skip(options)
    z = torch.rand(1, options.in_channels, 128, 192, dtype=torch.float64)
    one, other = lively(plain)(z), lively(folded)(z)
    assert (one - other).abs().max() < 1e-5 * one.std()  # the head's result is float32


def test_averaging_down_is_folded_into_its_convolution():
    options = narrow("missing-most").model_copy(update={"sigmoid": False, "upsample": "nearest"})
    z = torch.rand(1, options.in_channels, 64, 96, dtype=torch.float64)
    one, other = (lively(Skip(options, plain=plain))(z) for plain in (True, False))
    assert (one - other).abs().max() < 1e-5 * one.std()


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_one_transposed_convolution_enlarges_and_convolves(mode):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64, generator=draw, requires_grad=True)
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64, generator=draw, requires_grad=True)
    grown = F.interpolate(x, scale_factor=2, mode=mode)
    expected = F.conv2d(F.pad(grown, (1, 1, 1, 1), mode="replicate"), weight)
    found = enlarge_and_convolve(x, weight, mode=mode, border="replicate")
    assert torch.allclose(found, expected, atol=1e-12)
    probe = torch.randn(expected.shape, dtype=torch.float64, generator=draw)
    gradients = [torch.autograd.grad((y * probe).sum(), (x, weight)) for y in (expected, found)]
    assert all(torch.allclose(a, b, atol=1e-11) for a, b in zip(*gradients, strict=True))


def test_zeros_at_the_border_are_folded_with_nearest_neighbor_only():
    x, weight = torch.randn(1, 3, 5, 7), torch.randn(4, 3, 3, 3)
    expected = F.conv2d(F.interpolate(x, scale_factor=2), weight, padding=1)
    assert torch.allclose(enlarge_and_convolve(x, weight, mode="nearest", border="zero"), expected, atol=1e-5)
    with pytest.raises(ValueError, match="zeros"):
        enlarge_and_convolve(x, weight, mode="bilinear", border="zero")


@pytest.mark.parametrize("border", ["reflect", "replicate", "zero"])
@pytest.mark.parametrize("kernel", [3, 5])
def test_one_convolution_convolves_and_halves(border, kernel):
    x, weight = torch.randn(1, 3, 8, 10), torch.randn(4, 3, kernel, kernel)
    around = kernel // 2
    padded = F.pad(x, (around,) * 4, mode="constant" if border == "zero" else border)
    expected = F.avg_pool2d(F.conv2d(padded, weight), 2)
    assert torch.allclose(convolve_and_halve(x, weight, border=border), expected, atol=1e-4)


def test_weights_start_as_pytorch_starts_them_and_alike_with_and_without_biases():
    plain, fast = (
        EXACT.network(PRESETS["text"].network, seed=3),
        Arithmetic(plain=False).network(PRESETS["text"].network, seed=3),
    )
    assert sum(parameter.numel() for parameter in fast.parameters()) < sum(p.numel() for p in plain.parameters())
    own = dict(plain.named_parameters())
    assert all(torch.equal(value, own[name]) for name, value in fast.named_parameters())
    for layer in plain.modules():
        if isinstance(layer, Convolution):
            bound = layer.weight[0].numel() ** -0.5
            assert 0.95 * bound < layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)
            assert layer.bias.abs().max() <= bound
    other = EXACT.network(PRESETS["text"].network, seed=4)
    assert not torch.equal(other.head.weight, plain.head.weight)


def test_normalization_ignores_evaluation_mode():
    layer, x = Normalization(3), 5 + torch.randn(1, 3, 6, 7)
    trained = layer.train()(x)
    assert torch.equal(layer.eval()(x), trained)
    assert trained.mean(dim=(2, 3)).abs().max() < 1e-5


def test_building_leaves_the_global_random_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Skip(narrow("text"), seed=9)
    Decoder(DecoderOptions(width=8), seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_the_decoder_covers_every_size():
    options = DecoderOptions(width=8, depth=3)
    z = decoder_input(options, 33, 50, seed=0)
    assert z.shape == (1, 8, 5, 7)
    assert 0 <= z.min() <= z.max() < 0.1
    assert Decoder(options)(z).shape == (1, 3, 40, 56)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"down": (8, 8), "skip": (4, 4, 4)}, "one entry per scale"),
        ({"down": (8, 8), "kernel_down": 4}, "kernels must be odd"),
        ({"down": ()}, "at least one scale"),
        ({"border": "refection"}, "border"),
    ],
)
def test_networks_that_cannot_be_are_refused(values, text):
    with pytest.raises(ValueError, match=text):
        SkipOptions(**values)


@pytest.mark.parametrize("downsample", ["stride", "avg", "max", "lanczos2", "lanczos3"])
@pytest.mark.parametrize("activation", ["leaky_relu", "swish", "elu", "none"])
def test_every_switch_of_the_network_works(downsample, activation):
    options = SkipOptions(
        in_channels=3, down=(4, 6), up=(5, 7), skip=(0, 2), downsample=downsample, activation=activation,
        kernel_up=(5, 3), upsample=("bilinear", "nearest"), border="replicate", sigmoid=False,
    )  # fmt: skip
    network = Skip(options)
    network(torch.rand(1, 3, 21, 34)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_memory_grows_with_size_and_width():
    text = PRESETS["text"]
    assert memory_bytes(text.network, 512, 512) > 3 * memory_bytes(text.network, 256, 256)
    assert memory_bytes(text.narrowed(32).network, 512, 512) < memory_bytes(text.network, 512, 512) / 3
