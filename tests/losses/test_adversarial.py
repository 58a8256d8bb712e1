import numpy as np
import pytest
import torch
from torch import nn

from inpaint.errors import ConfigError
from inpaint.losses import Opinion, parse_losses
from inpaint.losses.penalties import gradient_penalty, r1_penalty


def term(kind, **options):
    losses = parse_losses({"game": {"kind": kind, "of": "completed", "weight": 1.0, **options}})
    return losses.terms["game"]


@pytest.fixture
def hinge():
    return term("hinge")


@pytest.fixture
def scores():
    return torch.randn(2, 2, 1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 3


def test_hinge_of_the_discriminator_matches_numpy(hinge):
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(2, 2, 4, 3, 5))
    expected = (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()) / 2
    assert hinge.for_discriminator(torch.as_tensor(real), torch.as_tensor(fake)).item() == pytest.approx(expected)


def test_an_undecided_discriminator_loses_one(hinge):
    nothing = torch.zeros(2, 3)
    assert hinge.for_discriminator(nothing, nothing).item() == 1.0


def test_scores_beyond_the_margin_cost_the_discriminator_nothing(hinge):
    assert hinge.for_discriminator(torch.full((2, 3), 1.5), torch.full((2, 3), -2.0)).item() == 0.0


def test_the_generator_gains_what_its_scores_gain(hinge):
    scores = torch.tensor([[1.0, -3.0], [0.5, 2.5]], requires_grad=True)
    hinge.for_generator(scores).backward()
    assert torch.equal(scores.grad, torch.full_like(scores, -0.25))


def test_the_non_saturating_game_is_the_cross_entropy_of_the_sigmoid(scores):
    game, entropy = term("nsgan"), nn.BCELoss()
    real, fake = scores
    true, false = torch.ones_like(real), torch.zeros_like(real)
    expected = (entropy(real.sigmoid(), true) + entropy(fake.sigmoid(), false)) / 2
    assert game.for_discriminator(real, fake).item() == pytest.approx(expected.item(), rel=1e-12)
    assert game.for_generator(fake).item() == pytest.approx(entropy(fake.sigmoid(), true).item(), rel=1e-12)


def test_the_non_saturating_game_keeps_its_gradient_where_a_sigmoid_has_none():
    hopeless = torch.tensor([-200.0], requires_grad=True)
    loss = term("nsgan").for_generator(hopeless)
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert hopeless.grad.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_least_squares_is_the_squared_distance_from_the_labels(scores, sigmoid):
    game, squares = term("lsgan", sigmoid=sigmoid), nn.MSELoss()
    real, fake = scores
    said = [s.sigmoid() if sigmoid else s for s in scores]
    true, false = torch.ones_like(real), torch.zeros_like(real)
    expected = (squares(said[0], true) + squares(said[1], false)) / 2
    assert game.for_discriminator(real, fake).item() == pytest.approx(expected.item(), rel=1e-12)
    assert game.for_generator(fake).item() == pytest.approx(squares(said[1], true).item(), rel=1e-12)


def test_wasserstein_is_the_difference_of_the_means(scores):
    game = term("wgan_gp")
    real, fake = scores.numpy()
    assert game.for_discriminator(*scores).item() == pytest.approx(fake.mean() - real.mean(), rel=1e-12)
    assert game.for_generator(scores[1]).item() == pytest.approx(-fake.mean(), rel=1e-12)


# Penalties ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures():
    return torch.rand(2, 2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def numeric_gradient(judge, picture, step=1e-5):
    """The gradient of the sum of each picture's scores by central differences."""
    gradient = torch.zeros_like(picture)
    flat = picture.flatten()
    for i in range(flat.numel()):
        ahead, behind = flat.clone(), flat.clone()
        ahead[i] += step
        behind[i] -= step
        rise = judge(ahead.view_as(picture)).sum() - judge(behind.view_as(picture)).sum()
        gradient.view(-1)[i] = rise / (2 * step)
    return gradient


def lively_judge(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 1, 3)).double()


def test_penalties_of_a_linear_judge_have_a_closed_form(pictures):
    direction = torch.arange(60, dtype=torch.float64).view(1, 3, 4, 5) / 100
    length = np.linalg.norm(direction.numpy())

    def judge(picture):
        return (picture * direction).sum(dim=(1, 2, 3))

    assert r1_penalty(judge, pictures[0]).item() == pytest.approx(length**2 / 2, rel=1e-12)
    assert gradient_penalty(judge, *pictures).item() == pytest.approx((length - 1) ** 2, rel=1e-12)
    mask = torch.zeros(2, 1, 4, 5, dtype=torch.float64)
    mask[..., 1:3, 2:] = 1
    inside = np.linalg.norm((direction * mask[:1]).numpy())
    assert gradient_penalty(judge, *pictures, mask=mask).item() == pytest.approx((inside - 1) ** 2, rel=1e-12)


def test_r1_matches_finite_differences(pictures):
    judge = lively_judge()
    with torch.no_grad():
        expected = (numeric_gradient(judge, pictures[0]) ** 2).sum().item() / 2 / len(pictures[0])
    assert r1_penalty(judge, pictures[0]).item() == pytest.approx(expected, rel=1e-6)


def test_the_gradient_penalty_matches_finite_differences_at_the_points_drawn(pictures):
    judge = lively_judge()
    real, fake = pictures
    torch.manual_seed(5)
    found = gradient_penalty(judge, real, fake).item()
    torch.manual_seed(5)
    shares = torch.rand(2, 1, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        gradient = numeric_gradient(judge, real * (1 - shares) + fake * shares).numpy()
    expected = np.mean([(np.linalg.norm(one) - 1) ** 2 for one in gradient])
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("penalty", [r1_penalty, lambda judge, real: gradient_penalty(judge, real, 1 - real)])
def test_penalties_move_the_weights_of_the_judge(pictures, penalty):
    judge = lively_judge()
    weight = judge[0].weight
    torch.manual_seed(9)
    penalty(judge, pictures[0]).backward()
    values, step = [], 1e-6
    for shift in (step, -2 * step):
        with torch.no_grad():
            weight.view(-1)[7] += shift
        torch.manual_seed(9)
        values.append(penalty(judge, pictures[0]).item())
    assert weight.grad.view(-1)[7].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


# Feature matching ----------------------------------------------------------------------------------------------------


@pytest.fixture
def opinions():
    generator = torch.Generator().manual_seed(1)

    def opinion():
        features = tuple(torch.randn(2, c, s, s + 1, generator=generator) for c, s in ((4, 6), (8, 3), (2, 2)))
        return Opinion(torch.randn(2, 1, 3, 3, generator=generator), features)

    return opinion(), opinion()


@pytest.mark.parametrize(("norm", "reference"), [("l1", nn.L1Loss()), ("l2", nn.MSELoss())])
@pytest.mark.parametrize("layers", [None, [0, 2]])
def test_matching_adds_the_mean_distance_of_every_layer(opinions, norm, reference, layers):
    fake, real = opinions
    expected = sum(reference(fake.features[i], real.features[i]).item() for i in layers or (0, 1, 2))
    assert term("feature_matching", norm=norm, layers=layers)(fake, real).item() == pytest.approx(expected, rel=1e-6)


def test_matching_can_compare_the_scores_themselves(opinions):
    fake, real = opinions
    expected = nn.MSELoss()(fake.scores, real.scores).item()
    found = term("feature_matching", layers="scores", norm="l2")(fake, real).item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_matching_pulls_the_painted_picture_only(opinions):
    fake, real = (Opinion(o.scores, tuple(f.requires_grad_() for f in o.features)) for o in opinions)
    term("feature_matching")(fake, real).backward()
    assert all(feature.grad is None for feature in real.features)
    assert all(feature.grad.abs().sum() > 0 for feature in fake.features)


def test_features_that_there_are_not_are_named(opinions):
    fake, real = opinions
    with pytest.raises(ConfigError, match="has the features 0 to 2, not 3"):
        term("feature_matching", layers=[3])(fake, real)
    with pytest.raises(ConfigError, match="shows no features"):
        term("feature_matching")(Opinion(fake.scores), Opinion(real.scores))
