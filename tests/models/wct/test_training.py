import pytest
import torch

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.wct.config import Config
from inpaint.models.wct.training import Training

BATCH = {
    "image": torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)),
    "mask": torch.ones(2, 1, 16, 24),
}


def training(**fields):
    values = config.load(["model=wct", "optimizers.generator.lr=3e-3"])
    return Training(Config(**Config.SMALL, **fields), losses=parse_losses(values.losses), loop=values.loop)


def test_decoders_learn_to_paint_what_the_encoder_has_read():
    module = training()
    assert list(module.losses.terms) == [f"{kind}_{n}" for kind in ("image", "features") for n in (1, 2, 3)]
    before = [parameter.clone() for parameter in module.network.encoder.parameters()]
    (optimizer,) = module.configure_optimizers()
    seen = []
    for _ in range(60):
        record = module.record(BATCH)
        total, _ = module.generator_losses(record)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        seen.append(total.item())
    assert seen[-1] < 0.5 * seen[0]
    assert all(torch.equal(*pair) for pair in zip(before, module.network.encoder.parameters(), strict=True))
    assert module.measure(BATCH, record)["objective"].item() == pytest.approx(seen[-1], rel=1e-5)
    assert list(module.panel(BATCH, record)) == ["content", "level 1", "level 2", "level 3"]


def test_decoders_are_trained_one_after_the_other_where_that_is_asked_for():
    module = training(trained=(2,))
    assert list(module.losses.terms) == ["image_2", "features_2"]
    total, _ = module.generator_losses(module.record(BATCH))
    total.backward()
    learned = {name.partition(".")[0] for name, each in module.network.named_parameters() if each.grad is not None}
    assert learned == {"decoder_2"}
