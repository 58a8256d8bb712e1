"""MI-GAN's training: the authors' settings, the order of its steps, and learning from a teacher."""

import pytest
import torch

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.migan.config import Config
from inpaint.models.migan.training import Training
from inpaint.training.steps import with_steps
from inpaint.training.teacher import Teacher
from inpaint.types import Fill


def training(*overrides, teacher=None):
    values = config.load(["model=migan", "trainer.accelerator=cpu", "batch_size=4", *overrides])
    losses = parse_losses(values.losses)
    options = Config(**{**Config.SMALL, "resolution": 64})
    module = Training(options, losses=losses if teacher else losses.without_teacher()[0], loop=values.loop)
    module.teacher = teacher
    return module


def batch(count=4, px=64):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, px, px)
    mask[..., : px // 2, : px // 2] = 1
    return {"image": torch.rand(count, 3, px, px, generator=generator), "mask": mask}


def test_the_settings_are_the_authors():
    values = config.load(["model=migan"])
    assert values.loop.batch_size * values.loop.max_iterations == 50_000_000
    assert values.loop.ema.decay ** (20_000 / values.loop.batch_size) == pytest.approx(0.5, abs=1e-3)
    lazy = {"generator": 4 / 5, "discriminator": 16 / 17}
    for name, share in lazy.items():
        settings = values.loop.optimizers[name]
        assert settings.lr == pytest.approx(1e-3 * share, rel=1e-6)
        assert settings.betas == (0.0, pytest.approx(0.99**share, abs=1e-6))
    larger = config.load(["model=migan", "size=512"])
    assert larger.loop.batch_size * larger.loop.max_iterations == 25_000_000
    assert larger.model["resolution"] == larger.data.size == 512


def test_the_penalty_is_a_step_of_its_own_now_and_then():
    assert config.load(["model=migan"]).losses["adversary"]["r1_every"] == 16
    module, order, seen = training("losses.adversary.r1_every=2"), [], []
    module.network.generator.register_forward_hook(lambda *_: order.append("paint"))
    module.discriminators["discriminator"].register_forward_hook(lambda *_: order.append("look"))

    def work(steps):
        for _ in range(2):
            order.clear()
            steps["it"](batch())
            seen.append(list(order))

    with_steps({"it": module}, work)
    # The generator's step, then anew for the discriminator's: real and generated images apart.
    usual = ["paint", "look", "paint", "look", "look"]
    assert seen == [usual, [*usual, "paint", "look"]]


class Recorder:
    """A teacher that paints gray and remembers for whom; it has an intermediate."""

    name = "gray"

    def __init__(self):
        self.seeds = []

    def fill(self, image, mask, *, seed=0, **ignored):
        self.seeds.append(seed)
        raw = torch.full_like(image, 0.5)
        return [Fill(completed=torch.where(mask > 0, raw, image), raw=raw, mask=mask, aux={"coarse": raw})]


def test_a_teacher_fills_each_batch_once_and_what_differs_from_it_is_a_loss():
    recorder = Recorder()
    module = training("losses.distillation.of=[raw_32,raw]", teacher=Teacher(lambda device: recorder))
    record = module.record(module.taught(batch()))
    assert {"teacher", "teacher_coarse"} <= record.keys()
    _, values = module.generator_losses(record)
    raw, mask = record["raw"].detach(), record["mask"]
    whole = ((raw - 0.5).abs() * mask).mean()
    half = torch.nn.functional.avg_pool2d(record["teacher"], 2)
    below = ((record["raw_32"].detach() - half).abs() * mask[..., ::2, ::2]).mean()
    assert values["distillation"].item() == pytest.approx((whole + below).item(), rel=1e-5)
    recorder.seeds.clear()
    with_steps({"it": module}, lambda steps: [steps["it"](batch()), steps["it"](batch())])
    assert len(recorder.seeds) == len(set(recorder.seeds)) == 2
    assert not any("teacher" in name for name in module.state_dict())
