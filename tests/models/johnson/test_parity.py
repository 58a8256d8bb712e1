"""PyTorch's example of fast style transfer: its outputs, losses, gradients and a step of Adam, from its own files."""

from __future__ import annotations

import pytest
import torch

from inpaint.cli.main import run
from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.johnson.config import Config
from inpaint.models.johnson.training import Training
from inpaint.models.johnson.weights import layer_names
from inpaint.registry.initial import load_initial
from inpaint.registry.stylizers import load_stylizer
from inpaint.training.optimizers import build_optimizer

LIMIT = 1e-9  # largest difference as a share of the largest value
VANISHING = "res3.conv1.conv2d.bias"  # a normalization takes it out again: its gradient is rounding


@pytest.fixture(scope="module")
def folders(parity, tmp_path_factory):
    """The imports of both files, an old one and a new one."""
    place = tmp_path_factory.mktemp("pytorch_examples")
    found = {}
    for file in parity.write("pytorch_examples", place):
        name = "mosaic" if file.stem == "mosaic" else "epoch"
        arguments = ["--origin", "pytorch_examples", "--input", str(file), "--output", str(place / name)]
        assert run(["import-weights", *arguments]) == 0
        file.unlink()
        found[name] = place / name
    yield found
    for folder in found.values():
        (folder / "model.safetensors").unlink()


@pytest.fixture(scope="module")
def arrays(parity):
    found = parity.cases("pytorch_examples")
    return {name: torch.from_numpy(array) for name, array in found.items() if array.ndim and array.dtype.kind != "U"}


@pytest.fixture(scope="module")
def numbers(parity):
    return {name: float(array) for name, array in parity.cases("pytorch_examples").items() if not array.ndim}


def unit(photo):
    """(..., H, W, 3) bytes as (B, 3, H, W) in [0, 1]."""
    batch = photo if photo.ndim == 4 else photo[None]
    return batch.permute(0, 3, 1, 2).double() / 255


def apart(got, expected):
    far = (got.detach().double() - expected.double()).abs()
    return float(far.max() / expected.double().abs().max())


@pytest.mark.parametrize(
    ("name", "photo", "output"),
    [("mosaic", "image", "mosaic_output"), ("epoch", "image", "epoch_output"), ("mosaic", "image2", "mosaic_output2")],
)
def test_outputs_are_those_of_the_program_at_the_photo_s_own_size(folders, arrays, name, photo, output):
    network = load_stylizer(str(folders[name]), device="cpu", dtype="float64").network
    with torch.inference_mode():
        raw = network(unit(arrays[photo]))
    height, width = arrays[photo].shape[:2]
    assert raw.shape[-2:] == (height, width)
    assert apart(255 * raw[0], arrays[output][:, :height, :width]) < LIMIT


def test_in_single_precision_they_are_nearly_the_same(folders, arrays):
    stylizer = load_stylizer(str(folders["mosaic"]), device="cpu")
    image = stylizer.stylize((arrays["image"].numpy() / 255).astype("float32"), []).image
    expected = (arrays["mosaic_output"] / 255).clamp(0, 1).permute(1, 2, 0)
    assert apart(torch.from_numpy(image), expected) < 2e-5


def module_of(folders, vgg16_file):
    """A training of the example's file, in double precision, with the losses of our configuration."""
    weights = f"weights={vgg16_file}"
    values = load_config(["model=johnson", f"losses.content.{weights}", f"losses.style.{weights}"])
    module = Training(Config(styles=("epoch",)), losses=parse_losses(values.losses), loop=values.loop)
    load_initial(module, folders["epoch"])
    return module.double()


@pytest.fixture(scope="module")
def step(folders, arrays, vgg16_file):
    """The module, its record, losses and gradients, before a step of its optimizer, and its output after it."""
    module = module_of(folders, vgg16_file)
    image = unit(arrays["train"])
    batch = {"image": image, "mask": torch.ones_like(image[:, :1]), "style": unit(arrays["style"])}
    record = module.record(batch)
    record["raw"].retain_grad()
    total, values = module.generator_losses(record)
    total.backward()
    gradients = {name: p.grad.clone() for name, p in module.network.generator.named_parameters()}
    build_optimizer(module.loop.optimizers["generator"], module.network.parameters()).step()
    with torch.no_grad():
        after = module.paint(image, batch)
    return record, {name: value.item() for name, value in values.items()}, gradients, after


@pytest.mark.slow
def test_losses_are_those_of_the_program(step, arrays, numbers):
    record, values, _, _ = step
    assert apart(255 * record["raw"], arrays["train_output"]) < LIMIT
    assert 1e5 * values["content"] == pytest.approx(numbers["train_content_loss"], rel=LIMIT)
    assert 1e10 * values["style"] == pytest.approx(numbers["train_style_loss"], rel=LIMIT)


@pytest.mark.slow
def test_gradients_are_those_of_the_program(step, arrays):
    record, _, gradients, _ = step
    assert apart(record["raw"].grad / 255, arrays["train_grad_output"]) < LIMIT
    theirs, compared = names_of_theirs(), 0
    for ours, gradient in gradients.items():
        expected = arrays.get(f"train_grad/{theirs[ours]}")
        if expected is not None and theirs[ours] != VANISHING:
            assert apart(gradient, expected) < LIMIT, ours
            compared += 1
    assert compared == 6


def names_of_theirs():
    found = {}
    for step, (conv, norm) in layer_names(Config()).items():
        for kind in ("weight", "bias"):
            found[f"convolutions.{step}.{kind}"] = f"{conv}.{kind}"
            found[f"norms.{step}.{kind}"] = f"{norm}.{kind}"
    return found


@pytest.mark.slow
def test_norms_of_all_gradients_are_those_of_the_program(step, parity):
    cases = parity.cases("pytorch_examples")
    expected = dict(zip(cases["train_parameter_names"].tolist(), cases["train_grad_norm"].tolist(), strict=True))
    least = 1e-6 * max(expected.values())
    theirs, compared = names_of_theirs(), 0
    for ours, gradient in step[2].items():
        if expected[theirs[ours]] > least:
            assert gradient.norm().item() == pytest.approx(expected[theirs[ours]], rel=LIMIT), ours
            compared += 1
    assert compared > 40


@pytest.mark.slow
def test_a_step_of_the_optimizer_leads_where_the_program_s_does(step, arrays):
    assert apart(255 * step[3], arrays["train_output_after_step"]) < LIMIT
