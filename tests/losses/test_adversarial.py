import numpy as np
import pytest
import torch
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter1d
from torch import nn

from inpaint.errors import ConfigError
from inpaint.losses import DiscriminatorOutput, parse_losses
from inpaint.losses.gradient_penalty import gradient_penalty, r1_penalty


def term(kind, **options):
    losses = parse_losses({"it": {"kind": kind, "of": "completed", "weight": 1.0, **options}})
    return losses.terms["it"]


@pytest.fixture
def hinge():
    return term("hinge")


@pytest.fixture
def logits():
    return torch.randn(2, 2, 1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 3


def test_hinge_of_the_discriminator_matches_numpy(hinge):
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(2, 2, 4, 3, 5))
    expected = (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()) / 2
    assert hinge.discriminator_loss(torch.as_tensor(real), torch.as_tensor(fake)).item() == pytest.approx(expected)


def test_an_undecided_discriminator_loses_one(hinge):
    nothing = torch.zeros(2, 3)
    assert hinge.discriminator_loss(nothing, nothing).item() == 1.0


def test_logits_beyond_the_margin_cost_the_discriminator_nothing(hinge):
    assert hinge.discriminator_loss(torch.full((2, 3), 1.5), torch.full((2, 3), -2.0)).item() == 0.0


def test_the_generator_gains_what_its_logits_gain(hinge):
    logits = torch.tensor([[1.0, -3.0], [0.5, 2.5]], requires_grad=True)
    hinge.generator_loss(logits).backward()
    assert torch.equal(logits.grad, torch.full_like(logits, -0.25))


def test_the_non_saturating_loss_is_the_cross_entropy_of_the_sigmoid(logits):
    loss, entropy = term("nsgan"), nn.BCELoss()
    real, fake = logits
    true, false = torch.ones_like(real), torch.zeros_like(real)
    expected = (entropy(real.sigmoid(), true) + entropy(fake.sigmoid(), false)) / 2
    assert loss.discriminator_loss(real, fake).item() == pytest.approx(expected.item(), rel=1e-12)
    assert loss.generator_loss(fake).item() == pytest.approx(entropy(fake.sigmoid(), true).item(), rel=1e-12)


def test_without_halves_the_discriminator_loses_twice_as_much(logits):
    whole, half = (term("nsgan", halves=halves).discriminator_loss(*logits).item() for halves in (False, True))
    assert whole == pytest.approx(2 * half, rel=1e-12)


def test_the_gradient_of_the_mask_counts_in_r1_where_it_is_given(logits):
    image, mask = torch.rand(2, 3, 4, 5, dtype=torch.float64), torch.rand(2, 1, 4, 5, dtype=torch.float64)

    def discriminator(image, mask):
        return (image.square().sum(dim=(1, 2, 3)) + 3 * mask.square().sum(dim=(1, 2, 3))).view(-1, 1)

    of_image = (2 * image).square().sum(dim=(1, 2, 3)).mean().item() / 2
    of_mask = (6 * mask).square().sum(dim=(1, 2, 3)).mean().item() / 2
    assert r1_penalty(lambda shown: discriminator(shown, mask), image).item() == pytest.approx(of_image, rel=1e-12)
    both = r1_penalty(discriminator, image, mask, mask_weight=0.25).item()
    assert both == pytest.approx(of_image + of_mask / 4, rel=1e-12)


def test_the_non_saturating_loss_keeps_its_gradient_where_a_sigmoid_has_none():
    hopeless = torch.tensor([-200.0], requires_grad=True)
    loss = term("nsgan").generator_loss(hopeless)
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert hopeless.grad.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_least_squares_is_the_squared_distance_from_the_labels(logits, sigmoid):
    loss, squares = term("lsgan", sigmoid=sigmoid), nn.MSELoss()
    real, fake = logits
    outputs = [s.sigmoid() if sigmoid else s for s in logits]
    true, false = torch.ones_like(real), torch.zeros_like(real)
    expected = (squares(outputs[0], true) + squares(outputs[1], false)) / 2
    assert loss.discriminator_loss(real, fake).item() == pytest.approx(expected.item(), rel=1e-12)
    assert loss.generator_loss(fake).item() == pytest.approx(squares(outputs[1], true).item(), rel=1e-12)


def test_wasserstein_is_the_difference_of_the_means(logits):
    loss = term("wgan_gp")
    real, fake = logits.numpy()
    assert loss.discriminator_loss(*logits).item() == pytest.approx(fake.mean() - real.mean(), rel=1e-12)
    assert loss.generator_loss(logits[1]).item() == pytest.approx(-fake.mean(), rel=1e-12)


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


def test_matching_pulls_the_painted_image_only(outputs):
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


@pytest.fixture
def images():
    return torch.rand(2, 2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def numeric_gradient(discriminator, image, step=1e-5):
    """The gradient of the sum of each image's logits by central differences."""
    gradient = torch.zeros_like(image)
    flat = image.flatten()
    for i in range(flat.numel()):
        ahead, behind = flat.clone(), flat.clone()
        ahead[i] += step
        behind[i] -= step
        rise = discriminator(ahead.view_as(image)).sum() - discriminator(behind.view_as(image)).sum()
        gradient.view(-1)[i] = rise / (2 * step)
    return gradient


def lively_discriminator(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 1, 3)).double()


def test_penalties_of_a_linear_discriminator_have_a_closed_form(images):
    direction = torch.arange(60, dtype=torch.float64).view(1, 3, 4, 5) / 100
    length = np.linalg.norm(direction.numpy())

    def discriminator(image):
        return (image * direction).sum(dim=(1, 2, 3))

    assert r1_penalty(discriminator, images[0]).item() == pytest.approx(length**2 / 2, rel=1e-12)
    assert gradient_penalty(discriminator, *images).item() == pytest.approx((length - 1) ** 2, rel=1e-12)
    mask = torch.zeros(2, 1, 4, 5, dtype=torch.float64)
    mask[..., 1:3, 2:] = 1
    inside = np.linalg.norm((direction * mask[:1]).numpy())
    assert gradient_penalty(discriminator, *images, mask=mask).item() == pytest.approx((inside - 1) ** 2, rel=1e-12)


def test_r1_matches_finite_differences(images):
    discriminator = lively_discriminator()
    with torch.no_grad():
        expected = (numeric_gradient(discriminator, images[0]) ** 2).sum().item() / 2 / len(images[0])
    assert r1_penalty(discriminator, images[0]).item() == pytest.approx(expected, rel=1e-6)


def test_the_gradient_penalty_matches_finite_differences_at_the_points_drawn(images):
    discriminator = lively_discriminator()
    real, fake = images
    torch.manual_seed(5)
    found = gradient_penalty(discriminator, real, fake).item()
    torch.manual_seed(5)
    shares = torch.rand(2, 1, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        gradient = numeric_gradient(discriminator, real * (1 - shares) + fake * shares).numpy()
    expected = np.mean([(np.linalg.norm(one) - 1) ** 2 for one in gradient])
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "penalty", [r1_penalty, lambda discriminator, real: gradient_penalty(discriminator, real, 1 - real)]
)
def test_penalties_move_the_weights_of_the_discriminator(images, penalty):
    discriminator = lively_discriminator()
    weight = discriminator[0].weight
    torch.manual_seed(9)
    penalty(discriminator, images[0]).backward()
    values, step = [], 1e-6
    for shift in (step, -2 * step):
        with torch.no_grad():
            weight.view(-1)[7] += shift
        torch.manual_seed(9)
        values.append(penalty(discriminator, images[0]).item())
    assert weight.grad.view(-1)[7].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("patches", ["nearest", "max"])
def test_generated_patches_outside_the_hole_count_as_real(patches):
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(2, 2, 1, 3, 2))
    mask = np.zeros((2, 1, 6, 4))
    mask[0, 0, 2, 0] = mask[1, 0, 1, 3] = 1  # the first pixel of a patch; the last pixel of one
    pixels = mask.reshape(2, 1, 3, 2, 2, 2)
    hole = pixels[:, :, :, 0, :, 0] if patches == "nearest" else pixels.max(axis=(3, 5))
    assert hole.sum() == (1 if patches == "nearest" else 2)
    expected = np.log1p(np.exp(-real)).mean()
    expected += (hole * np.log1p(np.exp(fake)) + (1 - hole) * np.log1p(np.exp(-fake))).mean()
    loss = term("masked_nsgan", patches=patches)
    tensors = (torch.as_tensor(each) for each in (real, fake, mask))
    assert loss.discriminator_loss_around(*tensors).item() == pytest.approx(expected, rel=1e-12)


def test_of_a_hole_everywhere_the_masked_loss_is_twice_the_non_saturating_one(logits):
    masked, plain = term("masked_nsgan"), term("nsgan")
    ones = torch.ones(2, 1, 8, 6, dtype=torch.float64)
    real, fake = logits
    expected = 2 * plain.discriminator_loss(real, fake).item()
    assert masked.discriminator_loss_around(real, fake, ones).item() == pytest.approx(expected, rel=1e-12)
    assert masked.discriminator_loss(real, fake).item() == pytest.approx(expected, rel=1e-12)
    assert masked.generator_loss(fake).item() == pytest.approx(plain.generator_loss(fake).item(), rel=1e-12)


# Labels that fade into the hole --------------------------------------------------------------------------------------


def enlarged(logits, height, width):
    """Bilinear with aligned corners: SciPy's interpolation along each axis in turn."""
    for axis, size in ((-2, height), (-1, width)):
        places = np.arange(logits.shape[axis])
        logits = interp1d(places, logits, axis=axis)(np.linspace(0, places[-1], size))
    return logits


def blurred_mask(mask, sigma, radius):
    for axis in (-2, -1):
        mask = gaussian_filter1d(mask, sigma, axis=axis, mode="constant", radius=radius)
    return mask


@pytest.fixture
def faded():
    """Logits of real and of generated images (2, 1, 3, 4), and a mask (2, 1, 40, 52)."""
    rng = np.random.default_rng(5)
    mask = np.zeros((2, 1, 40, 52))
    mask[0, 0, 5:20, 30:] = mask[1, 0, 10:35, 8:30] = 1
    return (*rng.normal(size=(2, 2, 1, 3, 4)), mask)


@pytest.mark.parametrize("options", [{}, {"sigma_px": 3.0, "radius_px": 9}], ids=["official", "narrow"])
@pytest.mark.parametrize("origin", [False, True])
def test_labels_of_generated_pixels_fade_into_the_hole(faded, origin, options):
    real, fake, mask = faded
    soft = blurred_mask(mask, options.get("sigma_px", 10.0), options.get("radius_px", 35))
    assert 0 < soft[1, 0, 10, 8] < 0.5 < soft[1, 0, 22, 19]
    real_label, fake_label = (0, soft) if origin else (1, 1 - soft)
    shown = [enlarged(each, 40, 52) for each in (real, fake)]
    expected = ((shown[0] - real_label) ** 2).mean() + ((shown[1] - fake_label) ** 2).mean()
    loss = term("sm_gan", origin=origin, **options)
    tensors = (torch.as_tensor(each) for each in faded)
    assert loss.discriminator_loss_around(*tensors).item() == pytest.approx(expected, rel=1e-10)


def test_the_generator_is_asked_for_real_pixels_in_the_hole_and_by_the_origin_everywhere(faded):
    _, fake, mask = faded
    record = {"mask": torch.as_tensor(mask), "hole_share": torch.as_tensor(mask.mean())}
    squares = (enlarged(fake, 40, 52) - 1) ** 2
    for origin, expected in ((False, squares[mask == 1].mean()), (True, squares.mean())):
        loss = term("sm_gan", origin=origin).generator_loss_around(torch.as_tensor(fake), record)
        assert loss.item() == pytest.approx(expected, rel=1e-10)


def test_images_without_a_hole_ask_nothing_of_the_generator(faded):
    _, fake, mask = (torch.as_tensor(each) for each in faded)
    record = {"mask": torch.zeros_like(mask), "hole_share": mask.new_zeros(())}
    assert term("sm_gan").generator_loss_around(fake, record).item() == 0


@pytest.mark.parametrize("origin", [False, True])
def test_deep_inside_of_a_hole_labels_are_those_of_images_that_are_all_hole(origin):
    loss = term("sm_gan", origin=origin, sigma_px=0.5, radius_px=2)
    real, fake = torch.full((2, 1, 1, 3, 3), 0.25, dtype=torch.float64) * torch.tensor([1, 2]).view(2, 1, 1, 1, 1)
    mask = torch.ones(1, 1, 400, 400, dtype=torch.float64)
    around = loss.discriminator_loss_around(real, fake, mask).item()
    assert around == pytest.approx(loss.discriminator_loss(real, fake).item(), abs=0.01)
    record = {"mask": mask, "hole_share": mask.mean()}
    assert loss.generator_loss_around(fake, record).item() == pytest.approx(loss.generator_loss(fake).item())
