"""PCT-Net's training: what it reads, what moves, and that it gives two photographs their colors back."""

import numpy as np
import pytest
import torch
from skimage import data

from inpaint import config
from inpaint.data.recoloring import Recoloring
from inpaint.images.planes import SampleParts
from inpaint.losses import parse_losses
from inpaint.metrics import OF_RECOLORED
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.training import Training
from inpaint.training.figures import fill_of
from inpaint.training.selection import Selection
from inpaint.training.steps import with_steps


def training(*overrides, **options):
    values = config.load(["model=pctnet", "trainer.accelerator=cpu", "batch_size=2", *overrides])
    return Training(Config(**{**Config.SMALL, **options}), losses=parse_losses(values.losses), loop=values.loop)


def batch(count=2, px=32):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    mask[..., 8:20, 8:20] = 1
    image = torch.rand(count, 3, px, px, generator=generator)
    return {"image": image, "mask": mask, "composite": torch.where(mask > 0, image * 0.5, image)}


def test_the_one_network_moves_and_there_are_no_critics():
    module = training()
    assert list(module.roles()) == ["generator"]
    before = [p.detach().clone() for p in module.network.parameters()]
    with_steps({"it": module}, lambda named: named["it"](batch()))
    assert all(not torch.equal(p, q) for p, q in zip(module.network.parameters(), before, strict=True))


def test_both_losses_reach_the_network_and_smoothness_not_the_attention():
    module = training()
    _, values = module.phases()[0].updates[0].losses(module.record(batch()))
    generator = module.network.generator
    watched = [generator.down[0][0].conv.weight, generator.numbers.weight, generator.attention.weight]

    def reached(term):
        found = torch.autograd.grad(values[term], watched, allow_unused=True, retain_graph=True)
        return [gradient is not None and bool(gradient.any()) for gradient in found]

    assert reached("pixel") == [True, True, True]
    assert reached("smooth") == [True, True, False]


def test_the_composite_is_read_and_the_photo_is_what_is_learned():
    module, examples = training(), batch()
    first = module.record(examples)
    other = module.record({**examples, "image": torch.rand_like(examples["image"])})
    assert torch.equal(first["raw"], other["raw"])
    outside = examples["mask"].expand_as(first["raw"]) == 0
    assert torch.equal(first["completed"][outside], examples["image"][outside])


def test_validation_harmonizes_composites_by_the_true_mask_and_measures_as_iharmony():
    module, examples = training(), batch()
    fill = fill_of(module, module.inpainter(module.averaged_network()), examples)
    outside = examples["mask"].expand_as(fill.completed) == 0
    assert torch.equal(fill.completed[outside], examples["composite"][outside])
    assert torch.equal(fill.mask, examples["mask"])
    selection = Selection.of(module)
    assert set(OF_RECOLORED) <= set(selection.names)
    assert (selection.best, selection.mode) == ("mse_hole", "min")


def test_the_settings_are_the_authors():
    values = config.load(["model=pctnet"])
    (settings,) = values.loop.optimizers.values()
    assert (settings.lr, settings.betas) == (1e-3, (0.9, 0.999))
    assert (values.loop.batch_size, values.loop.ema.decay, values.data.size) == (16, None, 256)


@pytest.mark.slow
def test_two_photographs_are_given_their_colors_back():
    crops = (photo[20:276:4, 100:356:4, :3] for photo in (data.astronaut(), data.chelsea()))
    photos = [np.ascontiguousarray(crop) for crop in crops]
    mask = np.zeros((64, 64), np.uint8)
    mask[16:44, 20:50] = 1
    maker, rng = Recoloring(changes={"light": 1.0}, unchanged=0.0), np.random.default_rng(3)
    painted = [maker.painted(SampleParts(photo, mask), rng) for photo in photos]
    image, composite = (
        torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2).float() / 255 for each in (photos, painted)
    )
    examples = {
        "image": image,
        "mask": torch.from_numpy(mask).float().expand(2, 1, 64, 64).contiguous(),
        "composite": composite,
    }
    module = training("losses.smooth.weight=0.01", width=8, working_px=32)

    def hole_l1():
        module.network.eval()
        with torch.no_grad():
            raw = module.network(composite, examples["mask"])["raw"]
        module.network.train()
        return float(((raw - image).abs() * examples["mask"]).sum() / (3 * examples["mask"].sum()))

    before = hole_l1()

    def train(named):
        for _ in range(400):
            named["it"](examples)

    with_steps({"it": module}, train)
    assert hole_l1() < before / 5
