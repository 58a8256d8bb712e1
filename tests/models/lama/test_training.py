"""LaMa's training: the order of its steps, what its norms learn, and the advice on small batches."""

import pytest
import torch
from torch import nn

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.lama.config import Config
from inpaint.models.lama.training import Training
from inpaint.training.steps import with_steps

SMALL = {"width": 4, "blocks": 1, "discriminator": {"width": 4}}


def training(*overrides, **fields):
    values = config.load(["model=lama", "losses.perceptual=null", "trainer.accelerator=cpu", *overrides])
    return Training(Config(**{**SMALL, **fields}), losses=parse_losses(values.losses), loop=values.loop)


def batch(count=4, px=64):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    mask[..., : px // 2, : px // 2] = 1
    return {"image": torch.rand(count, 3, px, px, generator=generator), "mask": mask}


def norms(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_the_settings_are_the_authors():
    values = config.load(["model=lama"])
    assert (values.loop.batch_size, values.loop.clip, values.loop.ema.decay) == (30, 1.0, None)
    assert {name: settings.lr for name, settings in values.loop.optimizers.items()} == {
        "generator": 1e-3,
        "discriminator": 1e-4,
    }
    assert config.load(["model=lama", "size=fourier"]).model["blocks"] == 9


def test_the_generator_steps_first_and_paints_anew_for_the_discriminator():
    module, order = training("batch_size=4"), []
    module.network.register_forward_hook(lambda *_: order.append("paint"))
    module.discriminators["discriminator"].register_forward_hook(lambda *_: order.append("look"))
    with_steps({"it": module}, lambda steps: steps["it"](batch()))
    # Generated and real images for the matching loss; real and generated ones apart, and the penalty's real ones.
    assert order == ["paint", "look", "look", "paint", "look", "look", "look"]
    assert module.iteration == 1


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_norms_keep_what_they_have_while_all_else_learns(frozen):
    module = training("batch_size=4", freeze_norms=frozen)
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    with_steps({"it": module}, lambda steps: steps["it"](batch()))
    after = module.network.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    of_norms = {name for name in after if "norm." in name}
    assert changed & of_norms == (set() if frozen else of_norms)
    assert changed - of_norms == after.keys() - of_norms
    assert all(layer.training is not frozen for layer in norms(module.network))


@pytest.mark.parametrize(("overrides", "fields"), [(["batch_size=4"], {}), (["accumulate=3"], {})])
def test_few_images_at_once_are_advised_against(overrides, fields, caplog):
    training(*overrides, **fields)
    assert "the authors advise at least 20" in caplog.text
    assert "model.freeze_norms=true" in caplog.text


@pytest.mark.parametrize(("overrides", "fields"), [([], {}), (["batch_size=4"], {"freeze_norms": True})])
def test_enough_images_and_frozen_norms_are_not_remarked_on(overrides, fields, caplog):
    training(*overrides, **fields)
    assert "batch norm" not in caplog.text
