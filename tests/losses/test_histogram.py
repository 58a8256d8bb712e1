import numpy as np
import pytest
import torch

from inpaint.losses import parse_losses
from inpaint.losses.histogram import histogram_matched
from inpaint.nn import vgg
from inpaint.nn.vgg import VGG, normalized

LARGEST = 1e-9


def tensor(array):
    return torch.as_tensor(array)[None]


def apart(got, expected):
    expected = torch.as_tensor(expected)
    return float((got.detach() - expected).abs().max() / expected.abs().max())


@pytest.fixture
def features():
    draw = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 5, 7, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("name", ["equal", "more_input", "more_style", "relu", "masked"])
def test_matches_are_those_of_the_definition(parity, name):
    cases = {key.removeprefix(f"{name}_"): array for key, array in parity.cases("histogram").items()}
    masks = {}
    if name == "masked":
        masks = {
            "mask": torch.as_tensor(cases["mask_input"] > 0),
            "style_mask": torch.as_tensor(cases["mask_style"] > 0),
        }
    given = tensor(cases["input"])
    matched = histogram_matched(given, tensor(cases["style"]), **masks)[0]
    if name != "relu":  # there zeros are equal: any order of them is right, and gives the same loss
        assert apart(matched, cases["matched"]) <= LARGEST
        assert apart(2 * (given[0] - matched), cases["grad"]) <= LARGEST
    assert apart((given[0] - matched).square().sum(), cases["loss"]) <= LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["relu1_1", "relu4_1"])
def test_the_loss_of_a_network_has_the_gradient_of_the_definition(parity, tmp_path, layer):
    cases = parity.cases("histogram")
    file = next(place for place in parity.write("vgg19", tmp_path) if "random" not in place.name)
    pictures = (
        torch.as_tensor(cases[name]).permute(2, 0, 1)[None].double() / 255 for name in ("picture", "style_picture")
    )
    raw, image = pictures
    raw.requires_grad_()
    network = VGG("vgg19", weights=str(file)).double()
    found = [network(normalized(shown), [layer])[layer] for shown in (raw, image)]
    matched = histogram_matched(found[0].detach(), found[1])
    loss = (found[0] - matched).square().sum()
    assert apart(loss, cases[f"network_{layer}_loss_sum"]) <= LARGEST
    assert apart(matched[0].mean(dim=(1, 2)), cases[f"network_{layer}_matched_mean"]) <= LARGEST
    assert apart(torch.autograd.grad(loss, raw)[0][0], cases[f"network_{layer}_grad"]) <= LARGEST


def test_features_have_the_styles_values_in_their_own_order(features):
    style = torch.rand(1, 3, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    matched = histogram_matched(features, style)
    for image in range(2):
        for channel in range(3):
            own, given = matched[image, channel].flatten(), features[image, channel].flatten()
            assert torch.equal(own.sort().values, style[0, channel].flatten().sort().values)
            assert torch.equal(own.argsort(), given.argsort())


def test_matching_with_themselves_changes_nothing(features):
    assert torch.equal(histogram_matched(features, features), features)


def test_ranks_are_numpys_quantiles_between_the_sizes(features):
    style = np.random.default_rng(0).random((1, 3, 4, 3))
    matched = histogram_matched(features, torch.as_tensor(style))
    shares = (np.arange(35) + 0.5) / 35
    for channel in range(3):
        expected = np.quantile(style[0, channel], shares, method="hazen")
        np.testing.assert_allclose(np.sort(matched[1, channel].flatten().numpy()), expected, rtol=1e-12)


def test_nothing_outside_the_mask_changes_or_counts(features):
    mask = torch.zeros(5, 7, dtype=torch.bool)
    mask[1:4, 2:5] = True
    matched = histogram_matched(features, features + 10, mask=mask, style_mask=mask)
    torch.testing.assert_close(matched[..., mask], features[..., mask] + 10)
    assert torch.equal(matched[..., ~mask], features[..., ~mask])


def test_nothing_selected_matches_nothing(features):
    empty = torch.zeros(5, 7, dtype=torch.bool)
    assert torch.equal(histogram_matched(features, features + 1, mask=empty), features)
    assert torch.equal(histogram_matched(features, features + 1, style_mask=empty), features)


def test_one_value_of_style_goes_everywhere(features):
    assert torch.equal(
        histogram_matched(features, features.new_full((1, 3, 1, 1), 5.0)), torch.full_like(features, 5.0)
    )


def test_the_term_compares_features_with_their_matches(monkeypatch):
    monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))
    draw = torch.Generator().manual_seed(3)
    raw, image = torch.rand(2, 1, 3, 9, 12, generator=draw, dtype=torch.float64)
    raw.requires_grad_()
    options = {"kind": "histogram", "of": "raw", "weight": 1.0, "weights": "random", "layers": ["relu1_2", "relu2_1"]}
    loss = parse_losses({"it": options}).of_record({"raw": raw, "image": image})["it"]
    network = VGG("vgg16", weights="random").double()
    expected = 0.0
    for layer in options["layers"]:
        own, real = (network(normalized(shown), [layer])[layer] for shown in (raw, image))
        expected = expected + (own - histogram_matched(own.detach(), real)).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    ours, theirs = (torch.autograd.grad(value, raw)[0] for value in (loss, expected))
    torch.testing.assert_close(ours, theirs)
