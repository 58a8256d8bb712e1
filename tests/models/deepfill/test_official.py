"""The official TensorFlow program's own outputs and losses, without and with a sketch, from its variables."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inpaint.cli.main import run
from inpaint.config import load as load_config
from inpaint.errors import WeightsError
from inpaint.losses import parse_losses
from inpaint.models.deepfill import weights
from inpaint.models.deepfill.config import Config
from inpaint.models.deepfill.network import Network
from inpaint.models.deepfill.training import Training
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata

LARGEST = {torch.float64: 1e-9, torch.float32: 2e-3}  # largest difference, in standard deviations of the output


@pytest.fixture(scope="module", params=["jiahuiyu", "jiahuiyu_guided"])
def case(request, parity, tmp_path_factory):
    """Folder of the import, and what the program computed."""
    place = tmp_path_factory.mktemp(request.param)
    files = parity.write(request.param, place)
    inputs = [word for file in files for word in ("--input", str(file))]
    assert run(["import-weights", "--origin", "jiahuiyu", *inputs, "--output", str(place / "imported")]) == 0
    arrays = {name: torch.from_numpy(array) for name, array in parity.cases(request.param).items()}
    return place / "imported", arrays


def inputs(case):
    """Image, mask and planes; the program reads a sketch in the hole."""
    folder, arrays = case
    image = arrays["image"].permute(0, 3, 1, 2).double() / 255
    mask = (arrays["mask"][:, None] > 127).double()
    guided = read_metadata(folder / "model.safetensors").config["sketch"]
    return image, mask, {"sketch": (arrays["sketch"][:, None] / 255 > 0.6).double()} if guided else {}


def apart(got, expected):
    return float((got.double() - expected.double()).abs().max() / expected.double().std())


def ours(output):
    """The program's colors on our scale."""
    return (output + 1) / 2


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_both_images_in_one_batch_come_out_as_one_by_one_from_the_program(case, dtype):
    folder, arrays = case
    image, mask, planes = inputs(case)
    model = load(folder, device="cpu", dtype=dtype)
    (fill,) = model.fill(image, mask, guidance=planes)
    alone = [
        model.fill(image[n : n + 1], mask[n : n + 1], guidance={k: p[n : n + 1] for k, p in planes.items()})[0].raw
        for n in range(2)
    ]
    for name, got in (("output", fill.raw), ("coarse", fill.aux["coarse"]), ("output", torch.cat(alone))):
        assert apart(got, ours(arrays[name])) <= LARGEST[dtype], name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_discriminator_says_what_the_programs_says_after_one_power_iteration(case, dtype):
    folder, arrays = case
    image, mask, planes = inputs(case)
    model = load(folder, device="cpu", dtype=dtype)
    completed = torch.where(mask > 0, ours(arrays["output"]), image)
    for name, shown in (("dis_real", image), ("dis_fake", completed)):
        logits = model.discriminate("discriminator", shown, mask, *planes.values())
        # The stored vectors are those behind the iteration, in float32.
        assert apart(logits.permute(0, 2, 3, 1).flatten(1), arrays[name]) <= max(LARGEST[dtype], 1e-6), name


def test_losses_are_those_of_the_program(case):
    folder, arrays = case
    image, mask, planes = inputs(case)
    values = load_config(["model=deepfill"])
    config = Config(**read_metadata(folder / "model.safetensors").config)
    module = Training(config, losses=parse_losses(values.losses), loop=values.loop)
    tensors, _ = load_weights(folder / "model.safetensors")
    for role, network in module.roles().items():
        own = {name.removeprefix(f"{role}."): t for name, t in tensors.items() if name.startswith(f"{role}.")}
        network.load_state_dict(own)
    module = module.double().eval()
    with torch.no_grad():
        record = module.record({"image": image, "mask": mask, **planes})
        _, generator = module.generator_losses(record)
        _, discriminator = module.discriminator_losses(record)
    # Distances on our scale are half as large.
    l1 = 2 * (generator["coarse"] + generator["refined"])
    assert l1.item() == pytest.approx(arrays["loss_l1"].item(), rel=1e-9)
    assert generator["adversary"].item() == pytest.approx(arrays["loss_hinge_g"].item(), rel=1e-6)
    assert discriminator["adversary_d"].item() == pytest.approx(arrays["loss_hinge_d"].item(), rel=1e-6)


@pytest.fixture(scope="module")
def variables():
    """A generator's variables, of no use but of the right names and shapes."""
    layers = weights.official_layers()
    found = {}
    for name, value in Network(weights.OFFICIAL).generator.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if kind == "weight":
            found[f"{layers[layer]}/kernel"] = np.ones([value.shape[axis] for axis in (2, 3, 1, 0)], np.float32)
        else:
            found[f"{layers[layer]}/bias"] = np.ones(value.shape, np.float32)
    return found


def imported(folder, content):
    np.savez(folder / "generator.npz", **content)
    return import_weights("jiahuiyu", [str(folder / "generator.npz")], folder / "imported")


def test_a_released_checkpoint_holds_the_generator_alone_beside_variables_that_are_left_out(variables, tmp_path):
    assert "inpaint_net/conv13_upsample/conv13_upsample_conv/kernel" in variables
    done = imported(tmp_path, variables | {"global_step": np.int64(3), "inpaint_net/conv1/kernel/Adam": np.ones(3)})
    assert (done.model, done.roles, done.lacking) == ("deepfill", ("generator",), ("discriminator",))
    assert done.notes == ("2 further variables of the checkpoint are left out",)
    assert "non-commercial" in done.license


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.pop("inpaint_net/xconv3/bias"), "1 missing: inpaint_net/xconv3.bias"),
        (lambda v: v.update({"inpaint_net/conv1/kernel": np.ones((5, 5, 7, 48))}), r"conv1.weight \(48, 7, 5, 5\)"),
    ],
    ids=["a variable is missing", "another shape"],
)
def test_a_wrong_archive_is_refused_in_one_line(variables, tmp_path, change, said):
    content = dict(variables)
    change(content)
    with pytest.raises(WeightsError, match=said) as raised:
        imported(tmp_path, content)
    assert "\n" not in str(raised.value)
