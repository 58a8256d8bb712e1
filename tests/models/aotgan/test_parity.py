"""The public AOT-GAN program's own outputs, from its checkpoints through our importer, and its losses."""

from __future__ import annotations

import pytest
import torch

from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.aotgan.config import Config
from inpaint.models.aotgan.network import Network
from inpaint.models.aotgan.training import Training
from inpaint.nn.spectral import stored_weight
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights
from inpaint.weights.formats import power_iteration

LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output


@pytest.fixture(scope="module")
def folder(import_public):
    """The import of both files."""
    return import_public("aotgan")


@pytest.fixture(scope="module")
def arrays(parity):
    return {name: torch.from_numpy(array) for name, array in parity.cases("aotgan").items()}


def inputs(arrays, pair=""):
    image = arrays[f"{pair}image"].permute(0, 3, 1, 2).double() / 255
    return image, (arrays[f"{pair}mask"][:, None] > 127).double()


def apart(got, expected):
    """The largest difference, in standard deviations of what is expected."""
    return float((got.double() - expected.double()).abs().max() / expected.double().std())


def ours(output):
    """The program's colors on our scale."""
    return (output + 1) / 2


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize("pair", ["", pytest.param("b_", marks=pytest.mark.slow)], ids=["64x96", "128x128"])
def test_both_images_in_one_batch_come_out_as_from_the_program_itself(folder, arrays, pair, dtype):
    raw = load(folder, device="cpu", dtype=dtype).fill(*inputs(arrays, pair))[0].raw
    assert apart(raw, ours(arrays[f"{pair}output"])) <= LARGEST[dtype]


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_the_discriminators_map_is_that_of_the_program(folder, arrays, dtype):
    image, mask = inputs(arrays)
    fill = load(folder, device="cpu", dtype=dtype)
    completed = torch.where(mask > 0, ours(arrays["output"]), image)
    for name, shown in (("dis_real", image), ("dis_fake", completed)):
        assert apart(fill.discriminate("discriminator", shown), arrays[name]) <= LARGEST[dtype]


def of_role(folder, role):
    tensors, _ = load_weights(folder / "model.safetensors", only=f"{role}.")
    return {name.removeprefix(f"{role}."): value for name, value in tensors.items()}


@pytest.fixture
def network(folder):
    network = Network(Config()).double()
    network.generator.load_state_dict(of_role(folder, "generator"))
    return network


def test_the_first_block_gives_what_the_programs_gives(network, arrays):
    image, mask = inputs(arrays)
    generator = network.generator
    with torch.no_grad():
        (features,), _ = network.split(image, mask)
        assert apart(generator.blocks[0](features)[:, :4], arrays["block0"]) < 1e-10


@pytest.fixture(scope="module")
def vgg(parity, tmp_path_factory):
    """The file of the losses' network."""
    files = {file.name: file for file in parity.write("vgg19", tmp_path_factory.mktemp("vgg19"))}
    yield files["vgg19_random.pth"]
    for file in files.values():
        file.unlink()


@pytest.fixture
def training(folder, vgg):
    """Our training with its own losses on the program's labels and its networks, in float64."""
    weights = [f"losses.{name}.weights={vgg}" for name in ("style", "perceptual")]
    values = load_config(["model=aotgan", "losses.adversary.origin=true", *weights])
    module = Training(Config(), losses=parse_losses(values.losses), loop=values.loop)
    module.network.generator.load_state_dict(of_role(folder, "generator"))
    module.discriminators["discriminator"].load_state_dict(of_role(folder, "discriminator"))
    return module.double().eval()


def iterate(discriminator):
    """Make the power iteration with which each of the program's passes in training begins.

    It takes the right vector from the stored left one; torch's parametrization, half an iteration off, the other way.
    """
    for layer in discriminator.layers:
        norm, weight = layer.parametrizations.weight[0], stored_weight(layer).detach()
        norm._u, norm._v = power_iteration(weight, norm._u)


def test_losses_and_gradients_are_those_of_the_program(training, arrays):
    image, mask = inputs(arrays)
    iterate(training.discriminators["discriminator"])
    record = training.record({"image": image, "mask": mask})
    total, values = training.generator_losses(record)
    # A distance of colors is half as large on our scale.
    scales = {"reconstruction": ("loss_l1", 2), "style": ("loss_style", 1), "perceptual": ("loss_perceptual", 1)}
    for name, (theirs, scale) in (scales | {"adversary": ("loss_adv_g", 1)}).items():
        assert scale * values[name].item() == pytest.approx(arrays[theirs].item(), rel=1e-10), name
    assert total.item() == pytest.approx(arrays["loss_total_g"].item(), rel=1e-10)

    generator = training.network.generator
    layers = {"encoder.1": generator.stem, "middle.3.fuse.1": generator.blocks[3].fuse, "decoder.4": generator.head}
    watched = [layer.weight for layer in layers.values()]
    by_output, *gradients = torch.autograd.grad(total, [record["raw"], *watched])
    assert apart(by_output / 2, arrays["grad_output"]) < 1e-5  # stored in float32
    for name, found in zip(layers, gradients, strict=True):
        assert found.norm().item() == pytest.approx(arrays[f"gradnorm_{name}.weight"].item(), rel=1e-9), name


def test_the_discriminators_loss_and_gradients_are_those_of_the_program(training, arrays):
    image, mask = inputs(arrays)
    completed = torch.where(mask > 0, ours(arrays["output"]), image)
    discriminator = training.discriminators["discriminator"]
    iterate(discriminator)  # for the generator's loss
    outputs = []
    for shown in (completed, image):
        iterate(discriminator)
        outputs.append(discriminator(shown).logits)
    fake, real = outputs
    loss = training.losses.adversarial["adversary"].discriminator_loss_around(real, fake, mask)
    assert loss.item() == pytest.approx(arrays["loss_adv_d"].item(), rel=1e-10)
    loss.backward()
    first = discriminator.layers[0].parametrizations.weight.original
    for name, found in (("conv.0.weight_orig", first), ("conv.8.weight", discriminator.last.weight)):
        assert found.grad.norm().item() == pytest.approx(arrays[f"gradnorm_D_{name}"].item(), rel=1e-9), name
