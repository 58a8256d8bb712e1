"""Importing public DeepFillv2 checkpoints: what is recognized, converted, kept beside the weights, and refused."""

from __future__ import annotations

import copy
import hashlib
import itertools
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foreign_deepfill import CONFIGS, LAYERS, ORIGIN, network_and_file
from inpaint import config
from inpaint.errors import ConfigError, UsageError, WeightsError
from inpaint.models.deepfill.network import Network
from inpaint.registry.conversion import ORIGINS, Import, formats, import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata, save_weights
from inpaint.weights.foreign import Part
from inpaint.weights.formats import find, folded

FORMS = list(CONFIGS)


@pytest.fixture(scope="module")
def made():
    """`made(form)` is (network, content of its file), made once."""
    known: dict[str, Any] = {}

    def get(form: str):
        if form not in known:
            known[form] = network_and_file(form)
        network, file = known[form]
        return network, copy.copy({k: dict(v) if isinstance(v, dict) else v for k, v in file.items()})

    return get


def imported(content: object, folder: Path, origin: str, **options) -> Import:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / "file.pth")
    return import_weights(origin, [str(folder / "file.pth")], folder / "imported", **options)


def refusal(content: object, folder: Path, origin: str, kind: type[Exception] = WeightsError, **options) -> str:
    with pytest.raises(kind) as caught:
        imported(content, folder, origin, **options)
    assert not (folder / "imported").exists()
    text = str(caught.value)
    assert "\n" not in text
    return text


def entries_of(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    return content.get("G") or content.get("state_dict") or content


def sample(seed: int = 0, height: int = 72, width: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.random((2, 3, height, width)))
    mask = torch.zeros(2, 1, height, width, dtype=torch.float64)
    mask[0, :, 10:40, 20:50] = 1
    mask[1, :, 30:, 40:] = 1
    return image, mask


# What comes out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "pairs"),
    [
        (
            "nipponjo",
            {
                "conv2": "stage1.down_block1.conv1_downsample.conv",
                "conv5": "stage1.down_block2.conv2.conv",
                "conv6": "stage1.conv_bn1.conv",
                "conv12": "stage1.conv_bn7.conv",
                "conv15": "stage1.up_block2.conv1_upsample.conv.conv",
                "xconv4": "stage2.conv_down_block2.conv1_downsample.conv",
                "xconv10": "stage2.conv_conv_bn5.conv",
                "pmconv6": "stage2.ca_conv_bn1.conv",
                "pmconv9": "stage2.ca_conv_bn4.conv",
                "allconv11": "stage2.conv_bn6.conv",
                "allconv17": "stage2.conv_to_rgb.conv",
            },
        ),
        (
            "nipponjo_tf",
            {
                "conv4": "conv4_downsample.conv",
                "conv10": "conv10_atrous.conv",
                "conv13": "conv13_upsample.conv.conv",
                "xconv7": "xconv7_atrous.conv",
                "pmconv9": "pmconv9.conv",
                "pmconv10": "pmconv10.conv",
                "allconv15": "allconv15_upsample.conv.conv",
            },
        ),
        (
            "csqiangwen",
            {
                "conv17": "coarse.16",
                "xconv10": "refine_conv.9",
                "pmconv6": "refine_atten_1.5",
                "pmconv10": "refine_atten_2.1",
                "allconv11": "refine_combine.0",
            },
        ),
        (
            "mmagic",
            {
                "conv1": "stage1.encoder.enc1.conv.conv",
                "conv7": "stage1.dilation_neck.dilation_convs.0.conv.conv",
                "conv17": "stage1.decoder.dec7.conv.conv",
                "xconv10": "stage2.dilation_neck.dilation_convs.3.conv.conv",
                "pmconv1": "stage2.encoder_attention.enc1.conv.conv",
                "pmconv9": "stage2.contextual_attention_neck.conv1.conv.conv",
                "allconv13": "stage2.decoder.dec3.conv.conv",
            },
        ),
    ],
)
def test_layers_are_mapped_by_their_published_names(form, pairs):
    assert {ours: LAYERS[form][ours] for ours in pairs} == pairs
    assert len(set(LAYERS[form].values())) == len(LAYERS[form]) == 42


@pytest.mark.parametrize("form", FORMS)
def test_an_imported_network_computes_what_the_file_describes(form, made, tmp_path):
    network, content = made(form)
    done = imported(content, tmp_path, ORIGIN[form])
    image, mask = sample() if form == "mmagic" else sample(height=40, width=56)
    fill = load(done.folder, device="cpu", dtype=torch.float64).fill(image, mask)[0]
    with torch.inference_mode():
        expected = network.eval()(image, mask)
    assert expected["raw"].std() > 0.02
    for name, got in (("raw", fill.raw), ("coarse", fill.aux["coarse"])):
        assert (got - expected[name]).abs().max() < 1e-9 * expected[name].std()


@pytest.mark.parametrize(("form", "prefix"), [("nipponjo", ""), ("mmagic", ""), ("nipponjo_tf", "module.")])
def test_bare_state_dicts_and_those_of_data_parallel_training_are_recognized(form, prefix, made, tmp_path):
    network, content = made(form)
    bare = {f"{prefix}{name.removeprefix('generator.')}": value for name, value in entries_of(content).items()}
    done = imported(bare, tmp_path, ORIGIN[form])
    tensors, metadata = load_weights(done.folder / "model.safetensors")
    assert metadata.config == CONFIGS[form].model_dump(mode="json")
    assert {name.removeprefix("generator.") for name in tensors} == network.generator.state_dict().keys()


def test_the_folding_of_spectral_norms_starts_from_the_stored_vector():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(5, 3, 2, 2))
    left, values, _ = np.linalg.svd(weight.reshape(5, -1), full_matrices=False)
    # From the leading singular vector the iteration stays there, and the norm is the largest singular value.
    got = folded(torch.from_numpy(weight), torch.from_numpy(left[:, 0].copy()))
    assert np.allclose(got.numpy(), weight / values[0], rtol=1e-12)
    # From the second it stays at the second: the stored vector counts, not the true norm.
    got = folded(torch.from_numpy(weight), torch.from_numpy(left[:, 1].copy()))
    assert np.allclose(got.numpy(), weight / values[1], rtol=1e-12)


def test_what_is_kept_beside_the_weights(made, tmp_path):
    _, content = made("nipponjo")
    done = imported(content, tmp_path, "nipponjo")
    metadata = read_metadata(done.folder / "model.safetensors")
    digest = hashlib.sha256((tmp_path / "file.pth").read_bytes()).hexdigest()
    assert (metadata.model, metadata.roles, metadata.iteration) == ("deepfill", ("generator",), 12000)
    assert metadata.source_sha256 == done.sha256 == digest
    assert "file.pth" in metadata.source
    assert str(tmp_path) not in metadata.source
    text = (done.folder / "config.yaml").read_text()
    assert digest in text
    assert metadata.license in text


def test_every_origin_has_its_license():
    assert all(entry.license for entry in formats())
    licenses = {entry.title: entry.license.partition(" (")[0] for entry in formats() if entry.model == "deepfill"}
    assert licenses == {
        "jiahuiyu (DeepFillv2)": "CC BY-NC 4.0, non-commercial",
        "nipponjo": "none stated",
        "nipponjo (TensorFlow form)": "CC BY-NC 4.0, non-commercial",
        "csqiangwen": "MIT",
        "mmagic (DeepFillv2)": "Apache-2.0",
    }


@pytest.mark.parametrize(("form", "said"), [("nipponjo", "none stated"), ("nipponjo_tf", "CC BY-NC"), ("mmagic", None)])
def test_a_license_that_does_not_allow_every_use_is_said_once(form, said, made, tmp_path, caplog):
    done = imported(made(form)[1], tmp_path, ORIGIN[form])
    with caplog.at_level(logging.WARNING, logger="inpaint"):
        load(done.folder, device="cpu")
        load(done.folder, device="cpu")
    assert len(caplog.messages) == (0 if said is None else 1)
    assert all(f"license {said}" in message for message in caplog.messages)


# Switches ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["nipponjo", "nipponjo_tf"])
def test_bgr_swaps_the_colors_before_and_after(form, made, tmp_path):
    _, content = made(form)
    straight = imported(content, tmp_path / "rgb", "nipponjo")
    swapped = imported(content, tmp_path / "bgr", "nipponjo", switches=frozenset({"bgr"}))
    image, mask = sample(height=40, width=56)
    fills = [
        load(done.folder, device="cpu", dtype="float64").fill(x, mask)[0]
        for done, x in ((straight, image.flip(1)), (swapped, image))
    ]
    assert torch.allclose(fills[0].raw.flip(1), fills[1].raw, rtol=0, atol=1e-12)
    assert not torch.allclose(fills[0].raw, fills[1].raw, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("switches", "fuse"), [(frozenset(), False), (frozenset({"fuse"}), True)])
def test_fuse_switches_on_what_the_tensorflow_form_leaves_out(switches, fuse, made, tmp_path):
    done = imported(made("nipponjo_tf")[1], tmp_path, "nipponjo", switches=switches)
    assert read_metadata(done.folder / "model.safetensors").config["attention"]["fuse"] is fuse


@pytest.mark.parametrize(("form", "switch"), [("mmagic", "bgr"), ("csqiangwen", "fuse")])
def test_a_switch_that_the_format_decides_is_refused(form, switch, made, tmp_path):
    text = refusal(made(form)[1], tmp_path, form, UsageError, switches=frozenset({switch}))
    assert f"--{switch} does not apply to {form}" in text


# What is refused -----------------------------------------------------------------------------------------------------


def test_missing_extra_misshapen_and_unusable_entries_are_listed_together(made, tmp_path):
    _, content = made("nipponjo")
    entries = content["G"]
    del entries["stage1.conv1.conv.weight"]
    entries["stage3.conv.weight"] = torch.zeros(2)
    entries["stage2.ca_conv1.conv.bias"] = torch.zeros(47)
    entries["stage2.conv_bn6.conv.bias"] = torch.full((192,), torch.nan)
    entries["stage2.contextual_attention.fuse_weight"] = torch.ones(1, 1, 3, 3)
    text = refusal(content, tmp_path, "nipponjo")
    for part in (
        "1 missing: stage1.conv1.conv.weight",
        "1 extra: stage3.conv.weight",
        "1 misshapen: stage2.ca_conv1.conv.bias (47,) instead of (48,)",
        "stage2.conv_bn6.conv.bias (not all finite numbers)",
        "stage2.contextual_attention.fuse_weight (not the identity)",
    ):
        assert part in text


@pytest.mark.parametrize("form", FORMS)
def test_a_single_changed_entry_is_named_for_every_origin(form, made):
    _, content = made(form)
    entries = entries_of(content)
    name = next(name for name in entries if name.endswith(("conv.weight", "weight_bar")))
    value, bare = entries.pop(name), name.removeprefix("generator.")
    changed = {
        f"1 missing: {bare}": {},
        f"1 misshapen: {bare} {tuple(value[1:].shape)}": {name: value[1:]},
        "1 extra: another.weight": {name: value, "another.weight": value},
    }
    (entry,) = (one for one in formats() if one.networks.get("generator", frozenset()) >= {bare})
    for part, change in changed.items():
        state = {**entries, **change}
        names = entry.networks["generator"]
        (found,) = find([Part("state_dict", state)], names, path=Path("file.pth"), content={"state_dict": state})
        with pytest.raises(WeightsError) as caught:
            entry.convert({"generator": found}, frozenset())
        assert part in str(caught.value)


def test_the_identity_may_be_absent(made, tmp_path):
    _, content = made("nipponjo")
    del content["G"]["stage2.contextual_attention.fuse_weight"]
    assert imported(content, tmp_path, "nipponjo").roles == ("generator",)


@pytest.mark.parametrize(
    ("form", "origin"),
    [("nipponjo", "mmagic"), ("nipponjo_tf", "csqiangwen"), ("csqiangwen", "nipponjo"), ("mmagic", "nipponjo")],
)
def test_the_file_of_another_origin_is_named(form, origin, made, tmp_path):
    text = refusal(made(form)[1], tmp_path, origin)
    assert f"looks like {ORIGIN[form]}" in text
    assert f"use --origin {ORIGIN[form]}" in text


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"layer.weight": torch.zeros(2)}, "its 1 entries begin with layer.weight"),
        ({"G_optim": {"lr": 0.1}}, "it holds no named tensors"),
        ([torch.zeros(2)], "its 1 entries begin with 0"),
    ],
)
def test_an_unknown_file_is_described(content, part, tmp_path):
    text = refusal(content, tmp_path, "nipponjo")
    assert f"none of the programs we know ({', '.join(sorted(ORIGINS))})" in text
    assert part in text


def test_a_file_that_holds_code_is_not_opened(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    assert "holds code" in refusal({"G": Evil()}, tmp_path, "nipponjo")
    assert not (tmp_path / "ran").exists()


# Discriminators ------------------------------------------------------------------------------------------------------

WIDTHS = (4, 64, 128, 256, 256, 256, 256)


def scores(folder: Path, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Score with the imported discriminator, in float64."""
    tensors, metadata = load_weights(folder / "model.safetensors")
    assert metadata.roles == ("generator", "discriminator")
    discriminator = Network.discriminators(CONFIGS["nipponjo"])["discriminator"].double().eval()
    prefix = "discriminator."
    discriminator.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    with torch.inference_mode():
        return discriminator(image, mask).logits


@pytest.fixture
def nipponjo_discriminator() -> dict[str, torch.Tensor]:
    """Entries of its discriminator; the left vector has not converged."""
    generator = torch.Generator().manual_seed(3)
    entries = {}
    for number, (before, after) in enumerate(itertools.pairwise(WIDTHS), 1):
        entries[f"conv{number}.conv_sn.weight"] = torch.randn(after, before, 5, 5, generator=generator) * 0.05
        entries[f"conv{number}.conv_sn.bias"] = torch.randn(after, generator=generator) * 0.1
        entries[f"conv{number}.conv_sn.weight_u"] = F.normalize(torch.randn(after, 1, generator=generator), dim=0)
    return entries


def test_nipponjos_discriminator_scores_as_in_its_next_pass(made, nipponjo_discriminator, tmp_path):
    content = {**made("nipponjo")[1], "D": nipponjo_discriminator, "D_optim": {"state": {0: {"step": torch.zeros(1)}}}}
    done = imported(content, tmp_path, "nipponjo")
    image, mask = sample()
    x = torch.cat((2 * image - 1, mask), dim=1).numpy()
    for number in range(1, 7):
        weight, bias, u = (
            nipponjo_discriminator[f"conv{number}.conv_sn.{kind}"].double().numpy()
            for kind in ("weight", "bias", "weight_u")
        )
        v = weight.reshape(len(u), -1).T @ u
        norm = np.linalg.norm(weight.reshape(len(u), -1) @ (v / np.linalg.norm(v)))
        y = F.conv2d(torch.from_numpy(x), torch.from_numpy(weight / norm), torch.from_numpy(bias), 2, 2).numpy()
        x = np.where(y > 0, y, 0.2 * y)
    got = scores(done.folder, image, mask)
    assert np.abs(got.numpy() - x).max() < 1e-5 * x.std()


def test_mmagics_discriminator_scores_images_in_bgr_with_its_stored_norm(made, tmp_path):
    torch.manual_seed(0)
    layers = nn.ModuleDict()
    for number, (before, after) in enumerate(itertools.pairwise(WIDTHS), 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the older form of spectral norm, which that program uses
            convolution = nn.utils.spectral_norm(nn.Conv2d(before, after, 5, 2, 2))
        layers[f"conv{number}"] = nn.ModuleDict({"conv": convolution})
    content = made("mmagic")[1]
    content["state_dict"] |= {f"disc.{name}": value for name, value in layers.state_dict().items()}
    done = imported(content, tmp_path, "mmagic")
    image, mask = sample()
    x = torch.cat((2 * image.flip(1) - 1, mask), dim=1)
    layers = layers.double().eval()
    with torch.inference_mode():
        for layer in layers.values():
            x = F.leaky_relu(layer["conv"](x), 0.2)
    got = scores(done.folder, image, mask)
    assert (got - x).abs().max() < 1e-5 * x.std()


def test_a_discriminator_of_another_kind_is_left_out_with_a_note(made, nipponjo_discriminator, tmp_path):
    del nipponjo_discriminator["conv3.conv_sn.bias"]
    done = imported({**made("nipponjo")[1], "D": nipponjo_discriminator}, tmp_path, "nipponjo")
    assert done.roles == ("generator",)
    (note,) = done.notes
    assert "left out: 1 missing: conv3.conv_sn.bias" in note


# Starting a training from an import ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mmagic_folder(made, tmp_path_factory) -> Path:
    return imported(made("mmagic")[1], tmp_path_factory.mktemp("mmagic"), "mmagic").folder


def test_a_training_takes_the_architecture_of_what_it_starts_from(mmagic_folder):
    for place in (mmagic_folder, mmagic_folder / "model.safetensors"):
        assert config.load([f"init={place}"]).architecture() == CONFIGS["mmagic"]


def test_options_that_agree_may_be_given(mmagic_folder):
    made = config.load([f"init={mmagic_folder}", "model.padding=reflect", "model.attention.masked=inf"])
    assert made.architecture() == CONFIGS["mmagic"]


def test_options_that_contradict_what_it_starts_from_are_all_named(mmagic_folder):
    with pytest.raises(ConfigError) as caught:
        config.load([f"init={mmagic_folder}", "model.padding=zero", "model.attention.fuse=false"])
    text = str(caught.value)
    assert "model.attention.fuse=false (the weights have true)" in text
    assert 'model.padding="zero" (the weights have "reflect")' in text
    assert "\n" not in text


def test_the_discriminator_is_free_where_the_import_has_none(mmagic_folder, tmp_path):
    made = config.load([f"init={mmagic_folder}", "model.discriminator.width=16"])
    assert made.architecture().discriminator.width == 16
    tensors, metadata = load_weights(mmagic_folder / "model.safetensors")
    both = {**tensors, "discriminator.layers.0.bias": torch.zeros(64)}
    save_weights(
        tmp_path / "model.safetensors",
        both,
        type(metadata)(model="deepfill", config=metadata.config, roles=("generator", "discriminator")),
    )
    with pytest.raises(ConfigError, match=r"model.discriminator.width=16 \(the weights have 64\)"):
        config.load([f"init={tmp_path}", "model.discriminator.width=16"])


def test_a_mistaken_option_is_said_as_without_init(mmagic_folder):
    with pytest.raises(ConfigError, match=r"model.widht.*did you mean 'width'"):
        config.load([f"init={mmagic_folder}", "model.widht=16"])
