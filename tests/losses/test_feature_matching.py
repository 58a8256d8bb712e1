import pytest
import torch
from torch import nn

from inpaint.errors import ConfigError
from inpaint.losses import DiscriminatorOutput, parse_losses


def matching(**options):
    block = {"kind": "feature_matching", "of": "completed", "weight": 1.0, **options}
    return parse_losses({"it": block}).terms["it"]


@pytest.fixture
def outputs():
    generator = torch.Generator().manual_seed(1)

    def output():
        features = tuple(torch.randn(2, c, s, s + 1, generator=generator) for c, s in ((4, 6), (8, 3), (2, 2)))
        return DiscriminatorOutput(torch.randn(2, 1, 3, 3, generator=generator), features)

    return output(), output()


@pytest.mark.parametrize(("norm", "reference"), [("l1", nn.L1Loss()), ("l2", nn.MSELoss())])
@pytest.mark.parametrize("layers", [None, [0, 2]])
def test_matching_adds_the_mean_distance_of_every_layer(outputs, norm, reference, layers):
    fake, real = outputs
    expected = sum(reference(fake.features[i], real.features[i]).item() for i in layers or (0, 1, 2))
    assert matching(norm=norm, layers=layers)(fake, real).item() == pytest.approx(expected, rel=1e-6)


def test_matching_can_compare_the_logits_themselves(outputs):
    fake, real = outputs
    expected = nn.MSELoss()(fake.logits, real.logits).item()
    found = matching(layers="scores", norm="l2")(fake, real).item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_matching_pulls_the_painted_picture_only(outputs):
    fake, real = (DiscriminatorOutput(o.logits, tuple(f.requires_grad_() for f in o.features)) for o in outputs)
    matching()(fake, real).backward()
    assert all(feature.grad is None for feature in real.features)
    assert all(feature.grad.abs().sum() > 0 for feature in fake.features)


def test_features_that_there_are_not_are_named(outputs):
    fake, real = outputs
    with pytest.raises(ConfigError, match="has the features 0 to 2, not 3"):
        matching(layers=[3])(fake, real)
    with pytest.raises(ConfigError, match="returns no features"):
        matching()(DiscriminatorOutput(fake.logits), DiscriminatorOutput(real.logits))
