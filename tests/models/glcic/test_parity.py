"""The public port's own outputs, losses and steps, from its checkpoints through our importer."""

from __future__ import annotations

import json

import pytest
import torch

from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.glcic.config import Config
from inpaint.models.glcic.network import windows
from inpaint.models.glcic.training import Training
from inpaint.registry.loading import load
from inpaint.training.optimizers import build_optimizer
from inpaint.training.phases import only_trainable
from inpaint.weights.files import load_weights

LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
SIDE = 96  # of the port's windows
AROUND_HOLE, ELSEWHERE = (24, 40), (8, 16)  # upper left corners of the windows that were cut, in the pair b_


@pytest.fixture(scope="module")
def arrays(parity):
    return {name: torch.from_numpy(array) for name, array in parity.cases("otenim").items()}


@pytest.fixture(scope="module")
def folder(arrays, import_public):
    """The import of both files, beside a configuration as the port's training writes it."""
    about = {"mpv": arrays["mpv"].tolist(), "data_parallel": False}
    return import_public("otenim", beside={"config.json": json.dumps(about)})


def inputs(arrays, pair=""):
    image = (arrays[f"{pair}image"].permute(0, 3, 1, 2).float() / 255).double()
    return image, (arrays[f"{pair}mask"][:, None] > 127).double()


def apart(got, expected):
    """The largest difference, in standard deviations of what is expected."""
    return float((got.double() - expected.double()).abs().max() / expected.double().std())


def with_window(image, corner):
    """An image with a plane that says where the discriminator's window lies."""
    corners = torch.tensor([corner] * len(image))
    return torch.cat((image, windows(tuple(image.shape[-2:]), corners, SIDE).to(image.dtype)), dim=1)


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize("pair", ["", "b_"], ids=["64x96", "160x160"])
def test_both_images_in_one_batch_come_out_as_from_the_port_itself(folder, arrays, pair, dtype):
    (fill,) = load(folder, device="cpu", dtype=dtype).fill(*inputs(arrays, pair))
    assert apart(fill.raw, arrays[f"{pair}output"]) <= LARGEST[dtype]
    assert apart(fill.completed, arrays[f"{pair}composited"]) <= 2e-3


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_the_discriminators_numbers_are_those_of_the_port(folder, arrays, dtype):
    image, mask = inputs(arrays, "b_")
    fill = load(folder, device="cpu", dtype=dtype)
    for name, shown in (("real", image), ("fake", arrays["b_output"])):
        logits = fill.discriminate("discriminator", with_window(shown, AROUND_HOLE), mask)
        expected = arrays[f"b_dis_{name}_logit"]
        limit = 1e-9 if dtype == torch.float64 else 2e-3
        assert torch.allclose(logits.double(), expected, rtol=limit, atol=limit)
        assert torch.allclose(logits.double().sigmoid(), arrays[f"b_dis_{name}"], rtol=limit, atol=limit)


@pytest.fixture
def training(folder):
    """Our training with its own losses on the port's networks, in float64; both learn."""
    values = load_config(["model=glcic", "losses.adversary.of=raw"])
    tensors, metadata = load_weights(folder / "model.safetensors")
    module = Training(Config(**metadata.config), losses=parse_losses(values.losses), loop=values.loop).double()
    roles = {"generator": module.network.generator, "discriminator": module.discriminators["discriminator"]}
    for role, network in roles.items():
        state = {name.removeprefix(f"{role}."): value for name, value in tensors.items()}
        network.load_state_dict({name: value for name, value in state.items() if name in network.state_dict()})
    return module.train()


def test_the_features_of_window_and_whole_image_are_those_of_the_port(training, arrays):
    image, mask = inputs(arrays, "b_")
    discriminator = training.discriminators["discriminator"].eval()
    with torch.no_grad():
        for name, shown in (("real", image), ("fake", arrays["b_output"])):
            local, whole = discriminator(with_window(shown, AROUND_HOLE), mask).features
            assert apart(local, arrays[f"b_dis_{name}_local"]) < 1e-5  # stored in float32
            assert apart(whole, arrays[f"b_dis_{name}_global"]) < 1e-5


def record_of(training, arrays):
    """The record of an iteration with the windows that the port cut."""
    image, mask = inputs(arrays, "b_")
    record = training.record({"image": image, "mask": mask})
    shown = {"raw": with_window(record["raw"], AROUND_HOLE), "elsewhere": with_window(image, ELSEWHERE)}
    return {**record, **shown, "painted": record["raw"]}


def colors_only(record):
    """The same record for the losses on pixels."""
    return {**record, "raw": record["painted"]}


def optimizer_of(training, name, parameters):
    return build_optimizer(training.loop.optimizers[name], list(parameters))


def equal(got, expected, rel=1e-9):
    return got.item() == pytest.approx(expected.item(), rel=rel)


def test_the_first_phase_is_that_of_the_port(training, arrays):
    generator, record = training.network.generator, record_of(training, arrays)
    assert apart(record["painted"].detach(), arrays["b_train_output"]) < 1e-6  # stored in float32
    optimizer = optimizer_of(training, "generator", generator.parameters())
    loss, _ = training.completion_losses(colors_only(record))
    assert equal(loss, arrays["phase1_loss"])
    loss.backward()
    assert equal(generator.encoder[0].conv.weight.grad.norm(), arrays["phase1_gradnorm_conv1"])
    assert equal(generator.head.weight.grad.norm(), arrays["phase1_gradnorm_conv17"])
    optimizer.step()
    assert torch.allclose(generator.head.bias.detach(), arrays["phase1_step_conv17_bias"], rtol=0, atol=1e-10)


def test_the_second_phase_is_that_of_the_port(training, arrays):
    discriminator, record = training.discriminators["discriminator"], record_of(training, arrays)
    with only_trainable(training.roles(), ("discriminator",)):
        loss, _ = training.discriminator_losses(record)
        loss.backward()
    assert equal(loss, arrays["phase2_loss"])
    assert equal(discriminator.local.convs[0].conv.weight.grad.norm(), arrays["phase2_gradnorm_local_conv1"])
    assert equal(discriminator.last.weight.grad.norm(), arrays["phase2_gradnorm_linear1"])
    assert all(parameter.grad is None for parameter in training.network.parameters())
    term = training.losses.adversarial["adversary"]
    for name, shown in (("fake", record["raw"]), ("real", record["elsewhere"])):
        logits = training.discriminate("discriminator", shown, record).logits.detach()
        assert torch.allclose(logits.sigmoid(), arrays[f"phase2_score_{name}"], rtol=1e-9, atol=0)
        sides = {"fake": term.generator_loss(-logits), "real": term.generator_loss(logits)}
        assert equal(sides[name], arrays[f"phase2_loss_{name}"])


@pytest.mark.slow
def test_the_third_phase_is_that_of_the_port_less_what_it_leaves_in_the_discriminator(training, arrays):
    """The port's losses are ours times factors, which ADADELTA follows only as long as they are large beside its eps.

    What the completion network's loss leaves in the discriminator stays there for its next step; ours leaves nothing.
    """
    generator, discriminator = training.network.generator, training.discriminators["discriminator"]
    optimizers = {
        role: optimizer_of(training, role, network.parameters()) for role, network in training.roles().items()
    }
    record = record_of(training, arrays)
    adversary = training.losses.adversarial["adversary"]
    alpha = adversary.weight
    assert alpha == 4e-4

    def adversarial(shown):
        with torch.no_grad():
            return adversary.generator_loss(training.discriminate("discriminator", shown, record).logits)

    with only_trainable(training.roles(), ("discriminator",)):
        loss, _ = training.discriminator_losses(record)
        assert equal(alpha * loss, arrays["phase3_loss_cd"])
        (alpha * loss).backward()
    assert equal(adversarial(record["raw"]), arrays["phase3_loss_cn_2_before_step"])
    optimizers["discriminator"].step()
    step = arrays["phase3_step_linear1_bias"]
    assert torch.allclose(discriminator.last.bias.detach(), step, rtol=0, atol=1e-10)
    for parameter in discriminator.parameters():
        parameter.grad = None

    with only_trainable(training.roles(), ("generator",)):
        (pixels, values), fake = training.completion_losses(colors_only(record)), record["raw"]
        fooled = adversary.generator_loss(training.discriminate("discriminator", fake, record).logits)
        assert equal(values["reconstruction"], arrays["phase3_loss_cn_1"])
        assert equal(fooled, arrays["phase3_loss_cn_2"])
        total = (pixels + alpha * fooled) / 2
        assert equal(total, arrays["phase3_loss_cn"])
        total.backward()
    assert equal(generator.encoder[0].conv.weight.grad.norm(), arrays["phase3_gradnorm_cn_conv1"])
    optimizers["generator"].step()
    assert torch.allclose(generator.head.bias.detach(), arrays["phase3_step_conv17_bias"], rtol=0, atol=1e-10)
    assert arrays["phase3_left_in_cd"].item() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())


@pytest.mark.slow
def test_gradients_that_the_port_leaves_in_its_discriminator_would_be_these(training, arrays):
    """What stays there is the completion network's adversarial gradient, halved as its whole loss is."""
    discriminator, record = training.discriminators["discriminator"], record_of(training, arrays)
    optimizer = optimizer_of(training, "discriminator", discriminator.parameters())
    adversary = training.losses.adversarial["adversary"]
    loss, _ = training.discriminator_losses(record)
    (adversary.weight * loss).backward()
    optimizer.step()
    optimizer.zero_grad()
    fooled = adversary.generator_loss(training.discriminate("discriminator", record["raw"], record).logits)
    (adversary.weight * fooled / 2).backward()
    left = sum(parameter.grad.abs().sum() for parameter in discriminator.parameters())
    assert equal(left, arrays["phase3_left_in_cd"])
