"""What a training would stumble over is said before it begins."""

import pytest
import torch

from inpaint.errors import ConfigError, WeightsError
from inpaint.training import plan
from inpaint.training.config import LoopConfig
from toy import GAME, LOSSES, Toy

LOOK = {"kind": "perceptual", "of": "raw", "weight": 0.1, "weights": "random"}


def toy(**losses):
    optimizers = {name: {} for name in ("generator", "discriminator")}
    return Toy(losses={"pixel": LOSSES["pixel"], **losses}, loop=LoopConfig(optimizers=optimizers))


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"look": {**LOOK, "of": ["raw", "corse"]}}, "losses.look.of: unknown entry of the record 'corse'"),
        ({"look": {**LOOK, "target": "imgae"}}, "losses.look.target: unknown entry of the record 'imgae'"),
        ({"game": {**GAME, "real": "edges_true"}}, "losses.game.real: unknown entry of the record 'edges_true'"),
        (
            {"latent": {"kind": "kl", "of": "posterior", "weight": 1.0}},
            "losses.latent: unknown entry of the record 'posterior_mu'",
        ),
        (
            {"look": {**LOOK, "network": "vgg19", "layers": ["pool5"]}},
            "data.size=16: losses.look: images of 16 x 16 pixels are too small for vgg19's pool5",
        ),
        (
            {"game": GAME, "more": {"kind": "feature_matching", "of": "raw", "weight": 1.0, "layers": [1]}},
            "losses.more: layers: 'discriminator' has the features 0 to 0, not 1",
        ),
    ],
)
def test_a_loss_that_does_not_go_with_the_record_is_named(losses, message):
    with pytest.raises(ConfigError) as caught:
        plan.rehearse(toy(**losses), size_px=16)
    assert str(caught.value).startswith(message)


def test_missing_vgg_weights_are_said_before_a_run_begins(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"the losses need vgg16-397923af\.pth and it cannot be fetched \(no net"):
        plan.rehearse(toy(look={**LOOK, "weights": "torchvision"}), size_px=16)


def test_a_rehearsal_changes_nothing():
    module = toy(game=GAME, matching=LOSSES["matching"], look=LOOK)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    plan.rehearse(module, size_px=16)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.discriminators.training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_memory_counts_what_every_update_keeps():
    plain = toy()
    looking = toy(look={**LOOK, "layers": ["relu1_2"]})
    needed = [plan.memory_bytes(module, size_px=16, samples=1) for module in (plain, looking)]
    # VGG's first two convolutions and their activations keep 64 features of every pixel each.
    assert needed[1] - needed[0] > 2 * 64 * 16 * 16 * 4
