"""The two phases of partial convolutions in real trainings of a few iterations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback
from skimage import data
from torch import nn

from inpaint import config
from inpaint.errors import ConfigError
from inpaint.losses import parse_losses
from inpaint.masks import parse_mask
from inpaint.models.pconv.config import Config
from inpaint.models.pconv.training import Training
from inpaint.registry import table as registry
from inpaint.training import plan
from inpaint.training.config import LoopConfig
from inpaint.weights.files import load_weights
from pconv_run import LOSSES, AllNormsFrozen, PconvRun

HERE = Path(__file__).resolve().parents[2] / "helpers"


@pytest.fixture
def pconv_run(tmp_path, photos):
    def make(name="run", **options):
        return PconvRun(tmp_path / name, photos, **options)

    return make


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 4, "accumulate": 4}], ids=str)
def test_one_place_in_the_deepest_layer_is_refused_before_the_training(options):
    loop = LoopConfig(optimizers={"generator": {}}, **options)
    module = Training(Config(levels=4, width=4), losses=parse_losses(LOSSES), loop=loop)
    with pytest.raises(
        ConfigError, match=r"data.size=16: one image of 16x16 .*batch_size=2 or more, or model.levels=3"
    ):
        plan.dry_run_step(module, size_px=16)
    plan.dry_run_step(module, size_px=32)
    assert plan.memory_bytes(module, size_px=32, samples=1) > 0
    frozen = Training(Config(levels=4, width=4, phase=2), losses=parse_losses(LOSSES), loop=loop)
    plan.dry_run_step(frozen, size_px=16)


def test_memory_is_estimated_where_only_a_batch_has_statistics():
    loop = LoopConfig(optimizers={"generator": {}}, batch_size=4)
    module = Training(Config(levels=4, width=4), losses=parse_losses(LOSSES), loop=loop).train()
    plan.dry_run_step(module, size_px=16)
    assert plan.memory_bytes(module, size_px=16, samples=4) > 0
    assert module.network.training


class Notes(Callback):
    """Notes what the optimizer does and how the encoder's batch norm stands after every iteration."""

    def __init__(self):
        self.rates, self.states, self.gradients, self.training = [], [], [], []

    def on_train_batch_end(self, trainer, module, *_):
        norms = [block.norm for block in module.network.generator.encoder if block.norm is not None]
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.states.append(norm_state(module.network))
        self.gradients.append([p.grad for norm in norms for p in norm.parameters()])
        self.training.append([norm.training for norm in norms])


def norm_state(network, side="encoder"):
    state = network.generator.state_dict()
    return {k: v.clone() for k, v in state.items() if k.startswith(side) and ".norm." in k}


def same(one, other):
    return [name for name in one if torch.equal(one[name], other[name])]


def test_phase_1_moves_every_parameter_and_every_statistic(pconv_run):
    run = pconv_run()
    before = {name: value.clone() for name, value in run.module.network.state_dict().items()}
    run.fit()
    assert not same(before, run.module.network.state_dict())


def test_phase_2_starts_from_phase_1_and_leaves_its_encoder_norms_bit_for_bit(pconv_run):
    first = pconv_run("first", ema={"decay": None}, max_iterations=4)
    first.fit()
    notes = Notes()
    second = pconv_run(
        "second",
        init=first.folder.path,
        fields={"phase": 2},
        callbacks=[notes],
        validation={"every": 2, "panel": 1, "batch_size": 2},
    )
    begun = {name: value.clone() for name, value in second.module.network.state_dict().items()}
    assert len(same(begun, first.module.network.state_dict())) == len(begun)
    second.fit()
    frozen = norm_state(first.module.network)
    assert len(frozen) == 2 * 5
    assert all(len(same(frozen, state)) == len(frozen) for state in notes.states)
    assert all(gradient is None for gradients in notes.gradients for gradient in gradients)
    # Validation after every other iteration switches to evaluation and back.
    assert not any(any(training) for training in notes.training)
    after = second.module.network.state_dict()
    assert not [name for name in same(begun, after) if name.removeprefix("generator.") not in frozen]
    # The averaged network, which is what is kept, has them too.
    kept, _ = load_weights(second.folder.weights)
    assert all(torch.equal(kept[f"generator.{name}"], value) for name, value in frozen.items())


def test_norms_of_phase_2_survive_every_switch_of_the_training(pconv_run):
    module = pconv_run(fields={"phase": 2}).module
    generator = module.network.generator
    norms = {side: [b.norm for b in getattr(generator, side) if b.norm is not None] for side in ("encoder", "decoder")}
    for mode in (True, False, True):
        module.train(mode)
        assert not any(norm.training for norm in norms["encoder"])
        assert all(norm.training == mode for norm in norms["decoder"])
    learning = {side: [p.requires_grad for n in norms[side] for p in n.parameters()] for side in norms}
    assert not any(learning["encoder"])
    assert all(learning["decoder"])


def test_phase_2_learns_at_a_quarter_of_the_rate(pconv_run):
    for phase, rate in ((1, 1e-3), (2, 2.5e-4)):
        notes = Notes()
        pconv_run(f"phase-{phase}", fields={"phase": phase}, callbacks=[notes], max_iterations=2).fit()
        assert notes.rates == pytest.approx([rate, rate])


def test_one_run_can_go_over_to_phase_2(pconv_run):
    notes = Notes()
    run = pconv_run(fields={"phase_2_from": 3}, callbacks=[notes])
    run.fit()
    assert notes.rates == pytest.approx([1e-3] * 3 + [2.5e-4] * 3)
    assert not same(notes.states[1], notes.states[2])
    assert all(len(same(notes.states[2], state)) == len(state) for state in notes.states[3:])
    # A new optimizer: its steps are counted from there.
    steps = {int(state["step"]) for state in run.module.trainer.optimizers[0].state.values()}
    assert steps == {3}


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_run_that_is_resumed_around_the_change_of_phases_reaches_the_same_weights(pconv_run, stop):
    fields = {"phase_2_from": 3}
    whole = pconv_run("whole", fields=fields)
    whole.fit()
    pconv_run("cut", fields=fields, max_iterations=stop).fit()
    rest = pconv_run("cut", fields=fields)
    rest.resume = rest.folder.last
    rest.fit()
    expected, got = whole.state(), rest.state()
    assert got.keys() == expected.keys()
    assert len(same(expected, got)) == len(expected)


def test_phase_2_may_be_asked_of_the_weights_of_phase_1(pconv_run, photos):
    first = pconv_run("first", max_iterations=2)
    first.fit()
    given = ["model=pconv", f"data.root={photos}", "data.size=32", f"init={first.folder.path}"]
    for phase in (1, 2):
        resolved = config.load([*given, f"model.phase={phase}"])
        assert resolved.model["phase"] == phase
        assert (resolved.model["levels"], resolved.model["width"]) == (3, 4)
    with pytest.raises(ConfigError, match=r"model\.width=5 \(the weights have 4\)"):
        config.load([*given, "model.width=5"])


def test_the_yaml_holds_the_papers_losses_and_rates():
    resolved = config.load(["model=pconv"])
    weights = {name: (block["kind"], block["weight"]) for name, block in resolved.losses.items()}
    assert weights == {
        "valid": ("l1", 1),
        "hole": ("l1", 6),
        "perceptual": ("perceptual", 0.05),
        "style": ("style", 120),
        "variation": ("tv", 0.1),
    }
    assert resolved.losses["valid"]["of"] == resolved.losses["hole"]["of"] == "raw"
    assert (resolved.losses["valid"]["region"], resolved.losses["hole"]["region"]) == ("known", "hole")
    assert list(resolved.optimizers) == ["generator"]
    assert resolved.optimizers["generator"].lr == 2e-4
    assert resolved.optimizers["generator"].lr * Config().phase_2_rate == 5e-5
    assert resolved.optimizers["generator"].betas == (0.9, 0.999)


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from pconv_run import AllNormsFrozen, PconvRun

PconvRun(Path(sys.argv[1]) / "run", Path(sys.argv[2]), fields={{"phase": 2}}, training=AllNormsFrozen,
         max_iterations=2, trainer={{"devices": 2}}, optimizers={optimizers!r}).fit()
"""


@pytest.mark.slow
def test_two_processes_reach_the_weights_of_one_where_no_statistics_are_gathered(tmp_path, photos, pconv_run):
    # Plain gradient descent: Adam divides by gradients, so that a last-bit difference of one near zero becomes a step.
    optimizers = {"generator": {"kind": "sgd", "lr": 0.05, "momentum": 0.9}}
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER.format(here=str(HERE), optimizers=optimizers))
    command = [sys.executable, str(driver), str(tmp_path), str(photos)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    alone = pconv_run("alone", fields={"phase": 2}, training=AllNormsFrozen, max_iterations=2, optimizers=optimizers)
    before = {name: value.clone() for name, value in alone.module.network.state_dict().items()}
    alone.fit()
    moved = [n for n, v in alone.module.network.state_dict().items() if not torch.equal(v, before[n])]
    assert len(moved) == 8  # six kernels and two biases
    theirs = PconvRun(tmp_path / "run", photos).state()
    for name, value in alone.state().items():
        if value.is_floating_point():
            torch.testing.assert_close(theirs[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_the_averaged_network_of_batch_norms_fills_like_the_trained_one(pconv_run):
    run = pconv_run(max_iterations=12, ema={"decay": 0.5})
    run.fit()
    trained, averaged = run.module.network.eval(), run.module.averaged_network()
    statistics = [name for name in trained.state_dict() if "running" in name]
    assert len(same({n: trained.state_dict()[n] for n in statistics}, averaged.state_dict())) == len(statistics)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 32, 32, generator=generator)
    mask = (torch.rand(2, 1, 32, 32, generator=generator) < 0.3).float()
    with torch.no_grad():
        difference = (trained(image, mask)["raw"] - averaged(image, mask)["raw"]).abs().mean()
    assert 0 < difference < 0.1


@pytest.mark.parametrize(("device", "world_size", "shared"), [("cuda", 2, True), ("cuda", 1, False), ("cpu", 2, False)])
def test_several_gpus_share_the_statistics_of_their_batches(pconv_run, device, world_size, shared):
    module = pconv_run(fields={"phase": 2}).module
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    parameters = list(module.network.parameters())
    strategy = SimpleNamespace(root_device=torch.device(device))
    module._trainer = SimpleNamespace(world_size=world_size, strategy=strategy)
    module.setup("fit")
    generator = module.network.generator
    norms = {side: [b.norm for b in getattr(generator, side) if b.norm is not None] for side in ("encoder", "decoder")}
    assert all(isinstance(norm, nn.SyncBatchNorm) == shared for side in norms.values() for norm in side)
    assert [id(p) for p in module.network.parameters()] == [id(p) for p in parameters]
    after = module.network.state_dict()
    assert list(after) == list(before)
    assert len(same(before, after)) == len(before)
    module.train()
    assert not any(norm.training for norm in norms["encoder"])
    assert all(norm.training for norm in norms["decoder"])
    module.average.update(module.network, 0)  # still finds what it averages


def test_the_registry_offers_the_training():
    assert registry.training_class("pconv") is Training
    assert issubclass(registry.network_class("pconv"), nn.Module)


@pytest.mark.slow
def test_it_learns_two_photos_by_heart(tmp_path, photos):
    two = tmp_path / "two"
    two.mkdir()
    images = {"astronaut": data.astronaut(), "coffee": data.coffee()}
    for name, pixels in images.items():
        Image.fromarray(pixels).resize((32, 32), Image.Resampling.LANCZOS).save(two / f"{name}.png")
    run = PconvRun(
        tmp_path / "run",
        two,
        fields={"levels": 4, "width": 16},
        val=photos,
        max_iterations=1500,
        batch_size=8,
        ema={"decay": 0.99},
        optimizers={"generator": {"lr": 2e-3, "betas": (0.9, 0.999), "schedule": {"kind": "cosine"}}},
        validation={"every": 1500, "panel": 0},
        save_every=1500,
    )
    image = torch.stack([torch.from_numpy(np.array(Image.open(path))) for path in sorted(two.iterdir())] * 4)
    image = image.permute(0, 3, 1, 2).float() / 255
    rng = np.random.default_rng(1)
    masks = [parse_mask("deepfill").draw(rng, 32, 32) for _ in range(len(image))]
    mask = torch.from_numpy(np.stack(masks))[:, None].float()

    def hole_l1(completed):
        return (((completed - image).abs() * mask).sum() / mask.sum() / 3).item()

    start = hole_l1(run.module.inpainter(run.module.averaged_network()).fill(image, mask)[0].completed)
    run.fit()
    end = hole_l1(run.module.inpainter(run.module.averaged_network()).fill(image, mask)[0].completed)
    assert end < start / 5
    assert end < hole_l1(image.mean((2, 3), keepdim=True).expand_as(image)) / 5
