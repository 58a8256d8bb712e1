"""VCNet's training: what each phase moves, which mask it paints by, and that it learns two photographs."""

import numpy as np
import pytest
import torch
from skimage import data

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.masks.parse import parse_mask
from inpaint.models.vcnet.config import Config
from inpaint.models.vcnet.training import Training
from inpaint.training.steps import with_steps

WITHOUT_VGG = ("losses.perceptual=null", "losses.id_mrf=null")


def training(*overrides, **options):
    values = config.load(["model=vcnet", "trainer.accelerator=cpu", "batch_size=2", *WITHOUT_VGG, *overrides])
    return Training(Config(**{**Config.SMALL, **options}), losses=parse_losses(values.losses), loop=values.loop)


def batch(count=2, px=32):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    mask[..., : px // 2, : px // 2] = 1
    image, other = torch.rand(2, count, 3, px, px, generator=generator)
    return {"image": image, "mask": mask, "contaminated": torch.where(mask > 0, other, image)}


def moved(module, steps):
    """The roles whose weights change in so many iterations."""
    before = {role: [p.detach().clone() for p in network.parameters()] for role, network in module.roles().items()}

    def train(named):
        for _ in range(steps):
            named["it"](batch())

    with_steps({"it": module}, train)
    return {
        role
        for role, network in module.roles().items()
        if any(not torch.equal(p, q) for p, q in zip(network.parameters(), before[role], strict=True))
    }


NETWORKS, CRITICS = {"mask_network", "generator"}, {"discriminator", "patch_discriminator"}


def test_by_the_true_mask_both_networks_learn_and_no_critic_does():
    assert moved(training(pretraining=10), 1) == NETWORKS


def test_by_the_found_mask_the_critics_step_in_every_iteration_and_the_networks_in_the_last_of_five():
    assert moved(training(pretraining=0), 4) == CRITICS
    assert moved(training(pretraining=0), 5) == NETWORKS | CRITICS


def test_the_second_phase_begins_where_it_is_told_to():
    module = training(pretraining=2)
    assert moved(module, 2) == NETWORKS
    assert [phase.start for phase in module.timeline] == [0, 2]


def gradients(module, term):
    """Whether a loss reaches the mask network's decoder, its encoder, and the generator."""
    _, values = module.phases()[0].updates[-1].losses(module.record(batch()))
    finder = module.network.mask_network
    watched = [finder.head.weight, finder.down1.c1.weight, module.network.generator.stem.c1.weight]
    found = torch.autograd.grad(values[term], watched, allow_unused=True)
    return tuple(gradient is not None and bool(gradient.any()) for gradient in found)


@pytest.mark.parametrize(
    ("options", "term", "reached"),
    [
        ({"pretraining": 10}, "mask", (True, True, False)),
        ({"pretraining": 10}, "reconstruction", (False, True, True)),  # through the features alone
        ({"pretraining": 0}, "mask", (True, True, False)),
        ({"pretraining": 0}, "reconstruction", (True, True, True)),
        ({"pretraining": 0}, "adversary", (True, True, True)),
        ({"pretraining": 0, "composite": "grown"}, "adversary_patch", (True, True, True)),
    ],
)
def test_each_loss_reaches_the_networks_that_the_phase_lets_it(options, term, reached):
    assert gradients(training(**options), term) == reached


def test_detached_features_leave_the_mask_as_the_only_way_to_the_mask_network():
    module = training(pretraining=0, detached=True)
    record = module.record(batch())
    loss = record["raw"].mean()
    far = module.network.mask_network.wide4.c2.weight
    through_both = torch.autograd.grad(loss, far, retain_graph=True)[0]
    through_mask = torch.autograd.grad(
        record["found"], far, torch.autograd.grad(loss, record["found"], retain_graph=True)[0]
    )
    assert torch.allclose(through_both, through_mask[0], rtol=1e-4, atol=1e-9)


def test_the_settings_are_the_authors():
    values = config.load(["model=vcnet"])
    settings = {(name, each.lr, each.betas) for name, each in values.loop.optimizers.items()}
    assert settings == {("generator", 1e-4, (0.5, 0.9)), ("discriminator", 1e-4, (0.5, 0.9))}
    assert (values.loop.batch_size, values.loop.ema.decay, values.data.size) == (16, None, 256)
    module = Training(Config(), losses=parse_losses(values.losses), loop=values.loop)
    assert [phase.start for phase in module.phases()] == [0, 160_000]


@pytest.mark.slow
def test_two_photographs_are_learned_by_heart():
    crops = (photo[20:276:4, 100:356:4, :3] for photo in (data.astronaut(), data.chelsea()))
    photos = [torch.from_numpy(np.ascontiguousarray(crop)) for crop in crops]
    image = torch.stack(photos).permute(0, 3, 1, 2).float() / 255
    rng = np.random.default_rng(0)
    mask = torch.stack([torch.from_numpy(parse_mask("captions").draw(rng, 64, 64)) for _ in photos])[:, None].float()
    soiled = torch.where(mask > 0, torch.tensor([0.9, 0.1, 0.2]).view(1, 3, 1, 1), image)
    module = training(
        "losses.adversary=null",
        "losses.adversary_patch=null",
        "optimizers.generator.lr=2e-3",
        width=16,
        pretraining=250,
    )
    examples = {"image": image, "mask": mask, "contaminated": soiled}

    def hole_l1():
        with torch.no_grad():
            raw = module.network(soiled, mask)["raw"]
            return float(((raw - image).abs() * mask).sum() / (3 * mask.sum()))

    before = hole_l1()

    def train(named):
        for _ in range(300):
            named["it"](examples)

    with_steps({"it": module}, train)
    found = module.network.find_mask(soiled).detach() > 0.5
    right = float((found & (mask > 0)).sum())
    assert hole_l1() < before / 5
    assert 2 * right / float(found.sum() + mask.sum()) > 0.95
