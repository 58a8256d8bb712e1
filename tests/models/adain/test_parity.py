"""What the PyTorch program of AdaIN (naoto0804) computed, from its checkpoints through our importer, in float64."""

import pytest
import torch

from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.adain.config import AdainOptions
from inpaint.models.adain.reference import Reference
from inpaint.models.adain.training import Training
from inpaint.models.styling import StyleInput
from inpaint.registry.loading import built
from inpaint.registry.stylizers import load_stylizer
from inpaint.style.transforms import Moments, adain, affine, moments
from inpaint.types import StylePart

SINGLE, FLOAT32 = 1e-9, 1e-4  # largest difference, as a share of the largest value


def apart(got, expected):
    expected = torch.as_tensor(expected)
    return float((got.detach().double() - expected).abs().max() / expected.abs().max())


@pytest.fixture(scope="module")
def cases(parity):
    return {
        name: torch.as_tensor(array) for name, array in parity.cases("adain_naoto0804").items() if array.dtype != "<U9"
    }


@pytest.fixture(scope="module")
def imported(import_public):
    return import_public("adain_naoto0804", origin="naoto0804")


@pytest.fixture(scope="module")
def network(imported):
    return built(str(imported), device="cpu", dtype="float64")[0]


def picture(array):
    return (array if array.ndim == 4 else array[None]).permute(0, 3, 1, 2).double() / 255


def test_features_and_their_statistics_are_the_program_s(network, cases):
    for name in ("content", "style_1", "style_2"):
        features = network.features(picture(cases[name]))[0]
        if name != "style_2":
            assert apart(features, cases[f"{name}_feature"]) <= SINGLE
        found = moments(features.flatten(1), covariance=False)
        assert apart(found.mean[:, 0], cases[f"{name}_mean"]) <= SINGLE
        assert apart((found.spread[:, 0] + 1e-5).sqrt(), cases[f"{name}_std"]) <= SINGLE


@pytest.mark.parametrize("plain", [pytest.param(True, marks=pytest.mark.slow), False])
def test_images_of_any_strength_are_the_program_s(network, cases, plain):
    paint = Reference(network).double() if plain else network
    content, style = picture(cases["content"]), picture(cases["style_1"])
    with torch.no_grad():
        for strength, name in ((1.0, "output"), (0.6, "output_alpha_0.6"), (0.0, "output_alpha_0")):
            assert apart(paint(content, style, strength)[0], cases[name]) <= SINGLE
        recolored = cases["coral"][None]
        assert apart(paint(content, recolored)[0], cases["output_coral"]) <= SINGLE


def test_images_in_float32_are_near(imported, cases):
    network, _ = built(str(imported), device="cpu", dtype="float32")
    with torch.no_grad():
        painted = network(picture(cases["content"]).float(), picture(cases["style_1"]).float())
    assert apart(painted[0], cases["output"]) <= FLOAT32


def test_mixtures_of_styles_are_the_program_s(network, cases):
    styles = [
        StyleInput(image=picture(cases[f"style_{number}"]), weight=float(weight))
        for number, weight in enumerate(cases["interpolation_weights"], 1)
    ]
    # The program reads contents of any size; the adapter mirrors them to a multiple of 8 before.
    content = picture(cases["content"])
    features = [network.features(style.image) for style in styles]
    own = network.features(content)
    for strength, name in ((1.0, "output_interpolation"), (0.5, "output_interpolation_alpha_0.5")):
        target = sum(style.weight * adain(own, each) for style, each in zip(styles, features, strict=True))
        painted = network.decoder(torch.lerp(own, target, strength))
        assert apart(painted[0], cases[name]) <= SINGLE
    even = content[:, :, :48, :64]
    with torch.no_grad():
        found = network.stylize(even, styles, AdainOptions(strength=0.5), seed=0)
        own = network.features(even)
        target = sum(style.weight * adain(own, each) for style, each in zip(styles, features, strict=True))
        assert torch.allclose(found, network.decoder(torch.lerp(own, target, 0.5)), rtol=0, atol=1e-9)


def test_photos_are_painted_as_by_the_program_where_sizes_need_no_mirroring(imported, cases):
    stylizer = load_stylizer(str(imported), device="cpu", dtype="float64", scale=None)
    content, style = (cases[name].numpy().astype("float32") / 255 for name in ("style_2", "style_1"))
    found = stylizer.stylize(content, [StylePart(style=style)]).image
    network, _ = built(str(imported), device="cpu", dtype="float64")
    with torch.no_grad():
        expected = network(picture(cases["style_2"]), picture(cases["style_1"])).clamp(0, 1)[0]
    assert torch.allclose(torch.from_numpy(found).permute(2, 0, 1).double(), expected, atol=1e-6)


def test_the_program_s_recoloring_is_a_whitening_and_coloring_of_colors(cases):
    content, style = (cases[name].permute(2, 0, 1).flatten(1).double() / 255 for name in ("content", "style_1"))
    own, wanted = (Moments(x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True)) for x in (style, content))
    # Of standardized colors; products are not divided by how many there are, so that the identity hardly counts.
    products = [((x - m.mean) / m.spread) @ ((x - m.mean) / m.spread).T for x, m in ((style, own), (content, wanted))]
    none = torch.zeros(3, 1, dtype=torch.float64)
    to_own, to_wanted = (Moments(none, each + torch.eye(3, dtype=torch.float64)) for each in products)
    moved = affine("wct", to_own, to_wanted)((style - own.mean) / own.spread)
    assert apart((moved * wanted.spread + wanted.mean).view(3, 64, 48), cases["coral"]) <= SINGLE


def test_the_operation_and_its_gradient_are_the_program_s(cases):
    content = cases["op_content"].clone().requires_grad_()
    found = adain(content, cases["op_style"])
    assert apart(found, cases["op_output"]) <= SINGLE
    (gradient,) = torch.autograd.grad(found, content, cases["op_grad_output"])
    assert apart(gradient, cases["op_grad_content"]) <= SINGLE


def test_losses_gradients_and_the_optimizer_s_step_are_the_program_s(network, cases, parity):
    values = load_config(["model=adain", "model.encoder_weights=random"])
    module = Training(network.config, losses=parse_losses(values.losses), loop=values.loop).double()
    module.network.load_state_dict(network.state_dict())
    batch = {
        "image": picture(cases["train_content"]),
        "style": picture(cases["train_style"]),
        "mask": torch.ones(2, 1, 64, 64, dtype=torch.float64),
    }
    total, found = module.generator_losses(module.record(batch))
    assert apart(found["content"], cases["train_content_loss"]) <= SINGLE
    assert apart(found["style"], cases["train_style_loss"]) <= SINGLE
    assert apart(module.record(batch)["raw"], cases["train_decoded"]) <= 1e-6  # stored in float32
    names = [str(name) for name in parity.cases("adain_naoto0804")["train_parameter_names"]]
    parameters = list(module.network.decoder.parameters())
    gradients = dict(zip(names, torch.autograd.grad(total, parameters), strict=True))
    norms = torch.stack([gradient.norm() for gradient in gradients.values()])
    assert apart(norms, cases["train_grad_norm"]) <= SINGLE
    for name in ("1.bias", "18.bias", "28.weight", "28.bias"):
        assert apart(gradients[name], cases[f"train_grad/{name}"]) <= SINGLE
    (optimizer,) = module.configure_optimizers()
    for parameter, gradient in zip(parameters, gradients.values(), strict=True):
        parameter.grad = gradient
    optimizer.step()
    _, found = module.generator_losses(module.record(batch))
    assert apart(found["content"], cases["train_content_loss_after_step"]) <= 1e-8
    assert apart(found["style"], cases["train_style_loss_after_step"]) <= 1e-8
