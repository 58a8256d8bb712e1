"""Both public VCNet programs' own outputs, from their checkpoints through our importer, and their losses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from inpaint.cli.main import run
from inpaint.config import load as load_config
from inpaint.losses import parse_losses
from inpaint.losses.gradient_penalty import gradient_penalty
from inpaint.masks.growing import grown
from inpaint.models.vcnet.growing import grown as grown_tensor
from inpaint.models.vcnet.network import Network
from inpaint.models.vcnet.training import Training
from inpaint.models.vcnet.weights import AUTHORS, XYFJASON, authors_critic_links, xyfjason_critic_links
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights
from inpaint.weights.formats import Entries
from inpaint.weights.links import read

LARGEST = {torch.float64: 1e-9, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
ORIGINS = ("vcnet", "vcnet_xyf")


@pytest.fixture(scope="module")
def folders(parity, tmp_path_factory):
    """The import of each program's networks, and the file of the authors' critics."""
    found = {}
    for origin in ORIGINS:
        place = tmp_path_factory.mktemp(origin)
        files = {file.name: file for file in parity.write(origin, place)}
        network = str(files.get("generator.npz") or files["model.pt"])
        assert run(["import-weights", "--origin", origin, "--input", network, "--output", str(place / "imported")]) == 0
        found[origin] = place / "imported"
    yield found
    for folder in found.values():
        (folder / "model.safetensors").unlink()


@pytest.fixture(scope="module")
def cases(parity):
    return {
        origin: {name: torch.from_numpy(np.asarray(array)) for name, array in parity.cases(origin).items()}
        for origin in ORIGINS
    }


def images(array):
    return array.permute(0, 3, 1, 2).double() / 255


def masks(array):
    return (array[:, None] > 127).double()


def apart(got, expected):
    """The largest difference, in standard deviations of what is expected."""
    return float((got.detach().double() - expected.double()).abs().max() / expected.double().std())


def ours(output):
    """A program's colors on our scale."""
    return (output + 1) / 2


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize("pair", ["", pytest.param("b_", marks=pytest.mark.slow)], ids=["64x96", "128x128"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_masks_and_images_come_out_as_from_the_programs_themselves(folders, cases, origin, pair, dtype):
    arrays, fill = cases[origin], load(folders[origin], device="cpu", dtype=dtype)
    image, mask = images(arrays[f"{pair}image"]), masks(arrays[f"{pair}mask"])
    blind, told = fill.fill(image, None)[0], fill.fill(image, mask)[0]
    if origin == "vcnet":
        soft, painted = arrays[f"{pair}logit"].clamp(0, 1), arrays[f"{pair}output_acc"]
    else:
        soft, painted = 1 - arrays[f"{pair}known"], arrays[f"{pair}output_true_mask"]
    assert apart(blind.aux["found"], soft) <= LARGEST[dtype]
    assert apart(blind.raw, ours(arrays[f"{pair}output"])) <= LARGEST[dtype]
    assert apart(told.raw, ours(painted)) <= LARGEST[dtype]


def network_of(folder, config):
    network = Network(config).double()
    tensors, _ = load_weights(folder / "model.safetensors")
    network.load_state_dict({name: value for name, value in tensors.items() if "discriminator" not in name})
    return network.eval()


@pytest.mark.parametrize(("origin", "config"), [("vcnet", AUTHORS), ("vcnet_xyf", XYFJASON)])
def test_logits_features_and_plain_forms_are_those_of_the_programs(folders, cases, origin, config):
    arrays, network = cases[origin], network_of(folders[origin], config)
    image = images(arrays["image"])
    network.prepare_for_export()
    with torch.no_grad():
        found = network.find(image)
        raw = network.paint(image, network.probability(found.logits), found.features)
    assert apart(raw, ours(arrays["output"])) < 1e-9
    if origin == "vcnet":
        assert apart(found.logits, arrays["logit"]) < 1e-9
        cross_entropy = parse_losses({"found": {"kind": "mask_bce", "balance": "none", "weight": 1.0}})
        mask = masks(arrays["mask"])
        value = cross_entropy.of_record({"mask_logits": found.logits, "mask": mask, "hole_share": mask.mean()})
        assert value["found"].item() == pytest.approx(arrays["bce"].item(), rel=1e-10)
    else:
        assert apart(found.features[:, :4], arrays["bottleneck"]) < 1e-9


def test_a_grown_mask_with_gradients_is_that_of_the_program(cases):
    mask = masks(cases["vcnet"]["mask"])[:1]
    assert (grown_tensor(mask) - cases["vcnet"]["soft_mask"]).abs().max() < 1e-12


def critics_of(origin, parity, folder, config):
    files = {file.name: file for file in parity.write(origin, folder)}
    if origin == "vcnet":
        state = {name: torch.from_numpy(value) for name, value in np.load(files["discriminator_64x96.npz"]).items()}
        links = authors_critic_links(config)
    else:
        content = torch.load(files["model.pt"], weights_only=True)
        state = {f"{key}/{name}": content[key][name] for key in ("disc", "pdisc") for name in content[key]}
        links = xyfjason_critic_links(config)
    entries = Entries(state)
    tensors = read(links, entries)
    assert not entries.problems()
    critics = Network.discriminators(config)
    for role, critic in critics.items():
        critic.load_state_dict({n.removeprefix(f"{role}."): v for n, v in tensors.items() if n.startswith(f"{role}.")})
        critic.double().eval()
    return critics


SIZED = AUTHORS.model_copy(update={"discriminator": AUTHORS.discriminator.model_copy(update={"size": (64, 96)})})


@pytest.fixture(scope="module")
def critics(parity, tmp_path_factory):
    return {
        origin: critics_of(origin, parity, tmp_path_factory.mktemp("critics"), config)
        for origin, config in (("vcnet", SIZED), ("vcnet_xyf", XYFJASON))
    }


def enlarged(batch):
    """The first 64 x 64 pixels, each 4 x 4 times."""
    return batch[..., :64, :64].repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_critics_say_what_those_of_the_programs_do(critics, cases, origin):
    arrays = cases[origin]
    clean, mask = images(arrays["clean"]), masks(arrays["mask"])
    whole, patch = critics[origin]["discriminator"], critics[origin]["patch_discriminator"]
    with torch.no_grad():
        if origin == "vcnet":
            assert apart(whole(clean).logits, arrays["dis_global"]) < 1e-9
            assert apart(patch(clean, mask[:1].expand(2, -1, -1, -1)).logits[:, 0], arrays["dis_local"]) < 1e-9
        else:
            clean, mask = enlarged(clean), enlarged(mask)
            assert apart(whole(clean).logits, arrays["dis_global"]) < 1e-9
            assert apart(patch(clean, mask).logits, arrays["dis_patch"]) < 1e-9
            assert apart(patch(clean, 1 - mask).logits, arrays["dis_patch_known"]) < 1e-9


@pytest.fixture(scope="module")
def vgg(parity, tmp_path_factory):
    """The file of the losses' network."""
    files = {file.name: file for file in parity.write("vgg19", tmp_path_factory.mktemp("vgg19"))}
    yield files["vgg19_random.pth"]
    for file in files.values():
        file.unlink()


def training(config, network, critics, vgg, overrides, *, pretraining, **layers):
    values = load_config(
        ["model=vcnet", f"losses.perceptual.weights={vgg}", f"losses.id_mrf.weights={vgg}", *overrides]
    )
    config = config.model_copy(update={"pretraining": pretraining})
    losses = {name: term and {**term, **layers.get(name, {})} for name, term in values.losses.items()}
    module = Training(config, losses=parse_losses(losses), loop=values.loop)
    module.network.load_state_dict(network.state_dict())
    for role, critic in critics.items():
        module.discriminators[role].load_state_dict(critic.state_dict())
    return module.double().eval()


AUTHORS_LOSSES = (
    "losses.perceptual.normalize_input=caffe",
    "losses.perceptual.weight=1e-4",
    "losses.id_mrf.normalize_input=caffe",
    "losses.id_mrf.center=painted",
    "losses.id_mrf.shares=real",
    "losses.mask.batch_mean=true",
)


def contaminated(arrays):
    """The authors' training case: one mask for both images, and what lies over them fades out."""
    opacity = torch.from_numpy(grown(arrays["mask"][0].numpy() > 127))
    clean, noise = images(arrays["clean"]), images(arrays["noise"])
    mask = masks(arrays["mask"])[:1].expand(2, -1, -1, -1)
    return {"image": clean, "mask": mask, "contaminated": clean * (1 - opacity) + noise * opacity}


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["acc", "tune"])
def test_losses_and_gradients_are_those_of_the_authors_program(folders, critics, cases, vgg, phase):
    arrays, network = cases["vcnet"], network_of(folders["vcnet"], AUTHORS)
    without_mrf = ["losses.id_mrf=null"] if phase == "acc" else []
    overrides = [*(o for o in AUTHORS_LOSSES if not without_mrf or "id_mrf" not in o), *without_mrf]
    pretraining = 10 if phase == "acc" else 0
    if without_mrf:
        values = load_config(["model=vcnet", f"losses.perceptual.weights={vgg}", *overrides])
        config = SIZED.model_copy(update={"pretraining": pretraining})
        module = Training(config, losses=parse_losses(values.losses), loop=values.loop)
        module.network.load_state_dict(network.state_dict())
        module.double().eval()
    else:
        module = training(SIZED, network, critics["vcnet"], vgg, overrides, pretraining=pretraining)
    record = module.record(contaminated(arrays))
    total, values = module.phases()[0].updates[-1].losses(record)
    expected = {"perceptual": "semantic_consistent_loss", "mask": "mask_loss"}
    for name, theirs in expected.items():
        assert values[name].item() == pytest.approx(arrays[f"{phase}_{theirs}"].item(), rel=1e-10), name
    # A distance of colors is half as large on our scale, and theirs weighs it by 1.2.
    assert 2.4 * values["reconstruction"].item() == pytest.approx(arrays[f"{phase}_l1_loss"].item(), rel=1e-10)
    if phase == "tune":
        assert values["id_mrf"].item() == pytest.approx(arrays["tune_ID_MRF_loss"].item(), rel=1e-10)
    assert total.item() == pytest.approx(arrays[f"{phase}_g_loss"].item(), rel=1e-10)
    generator, finder = module.network.generator, module.network.mask_network
    watched = {
        "cmp_conv1/c1": generator.stem.c1.weight,
        "cmp_conv8/c2": generator.last.c2.weight,
        "cmp_output": generator.head.weight,
        "mask_conv2/c1": finder.down1.c1.weight,
        "mask_output": finder.head.weight,
    }
    for name, found in zip(watched, torch.autograd.grad(total, list(watched.values())), strict=True):
        norm = arrays[f"{phase}_gradnorm_{name}/kernel"].item()
        assert found.norm().item() == pytest.approx(norm, rel=1e-9), name


@pytest.mark.slow
def test_the_critics_loss_and_penalty_are_those_of_the_authors_program(folders, critics, cases, vgg, monkeypatch):
    arrays, network = cases["vcnet"], network_of(folders["vcnet"], AUTHORS)
    module = training(SIZED, network, critics["vcnet"], vgg, AUTHORS_LOSSES, pretraining=0)
    with torch.no_grad():
        record = module.record(contaminated(arrays))
    monkeypatch.setattr(torch, "rand", lambda *size, **kind: torch.full(size, 0.75, dtype=torch.float64))
    total, values = module.discriminator_losses(record)
    penalties = values["adversary_gp"] + values["adversary_patch_gp"]
    assert 10 * penalties.item() == pytest.approx(arrays["tune_gp_loss"].item(), rel=1e-9)
    assert total.item() == pytest.approx(arrays["tune_d_loss"].item(), rel=1e-9)
    first = module.discriminators["discriminator"].layers[0].weight
    (gradient,) = torch.autograd.grad(total, [first])
    assert gradient.norm().item() == pytest.approx(arrays["tune_gradnorm_d_global_conv1"].item(), rel=1e-9)


def iterated(critic):
    """Iterate its singular vectors once in the program's order, the right ones first; graphs keep the earlier ones."""
    for layer in critic.layers:
        normalization = layer.parametrizations.weight[0]
        matrix = layer.parametrizations.weight.original.detach().flatten(1)
        normalization._v = torch.nn.functional.normalize(matrix.T @ normalization._u, dim=0)
        normalization._u = torch.nn.functional.normalize(matrix @ normalization._v, dim=0)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["discriminator", "patch_discriminator"])
def test_the_critics_losses_are_those_of_the_re_implementation(critics, cases, monkeypatch, role):
    arrays, short = cases["vcnet_xyf"], "global" if role == "discriminator" else "patch"
    real, fake = enlarged(images(arrays["clean"])), enlarged(ours(arrays["output"]))
    # The program gives the patch critic what is clean, not the hole.
    given = () if role == "discriminator" else (1 - enlarged(masks(arrays["mask"])),)

    def told_by(critic):
        def logits(image):
            iterated(critic)
            return critic(image, *given).logits

        return logits

    with torch.no_grad():
        of_networks = -told_by(copy.deepcopy(critics["vcnet_xyf"][role]))(fake).mean()
    assert of_networks.item() == pytest.approx(arrays[f"adv_g_{short}"].item(), rel=1e-9)
    critic = copy.deepcopy(critics["vcnet_xyf"][role])
    logits = told_by(critic)
    apart_by = logits(fake).mean() - logits(real).mean()
    monkeypatch.setattr(torch, "rand", lambda *size, **kind: torch.full(size, 0.25, dtype=torch.float64))
    # Gradients with respect to colors on our scale are twice as long.
    total = apart_by + 10 * gradient_penalty(logits, real, fake, slope=2)
    assert total.item() == pytest.approx(arrays[f"adv_d_{short}"].item(), rel=1e-9)
    if role == "discriminator":
        (gradient,) = torch.autograd.grad(total, [critic.layers[0].parametrizations.weight.original])
        assert gradient.norm().item() == pytest.approx(arrays["gradnorm_disc_first"].item(), rel=1e-9)


XYFJASON_LOSSES = (
    "losses.reconstruction.weight=2.8",
    "losses.perceptual.pooling=max",
    "losses.perceptual.norm=l1",
    "losses.perceptual.weight=1e-4",
    "losses.id_mrf.pooling=max",
    "losses.id_mrf.center=channels",
    "losses.id_mrf.floor=1e-5",
    "losses.id_mrf.summed=true",
    "losses.id_mrf.weight=0.001",
    "losses.mask.balance=shares",
    "losses.mask.least=0.01",
    "losses.mask.per_image=true",
    "losses.adversary=null",
    "losses.adversary_patch=null",
)
XYFJASON_LAYERS = {"id_mrf": {"layers": {"relu3_2": 1.0, "relu4_2": 2.0}}}


@pytest.mark.slow
def test_losses_and_gradients_are_those_of_the_re_implementation(folders, cases, vgg):
    arrays, network = cases["vcnet_xyf"], network_of(folders["vcnet_xyf"], XYFJASON)
    module = training(XYFJASON, network, {}, vgg, XYFJASON_LOSSES, pretraining=0, **XYFJASON_LAYERS)
    batch = {"image": images(arrays["clean"]), "contaminated": images(arrays["image"]), "mask": masks(arrays["mask"])}
    record = module.record(batch)
    total, values = module.generator_losses(record)
    scales = {"mask": ("loss_mpn", 1), "reconstruction": ("loss_rec", 2), "perceptual": ("loss_semantic", 1)}
    for name, (theirs, scale) in {**scales, "id_mrf": ("loss_idmrf", 1)}.items():
        assert scale * values[name].item() == pytest.approx(arrays[theirs].item(), rel=1e-9), name
    assert total.item() == pytest.approx(arrays["loss_total"].item(), rel=1e-9)
    generator, finder = module.network.generator, module.network.mask_network
    watched = {
        "output": record["raw"],
        "known": record["mask_logits"],
        "mpn_rb1": finder.down1.c1.weight,
        "rin_pcb1": generator.stem.c1.weight,
        "rin_se": generator.keep1.norm.excitation[0].weight,
    }
    for name, found in zip(watched, torch.autograd.grad(total, list(watched.values())), strict=True):
        if name == "output":
            found = found / 2
        if name == "known":  # by the probability, through which their mask's loss leads, too
            found = found / (record["found"] * (1 - record["found"]))
        norm = found.norm().item()
        assert norm == pytest.approx(arrays[f"gradnorm_{name}"].item(), rel=1e-8), name
