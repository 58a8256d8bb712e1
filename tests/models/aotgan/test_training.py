"""AOT-GAN's training: what each loss moves, and that the discriminator learns from its own loss alone."""

import pytest
import torch

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.aotgan.config import Config
from inpaint.models.aotgan.training import Training
from inpaint.training.steps import with_steps

SMALL = {"width": 4, "blocks": 1, "discriminator": {"width": 4}}


def training(*overrides, style="losses.style=null"):
    values = config.load(["model=aotgan", style, "losses.perceptual=null", "trainer.accelerator=cpu", *overrides])
    return Training(Config(**SMALL), losses=parse_losses(values.losses), loop=values.loop)


def batch(count=2, px=40):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    mask[..., : px // 2, : px // 2] = 1
    return {"image": torch.rand(count, 3, px, px, generator=generator), "mask": mask}


def test_the_settings_are_the_authors():
    values = config.load(["model=aotgan"])
    assert (values.loop.batch_size, values.loop.ema.decay, values.loop.max_iterations) == (8, None, 1_000_000)
    assert values.data.size == 512
    settings = {(name, each.lr, each.betas) for name, each in values.loop.optimizers.items()}
    assert settings == {("generator", 1e-4, (0.5, 0.999)), ("discriminator", 1e-4, (0.5, 0.999))}
    weights = {name: term["weight"] for name, term in values.losses.items()}
    assert weights == {"reconstruction": 2, "style": 250, "perceptual": 0.1, "adversary": 0.01}


def test_both_networks_step_by_gradients_of_the_same_state_from_one_pass():
    module, order = training("batch_size=2"), []
    module.network.register_forward_hook(lambda *_: order.append("paint"))
    module.discriminators["discriminator"].register_forward_hook(lambda *_: order.append("look"))
    with_steps({"it": module}, lambda steps: steps["it"](batch()))
    assert order == ["paint", "look", "look"]
    assert module.iteration == 1


@pytest.mark.parametrize("weight", [0.01, 1000.0])
def test_the_generators_adversarial_loss_does_not_move_the_discriminator(weight):
    """In the authors' program it does: the weight of that loss shows in the discriminator's step."""
    gradients = []
    for used in (0.01, weight):
        module = training("batch_size=2", f"losses.adversary.weight={used}")
        with_steps({"it": module}, lambda steps: steps["it"](batch()))
        parameters = module.discriminators.parameters()
        gradients.append([parameter.grad.clone() for parameter in parameters])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert all(gradient.any() for gradient in gradients[0])


def test_the_discriminator_sees_what_is_pasted_and_the_other_losses_all_that_is_painted():
    module, planes = training(style="losses.style.weights=random").train(), batch()
    record = module.record(planes)
    known = (planes["mask"] == 0).expand_as(record["raw"])
    _, values = module.generator_losses(record)
    reached = {}
    for name, value in values.items():
        (gradient,) = torch.autograd.grad(value, record["raw"], retain_graph=True)
        reached[name] = (bool(gradient[known].any()), bool(gradient[~known].any()))
    assert reached == {"reconstruction": (True, True), "style": (True, True), "adversary": (False, True)}
