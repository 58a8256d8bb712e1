"""What a PyTorch program of WCT (irasin) computed, from its checkpoints through our importer, in float64."""

import pytest
import torch

from inpaint.models.styling import StyleInput
from inpaint.models.wct.config import WctOptions
from inpaint.models.wct.reference import Reference
from inpaint.registry.loading import built
from inpaint.style.restyling import moments_of
from inpaint.style.transforms import Moments, Region, affine, moments, transformed

SINGLE = 1e-9  # largest difference, as a share of the largest value
STORED32 = 2e-7  # the same where values are stored in float32
LEVELS = (5, 4, 3, 2, 1)


def apart(got, expected):
    expected = torch.as_tensor(expected)
    return float((got.detach().double() - expected).abs().max() / expected.abs().max())


def limit(array):
    return SINGLE if array.dtype == torch.float64 else STORED32


@pytest.fixture(scope="module")
def cases(parity):
    return {name: torch.as_tensor(array) for name, array in parity.cases("wct_irasin").items()}


@pytest.fixture(scope="module")
def imported(import_public):
    return import_public("wct_irasin", origin="irasin")


@pytest.fixture(scope="module")
def network(imported):
    return built(str(imported), device="cpu", dtype="float64")[0]


def picture(array):
    return array[None].permute(0, 3, 1, 2).double() / 255


def everywhere(style, size):
    return Region(style, share=torch.ones(size, dtype=torch.float64))


@pytest.mark.slow
def test_every_level_reads_moves_and_paints_as_the_program_does(network, cases):
    image, style = picture(cases["content"]), picture(cases["style"])
    with torch.no_grad():
        for level in LEVELS:
            coder = network.coder(level)
            own = coder.encoder(image, [level])[level][0]
            if (name := f"level{level}_content") in cases:
                assert apart(own, cases[name]) <= limit(cases[name])
            wanted = moments_of(coder, style, None, kind="wct")
            found = moments(own.flatten(1), covariance=True)
            ranks = [int((torch.linalg.eigvalsh(each.spread) >= 1e-5).sum()) for each in (found, wanted)]
            assert ranks == cases[f"level{level}_rank"].tolist()
            region = everywhere(wanted, own.shape[-2:])
            moved = transformed("wct", own, [region])
            rows = {"": moved, "_alpha_0.6": transformed("wct", own, [region], strength=0.6)}
            for kind, features in rows.items():
                if (name := f"level{level}_transformed{kind}") in cases:
                    assert apart(features, cases[name]) <= max(limit(cases[name]), 1e-8)
                assert apart(features.std(dim=(1, 2)), cases[f"{name}_std"]) <= 1e-8
            assert apart(moved.mean(dim=(1, 2)), cases[f"level{level}_transformed_mean"]) <= 1e-8
            raised = found._replace(spread=found.spread + torch.eye(len(own), dtype=torch.float64))
            other = affine("wct", raised, wanted)(own.flatten(1))
            assert apart(other.std(dim=1), cases[f"level{level}_sunshineatnoon_std"]) <= 1e-8
            image = coder.decoder(moved[None])
            name = f"level{level}_image"
            assert apart(image[0], cases[name]) <= max(limit(cases[name]), 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "output"),
        ({"strength": 0.6}, "output_alpha_0.6"),
        ({"strength": 0.6, "levels": (4,)}, "single_level4"),
        ({"strength": 0.6, "levels": (1,)}, "single_level1"),
    ],
)
def test_images_are_the_program_s(network, cases, options, name):
    with torch.no_grad():
        painted = network.stylize(
            picture(cases["content"]), [StyleInput(image=picture(cases["style"]))], WctOptions(**options), seed=0
        )
    assert apart(painted[0], cases[name]) <= 1e-7


@pytest.mark.slow
def test_the_plain_arithmetic_is_the_program_s(network, cases):
    with torch.no_grad():
        painted = Reference(network).styled(picture(cases["content"]), picture(cases["style"]), strength=1.0)
    assert apart(painted[0], cases["output"]) <= 1e-7


@pytest.mark.parametrize(
    ("content", "style", "strength", "name"),
    [
        ("op_content", "op_style", 1.0, "op_output"),
        ("op_content_low_rank", "op_style", 1.0, "op_output_low_rank"),
    ],
)
def test_the_transform_alone_is_the_program_s(cases, content, style, strength, name):
    own, wanted = cases[content][0], moments(cases[style][0].flatten(1), covariance=True)
    found = transformed("wct", own, [everywhere(wanted, own.shape[-2:])], strength=strength)
    assert apart(found, cases[name][0]) <= SINGLE


def test_the_identity_that_another_program_adds_can_be_added(cases):
    own, wanted = (moments(cases[f"op_{name}"][0].flatten(1), covariance=True) for name in ("content", "style"))
    raised = Moments(own.mean, own.spread + torch.eye(6, dtype=torch.float64))
    found = affine("wct", raised, wanted)(cases["op_content"][0].flatten(1))
    assert apart(found.view(6, 5, 7), cases["op_output_identity"]) <= SINGLE
