"""The public MI-GAN program's own outputs and losses, from its checkpoints through our importer."""

from __future__ import annotations

import pytest
import torch

from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.models.migan.config import Config
from inpaint.models.migan.training import Training
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_into, load_weights, read_metadata

LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
FILES = {
    "small": ["migan_64_small.pt"],
    "256": ["migan_256_places2.pt"],
    "training": ["train_form_generator.pt", "train_form_discriminator.pt"],
}


@pytest.fixture(scope="module")
def imported(parity, tmp_path_factory):
    """`imported(name)` gives the folder of an import."""
    folder, done = tmp_path_factory.mktemp("migan"), {}
    written = {path.name: path for path in parity.write("migan", folder / "files")}

    def bring(name):
        if name not in done:
            done[name] = import_weights("migan", [str(written[file]) for file in FILES[name]], folder / name).folder
        return done[name]

    return bring


@pytest.fixture(scope="module")
def arrays(parity):
    return {name: torch.from_numpy(array) for name, array in parity.cases("migan").items()}


def inputs(arrays):
    return arrays["image"].permute(0, 3, 1, 2).double() / 255, (arrays["mask"][:, None] > 127).double()


def apart(got, expected):
    """The largest difference, in standard deviations of what is expected."""
    return float((got.detach().double() - expected.double()).abs().max() / expected.double().std())


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize(("name", "output"), [("small", "output"), ("training", "train_output")])
def test_both_forms_paint_as_the_program_itself(imported, arrays, name, output, dtype):
    raw = load(imported(name), device="cpu", dtype=dtype).fill(*inputs(arrays))[0].raw
    assert apart(2 * raw - 1, arrays[output]) <= LARGEST[dtype]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_a_file_of_the_published_size_paints_as_the_program_itself(imported, arrays, dtype):
    image = (arrays["b_image"].permute(0, 3, 1, 2).double() / 255).repeat_interleave(2, -1).repeat_interleave(2, -2)
    mask = (arrays["b_mask"][:, None] > 127).double().repeat_interleave(2, -1).repeat_interleave(2, -2)
    raw = load(imported("256"), device="cpu", dtype=dtype).fill(image, mask)[0].raw
    painted = 2 * raw - 1
    assert apart(painted[..., ::3, ::3], arrays["b_output_sub"]) <= LARGEST[dtype]
    assert apart(painted.mean((0, 2, 3)), arrays["b_output_mean"]) <= LARGEST[dtype]
    assert apart(painted.std((0, 2, 3), unbiased=False), arrays["b_output_std"]) <= LARGEST[dtype]


def test_kernels_are_summed_up_as_the_program_does(imported, arrays):
    generator = load(imported("training"), device="cpu", dtype="float64").network.generator
    assert apart(generator.encoder["b64"].conv1.depth()[:4], arrays["folded_weight_sample"]) < 1e-10
    assert apart(generator.synthesis["b64"].torgb.kernel(), arrays["folded_torgb"]) < 1e-10


@pytest.fixture
def training(imported):
    """Our training with the settings of the program and its networks, in float64."""
    weights = imported("training") / "model.safetensors"
    config = Config.model_validate(read_metadata(weights).config)
    colors = "[colors_32,colors_64]"
    values = load_config(
        ["model=migan", "data.size=64", f"losses.distillation.of={colors}", "losses.distillation.against=same"]
    )
    module = Training(config, losses=parse_losses(values.losses), loop=values.loop).double()
    tensors, _ = load_weights(weights)
    for role, network in module.roles().items():
        state = {name.removeprefix(f"{role}."): value for name, value in tensors.items() if name.startswith(role)}
        load_into(network, state, source=weights)
    return module.eval()  # the stored noise, as the stored outputs have it


def test_the_discriminator_says_what_the_program_says(training, arrays):
    image, mask = inputs(arrays)
    record = training.record({"image": image, "mask": mask})
    for name, shown in {"real": image, "fake": record["completed"]}.items():
        logits = training.discriminate("discriminator", shown, record).logits
        assert apart(logits, arrays[f"dis_{name}"]) < 1e-10


def test_losses_and_gradients_are_those_of_the_program(training, arrays):
    image, mask = inputs(arrays)
    halves = {f"teacher_colors_{side}": 0.5 * arrays[f"teacher_{side}"].double() for side in (32, 64)}
    record = training.record({"image": image, "mask": mask, **halves})
    generator, discriminator = training.network.generator, training.discriminators["discriminator"]

    def expected(name):
        return arrays[name].mean().item()

    total, values = training.generator_losses(record)
    weight = training.losses.terms["distillation"].weight
    assert weight * values["distillation"].item() == pytest.approx(2 * expected("loss_kd"), rel=1e-10)
    assert total.item() == pytest.approx(expected("loss_g"), rel=1e-10)
    kernels = {
        "torgb": generator.synthesis["b64"].torgb.kernel.weight,
        "fromrgb": generator.fromrgb.kernel.weight,
        "b32": generator.synthesis["b32"].conv1.mix.weight,
    }
    gradients = dict(zip(kernels, torch.autograd.grad(total, list(kernels.values())), strict=True))
    count = len(gradients["torgb"]) // 9  # every tensor of a sum has the same gradient
    assert gradients["torgb"][:count].norm().item() == pytest.approx(expected("gradnorm_g_torgb"), rel=1e-9)
    assert gradients["fromrgb"].norm().item() == pytest.approx(expected("gradnorm_g_fromrgb"), rel=1e-9)
    count = len(gradients["b32"]) // 9
    assert gradients["b32"][:count].norm().item() == pytest.approx(expected("gradnorm_g_b32"), rel=1e-9)

    colors = discriminator.fromrgb.kernel.weight
    loss, _ = training.discriminator_losses(record)
    assert loss.item() == pytest.approx(expected("loss_d"), rel=1e-10)
    (gradient,) = torch.autograd.grad(loss, colors)
    assert gradient[: len(gradient) // 9].norm().item() == pytest.approx(expected("gradnorm_d_fromrgb"), rel=1e-9)

    loss, _ = training.lazy_penalties(record, every=16)
    assert loss.item() == pytest.approx(16 * expected("loss_dreg"), rel=1e-10)
    assert loss.item() == pytest.approx(16 * 5 * expected("r1_penalty"), rel=1e-10)
    (gradient,) = torch.autograd.grad(loss, colors)
    assert gradient[: len(gradient) // 9].norm().item() == pytest.approx(expected("gradnorm_dreg_fromrgb"), rel=1e-9)
