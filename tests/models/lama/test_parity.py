"""The public LaMa program's own outputs, from its checkpoints through our importer, and its losses."""

from __future__ import annotations

import json

import pytest
import torch

from inpaint.cli.main import run
from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.lama.config import Config
from inpaint.models.lama.training import Training
from inpaint.models.lama.weights import discriminator_layers
from inpaint.nn.resnet import DilatedResNet50
from inpaint.nn.vgg import normalized
from inpaint.registry.loading import load

LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
PREFIXES = {"lama-lfu": "lfu_", "lama-regular": "regular_", "lama-fourier": "fourier_", "big-lama": ""}


def checkpoint_of(parity, name):
    """What the layout says of one checkpoint."""
    layout = json.loads((parity.HERE / "advimman" / "layout.json").read_text())
    return next(file for file in layout["files"] if file["name"] == f"{name}.ckpt")


@pytest.fixture(scope="module")
def imported(parity, tmp_path_factory):
    """`imported(name)` gives the folder of the import of one checkpoint."""
    folder, done = tmp_path_factory.mktemp("advimman"), {}

    def bring(name):
        if name not in done:
            entry = checkpoint_of(parity, name)
            state = {key: torch.from_numpy(value) for key, value in parity.values("advimman", entry).items()}
            checkpoint = folder / entry["name"]
            torch.save({"state_dict": state, **entry["extra"]}, checkpoint)
            arguments = ["--origin", "advimman", "--input", str(checkpoint), "--output", str(folder / name)]
            assert run(["import-weights", *arguments]) == 0
            checkpoint.unlink()
            done[name] = folder / name
        return done[name]

    yield bring
    for place in done.values():
        (place / "model.safetensors").unlink()  # up to 200 MB each


@pytest.fixture(scope="module")
def arrays(parity):
    return {name: torch.from_numpy(array) for name, array in parity.cases("advimman").items()}


def inputs(arrays, pair=""):
    image = arrays[f"{pair}image"].permute(0, 3, 1, 2).double() / 255
    return image, (arrays[f"{pair}mask"][:, None] > 127).double()


def apart(got, expected):
    """The largest difference, in standard deviations of what is expected."""
    return float((got.double() - expected.double()).abs().max() / expected.double().std())


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("lama-lfu", ""),
        ("lama-regular", ""),
        pytest.param("lama-fourier", "", marks=pytest.mark.slow),
        pytest.param("lama-fourier", "b_", marks=pytest.mark.slow),
        pytest.param("big-lama", "", marks=pytest.mark.slow),
        pytest.param("big-lama", "b_", marks=pytest.mark.slow),
    ],
)
def test_both_images_in_one_batch_come_out_as_from_the_program_itself(imported, arrays, name, pair, dtype):
    expected = arrays[f"{pair}{PREFIXES[name]}output"]
    image, mask = (plane[..., : expected.shape[-1]] for plane in inputs(arrays, pair))
    raw = load(imported(name), device="cpu", dtype=dtype).fill(image, mask)[0].raw
    assert apart(raw, expected) <= LARGEST[dtype]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_the_discriminators_map_is_that_of_the_program(imported, arrays, dtype):
    image, _ = inputs(arrays)
    fill = load(imported("lama-fourier"), device="cpu", dtype=dtype)
    assert apart(fill.discriminate("discriminator", image), arrays["discriminator_score"]) <= LARGEST[dtype]


@pytest.fixture(scope="module")
def encoder(parity, tmp_path_factory):
    """The file of the perceptual loss's network."""
    (file,) = parity.write("ade20k_resnet50", tmp_path_factory.mktemp("ade20k"))
    yield file
    file.unlink()


def test_features_of_the_dilated_resnet_are_those_of_the_program(encoder, arrays):
    image, _ = inputs(arrays)
    found = DilatedResNet50(weights=str(encoder)).double()(normalized(image), DilatedResNet50.LAYERS)
    for number, features in enumerate(found.values()):
        assert features.mean().item() == pytest.approx(arrays["hrf_feature_mean"][number].item(), rel=1e-10)
        deviation = features.std(correction=0).item()
        assert deviation == pytest.approx(arrays["hrf_feature_std"][number].item(), rel=1e-10)
    assert apart(found["layer4"][:, :8], arrays["hrf_feature4"]) < 1e-10


@pytest.fixture(scope="module")
def discriminator(parity):
    """The program's discriminator, as ours calls its entries."""
    entry = {**checkpoint_of(parity, "lama-fourier")}
    entry["entries"] = [each for each in entry["entries"] if each["name"].startswith("discriminator.")]
    values = parity.values("advimman", entry)
    return {
        f"{ours}.{name.rpartition('.')[2]}": torch.from_numpy(value)
        for ours, theirs in discriminator_layers()
        for name, value in values.items()
        if name.startswith(f"discriminator.{theirs}.")
    }


@pytest.fixture
def training(discriminator, encoder):
    """Our training with its own losses and the program's discriminator, in float64; what it paints is stored."""
    values = load_config(["model=lama", f"losses.perceptual.weights={encoder}"])
    config = Config(width=4, blocks=1)
    module = Training(config, losses=parse_losses(values.losses), loop=values.loop)
    module.discriminators["discriminator"].load_state_dict(discriminator)
    return module.double()


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_losses_and_gradients_are_those_of_the_program(training, arrays, mode):
    image, mask = inputs(arrays)
    module = training.train(mode == "train")
    painted = arrays["fourier_output"].clone().requires_grad_()
    record = {"image": image, "mask": mask, "raw": painted, "hole_share": mask.mean()}

    def expected(name):
        return arrays[f"loss_{mode}_{name}"].item()

    total, values = module.generator_losses(record)
    (gradient,) = torch.autograd.grad(total, painted)
    weights = {name: term.weight for name, term in module.losses.terms.items()}
    for ours, theirs in {"known": "l1", "adversary": "adv_g", "matching": "fm", "perceptual": "hrf"}.items():
        assert weights[ours] * values[ours].item() == pytest.approx(expected(theirs), rel=1e-10), ours
    assert total.item() == pytest.approx(expected("total_g"), rel=1e-10)
    assert gradient.norm().item() == pytest.approx(expected("grad_output_norm"), rel=1e-10)
    if mode == "train":
        assert apart(gradient, arrays["loss_train_grad_output"]) < 1e-5  # stored in float32

    loss, values = module.discriminator_losses(record)
    penalty = module.losses.adversarial["adversary"].r1 * values["adversary_r1"].item()
    assert penalty == pytest.approx(expected("r1"), rel=1e-10)
    assert loss.item() == pytest.approx(expected("d"), rel=1e-10)
    discriminator = module.discriminators["discriminator"]
    ends = torch.autograd.grad(loss, (discriminator.first.weight, discriminator.last.weight))
    for name, found in zip(("first", "last"), ends, strict=True):
        assert found.norm().item() == pytest.approx(expected(f"grad_d_{name}_norm"), rel=1e-9), name


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "largest"), [(torch.float64, 1e-6), (torch.float32, 2e-3)], ids=str)
def test_refinement_comes_out_as_from_the_program_itself(imported, arrays, dtype, largest):
    image, mask = (plane[:1] for plane in inputs(arrays, "b_"))
    fill = load(
        imported("lama-fourier"), device="cpu", dtype=dtype, strategy="original", refine=True, refine_min_side=64
    )
    completed = fill.fill(image, mask)[0].completed
    # In float32 Adam's first steps have the size of the rate whatever the gradient.
    assert apart(completed, arrays["b_fourier_refined"]) <= largest
