"""EraseNet's training: what each loss moves, and that it learns to find and to remove text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inpaint import config
from inpaint.data.contamination import Contamination
from inpaint.images.guidance import CONTAMINATED
from inpaint.images.planes import SampleParts
from inpaint.losses import parse_losses
from inpaint.masks import parse_mask
from inpaint.models.erasenet.config import Config
from inpaint.models.erasenet.training import Training
from inpaint.training.selection import Selection, is_blind
from inpaint.training.steps import with_steps

NO_VGG = ("losses.style=null", "losses.perceptual=null")


def training(*overrides, **options):
    values = config.load(["model=erasenet", *NO_VGG, "trainer.accelerator=cpu", *overrides])
    return Training(Config(**{**Config.SMALL, **options}), losses=parse_losses(values.losses), loop=values.loop)


def batch(make_photo, count=2, px=64):
    """Photos with captions over them."""
    planes = {"image": [], "mask": [], CONTAMINATED.name: []}
    for number in range(count):
        rng = np.random.default_rng(number)
        mask, lettering = parse_mask("captions").draw_lettered(rng, px, px)
        parts = SampleParts(make_photo(px, px, number), mask, None, lettering)
        planes["image"].append(parts.image.transpose(2, 0, 1) / 255)
        planes["mask"].append(mask[None])
        planes[CONTAMINATED.name].append(Contamination().make_of(parts, rng).transpose(2, 0, 1))
    return {name: torch.from_numpy(np.stack(values)).float() for name, values in planes.items()}


def test_the_settings_are_the_authors():
    values = config.load(["model=erasenet"])
    assert values.data.size == 512
    settings = {(name, each.lr, each.betas) for name, each in values.loop.optimizers.items()}
    assert settings == {("generator", 1e-4, (0.5, 0.9)), ("discriminator", 1e-5, (0.0, 0.9))}


def test_it_is_validated_without_masks_and_by_the_whole_image():
    module = training()
    assert is_blind(module)
    assert Selection.of(module).best == "l1"


def test_each_loss_moves_what_it_is_for(make_photo):
    module = training()
    record = module.record(batch(make_photo))
    _, values = module.generator_losses(record)
    generator = module.network.generator
    watched = {
        "mask": generator.mask_head.weight,
        "refinement": generator.refine.at_full.bias,
        "painted": generator.bottom.bias,
        "encoder": generator.enter[0].bias,
    }
    reached = {}
    for name, value in values.items():
        gradients = torch.autograd.grad(value, list(watched.values()), retain_graph=True, allow_unused=True)
        pairs = zip(watched, gradients, strict=True)
        reached[name] = {part for part, gradient in pairs if gradient is not None and gradient.any()}
    painted, whole = {"painted", "encoder"}, {"refinement", "painted", "encoder"}
    assert reached == {
        **dict.fromkeys(("hole", "known", "adversary"), whole),
        **{f"{part}_{scale}": painted for part in ("hole", "known") for scale in ("full", "half", "quarter")},
        "found": {"mask", "encoder"},
    }


def test_the_discriminator_learns_from_its_own_loss_and_moves_nothing_else(make_photo):
    module = training("batch_size=2", "optimizers.generator.lr=1e-30")
    before = {name: value.clone() for name, value in module.named_parameters()}
    with_steps({"it": module}, lambda steps: steps["it"](batch(make_photo)))
    after = dict(module.named_parameters())
    moved = {name.partition(".")[0] for name in before if not torch.allclose(after[name], before[name], atol=1e-20)}
    assert "discriminators" in moved
    assert moved <= {"discriminators", "average"}


@pytest.mark.parametrize("px", [32, 64, 96])
def test_the_discriminator_takes_small_images(px):
    discriminator = training().network_class.discriminators(Config(discriminator={"width": 2}))["discriminator"]
    output = discriminator(torch.rand(2, 3, px, px), torch.ones(2, 1, px, px))
    assert output.logits.shape == (2, 1, 1, 1)


def test_a_hinge_on_a_sigmoid_is_offered_as_published():
    losses = parse_losses({"adversary": {"kind": "hinge", "of": "raw", "weight": 1.0, "sigmoid": True}})
    real, fake = torch.tensor([0.3, -2.0]), torch.tensor([1.5, 4.0])
    loss = losses.terms["adversary"].discriminator_loss(real, fake).item()
    means = [np.mean(1 / (1 + np.exp(-x.double().numpy()))) for x in (real, fake)]
    assert loss == pytest.approx(max(0, 1 - means[0]) + max(0, 1 + means[1]), rel=1e-6)


@pytest.mark.slow
def test_it_learns_two_photos_by_heart(make_photo):
    module = training(
        *("batch_size=2", "losses.adversary=null", "optimizers.generator.lr=2e-3", "max_iterations=100000"),
        width=16,
    )
    planes = batch(make_photo)
    hole = planes["mask"].expand_as(planes["image"]) > 0

    def figures():
        network = module.network.eval()
        with torch.no_grad():
            raw = network(planes[CONTAMINATED.name], planes["mask"])["raw"]
            found = network.find_mask(planes[CONTAMINATED.name]) > 0.5
        module.train()
        true = planes["mask"] > 0.5
        error = (raw - planes["image"]).abs()[hole].mean().item()
        return error, (2 * (found & true).sum() / (found.sum() + true.sum())).item()

    def learn(steps):
        first, f1 = figures()
        for _ in range(30):
            for _ in range(20):
                steps["it"](planes)
            error, f1 = figures()
            if error < first / 5 and f1 > 0.95:
                return
        raise AssertionError(f"hole L1 {first:.3f} to {error:.3f}, mask F1 {f1:.3f}")

    with_steps({"it": module}, learn)
