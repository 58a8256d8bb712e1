"""What can be known of a training before it begins."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inpaint import config
from inpaint.errors import ConfigError, WeightsError
from inpaint.losses import parse_losses
from inpaint.registry import table as registry
from inpaint.training import plan
from inpaint.training.config import LoopConfig
from toy import ADVERSARY, LOSSES, Toy


def training(*overrides: str):
    made = config.load(["model.width=8", "model.discriminator.width=8", *overrides])
    return registry.training_class("deepfill")(made.architecture(), losses=parse_losses(made.losses), loop=made.loop)


def test_parameters_are_counted_by_role():
    module = training()
    counts = plan.parameters(module)
    assert set(counts) == {"generator", "discriminator"}
    assert sum(counts.values()) == sum(
        p.numel() for network in (module.network, module.discriminators) for p in network.parameters()
    )


def test_memory_grows_with_samples_and_shrinks_with_precision():
    module = training()
    one, two, three = (plan.memory_bytes(module, size_px=32, samples=n) for n in (1, 2, 3))
    assert three - two == two - one > 0
    half = plan.memory_bytes(training("trainer.precision=bf16-mixed"), size_px=32, samples=3)
    assert one < half < three


def test_estimating_leaves_no_gradient_behind():
    module = training()
    plan.memory_bytes(module, size_px=32, samples=1)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_hardware_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    loop = config.load(["trainer.devices=2", "trainer.num_nodes=3", "batch_size=6", "trainer.threads=5"]).loop
    assert plan.device_count(loop) == ("cpu", 2)
    (line,) = plan.hardware_lines(loop)
    assert line.startswith("CPU, ")
    assert "5 threads; 6 processes, 32-true" in line


class Allocated(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, as operations make them and Python lets go of them."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak, self._seen = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in (leaf for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self._seen and storage.nbytes():
                self._seen.add(storage.data_ptr())
                self.alive += storage.nbytes()
                self.peak = max(self.peak, self.alive)
                weakref.finalize(storage, self._freed, storage.data_ptr(), storage.nbytes())
        return made

    def _freed(self, address, size):
        self._seen.discard(address)
        self.alive -= size


def test_the_estimate_is_near_what_a_step_really_keeps():
    module = training("model.width=24")
    weights = plan.memory_bytes(module, size_px=64, samples=0)
    estimate = plan.memory_bytes(module, size_px=64, samples=4) - weights
    batch = {"image": torch.rand(4, 3, 64, 64), "mask": (torch.rand(4, 1, 64, 64) > 0.7).float()}
    with Allocated() as step:
        record = module.record(batch)
        losses = module.generator_losses(record)[0], module.discriminator_losses(record)[0]
    del losses
    assert 0.6 < estimate / step.peak < 1.5


# The dry run ----------------------------------------------------------------------------------------------------------

FEATURES = {"kind": "perceptual", "of": "raw", "weight": 0.1, "weights": "random"}


def toy(**losses):
    optimizers = {name: {} for name in ("generator", "discriminator")}
    return Toy(losses={"pixel": LOSSES["pixel"], **losses}, loop=LoopConfig(optimizers=optimizers))


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"features": {**FEATURES, "of": ["raw", "corse"]}}, "losses.features.of: unknown entry of the record 'corse'"),
        ({"features": {**FEATURES, "target": "imgae"}}, "losses.features.target: unknown entry of the record 'imgae'"),
        (
            {"adversary": {**ADVERSARY, "real": "edges_true"}},
            "losses.adversary.real: unknown entry of the record 'edges_true'",
        ),
        (
            {"latent": {"kind": "kl", "of": "posterior", "weight": 1.0}},
            "losses.latent: unknown entry of the record 'posterior_mu'",
        ),
        (
            {"features": {**FEATURES, "network": "vgg19", "layers": ["pool5"]}},
            r"data\.size=16: losses\.features: .* of 16 x 16 pixels are too small for vgg19's pool5",
        ),
        (
            {"adversary": ADVERSARY, "more": {"kind": "feature_matching", "of": "raw", "weight": 1.0, "layers": [1]}},
            "losses.more: layers: 'discriminator' has the features 0 to 0, not 1",
        ),
    ],
)
def test_a_loss_that_does_not_go_with_the_record_is_named(losses, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        plan.dry_run_step(toy(**losses), size_px=16)


def test_missing_vgg_weights_are_said_before_a_run_begins(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"vgg16-397923af\.pth, needed for the losses, cannot be fetched \(no net"):
        plan.dry_run_step(toy(features={**FEATURES, "weights": "torchvision"}), size_px=16)


def test_a_dry_run_changes_nothing():
    module = toy(adversary=ADVERSARY, matching=LOSSES["matching"], features=FEATURES)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    plan.dry_run_step(module, size_px=16)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.discriminators.training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_memory_counts_what_every_update_keeps():
    plain = toy()
    with_features = toy(features={**FEATURES, "layers": ["relu1_2"]})
    needed = [plan.memory_bytes(module, size_px=16, samples=1) for module in (plain, with_features)]
    # VGG's first two convolutions and their activations keep 64 features of every pixel each.
    assert needed[1] - needed[0] > 2 * 64 * 16 * 16 * 4
