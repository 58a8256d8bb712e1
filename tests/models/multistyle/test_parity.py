"""Networks of many styles: outputs, mixtures, losses and gradients of the authors' program and of a port."""

from __future__ import annotations

import re

import pytest
import torch

from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.image_transform import ConditionalNorm
from inpaint.models.multistyle.training import Training
from inpaint.models.multistyle.weights import magenta_name, port_name
from inpaint.registry.initial import architecture, load_initial
from inpaint.registry.stylizers import load_stylizer
from inpaint.weights.files import read_metadata

LIMIT = 1e-9  # largest difference as a share of the largest value
SINGLE = 1e-7  # of arrays that are stored in single precision
COEFFICIENTS = (1.0, 0.7, 1.3, 1.8)
PORT_LOSSES = [
    "losses.content={layers: [relu3_3], pooling: max, normalize_input: true}",
    "losses.style={gram: chw, pooling: max, normalize_input: true, weight: 1e6}",
]


@pytest.fixture(scope="module")
def folders(import_public):
    """The imports of both programs' files."""
    return {origin: import_public(origin) for origin in ("magenta", "ryanwongsa")}


@pytest.fixture(scope="module")
def cases(parity):
    return {origin: parity.cases(origin) for origin in ("magenta", "ryanwongsa")}


def unit(photo):
    """(..., H, W, 3) bytes as (B, 3, H, W) in [0, 1]."""
    batch = torch.from_numpy(photo if photo.ndim == 4 else photo[None])
    return batch.permute(0, 3, 1, 2).double() / 255


def apart(got, expected):
    expected = torch.as_tensor(expected).double()
    return float((got.detach().double() - expected).abs().max() / expected.abs().max())


@pytest.fixture(scope="module")
def paint(folders, cases):
    """`paint(origin, rows)` paints the program's photo once for each row of weights."""
    networks = {
        origin: load_stylizer(str(folder), device="cpu", dtype="float64").network for origin, folder in folders.items()
    }

    def painted(origin, rows):
        image = unit(cases[origin]["image"]).expand(len(rows), -1, -1, -1)
        with torch.inference_mode():
            return networks[origin](image, torch.as_tensor(rows, dtype=torch.float64))

    return painted


def test_styles_and_mixtures_are_those_of_the_authors_program(paint, cases):
    magenta, one = cases["magenta"], torch.eye(4)
    assert apart(paint("magenta", one[:2]), magenta["output_styles"]) < LIMIT
    assert apart(paint("magenta", one[2:]), magenta["output_styles_23"]) < SINGLE
    assert apart(paint("magenta", magenta["mixture"][None])[0], magenta["output_mixture"]) < LIMIT


def test_styles_and_mixtures_are_those_of_the_port(paint, cases):
    port, one = cases["ryanwongsa"], torch.eye(4)
    painted = paint("ryanwongsa", one)
    for number in range(4):
        expected = port[f"output_style_{number}"]
        assert apart(painted[number], expected) < (LIMIT if expected.dtype == "float64" else SINGLE)
    assert apart(paint("ryanwongsa", [[0.25, 0, 0.75, 0]])[0], port["output_mix_0.25_of_0_and_2"]) < LIMIT


def test_the_normalization_alone_is_that_of_both_programs(cases):
    magenta, port = cases["magenta"], cases["ryanwongsa"]
    norm = ConditionalNorm(3, 4).double()
    norm.load_state_dict({name: torch.from_numpy(magenta[f"op_{name}"]) for name in ("gamma", "beta")})
    x = torch.from_numpy(magenta["op_input"]).permute(0, 3, 1, 2)
    labels = torch.eye(4, dtype=torch.float64)[[2, 0]]
    weights = torch.from_numpy(magenta["mixture"])[None].expand(2, -1)
    with torch.no_grad():
        assert apart(norm(x, labels).permute(0, 2, 3, 1), magenta["op_output_labels"]) < LIMIT
        assert apart(norm(x, weights).permute(0, 2, 3, 1), magenta["op_output_weights"]) < LIMIT
    norm = ConditionalNorm(5, 4, affine=True).double()
    state = {name: port[f"op_{name}"] for name in ("gamma", "beta")}
    state |= {f"shared.{kind}": port[f"op_instnorm_{kind}"] for kind in ("weight", "bias")}
    norm.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    conv, bias = (torch.from_numpy(port[f"op_conv_{kind}"]) for kind in ("weight", "bias"))
    x = torch.nn.functional.pad(torch.from_numpy(port["op_input"]), (1, 1, 1, 1), mode="reflect")
    x = torch.nn.functional.conv2d(x, conv, bias)
    style = torch.zeros(2, 4, dtype=torch.float64)
    style[:, 1] = 1
    with torch.no_grad():
        assert apart(norm(x, style).relu(), port["op_output_style_1"]) < LIMIT


def step_of(origin, folders, cases, vgg16_file, overrides, labels, style, **options):
    """Record, losses and gradients of one training step from a program's file, in double precision."""
    weights = [f"losses.{name}.weights={vgg16_file}" for name in ("content", "style")]
    values = load_config(["model=multistyle", *overrides, *weights])
    config = architecture({"name": "multistyle", **read_metadata(folders[origin] / "model.safetensors").config})
    config = config.model_copy(update=options)
    module = Training(config, losses=parse_losses(values.losses), loop=values.loop)
    load_initial(module, folders[origin])
    module.double()
    image = unit(cases[origin]["train"])
    index = torch.as_tensor(labels).double().view(2, 1, 1, 1)
    record = module.record(
        {"image": image, "mask": torch.ones_like(image[:, :1]), "style": style, "style_index": index}
    )
    record["raw"].retain_grad()
    total, terms = module.generator_losses(record)
    total.backward()
    gradients = {name: p.grad for name, p in module.network.generator.named_parameters()}
    return record, {name: term.item() for name, term in terms.items()}, gradients


def compare(gradients, arrays, named):
    """Compare stored gradients entry by entry, and the norms of all that are no rounding; return how many."""
    norms = dict(zip(arrays[name_of_names(arrays)].tolist(), arrays["train_grad_norm"].tolist(), strict=True))
    least, compared = 1e-6 * max(norms.values()), 0
    for ours, gradient in gradients.items():
        theirs = named(ours)
        if f"train_grad/{theirs}" in arrays:
            assert apart(gradient, arrays[f"train_grad/{theirs}"]) < LIMIT, ours
        if norms[theirs] > least:
            assert gradient.norm().item() == pytest.approx(norms[theirs], rel=LIMIT), ours
            compared += 1
    return compared


def name_of_names(arrays):
    return next(name for name in arrays if re.fullmatch(r"train_(variable|parameter)_names", name))


@pytest.mark.slow
def test_a_training_step_is_that_of_the_authors_program(folders, cases, vgg16_file):
    arrays = cases["magenta"]
    style = unit(arrays["style"])
    record, terms, gradients = step_of(
        "magenta", folders, cases, vgg16_file, [], arrays["train_labels"], style, style_coefficients=COEFFICIENTS
    )
    assert apart(record["raw"], arrays["train_output"]) < SINGLE
    assert terms["content"] == pytest.approx(float(arrays["train_total_content_loss"]), rel=LIMIT)
    assert 1e-4 * terms["style"] == pytest.approx(float(arrays["train_total_style_loss"]), rel=LIMIT)
    assert apart(record["raw"].grad, arrays["train_grad_output"]) < LIMIT
    assert compare(gradients, arrays, magenta_name) > 40


@pytest.mark.slow
def test_a_training_step_is_that_of_the_port(folders, cases, vgg16_file):
    arrays = cases["ryanwongsa"]
    number = int(arrays["train_style_number"])
    style = unit(arrays["styles"][number])
    _, terms, gradients = step_of("ryanwongsa", folders, cases, vgg16_file, PORT_LOSSES, [number] * 2, style)
    assert terms["content"] == pytest.approx(float(arrays["train_content_loss"]), rel=LIMIT)
    assert 1e6 * terms["style"] == pytest.approx(float(arrays["train_style_loss"]), rel=LIMIT)
    assert compare(gradients, arrays, port_name) > 40
