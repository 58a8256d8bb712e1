"""SC-FEGAN's training: what each loss moves, what is drawn, and that it learns."""

import pytest
import torch

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.scfegan.config import Config
from inpaint.models.scfegan.training import Training
from inpaint.training.steps import with_steps

SMALL = {"width": 4, "levels": 3, "discriminator": {"width": 4}}
PAPER = "losses.adversary={kind: wgan_gp, of: completed, penalty: 10, region: hole, drift: 0.001, weight: 0.001}"


def training(*overrides, style="losses.style=null", **fields):
    values = config.load(["model=scfegan", style, "losses.perceptual=null", "trainer.accelerator=cpu", *overrides])
    return Training(Config(**{**SMALL, **fields}), losses=parse_losses(values.losses), loop=values.loop)


def batch(count=2, px=64):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    mask[..., : px // 2, : px // 2] = 1
    color = torch.rand(count, 4, px, px, generator=generator)
    color[:, 3] = (color[:, 3] > 0.7).float()
    sketch = (torch.rand(count, 1, px, px, generator=generator) > 0.9).float()
    return {"image": torch.rand(count, 3, px, px, generator=generator), "mask": mask, "sketch": sketch, "color": color}


def test_the_settings_are_what_is_known_of_the_authors():
    values = config.load(["model=scfegan"])
    assert (values.loop.batch_size, values.data.size) == (8, 512)
    settings = {(name, each.lr, each.betas) for name, each in values.loop.optimizers.items()}
    assert settings == {("generator", 1e-4, (0.5, 0.9)), ("discriminator", 4e-4, (0.5, 0.9))}
    weights = {name: term["weight"] for name, term in values.losses.items()}
    assert weights == {"reconstruction": 2, "perceptual": 0.05, "style": 120, "variation": 0.1, "adversary": 0.001}
    assert values.losses["reconstruction"]["alpha"] == 6


def test_both_networks_step_and_neither_moves_by_the_others_loss():
    module = training("batch_size=2")
    before = {role: [p.clone() for p in network.parameters()] for role, network in module.roles().items()}
    record = module.record(batch())
    total, _ = module.generator_losses(record)
    moved = torch.autograd.grad(total, list(module.network.parameters()), retain_graph=True, allow_unused=True)
    assert all(gradient is not None for gradient in moved)
    loss, _ = module.discriminator_losses(record)
    reached = torch.autograd.grad(loss, list(module.network.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in reached)
    with_steps({"it": module}, lambda steps: steps["it"](batch()))
    for role, network in module.roles().items():
        changed = [not torch.equal(p, q) for p, q in zip(network.parameters(), before[role], strict=True)]
        assert all(changed), role


@pytest.mark.parametrize("weight", [0.001, 1000.0])
def test_the_generators_adversarial_loss_does_not_move_the_discriminator(weight):
    gradients = []
    for used in (0.001, weight):
        module = training("batch_size=2", f"losses.adversary.weight={used}")
        with_steps({"it": module}, lambda steps: steps["it"](batch()))
        gradients.append([parameter.grad.clone() for parameter in module.discriminators.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert all(gradient.any() for gradient in gradients[0])


def test_losses_reach_what_the_paper_says_they_see():
    """What is pasted: the discriminator and the total variation, whose neighbors across the border are known pixels."""
    module, planes = training(style="losses.style.weights=random").train(), batch()
    record = module.record(planes)
    known = (planes["mask"] == 0).expand_as(record["raw"])
    _, values = module.generator_losses(record)
    reached = {}
    for name, value in values.items():
        (gradient,) = torch.autograd.grad(value, record["raw"], retain_graph=True)
        reached[name] = (bool(gradient[known].any()), bool(gradient[~known].any()))
    assert reached == {
        "reconstruction": (True, True),
        "style": (True, True),
        "variation": (False, True),
        "adversary": (False, True),
    }


def test_a_hole_pixel_counts_six_times_a_known_one():
    module, planes = training(), batch()
    record = module.record(planes)
    _, values = module.generator_losses(record)
    distance = (record["raw"] - planes["image"]).abs().detach()
    expected = (distance * (1 + 5 * planes["mask"])).mean().item()
    assert values["reconstruction"].item() == pytest.approx(expected, rel=1e-5)


def test_the_papers_form_is_hinge_without_relu_a_penalty_in_the_hole_and_drift():
    module, planes = training(PAPER), batch()
    torch.manual_seed(0)
    record = module.record(planes)
    torch.manual_seed(1)
    loss, values = module.discriminator_losses(record)
    assert set(values) == {"adversary_d", "d_real", "d_fake", "adversary_gp", "adversary_drift"}
    discriminator = module.discriminators["discriminator"]
    asked = [planes[name] for name in ("mask", "sketch", "color")]
    with torch.no_grad():
        real, fake = (discriminator.eval()(record[name], *asked).logits for name in ("image", "completed"))
    without_relu = ((1 - real).mean() + (1 + fake).mean() - 2).item()
    torch.manual_seed(1)
    shares = torch.rand(2, 1, 1, 1)
    between = torch.lerp(record["image"], record["completed"].detach(), shares).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between, *asked).logits.sum(), between)
    penalty = ((gradient * planes["mask"]).flatten(1).norm(dim=1) - 1).square().mean().item()
    assert values["adversary_gp"].item() == pytest.approx(penalty, rel=1e-2)  # the norm has iterated once more
    assert values["adversary_d"].item() == pytest.approx(without_relu, rel=5e-2, abs=1e-4)
    total = values["adversary_d"] + 10 * values["adversary_gp"] + 0.001 * values["adversary_drift"]
    assert loss.item() == pytest.approx(total.item(), rel=1e-6)


def test_noise_is_drawn_anew_in_every_iteration_from_its_seed():
    module, planes = training().train(), batch()
    painted = []
    for seed in (0, 1, 0):
        torch.manual_seed(seed)
        with torch.no_grad():
            painted.append(module.predict(planes)["raw"])
    assert torch.equal(painted[0], painted[2])
    assert not torch.equal(painted[0], painted[1])


@pytest.mark.slow
def test_it_learns_two_photographs(make_photo):
    """Along lines and colors of theirs, the mean distance in the hole falls to a fifth."""
    image = torch.stack([torch.from_numpy(make_photo(64, 64, seed)).permute(2, 0, 1).float() / 255 for seed in (0, 1)])
    planes = batch() | {"image": image}
    planes["color"] = torch.cat((image, planes["color"][:, 3:]), dim=1)
    rates = [f"optimizers.{name}.lr=2e-3" for name in ("generator", "discriminator")]
    module = training("batch_size=2", "ema.decay=null", *rates, width=16)

    def hole_l1():
        with torch.no_grad():
            raw = module.eval().predict(planes)["raw"]
        module.train()
        return ((raw - image).abs() * planes["mask"]).sum().item()

    before = hole_l1()

    def learn(steps):
        for _ in range(250):
            steps["it"](planes)

    with_steps({"it": module}, learn)
    assert hole_l1() < before / 5
