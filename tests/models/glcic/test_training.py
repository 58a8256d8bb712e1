"""GLCIC's training: which networks each phase moves, what its discriminator gets to see, and that it learns."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import nn

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.masks import parse_mask
from inpaint.models.glcic.config import Config
from inpaint.models.glcic.network import around_hole, first_places
from inpaint.models.glcic.training import Training
from inpaint.training.steps import with_steps

DISCRIMINATOR = {"width": 4, "features": 8, "global_px": 32, "local_px": 16, "global_convs": 3, "local_convs": 2}


def training(*overrides, first=0, second=0):
    values = config.load(["model=glcic", "batch_size=4", "trainer.accelerator=cpu", *overrides])
    options = Config(width=4, completion_iterations=first, discriminator_iterations=second, discriminator=DISCRIMINATOR)
    return Training(options, losses=parse_losses(values.losses), loop=values.loop)


def batch(count=4, px=32):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    for number in range(count):
        mask[number, :, 4 + number : 16 + number, 8:20] = 1
    return {"image": torch.rand(count, 3, px, px, generator=generator), "mask": mask}


def state_of(module):
    """All that learns or gathers, by network."""
    return {
        role: {name: value.clone() for name, value in network.state_dict().items()}
        for role, network in module.roles().items()
    }


def test_the_settings_are_the_papers():
    values = config.load(["model=glcic"])
    assert (values.loop.batch_size, values.loop.max_iterations, values.data.size) == (96, 500_000, 256)
    assert (values.model["completion_iterations"], values.model["discriminator_iterations"]) == (90_000, 10_000)
    assert values.model["discriminator"]["global_px"] == 256
    assert values.model["discriminator"]["local_px"] == 128
    assert values.losses["adversary"]["weight"] == 4e-4
    settings = {(name, each.kind, each.lr, each.rho, each.eps) for name, each in values.loop.optimizers.items()}
    assert settings == {(name, "adadelta", 1.0, 0.9, 1e-6) for name in ("generator", "discriminator")}
    faces = config.load(["model=glcic", "size=faces"])
    assert faces.model["discriminator"] | {"global_px": 160, "local_px": 96} == faces.model["discriminator"]


@pytest.mark.parametrize(
    ("first", "second", "moved"),
    [(9, 9, {"generator"}), (0, 9, {"discriminator"}), (0, 0, {"generator", "discriminator"})],
    ids=["completion network", "discriminator", "both"],
)
def test_each_phase_moves_its_networks_and_leaves_the_others_alone(first, second, moved):
    module = training(first=first, second=second)
    before = state_of(module)
    with_steps({"it": module}, lambda steps: steps["it"](batch()))
    for role, state in state_of(module).items():
        changed = {name for name, value in state.items() if not torch.equal(value, before[role][name])}
        assert changed == (state.keys() if role in moved else set()), role


def test_the_phases_follow_each_other_at_the_papers_iterations():
    module = training(first=90_000, second=10_000)
    found = [(phase.start, [update.optimizer for update in phase.updates], phase.frozen) for phase in module.timeline]
    assert found == [
        (0, ["generator"], ()),
        (90_000, ["discriminator"], ("generator",)),
        (100_000, ["discriminator", "generator"], ()),
    ]


def test_without_an_adversarial_loss_the_completion_network_learns_alone():
    module = training("losses.adversary=null")
    assert [[update.optimizer for update in phase.updates] for phase in module.timeline] == [["generator"]]
    with_steps({"it": module}, lambda steps: steps["it"](batch()))


def test_in_the_last_phase_real_and_completed_images_go_through_apart_and_the_generator_steps_last():
    module, order = training(), []
    module.network.register_forward_hook(lambda *_: order.append("paint"))
    module.discriminators["discriminator"].register_forward_hook(
        lambda network, inputs, output: order.append("real" if inputs[0].shape[1] == 4 else "completed")
    )
    with_steps({"it": module}, lambda steps: steps["it"](batch()))
    assert order == ["paint", "real", "completed", "completed"]


def test_the_generators_adversarial_loss_leaves_nothing_in_the_discriminator():
    """In the public port it does, and the discriminator's next step follows it."""
    gradients = []
    for weight in (4e-4, 1000.0):
        module = training(f"losses.adversary.weight={weight}")
        with_steps({"it": module}, lambda steps: steps["it"](batch()))
        gradients.append([parameter.grad.clone() for parameter in module.discriminators.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert any(gradient.any() for gradient in gradients[0])


def test_real_images_get_a_window_anywhere_that_depends_on_the_iteration_alone():
    seen = []

    def corners():
        seen.clear()
        module = training()
        module.discriminators["discriminator"].register_forward_hook(
            lambda network, inputs, output: seen.append(inputs[0]) if inputs[0].shape[1] == 4 else None
        )
        with_steps({"it": module}, lambda steps: [steps["it"](batch()) for _ in range(2)])
        return [first_places(image[:, 3:]) for image in seen]

    one, two = corners()
    again, _ = corners()
    assert torch.equal(one, again)
    assert not torch.equal(one, two)
    assert not torch.equal(one, around_hole(batch()["mask"], 16))


def test_the_losses_read_the_hole_alone():
    module, planes = training().train(), batch()
    record = module.record(planes)
    hole = (planes["mask"] > 0).expand_as(record["raw"])
    _, values = module.generator_losses(record)
    for name, value in values.items():
        (gradient,) = torch.autograd.grad(value, record["raw"], retain_graph=True)
        assert gradient[hole].any(), name
        assert not gradient[~hole].any(), name
    expected = (record["raw"] - planes["image"])[hole].square().sum() / hole.numel()
    assert values["reconstruction"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_batch_norms_learn_from_many_images_on_all_devices():
    module = training()
    assert module.sync_batch_norm
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in module.modules()) > 20


@pytest.mark.slow
def test_two_photos_are_learnt_by_heart():
    """Through all three phases: the hole's L1 falls to less than a fifth of its start."""
    photos = [Image.fromarray(pixels).resize((32, 32)) for pixels in (data.astronaut(), data.coffee())]
    image = torch.stack([torch.from_numpy(np.array(photo)).permute(2, 0, 1) for photo in photos] * 4).float() / 255
    rng = np.random.default_rng(0)

    def masks():
        drawn = [parse_mask({"kind": "box", "size": [0.3, 0.5]}).draw(rng, 32, 32) for _ in image]
        return torch.from_numpy(np.stack(drawn))[:, None].float()

    values = config.load(["model=glcic", "batch_size=8", "trainer.accelerator=cpu"])
    options = Config(
        width=16, completion_iterations=500, discriminator_iterations=20, discriminator={**DISCRIMINATOR, "width": 8}
    )
    module, fixed = Training(options, losses=parse_losses(values.losses), loop=values.loop), masks()

    def hole_l1():
        (fill,) = module.inpainter(module.averaged_network()).fill(image, fixed)
        return (((fill.completed - image).abs() * fixed).sum() / fixed.sum() / 3).item()

    start = hole_l1()

    def learn(steps):
        for _ in range(600):
            steps["it"]({"image": image, "mask": masks()})

    with_steps({"it": module}, learn)
    assert module.iteration == 600
    assert hole_l1() < start / 5
