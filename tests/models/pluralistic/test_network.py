import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

from inpaint.errors import InputError
from inpaint.models.pluralistic import blocks
from inpaint.models.pluralistic.config import Config
from inpaint.models.pluralistic.network import Network, known_at_eighth, masked
from inpaint.models.pluralistic.reference import PlainDiscriminator, Reference
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.spectral import stored_weight

SMALL = Config(width=4, latent=8)


@pytest.fixture
def network(lively):
    """A small network in float64 whose gates into the attention are open."""
    return lively(Network(SMALL)).double().eval()


def sample(height=64, width=96, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[..., 10 : height // 2, 20 : width // 2] = 1
    return image, mask


def latents(height=64, width=96, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 8, height // 32, width // 32, generator=generator, dtype=torch.float64)


def with_exact_norms(network):
    """Give every normalized layer its weight's true singular vectors, along the first axis, from NumPy."""
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            left, _, right = np.linalg.svd(
                stored_weight(layer).detach().double().flatten(1).numpy(), full_matrices=False
            )
            layer.parametrizations.weight[0]._u.copy_(torch.from_numpy(left[:, 0]))
            layer.parametrizations.weight[0]._v.copy_(torch.from_numpy(right[0]))
    return network


# The cheap forms against the plain ones ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (6, 10), (7, 9)])
def test_a_pooling_convolution_is_a_convolution_and_then_a_mean(size):
    torch.manual_seed(0)
    layer, x = blocks.PoolingConv2d(3, 5).double(), torch.randn(2, 3, *size, dtype=torch.float64)
    expected = F.avg_pool2d(F.conv2d(x, layer.weight, layer.bias, padding=1), 2)
    assert torch.allclose(layer(x), expected, rtol=0, atol=1e-13)
    grads = [torch.autograd.grad(out.square().sum(), layer.weight)[0] for out in (layer(x), expected)]
    assert torch.allclose(*grads, rtol=1e-11)


def test_what_was_prepared_is_forgotten_when_training_begins():
    torch.manual_seed(0)
    x = torch.randn(1, 4, 8, 8)
    for block in (blocks.ResBlock(4, 4, down=True), blocks.UpBlock(4, 4, 4)):
        expected = block.eval()(x)
        prepare_for_inference(block)
        assert torch.allclose(block(x), expected, atol=1e-6)
        block.train()
        with torch.no_grad():
            block.conv2.weight.add_(1.0)
        block.eval()
        assert not torch.allclose(block(x), expected, atol=1e-2)


def test_the_instance_norm_is_pytorchs_with_the_activation_behind_it():
    torch.manual_seed(0)
    x = (3 * torch.randn(2, 5, 7, 9) + 100).requires_grad_()
    layer = blocks.InstanceNorm(5)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.normal_()
    expected = F.leaky_relu(F.instance_norm(x.double(), weight=layer.weight.double(), bias=layer.bias.double()), 0.1)
    assert torch.allclose(layer(x).double(), expected, atol=1e-4)
    for out in (layer(x), layer(x.detach())):
        assert torch.allclose(out.double(), expected, atol=1e-4)
    weights = torch.randn(2, 5, 7, 9)
    grads = [torch.autograd.grad((out * weights).sum(), x)[0] for out in (layer(x), expected)]
    assert torch.allclose(grads[0], grads[1].float(), atol=1e-5)
    assert torch.isfinite(blocks.InstanceNorm(2)(torch.rand(1, 2, 1, 1))).all()


def test_attention_is_a_softmax_of_products_of_the_query_with_itself_however_it_is_cut(monkeypatch):
    torch.manual_seed(0)
    query, values = torch.randn(2, 30, 4, dtype=torch.float64), torch.randn(2, 30, 6, dtype=torch.float64)
    expected = np.empty((2, 30, 6))
    for image in range(2):
        scores = query[image].numpy() @ query[image].numpy().T
        weights = np.exp(scores - scores.max(1, keepdims=True))
        expected[image] = weights / weights.sum(1, keepdims=True) @ values[image].numpy()
    for most in (1, 7 * 2 * 30 * 8, 2**30):
        monkeypatch.setattr(blocks, "CPU_MAP_BYTES", most)
        assert np.allclose(blocks.attend(query, values).numpy(), expected, atol=1e-12)
    monkeypatch.setattr(blocks, "ACCELERATOR_MAP_BYTES", 1)
    assert np.allclose(blocks.attend(query.requires_grad_(), values).detach().numpy(), expected, atol=1e-12)
    assert blocks.attend(query.bfloat16(), values.bfloat16()).dtype == torch.float32


def test_the_network_paints_what_the_plain_arithmetic_of_the_papers_program_paints(network):
    # With true vectors a further iteration, which the plain form makes in every pass, changes nothing.
    with_exact_norms(network)
    image, mask = sample()
    z = latents()
    reference = Reference(network)
    expected = reference(image, mask, z)
    prepare_for_inference(network)
    got = network(image, mask, z)
    assert got.keys() == expected.keys() == {"raw", "scale_1_8", "scale_1_4", "scale_1_2"}
    for name in got:
        assert torch.allclose(got[name], expected[name], rtol=0, atol=1e-6 * expected[name].std().item()), name
    mu, sigma, _ = reference.encode(image, mask)
    encoding = network.encode(image, mask)
    assert torch.allclose(encoding.mu, mu, atol=1e-7)
    assert torch.allclose(encoding.sigma, sigma, atol=1e-7)


def test_the_discriminator_scores_as_the_plain_arithmetic_does(lively):
    discriminator = with_exact_norms(lively(Network.discriminators(SMALL)["discriminator"]).double().eval())
    image, _ = sample(96, 128)
    expected = PlainDiscriminator(discriminator)(image)
    assert expected.shape == (2, 1, 1, 2)
    assert torch.allclose(discriminator(image).logits, expected, rtol=1e-7)
    prepare_for_inference(discriminator)
    assert torch.allclose(discriminator(image).logits, expected, rtol=1e-7)


def test_the_plain_form_normalizes_in_every_pass_and_moves_on(network):
    image, mask = sample()
    reference = Reference(network)
    with torch.no_grad():
        for name, buffer in reference.named_buffers():
            if name.endswith("u"):
                buffer.copy_(F.normalize(torch.arange(1.0, len(buffer) + 1), dim=0))
    assert not torch.equal(reference(image, mask)["raw"], reference(image, mask)["raw"])


@pytest.mark.parametrize("kind", [Network, Reference])
def test_parts_for_measuring_run(network, kind):
    image, mask = sample(96, 96)
    whole = network if kind is Network else Reference(network)
    with torch.inference_mode():
        parts = whole.parts(image, mask)
        assert list(parts) == ["encoder", "generator", "discriminator"]
        assert all(work() is not None for work in parts.values())


# What it reads and paints --------------------------------------------------------------------------------------------


def test_the_encoder_sees_the_masked_image_between_minus_one_and_one_and_not_the_mask(network):
    image, mask = sample()
    seen = []
    network.encoder.block0.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    network.encode(image.masked_fill(mask > 0, torch.nan), mask)
    assert seen[0].shape[1] == 3
    assert torch.equal(seen[0], ((2 * image - 1) * (1 - mask)))
    gray = image.masked_fill(mask > 0, 0.5)
    assert torch.equal(network.encode(gray, torch.zeros_like(mask)).mu, network.encode(image, mask).mu)


def test_the_attention_knows_where_the_image_is_known(network):
    _, mask = sample()
    known = known_at_eighth(mask)
    assert known.shape == (2, 1, 8, 12)
    # Aligned corners: the first and the last place are the corners' own pixels.
    corners = (1 - mask)[..., [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.equal(known[..., [0, 0, -1, -1], [0, -1, 0, -1]], corners)
    mask[..., 26:] = 1
    # The fourth of twelve places lies at 3 * 95 / 11 = 25.909.
    assert known_at_eighth(mask)[0, 0, 0, 3].item() == pytest.approx(26 - 3 * 95 / 11)


def test_every_latent_and_every_known_pixel_counts(network):
    image, mask = sample()
    z = latents().requires_grad_()
    image = image.masked_fill(mask > 0, torch.nan).requires_grad_()
    network(image, mask, z)["raw"].square().sum().backward()
    assert (z.grad != 0).all()
    assert torch.isfinite(image.grad).all()
    assert not (image.grad * mask).any()
    assert (image.grad.abs().sum(1, keepdim=True) > 0).sum() > 0.9 * (1 - mask).sum()


def test_the_largest_image_is_painted_from_the_smaller_ones(network):
    image, mask = sample()
    with torch.no_grad():
        before = network(image, mask, latents())
        network.generator.out1.conv1.bias.add_(1.0)
        after = network(image, mask, latents())
    assert all((after[name] - before[name]).abs().max() > 1e-6 for name in before)
    sizes = {name: tuple(value.shape[-2:]) for name, value in before.items()}
    assert sizes == {"scale_1_8": (8, 12), "scale_1_4": (16, 24), "scale_1_2": (32, 48), "raw": (64, 96)}
    assert all(value.min() >= 0 and value.max() <= 1 for value in before.values())


@pytest.mark.parametrize("size", [(60, 64), (64, 100), (0, 32)])
def test_sides_that_are_no_multiples_of_32_are_refused(size):
    with pytest.raises(InputError, match=f"multiples of 32, got {size[0]}x{size[1]}"):
        masked(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))


@pytest.mark.parametrize(
    ("size", "scores"), [((32, 32), (1, 1)), ((64, 100), (1, 1)), ((96, 160), (1, 3)), ((256, 256), (6, 6))]
)
def test_the_discriminator_scores_patches_of_any_image(size, scores):
    discriminator = Network.discriminators(SMALL)["discriminator"]
    output = discriminator(torch.rand(2, 3, *size))
    assert output.logits.shape == (2, 1, *scores)
    assert len(output.features) == 7
    with pytest.raises(InputError, match="at least 32, got 31x40"):
        discriminator(torch.rand(1, 3, 31, 40))


def test_under_autocast_distributions_stay_in_full_precision():
    torch.manual_seed(0)
    network, discriminator = Network(SMALL), Network.discriminators(SMALL)["discriminator"]
    image, mask = (plane.float() for plane in sample(64, 64))
    expected = network(image, mask)["raw"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network.encoder(masked(image, mask), masked(image, 1 - mask))
        painted = network(image, mask)["raw"]
        scores = discriminator(image).logits
    assert all(value.dtype == torch.float32 for value in (*found.prior, *found.posterior, painted))
    assert torch.isfinite(scores).all()
    assert 0 < (painted - expected).abs().mean() < 0.05


# Initial weights -----------------------------------------------------------------------------------------------------


def layers_of(config):
    networks = {"network": Network(config), **Network.discriminators(config)}
    for role, network in networks.items():
        for name, layer in network.named_modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                yield f"{role}.{name}", layer


def test_every_convolution_but_the_attentions_query_is_normalized_along_its_first_axis():
    checked = 0
    for name, layer in layers_of(SMALL):
        if name.endswith("query_conv"):
            assert not parametrize.is_parametrized(layer)
            continue
        with_exact_norms(layer)
        matrix = layer.eval().weight.detach().flatten(1).double().numpy()
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=1e-5), name
        checked += 1
    assert checked == 15 + 18 + 6 + 3 + 15 + 3 + 4 + 2 * (15 + 3 + 1)


def test_every_layer_starts_orthogonal_as_the_paper_says():
    checked = 0
    for name, layer in layers_of(SMALL):
        matrix = stored_weight(layer).detach().flatten(1).double().numpy()
        singular = np.linalg.svd(matrix, compute_uv=False)
        gain = 0.02 if name.endswith("query_conv") else 1.0
        assert np.allclose(singular, gain, rtol=1e-5), name
        assert not layer.bias.any(), name
        checked += 1
    assert checked == 64 + 1 + 2 * 20


def test_the_official_start_reaches_the_query_alone_and_leaves_pytorchs_elsewhere():
    for name, layer in layers_of(Config(width=8, latent=16, initialization="default")):
        weight = stored_weight(layer).detach()
        if name.endswith("query_conv"):
            assert np.allclose(np.linalg.svd(weight.flatten(1).numpy(), compute_uv=False), 0.02, rtol=1e-5)
            assert not layer.bias.any()
            continue
        # Uniform up to 1 / sqrt(fan_in); of transposed convolutions, PyTorch counts the second axis.
        bound = weight[0].numel() ** -0.5
        assert weight.abs().max() <= bound, name
        assert weight.square().mean().item() == pytest.approx(bound**2 / 3, rel=5 / weight.numel() ** 0.5), name
        assert layer.bias.any(), name


def test_attention_starts_without_a_say():
    network = Network(SMALL)
    assert network.generator.attn1.gamma.item() == network.generator.attn1.alpha.item() == 0
    assert Network.discriminators(SMALL)["discriminator"].attn2.gamma.item() == 0
