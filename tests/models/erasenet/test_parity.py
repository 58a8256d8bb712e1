"""The public EraseNet program's own outputs, from its checkpoints through our importer, and its losses."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from inpaint.config import load as load_config
from inpaint.images.guidance import CONTAMINATED
from inpaint.losses import parse_losses
from inpaint.models.erasenet.config import Config
from inpaint.models.erasenet.network import Network, TwoStacks, found_map
from inpaint.models.erasenet.training import Training
from inpaint.nn.inference import prepare_for_inference
from inpaint.weights.files import load_weights

LARGEST = {torch.float64: 1e-9, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
PICTURES = ("raw", "unet", "scale_1_2", "scale_1_4")
STORED = {"raw": "output", "unet": "unet", "scale_1_2": "scale_1_2", "scale_1_4": "scale_1_4"}
SCALES = ("full", "half", "quarter")


@pytest.fixture(scope="module")
def folder(import_public):
    """The import of both files."""
    return import_public("erasenet")


@pytest.fixture(scope="module")
def arrays(parity):
    return {name: torch.from_numpy(array) for name, array in parity.cases("erasenet").items()}


@pytest.fixture(scope="module")
def tensors(folder):
    found, metadata = load_weights(folder / "model.safetensors")
    assert metadata.config["mask_planes"] == 3
    assert sum(value.numel() for name, value in found.items() if name.startswith("generator.") and learned(name)) == (
        19_737_615
    )
    return found


def learned(name):
    return not name.endswith(("._u", "._v", "running_mean", "running_var", "num_batches_tracked"))


def state(tensors, role):
    return {name.removeprefix(f"{role}."): value for name, value in tensors.items() if name.startswith(f"{role}.")}


@pytest.fixture(scope="module")
def network(tensors):
    found = Network(Config(mask_planes=3)).double().eval()
    found.generator.load_state_dict(state(tensors, "generator"))
    return found


@pytest.fixture(scope="module")
def discriminator(tensors):
    found = TwoStacks(Config()).double().eval()
    found.load_state_dict(state(tensors, "discriminator"))
    assert sum(parameter.numel() for parameter in found.parameters()) == 7_618_945
    return found


def pictures(stored):
    return stored.permute(0, 3, 1, 2).double() / 255


def enlarged(x):
    """The first 64 x 64 corner, each pixel of which is repeated 4 x 4, as the stored figures have it."""
    return x[..., :64, :64].repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)


def masks(stored):
    return (stored > 127).double()[:, None]


def check(found, expected, dtype):
    expected = expected.double()
    assert (found.double() - expected).abs().max() < LARGEST[dtype] * max(expected.std().item(), 1e-2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("pair", ["", "b_"])
def test_outputs_are_the_public_programs(network, arrays, pair, dtype):
    image = pictures(arrays[f"{pair}image"]).to(dtype)
    with torch.no_grad():
        found = deepcopy(network).to(dtype).generator(image)
    for name in PICTURES[: 1 if pair else 4]:
        check(found[name], arrays[f"{pair}{STORED[name]}"], dtype)
    check(found["mask_logits"], arrays[f"{pair}mask_logits"], dtype)


def test_prepared_for_inference_it_paints_and_finds_the_same(tensors, arrays):
    prepared = Network(Config(mask_planes=3)).double().eval()
    prepared.generator.load_state_dict(state(tensors, "generator"))
    prepare_for_inference(prepared)
    image = pictures(arrays["image"])
    with torch.no_grad():
        check(prepared(image, image[:, :1])["raw"], arrays["output"], torch.float64)
        expected = arrays["mask_logits"].sigmoid().mean(dim=1, keepdim=True)
        check(prepared.find_mask(image), expected, torch.float64)


@pytest.mark.parametrize("name", ["truth", "image"])
def test_the_discriminator_is_the_public_programs(discriminator, arrays, name):
    image, mask = enlarged(pictures(arrays[name])), enlarged(masks(arrays["mask"]))
    with torch.no_grad():
        check(discriminator(image, mask).logits.sigmoid().flatten(1), arrays[f"dis_{name}"].flatten(1), torch.float64)


@pytest.fixture(scope="module")
def vgg(parity, tmp_path_factory):
    files = {file.name: file for file in parity.write("vgg16", tmp_path_factory.mktemp("vgg16"))}
    yield str(files["vgg16_random.pth"])
    for file in files.values():
        file.unlink()


@pytest.fixture(scope="module")
def computed(network, discriminator, arrays, vgg):
    """Module and record of the stored case, whose painted images take gradients."""
    values = load_config(["model=erasenet"])
    block = {
        name: {**options, **({"weights": vgg} if options["kind"] in ("perceptual", "style") else {})}
        for name, options in values.losses.items()
    }
    block["adversary"] = {**block["adversary"], "sigmoid": True}
    module = Training(Config(mask_planes=3), losses=parse_losses(block), loop=values.loop).double().eval()
    module.network.generator.load_state_dict(network.generator.state_dict())
    module.discriminators["discriminator"].load_state_dict(discriminator.state_dict())
    batch = {
        "image": enlarged(pictures(arrays["truth"])),
        "mask": enlarged(masks(arrays["mask"])),
        CONTAMINATED.name: enlarged(pictures(arrays["image"])),
    }
    with torch.no_grad():
        found = module.network.generator(batch[CONTAMINATED.name])
    leaves = {name: value.detach().requires_grad_() for name, value in found.items()}
    module.network.generator.forward = lambda image: leaves
    record = module.record(batch)
    return module, record, leaves


@pytest.mark.slow
def test_losses_and_their_gradients_are_the_public_programs(computed, arrays):
    module, record, leaves = computed
    total, values = module.generator_losses(record)
    weight = {name: term.weight for name, term in module.losses.terms.items()}
    found = {
        "hole": weight["hole"] * values["hole"],
        "valid": weight["known"] * values["known"],
        "msr": sum(
            weight[f"{part}_{scale}"] * values[f"{part}_{scale}"] for part in ("hole", "known") for scale in SCALES
        ),
        "perceptual": weight["perceptual"] * values["perceptual"],
        "style": weight["style"] * values["style"],
        "dice": values["found"],
        "g": total,
        "d": module.discriminator_losses(record)[0],
    }
    for name, value in found.items():
        assert value.item() == pytest.approx(float(arrays[f"loss_{name}"]), rel=1e-9), name
    # In the program the discriminator's loss also reaches what was painted, and its gradient stays there.
    (of_discriminator,) = torch.autograd.grad(-values["adversary"], leaves["raw"], retain_graph=True)
    total.backward()
    leaves["raw"].grad += of_discriminator
    names = {"raw": "output", "mask_logits": "mask_logits"}
    for name, leaf in leaves.items():
        stored = float(arrays[f"grad_{names.get(name, name)}_norm"])
        assert leaf.grad.norm().item() == pytest.approx(stored, rel=1e-9), name


def test_the_map_is_the_mean_of_the_planes():
    logits = torch.tensor([0.0, 100.0, -100.0]).view(1, 3, 1, 1)
    assert found_map(logits).item() == pytest.approx(0.5)
